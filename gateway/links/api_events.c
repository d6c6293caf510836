/*
 * Server-sent events (HTML Living Standard, 9.2): what happens to jobs and devices, as it is
 * told. A reader that does not keep up is dropped; it reads the present state and comes again.
 */
#include "base/log.h"
#include "links/api_internal.h"

#include <stdlib.h>
#include <string.h>

static size_t watcher_count(const struct api *api)
{
    size_t count = 0;

    for (const struct connection *each = api->connections; each; each = each->next)
        if (each->exchange && each->exchange->waiting == WAITING_EVENTS)
            count++;
    return count;
}

bool api_is_watched(const struct api *api)
{
    return watcher_count(api) > 0;
}

static void send_chunk(struct exchange *exchange, struct evbuffer *chunk)
{
    struct connection *connection = exchange->connection;

    evhttp_send_reply_chunk(exchange->http, chunk);
    if (evbuffer_get_length(bufferevent_get_output(connection->stream)) <= API_PENDING_MOST)
        return;
    log_info("api: dropped a reader of events that left %d bytes unread", API_PENDING_MOST);
    connection_drop(connection);
}

static void say(struct exchange *exchange, const char *text)
{
    struct evbuffer *chunk = evbuffer_new();

    if (chunk && evbuffer_add(chunk, text, strlen(text)) == 0)
        send_chunk(exchange, chunk);
    if (chunk)
        evbuffer_free(chunk);
}

void get_events(struct exchange *exchange)
{
    const char *job_id = http_target_parameter(&exchange->target, "jobId");

    if (exchange->method == EVHTTP_REQ_HEAD) {
        exchange_send_text(exchange, 200, "");
        return;
    }
    if (watcher_count(exchange->api) >= API_WATCHERS_MOST) {
        exchange_refuse(exchange, 503, "ServiceUnavailable", "%d readers of events are there",
                        API_WATCHERS_MOST);
        return;
    }
    if (job_id && *job_id) {
        exchange->job_id = strdup(job_id);
        if (!exchange->job_id) {
            exchange_refuse_memory(exchange);
            return;
        }
    }
    exchange->waiting = WAITING_EVENTS;
    exchange->connection->exchange = exchange;
    exchange_header(exchange, "Content-Type", "text/event-stream; charset=utf-8");
    exchange_header(exchange, "Cache-Control", "no-store");
    evhttp_send_reply_start(exchange->http, 200, NULL);
    say(exchange, ": ready\n\n");
}

static const char *event_name(enum report_kind kind)
{
    switch (kind) {
    case REPORT_OUTCOME:
        return "outcome";
    case REPORT_SHARE:
        return "share";
    case REPORT_STATE:
        return "state";
    case REPORT_PROGRESS:
        return "progress";
    case REPORT_ANSWER:
    case REPORT_STORED:
    case REPORT_REPORTED:
    case REPORT_GATEWAY:
    case REPORT_VALUES:
        return NULL;
    }
    return NULL;
}

static bool concerns(const struct exchange *exchange, const struct report *report)
{
    if (exchange->waiting != WAITING_EVENTS || !report->body[0]) /* "" clears, nothing to see */
        return false;
    return !exchange->job_id ||
           (report->job_id && strcmp(report->job_id, exchange->job_id) == 0);
}

/* A state's own document does not name its device: on the broker its topic does. */
static void fill(struct evbuffer *chunk, const struct report *report)
{
    evbuffer_add_printf(chunk, "event: %s\ndata: ", event_name(report->kind));
    if (report->kind == REPORT_STATE && report->device_id && report->body[0] == '{' &&
        report->body[1] == '"')
        evbuffer_add_printf(chunk, "{\"deviceId\":\"%s\",%s\n\n", report->device_id,
                            report->body + 1);
    else
        evbuffer_add_printf(chunk, "%s\n\n", report->body);
}

void events_tell(struct api *api, const struct report *report)
{
    struct connection *next;

    if (report->body[0] == '\0') /* something retained is cleared: nothing happened */
        return;
    for (struct connection *each = api->connections; each; each = next) {
        struct evbuffer *chunk;

        next = each->next;
        if (!each->exchange || !concerns(each->exchange, report))
            continue;
        chunk = evbuffer_new();
        if (!chunk)
            return;
        fill(chunk, report);
        send_chunk(each->exchange, chunk);
        evbuffer_free(chunk);
    }
}

void events_ping(struct api *api)
{
    struct connection *next;

    for (struct connection *each = api->connections; each; each = next) {
        next = each->next;
        if (each->exchange && each->exchange->waiting == WAITING_EVENTS)
            say(each->exchange, ": ping\n\n");
    }
}
