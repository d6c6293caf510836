/*
 * MQTT: one try to connect and the session that it becomes, through Paho's asynchronous client,
 * MQTT 5 or 3.1.1, QoS 1 unless asked otherwise. The only file that names Paho. Nothing
 * survives mqtt_close(): the next try is a new client with new options, so Paho's own memory of
 * messages never meets ours.
 *
 * Called on the link thread. Paho's callbacks copy what they are told and hand it over, to the
 * queue of events, or by `arrived`, which may wait: a message is acknowledged when it returns.
 */
#ifndef JOBGATE_LINKS_MQTT_H
#define JOBGATE_LINKS_MQTT_H

#include "base/queue.h"
#include "links/broker_message.h"

struct mqtt;

struct mqtt_settings {
    char *uri; /* tcp://host:port or ssl://host:port */
    char *client_id;
    int protocol; /* 4: MQTT 3.1.1, 5 */
    unsigned keepalive_s, session_expiry_s;
    char *username, *password; /* or NULL */
    size_t password_size;
    bool tls;
    char *ca_file, *cert_file,
        *key_file;                /* or NULL: the system's trust store, no certificate */
    char *will_topic, *will_body; /* retained; or NULL */
    bool clean;                   /* 3.1.1: the server keeps nothing of an earlier session */
    bool at_most_once;            /* QoS 0, and no DELIVERED */
    const char *echo;             /* MQTT 5: the one filter that brings our own messages too */
    const char *as_published;     /* MQTT 5: by filters that end so, a message that the broker
                                     retains comes marked also while it is new; or NULL */
    uint64_t session;             /* the owner's number for it, in each event and arrival */
    struct queue *events;         /* gets struct mqtt_event, by malloc */
    void (*arrived)(void *ctx,
                    struct arrival *arrival); /* ownership goes along; Paho's thread */
    void *ctx;
};

enum mqtt_event_kind {
    MQTT_CONNECTED,
    MQTT_ENDED,      /* could not connect, or the connection is over; `text` says why */
    MQTT_SUBSCRIBED, /* `refused` of the filters were not granted, the first is number `first`
                      */
    MQTT_DELIVERED,  /* the broker has message `token` */
    MQTT_REFUSED,    /* the broker does not take message `token` */
    MQTT_STOP,       /* not from here: the owner of the queue asks for the end */
    MQTT_WAKE,       /* nor this: there is something to look at */
};

struct mqtt_event {
    enum mqtt_event_kind kind;
    uint64_t session;
    int token;
    int connack; /* ENDED: the code of MQTT 3.1.1 with which the server said no, else 0 */
    size_t refused, first;
    bool taken_over; /* ENDED: another client came with our id (MQTT 5, reason 0x8E) */
    bool wordless;   /* ENDED: cut off, and the broker has not said why */
    char text[160];
};

/* Begins to connect: CONNECTED or ENDED comes. 0, or negative errno with `why`. */
int mqtt_open(struct mqtt **ret, const struct mqtt_settings *settings, char *why,
              size_t why_size);
/* The functions below are for a connected session; negative errno: it is of no more use. */
enum { MQTT_FILTERS = 32 };
int mqtt_subscribe(struct mqtt *mqtt, char *const *filters,
                   size_t count); /* 1 to MQTT_FILTERS */
/* No event tells what becomes of it. */
int mqtt_unsubscribe(struct mqtt *mqtt, char *const *filters, size_t count);
enum { MQTT_E_UNFIT = 1 }; /* no broker would take this message */
int mqtt_publish(struct mqtt *mqtt, const struct outgoing *message, int *token);
/* The same by QoS 1, with DELIVERED, also where the session is at_most_once. */
int mqtt_publish_surely(struct mqtt *mqtt, const struct outgoing *message, int *token);
int mqtt_disconnect(struct mqtt *mqtt, int limit_ms); /* ENDED comes */
void mqtt_close(struct mqtt *mqtt); /* no callback comes after it; may take a second */

#endif
