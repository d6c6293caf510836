#include "commands/scan_order.h"
#include "commands/commands.h"
#include "commands/scan_wish.h"
#include "lines/probe.h"
#include "site/problems.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_MOST_MS = 60000 };

/* --- what is scanned --- */

static bool is_port(const char *text)
{
    return text[0] == '/';
}

static int load_site(struct scan_order *order)
{
    struct site_source source = {.config = order->options->config,
                                 .lines_dir = order->lines_dir};
    struct problems problems = {0};
    const char *line = order->options->names[0];

    if (!order->options->config && access(SITE_MAIN_FILE, F_OK) != 0 &&
        (is_port(line) || strchr(line, ':')))
        return EXIT_DONE;
    int r = site_load(&order->site, &source, &problems);

    if (r != 0)
        problems_print(&problems, stderr);
    problems_deinit(&problems);
    if (r < 0)
        complain(order->options, "%s", strerror(-r));
    return r == 0 ? EXIT_DONE : EXIT_WRONG;
}

/* A port by whatever name of it. */
static bool same_port(const char *a, const char *b)
{
    char *real_a = realpath(a, NULL), *real_b = realpath(b, NULL);
    bool same = strcmp(a, b) == 0 || (real_a && real_b && strcmp(real_a, real_b) == 0);

    free(real_a);
    free(real_b);
    return same;
}

static const struct line_config *line_of_site(const struct scan_order *order)
{
    const char *name = order->options->names[0];

    for (size_t i = 0; order->site && i < order->site->line_count; i++) {
        const struct line_config *line = &order->site->lines[i];

        if (strcmp(line->name, name) == 0 ||
            (is_port(name) && line->port && same_port(line->port, name)))
            return line;
    }
    return NULL;
}

/* A line as the site would have it by its defaults; false: the text is no port or endpoint. */
static bool bare_line(struct scan_order *order)
{
    const char *text = order->options->names[0], *colon = strrchr(text, ':');
    struct line_config *line = &order->bare;
    char *end;

    if (is_port(text)) {
        line_defaults(line, adapter_find("modbus-rtu"));
        line->settings.port = text;
    } else {
        if (!colon || colon == text || (size_t)(colon - text) >= sizeof(order->host))
            return false;
        unsigned long port = strtoul(colon + 1, &end, 10);

        if (colon[1] < '0' || colon[1] > '9' || *end || port < 1 || port > 65535)
            return false;
        line_defaults(line, adapter_find("modbus-tcp"));
        snprintf(order->host, sizeof(order->host), "%.*s", (int)(colon - text), text);
        line->settings.host = order->host;
        line->settings.tcp_port = (uint16_t)port;
    }
    line->name = (char *)(uintptr_t) "line1";
    line->settings.line = line->name;
    return line->adapter != NULL;
}

static int refuse_line(const struct scan_order *order)
{
    const char *name = order->options->names[0];

    if (!order->site) {
        complain(order->options, "\"%s\" is no port and no endpoint such as 192.0.2.10:502",
                 name);
        return EXIT_WRONG;
    }
    fprintf(stderr, "jobgate scan: no line \"%s\" in %s; it has", name, order->site->file);
    for (size_t i = 0; i < order->site->line_count; i++)
        fprintf(stderr, "%s %s", i ? "," : "", order->site->lines[i].name);
    fputc('\n', stderr);
    return EXIT_WRONG;
}

static int find_line(struct scan_order *order)
{
    const struct line_config *line;
    int status = load_site(order);

    if (status != EXIT_DONE)
        return status;
    line = line_of_site(order);
    if (!line) {
        if (!bare_line(order))
            return refuse_line(order);
        line = &order->bare;
        site_free(order->site); /* it knows nothing of this line */
        order->site = NULL;
    }
    order->subject = (struct scan_subject){
        .scan = &order->scan, .site = order->site, .line = line, .devices = order->devices};
    return EXIT_DONE;
}

/* --- what is asked --- */

/* Any answer will do, a refusal too: nothing is known of a device that the site does not have.
 */
static struct operation plain_probe(void)
{
    return (struct operation){.kind = OPERATION_READ, .table = TABLE_HOLDING, .count = 1};
}

