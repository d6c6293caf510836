#include "commands/client.h"
#include "commands/commands.h"
#include "site/problems.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MOST = 256 * 1024 * 1024 }; /* far above any page; a bound, not a limit */

static int socket_of_config(const char *config, char *path, size_t size)
{
    struct problems problems = {0};
    struct site *site;
    int r = site_load(&site, &(struct site_source){.config = config}, &problems);

    if (r != 0) {
        problems_print(&problems, stderr);
        problems_deinit(&problems);
        return COMMAND_E_SITE;
    }
    problems_deinit(&problems);
    snprintf(path, size, "%s", site->api.socket);
    site_free(site);
    return 0;
}

int client_init(struct client *client, const struct options *options)
{
    const char *path = options->socket ? options->socket : SITE_SOCKET;

    if (!options->socket && options->config)
        return socket_of_config(options->config, client->path, sizeof(client->path));
    snprintf(client->path, sizeof(client->path), "%s", path);
    return 0;
}

static int dial(const struct client *client, int *ret)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -errno;
    memcpy(address.sun_path, client->path, sizeof(address.sun_path));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
        *ret = fd;
        return 0;
    }
    error = errno;
    close(fd);
    if (error == EACCES || error == EPERM)
        return COMMAND_E_NO_RIGHT;
    if (error == ENOENT || error == ECONNREFUSED || error == ENOTDIR)
        return COMMAND_E_NO_GATEWAY;
    return -error;
}

static int send_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EPIPE || errno == ECONNRESET ? COMMAND_E_BROKEN : -errno;
        text += sent;
        size -= (size_t)sent;
    }
    return 0;
}

static int send_request(int fd, const char *method, const char *path, const char *body,
                        const char *continuation)
{
    char *text;
    int size, r;

    size = asprintf(&text,
                    "%s %s HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    "%s%s%sContent-Length: %zu\r\n\r\n%s",
                    method, path, continuation ? "x-ms-continuation: " : "",
                    continuation ? continuation : "", continuation ? "\r\n" : "",
                    body ? strlen(body) : 0, body ? body : "");
    if (size < 0)
        return -ENOMEM;
    r = send_all(fd, text, (size_t)size);
    free(text);
    return r;
}

/* What the other side sends until it closes, grown as needed and ended by 0. */
struct inflow {
    int fd;
    char *text;
    size_t size, room;
};

/* 1: more came; 0: the end; negative errno. */
static int inflow_more(struct inflow *inflow)
{
    ssize_t size;

    if (inflow->room - inflow->size < 2) {
        size_t room = inflow->room ? 2 * inflow->room : 16384;
        char *text = room > ANSWER_MOST ? NULL : realloc(inflow->text, room);

        if (!text)
            return -ENOMEM;
        inflow->text = text;
        inflow->room = room;
    }
    do
        size =
            recv(inflow->fd, inflow->text + inflow->size, inflow->room - inflow->size - 1, 0);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return errno == ECONNRESET ? 0 : -errno;
    inflow->size += (size_t)size;
    inflow->text[inflow->size] = '\0';
    return size > 0;
}

/* Takes the head apart: status, the one header that is wanted, where the body begins. */
static bool read_head(char *text, struct client_answer *answer)
{
    char *body = strstr(text, "\r\n\r\n");
    char *line, *rest;

    if (!body || strncmp(text, "HTTP/1.", 7) != 0)
        return false;
    answer->status = (int)strtol(text + strcspn(text, " "), NULL, 10);
    if (answer->status < 100 || answer->status > 599)
        return false;
    *body = '\0';
    answer->body = body + 4;
    strtok_r(text, "\r\n", &rest);
    while ((line = strtok_r(NULL, "\r\n", &rest)))
        if (strncasecmp(line, "x-ms-continuation:", 18) == 0)
            answer->continuation = line + 18 + strspn(line + 18, " ");
    return true;
}

int client_ask(const struct client *client, const char *method, const char *path,
               const char *body, const char *continuation, struct client_answer *answer)
{
    struct inflow inflow = {0};
    int r = dial(client, &inflow.fd);

    *answer = (struct client_answer){0};
    if (r != 0)
        return r;
    r = send_request(inflow.fd, method, path, body, continuation);
    if (r == 0)
        while ((r = inflow_more(&inflow)) > 0)
            ;
    close(inflow.fd);
    answer->text = inflow.text;
    if (r == 0 && (inflow.size == 0 || !read_head(inflow.text, answer)))
        r = COMMAND_E_BROKEN;
    if (r != 0)
        client_answer_deinit(answer);
    return r;
}

