#include "gateway.h"
#include "base/log.h"
#include "base/trust.h"
#include "jobs/tally.h"
#include "links/api.h"
#include "links/broker.h"
#include "links/iothub.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>

/* How long a stop waits for tasks to come to a step's end. */
enum {
    STOP_PATIENCE_US = 200000, /* a frame that is out has 300 ms beside */
    STORE_PATIENCE_MS = 2000,  /* for the last commit */
};

struct gateway_line {
    struct gateway *gateway;
    size_t index;
    struct line *line; /* NULL: not opened */
    struct event *event;
    unsigned out;
};

struct gateway {
    struct gateway_settings settings;
    const struct site *site;
    struct event_base *base;
    struct engine *engine;
    struct store *store;
    struct tally *tally;
    struct event *store_event, *timer, *term, *interrupt, *hangup, *watchdog;
    struct gateway_line *lines;
    struct broker *broker;
    struct event *broker_event;
    struct iothub *iothub;
    struct event *iothub_event;
    struct api *api;
    bool trusted, ready, stopping;
    bool unsafe; /* the disk did not take the last records: it may hang */
    int64_t trust_looked_us, stop_us;
    uint64_t watchdog_us;
    char boot_id[40]; /* "": the store is memory only */
};

static void pump(struct gateway *gateway);

static struct moment now_of(struct gateway *gateway)
{
    int64_t boot_us = clock_boot_us();

    /* Trust, once won, stays: a service that loses its peers does not unset the clock. */
    if (!gateway->trusted && boot_us >= gateway->trust_looked_us) {
        gateway->trusted =
            gateway->site->clock_trust ||
            (clock_is_trusted() &&
             (!gateway->engine || clock_wall_ms() >= engine_newest_ms(gateway->engine)));
        gateway->trust_looked_us = boot_us + 1000000;
    }
    return clock_now(gateway->trusted);
}

/* --- effects --- */

static void route(struct gateway *gateway, const struct report *report)
{
    bool addressed = report->kind == REPORT_ANSWER || report->kind == REPORT_STORED;
    enum link_kind to = report->origin.link;

    tally_report(gateway->tally, report);
    if (gateway->broker && (!addressed || to == LINK_BROKER))
        broker_report(gateway->broker, report);
    if (gateway->iothub && (!addressed || to == LINK_IOTHUB))
        iothub_report(gateway->iothub, report);
    if (gateway->api && (!addressed || to == LINK_API))
        api_report(gateway->api, report);
    if (gateway->settings.report && to == LINK_COMMAND)
        gateway->settings.report(gateway->settings.ctx, report);
}

/* A single call does not wait behind what has not begun. */
static void make_room(struct gateway *gateway, struct gateway_line *line)
{
    if (line->out < ENGINE_LINE_ROOM ||
        !engine_wants_recall(gateway->engine, line->index, now_of(gateway)))
        return;
    struct work *work = line_recall(line->line);

    if (!work)
        return;
    line->out--;
    engine_recalled(gateway->engine, line->index, work, now_of(gateway));
}

static void give_lines(struct gateway *gateway)
{
    for (size_t i = 0; i < gateway->site->line_count; i++) {
        struct gateway_line *line = &gateway->lines[i];

        if (line->line)
            make_room(gateway, line);
        while (line->line && line->out < ENGINE_LINE_ROOM) {
            struct work *work = engine_next_work(gateway->engine, i, now_of(gateway));

            if (!work)
                break;
            line->out++;
            if (line_give(line->line, work) != 0) {
                work->answer.result = ANSWER_NOT_SENT;
                line->out--;
                engine_answer(gateway->engine, i, work, now_of(gateway));
                break;
            }
        }
    }
}

static void arm_timer(struct gateway *gateway)
{
    struct moment now = now_of(gateway);
    int64_t wake = engine_wake_us(gateway->engine, now);
    struct timeval after;

    if (gateway->stopping && wake > gateway->stop_us)
        wake = gateway->stop_us;
    if (wake == MOMENT_NEVER) {
        event_del(gateway->timer);
        return;
    }
    int64_t pause = wake > now.boot_us ? wake - now.boot_us : 0;
    after.tv_sec = (time_t)(pause / 1000000);
    after.tv_usec = (suseconds_t)(pause % 1000000);
    event_add(gateway->timer, &after);
}

static bool is_durable(const struct gateway *gateway)
{
    return gateway->boot_id[0] != '\0';
}

