/*
 * Outbox: what the broker link has to publish, in order, while it waits for a connection or
 * for room on one. Bounded by messages and bytes; when it is full the least precious and
 * oldest goes, and is counted.
 *
 * Any thread may give; the link thread takes. The descriptor is readable while something waits.
 */
#ifndef JOBGATE_LINKS_BROKER_OUTBOX_H
#define JOBGATE_LINKS_BROKER_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From the least to the most precious. A topic belongs to one rank, so order holds in each. */
enum outgoing_rank {
    OUTGOING_REPORTED, /* polled values: newer ones come */
    OUTGOING_STATE,    /* states of devices and of the gateway: sent anew after a connection */
    OUTGOING_ANSWER,   /* somebody waits for it, for a while */
    OUTGOING_SHARE,
    OUTGOING_OUTCOME,
    OUTGOING_RANKS
};

struct outgoing {
    enum outgoing_rank rank;
    char *topic, *body;
    bool retain;
    void *correlation; /* MQTT 5 correlation data, or NULL */
    size_t correlation_size;
    unsigned tries;  /* the sender's: how often it failed */
    uint64_t number; /* the outbox's: order of giving */
    struct outgoing *next;
};

/* Takes both texts over, also when it fails (or one of them is NULL): then it returns NULL. */
struct outgoing *outgoing_new(enum outgoing_rank rank, char *topic, char *body, bool retain);
void outgoing_free(struct outgoing *message);

struct outbox;

int outbox_new(struct outbox **ret, size_t most, size_t most_bytes);
void outbox_free(struct outbox *outbox); /* with what still waits */
/* Returns how many were dropped until now, the first time that it grows; else 0. */
size_t outbox_give(struct outbox *outbox, struct outgoing *message);
struct outgoing *outbox_take(struct outbox *outbox);
void outbox_put_back(struct outbox *outbox,
                     struct outgoing *message); /* to its old place; never refused */
size_t outbox_count(struct outbox *outbox);
size_t outbox_dropped(struct outbox *outbox); /* since the last call */
int outbox_fd(const struct outbox *outbox);

#endif
