/*
 * Batch: the records of one commit. What a later one of them replaces anyway is not written:
 * a task that begins and ends between two commits costs one row.
 */
#ifndef JOBGATE_STORE_STORE_BATCH_H
#define JOBGATE_STORE_STORE_BATCH_H

#include "store/store.h"

struct batch {
    struct record **records;
    size_t count, size;
    size_t given;  /* records that went in */
    uint64_t last; /* the highest number that went in */
};

/* Takes the record; false: out of memory. */
bool batch_add(struct batch *batch, struct record *record);
/* Drops what is replaced within the batch. */
void batch_settle(struct batch *batch);
void batch_clear(struct batch *batch); /* frees its records, and stays ready */
void batch_deinit(struct batch *batch);

#endif
