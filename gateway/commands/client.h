/*
 * Client: requests to the running gateway over its unix socket, for the commands; blocking.
 *
 * HTTP/1.0, one connection for each request: an answer ends with its connection, so there is
 * nothing to take apart but the head. (libevent's client knows no unix sockets.)
 */
#ifndef JOBGATE_COMMANDS_CLIENT_H
#define JOBGATE_COMMANDS_CLIENT_H

#include "commands/options.h"

enum {
    COMMAND_E_NO_GATEWAY = 1, /* nobody listens */
    COMMAND_E_NO_RIGHT = 2,   /* the socket is there, but not for this user */
    COMMAND_E_BROKEN = 3,     /* the connection ended before the answer did */
    COMMAND_E_SITE = 4,       /* --config has problems; they are printed */
};

struct client {
    char path[108]; /* of the socket */
};

struct client_answer {
    int status;         /* of HTTP */
    char *continuation; /* header x-ms-continuation, or NULL */
    char *body;         /* ended by 0, inside `text` */
    char *text;
};
void client_answer_deinit(struct client_answer *answer);

/* Finds the socket: --socket, api.socket of --config, or the default. 0 or COMMAND_E_SITE. */
int client_init(struct client *client, const struct options *options);

/* 0, COMMAND_E_* or negative errno. `body` and `continuation` (of the page before) may be NULL.
   Waits as long as the gateway does. */
int client_ask(const struct client *client, const char *method, const char *path,
               const char *body, const char *continuation, struct client_answer *answer);

/* Reads /events until `event` says false, or every wait_ms that nothing came `event` is called
   with name NULL. 0: `event` ended it; else as client_ask(). `data` is one line. */
int client_watch(const struct client *client, const char *path, int wait_ms,
                 bool (*event)(void *ctx, const char *name, const char *data), void *ctx);

/* Says why on stderr; the exit status. */
int client_complain(const struct client *client, const struct options *options, int error);
/* The hub's error body of an answer that is none of 200, in one sentence; the exit status. */
int client_refused(const struct options *options, const struct client_answer *answer);

#endif