/* Nothing that a stop would wait for: what survives waits for the frames that are out, the rest
   for its tasks. */
static bool is_quiet(const struct gateway *gateway)
{
    if (!is_durable(gateway))
        return engine_is_idle(gateway->engine);
    for (size_t i = 0; i < gateway->site->line_count; i++) {
        if (gateway->lines[i].out > 0)
            return false;
    }
    return true;
}

/* Carries out what the engine wants until it wants nothing more now. */
static void pump(struct gateway *gateway)
{
    struct record *record;
    struct report *report;

    give_lines(gateway);
    while ((record = engine_take_record(gateway->engine))) {
        tally_given(gateway->tally, record->number, clock_boot_us());
        store_give(gateway->store, record);
    }
    while ((report = engine_take_report(gateway->engine))) {
        route(gateway, report);
        report_free(report);
    }
    if (gateway->stopping && (is_quiet(gateway) || clock_boot_us() >= gateway->stop_us)) {
        event_base_loopbreak(gateway->base);
        return;
    }
    arm_timer(gateway);
}

/* --- events --- */

static void line_changed(struct gateway *gateway, size_t index, const struct work *work)
{
    const char *name = gateway->site->lines[index].name;

    if (work->up)
        log_info("line %s: up", name);
    else
        log_warning("line %s: down: %s", name, work->why);
    engine_line_state(gateway->engine, index, work->up, work->why, now_of(gateway));
    if (gateway->settings.line_state)
        gateway->settings.line_state(gateway->settings.ctx, index, work->up, work->why);
}

static void log_frames(const struct gateway_line *line, const struct work *work)
{
    const struct answer *answer = &work->answer;
    char request[3 * 32 + 1] = "", reply[3 * 32 + 1] = "";

    for (size_t i = 0; i < answer->request.length && i < 32; i++)
        snprintf(request + 3 * i, 4, "%02X ", answer->request.bytes[i]);
    for (size_t i = 0; i < answer->reply.length && i < 32; i++)
        snprintf(reply + 3 * i, 4, "%02X ", answer->reply.bytes[i]);
    log_debug("line %s: unit %u: Tx %s Rx %s %lld us %s",
              line->gateway->site->lines[line->index].name, work->operation.unit, request,
              reply, (long long)(answer->ended_us - answer->started_us), answer->text);
}

static void on_line(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway_line *line = ctx;
    struct gateway *gateway = line->gateway;
    struct work *work;

    (void)fd;
    (void)what;
    while ((work = line_take(line->line))) {
        if (work->state_changed) {
            line_changed(gateway, line->index, work);
            work_free(work);
            continue;
        }
        line->out--;
        if (log_wants_debug())
            log_frames(line, work);
        tally_answer(gateway->tally, line->index, &work->answer);
        engine_answer(gateway->engine, line->index, work, now_of(gateway));
    }
    pump(gateway);
}

static void on_store(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway *gateway = ctx;

    (void)fd;
    (void)what;
    struct store_state state;
    uint64_t safe = store_safe(gateway->store);

    store_state(gateway->store, &state);
    engine_store_state(gateway->engine, state.takes, state.why);
    tally_safe(gateway->tally, safe, clock_boot_us());
    engine_safe(gateway->engine, safe, now_of(gateway));
    pump(gateway);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway *gateway = ctx;

    (void)fd;
    (void)what;
    engine_tick(gateway->engine, now_of(gateway));
    pump(gateway);
}

static void on_broker(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway *gateway = ctx;
    struct request *request;

    (void)fd;
    (void)what;
    if (broker_connected(gateway->broker))
        engine_report_all(gateway->engine, now_of(gateway));
    /* What comes while the gateway stops is not acknowledged: it comes again. */
    while (!gateway->stopping && (request = broker_take(gateway->broker)))
        engine_request(gateway->engine, request, now_of(gateway));
    pump(gateway);
}

static void on_iothub(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway *gateway = ctx;
    struct request *request;

    (void)fd;
    (void)what;
    while ((request = iothub_take(gateway->iothub)))
        engine_request(gateway->engine, request, now_of(gateway));
    pump(gateway);
}

static void on_api_request(void *ctx, struct request *request)
{
    gateway_request(ctx, request);
}

