#include "links/api_internal.h"

#include <string.h>
#include <strings.h>

struct route {
    unsigned methods;
    const char *path; /* a * stands for one segment, which the handler gets */
    void (*handle)(struct exchange *exchange);
};

enum { GET = EVHTTP_REQ_GET | EVHTTP_REQ_HEAD, PUT = EVHTTP_REQ_PUT, POST = EVHTTP_REQ_POST };

/* The first that fits in path and method takes it. */
static const struct route routes[] = {
    {GET, "jobs/v2/query", list_jobs},
    {PUT, "jobs/v2/*", put_job},
    {GET, "jobs/v2/*", get_job},
    {POST, "jobs/v2/*/cancel", cancel_job},
    {PUT, "jobs/v2/*/methods/*", put_device_job},
    {GET, "jobs", list_transfers},
    {POST, "devices/query", post_query},
    {GET, "devices", get_devices},
    {GET, "devices/*", get_device},
    {GET, "twins/*", get_twin},
    {EVHTTP_REQ_PATCH, "twins/*", patch_twin},
    {POST, "twins/*/methods", post_method},
    {POST, "jobgate/v1/devices/*/read", post_read},
    {POST, "jobgate/v1/devices/*/write", post_write},
    {GET, "jobgate/v1/status", get_status},
    {GET, "healthz", get_health},
    {GET, "events", get_events},
};

static bool fits(const struct route *route, struct exchange *exchange)
{
    const char *pattern = route->path;
    size_t names = 0;

    for (size_t i = 0; i < exchange->target.segment_count; i++) {
        const char *segment = exchange->target.segments[i];
        size_t size = strcspn(pattern, "/");

        if (size == 1 && *pattern == '*')
            exchange->names[names++] = segment;
        else if (size == 0 || strlen(segment) != size || memcmp(segment, pattern, size) != 0)
            return false;
        pattern += size;
        if (*pattern == '/')
            pattern++;
    }
    return *pattern == '\0' && exchange->target.segment_count > 0;
}

/* Clients that cannot send PATCH say so in a header. */
static unsigned method_of(struct evhttp_request *http)
{
    unsigned method = evhttp_request_get_command(http);
    const char *said =
        evhttp_find_header(evhttp_request_get_input_headers(http), "X-HTTP-Method-Override");

    if (method != EVHTTP_REQ_POST || !said)
        return method;
    if (strcasecmp(said, "PATCH") == 0)
        return EVHTTP_REQ_PATCH;
    if (strcasecmp(said, "PUT") == 0)
        return EVHTTP_REQ_PUT;
    return method;
}

/* DDDD-DD-DD, or the same and -preview. */
static bool is_version(const char *text)
{
    const char *form = "0000-00-00";

    for (; *form; form++, text++)
        if (*form == '0' ? *text < '0' || *text > '9' : *text != '-')
            return false;
    return *text == '\0' || strcmp(text, "-preview") == 0;
}

/* The body in one piece, ended by 0 for those who read text. */
static bool take_body(struct exchange *exchange)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(exchange->http);

    exchange->body_size = evbuffer_get_length(input);
    if (evbuffer_add(input, "", 1) < 0)
        return false;
    exchange->body = (const char *)evbuffer_pullup(input, -1);
    return exchange->body != NULL;
}

static void refuse_route(struct exchange *exchange, bool known, unsigned allowed)
{
    static const struct {
        unsigned method;
        const char *name;
    } names[] = {{EVHTTP_REQ_GET, "GET"},
                 {EVHTTP_REQ_HEAD, "HEAD"},
                 {EVHTTP_REQ_PUT, "PUT"},
                 {EVHTTP_REQ_POST, "POST"},
                 {EVHTTP_REQ_PATCH, "PATCH"}};
    char allow[64] = "";

    if (!known) {
        exchange_refuse(exchange, 404, "NotFound", "no such route");
        return;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!(allowed & names[i].method))
            continue;
        if (*allow)
            strcat(allow, ", ");
        strcat(allow, names[i].name);
    }
    exchange_header(exchange, "Allow", allow);
    exchange_refuse(exchange, 405, "MethodNotAllowed", "this route takes %s", allow);
}

static void dispatch(struct exchange *exchange)
{
    unsigned allowed = 0;
    bool known = false;

    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
        if (!fits(&routes[i], exchange))
            continue;
        known = true;
        allowed |= routes[i].methods;
        if (routes[i].methods & exchange->method) {
            routes[i].handle(exchange);
            return;
        }
    }
    refuse_route(exchange, known, allowed);
}

void api_route(struct exchange *exchange)
{
    const char *version;

    exchange->method = method_of(exchange->http);
    if (http_target_parse(&exchange->target, evhttp_request_get_uri(exchange->http)) != 0) {
        exchange_refuse(exchange, 400, "ArgumentInvalid", "the path or query is malformed");
        return;
    }
    version = http_target_parameter(&exchange->target, "api-version");
    if (version && !is_version(version))
        exchange_refuse(exchange, 400, "InvalidProtocolVersion",
                        "api-version is a date like 2021-04-12");
    else if (!take_body(exchange))
        exchange_refuse_memory(exchange);
    else
        dispatch(exchange);
}
