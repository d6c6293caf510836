/* What the gateway says of itself, and its clock. */
#include "jobs/recorder.h"
#include "jobs/tally.h"
#include "links/api_internal.h"

void get_health(struct exchange *exchange)
{
    exchange_send_text(exchange, 200, "{\"status\":\"ok\"}");
}

/* What the load of a line is found by, and how often the wire was in trouble. */
static void add_counts(const struct tally *tally, json_t *lines)
{
    for (size_t i = 0; i < tally->line_count; i++) {
        json_t *line = json_array_get(lines, i);
        const struct tally_line *counts = &tally->lines[i];

        json_object_set_new(line, "busySeconds", json_real((double)counts->busy_us / 1e6));
        json_object_set_new(line, "frames", json_integer((json_int_t)counts->frames));
    }
}

/* The ways that requests come in and outcomes go out, those that the site has. */
static void add_links(const struct api *api, json_t *status)
{
    json_t *links = json_object(), *own = json_object();
    static const char *const names[] = {"broker", "iothub"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        json_t *link = json_object_get(status, names[i]);

        if (link)
            json_object_set(links, names[i], link);
    }
    json_object_set_new(own, "socket", json_string(api->socket));
    json_object_set_new(own, "connections",
                        json_integer((json_int_t)api->local.connection_count));
    if (api->web.http)
        json_object_set_new(own, "https",
                            json_pack("{s:s, s:I}", "listen", api->settings.site->api.listen,
                                      "connections", (json_int_t)api->web.connection_count));
    json_object_set_new(links, "api", own);
    json_object_set_new(status, "links", links);
}

void get_status(struct exchange *exchange)
{
    const struct api_settings *settings = &exchange->api->settings;
    json_t *status = engine_status_json(settings->engine, clock_now(true));

    if (status && settings->status)
        settings->status(settings->ctx, status);
    if (settings->tally)
        add_counts(settings->tally, json_object_get(status, "lines"));
    if (status)
        add_links(exchange->api, status);
    exchange_send_json(exchange, 200, status);
}

/* Only who stands beside the gateway can say what time it is; and over HTTPS no signature could
   be judged before. */
void post_clock_trust(struct exchange *exchange)
{
    const struct api_settings *settings = &exchange->api->settings;

    if (exchange->connection->door->https) {
        exchange_refuse(exchange, 403, "IotHubForbidden",
                        "the clock is trusted on the gateway itself: jobgate clock trust");
        return;
    }
    settings->trust_clock(settings->ctx);
    exchange_send_text(exchange, 200, "{}");
}

void get_frames(struct exchange *exchange)
{
    const char *id = http_target_parameter(&exchange->target, "deviceId");

    exchange_send_json(exchange, 200, recorder_json(exchange->api->settings.recorder, id));
}

/* Who may write the site's files stands beside the gateway too. */
void post_reload(struct exchange *exchange)
{
    const struct api_settings *settings = &exchange->api->settings;

    if (exchange->connection->door->https) {
        exchange_refuse(exchange, 403, "IotHubForbidden",
                        "the site is reloaded on the gateway itself: jobgate reload");
        return;
    }
    exchange_wait(exchange, WAITING_RELOAD);
    settings->reload(settings->ctx, exchange->ticket);
}

void api_reloaded(struct api *api, uint64_t ticket, int status, json_t *answer)
{
    for (struct connection *each = api->connections; each; each = each->next) {
        struct exchange *exchange = each->exchange;

        if (exchange && exchange->waiting == WAITING_RELOAD && exchange->ticket <= ticket)
            exchange_send_json(exchange, status, json_incref(answer));
    }
    json_decref(answer);
}
