/* jobgate report: every device and every point of a site, and what answered. */
#include "base/clock.h"
#include "base/log.h"
#include "commands/commands.h"
#include "commands/progress.h"
#include "commands/survey_ask.h"
#include "commands/survey_show.h"
#include "site/problems.h"
#include "site/value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REDRAW_LEAST_US = 50000 };

enum form { FORM_TEXT, FORM_JSON, FORM_HTML };

static const char help[] =
    "Usage: jobgate report [--format text|json|html] [--output FILE]\n"
    "\n"
    "A commissioning report: the lines, every device, every point with its register, what was\n"
    "read, and why not. Writes to no device. Through the running gateway; where none runs, on\n"
    "the lines themselves.\n"
    "\n"
    "  --format FORM   text, json, or html to print and sign (as FILE ends, else text)\n"
    "  --output FILE   where to; a file that is there is left alone\n"
    "  --lines DIR     take ports and endpoints from a simulator's DIR/lines.json\n"
    "  --config FILE   the site (/etc/jobgate/jobgate.conf)\n"
    "  --socket PATH   the gateway's socket (/run/jobgate/jobgate.sock)\n"
    "  --json          the same as --format json\n"
    "\n"
    "Exit status: 0 every device and point answered, 1 one did not, 2 wrong use, 3 the "
    "gateway\n"
    "or all lines cannot be reached.\n"
    "\n"
    "Example:\n"
    "  jobgate report --output building-43.html\n";

struct job {
    struct options options;
    const char *format, *output, *lines_dir;
    enum form form;
    struct site *site;
    struct survey survey;
    size_t done, failed;
    int64_t began_us, drawn_us;
};

/* --- what is wanted --- */

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), part = strlen(end);

    return size > part && strcmp(text + size - part, end) == 0;
}

static int read_form(struct job *job)
{
    static const char *const names[] = {"text", "json", "html"};

    if (job->output && ends_with(job->output, ".html"))
        job->form = FORM_HTML;
    else if (job->output && ends_with(job->output, ".json"))
        job->form = FORM_JSON;
    if (job->options.json)
        job->form = FORM_JSON;
    if (!job->format)
        return EXIT_DONE;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(job->format, names[i]) == 0) {
            job->form = (enum form)i;
            return EXIT_DONE;
        }
    complain(&job->options, "--format is \"%s\"; it can be text, json or html", job->format);
    return EXIT_WRONG;
}

/* Before a device is asked: who has waited for a minute wants no "no such folder". */
static int check_output(const struct job *job)
{
    if (!job->output || strcmp(job->output, "-") == 0)
        return EXIT_DONE;
    if (access(job->output, F_OK) == 0) {
        complain(&job->options, "%s is there already; name another file, or remove it",
                 job->output);
        return EXIT_WRONG;
    }
    return EXIT_DONE;
}

static int load(struct job *job)
{
    struct site_source source = {.config = job->options.config, .lines_dir = job->lines_dir};
    struct problems problems = {0};
    int r = site_load(&job->site, &source, &problems);

    if (r != 0)
        problems_print(&problems, stderr);
    problems_deinit(&problems);
    if (r < 0)
        complain(&job->options, "%s", strerror(-r));
    if (r == 0 && survey_init(&job->survey, job->site) < 0) {
        complain(&job->options, "no memory");
        return EXIT_UNREACHABLE;
    }
    return r == 0 ? EXIT_DONE : EXIT_WRONG;
}

/* --- meanwhile --- */

/* On standard error: the report itself may go to the other one. */
static void on_done(void *ctx, size_t device)
{
    struct job *job = ctx;
    struct terminal terminal = terminal_of(stderr);
    int64_t now_us = clock_boot_us();
    char bar[PROGRESS_BAR_MOST];

    job->done++;
    job->failed += job->survey.devices[device].error.code != NULL;
    if (!terminal.live || job->options.json || now_us - job->drawn_us < REDRAW_LEAST_US)
        return;
    job->drawn_us = now_us;
    progress_bar(&terminal, (int)(job->done - job->failed), (int)job->failed,
                 (int)job->site->device_count, bar);
    fprintf(stderr, "\r%s  %zu of %zu devices  %s  %lld s\033[K", bar, job->done,
            job->site->device_count, job->site->devices[device].id,
            (long long)((now_us - job->began_us) / 1000000));
    fflush(stderr);
}

static void erase(const struct job *job)
{
    if (job->drawn_us)
        fputs("\r\033[K", stderr);
}

