/*
 * Broker thread: the one thread that owns the MQTT client. It connects, subscribes, publishes
 * what the outbox holds, and connects again; what arrives it leaves in a queue for the loop.
 *
 * The functions are for the main loop and return at once. Paho's callbacks run on Paho's own
 * threads and do nothing but hand over, with one exception: a job, a cancel or a live desired
 * patch waits there until broker_thread_stored(), because the acknowledgement leaves when the
 * callback returns.
 */
#ifndef JOBGATE_LINKS_BROKER_THREAD_H
#define JOBGATE_LINKS_BROKER_THREAD_H

#include "links/broker.h"
#include "links/broker_message.h"
#include "links/mqtt.h"

/* All texts by malloc; the thread takes them over and wipes the password. */
struct broker_thread_settings {
    struct mqtt_settings mqtt;      /* but events, arrived, ctx */
    char *root, *gateway_id, *echo; /* mqtt.echo is this one */
    char **filters;
    size_t filter_count;
    char **stale; /* filters of the session before that are not wanted any more */
    size_t stale_count;
    size_t outbox_bytes; /* that may wait */
};

/* Other filters than until now, all texts by malloc. */
struct filter_change {
    char **filters, **added, **removed; /* all; those that are new; those that are gone */
    size_t count, added_count, removed_count;
    uint64_t number; /* the thread's */
    struct filter_change *next;
};
void filter_change_free(struct filter_change *change); /* NULL is fine */

struct broker_thread;

int broker_thread_open(struct broker_thread **ret,
                       const struct broker_thread_settings *settings);
/* Publishes the will, disconnects, ends. True: it has ended, and is still to be freed. False:
   that takes more than 500 ms (the broker hangs, or a message waits for a store that does not
   come) and it is left to itself: what waits is not acknowledged, and the process should end.
 */
bool broker_thread_stop(struct broker_thread *thread);
void broker_thread_free(struct broker_thread *thread); /* one that has ended */
void broker_thread_settings_deinit(struct broker_thread_settings *settings);

int broker_thread_fd(const struct broker_thread *thread);      /* an arrival waits */
int broker_thread_news_fd(const struct broker_thread *thread); /* connected anew; eventfd */
struct arrival *broker_thread_take(struct broker_thread *thread);
/* Gives the message away. False: it is one that is kept, there is no room, and it is freed. */
bool broker_thread_give(struct broker_thread *thread, struct outgoing *message);
struct outbox *broker_thread_outbox(struct broker_thread *thread);
void broker_thread_stored(struct broker_thread *thread, uint64_t ticket);
/* The connection that is up, counted from 1, as in its arrivals; 0: none is. */
uint64_t broker_thread_session(struct broker_thread *thread);
/* True once, with news: values or states were dropped in this connection. */
bool broker_thread_lacks(struct broker_thread *thread);
/* Listens to one filter more, in this connection and in all that follow; takes it over. What is
   given after this goes out when the broker has granted it. False: no room, it is freed. */
bool broker_thread_watch(struct broker_thread *thread, char *filter);
/* Listens to other filters than those of the settings, in this connection and in all that
   follow; takes them over. Their number, from 1. */
uint64_t broker_thread_change(struct broker_thread *thread, struct filter_change *change);
/* Up to this change the broker has granted what was new, in the connection that is up. There is
   news when it rises. */
uint64_t broker_thread_changed(struct broker_thread *thread);
/* Subscribes to a filter of the settings once more, so that what lies retained there comes
   again; takes it over. False: no room, it is freed. */
bool broker_thread_ask(struct broker_thread *thread, char *filter);
void broker_thread_status(struct broker_thread *thread, struct broker_status *status);

#endif
