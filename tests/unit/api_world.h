/*
 * The world of the API's tests: a real unix socket and libevent's server, with an engine that
 * answers as each test says. The client is a plain blocking socket: the loop turns between its
 * steps.
 */
#ifndef JOBGATE_TESTS_API_WORLD_H
#define JOBGATE_TESTS_API_WORLD_H

#include "links/api.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include <cmocka.h>

enum { TEXT_MOST = 200000 };

struct world {
    char folder[64], socket[96];
    struct event_base *base;
    struct api *api;
    struct request *asked; /* the last request that reached the engine */
    char text[TEXT_MOST];  /* what the client read */
    bool untrusted;        /* the clock */
    struct look *look;     /* that is at the history */
    bool blind;            /* the history takes no more */
    uint64_t reload;       /* the last ticket that asked for one */
};

/* What the engine was asked, and whether its lists go on. */
struct engine {
    const char *jobs_type, *jobs_status;
    int64_t from_ms, to_ms;
    size_t most;
    char after[32];
    bool more;
    bool past; /* the history must be asked */
};
extern struct engine fake_engine;

int open_world(void **state);
int close_world(void **state);
/* The loop until it has nothing to do, whatever the clock says. */
void turn(struct world *world);
int client_open(struct world *world);
void client_say(struct world *world, int fd, const char *text);
/* What is there now; "" when nothing is, NULL when the other side closed. */
const char *client_read(struct world *world, int fd);
/* One connection: says it, gives what came back. */
const char *exchange_text(struct world *world, const char *request);
const char *body_of(const char *text);
const char *get(struct world *world, const char *path);
void post_text(char *text, size_t size, const char *method, const char *path, const char *body);
const char *post(struct world *world, const char *method, const char *path, const char *body);
/* The engine answers what was asked last. */
void answer(struct world *world, enum report_kind kind, enum code code, int status,
            const char *body);
/* Sends, lets the engine answer, and gives what the client got. */
const char *asked_and_answered(struct world *world, const char *method, const char *path,
                               const char *body, enum code code, int status,
                               const char *payload);
/* Something happened, for the readers of events. */
void tell(struct world *world, enum report_kind kind, const char *job_id, const char *device_id,
          const char *body);
bool clock_of(void *ctx);
struct site *site_of_one(void);
void take_request(void *ctx, struct request *request);

#define REQUEST(line, headers, body) line " HTTP/1.1\r\nHost: localhost\r\n" headers "\r\n" body

#define assert_has(text, part) assert_non_null(strstr(text, part))

#define assert_status(text, status) assert_memory_equal(text, "HTTP/1.1 " status, 12)

#define fact(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

#endif