static int survey_alone(struct job *job, const struct survey_watch *watch,
                        const struct client *client)
{
    char why[240] = "";

    if (job->form != FORM_JSON)
        complain(&job->options, "no gateway answers on %s; opening the lines", client->path);
    log_open(LOG_LEVEL_ERROR); /* a line that is down stands in the report */
    int r = survey_on_lines(&job->survey, watch, why, sizeof(why));

    erase(job);
    if (r == 0)
        return EXIT_DONE;
    complain(&job->options, "%s", why);
    return EXIT_UNREACHABLE;
}

static int ask(struct job *job)
{
    struct survey_watch watch = {.done = on_done, .ctx = job};
    struct client_answer answer;
    struct client client;
    int status, r;

    snprintf(client.path, sizeof(client.path), "%s",
             job->options.socket ? job->options.socket : job->site->api.socket);
    job->began_us = clock_boot_us();
    r = client_ask(&client, "GET", "/healthz", NULL, NULL, &answer);
    if (r == 0)
        client_answer_deinit(&answer);
    /* A socket that was asked for by name is meant: no other road instead. */
    if (r == COMMAND_E_NO_GATEWAY && !job->options.socket) {
        status = survey_alone(job, &watch, &client);
    } else if (r != 0) {
        status = client_complain(&client, &job->options, r);
    } else {
        status = survey_through_gateway(&job->survey, &client, &job->options, &watch);
        erase(job);
    }
    job->survey.made_ms = clock_wall_ms();
    job->survey.seconds = (double)(clock_boot_us() - job->began_us) / 1e6;
    return status;
}

/* --- afterwards --- */

static void print(const struct job *job, const json_t *report, FILE *to)
{
    struct terminal terminal = terminal_of(to);
    char *text;

    switch (job->form) {
    case FORM_TEXT:
        survey_print_text(report, &terminal);
        break;
    case FORM_HTML:
        survey_print_html(report, to);
        break;
    case FORM_JSON:
        text = json_text(report);
        fprintf(to, "%s\n", text ? text : "null");
        free(text);
        break;
    }
}

static int write_file(const struct job *job, const json_t *report)
{
    int fd = open(job->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    bool failed;

    if (!file) {
        complain(&job->options, "%s cannot be written: %s", job->output, strerror(errno));
        if (fd >= 0)
            close(fd);
        return EXIT_WRONG;
    }
    print(job, report, file);
    failed = ferror(file) != 0;
    failed = fclose(file) != 0 || failed;
    if (!failed)
        return EXIT_DONE;
    complain(&job->options, "%s was not written whole: %s", job->output, strerror(errno));
    unlink(job->output);
    return EXIT_WRONG;
}

static int tell(const struct job *job)
{
    json_t *report = survey_json(&job->survey);
    struct survey_counts counts = survey_count(&job->survey);
    int status = EXIT_DONE;
    char text[300];

    if (!report) {
        complain(&job->options, "no memory");
        return EXIT_UNREACHABLE;
    }
    if (job->output && strcmp(job->output, "-") != 0) {
        status = write_file(job, report);
        survey_sum_text(report, text, sizeof(text));
        if (status == EXIT_DONE && !job->options.json)
            printf("%s\n%s\n", text, job->output);
    } else {
        print(job, report, stdout);
    }
    json_decref(report);
    if (status != EXIT_DONE)
        return status;
    if (job->site->line_count > 0 && counts.lines_down == job->site->line_count)
        return EXIT_UNREACHABLE;
    return counts.devices_failed + counts.lines_down > 0 ? EXIT_FAILED : EXIT_DONE;
}

int command_report(int argc, char **argv)
{
    struct job job = {0};
    const struct option_spec more[] = {{"format", &job.format, NULL},
                                       {"output", &job.output, NULL},
                                       {"lines", &job.lines_dir, NULL},
                                       {NULL, NULL, NULL}};
    int status = options_read(&job.options, argc, argv, more, 0, 0, help);

    if (status != OPTIONS_GO_ON)
        return status;
    status = read_form(&job);
    if (status == EXIT_DONE)
        status = check_output(&job);
    if (status == EXIT_DONE)
        status = load(&job);
    if (status == EXIT_DONE)
        status = ask(&job);
    if (status == EXIT_DONE)
        status = tell(&job);
    if (job.survey.site)
        survey_deinit(&job.survey);
    site_free(job.site);
    return status;
}
