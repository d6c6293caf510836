#include "base/clock.h"
#include "commands/client.h"
#include "commands/commands.h"
#include "commands/fetch.h"
#include "commands/progress.h"
#include "commands/scan_order.h"
#include "commands/scan_wish.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { REDRAW_LEAST_US = 50000 };

static const char help[] =
    "Usage: jobgate scan LINE [OPTION...]\n"
    "\n"
    "Who answers on a line, and at which settings? Asks every unit for one register, which\n"
    "changes nothing, and compares with the site. Where nobody answers, the usual other\n"
    "settings are tried until somebody does. LINE is a line of the site, or a port or\n"
    "endpoint (/dev/ttyUSB0, 192.0.2.10:502) where there is no site yet.\n"
    "\n"
    "  --units LIST    these alone, such as 1-31,40 (1-247)\n"
    "  --baud LIST     these speeds alone, such as 9600,19200\n"
    "  --parity LIST   these alone: E, N, O, or with stop bits, such as 8N2\n"
    "  --all           every setting, also after somebody has answered\n"
    "  --timeout MS    how long each is waited for at first (learned from who answers)\n"
    "  --lines DIR     take ports and endpoints from a simulator's DIR/lines.json\n"
    "  --config FILE   the site (/etc/jobgate/jobgate.conf)\n"
    "  --socket PATH   the gateway's socket (/run/jobgate/jobgate.sock)\n"
    "  --json          print what was found as JSON\n"
    "\n"
    "The scan wants the line for itself: a gateway that runs has to be stopped for it.\n"
    "Exit status: 0 all that the site has answers; 1 a device is silent or garbled, or nobody\n"
    "answers; 2 wrong use; 3 the line cannot be opened, or another program has it.\n"
    "\n"
    "Example:\n"
    "  jobgate scan floor3 --units 1-40\n";

struct job {
    struct options options;
    struct scan_order order;
    struct terminal terminal;
    int64_t began_us, drawn_us;
};

/* --- meanwhile --- */

static unsigned heard_so_far(const struct scan *scan)
{
    return scan->tries[scan->now].heard;
}

static void draw(struct job *job, unsigned unit, bool again)
{
    const struct scan *scan = &job->order.scan;
    int64_t now_us = clock_boot_us();
    char bar[PROGRESS_BAR_MOST], way[40] = "";

    if (now_us - job->drawn_us < REDRAW_LEAST_US)
        return;
    job->drawn_us = now_us;
    job->terminal = terminal_of(stdout); /* the window may have changed */
    progress_bar(&job->terminal, (int)(scan->total - scan->left), 0, (int)scan->total, bar);
    if (scan->tries[scan->now].way.baud)
        way_text(&scan->tries[scan->now].way, way, sizeof(way));
    printf("\r%s  %s %u  %u heard  %s  %lld s\033[K", bar, again ? "again" : "unit", unit,
           heard_so_far(scan), way, (long long)((now_us - job->began_us) / 1000000));
    fflush(stdout);
}

static void on_asked(void *ctx, const struct scan *scan, unsigned unit, bool again)
{
    struct job *job = ctx;
    char text[400];

    if (job->options.json)
        return;
    if (job->terminal.live) {
        draw(job, unit, again);
        return;
    }
    if ((!again || scan->tries[scan->now].units[unit].asked == 2) &&
        scan_show_unit(&job->order.subject, unit, text, sizeof(text))) {
        puts(text);
        fflush(stdout);
    }
}

static void erase(const struct job *job)
{
    if (!job->terminal.live || job->options.json)
        return;
    fputs("\r\033[K", stdout);
    fflush(stdout);
}

/* --- the line --- */

/* Two masters at one endpoint would only make each other late; a port has its own lock. */
static bool gateway_has_it(const struct job *job)
{
    struct client client;
    struct client_answer answer;
    bool has = false;
    const char *socket = job->options.socket ? job->options.socket
                         : job->order.site   ? job->order.site->api.socket
                                             : NULL;

    if (!socket || job->order.subject.line->adapter->serial)
        return false;
    snprintf(client.path, sizeof(client.path), "%s", socket);
    if (client_ask(&client, "GET", "/jobgate/v1/status", NULL, NULL, &answer) != 0)
        return false;
    json_t *status = json_loads(answer.body, 0, NULL);
    json_t *line;
    size_t i;

    json_array_foreach(json_object_get(status, "lines"), i, line)
    {
        const char *name = json_string_value(json_object_get(line, "name"));

        has = has || (name && strcmp(name, job->order.subject.line->name) == 0);
    }
    json_decref(status);
    client_answer_deinit(&answer);
    return has;
}

static int refuse_held(const struct job *job, const char *why)
{
    complain(&job->options,
             "%s. The scan wants it for itself; where that is the gateway:\n"
             "  sudo systemctl stop jobgate, scan, sudo systemctl start jobgate",
             why);
    return EXIT_UNREACHABLE;
}

/* Ctrl-C ends the scan after the present frame, and what was found is told. */
static int watch_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return -1;
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int tell(struct job *job)
{
    if (job->options.json)
        print_json(scan_json(&job->order.subject));
    else
        scan_show_end(&job->order.subject, &job->terminal);
    if (job->order.scan.down)
        return EXIT_UNREACHABLE;
    return scan_is_well(&job->order.subject) ? EXIT_DONE : EXIT_FAILED;
}

static int run(struct job *job)
{
    struct scan *scan = &job->order.scan;

    if (gateway_has_it(job))
        return refuse_held(job, "the running gateway has this line");
    job->terminal = terminal_of(stdout);
    scan->asked = on_asked;
    scan->ctx = job;
    scan->wake_fd = watch_signals();
    if (!job->options.json)
        scan_show_begin(&job->order.subject, &job->terminal);
    job->began_us = clock_boot_us();
    int r = scan_run(scan);

    erase(job);
    job->order.subject.seconds = (double)(clock_boot_us() - job->began_us) / 1e6;
    if (scan->wake_fd >= 0)
        close(scan->wake_fd);
    if (r == -EBUSY)
        return refuse_held(job, scan->why);
    if (r == -ECANCELED)
        scan->stopped = true;
    else if (r < 0) {
        complain(&job->options, "%s", scan->why);
        return EXIT_UNREACHABLE;
    }
    return tell(job);
}

int command_scan(int argc, char **argv)
{
    struct job *job = calloc(1, sizeof(*job)); /* some 100 kB */

    if (!job)
        return EXIT_UNREACHABLE;
    struct scan_order *order = &job->order;
    const struct option_spec more[] = {{"units", &order->units, NULL},
                                       {"baud", &order->bauds, NULL},
                                       {"parity", &order->parities, NULL},
                                       {"timeout", &order->timeout, NULL},
                                       {"lines", &order->lines_dir, NULL},
                                       {"all", NULL, &order->all},
                                       {NULL, NULL, NULL}};
    int status = options_read(&job->options, argc, argv, more, 1, 1, help);

    order->options = &job->options;
    if (status == OPTIONS_GO_ON) {
        status = scan_order_fill(order);
        if (status == EXIT_DONE)
            status = run(job);
        scan_order_deinit(order);
    }
    free(job);
    return status;
}
