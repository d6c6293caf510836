#include "links/api_internal.h"

#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

struct route {
    unsigned methods;
    unsigned right;   /* who may; 0: everybody */
    const char *path; /* a * stands for one segment, which the handler gets */
    void (*handle)(struct exchange *exchange);
};

enum { PATH_TEXT_MOST = 600 };

enum {
    GET = EVHTTP_REQ_GET | EVHTTP_REQ_HEAD,
    PUT = EVHTTP_REQ_PUT,
    POST = EVHTTP_REQ_POST,
    PATCH = EVHTTP_REQ_PATCH,
};

/* The first that fits in path and method takes it. */
static const struct route routes[] = {
    {GET, RIGHT_READ, "jobs/v2/query", list_jobs},
    {PUT, RIGHT_JOB, "jobs/v2/*", put_job},
    {GET, RIGHT_READ, "jobs/v2/*", get_job},
    {POST, RIGHT_JOB, "jobs/v2/*/cancel", cancel_job},
    {PUT, RIGHT_JOB, "jobs/v2/*/methods/*", put_device_job},
    {GET, RIGHT_READ, "jobs", list_transfers},
    {GET | EVHTTP_REQ_DELETE, RIGHT_READ, "jobs/*", get_transfer},
    {POST, RIGHT_READ, "devices/query", post_query},
    {GET, RIGHT_READ, "devices", get_devices},
    {GET, RIGHT_READ, "devices/*", get_device},
    {GET, RIGHT_READ, "statistics/devices", get_statistics},
    {GET, RIGHT_READ, "twins/*", get_twin},
    {PATCH, RIGHT_TWIN, "twins/*", patch_twin},
    {PUT, RIGHT_TWIN, "twins/*", put_twin},
    {POST, RIGHT_CALL, "twins/*/methods", post_method},
    {POST, RIGHT_READ, "jobgate/v1/devices/*/read", post_read},
    {POST, RIGHT_CALL, "jobgate/v1/devices/*/write", post_write},
    {GET, RIGHT_READ, "jobgate/v1/devices/*", get_detail},
    {POST, RIGHT_READ, "jobgate/v1/devices/*/plan", post_plan},
    {GET, RIGHT_READ, "jobgate/v1/status", get_status},
    {GET, RIGHT_READ, "jobgate/v1/frames", get_frames},
    {POST, RIGHT_READ, "jobgate/v1/clock/trust", post_clock_trust},
    {POST, RIGHT_READ, "jobgate/v1/reload", post_reload},
    {GET, 0, "jobgate/v1/session", get_session},
    {POST, 0, "jobgate/v1/signin", post_signin},
    {POST, 0, "jobgate/v1/signout", post_signout},
    {GET, 0, "healthz", get_health},
    {GET, API_RIGHT_METRICS, "metrics", get_metrics},
    {GET, RIGHT_READ, "events", get_events},
    {GET, 0, "", get_page},
    {GET, 0, "page/*", get_page},
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
    return *pattern == '\0';
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

static bool body_is_taken(struct exchange *exchange)
{
    if (exchange->body_size <= REQUEST_JSON_MOST)
        return true;
    exchange_refuse(exchange, 413, "MessageTooLarge",
                    "the body has %zu bytes; at most %d are taken", exchange->body_size,
                    REQUEST_JSON_MOST);
    return false;
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
            if (access_allows(exchange, routes[i].right) && body_is_taken(exchange))
                routes[i].handle(exchange);
            return;
        }
    }
    if (access_allows(exchange, RIGHT_READ)) /* strangers do not learn what there is */
        refuse_route(exchange, known, allowed);
}

/* Nobody before us may see the body end elsewhere, and take for another request what we take
   for its rest (RFC 9112, 6.3): evhttp believes the first Content-Length, and knows no encoding
   but chunked. NULL when all is well. */
static const char *odd_framing(struct evhttp_request *http)
{
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(http);
    const char *length = evhttp_find_header(headers, "Content-Length");
    const struct evkeyval *each;

    TAILQ_FOREACH(each, headers, next)
    {
        if (strcasecmp(each->key, "Content-Length") == 0 && strcmp(each->value, length) != 0)
            return "Content-Length is there twice";
        if (strcasecmp(each->key, "Transfer-Encoding") == 0 &&
            strcasecmp(each->value, "chunked") != 0)
            return "the only Transfer-Encoding that is understood is chunked";
    }
    return NULL;
}

/* Cut where it is longer than any token's: such a one covers it by its beginning, or not. */
static void path_text(struct exchange *exchange, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < exchange->target.segment_count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "/%s", exchange->target.segments[i]);
    exchange->path = text;
}

void api_route(struct exchange *exchange)
{
    const char *odd = odd_framing(exchange->http);
    char path[PATH_TEXT_MOST];
    const char *version;

    if (odd) {
        exchange_header(exchange, "Connection", "close");
        exchange_refuse(exchange, 400, "ArgumentInvalid", "%s", odd);
        return;
    }
    exchange->method = method_of(exchange->http);
    if (http_target_parse(&exchange->target, evhttp_request_get_uri(exchange->http)) != 0) {
        exchange_refuse(exchange, 400, "ArgumentInvalid", "the path or query is malformed");
        return;
    }
    version = http_target_parameter(&exchange->target, "api-version");
    path_text(exchange, path, sizeof(path));
    access_identify(exchange);
    if (version && exchange->rights && !is_version(version))
        exchange_refuse(exchange, 400, "InvalidProtocolVersion",
                        "api-version is a date like 2021-04-12");
    else if (!take_body(exchange))
        exchange_refuse_memory(exchange);
    else
        dispatch(exchange);
}
