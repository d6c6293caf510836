/*
 * The fence around evhttp. It knows no limit on connections, none on the time that a request
 * takes to come in, and gives no sign when a connection that never sent one ends. So each
 * connection is known from its accept on: through the callback that makes its stream, and,
 * because evhttp hands itself to the stream as the argument of its callbacks, through that.
 */
#include "base/log.h"
#include "links/api_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void set_deadline(struct connection *connection, unsigned ms)
{
    struct timeval time = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};

    event_add(connection->deadline, &time);
}

static unsigned request_ms(const struct api *api)
{
    return api->settings.request_ms ? api->settings.request_ms : API_REQUEST_MS;
}

static void resume(struct door *door)
{
    if (!door->paused || door->resting || door->api->closing || door_is_full(door))
        return;
    door->paused = false;
    evconnlistener_enable(door->listener);
}

static void pause_listener(struct door *door)
{
    door->paused = true;
    evconnlistener_disable(door->listener);
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
    struct door *door = connection->door;
    struct connection **link = &connection->api->connections;

    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    door->connection_count--;
    event_free(connection->deadline);
    evbuffer_remove_cb(bufferevent_get_input(connection->stream), on_input, connection);
    library_unwatch(connection);
    bufferevent_decref(connection->stream);
    free(connection);
    resume(door);
    places_changed(door->api);
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

void connection_drop(struct connection *connection)
{
    if (adopt(connection))
        evhttp_connection_free(connection->http);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct connection *connection = arg;

    (void)fd;
    (void)what;
    if (connection->exchange && connection->exchange->waiting == WAITING_REFUSAL)
        access_refuse_now(connection->exchange);
    else
        connection_drop(connection);
}

/* From the start after each drop: it may have been the next one. */
static void on_adopt(evutil_socket_t fd, short what, void *arg)
{
    struct api *api = arg;
    struct connection *next;

    (void)fd;
    (void)what;
    for (struct connection *each = api->connections; each; each = next) {
        next = each->next;
        if (!adopt(each) || !each->door->https || each->address[0])
            continue;
        places_check_peer(each);
        next = api->connections;
    }
    places_look(api);
}

/* Once a minute is enough for who would come and go at the limit. */
static void tell_full(struct door *door)
{
    int64_t now_us = clock_boot_us();

    if (door->told_us && now_us - door->told_us < INT64_C(60000000))
        return;
    door->told_us = now_us;
    log_info("api: %d connections are open at the %s, further ones wait", API_CONNECTIONS_MOST,
             door->https ? "HTTPS port" : "socket");
}

static struct connection *connection_new(struct door *door)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    struct api *api = door->api;

    if (!connection)
        return NULL;
    connection->api = api;
    connection->door = door;
    connection->reading = true;
    connection->since_us = clock_boot_us();
    connection->deadline = evtimer_new(api->settings.base, on_deadline, connection);
    connection->stream =
        door->https ? api_https_stream(api)
                    : bufferevent_socket_new(api->settings.base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (connection->deadline && connection->stream)
        return connection;
    if (connection->deadline)
        event_free(connection->deadline);
    if (connection->stream)
        bufferevent_free(connection->stream);
    free(connection);
    return NULL;
}

/* NULL makes evhttp take a stream of its own, outside the fence; only without memory. It would
   speak without TLS: over HTTPS nobody understands it, and it is known to nobody here. */
static struct bufferevent *on_accept(struct event_base *base, void *arg)
{
    struct door *door = arg;
    struct api *api = door->api;
    struct connection *connection = connection_new(door);

    (void)base;
    if (!connection)
        return NULL;
    bufferevent_incref(connection->stream);
    bufferevent_setwatermark(connection->stream, EV_READ, 0, API_BODY_MOST + API_HEADERS_MOST);
    evbuffer_add_cb(bufferevent_get_input(connection->stream), on_input, connection);
    library_watch(connection);
    connection->next = api->connections;
    api->connections = connection;
    set_deadline(connection, request_ms(connection->api));
    door->connection_count++;
    if (door_is_full(door)) {
        tell_full(door);
        pause_listener(door);
    }
    event_active(api->adopt, EV_TIMEOUT, 0);
    return connection->stream;
}

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
    struct timeval long_after = {.tv_sec = 3600};
    struct door *door = arg;

    (void)fd;
    (void)what;
    event_add(door->rest, &long_after); /* always pending, so that find_door() sees it */
    door->resting = false;
    resume(door);
}

