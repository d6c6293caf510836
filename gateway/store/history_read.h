/*
 * The connection under the history: read-only, used by the reading thread alone. Opened by the
 * first look, and again after an error, so that a database that was locked or put right is read
 * without a restart.
 */
#ifndef JOBGATE_STORE_HISTORY_READ_H
#define JOBGATE_STORE_HISTORY_READ_H

#include "store/history.h"

#include <stdatomic.h>

struct history_read;

/* 0 or -ENOMEM; opens nothing yet. */
int history_read_new(struct history_read **ret, const char *folder);
void history_read_free(struct history_read *reader); /* NULL is fine */
/* Fills in the answer; stops early when the end was asked for. */
void history_read(struct history_read *reader, struct look *look, atomic_bool *ending);

#endif
