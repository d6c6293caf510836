#include "links/api.h"
#include "base/log.h"
#include "links/api_internal.h"

#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* What libevent warns of, it repeats as fast as it is asked to; what matters of it is counted
   and said by the fence. */
static void on_library_log(int severity, const char *text)
{
    if (severity == EVENT_LOG_ERR)
        log_error("api: libevent: %s", text);
    else
        log_debug("api: libevent: %s", text);
}

static void on_ping(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    events_ping(arg);
}

/* A request that is refused is stored as such, in the same breath and before its answer: the
   patches that are still unanswered when all of that was said are those that were taken. */
static void on_settle(evutil_socket_t fd, short what, void *arg)
{
    struct api *api = arg;

    (void)fd;
    (void)what;
    for (struct connection *each = api->connections; each; each = each->next) {
        struct exchange *exchange = each->exchange;

        if (exchange && exchange->waiting == WAITING_PATCH && exchange->stored)
            exchange_send_twin(exchange, exchange->device_id);
    }
}

static int start(struct api *api, char *why, size_t why_size)
{
    struct timeval period = {.tv_sec = API_PING_S};
    int fd, r;

    api->ping = event_new(api->settings.base, -1, EV_PERSIST, on_ping, api);
    api->settle = event_new(api->settings.base, -1, 0, on_settle, api);
    if (!api->settle || !api->ping || event_add(api->ping, &period) < 0)
        return -ENOMEM;
    r = api_connections_open(api);
    if (r == 0)
        r = api_socket_open(api, &fd, why, why_size);
    if (r == 0)
        r = api_door_open(api, &api->local, fd);
    if (r == 0 && api->settings.site->api.https)
        r = api_https_open(api, why, why_size);
    else if (r == 0)
        (void)api_passed_socket(NULL);
    return r;
}

int api_open(struct api **ret, const struct api_settings *settings, char *why, size_t why_size)
{
    struct api *api = calloc(1, sizeof(*api));
    int r;

    why[0] = '\0';
    if (!api)
        return -ENOMEM;
    api->settings = *settings;
    api->socket = strdup(settings->socket);
    if (getrandom(&api->tracking, sizeof(api->tracking), 0) < 0)
        api->tracking = (uint64_t)clock_wall_ms();
    event_set_log_callback(on_library_log);
    r = api->socket ? start(api, why, why_size) : -ENOMEM;
    if (r < 0) {
        if (why[0] == '\0')
            snprintf(why, why_size, "%s", strerror(-r));
        api_close(api);
        return r;
    }
    *ret = api;
    return 0;
}

/* The loop will not turn again for it: as much of the answer as the socket takes goes now. */
static void flush(const struct connection *connection)
{
    struct evbuffer *output = bufferevent_get_output(connection->stream);
    SSL *tls = bufferevent_openssl_get_ssl(connection->stream);
    char bytes[4096];
    ssize_t size = evbuffer_copyout(output, bytes, sizeof(bytes));

    if (size > 0 && tls)
        SSL_write(tls, bytes, (int)size);
    else if (size > 0 &&
             write(bufferevent_getfd(connection->stream), bytes, (size_t)size) < size)
        log_debug("api: a caller did not take its last answer");
}

void api_close(struct api *api)
{
    if (!api)
        return;
    api_socket_remove(api);
    for (struct connection *each = api->connections; each; each = each->next) {
        struct exchange *exchange = each->exchange;

        if (!exchange || exchange->waiting == WAITING_EVENTS)
            continue;
        exchange_refuse(exchange, 503, "ServiceUnavailable", "the gateway stops");
        flush(each);
    }
    api_connections_close(api);
    api_searches_close(api);
    api_https_close(api);
    if (api->settle)
        event_free(api->settle);
    if (api->ping)
        event_free(api->ping);
    free(api->socket);
    free(api);
}

void exchange_free(struct exchange *exchange)
{
    http_target_deinit(&exchange->target);
    free(exchange->device_id);
    free(exchange->job_id);
    free(exchange);
}

