/* Reading back what is kept, and what is wrong with a database, in words. */
#include "store/store_db_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One row after the other, in an order that can be acted on. Columns: kind, number, job id,
   device id, text. */

#define RECALL_ROW(kind, number, job, device, text, from)                                      \
    "SELECT " #kind ", " number ", " job ", " device ", " text " FROM " from
/* What is on the shelf stays there: of it only the id comes, with the fingerprint, and with the
   highest number of its records. */
#define NOT_SHELVED "job.number NOT IN (SELECT number FROM history)"
#define TASK_OF_JOB "task JOIN job ON job = job.number WHERE " NOT_SHELVED " AND "
static const char *const recall_sql[] = {
    RECALL_ROW(12, "number", "NULL", "NULL", "clock", "clock"),
    RECALL_ROW(13, "number", "id", "NULL", "CAST(at AS TEXT)",
               "known WHERE cleared = 1 ORDER BY id"),
    RECALL_ROW(19, "number", "id", "NULL", "NULL", "known WHERE cleared = 0 ORDER BY number"),
    RECALL_ROW(15,
               "max(job.number,"
               " ifnull((SELECT max(number) FROM task WHERE task.job = job.number), 0))",
               "id", "NULL",
               "CAST(ifnull(json_extract(request, '$.request.fingerprint'), 0) AS TEXT)",
               "job JOIN history USING (number)"),
    RECALL_ROW(7, "number", "NULL", "device", "twin", "twin"),
    RECALL_ROW(16, "0", "NULL", "device", "polled", "polled"),
    RECALL_ROW(18, "number", "NULL", "device", "wear", "wear"),
    RECALL_ROW(8, "number", "id", "NULL", "NULL", "early_cancel ORDER BY number"),
    RECALL_ROW(1, "number", "id", "NULL", "request",
               "job WHERE " NOT_SHELVED " ORDER BY number"),
    RECALL_ROW(9, "number", "id", "NULL", "tasks",
               "job WHERE " NOT_SHELVED " AND tasks IS NOT NULL ORDER BY number"),
    RECALL_ROW(2, "task.number", "id", "device", "handed",
               TASK_OF_JOB "outcome IS NULL ORDER BY job"),
    RECALL_ROW(4 - intent, "task.number", "id", "device", "journal",
               TASK_OF_JOB "journal IS NOT NULL ORDER BY job"),
    RECALL_ROW(5, "task.number", "id", "device", "outcome",
               TASK_OF_JOB "outcome IS NOT NULL"
                           " ORDER BY task.number"),
    RECALL_ROW(11, "task.number", "id", "device", "NULL",
               TASK_OF_JOB "(task.told = 1 OR EXISTS (SELECT 1 FROM told"
                           " WHERE told.job = task.job AND told.device = task.device))"
                           " ORDER BY job"),
    RECALL_ROW(8, "number", "id", "NULL", "NULL",
               "job WHERE " NOT_SHELVED " AND canceled = 1 ORDER BY number"),
    RECALL_ROW(6, "number", "id", "NULL", "status",
               "job WHERE " NOT_SHELVED " AND status IS NOT NULL ORDER BY number"),
    RECALL_ROW(14, "number", "id", "NULL", "NULL",
               "job WHERE " NOT_SHELVED " AND told = 1 ORDER BY number"),
};
static const size_t recall_count = sizeof(recall_sql) / sizeof(recall_sql[0]);

/* False: out of memory. A column that has nothing gives NULL. The text is SQLite's. */
static bool column(const char **ret, sqlite3_stmt *statement, int index)
{
    *ret = NULL;
    if (sqlite3_column_type(statement, index) == SQLITE_NULL)
        return true;
    *ret = (const char *)sqlite3_column_text(statement, index);
    return *ret != NULL;
}

static struct record *row(sqlite3_stmt *statement)
{
    const char *job_id, *device_id, *text;

    if (!column(&job_id, statement, 2) || !column(&device_id, statement, 3) ||
        !column(&text, statement, 4))
        return NULL; /* a row of which half is known would be another one */
    char *copy = text ? strdup(text) : NULL;
    struct record *record = text && !copy
                                ? NULL
                                : record_new((uint64_t)sqlite3_column_int64(statement, 1),
                                             (enum record_kind)sqlite3_column_int(statement, 0),
                                             job_id, device_id, copy);
    if (!record)
        free(copy);
    return record;
}

struct record *store_db_recall(struct store_db *db, int *error)
{
    *error = 0;
    for (;;) {
        if (!db->recall && db->recalled == recall_count)
            return NULL;
        if (!db->recall) {
            if (sqlite3_prepare_v2(db->sqlite, recall_sql[db->recalled], -1, &db->recall,
                                   NULL) != SQLITE_OK)
                break;
            db->recalled++;
        }
        int step = sqlite3_step(db->recall);
        if (step == SQLITE_ROW) {
            struct record *record = row(db->recall);

            if (!record)
                *error = SQLITE_NOMEM;
            return record;
        }
        if (step != SQLITE_DONE)
            break;
        sqlite3_finalize(db->recall);
        db->recall = NULL;
    }
    *error = sqlite3_extended_errcode(db->sqlite);
    sqlite3_finalize(db->recall);
    db->recall = NULL;
    db->recalled = recall_count;
    return NULL;
}

uint64_t store_db_last(struct store_db *db)
{
    sqlite3_stmt *statement;
    uint64_t last = 0;

    if (sqlite3_prepare_v2(db->sqlite,
                           "SELECT max(n) FROM (SELECT max(number) AS n FROM job"
                           " UNION ALL SELECT max(number) FROM task"
                           " UNION ALL SELECT max(number) FROM twin"
                           " UNION ALL SELECT max(number) FROM early_cancel"
                           " UNION ALL SELECT max(number) FROM wear"
                           " UNION ALL SELECT max(number) FROM known"
                           " UNION ALL SELECT max(number) FROM clock)",
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        last = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return last;
}

bool store_db_may_pass(int error)
{
    switch (error & 0xFF) {
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
    case SQLITE_TOOBIG:
        return false;
    default:
        return true;
    }
}

void store_db_why(struct store_db *db, int error, char *why, size_t size)
{
    int system = sqlite3_system_errno(db->sqlite);

    switch (error & 0xFF) {
    case SQLITE_FULL:
        snprintf(why, size, "the disk of %s is full: free some space", db->file);
        return;
    case SQLITE_READONLY:
        snprintf(why, size,
                 "%s cannot be written: it, its folder or the file system is "
                 "read-only",
                 db->file);
        return;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        snprintf(why, size,
                 "%s is damaged (%s): move it away and start again; what it held is lost",
                 db->file, sqlite3_errstr(error));
        return;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        snprintf(why, size, "%s is locked by another program", db->file);
        return;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        snprintf(why, size, "%s cannot be opened: %s", db->file,
                 system ? strerror(system) : sqlite3_errstr(error));
        return;
    case SQLITE_IOERR:
        snprintf(why, size, "the disk of %s fails: %s", db->file,
                 system ? strerror(system) : sqlite3_errstr(error));
        return;
    case SQLITE_NOMEM:
        snprintf(why, size, "%s: the system has no more memory", db->file);
        return;
    default: /* its own words, where they are still about this error */
        snprintf(why, size, "%s: %s", db->file,
                 sqlite3_extended_errcode(db->sqlite) == error ? sqlite3_errmsg(db->sqlite)
                                                               : sqlite3_errstr(error));
        return;
    }
}
