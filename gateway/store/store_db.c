#include "store/store_db_private.h"
#include "store/store_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of a database that is made now. A commit writes whole pages, most of them for little: on a
   line of 31 pages of 4096 bytes cost 3.0 KB a task, these 1.4. */
#define PAGE_SIZE "1024"

/* What is written lies at the ends of few tables, so more than this is never asked for again.
 */
#define CACHE_KB "512"

/* --- opening --- */

static int make_folder(const char *folder, char *why, size_t size)
{
    struct stat status;

    if (mkdir(folder, 0750) == 0)
        return 0;
    if (errno == EEXIST && stat(folder, &status) == 0 && S_ISDIR(status.st_mode))
        return 0;
    int r = errno == EEXIST ? -ENOTDIR : -errno;
    snprintf(why, size, "the state folder %s cannot be made: %s", folder, strerror(-r));
    return r;
}

/* Of two gateways on one state the second must not start. A lock of its own file, because
   SQLite's locks on the database are given up whenever any descriptor of it is closed. */
static int take_lock(struct store_db *db, const char *folder, char *why, size_t size)
{
    char *name;

    if (asprintf(&name, "%s/jobgate.lock", folder) < 0)
        return -ENOMEM;
    db->lock = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    int r = db->lock < 0 ? -errno : 0;
    if (r == 0 && flock(db->lock, LOCK_EX | LOCK_NB) < 0)
        r = errno == EWOULDBLOCK ? -EBUSY : -errno;
    if (r == -EBUSY)
        snprintf(why, size, "another jobgate runs with the state in %s", folder);
    else if (r < 0)
        snprintf(why, size, "%s cannot be opened: %s", name, strerror(-r));
    free(name);
    return r;
}

static int one_number(struct store_db *db, const char *sql, int *error)
{
    sqlite3_stmt *statement;
    int number = -1;

    *error = sqlite3_prepare_v2(db->sqlite, sql, -1, &statement, NULL);
    if (*error == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        number = sqlite3_column_int(statement, 0);
    else
        *error = sqlite3_extended_errcode(db->sqlite);
    sqlite3_finalize(statement);
    return number;
}

static int migrate(struct store_db *db, size_t version)
{
    char set[64];

    for (; version < store_step_count; version++) {
        snprintf(set, sizeof(set), "PRAGMA user_version = %zu", version + 1);
        int error = store_db_execute(db, "BEGIN IMMEDIATE");
        if (!error)
            error = store_db_execute(db, store_steps[version]);
        if (!error)
            error = store_db_execute(db, set);
        if (!error)
            error = store_db_execute(db, "COMMIT");
        if (error) {
            store_db_undo(db);
            return error;
        }
    }
    return 0;
}

static int errno_of(int error)
{
    switch (error & 0xFF) {
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* a table that we need is not there */
        return -EUCLEAN;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_CANTOPEN:
        return -EACCES;
    default:
        return -EIO;
    }
}

/* quick_check reads every page once; a state of a month is read in well under a second. */
static int check(struct store_db *db)
{
    sqlite3_stmt *statement;
    int error = sqlite3_prepare_v2(db->sqlite, "PRAGMA quick_check(1)", -1, &statement, NULL);

    if (error == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        const char *said = (const char *)sqlite3_column_text(statement, 0);

        error = !said ? SQLITE_NOMEM : strcmp(said, "ok") == 0 ? 0 : SQLITE_CORRUPT;
    } else {
        error = sqlite3_extended_errcode(db->sqlite);
    }
    sqlite3_finalize(statement);
    return error;
}

static int on_log(void *ctx, sqlite3 *sqlite, const char *name, int pages)
{
    struct store_db *db = ctx;

    (void)sqlite;
    (void)name;
    /* The log grew, or has begun anew after a checkpoint. */
    size_t grown = (size_t)pages > db->log_seen ? (size_t)pages - db->log_seen : (size_t)pages;
    db->log_written += grown;
    db->log_pages = db->log_seen = (size_t)pages;
    return SQLITE_OK;
}

static int open_database(struct store_db *db, char *why, size_t size)
{
    int error =
        sqlite3_open_v2(db->file, &db->sqlite,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

    if (!db->sqlite)
        return -ENOMEM;
    if (error == SQLITE_OK) {
        sqlite3_extended_result_codes(db->sqlite, 1);
        sqlite3_limit(db->sqlite, SQLITE_LIMIT_LENGTH, STORE_TEXT_MOST);
        sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        error = store_db_execute(
            db, "PRAGMA page_size = " PAGE_SIZE "; PRAGMA busy_timeout = 2000;"
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                "PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = ON;"
                "PRAGMA journal_size_limit = 8388608; PRAGMA temp_store = MEMORY;"
                "PRAGMA cache_size = -" CACHE_KB);
    } else {
        error = sqlite3_extended_errcode(db->sqlite);
    }
    int version = error ? 0 : one_number(db, "PRAGMA user_version", &error);
    if (!error && version > (int)store_step_count) {
        snprintf(why, size,
                 "%s was made by a newer jobgate (its version %d, this one knows %zu): install "
                 "that jobgate again, or move the file away",
                 db->file, version, store_step_count);
        return -EPROTO;
    }
    if (!error)
        error = check(db);
    if (!error)
        error = migrate(db, (size_t)(version > 0 ? version : 0));
    if (!error)
        error = store_db_prepare(db);
    if (!error)
        db->page_size = (size_t)one_number(db, "PRAGMA page_size", &error);
    if (error) {
        store_db_why(db, error, why, size);
        return errno_of(error);
    }
    sqlite3_wal_hook(db->sqlite, on_log, db);
    return 0;
}

int store_db_open(struct store_db **ret, const char *folder, char *why, size_t why_size)
{
    struct store_db *db = calloc(1, sizeof(*db));

    snprintf(why, why_size, "%s", "");
    if (!db)
        return -ENOMEM;
    db->lock = -1;
    int r = make_folder(folder, why, why_size);
    if (r == 0)
        r = take_lock(db, folder, why, why_size);
    if (r == 0 && asprintf(&db->file, "%s/jobgate.db", folder) < 0) {
        db->file = NULL;
        r = -ENOMEM;
    }
    if (r == 0)
        r = open_database(db, why, why_size);
    if (r < 0) {
        if (!*why)
            snprintf(why, why_size, "the store cannot be opened: %s", strerror(-r));
        store_db_close(db);
        return r;
    }
    *ret = db;
    return 0;
}

void store_db_close(struct store_db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < KEEP_COUNT; i++) {
        sqlite3_finalize(db->keep[i]);
        sqlite3_finalize(db->beside[i]);
    }
    sqlite3_finalize(db->recall);
    sqlite3_close(db->sqlite);
    if (db->lock >= 0)
        close(db->lock);
    free(db->file);
    free(db);
}
