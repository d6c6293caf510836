/* What the files of the database share. */
#ifndef JOBGATE_STORE_STORE_DB_PRIVATE_H
#define JOBGATE_STORE_STORE_DB_PRIVATE_H

#include "store/store_db.h"

#include <sqlite3.h>

/* A read of a damaged file can ask for any amount; and nothing that we keep is that large. */
enum { STORE_TEXT_MOST = 64 * 1024 * 1024 };

enum {
    KEEP_COUNT = RECORD_WEAR + 1,
    LOG_HEADER_SIZE = 24, /* of each page in the log, SQLite file format section 4.1 */
};

struct store_db {
    char *file;
    int lock; /* descriptor of jobgate.lock */
    sqlite3 *sqlite;
    sqlite3_stmt *keep[KEEP_COUNT], *beside[KEEP_COUNT]; /* by kind of record */
    sqlite3_stmt *recall;                                /* the statement that is being read */
    size_t recalled;                                     /* statements of recall_sql begun */
    size_t page_size;
    size_t log_pages;     /* that are not in the database yet */
    size_t log_seen;      /* at the last commit */
    uint64_t log_written; /* pages in all */
};

int store_db_execute(struct store_db *db, const char *sql);
int store_db_prepare(struct store_db *db); /* the statements by kind */

#endif
