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
    API_CONNECTIONS_MOST = 64, /* at one door; then its listener pauses */
    API_PEER_MOST = 16,        /* of them served for one address over HTTPS, or */
    API_KNOWN_PEER_MOST = 56,  /* from one that has shown a good key lately */
    API_WATCHERS_MOST = 32,    /* at both doors, so that requests find a place */
    API_HEADERS_MOST = 16 * 1024,
    API_BODY_MOST = 256 * 1024,
    API_PENDING_MOST = 64 * 1024, /* bytes that a reader of events may leave unread */
    API_REQUEST_MS = 10000,       /* from accept, or its first byte, to a whole request */
    API_IDLE_MS = 75000,          /* between two requests */
    API_ANSWER_MS = 30000,        /* to take an answer */
    API_PING_S = 15,
    API_CALL_S = 30, /* a call's own time where the caller names none */
    API_PAGE_MOST = 100,
    API_DEVICES_MOST = 100000, /* that `top` may name */
    API_ADDRESS_SIZE = 48,
};

struct access;
struct exchange;
struct job_filter;
struct out;
struct peers;
struct query;

/* Beside enum right: who may read, and the bearer of the metrics token. */
enum { API_RIGHT_METRICS = 1 << 8 };

/* Where connections come in: the unix socket, where everybody may do everything, or HTTPS. */
struct door {
    struct api *api;
    bool https;
    struct evhttp *http;
    struct evconnlistener *listener;
    struct event *rest; /* resumes the listener after descriptors ran out */
    size_t connection_count;
    bool paused, resting;
    int64_t told_us; /* when it was last said that connections wait */
};

struct connection {
    struct api *api;
    struct door *door;
    struct connection *next;
    char address[API_ADDRESS_SIZE]; /* the peer's; "" on the unix socket or until it is known */
    struct bufferevent *stream;     /* a reference of our own */
    struct evhttp_connection *http; /* NULL until it is known */
    struct event *deadline;
    bool reading;              /* a request has begun to come in */
    bool answering;            /* a request has come whole; until its answer has left */
    bool held;                 /* its peer has as many as it may: nothing is read from it yet */
    bool shut;                 /* evhttp itself refused what came, and nothing follows */
    int64_t since_us;          /* when it began to read, or to rest */
    struct exchange *exchange; /* waiting for the engine, or watching; else NULL */
};

enum waiting {
    WAITING_NOT,
    WAITING_JOB,
    WAITING_CALL,
    WAITING_PATCH,
    WAITING_EVENTS,
    WAITING_HISTORY, /* its look is at the reading thread */
    WAITING_RELOAD,  /* the site is read */
    WAITING_REFUSAL, /* who is refused often is told so late */
};

struct exchange {
    struct api *api;
    struct connection *connection;
    struct evhttp_request *http;
    struct http_target target;
    unsigned method;      /* enum evhttp_cmd_type, override applied */
    const char *names[2]; /* what the route's wild cards stand for */
    unsigned rights;      /* bits of enum right */
    const char *policy;   /* whose, or NULL */
    const char
        *session;     /* of a person who signed in: what proves that our page asks; or NULL */
    bool guess;       /* a key was tried by signing in */
    const char *path; /* decoded, as a token names it */
    const char *why;  /* no rights: what was wrong with the key; a constant */
    const char *body; /* ended by 0 */
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
    struct door local, web;           /* web.http is NULL without HTTPS */
    struct ssl_ctx_st *tls;           /* certificate and key, replaced by a reload */
    struct access *access;            /* NULL without HTTPS */
    struct peers *peers;              /* likewise */
    struct event *adopt;  /* looks at connections that were just accepted, and at places */
    struct event *settle; /* answers patches that were stored */
    struct event *ping;
    struct connection *connections;
    struct out *searches; /* whose looks are out */
    bool closing;
    uint64_t last_ticket;
    uint64_t tracking; /* part of the tracking ids; changes with each start */
    uint64_t errors;   /* refusals so far, the other part */
};

/* --- api_socket.c --- */
int api_socket_open(struct api *api, int *ret_fd, char *why, size_t why_size);
void api_socket_remove(const struct api *api);

/* --- api_connections.c: the fence around evhttp --- */
int api_connections_open(struct api *api);
/* The door takes the listening socket, also on failure. */
int api_door_open(struct api *api, struct door *door, int fd);
void api_connections_close(struct api *api); /* all of them, and the doors */
struct connection *api_connection_of(struct api *api, struct evhttp_request *http);
void connection_drop(struct connection *connection);
/* A whole request has come: its deadline is off. */
void connection_busy(struct connection *connection);
/* An answer is on its way: it must be taken in time. */
void connection_answered(struct connection *connection, struct evhttp_request *http);
/* Notices a caller that leaves while its exchange waits, and keeps what it sends meanwhile from
   evhttp, which ends the process over it. */
void connection_watch(struct connection *connection);
/* The exchange of the connection is refused after a while. */
void connection_slow(struct connection *connection, unsigned ms);
/* Reads nothing from it, and goes on to. */
void connection_hold(struct connection *connection);
void connection_let_in(struct connection *connection);

/* --- api_library.c: what evhttp answers by itself, in the API's own form --- */
void library_watch(struct connection *connection);
void library_unwatch(struct connection *connection);

