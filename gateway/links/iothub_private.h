/*
 * Private to the hub's thread: what iothub_thread.c (queues, life), iothub_connections.c and
 * iothub_outgoing.c (the work of the thread) share.
 */
#ifndef JOBGATE_LINKS_IOTHUB_PRIVATE_H
#define JOBGATE_LINKS_IOTHUB_PRIVATE_H

#include "links/iothub_identity.h"
#include "links/iothub_thread.h"
#include "links/link_end.h"

#include <stdatomic.h>

/* From the loop (and for refusals from Paho's threads) to the thread. */
struct hub_out {
    size_t device;
    uint32_t generation;
    struct outgoing *message; /* NULL: `wanted` has changed */
    bool wanted;
    bool telemetry; /* the message's topic is its property bag only */
};

struct hub_thread {
    struct hub_thread_settings settings;
    struct hub_means means;
    struct queue *news;          /* Paho, thread -> loop */
    struct queue *events;        /* Paho, loop -> thread */
    struct queue *registrations; /* Paho -> thread: struct arrival, from DPS */
    struct queue *out;           /* loop, Paho -> thread */

    /* the thread's own */
    struct hub_identity *identities;
    size_t count, up;
    size_t flapping;
    bool *untold; /* its UP or DOWN is still to be given to the loop */
    bool stop, all_told;
    int64_t next_connect_us, clock_offset_ms, trust_look_us;
    bool trusted;
    atomic_bool trust; /* set from outside: the clock is right */
    unsigned told;     /* troubles logged since tell_us */
    unsigned untold_troubles;
    int64_t tell_us;

    struct link_end end; /* its lock guards the rest */
    unsigned *calls;     /* methods that wait for their answer, by device */
    struct iothub_status status;
};

/* The thread's whole work: returns when MQTT_STOP came and all connections are closed. */
void hub_connections_run(struct hub_thread *thread);
uint32_t hub_random(void);
/* Everything that waits in `out`: sent, or of no use any more. */
void hub_send_all(struct hub_thread *thread);

#endif
