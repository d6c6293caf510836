/*
 * Store: what survives. Records go in with rising numbers; later, never inside the call, the
 * store says up to which number everything is safe. The loop never waits for it.
 *
 * This one keeps its records in memory only: safe means taken. Its descriptor and its lateness
 * are those of a store on disk.
 */
#ifndef JOBGATE_STORE_STORE_H
#define JOBGATE_STORE_STORE_H

#include <stddef.h>
#include <stdint.h>

/* Stored by number: add at the end, never renumber. */
enum record_kind {
    RECORD_JOB = 1,     /* accepted: the whole request, its tasks */
    RECORD_HANDED = 2,  /* a task's attempt begins */
    RECORD_INTENT = 3,  /* a trigger's or pulse's frame is about to leave; value before */
    RECORD_DONE = 4,    /* a step's answer */
    RECORD_OUTCOME = 5, /* a task ended */
    RECORD_STATUS = 6,  /* a job changed its status */
    RECORD_TWIN = 7,    /* a device's twin changed */
    RECORD_CANCEL = 8,
};

/* A plain value; text belongs to the record. */
struct record {
    uint64_t number;
    enum record_kind kind;
    char *job_id, *device_id; /* or NULL */
    uint32_t step, attempt;
    char *text; /* JSON, or NULL */
};
void record_free(struct record *record);

struct store;
int store_new(struct store **ret);
void store_free(struct store *store);
void store_give(struct store *store, struct record *record); /* gives the record away */
uint64_t store_safe(struct store *store); /* the highest number that is safe; clears the descriptor */
int store_fd(const struct store *store);  /* readable when store_safe() has moved */

#endif
