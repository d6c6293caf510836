/*
 * The fence around evhttp. It knows no limit on connections, none on the time that a request
 * takes to come in, and gives no sign when a connection that never sent one ends. So each
 * connection is known from its accept on: through the callback that makes its stream, and,
 * because evhttp hands itself to the stream as the argument of its callbacks, through that.
 */
#include "base/log.h"
#include "links/api_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void set_deadline(struct connection *connection, unsigned ms)
{
    struct timeval time = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    event_add(connection->deadline, &time);
}

static unsigned request_ms(const struct api *api)
{
    return api->settings.request_ms ? api->settings.request_ms : API_REQUEST_MS;
}

static void resume(struct api *api)
{
    if (!api->paused || api->resting || api->closing ||
        api->connection_count >= API_CONNECTIONS_MOST)
        return;
    api->paused = false;
    evconnlistener_enable(api->listener);
}

static void pause_listener(struct api *api)
{
    api->paused = true;
    evconnlistener_disable(api->listener);
}

/* The first byte of a next request starts its time. */
static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
    struct connection *connection = arg;

    (void)input;
    if (info->n_added == 0 || connection->reading || connection->exchange)
        return;
    connection->reading = true;
    set_deadline(connection, request_ms(connection->api));
}

static void connection_free(struct connection *connection)
{
    struct api *api = connection->api;
    struct connection **link = &api->connections;

    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    api->connection_count--;
    event_free(connection->deadline);
    evbuffer_remove_cb(bufferevent_get_input(connection->stream), on_input, connection);
    bufferevent_decref(connection->stream);
    free(connection);
    resume(api);
}

/* evhttp is about to free the connection. A request that waits was set apart from it, unless
   evhttp itself ends, and is then ours to free. */
static void on_close(struct evhttp_connection *http, void *arg)
{
    struct connection *connection = arg;
    struct exchange *exchange = connection->exchange;

    (void)http;
    if (exchange) {
        if (!evhttp_request_get_connection(exchange->http))
            evhttp_request_free(exchange->http);
        exchange_free(exchange);
    }
    connection_free(connection);
}

/* Finds evhttp's side of a new connection; a stream without callbacks was freed meanwhile. */
static bool adopt(struct connection *connection)
{
    void *http = NULL;

    if (connection->http)
        return true;
    bufferevent_getcb(connection->stream, NULL, NULL, NULL, &http);
    if (!http) {
        connection_free(connection);
        return false;
    }
    connection->http = http;
    evhttp_connection_set_closecb(connection->http, on_close, connection);
    return true;
}

static void on_adopt(evutil_socket_t fd, short what, void *arg)
{
    struct api *api = arg;
    struct connection *next;

    (void)fd;
    (void)what;
    for (struct connection *each = api->connections; each; each = next) {
        next = each->next;
        adopt(each);
    }
}

void connection_drop(struct connection *connection)
{
    if (adopt(connection))
        evhttp_connection_free(connection->http);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    connection_drop(arg);
}

/* Once a minute is enough for who would come and go at the limit. */
static void tell_full(struct api *api)
{
    int64_t now_us = clock_boot_us();

    if (api->told_us && now_us - api->told_us < INT64_C(60000000))
        return;
    api->told_us = now_us;
    log_info("api: %d connections are open, further ones wait", API_CONNECTIONS_MOST);
}

static struct connection *connection_new(struct api *api)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!connection)
        return NULL;
    connection->api = api;
    connection->reading = true;
    connection->deadline = evtimer_new(api->settings.base, on_deadline, connection);
    connection->stream = bufferevent_socket_new(api->settings.base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (connection->deadline && connection->stream)
        return connection;
    if (connection->deadline)
        event_free(connection->deadline);
    if (connection->stream)
        bufferevent_free(connection->stream);
    free(connection);
    return NULL;
}

