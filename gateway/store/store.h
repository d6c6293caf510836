/*
 * Store: what survives. Records go in with rising numbers; later, never inside the call, the
 * store says up to which number everything is safe on the disk. The loop never waits for it.
 *
 * One thread writes: what has gathered goes into one transaction. Records wait a moment for
 * company, because memory cards wear and commits cost, unless somebody waits for one of them:
 * store_hurry(). All functions are called on the main loop.
 *
 * What is given is kept until it is on the disk: a disk that is full, hangs or fails makes the
 * numbers stop rising and store_state() say so; the thread tries again. The queue is bounded by
 * what was accepted: when it does not take more, the caller accepts no new work.
 */
#ifndef JOBGATE_STORE_STORE_H
#define JOBGATE_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stored by number: add at the end, never renumber. What a record of the same kind said before
   about the same job, task or device is replaced by it. */
enum record_kind {
    RECORD_JOB = 1,     /* job_id: accepted; the whole request */
    RECORD_HANDED = 2,  /* job_id, device_id: a task has begun */
    RECORD_INTENT = 3,  /* a trigger's or pulse's frame is about to leave; the run up to here */
    RECORD_DONE = 4,    /* a step is done; the run up to here */
    RECORD_OUTCOME = 5, /* a task ended: its record; step 1: nobody needs to be told */
    RECORD_STATUS = 6,  /* a job changed its status, start or deadline; step 1: it ended, and
                           nobody needs to be told */
    RECORD_TWIN = 7,    /* device_id: its twin changed; the whole twin */
    RECORD_CANCEL = 8,  /* job_id, which need not be known */
    RECORD_TASKS = 9,   /* job_id: its devices, which no longer change */
    RECORD_FORGET = 10, /* job_id: nothing but the id stays; text: when (seconds since 1970), or
                           NULL: not even that; step 1: nobody needs to be told */
    RECORD_TOLD = 11,   /* job_id, device_id: everybody who shall know the outcome knows it; of
                           a call also before its end: the caller has its answer */
    RECORD_CLOCK = 12,  /* both clocks now */
    RECORD_KNOWN = 13,  /* comes out only: an id that was forgotten; text: when */
    RECORD_SHARED = 14, /* job_id: everybody who shall know its end, or that it is forgotten,
                           knows it */
    RECORD_SHELVED = 15, /* job_id, which is over: text is what the outside sees of it. From now
                            on only the history has it; comes out with text: its fingerprint */
    RECORD_POLLED = 16,  /* device_id: its polled values */
    RECORD_PURGE = 17,   /* job_id: `step` of its tasks' records are no longer wanted */
    RECORD_WEAR = 18,    /* device_id: writes to its points that wear, before one is sent */
    RECORD_UNCLEARED =
        19, /* comes out only: an id that was forgotten, which not everybody knows */
};

/* A plain value in one piece of memory; text belongs to the record. */
struct record {
    uint64_t number;
    enum record_kind kind;
    uint32_t step;
    const char *job_id, *device_id; /* in `ids`, or NULL */
    char *text;                     /* JSON, or NULL */
    char ids[];
};
/* Copies the ids and takes the text over. NULL: no memory, and the text is the caller's. */
struct record *record_new(uint64_t number, enum record_kind kind, const char *job_id,
                          const char *device_id, char *text);
void record_free(struct record *record); /* NULL is fine */

struct store;

struct store_state {
    bool takes;       /* new work may be accepted */
    char why[240];    /* a sentence when it may not, else "" */
    size_t waiting;   /* records that are not safe yet */
    uint64_t commits; /* since it was opened */
    uint64_t bytes;   /* written to the log since it was opened */
};

enum { STORE_WAITING_MOST = 20000 }; /* records that wait before no new work is taken */

/* The database `jobgate.db` in `folder`, which is made where it is missing. Negative errno and
   `why`, a sentence with the file's name, when it cannot be used: -EBUSY another process has
   it, -EPROTO it was made by a newer jobgate, -EUCLEAN it is damaged. */
int store_open(struct store **ret, const char *folder, char *why, size_t why_size);
/* Keeps nothing: safe means taken. For commands without a gateway, and tests. */
int store_new(struct store **ret);

/* What the store holds, record by record: twins, then each job in the order of acceptance with
   its tasks. Before the first store_give(); NULL at the end. Ownership goes to the caller. A
   failure on the way: NULL, and store_state() says why. */
struct record *store_recall(struct store *store);
uint64_t
store_last(const struct store *store); /* the highest number it holds; 0: it is empty */

void store_give(struct store *store, struct record *record); /* gives the record away */
/* Somebody waits until it is safe up to this number: no more waiting for company. */
void store_hurry(struct store *store, uint64_t number);
uint64_t
store_safe(struct store *store); /* the highest number that is safe; clears the descriptor */
int store_fd(
    const struct store *store); /* readable when store_safe() or store_state() has moved */
void store_state(struct store *store, struct store_state *state);
/* How long ago its thread should have taken what was given; 0: it did, or it waits for the
   disk. A disk that hangs is told by store_state(): no restart would heal it. */
int64_t store_overdue_us(struct store *store);

enum { STORE_E_UNSAFE = 1 };

/* Commits what waits: 0; or STORE_E_UNSAFE when that did not come to an end within
   `patience_ms`. A disk that hangs cannot be closed: then store_free() would wait for it. */
int store_end(struct store *store, int patience_ms);
void store_free(struct store *store); /* ends it with a second's patience */

#endif
