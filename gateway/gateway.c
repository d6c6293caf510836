#include "gateway_private.h"

#include "base/log.h"
#include "base/trust.h"
#include "jobs/timetext.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>

/* How long a stop waits for tasks to come to a step's end. */
enum { STOP_PATIENCE_US = 200000 }; /* a frame that is out has 300 ms beside */

struct moment gateway_now(struct gateway *gateway)
{
    int64_t boot_us = clock_boot_us();

    /* Trust, once won, stays: a service that loses its peers does not unset the clock. */
    if (!gateway->trusted && gateway->recalled && boot_us >= gateway->trust_looked_us) {
        gateway->trusted = !gateway_doubt(gateway);
        gateway->trust_looked_us = boot_us + 1000000;
    }
    return clock_now(gateway->trusted);
}

const char *gateway_doubt(const struct gateway *gateway)
{
    const char *doubt = NULL;

    if (gateway->trusted || gateway->site->clock_trust)
        return NULL;
    doubt = clock_doubt();
    if (!doubt && clock_wall_ms() < engine_newest_ms(gateway->engine))
        doubt = "it is earlier than what the store has seen before";
    return doubt;
}

void gateway_trust_clock(struct gateway *gateway)
{
    char text[TIMETEXT_SIZE];

    timetext_format(text, clock_wall_ms());
    log_warning("clock: trusted by hand: it is %s", text);
    gateway->trusted = true;
    if (gateway->iothub)
        iothub_trust_clock(gateway->iothub);
    engine_tick(gateway->engine, gateway_now(gateway));
    gateway_pump(gateway);
}

static void arm_timer(struct gateway *gateway)
{
    struct moment now = gateway_now(gateway);
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

/* Nothing that a stop would wait for: what survives waits for the frames that are out, the rest
   for its tasks. */
static bool is_quiet(const struct gateway *gateway)
{
    if (!gateway_is_durable(gateway))
        return engine_is_idle(gateway->engine);
    for (size_t i = 0; i < gateway->site->line_count; i++) {
        if (gateway->lines[i]->out > 0)
            return false;
    }
    return true;
}

void gateway_pump(struct gateway *gateway)
{
    struct record *record;
    struct report *report;

    engine_set_watched(gateway->engine, gateway->api && api_is_watched(gateway->api));
    gateway_give_lines(gateway);
    while ((record = engine_take_record(gateway->engine)))
        store_give(gateway->store, record);
    uint64_t awaited = engine_take_awaited(gateway->engine);
    if (awaited > 0) {
        tally_given(gateway->tally, awaited, clock_boot_us());
        store_hurry(gateway->store, awaited);
    }
    while ((report = engine_take_report(gateway->engine))) {
        gateway_route(gateway, report);
        report_free(report);
    }
    gateway_give_looks(gateway);
    if (gateway->stopping && (is_quiet(gateway) || clock_boot_us() >= gateway->stop_us)) {
        event_base_loopbreak(gateway->base);
        return;
    }
    arm_timer(gateway);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway *gateway = ctx;

    (void)fd;
    (void)what;
    engine_tick(gateway->engine, gateway_now(gateway));
    gateway_pump(gateway);
}

static void on_term(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    gateway_stop(ctx);
}

static void on_hangup(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    gateway_reload(ctx, 0);
}

struct event *gateway_listen(struct gateway *gateway, int fd, event_callback_fn callback,
                             void *ctx)
{
    struct event *event = event_new(gateway->base, fd, EV_READ | EV_PERSIST, callback, ctx);

    if (event)
        event_add(event, NULL);
    return event;
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

static int open_core(struct gateway *gateway, char *why, size_t size)
{
    struct engine_settings settings = {.site = gateway->site, .version = JOBGATE_VERSION};
    int r;

    if (getrandom(&settings.boot, sizeof(settings.boot), 0) != sizeof(settings.boot))
        return -EIO;
    settings.boot &= 0xFFFFFFFFu;
    gateway->base = event_base_new();
    if (!gateway->base)
        return -ENOMEM;
    r = gateway_make_lines(gateway->site, &gateway->lines);
    if (r < 0)
        return r;
    r = gateway_open_store(gateway, why, size);
    if (r < 0)
        return r;
    r = tally_new(&gateway->tally, gateway->site);
    if (r < 0)
        return r;
    gateway->recorder = recorder_new();
    if (!gateway->recorder)
        return -ENOMEM;
    settings.boot_id = gateway_is_durable(gateway) ? gateway->boot_id : NULL;
    settings.outbox = gateway_is_durable(gateway) && gateway->site->broker;
    settings.history = gateway_is_durable(gateway);
    r = engine_new(&gateway->engine, &settings, gateway_now(gateway));
    if (r == 0)
        r = gateway_restore(gateway, why, size);
    if (r == 0)
        r = gateway_open_history(gateway);
    if (r < 0)
        return r;
    gateway->timer = event_new(gateway->base, -1, 0, on_timer, gateway);
    return gateway->timer ? gateway_listen_store(gateway) : -ENOMEM;
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
        r = gateway_open_links(gateway, why, why_size);
    if (r == 0)
        r = open_signals(gateway);
    if (r == 0)
        r = gateway_open_watchdog(gateway);
    if (r == 0)
        r = gateway_open_reload(gateway);
    if (r == 0)
        r = gateway_open_lines(gateway);
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
    engine_request(gateway->engine, request, gateway_now(gateway));
    gateway_pump(gateway);
}

void gateway_run(struct gateway *gateway)
{
    if (gateway->settings.links)
        sd_notify(0, "READY=1");
    gateway_pump(gateway);
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
    if (gateway_is_durable(gateway))
        engine_pause(gateway->engine, gateway_now(gateway));
    else
        engine_stop(gateway->engine, gateway_now(gateway));
    engine_safe(gateway->engine, store_safe(gateway->store), gateway_now(gateway));
    gateway_pump(gateway);
}

void gateway_unlisten(struct event *event)
{
    if (event)
        event_free(event);
}

/* Lines at a frame's end, then what they said is kept and told, then the links. */
void gateway_close(struct gateway *gateway)
{
    if (!gateway)
        return;
    gateway_close_lines(gateway);
    gateway_keep_last(gateway);
    gateway_close_history(gateway); /* its looks are about what the links hold */
    gateway_close_links(gateway);
    gateway_unlisten(gateway->timer);
    gateway_unlisten(gateway->term);
    gateway_unlisten(gateway->interrupt);
    gateway_unlisten(gateway->hangup);
    gateway_unlisten(gateway->watchdog);
    gateway_close_store(gateway);
    engine_free(gateway->engine);
    tally_free(gateway->tally);
    recorder_free(gateway->recorder);
    gateway_close_reload(gateway);
    if (gateway->base)
        event_base_free(gateway->base);
    free(gateway);
}