static void expect_devices(struct scan_order *order, const struct line_config *line)
{
    struct scan_ask *asks = order->scan.asks;

    for (size_t i = 0; order->site && i < order->site->device_count; i++) {
        const struct device *device = &order->site->devices[i];
        const struct profile *profile = &order->site->profiles[device->profile];
        struct scan_ask *more = &asks[device->unit];

        if (&order->site->lines[device->line] != line)
            continue;
        if (!order->units)
            more->wanted = true; /* 255 of a TCP line, for one */
        order->devices[device->unit] = device;
        more->expected = true;
        if (!probe_operation(profile, &more->probe))
            more->probe = plain_probe();
        if (profile->timeout_us >= 0)
            more->configured_us = profile->timeout_us;
    }
}

static int wish_asks(struct scan_order *order)
{
    const struct line_config *line = order->subject.line;
    bool units[SCAN_UNITS];
    char why[200];

    if (!wish_units(units, order->units, line->adapter, why, sizeof(why))) {
        complain(order->options, "%s", why);
        return EXIT_WRONG;
    }
    for (unsigned unit = 0; unit < SCAN_UNITS; unit++)
        order->scan.asks[unit] = (struct scan_ask){
            .wanted = units[unit], .probe = plain_probe(), .configured_us = line->timeout_us};
    expect_devices(order, line);
    return EXIT_DONE;
}

static void tell_problem(void *ctx, const char *key, const char *text)
{
    struct scan_order *order = ctx;

    (void)key;
    complain(order->options, "%s", text);
    order->scan.try_count = 0;
}

static int wish_tries(struct scan_order *order)
{
    const struct line_config *line = order->subject.line;
    struct scan_way ways[SCAN_WAYS_MOST] = {{0}};
    size_t count = 1;
    char why[200];

    if (line->adapter->serial)
        count =
            wish_ways(ways, &line->settings, order->bauds, order->parities, why, sizeof(why));
    else if (order->bauds || order->parities || order->all)
        count = 0;
    if (count == 0) {
        complain(order->options, "%s",
                 line->adapter->serial ? why
                                       : "a TCP line has no baud rate and no parity to try");
        return EXIT_WRONG;
    }
    order->scan.tries = calloc(count, sizeof(*order->scan.tries));
    if (!order->scan.tries) {
        complain(order->options, "no memory");
        return EXIT_UNREACHABLE;
    }
    order->scan.try_count = count;
    for (size_t i = 0; i < count; i++) {
        struct adapter_settings settings = line->settings;

        order->scan.tries[i].way = ways[i];
        if (ways[i].baud)
            settings.baud = ways[i].baud;
        line->adapter->check(&settings, tell_problem, order);
        if (order->scan.try_count == 0)
            return EXIT_WRONG;
    }
    return EXIT_DONE;
}

static int wish_timeout(struct scan_order *order)
{
    char *end;

    if (!order->timeout)
        return EXIT_DONE;
    errno = 0;
    long ms = strtol(order->timeout, &end, 10);

    if (end == order->timeout || *end || errno || ms < 1 || ms > TIMEOUT_MOST_MS) {
        complain(order->options, "--timeout: \"%s\" is no number from 1 to %d", order->timeout,
                 TIMEOUT_MOST_MS);
        return EXIT_WRONG;
    }
    order->scan.first_us = ms * 1000;
    return EXIT_DONE;
}

int scan_order_fill(struct scan_order *order)
{
    int status = find_line(order);

    if (status != EXIT_DONE)
        return status;
    const struct line_config *line = order->subject.line;

    order->scan = (struct scan){.adapter = line->adapter,
                                .settings = line->settings,
                                .least_us = line->timeout_min_us,
                                .gap_us = line->gap_us,
                                .all = order->all,
                                .wake_fd = -1};
    status = wish_asks(order);
    if (status == EXIT_DONE)
        status = wish_tries(order);
    return status == EXIT_DONE ? wish_timeout(order) : status;
}

void scan_order_deinit(struct scan_order *order)
{
    free(order->scan.tries);
    site_free(order->site);
}
