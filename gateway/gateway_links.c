#include "gateway_private.h"

#include "base/log.h"
#include "jobs/timetext.h"
#include "site/same.h"

#include <errno.h>

void gateway_route(struct gateway *gateway, const struct report *report)
{
    bool addressed = report->kind == REPORT_ANSWER || report->kind == REPORT_STORED;
    enum link_kind to = report->origin.link;

    if (report->again) {
        if (gateway->broker)
            broker_report(gateway->broker, report);
        return;
    }
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

static void take_deliveries(struct gateway *gateway)
{
    struct delivery *delivery;

    while ((delivery = broker_take_delivery(gateway->broker))) {
        engine_delivered(gateway->engine, delivery);
        delivery_free(delivery);
    }
}

/* Some of what the link let go, or of what ended before this start. Each delivery asks again.
 */
static void tell_untold(struct gateway *gateway)
{
    uint64_t after;

    if (!broker_wants_untold(gateway->broker, &after))
        return;
    if (!engine_tell_untold(gateway->engine, after))
        broker_has_all(gateway->broker);
    gateway_pump(gateway);
}

/* What the broker tells beside requests. */
static void hear_broker(struct gateway *gateway)
{
    struct broker_news news;

    while (broker_tells(gateway->broker, &news)) {
        struct moment now = gateway_now(gateway);

        switch (news.kind) {
        case BROKER_FLOOD:
            engine_await_claims(gateway->engine, now);
            break;
        case BROKER_CLAIM:
            if (engine_claim(gateway->engine, news.device, news.gateway, news.first, now))
                broker_ask_desired(gateway->broker, news.device);
            if (news.opens)
                engine_report_device(gateway->engine, news.device, now);
            break;
        case BROKER_KNOWN:
            engine_claims_known(gateway->engine, now);
            break;
        case BROKER_SHARE:
            engine_share(gateway->engine, news.job_id, news.status, now);
            break;
        }
    }
}

static void on_broker(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway *gateway = ctx;
    struct request *request;
    bool more = true;

    (void)fd;
    (void)what;
    take_deliveries(gateway);
    /* What comes while the gateway stops is not acknowledged: it comes again. */
    while (!gateway->stopping && more) {
        request = broker_take(gateway->broker);
        hear_broker(gateway);
        more = request || broker_connected(gateway->broker);
        if (request)
            engine_request(gateway->engine, request, gateway_now(gateway));
        else if (more) {
            engine_claims_known(gateway->engine, gateway_now(gateway));
            engine_report_all(gateway->engine, gateway_now(gateway));
        }
    }
    gateway_pump(gateway);
    tell_untold(gateway);
}

static void on_iothub(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway *gateway = ctx;
    struct request *request;

    (void)fd;
    (void)what;
    while ((request = iothub_take(gateway->iothub)))
        engine_request(gateway->engine, request, gateway_now(gateway));
    gateway_pump(gateway);
}

static void on_api_request(void *ctx, struct request *request)
{
    gateway_request(ctx, request);
}

static bool is_trusted(void *ctx)
{
    return gateway_now(ctx).trusted;
}

static void trust_clock(void *ctx)
{
    gateway_trust_clock(ctx);
}

static void add_clock_status(struct gateway *gateway, json_t *status)
{
    bool trusted = gateway_now(gateway).trusted;
    char text[TIMETEXT_SIZE];

    timetext_format(text, clock_wall_ms());
    json_object_set_new(status, "clockTrusted", json_boolean(trusted));
    json_object_set_new(status, "clock",
                        json_pack("{s:s, s:b, s:s*}", "time", text, "trusted", (int)trusted,
                                  "why", gateway_doubt(gateway)));
}

static void add_iothub_status(const struct gateway *gateway, json_t *status)
{
    struct iothub_status hub;

    iothub_status(gateway->iothub, &hub);
    json_object_set_new(
        status, "iothub",
        json_pack("{s:I, s:I, s:I, s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "devices",
                  (json_int_t)hub.devices, "connected", (json_int_t)hub.connected, "takenOver",
                  (json_int_t)hub.flapping, "clockTrusted", (int)hub.clock_trusted, "why",
                  hub.text, "received", (json_int_t)hub.received, "sent", (json_int_t)hub.sent,
                  "refused", (json_int_t)hub.refused, "openCalls", (json_int_t)hub.open_calls,
                  "telemetrySent", (json_int_t)hub.telemetry_sent, "telemetryWaiting",
                  (json_int_t)hub.telemetry_waiting, "telemetryDropped",
                  (json_int_t)hub.telemetry_dropped));
}

static void add_status(void *ctx, json_t *status)
{
    struct gateway *gateway = ctx;
    struct broker_status broker;
    struct store_state store;

    add_clock_status(gateway, status);
    gateway_add_site(gateway, status);
    store_state(gateway->store, &store);
    json_object_update_new(
        json_object_get(status, "store"),
        json_pack("{s:s, s:b, s:s, s:I, s:I, s:I}", "kind",
                  gateway_is_durable(gateway) ? "sqlite" : "memory", "takes", (int)store.takes,
                  "why", store.why, "waiting", (json_int_t)store.waiting, "commits",
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
                                  (json_int_t)broker.outbox.messages));
    json_object_update_new(
        json_object_get(status, "outbox"),
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "messages", (json_int_t)broker.outbox.messages,
                  "bytes", (json_int_t)broker.outbox.bytes, "limit",
                  (json_int_t)broker.outbox.most_bytes, "dropped",
                  (json_int_t)broker.outbox.dropped, "told", (json_int_t)broker.outbox.told));
}

