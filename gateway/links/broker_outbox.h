/*
 * Outbox: what the broker link has to publish, in order, while it waits for a connection or
 * for room on one, and until the broker has it. Bounded in bytes. When it is full the least
 * precious and oldest goes, and is counted; of what is kept elsewhere too the newest is not
 * taken: whoever gave it brings it again.
 *
 * Any thread may give; the link thread takes, and says of each what became of it: put back,
 * landed, or dropped. What landed and somebody waits for is told to the loop. Two descriptors:
 * readable while something waits to be taken, and while something has landed that is shown:
 * nobody hurries for it, so the link thread gathers what lands together.
 */
#ifndef JOBGATE_LINKS_BROKER_OUTBOX_H
#define JOBGATE_LINKS_BROKER_OUTBOX_H

#include "jobs/report.h"

/* From the least to the most precious. */
enum outgoing_rank {
    OUTGOING_REPORTED, /* polled values: newer ones come */
    OUTGOING_STATE,    /* states of devices and of the gateway: sent anew after a connection */
    OUTGOING_SHARE,    /* how a job goes on, or why it is not taken */
    OUTGOING_ANSWER,   /* somebody waits for it, for a while: goes before all others */
    OUTGOING_KEPT,     /* outcomes and last shares: never dropped */
    OUTGOING_RANKS
};

struct outgoing {
    enum outgoing_rank rank;
    char *topic, *body;
    bool retain;
    void *correlation; /* MQTT 5 correlation data, or NULL */
    size_t correlation_size;
    struct delivery *delivery; /* to be told when it has landed, or NULL */
    unsigned tries;            /* the sender's: how often it failed */
    uint64_t number;           /* the outbox's: order of giving */
    struct outgoing *next;
};

/* Takes both texts over, also when it fails (or one of them is NULL): then it returns NULL. */
struct outgoing *outgoing_new(enum outgoing_rank rank, char *topic, char *body, bool retain);
void outgoing_free(struct outgoing *message);

struct outbox;

struct outbox_state {
    size_t messages, bytes; /* that have not landed */
    size_t most_bytes;
    uint64_t dropped;
    uint64_t told; /* that somebody waited for, and that landed */
};

enum { OUTBOX_E_FULL = 1 };

int outbox_new(struct outbox **ret, size_t most_bytes);
void outbox_set_most(struct outbox *outbox, size_t most_bytes); /* from now on */
void outbox_free(struct outbox *outbox);                        /* with what still waits */
/* 0; or OUTBOX_E_FULL: a KEPT one, and nothing but such ones is there; it stays the caller's.
   An empty outbox takes anything. */
int outbox_give(struct outbox *outbox, struct outgoing *message);
/* A good part of it is free: it is worth while to bring what it did not take. */
bool outbox_has_room(struct outbox *outbox);

struct outgoing *outbox_take(struct outbox *outbox);
/* What was taken: to its old place, never refused; the broker has it; nobody will ever. */
void outbox_put_back(struct outbox *outbox, struct outgoing *message);
void outbox_land(struct outbox *outbox, struct outgoing *message);
void outbox_drop(struct outbox *outbox, struct outgoing *message);

/* As if it had landed: nobody was there to hear of it. */
void outbox_tell_landed(struct outbox *outbox, struct delivery *delivery);
struct delivery *outbox_take_landed(struct outbox *outbox); /* shown or not */
/* What has landed; by itself it shows only when there are many. */
void outbox_show_landed(struct outbox *outbox);

size_t outbox_dropped(struct outbox *outbox); /* since the last call */
/* Something was dropped since then, and there is room for it now. */
bool outbox_lacks(struct outbox *outbox);
void outbox_state(struct outbox *outbox, struct outbox_state *state);
int outbox_fd(const struct outbox *outbox);
int outbox_landed_fd(const struct outbox *outbox);

#endif
