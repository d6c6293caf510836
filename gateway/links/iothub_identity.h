/*
 * Identity: one device's connection to the hub, from the first try on: registered where the
 * site uses DPS, connected, subscribed, left in time before its token ends, connected again.
 *
 * Part of the link's thread and called on it alone. The thread decides when something begins;
 * the identity knows what comes next and what an event means for it.
 */
#ifndef JOBGATE_LINKS_IOTHUB_IDENTITY_H
#define JOBGATE_LINKS_IOTHUB_IDENTITY_H

#include "links/broker_pace.h"
#include "links/iothub_keys.h"
#include "links/mqtt.h"

/* What all identities share. */
struct hub_means {
    const struct site *site;
    struct hub_keys *keys;
    struct queue *events;
    void (*arrived)(void *ctx, struct arrival *arrival); /* Paho's thread */
    void *ctx;
    uint64_t rid; /* of registrations: the last one used */
};

enum hub_state {
    HUB_AWAY,       /* nothing is open; due at next_us if wanted */
    HUB_CONNECTING, /* to the hub, or where `registering` to DPS */
    HUB_SUBSCRIBING,
    HUB_REGISTERING, /* DPS was asked, or will be at next_us */
    HUB_UP,
    HUB_LEAVING,
};

struct hub_identity {
    size_t device;  /* its slot */
    size_t index;   /* in the site */
    const char *id; /* the site's; NULL: the slot is free, or its device is gone */
    uint64_t since; /* the roster that brought it */
    enum hub_state state;
    bool wanted;
    bool retired; /* its device is gone: it leaves */
    bool registering;
    struct mqtt *mqtt;
    uint32_t generation;               /* counts connections */
    int64_t next_us;                   /* AWAY, REGISTERING: not before */
    int64_t until_us;                  /* of this state */
    int64_t connected_us;              /* -1: was not */
    int64_t renew_us, renew_latest_us; /* the token's end comes near; MOMENT_NEVER: none */
    struct pace pace;
    bool resting;      /* AWAY for long: somebody else seems to be connected as it */
    unsigned refusals; /* CONNACKs in a row that do not know us */
    char *hub, *name;  /* assigned by DPS: host and device id; NULL: not, or no DPS */
    char *operation;   /* REGISTERING: under way at DPS */
    uint64_t rid;      /* REGISTERING: of the question that waits; 0: none */
    char *uri, *username, *client_id; /* of this connection */
};

void hub_identity_init(struct hub_identity *identity, size_t device);
void hub_identity_deinit(struct hub_identity *identity);

uint64_t hub_identity_session(const struct hub_identity *identity);
static inline size_t hub_session_device(uint64_t session)
{
    return (size_t)(session & UINT32_MAX);
}

/* Begins; false: it could not, `why` says it. */
bool hub_identity_connect(struct hub_identity *identity, struct hub_means *means,
                          struct moment now, uint32_t random, char *why, size_t why_size);

enum hub_step { HUB_STEP_NONE, HUB_STEP_UP, HUB_STEP_OVER };
/* OVER: the caller closes it; `why` is why. */
enum hub_step hub_identity_event(struct hub_identity *identity, struct hub_means *means,
                                 const struct mqtt_event *event, int64_t now_us, char *why,
                                 size_t why_size);
/* An answer of DPS; the arrival stays the caller's and is cut. */
enum hub_step hub_identity_registration(struct hub_identity *identity, struct hub_means *means,
                                        struct arrival *arrival, int64_t now_us, char *why,
                                        size_t why_size);
/* A time of its own has come: until_us, or next_us while REGISTERING. */
enum hub_step hub_identity_time(struct hub_identity *identity, struct hub_means *means,
                                int64_t now_us, char *why, size_t why_size);
void hub_identity_leave(struct hub_identity *identity, int64_t now_us);
/* Nothing of the connection is left; AWAY. */
void hub_identity_close(struct hub_identity *identity);

#endif