/* --- api_places.c: who has a place at a door when there are few --- */
bool door_is_full(const struct door *door);
/* A new connection over HTTPS is let in, or held where its peer has as many as it may. */
void places_check_peer(struct connection *connection);
/* Lets in who was held and may now; at a full door, gives up whom it costs the least. */
void places_look(struct api *api);
void places_changed(struct api *api); /* places_look() soon, from the loop */

/* --- api_https.c: certificate and listening socket --- */
int api_https_open(struct api *api, char *why, size_t why_size);
/* Certificate and key; 0 or negative errno. */
int api_https_load(struct ssl_ctx_st **ret, const struct api_config *config, char *why,
                   size_t why_size);
void api_https_close(struct api *api);
struct bufferevent *api_https_stream(struct api *api); /* NULL: no memory */

/* --- api_passed.c: sockets that the service manager opened --- */
/* A descriptor of our own of the one that listens there, or -ENOENT. NULL: we listen nowhere.
   What does not fit is said. */
int api_passed_socket(const struct sockaddr_storage *listen);

/* --- api_peers.c: what is known of the addresses that connect --- */
struct peers *peers_new(void);
void peers_free(struct peers *peers);
bool peers_known(const struct peers *peers, const char *address, int64_t now_us);
void peers_welcome(struct peers *peers, const char *address, int64_t now_us);
/* Counts a refusal; how many ms its answer shall wait. */
unsigned peers_refuse(struct peers *peers, const char *address, int64_t now_us);

/* --- api_keys.c, api_access.c, api_session.c: who may do what --- */
/* `config` must outlive it. 0 or negative errno. */
int access_open(struct access **ret, const struct api_config *config, char *why,
                size_t why_size);
void access_follow(struct access *access, const struct access *before); /* its counts go on */
void access_close(struct access *access);
void access_identify(struct exchange *exchange); /* sets rights, policy, session, why */
/* False: it was refused. `right` 0: everybody. */
bool access_allows(struct exchange *exchange, unsigned right);
void access_refuse_now(struct exchange *exchange);
void access_count(const struct access *access, uint64_t *taken, uint64_t *refused);
void post_signin(struct exchange *exchange);
void post_signout(struct exchange *exchange);
void get_session(struct exchange *exchange);

/* --- api.c --- */
void exchange_free(struct exchange *exchange); /* not its evhttp_request */
/* It waits for what is not there yet, under a ticket of its own. */
void exchange_wait(struct exchange *exchange, enum waiting waiting);
/* Hands a request to the engine; the exchange waits, or is answered already on return. */
void exchange_ask(struct exchange *exchange, enum waiting waiting, struct request *request);
bool exchange_read_json(struct exchange *exchange, json_t **ret); /* false: it was refused */

/* --- api_page.c: for people --- */
void get_page(struct exchange *exchange);
void get_detail(struct exchange *exchange);
void post_plan(struct exchange *exchange);

/* --- api_metrics.c --- */
void get_metrics(struct exchange *exchange);

/* --- api_answers.c --- */
void exchange_send_bytes(struct exchange *exchange, const char *type, const void *bytes,
                         size_t size);
const char *exchange_asked(const struct exchange *exchange,
                           const char *name); /* header, or NULL */
void exchange_header(struct exchange *exchange, const char *name, const char *value);
void exchange_send_text(struct exchange *exchange, int status, const char *text);
void exchange_send_json(struct exchange *exchange, int status, json_t *json); /* takes json */
/* {"status":..,"payload":..}, as if the device had spoken. */
void exchange_send_outcome(struct exchange *exchange, int status, const char *payload);

/* --- api_errors.c: the hub's error bodies --- */
__attribute__((format(printf, 4, 5))) void exchange_refuse(struct exchange *exchange,
                                                           int status, const char *code,
                                                           const char *format, ...);
/* An error's body, for free(); NULL: no memory. */
char *api_error_body(struct api *api, const char *code, const char *text);
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
void get_transfer(struct exchange *exchange);
void post_query(struct exchange *exchange);

/* --- api_search.c --- */
struct page {
    size_t most;
    char *after; /* cursor, or NULL for the first page */
};

/* Each answers the exchange, now or when the history has said its part. `list` names the list
   in the page's token. */
void exchange_search_job(struct exchange *exchange, const char *job_id);
void exchange_search_jobs(struct exchange *exchange, const char *list,
                          const struct job_filter *filter, const struct page *page);
void exchange_search_query(struct exchange *exchange, const char *list, struct query *query,
                           const struct page *page); /* takes the query */
void api_searches_close(struct api *api);

/* --- api_devices.c --- */
void get_devices(struct exchange *exchange);
void get_device(struct exchange *exchange);
void get_statistics(struct exchange *exchange);
void get_twin(struct exchange *exchange);
void exchange_send_twin(struct exchange *exchange, const char *device_id);
void put_twin(struct exchange *exchange);
void patch_twin(struct exchange *exchange);
void post_method(struct exchange *exchange);
void post_read(struct exchange *exchange);
void post_write(struct exchange *exchange);

/* --- api_status.c --- */
void get_health(struct exchange *exchange);
void get_status(struct exchange *exchange);
void get_frames(struct exchange *exchange);
void post_clock_trust(struct exchange *exchange);
void post_reload(struct exchange *exchange);

/* --- api_events.c --- */
void get_events(struct exchange *exchange);
void events_tell(struct api *api, const struct report *report);
void events_ping(struct api *api);

#endif