void client_answer_deinit(struct client_answer *answer)
{
    free(answer->text);
    *answer = (struct client_answer){0};
}

/* One event is lines "event: NAME" and "data: TEXT", then an empty one; ":" begins a comment.
 */
static bool tell_block(char *block, bool (*event)(void *, const char *, const char *),
                       void *ctx)
{
    const char *name = NULL, *text = NULL;
    char *line, *rest;

    for (line = strtok_r(block, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "event: ", 7) == 0)
            name = line + 7;
        else if (strncmp(line, "data: ", 6) == 0)
            text = line + 6;
    }
    return !name || !text || event(ctx, name, text);
}

/* Tells every whole event and keeps the rest; false when `event` has had enough. */
static bool tell_all(struct inflow *inflow, bool (*event)(void *, const char *, const char *),
                     void *ctx)
{
    char *from = inflow->text, *end;
    bool go_on = true;

    while (go_on && (end = strstr(from, "\n\n"))) {
        *end = '\0';
        go_on = tell_block(from, event, ctx);
        from = end + 2;
    }
    inflow->size -= (size_t)(from - inflow->text);
    memmove(inflow->text, from, inflow->size + 1);
    return go_on;
}

static int read_events(struct inflow *inflow, int wait_ms,
                       bool (*event)(void *, const char *, const char *), void *ctx)
{
    bool in_body = false;

    for (;;) {
        struct pollfd wait = {.fd = inflow->fd, .events = POLLIN};
        int r = poll(&wait, 1, wait_ms);

        if (r <= 0) { /* nothing, or a signal such as a changed window */
            if (!event(ctx, NULL, NULL))
                return 0;
            continue;
        }
        r = inflow_more(inflow);
        if (r <= 0)
            return r < 0 ? r : COMMAND_E_BROKEN;
        if (!in_body) {
            char *body = strstr(inflow->text, "\r\n\r\n");

            if (!body)
                continue;
            if (strncmp(inflow->text + strcspn(inflow->text, " "), " 200", 4) != 0)
                return COMMAND_E_BROKEN;
            in_body = true;
            inflow->size -= (size_t)(body + 4 - inflow->text);
            memmove(inflow->text, body + 4, inflow->size + 1);
            if (!event(ctx, NULL, NULL)) /* from here on nothing is missed */
                return 0;
        }
        if (!tell_all(inflow, event, ctx))
            return 0;
    }
}

int client_watch(const struct client *client, const char *path, int wait_ms,
                 bool (*event)(void *ctx, const char *name, const char *data), void *ctx)
{
    struct inflow inflow = {0};
    int r = dial(client, &inflow.fd);

    if (r != 0)
        return r;
    r = send_request(inflow.fd, "GET", path, NULL, NULL);
    if (r == 0)
        r = read_events(&inflow, wait_ms, event, ctx);
    close(inflow.fd);
    free(inflow.text);
    return r;
}

int client_complain(const struct client *client, const struct options *options, int error)
{
    switch (error) {
    case COMMAND_E_SITE:
        return EXIT_WRONG;
    case COMMAND_E_NO_GATEWAY:
        complain(options, "no gateway answers on %s; is the service running?", client->path);
        break;
    case COMMAND_E_NO_RIGHT:
        complain(options, "no right to use %s; join group jobgate", client->path);
        break;
    case COMMAND_E_BROKEN:
        complain(options, "the gateway ended before it answered");
        break;
    default:
        complain(options, "%s: %s", client->path, strerror(-error));
    }
    return EXIT_UNREACHABLE;
}

int client_refused(const struct options *options, const struct client_answer *answer)
{
    json_t *body = json_loads(answer->body, 0, NULL);
    const char *text = json_string_value(json_object_get(body, "Message"));
    json_t *inner = text ? json_loads(text, 0, NULL) : NULL;

    if (json_is_string(json_object_get(inner, "message")))
        text = json_string_value(json_object_get(inner, "message"));
    else if (text && strchr(text, ';'))
        text = strchr(text, ';') + 1;
    complain(options, "%s (HTTP %d)", text ? text : "the gateway refused", answer->status);
    json_decref(inner);
    json_decref(body);
    if (answer->status == 503)
        return EXIT_UNREACHABLE;
    return answer->status == 504 ? EXIT_FAILED : EXIT_WRONG;
}
