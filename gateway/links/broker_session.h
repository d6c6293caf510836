/*
 * Session: one connection of the broker link, from the try to its end. Part of the broker
 * thread, and called on it alone; it lives in struct broker_thread and is used again for each
 * try.
 */
#ifndef JOBGATE_LINKS_BROKER_SESSION_H
#define JOBGATE_LINKS_BROKER_SESSION_H

#include "links/broker_thread.h"

enum { SESSION_FLIGHTS = 16 };            /* below the 20 that mosquitto allows a client */
#define SESSION_SHORT_US INT64_C(5000000) /* ended so soon: not by chance */

enum session_state {
    SESSION_CONNECTING,
    SESSION_SUBSCRIBING,
    SESSION_UP,
    SESSION_FLUSHING, /* asked to stop: what waits goes out, the will last */
    SESSION_LEAVING,
    SESSION_ENDED,
};

enum session_asking {
    ASKING_NOT,
    ASKING_WATCHED, /* to a further filter */
    ASKING_AGAIN,   /* to what was asked for */
    ASKING_ADDED,   /* to what a change of the filters brought */
};

struct session {
    struct broker_thread_settings *settings; /* its filters are changed here */
    struct queue *events;                    /* of Paho, and MQTT_STOP */
    struct outbox *outbox;
    struct queue *asked; /* filters, malloc'ed: to be subscribed once more in this connection */
    void (*up)(void *ctx);
    void (*down)(void *ctx, const char *why);
    void (*sent)(void *ctx); /* the broker has a message */
    /* The filters to listen to beside those of the settings, in order; NULL: not so many. */
    char *(*watched)(void *ctx, size_t number);
    struct filter_change *(*next_change)(void *ctx); /* its own; NULL: none */
    void (*changed)(void *ctx);                      /* all that is `changing` is granted */
    void *ctx;

    bool stop;             /* MQTT_STOP came */
    uint64_t number;       /* of the last session, from 1 */
    struct mqtt_event end; /* why the last one ended */

    /* its own */
    struct mqtt *mqtt;
    enum session_state state;
    int64_t until_us;               /* of this state */
    int64_t connected_us, ended_us; /* connected_us -1: never */
    size_t batch, subscribed;       /* filters: before the SUBSCRIBE under way, and with it */
    size_t watching;                /* further filters that were sent */
    enum session_asking asking;     /* UP: a SUBSCRIBE is under way */
    struct filter_change *changing; /* its new filters are being subscribed to; or NULL */
    size_t added;                   /* of them, with the SUBSCRIBE under way */
    uint64_t change;                /* the last one whose filters are the settings' */
    struct {
        struct outgoing *message; /* NULL: free */
        int token;
    } flights[SESSION_FLIGHTS];
    size_t flying;
    bool idle;                   /* nothing was flying when it ended */
    const struct outgoing *last; /* of a stop: says "offline". Not looked into */
    bool offline;                /* it is on its way */
    unsigned shorts; /* sessions in a row that ended soon after they were connected */
};

void session_run(struct session *session);
int64_t session_lasted_us(const struct session *session);      /* -1: never connected */
bool session_was_taken_over(const struct session *session);    /* or it looks like it */
void session_pause(struct session *session, int64_t pause_us); /* until a stop, at most */
void session_forget_asked(struct session *session);
/* The session's own parts: into a state, for `limit_us` at most, or MOMENT_NEVER; to its end.
 */
void session_enter(struct session *session, enum session_state state, int64_t limit_us);
void session_come_up(struct session *session);
void session_end(struct session *session, const char *text);
void session_forget_events(struct session *session); /* nothing is taken for the next one's */

#endif
