#include "links/api_internal.h"
#include "site/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char type_json[] = "application/json; charset=utf-8";

const char *exchange_asked(const struct exchange *exchange, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(exchange->http), name);
}

void exchange_header(struct exchange *exchange, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(exchange->http), name, value);
}

/* Takes the content; frees the exchange. */
static void finish(struct exchange *exchange, int status, const char *type,
                   struct evbuffer *content)
{
    struct evhttp_request *http = exchange->http;

    exchange_header(exchange, "Content-Type", type);
    exchange_header(exchange, "Cache-Control", "no-store");
    exchange_header(exchange, "X-Content-Type-Options", "nosniff");
    if (exchange->method == EVHTTP_REQ_HEAD && content) {
        char size[24];

        snprintf(size, sizeof(size), "%zu", evbuffer_get_length(content));
        exchange_header(exchange, "Content-Length", size);
        evbuffer_drain(content, evbuffer_get_length(content));
    }
    connection_answered(exchange->connection, http);
    exchange_free(exchange);
    evhttp_send_reply(http, status, NULL, content);
    if (content)
        evbuffer_free(content);
}

void exchange_send_text(struct exchange *exchange, int status, const char *text)
{
    struct evbuffer *content = evbuffer_new();

    if (!content || evbuffer_add(content, text, strlen(text)) < 0)
        status = 503; /* without memory nothing but the status is left to say */
    finish(exchange, status, type_json, content);
}

void exchange_send_json(struct exchange *exchange, int status, json_t *json)
{
    char *text = json ? json_text(json) : NULL;

    json_decref(json);
    if (text)
        exchange_send_text(exchange, status, text);
    else
        exchange_refuse_memory(exchange);
    free(text);
}

void exchange_send_outcome(struct exchange *exchange, int status, const char *payload)
{
    struct evbuffer *content = evbuffer_new();

    if (!content || evbuffer_add_printf(content, "{\"status\":%d,\"payload\":%s}", status,
                                        payload[0] ? payload : "null") < 0) {
        finish(exchange, 503, type_json, content);
        return;
    }
    finish(exchange, 200, type_json, content);
}

void exchange_send_bytes(struct exchange *exchange, const char *type, const void *bytes,
                         size_t size)
{
    struct evbuffer *content = evbuffer_new();

    if (content && evbuffer_add(content, bytes, size) == 0)
        finish(exchange, 200, type, content);
    else
        finish(exchange, 503, type_json, content);
}
