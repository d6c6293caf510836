/*
 * Gateway, inside: what its files share. The main loop only.
 *
 *     gateway.c        life, the pump, timers and signals
 *     gateway_lines.c  work to the lines, answers from them
 *     gateway_links.c  requests from broker, hub and API, reports to them
 *     gateway_store.c  records to the store, and from it at the start
 *     gateway_history.c looks to the history, answers from it
 *     gateway_reload.c another site in place of the one that runs (reading.h reads it)
 *     watchdog.c       says to the service manager that all threads move
 */
#ifndef JOBGATE_GATEWAY_PRIVATE_H
#define JOBGATE_GATEWAY_PRIVATE_H

#include "gateway.h"
#include "jobs/recorder.h"
#include "jobs/tally.h"
#include "links/api.h"
#include "links/broker.h"
#include "links/iothub.h"
#include "reading.h"

#include <event2/event.h>

struct gateway_line {
    struct gateway *gateway;
    struct gateway_line *next; /* leaving: another one that does */
    size_t index;
    struct line *line; /* NULL: not opened */
    struct event *event;
    unsigned out;
};

/* What became of reading the site. */
struct reads {
    uint64_t taken, refused, failed; /* reloads; failed: for want of memory or a thread */
    int64_t taken_ms, last_ms;       /* wall clock; at first of the start */
    const char *result;              /* of the last one: "good", "refused", "failed" */
    char why[600];                   /* its first problem, or "" */
};

struct gateway {
    struct gateway_settings settings;
    const struct site *site;
    struct draft *own;       /* with the same, after a reload: then it is ours */
    struct draft *past;      /* that ran before, and the hub's link may look at */
    struct draft *next;      /* prepared, and taken over when what it changes rests */
    struct reading *reading; /* a site is read */
    struct event *reading_event, *reload_timer;
    uint64_t reload_asked;    /* the API's last ticket that asks for a reload */
    uint64_t reload_answered; /* what is read answers them up to this one */
    bool read_again;          /* it was asked for since the reading began */
    bool reload_busy;         /* the service manager was told so */
    struct reads reads;
    bool reload_waits; /* it was said so */
    struct event_base *base;
    struct engine *engine;
    struct store *store;
    struct history *history; /* NULL: the store is memory only */
    struct event *history_event;
    struct tally *tally;
    struct recorder *recorder;
    struct event *store_event, *timer, *term, *interrupt, *hangup, *watchdog;
    struct gateway_line **lines;  /* as many as the site has */
    struct gateway_line *leaving; /* their threads are asked to end */
    struct broker *broker;
    struct event *broker_event;
    struct iothub *iothub;
    struct event *iothub_event;
    struct api *api;
    bool recalled; /* what the store holds is known, the newest time among it */
    bool trusted, ready, stopping;
    bool unsafe; /* the disk did not take the last records: it may hang */
    int64_t trust_looked_us, stop_us;
    bool starved;     /* the watchdog is not fed: a thread is stuck */
    char boot_id[40]; /* "": the store is memory only */
};

/* gateway.c */
struct moment gateway_now(struct gateway *gateway);
/* NULL: the wall clock is trusted; else why it is not, a constant. */
const char *gateway_doubt(const struct gateway *gateway);
void gateway_trust_clock(struct gateway *gateway); /* somebody has looked at it */
void gateway_pump(struct gateway *gateway);        /* carries out what the engine wants now */
struct event *gateway_listen(struct gateway *gateway, int fd, event_callback_fn callback,
                             void *ctx);
void gateway_unlisten(struct event *event); /* NULL: nothing to do */

/* gateway_lines.c */
int gateway_open_lines(struct gateway *gateway);
/* Those of another site, as far as their names and wires are the same; the rest is opened, or
   leaves. 0 or -ENOMEM, with nothing changed, from the first; the second cannot fail. */
int gateway_make_lines(const struct site *site, struct gateway_line ***ret);
void gateway_reload_lines(struct gateway *gateway, const struct site *site,
                          struct gateway_line **lines);
void gateway_free_lines(struct gateway_line **lines, const struct site *site); /* not opened */
bool gateway_lines_leave(struct gateway *gateway); /* true: some still do */
void gateway_give_lines(struct gateway *gateway);
void gateway_close_lines(struct gateway *gateway); /* each at a frame's end */

/* gateway_links.c */
int gateway_open_links(struct gateway *gateway, char *why, size_t size);
void gateway_route(struct gateway *gateway, const struct report *report);
/* The gateway's site is another one now; takes the keys of the draft that it came with. */
void gateway_reload_links(struct gateway *gateway, const struct site *old, struct draft *draft);
void gateway_close_links(struct gateway *gateway);

/* gateway_reload.c */
/* The site is read again, once more where it is being read, and taken over when what it changes
   rests; with a problem everything stays. `ticket`: of the exchange that api_reloaded() tells
   what became of it; 0: the log alone does. */
void gateway_reload(struct gateway *gateway, uint64_t ticket);
int gateway_open_reload(struct gateway *gateway);
void gateway_close_reload(struct gateway *gateway);
void gateway_add_site(const struct gateway *gateway, json_t *status);

/* gateway_store.c */
bool gateway_is_durable(const struct gateway *gateway);
int gateway_open_store(struct gateway *gateway, char *why, size_t size);
int gateway_restore(struct gateway *gateway, char *why, size_t size); /* from before the stop */
int gateway_listen_store(struct gateway *gateway);
void gateway_keep_last(struct gateway *gateway);
void gateway_close_store(struct gateway *gateway);
const char *gateway_state_folder(const struct gateway *gateway);

/* gateway_history.c */
int gateway_open_history(struct gateway *gateway);
bool gateway_look(void *ctx, struct look *look); /* of struct api_settings */
void gateway_give_looks(struct gateway *gateway);
void gateway_close_history(struct gateway *gateway); /* before the links */

/* watchdog.c */
int gateway_open_watchdog(struct gateway *gateway);

#endif