void exchange_wait(struct exchange *exchange, enum waiting waiting)
{
    exchange->waiting = waiting;
    exchange->ticket = ++exchange->api->last_ticket;
    exchange->connection->exchange = exchange;
    connection_watch(exchange->connection);
}

void exchange_ask(struct exchange *exchange, enum waiting waiting, struct request *request)
{
    struct api *api = exchange->api;

    exchange_wait(exchange, waiting);
    request->origin.link = LINK_API;
    request->origin.ticket = exchange->ticket;
    api->settings.request(api->settings.ctx, request);
}

bool exchange_read_json(struct exchange *exchange, json_t **ret)
{
    struct refusal refusal;
    int r = request_read_json(ret, exchange->body, exchange->body_size, &refusal);

    if (r == 0)
        return true;
    if (r < 0)
        exchange_refuse_memory(exchange);
    else
        exchange_refuse(exchange, 400, "IotHubFormatError", "%s", refusal.text);
    return false;
}

static struct exchange *find_exchange(struct api *api, const struct origin *origin)
{
    if (origin->link != LINK_API || origin->ticket == 0)
        return NULL;
    for (struct connection *each = api->connections; each; each = each->next)
        if (each->exchange && each->exchange->ticket == origin->ticket)
            return each->exchange;
    return NULL; /* the caller left */
}

static void answer_job(struct exchange *exchange, const struct report *report)
{
    json_t *body;
    const char *text = NULL;

    if (report->code == CODE_NONE) {
        exchange_send_text(exchange, 200, report->body);
        return;
    }
    body = json_loads(report->body, 0, NULL);
    json_unpack(body, "{s:{s:s}}", "error", "description", &text);
    exchange_refuse_code(exchange, report->code, text ? text : code_name(report->code));
    json_decref(body);
}

/* What the device did is the answer's content. Only what never was a matter of the device is
   HTTP's: 500, 503 and 429 would make a hub's client call again. */
static void answer_call(struct exchange *exchange, const struct report *report)
{
    if (report->code == CODE_EXPIRED || report->code == CODE_GATEWAY_TIMEOUT)
        exchange_refuse_call(exchange, 504, 504101, "GatewayTimeout",
                             "Timed out waiting for the response from device.");
    else if (report->code == CODE_UNKNOWN_DEVICE || report->code == CODE_FORBIDDEN)
        answer_job(exchange, report);
    else
        exchange_send_outcome(exchange, report->status, report->body);
}

/* A patch is answered when it is stored; before that only what keeps it from being stored. */
static void answer_patch(struct exchange *exchange, const struct report *report)
{
    switch ((unsigned)report->code) {
    case CODE_UNKNOWN_DEVICE:
    case CODE_FORBIDDEN:
    case CODE_STORE_UNAVAILABLE:
    case CODE_QUEUE_FULL:
        answer_job(exchange, report);
        break;
    }
}

static void answer(struct exchange *exchange, const struct report *report)
{
    if (report->kind == REPORT_STORED) {
        exchange->stored = true;
        event_active(exchange->api->settle, EV_TIMEOUT, 0);
        return;
    }
    switch (exchange->waiting) {
    case WAITING_JOB:
        answer_job(exchange, report);
        break;
    case WAITING_CALL:
        answer_call(exchange, report);
        break;
    case WAITING_PATCH:
        answer_patch(exchange, report);
        break;
    case WAITING_NOT:
    case WAITING_EVENTS:
    case WAITING_HISTORY:
    case WAITING_RELOAD:
    case WAITING_REFUSAL:
        break;
    }
}

void api_report(struct api *api, const struct report *report)
{
    struct exchange *exchange;

    switch (report->kind) {
    case REPORT_ANSWER:
    case REPORT_STORED:
        exchange = find_exchange(api, &report->origin);
        if (exchange)
            answer(exchange, report);
        break;
    case REPORT_OUTCOME:
    case REPORT_SHARE:
    case REPORT_STATE:
    case REPORT_PROGRESS:
        events_tell(api, report);
        break;
    case REPORT_REPORTED:
    case REPORT_GATEWAY:
    case REPORT_VALUES:
        break;
    }
}