static void reload(void *ctx, uint64_t ticket)
{
    gateway_reload(ctx, ticket);
}

/* Takes the means, or NULL. */
static int open_broker(struct gateway *gateway, const struct site *before,
                       struct broker_means *means, char *why, size_t size)
{
    int r = means ? broker_open_by(&gateway->broker, gateway->site, before, means, why, size)
                  : broker_open(&gateway->broker, gateway->site, before, JOBGATE_VERSION, why,
                                size);

    if (r < 0)
        return r;
    gateway->broker_event =
        gateway_listen(gateway, broker_fd(gateway->broker), on_broker, gateway);
    return gateway->broker_event ? 0 : -ENOMEM;
}

/* Takes the keys, or NULL. */
static int open_iothub(struct gateway *gateway, struct hub_keys *keys, char *why, size_t size)
{
    int r = iothub_open(&gateway->iothub, gateway->site, gateway->engine, keys, why, size);

    if (r < 0)
        return r;
    gateway->iothub_event =
        gateway_listen(gateway, iothub_fd(gateway->iothub), on_iothub, gateway);
    if (!gateway->iothub_event)
        return -ENOMEM;
    engine_report_all(gateway->engine, gateway_now(gateway)); /* what it shall find reported */
    return 0;
}

int gateway_open_links(struct gateway *gateway, char *why, size_t size)
{
    const char *socket = gateway->settings.socket;
    struct api_settings api = {.base = gateway->base,
                               .site = gateway->site,
                               .engine = gateway->engine,
                               .socket = socket ? socket : gateway->site->api.socket,
                               .request = on_api_request,
                               .look = gateway_look,
                               .status = add_status,
                               .trusted = is_trusted,
                               .trust_clock = trust_clock,
                               .reload = reload,
                               .tally = gateway->tally,
                               .recorder = gateway->recorder,
                               .ctx = gateway};
    int r;

    if (!gateway->settings.links)
        return 0;
    r = api_open(&gateway->api, &api, why, size);
    if (r == 0 && gateway->site->broker)
        r = open_broker(gateway, NULL, NULL, why, size);
    if (r == 0 && gateway->site->iothub)
        r = open_iothub(gateway, NULL, why, size);
    return r;
}

/* --- another site --- */

static void close_broker(struct gateway *gateway)
{
    gateway_unlisten(gateway->broker_event);
    gateway->broker_event = NULL;
    if (gateway->broker) {
        take_deliveries(gateway);
        broker_stop(gateway->broker);
        take_deliveries(gateway);
        broker_close(gateway->broker);
    }
    gateway->broker = NULL;
}

static void close_iothub(struct gateway *gateway)
{
    gateway_unlisten(gateway->iothub_event);
    gateway->iothub_event = NULL;
    iothub_close(gateway->iothub);
    gateway->iothub = NULL;
}

static void reload_broker(struct gateway *gateway, const struct site *old, struct draft *draft)
{
    const struct site *site = gateway->site;
    struct broker_means *means = draft->broker_means;
    char why[300];

    draft->broker_means = NULL;
    if (gateway->broker && means && same_broker(old->broker, site->broker) &&
        broker_goes_by(gateway->broker, means) && broker_reload(gateway->broker, site) == 0) {
        broker_means_free(means);
        return;
    }
    close_broker(gateway);
    bool same_root = old->broker && site->broker &&
                     same_text(old->broker->root, site->broker->root) &&
                     same_text(old->broker->url, site->broker->url);
    if (site->broker &&
        open_broker(gateway, same_root ? old : NULL, means, why, sizeof(why)) < 0) {
        log_error("broker: it cannot be opened: %s; reload again", why);
        close_broker(gateway);
    }
}

static void reload_iothub(struct gateway *gateway, const struct site *old, struct draft *draft)
{
    const struct site *site = gateway->site;
    struct hub_keys *keys = draft->hub_keys;
    char why[300];

    draft->hub_keys = NULL;
    if (gateway->iothub && same_iothub(old->iothub, site->iothub)) {
        if (iothub_reload(gateway->iothub, site, gateway->engine, keys) == 0)
            return;
        keys = NULL; /* more devices than it has places: all are connected anew */
    }
    close_iothub(gateway);
    if (site->iothub && open_iothub(gateway, keys, why, sizeof(why)) < 0) {
        log_error("iothub: it cannot be opened: %s; reload again", why);
        close_iothub(gateway);
    }
}

void gateway_reload_links(struct gateway *gateway, const struct site *old, struct draft *draft)
{
    api_reload(gateway->api, gateway->site, draft->api_keys);
    draft->api_keys = NULL;
    reload_broker(gateway, old, draft);
    reload_iothub(gateway, old, draft);
}

void gateway_close_links(struct gateway *gateway)
{
    close_broker(gateway);
    close_iothub(gateway);
    if (gateway->api)
        api_close(gateway->api);
}
