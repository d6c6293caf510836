/*
 * The database under the store: one connection, used by one thread at a time. Everything that
 * names SQLite is in store_db*.c.
 *
 * Errors are SQLite's extended codes as plain numbers, 0 when all is well; store_db_why() puts
 * the last one into a sentence for people.
 */
#ifndef JOBGATE_STORE_STORE_DB_H
#define JOBGATE_STORE_STORE_DB_H

#include "store/store.h"

struct store_db;

/* As store_open(). */
int store_db_open(struct store_db **ret, const char *folder, char *why, size_t why_size);
void store_db_close(struct store_db *db); /* NULL is fine */

int store_db_begin(struct store_db *db);
int store_db_keep(struct store_db *db, const struct record *record);
int store_db_commit(struct store_db *db);
void store_db_undo(struct store_db *db);
/* Trouble of the medium, which may pass, and not of the record. */
bool store_db_may_pass(int error);
void store_db_why(struct store_db *db, int error, char *why, size_t size);

struct record *store_db_recall(struct store_db *db, int *error);
uint64_t store_db_last(struct store_db *db);

/* Bytes in the write-ahead log after the last commit, and written to it in all since it was
 * opened. */
uint64_t store_db_log_bytes(const struct store_db *db);
uint64_t store_db_written(const struct store_db *db);
/* Moves the log into the database. */
void store_db_checkpoint(struct store_db *db);

#endif