/* NULL makes evhttp take a stream of its own, outside the fence; only without memory. */
static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
    struct api *api = arg;
    struct connection *connection = connection_new(api);

    (void)base;
    if (!connection)
        return NULL;
    bufferevent_incref(connection->stream);
    bufferevent_setwatermark(connection->stream, EV_READ, 0, API_BODY_MOST + API_HEADERS_MOST);
    evbuffer_add_cb(bufferevent_get_input(connection->stream), on_input, connection);
    connection->next = api->connections;
    api->connections = connection;
    set_deadline(connection, request_ms(connection->api));
    if (++api->connection_count == API_CONNECTIONS_MOST) {
        tell_full(api);
        pause_listener(api);
    }
    event_active(api->adopt, EV_TIMEOUT, 0);
    return connection->stream;
}

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
    struct api *api = arg;

    (void)fd;
    (void)what;
    api->resting = false;
    resume(api);
}

/* Without descriptors accept fails at once, for ever, and the loop would do nothing else. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    struct api *api = arg;
    struct timeval second = {.tv_sec = 1};

    (void)listener;
    log_warning("api: could not accept a connection: %s", strerror(errno));
    api->resting = true;
    pause_listener(api);
    event_add(api->rest, &second);
}

static void on_request(struct evhttp_request *http, void *arg)
{
    struct api *api = arg;
    struct connection *connection = api_connection_of(api, http);
    struct exchange *exchange;

    if (!connection) {
        evhttp_send_error(http, 503, NULL);
        return;
    }
    connection_busy(connection);
    exchange = calloc(1, sizeof(*exchange));
    if (!exchange) {
        evhttp_send_error(http, 503, NULL);
        return;
    }
    exchange->api = api;
    exchange->connection = connection;
    exchange->http = http;
    api_route(exchange);
}

int api_connections_open(struct api *api, int fd)
{
    struct evhttp_bound_socket *bound;

    api->http = evhttp_new(api->settings.base);
    api->adopt = event_new(api->settings.base, -1, 0, on_adopt, api);
    api->rest = evtimer_new(api->settings.base, on_rested, api);
    if (!api->http || !api->adopt || !api->rest)
        return -ENOMEM;
    /* Every method, also unknown ones: what is wrong with them is said in JSON. */
    evhttp_set_allowed_methods(api->http, 0xFFFF);
    evhttp_set_max_headers_size(api->http, API_HEADERS_MOST);
    evhttp_set_max_body_size(api->http, API_BODY_MOST);
    evhttp_set_bevcb(api->http, on_accept, api);
    evhttp_set_gencb(api->http, on_request, api);
    bound = evhttp_accept_socket_with_handle(api->http, fd);
    if (!bound)
        return -ENOMEM;
    api->listener = evhttp_bound_socket_get_listener(bound);
    evconnlistener_set_error_cb(api->listener, on_accept_error);
    return 0;
}

void api_connections_close(struct api *api)
{
    struct connection *next;

    api->closing = true;
    for (struct connection *each = api->connections; each; each = next) {
        next = each->next;
        connection_drop(each);
    }
    if (api->http)
        evhttp_free(api->http); /* the listener and its descriptor too */
    if (api->adopt)
        event_free(api->adopt);
    if (api->rest)
        event_free(api->rest);
}

struct connection *api_connection_of(struct api *api, struct evhttp_request *http)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(http);
    struct bufferevent *stream = evhttp_connection_get_bufferevent(connection);

    for (struct connection *each = api->connections; each; each = each->next)
        if (each->stream == stream)
            return adopt(each) ? each : NULL;
    return NULL;
}

void connection_busy(struct connection *connection)
{
    connection->reading = false;
    event_del(connection->deadline);
}

static void on_complete(struct evhttp_request *http, void *arg)
{
    struct connection *connection = arg;
    bool more = evbuffer_get_length(bufferevent_get_input(connection->stream)) > 0;

    (void)http;
    connection->reading = more;
    set_deadline(connection, more ? request_ms(connection->api) : API_IDLE_MS);
}

void connection_answered(struct connection *connection, struct evhttp_request *http)
{
    connection->exchange = NULL;
    connection->reading = true; /* what comes in belongs to the next request */
    evhttp_request_set_on_complete_cb(http, on_complete, connection);
    set_deadline(connection, API_ANSWER_MS);
}

void connection_watch(struct connection *connection)
{
    bufferevent_data_cb written;
    bufferevent_event_cb happened;
    void *http;

    bufferevent_getcb(connection->stream, NULL, &written, &happened, &http);
    bufferevent_setcb(connection->stream, NULL, written, happened, http);
    bufferevent_enable(connection->stream, EV_READ);
}
