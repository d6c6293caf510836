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
    uint64_t roster;          /* the last one given by then */
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
    struct hub_identity *identities; /* by their slots */
    size_t *slots;                   /* of each device of the site */
    size_t slot_count;
    size_t count, up; /* slots in use are below `count` */
    uint64_t roster;  /* that it goes by */
    size_t flapping;
    bool *untold; /* its UP or DOWN is still to be given to the loop */
    bool stop, all_told;
    int64_t next_connect_us, clock_offset_ms, trust_look_us;
    bool trusted;
    atomic_bool trust; /* set from outside: the clock is right */
    unsigned told;     /* troubles logged since tell_us */
    unsigned untold_troubles;
    int64_t tell_us;

    struct link_end end;     /* its lock guards the rest */
    unsigned *calls;         /* methods that wait for their answer, by slot */
    struct hub_roster *next; /* to be taken, or NULL */
    uint64_t taken;          /* `roster`, for the loop and Paho's threads */
    struct iothub_status status;

    uint64_t given; /* the loop's own: the last roster's number */
};

/* The thread's whole work: returns when MQTT_STOP came and all connections are closed. */
void hub_connections_run(struct hub_thread *thread);
/* Another roster, if there is one. */
void hub_take_roster(struct hub_thread *thread);
void hub_leave(struct hub_thread *thread, struct hub_identity *identity);
/* The slot of a device that is gone is free, whatever its connection does. */
void hub_vacate(struct hub_thread *thread, struct hub_identity *identity);
uint32_t hub_random(void);
/* Everything that waits in `out`: sent, or of no use any more. */
void hub_send_all(struct hub_thread *thread);

#endif
