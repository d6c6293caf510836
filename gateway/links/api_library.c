/*
 * What evhttp answers by itself, to what is no request at all: a malformed head, a body that is
 * too long. It writes a page of HTML; a client of the hub's reads JSON, with errors too.
 * libevent 2.1 has no hook for it, but the answer passes through the connection's output like
 * any other.
 */
#include "links/api_internal.h"

#include <stdlib.h>
#include <string.h>

enum { STATUS_LINE_PART = 16, CONTINUE = 100 }; /* "HTTP/1.1 400", and longer in odd versions */

/* The status of the answer that begins `ago` bytes before the buffer's end; 0: none does. */
static int status_of(struct evbuffer *output, size_t ago)
{
    size_t size = evbuffer_get_length(output);
    char line[STATUS_LINE_PART + 1] = "";
    struct evbuffer_ptr at;
    const char *space;

    if (ago > size || evbuffer_ptr_set(output, &at, size - ago, EVBUFFER_PTR_SET) < 0 ||
        evbuffer_copyout_from(output, &at, line, STATUS_LINE_PART) < 0 ||
        strncmp(line, "HTTP/", 5) != 0)
        return 0;
    space = strchr(line, ' ');
    return space ? (int)strtol(space, NULL, 10) : 0;
}

struct words {
    const char *reason, *code, *text;
};

static struct words words_of(int status)
{
    switch (status) {
    case 413:
        return (struct words){"Request Entity Too Large", "MessageTooLarge",
                              "the body is longer than 128 KB, or its chunks are malformed"};
    case 417:
        return (struct words){"Expectation Failed", "ArgumentInvalid",
                              "no expectation but 100-continue can be met"};
    case 501:
        return (struct words){"Not Implemented", "MethodNotAllowed", "no such method"};
    case 503:
        return (struct words){"Service Unavailable", "ServiceUnavailable", "try again"};
    default:
        return (struct words){"Bad Request", "ArgumentInvalid",
                              "this is no HTTP/1.1 request, or its head is longer than 16 KB"};
    }
}

static void add_answer(struct api *api, struct evbuffer *output, int status)
{
    struct words words = words_of(status);
    char *body = api_error_body(api, words.code, words.text);
    char date[40];

    evutil_date_rfc1123(date, sizeof(date), NULL);
    evbuffer_add_printf(output,
                        "HTTP/1.1 %d %s\r\n"
                        "iothub-errorcode: %s\r\n"
                        "Content-Type: application/json; charset=utf-8\r\n"
                        "Cache-Control: no-store\r\n"
                        "X-Content-Type-Options: nosniff\r\n"
                        "Connection: close\r\n"
                        "Date: %s\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        status, words.reason, words.code, date, body ? strlen(body) : 0,
                        body ? body : "");
    free(body);
}

/* A stream over a socket lets nobody else take from the front of its output, or look at it. One
   over TLS does, and would not open it again for itself. */
static void open_front(const struct connection *connection, struct evbuffer *output)
{
    if (!connection->door->https)
        evbuffer_unfreeze(output, 1);
}

static void close_front(const struct connection *connection, struct evbuffer *output)
{
    if (!connection->door->https)
        evbuffer_freeze(output, 1);
}

/* evhttp begins with the status line, and closes the connection after such an answer: the rest
   of its own finds the output's end shut. */
static void on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
    struct connection *connection = arg;
    int status;

    if (connection->answering || connection->shut || info->n_added == 0)
        return;
    open_front(connection, output);
    status = status_of(output, info->n_added);
    if (status > CONTINUE) {
        connection->shut = true;
        evbuffer_drain(output, evbuffer_get_length(output));
        add_answer(connection->api, output, status);
        evbuffer_freeze(output, 0);
    }
    close_front(connection, output);
}

void library_watch(struct connection *connection)
{
    evbuffer_add_cb(bufferevent_get_output(connection->stream), on_output, connection);
}

void library_unwatch(struct connection *connection)
{
    evbuffer_remove_cb(bufferevent_get_output(connection->stream), on_output, connection);
}