static void add_iothub_status(const struct gateway *gateway, json_t *status)
{
    struct iothub_status hub;

    iothub_status(gateway->iothub, &hub);
    json_object_set_new(
        status, "iothub",
        json_pack("{s:I, s:I, s:I, s:b, s:s, s:I, s:I, s:I, s:I}", "devices",
                  (json_int_t)hub.devices, "connected", (json_int_t)hub.connected, "takenOver",
                  (json_int_t)hub.flapping, "clockTrusted", (int)hub.clock_trusted, "why",
                  hub.text, "received", (json_int_t)hub.received, "sent", (json_int_t)hub.sent,
                  "refused", (json_int_t)hub.refused, "openCalls", (json_int_t)hub.open_calls));
}

static void add_status(void *ctx, json_t *status)
{
    struct gateway *gateway = ctx;
    struct broker_status broker;
    struct store_state store;

    store_state(gateway->store, &store);
    json_object_update_new(
        json_object_get(status, "store"),
        json_pack("{s:s, s:b, s:s, s:I, s:I, s:I}", "kind",
                  is_durable(gateway) ? "sqlite" : "memory", "takes", (int)store.takes, "why",
                  store.why, "waiting", (json_int_t)store.waiting, "commits",
                  (json_int_t)store.commits, "bytes", (json_int_t)store.bytes));

    if (gateway->iothub)
        add_iothub_status(gateway, status);
    if (!gateway->broker)
        return;
    broker_status(gateway->broker, &broker);
    json_object_set_new(status, "broker",
                        json_pack("{s:b, s:s, s:I, s:I, s:I, s:I}", "connected",
                                  (int)broker.connected, "why", broker.text, "received",
                                  (json_int_t)broker.received, "sent", (json_int_t)broker.sent,
                                  "refused", (json_int_t)broker.refused, "waiting",
                                  (json_int_t)broker.waiting));
}

static void on_term(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    gateway_stop(ctx);
}

static bool is_trusted(void *ctx)
{
    return now_of(ctx).trusted;
}

static void on_hangup(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway *gateway = ctx;
    char why[300];

    (void)fd;
    (void)what;
    if (api_reload(gateway->api, why, sizeof(why)) < 0)
        log_error("SIGHUP: the old certificate and keys stay: %s", why);
    else if (gateway->site->api.https)
        log_info("SIGHUP: the API's certificate and keys were read again");
    log_warning(
        "SIGHUP: the site that runs stays as it is; a changed one is read at the next start");
}

static void on_watchdog(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    (void)ctx;
    sd_notify(0, "WATCHDOG=1");
}

/* --- opening --- */

static struct event *listen_on(struct gateway *gateway, int fd, event_callback_fn callback,
                               void *ctx)
{
    struct event *event = event_new(gateway->base, fd, EV_READ | EV_PERSIST, callback, ctx);

    if (event)
        event_add(event, NULL);
    return event;
}

static int open_lines(struct gateway *gateway)
{
    for (size_t i = 0; i < gateway->site->line_count; i++) {
        struct gateway_line *line = &gateway->lines[i];
        const struct line_config *config = &gateway->site->lines[i];
        size_t only = gateway->settings.only_line;
        int r;

        line->gateway = gateway;
        line->index = i;
        if (only != SITE_NONE && only != i)
            continue;
        if (gateway->settings.links && engine_poll_percent(gateway->engine, i) > 100)
            log_warning(
                "line %s: its polls ask for %u %% of what the wire can carry, so all of "
                "them come late; make the intervals of `poll` longer",
                config->name, engine_poll_percent(gateway->engine, i));
        r = line_open(&line->line, config->adapter, &config->settings);
        if (r < 0)
            return r;
        line->event = listen_on(gateway, line_fd(line->line), on_line, line);
        if (!line->event)
            return -ENOMEM;
    }
    return 0;
}

static int open_broker(struct gateway *gateway, char *why, size_t size)
{
    int r = broker_open(&gateway->broker, gateway->site, JOBGATE_VERSION, why, size);

    if (r < 0)
        return r;
    gateway->broker_event = listen_on(gateway, broker_fd(gateway->broker), on_broker, gateway);
    return gateway->broker_event ? 0 : -ENOMEM;
}

static int open_iothub(struct gateway *gateway, char *why, size_t size)
{
    int r = iothub_open(&gateway->iothub, gateway->site, why, size);

    if (r < 0)
        return r;
    gateway->iothub_event = listen_on(gateway, iothub_fd(gateway->iothub), on_iothub, gateway);
    if (!gateway->iothub_event)
        return -ENOMEM;
    engine_report_all(gateway->engine, now_of(gateway)); /* what it shall find reported */
    return 0;
}