struct door_search {
    const struct evconnlistener *listener;
    struct door *found;
};

static int look_at_event(const struct event_base *base, const struct event *event, void *arg)
{
    struct door_search *search = arg;
    struct door *door;

    (void)base;
    if (event_get_callback(event) != on_rested)
        return 0;
    door = event_get_callback_arg(event);
    if (door->listener != search->listener)
        return 0;
    search->found = door;
    return 1;
}

/* evhttp makes itself the argument of the listener's callbacks, and knows nothing of us. */
static struct door *find_door(struct evconnlistener *listener)
{
    struct door_search search = {.listener = listener};

    event_base_foreach_event(evconnlistener_get_base(listener), look_at_event, &search);
    return search.found;
}

/* Without descriptors accept fails at once, for ever, and the loop would do nothing else. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    struct timeval second = {.tv_sec = 1};
    int error = EVUTIL_SOCKET_ERROR();
    struct door *door = find_door(listener);

    (void)arg;
    if (!door)
        return;
    log_warning("api: could not accept a connection: %s", strerror(error));
    door->resting = true;
    pause_listener(door);
    event_add(door->rest, &second);
}

static void on_request(struct evhttp_request *http, void *arg)
{
    struct door *door = arg;
    struct connection *connection = api_connection_of(door->api, http);
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
    exchange->api = door->api;
    exchange->connection = connection;
    exchange->http = http;
    api_route(exchange);
}

int api_door_open(struct api *api, struct door *door, int fd)
{
    struct evhttp_bound_socket *bound;

    door->api = api;
    door->https = door == &api->web;
    door->http = evhttp_new(api->settings.base);
    door->rest = evtimer_new(api->settings.base, on_rested, door);
    bound = door->http && door->rest ? evhttp_accept_socket_with_handle(door->http, fd) : NULL;
    if (!bound) {
        close(fd);
        return -ENOMEM;
    }
    /* Every method, also unknown ones: what is wrong with them is said in JSON. */
    evhttp_set_allowed_methods(door->http, 0xFFFF);
    evhttp_set_max_headers_size(door->http, API_HEADERS_MOST);
    evhttp_set_max_body_size(door->http, API_BODY_MOST);
    evhttp_set_bevcb(door->http, on_accept, door);
    evhttp_set_gencb(door->http, on_request, door);
    door->listener = evhttp_bound_socket_get_listener(bound);
    evconnlistener_set_error_cb(door->listener, on_accept_error);
    on_rested(-1, 0, door);
    return 0;
}

static void door_close(struct door *door)
{
    if (door->http)
        evhttp_free(door->http); /* the listener and its descriptor too */
    if (door->rest)
        event_free(door->rest);
}

int api_connections_open(struct api *api)
{
    api->adopt = event_new(api->settings.base, -1, 0, on_adopt, api);
    return api->adopt ? 0 : -ENOMEM;
}

void api_connections_close(struct api *api)
{
    struct connection *next;

    api->closing = true;
    for (struct connection *each = api->connections; each; each = next) {
        next = each->next;
        connection_drop(each);
    }
    door_close(&api->local);
    door_close(&api->web);
    if (api->adopt)
        event_free(api->adopt);
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
    connection->answering = true;
    event_del(connection->deadline);
}

static void on_complete(struct evhttp_request *http, void *arg)
{
    struct connection *connection = arg;
    bool more = evbuffer_get_length(bufferevent_get_input(connection->stream)) > 0;

    (void)http;
    connection->reading = more;
    connection->answering = false;
    connection->since_us = clock_boot_us();
    set_deadline(connection, more ? request_ms(connection->api) : API_IDLE_MS);
    places_changed(connection->api);
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

void connection_hold(struct connection *connection)
{
    connection->held = true;
    bufferevent_disable(connection->stream, EV_READ);
}

void connection_let_in(struct connection *connection)
{
    connection->held = false;
    connection->since_us = clock_boot_us();
    set_deadline(connection, request_ms(connection->api));
    bufferevent_enable(connection->stream, EV_READ);
}

void connection_slow(struct connection *connection, unsigned ms)
{
    connection_watch(connection);
    set_deadline(connection, ms);
}
