/*
 * Thread of the hub: the one thread that owns all connections to IoT Hub, one for each device.
 * A device is known here by its slot, which it keeps while the site around it changes; at first
 * that is its index in the site.
 * It opens them at a bounded rate, opens them again after a pause that grows, and carries
 * messages; what they mean is decided on the loop.
 *
 * The functions are for the main loop and return at once. Paho's callbacks run on Paho's
 * threads and only hand over. Nothing connects before the wall clock is trusted: a token is
 * worth no more than the clock that made it.
 */
#ifndef JOBGATE_LINKS_IOTHUB_THREAD_H
#define JOBGATE_LINKS_IOTHUB_THREAD_H

#include "links/broker_message.h"
#include "links/iothub.h"
#include "links/iothub_keys.h"

struct hub_thread;

struct hub_thread_settings {
    const struct site *site;        /* until another one is taken */
    struct hub_keys *keys;          /* taken over */
    bool (*clock_is_trusted)(void); /* asked once a second until it says so */
    int64_t newest_ms;              /* a clock that is earlier is wrong, whatever it says */
};

enum hub_news_kind {
    HUB_NEWS_UP,
    HUB_NEWS_DOWN,
    HUB_NEWS_MESSAGE,
    HUB_NEWS_DELIVERED, /* the hub has what was sent by hub_thread_send_telemetry() */
};

struct hub_news {
    enum hub_news_kind kind;
    size_t device;       /* its slot */
    uint32_t generation; /* the connection's number, rising for each device */
    struct arrival *arrival;
    uint64_t roster; /* the one that the thread went by */
};
void hub_news_free(struct hub_news *news);

int hub_thread_open(struct hub_thread **ret, const struct hub_thread_settings *settings);
/* Disconnects and ends; a thread that has not done so within 2 s is left to itself, and the
   process should end. */
void hub_thread_close(struct hub_thread *thread);

/* Who is to be connected, in place of those until now; by malloc. */
struct hub_roster {
    const struct site *site; /* the one before is looked at until this one is taken */
    struct hub_keys *keys;
    size_t *slots;   /* of each device of the site */
    size_t *indexes; /* of the device in each slot; SITE_NONE: none */
    uint64_t number; /* the thread's */
};
void hub_roster_free(struct hub_roster *roster); /* NULL is fine */

size_t hub_thread_slots(const struct hub_thread *thread); /* how many there are */
/* New ones connect, those that are gone disconnect, those whose keys are others connect anew;
   takes the roster over. Its number, from 1. */
uint64_t hub_thread_change(struct hub_thread *thread, struct hub_roster *roster);
uint64_t hub_thread_taken(struct hub_thread *thread); /* number of the roster that it goes by */

int hub_thread_fd(const struct hub_thread *thread); /* news wait */
struct hub_news *hub_thread_take(struct hub_thread *thread);
/* On this connection of this device, or not at all; the message is taken over. */
void hub_thread_send(struct hub_thread *thread, size_t device, uint32_t generation,
                     struct outgoing *message);
/* The same to the device's own topic; `message` has the property bag in its place. One at a
   time: DELIVERED comes, or DOWN. */
void hub_thread_send_telemetry(struct hub_thread *thread, size_t device, uint32_t generation,
                               struct outgoing *message);
void hub_thread_want(struct hub_thread *thread, size_t device, bool wanted);
void hub_thread_trust_clock(struct hub_thread *thread);
void hub_thread_status(struct hub_thread *thread, struct iothub_status *status);

#endif