static int open_links(struct gateway *gateway, char *why, size_t size)
{
    const char *socket = gateway->settings.socket;
    struct api_settings api = {.base = gateway->base,
                               .site = gateway->site,
                               .engine = gateway->engine,
                               .socket = socket ? socket : gateway->site->api.socket,
                               .request = on_api_request,
                               .status = add_status,
                               .trusted = is_trusted,
                               .tally = gateway->tally,
                               .ctx = gateway};
    int r;

    if (!gateway->settings.links)
        return 0;
    r = api_open(&gateway->api, &api, why, size);
    if (r == 0 && gateway->site->broker)
        r = open_broker(gateway, why, size);
    if (r == 0 && gateway->site->iothub)
        r = open_iothub(gateway, why, size);
    return r;
}

static int open_signals(struct gateway *gateway)
{
    if (!gateway->settings.links)
        return 0;
    gateway->term = evsignal_new(gateway->base, SIGTERM, on_term, gateway);
    gateway->interrupt = evsignal_new(gateway->base, SIGINT, on_term, gateway);
    gateway->hangup = evsignal_new(gateway->base, SIGHUP, on_hangup, gateway);
    if (!gateway->term || !gateway->interrupt || !gateway->hangup)
        return -ENOMEM;
    event_add(gateway->term, NULL);
    event_add(gateway->interrupt, NULL);
    event_add(gateway->hangup, NULL);
    return 0;
}

static int open_watchdog(struct gateway *gateway)
{
    uint64_t limit_us = 0;

    if (!gateway->settings.links || sd_watchdog_enabled(0, &limit_us) <= 0)
        return 0;
    gateway->watchdog = event_new(gateway->base, -1, EV_PERSIST, on_watchdog, gateway);
    if (!gateway->watchdog)
        return -ENOMEM;
    struct timeval half = {.tv_sec = (time_t)(limit_us / 2 / 1000000),
                           .tv_usec = (suseconds_t)(limit_us / 2 % 1000000)};
    event_add(gateway->watchdog, &half);
    return 0;
}

/* Deadlines count on a clock that begins anew with each boot. */
static void read_boot_id(char *text, size_t size)
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

    snprintf(text, size, "unknown");
    if (!file)
        return;
    if (fgets(text, (int)size, file))
        text[strcspn(text, "\n")] = '\0';
    fclose(file);
}

static int open_store(struct gateway *gateway, char *why, size_t size)
{
    const char *folder =
        gateway->settings.state ? gateway->settings.state : gateway->site->state;

    if (!gateway->settings.links)
        return store_new(&gateway->store);
    read_boot_id(gateway->boot_id, sizeof(gateway->boot_id));
    return store_open(&gateway->store, folder, why, size);
}

/* What was accepted before the last stop goes on. */
static int restore(struct gateway *gateway, char *why, size_t size)
{
    struct store_state state;
    struct record *record;

    if (!is_durable(gateway))
        return 0;
    while ((record = store_recall(gateway->store))) {
        engine_recall(gateway->engine, record);
        record_free(record);
    }
    store_state(gateway->store, &state);
    if (state.why[0]) {
        snprintf(why, size, "%s", state.why);
        return -EIO;
    }
    return engine_resume(gateway->engine, now_of(gateway));
}

static int open_core(struct gateway *gateway, char *why, size_t size)
{
    struct engine_settings settings = {.site = gateway->site, .version = JOBGATE_VERSION};
    int r;

    if (getrandom(&settings.boot, sizeof(settings.boot), 0) != sizeof(settings.boot))
        return -EIO;
    settings.boot &= 0xFFFFFFFFu;
    gateway->base = event_base_new();
    gateway->lines = calloc(gateway->site->line_count + 1, sizeof(*gateway->lines));
    if (!gateway->base || !gateway->lines)
        return -ENOMEM;
    r = open_store(gateway, why, size);
    if (r < 0)
        return r;
    r = tally_new(&gateway->tally, gateway->site);
    if (r < 0)
        return r;
    settings.boot_id = is_durable(gateway) ? gateway->boot_id : NULL;
    r = engine_new(&gateway->engine, &settings, now_of(gateway));
    if (r == 0)
        r = restore(gateway, why, size);
    if (r < 0)
        return r;
    gateway->timer = event_new(gateway->base, -1, 0, on_timer, gateway);
    gateway->store_event = listen_on(gateway, store_fd(gateway->store), on_store, gateway);
    return gateway->timer && gateway->store_event ? 0 : -ENOMEM;
}

