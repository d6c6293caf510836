/*
 * The API's own parts, for the files api_*.c only.
 *
 * A connection is one accepted socket, from accept to close. An exchange is one request on it
 * and ends by exactly one of exchange_send_*(), exchange_refuse*() or becoming a watcher; one
 * that was handed to the engine waits in between under its ticket, or loses its connection.
 */
#ifndef JOBGATE_LINKS_API_INTERNAL_H
#define JOBGATE_LINKS_API_INTERNAL_H

#include "links/api.h"
#include "links/http_path.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

enum {
    API_CONNECTIONS_MOST = 64, /* then the listener pauses */
    API_WATCHERS_MOST = 32,    /* of them, so that requests find a place */
    API_HEADERS_MOST = 16 * 1024,
    API_BODY_MOST = 256 * 1024,
    API_PENDING_MOST = 64 * 1024, /* bytes that a reader of events may leave unread */
    API_REQUEST_MS = 10000,       /* from accept, or its first byte, to a whole request */
    API_IDLE_MS = 75000,          /* between two requests */
    API_ANSWER_MS = 30000,        /* to take an answer */
    API_PING_S = 15,
    API_CALL_S = 30, /* a call's own time where the caller names none */
    API_PAGE_MOST = 100,
};

struct exchange;

struct connection {
    struct api *api;
    struct connection *next;
    struct bufferevent *stream;     /* a reference of our own */
    struct evhttp_connection *http; /* NULL until it is known */
    struct event *deadline;
    bool reading;              /* a request has begun to come in */
    struct exchange *exchange; /* waiting for the engine, or watching; else NULL */
};

enum waiting { WAITING_NOT, WAITING_JOB, WAITING_CALL, WAITING_PATCH, WAITING_EVENTS };

struct exchange {
    struct api *api;
    struct connection *connection;
    struct evhttp_request *http;
    struct http_target target;
    unsigned method;      /* enum evhttp_cmd_type, override applied */
    const char *names[2]; /* what the route's wild cards stand for */
    const char *body;     /* ended by 0 */
    size_t body_size;
    enum waiting waiting;
    uint64_t ticket;
    bool stored;     /* PATCH: taken, unless its answer says otherwise at once */
    char *device_id; /* PATCH: whose twin is the answer. EVENTS: NULL */
    char *job_id;    /* EVENTS: only this job, or NULL */
};

struct api {
    struct api_settings settings;
    char *socket;                     /* path */
    unsigned long long inode, device; /* of the socket that is ours */
    struct evhttp *http;
    struct evconnlistener *listener;
    struct event *adopt;  /* looks at connections that were just accepted */
    struct event *rest;   /* resumes the listener after descriptors ran out */
    struct event *settle; /* answers patches that were stored */
    struct event *ping;
    struct connection *connections;
    size_t connection_count;
    bool paused, resting, closing;
    int64_t told_us; /* when it was last said that connections wait */
    uint64_t last_ticket;
    uint64_t tracking; /* part of the tracking ids; changes with each start */
    uint64_t errors;   /* refusals so far, the other part */
};

/* --- api_socket.c --- */
int api_socket_open(struct api *api, int *ret_fd, char *why, size_t why_size);
void api_socket_remove(const struct api *api);

/* --- api_connections.c: the fence around evhttp --- */
int api_connections_open(struct api *api, int fd);
void api_connections_close(struct api *api); /* all of them */
struct connection *api_connection_of(struct api *api, struct evhttp_request *http);
void connection_drop(struct connection *connection);
/* A whole request has come: its deadline is off. */
void connection_busy(struct connection *connection);
/* An answer is on its way: it must be taken in time. */
void connection_answered(struct connection *connection, struct evhttp_request *http);
/* Notices a caller that leaves while its exchange waits, and keeps what it sends meanwhile from
   evhttp, which ends the process over it. */
void connection_watch(struct connection *connection);

/* --- api.c --- */
void exchange_free(struct exchange *exchange); /* not its evhttp_request */
/* Hands a request to the engine; the exchange waits, or is answered already on return. */
void exchange_ask(struct exchange *exchange, enum waiting waiting, struct request *request);
bool exchange_read_json(struct exchange *exchange, json_t **ret); /* false: it was refused */

/* --- api_answers.c --- */
void exchange_header(struct exchange *exchange, const char *name, const char *value);
void exchange_send_text(struct exchange *exchange, int status, const char *text);
void exchange_send_json(struct exchange *exchange, int status, json_t *json); /* takes json */
/* {"status":..,"payload":..}, as if the device had spoken. */
void exchange_send_outcome(struct exchange *exchange, int status, const char *payload);

/* --- api_errors.c: the hub's error bodies --- */
__attribute__((format(printf, 4, 5))) void exchange_refuse(struct exchange *exchange,
                                                           int status, const char *code,
                                                           const char *format, ...);
/* One of ours in the hub's words. */
void exchange_refuse_code(struct exchange *exchange, enum code code, const char *text);
void exchange_refuse_memory(struct exchange *exchange);
/* The nested form that a method call's refusals have. */
void exchange_refuse_call(struct exchange *exchange, int status, unsigned number,
                          const char *code, const char *text);

/* --- api_routes.c --- */
void api_route(struct exchange *exchange);

/* --- api_jobs.c --- */
void put_job(struct exchange *exchange);
void put_device_job(struct exchange *exchange);
void get_job(struct exchange *exchange);
void cancel_job(struct exchange *exchange);
void list_jobs(struct exchange *exchange);
void list_transfers(struct exchange *exchange);
void post_query(struct exchange *exchange);

/* --- api_devices.c --- */
void get_devices(struct exchange *exchange);
void get_device(struct exchange *exchange);
void get_twin(struct exchange *exchange);
void patch_twin(struct exchange *exchange);
void post_method(struct exchange *exchange);
void post_read(struct exchange *exchange);
void post_write(struct exchange *exchange);
void get_health(struct exchange *exchange);
void get_status(struct exchange *exchange);

/* --- api_events.c --- */
void get_events(struct exchange *exchange);
void events_tell(struct api *api, const struct report *report);
void events_ping(struct api *api);

#endif
