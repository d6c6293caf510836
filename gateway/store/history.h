/*
 * History: what the store holds of jobs and tasks that have ended, for those who look back.
 *
 * A second connection to the database, which only reads, and a thread of its own. The loop
 * hands a look in and takes it out answered; it belongs to whoever holds it and comes back
 * exactly once. Every statement is a transaction of its own over a bounded number of rows, so
 * that nobody who writes, and no checkpoint, ever waits for a reader.
 *
 * All functions are called on the main loop. `fits` is called on the reading thread.
 */
#ifndef JOBGATE_STORE_HISTORY_H
#define JOBGATE_STORE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum look_kind {
    LOOK_JOB,   /* the shelved job `job_id`: no row, or one */
    LOOK_JOBS,  /* shelved jobs, the newest first */
    LOOK_TASKS, /* records of ended tasks: by job, the newest first, then in the job's order */
    LOOK_OLD,   /* what has been kept long enough: rows' text is the id, index its tasks */
};

/* Where a row stands: a job's order of acceptance (its first record's number), and the index of
   a device among the job's. Neither is ever used again, so pages stay stable. */
struct look_place {
    uint64_t order, index;
};

struct look_row {
    struct look_place place;
    bool call;  /* OLD: a single call */
    char *text; /* JSON; the row's own */
};

struct look {
    /* asked */
    enum look_kind kind;
    char *job_id, *device_id;  /* only of these; NULL: any. The look's own */
    struct look_place from;    /* JOBS, TASKS: the first place that is looked at */
    size_t most;               /* rows */
    int64_t jobs_ms, calls_ms; /* OLD: ended, or accepted, before this wall time */
    bool (*fits)(void *ctx, const char *text); /* NULL: all do */
    void *ctx;
    uint64_t tag; /* the asker's own */
    /* answered */
    char why[240]; /* not "": a sentence, and no rows */
    struct look_row *rows;
    size_t count;
    bool more; /* there may be further rows, from `next` on */
    struct look_place next;
    int64_t asked_us; /* boot clock */
};

struct look *look_new(enum look_kind kind, size_t most); /* from the newest; NULL: no memory */
void look_free(struct look *look);                       /* NULL is fine */

struct history;

enum {
    HISTORY_E_FULL = 1,
    HISTORY_WAITING_MOST = 64, /* looks that wait or are being answered */
    HISTORY_LOOK_MS = 2000,    /* then a look comes back with what it has, and `more` */
};

/* For the database of this folder, which the store has opened: 0 or negative errno. */
int history_open(struct history **ret, const char *folder);
void history_free(struct history *history); /* NULL is fine; what waits is dropped */
/* Gives the look away, or HISTORY_E_FULL and it stays the caller's. */
int history_ask(struct history *history, struct look *look);
struct look *history_take(struct history *history); /* NULL when there is nothing to take */
int history_fd(const struct history *history);      /* readable when there is */

#endif