int gateway_open(struct gateway **ret, const struct gateway_settings *settings, char *why,
                 size_t why_size)
{
    struct gateway *gateway = calloc(1, sizeof(*gateway));
    int r;

    if (!gateway)
        return -ENOMEM;
    gateway->settings = *settings;
    gateway->site = settings->site;
    snprintf(why, why_size, "%s", "");
    signal(SIGPIPE, SIG_IGN);

    r = open_core(gateway, why, why_size);
    if (r == 0)
        r = open_links(gateway, why, why_size);
    if (r == 0)
        r = open_signals(gateway);
    if (r == 0)
        r = open_watchdog(gateway);
    if (r == 0)
        r = open_lines(gateway);
    if (r < 0) {
        if (!*why)
            snprintf(why, why_size, "%s", strerror(-r));
        gateway_close(gateway);
        return r;
    }
    *ret = gateway;
    return 0;
}

void gateway_request(struct gateway *gateway, struct request *request)
{
    engine_request(gateway->engine, request, now_of(gateway));
    pump(gateway);
}

void gateway_run(struct gateway *gateway)
{
    if (gateway->settings.links)
        sd_notify(0, "READY=1");
    pump(gateway);
    event_base_dispatch(gateway->base);
}

void gateway_stop(struct gateway *gateway)
{
    if (gateway->stopping)
        return;
    gateway->stopping = true;
    gateway->stop_us = clock_boot_us() + STOP_PATIENCE_US;
    if (gateway->settings.links)
        sd_notify(0, "STOPPING=1");
    if (is_durable(gateway))
        engine_pause(gateway->engine);
    else
        engine_stop(gateway->engine, now_of(gateway));
    engine_safe(gateway->engine, store_safe(gateway->store), now_of(gateway));
    pump(gateway);
}

/* --- closing: lines at a frame's end, then what they said is kept and told, then the links ---
 */

static void close_lines(struct gateway *gateway)
{
    for (size_t i = 0; gateway->lines && i < gateway->site->line_count; i++) {
        struct gateway_line *line = &gateway->lines[i];
        struct work *work;

        if (!line->line)
            continue;
        if (line->event)
            event_free(line->event);
        line_close(line->line);
        while ((work = line_take(line->line))) {
            if (work->state_changed)
                work_free(work);
            else
                engine_answer(gateway->engine, i, work, now_of(gateway));
        }
        line_free(line->line);
        line->line = NULL;
    }
    if (gateway->engine && !is_durable(gateway))
        engine_abandon(gateway->engine, now_of(gateway));
}

static void tell_last(struct gateway *gateway)
{
    struct record *record;
    struct report *report;

    if (!gateway->engine || !gateway->store)
        return;
    while ((record = engine_take_record(gateway->engine)))
        store_give(gateway->store, record);
    gateway->unsafe = store_end(gateway->store, STORE_PATIENCE_MS) != 0;
    engine_safe(gateway->engine, store_safe(gateway->store), now_of(gateway));
    while ((record = engine_take_record(gateway->engine)))
        record_free(record); /* made by the last tick: made again after the next start */
    while ((report = engine_take_report(gateway->engine))) {
        route(gateway, report);
        report_free(report);
    }
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

void gateway_close(struct gateway *gateway)
{
    if (!gateway)
        return;
    close_lines(gateway);
    tell_last(gateway);
    free_event(gateway->broker_event);
    if (gateway->broker)
        broker_close(gateway->broker);
    free_event(gateway->iothub_event);
    iothub_close(gateway->iothub);
    if (gateway->api)
        api_close(gateway->api);
    free_event(gateway->store_event);
    free_event(gateway->timer);
    free_event(gateway->term);
    free_event(gateway->interrupt);
    free_event(gateway->hangup);
    free_event(gateway->watchdog);
    engine_free(gateway->engine);
    if (gateway->unsafe) /* its thread hangs in the disk; what it holds ends with the process */
        log_error(
            "store: the last records could not be kept; what they were about is done again");
    else
        store_free(gateway->store);
    tally_free(gateway->tally);
    free(gateway->lines);
    if (gateway->base)
        event_base_free(gateway->base);
    free(gateway);
}
