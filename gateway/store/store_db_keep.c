/* Keeping: records become rows, in one transaction for many. */
#include "store/store_db_private.h"

#include <assert.h>

/* --- statements: one for each kind of record, so that keeping is a table and not a program ---
 */

/* ?1 number, ?2 job id, ?3 device id, ?4 text, ?5 step. A job that is not there makes no row:
   its number is NULL, which is ignored. (INSERT ... SELECT says the same, and is made ready to
   be taken back row by row, which costs a third more.) */
#define JOB         "(SELECT number FROM job WHERE id = ?2)"
#define TASK_OF_JOB "VALUES (" JOB ", ?3, ?1"
static const char *const keep_sql[KEEP_COUNT] = {
    [RECORD_JOB] = "INSERT INTO job (number, id, request) VALUES (?1, ?2, ifnull(?4, ''))"
                   " ON CONFLICT DO UPDATE SET request = excluded.request",
    [RECORD_HANDED] =
        "INSERT OR IGNORE INTO task (job, device, number, handed) " TASK_OF_JOB ", ?4)"
        " ON CONFLICT (job, device) DO UPDATE SET handed = excluded.handed",
    [RECORD_INTENT] =
        "INSERT OR IGNORE INTO task (job, device, number, journal, intent) " TASK_OF_JOB
        ", ?4, 1)"
        " ON CONFLICT (job, device) DO UPDATE SET journal = excluded.journal, intent = 1",
    [RECORD_DONE] =
        "INSERT OR IGNORE INTO task (job, device, number, journal) " TASK_OF_JOB ", ?4)"
        " ON CONFLICT (job, device) DO UPDATE SET journal = excluded.journal, intent = 0",
    [RECORD_OUTCOME] =
        "INSERT OR IGNORE INTO task (job, device, number, outcome, told) " TASK_OF_JOB
        ", ?4, ?5)"
        " ON CONFLICT (job, device) DO UPDATE SET outcome = excluded.outcome,"
        " number = excluded.number, told = excluded.told,"
        " handed = NULL, journal = NULL, intent = 0",
    [RECORD_STATUS] = "UPDATE job SET status = ?4, told = ?5 WHERE id = ?2",
    [RECORD_TWIN] = "INSERT INTO twin (device, number, twin) VALUES (?3, ?1, ifnull(?4, ''))"
                    " ON CONFLICT DO UPDATE SET number = excluded.number, twin = excluded.twin",
    [RECORD_CANCEL] = "UPDATE job SET canceled = 1 WHERE id = ?2",
    [RECORD_TASKS] = "UPDATE job SET tasks = ?4 WHERE id = ?2",
    [RECORD_FORGET] = "DELETE FROM job WHERE id = ?2",
    [RECORD_TOLD] = "INSERT OR IGNORE INTO told (job, device) VALUES (" JOB ", ?3)",
    [RECORD_CLOCK] = "INSERT OR REPLACE INTO clock VALUES (1, ?1, ifnull(?4, ''))",
    [RECORD_SHARED] = "UPDATE job SET told = 1 WHERE id = ?2",
    [RECORD_SHELVED] = "INSERT OR REPLACE INTO history (number, ended, view)"
                       " SELECT number, ifnull(json_extract(status, '$.ended'), 0), ?4"
                       " FROM job WHERE id = ?2",
    [RECORD_POLLED] = "INSERT OR REPLACE INTO polled (device, polled) VALUES (?3, ?4)",
    [RECORD_PURGE] = "DELETE FROM task WHERE job = (SELECT number FROM job WHERE id = ?2) AND"
                     " device IN (SELECT device FROM task WHERE"
                     " job = (SELECT number FROM job WHERE id = ?2) LIMIT ?5)",
    [RECORD_WEAR] = "INSERT INTO wear (device, number, wear) VALUES (?3, ?1, ifnull(?4, ''))"
                    " ON CONFLICT DO UPDATE SET number = excluded.number, wear = excluded.wear",
};

/* What some kinds do beside. */
static const char *const beside_sql[KEEP_COUNT] = {
    [RECORD_JOB] = "DELETE FROM early_cancel WHERE id = ?2",
    [RECORD_CANCEL] = "INSERT OR IGNORE INTO early_cancel (id, number) SELECT ?2, ?1"
                      " WHERE NOT EXISTS (SELECT 1 FROM job WHERE id = ?2)",
    [RECORD_FORGET] = "INSERT OR REPLACE INTO known (id, at, number, cleared)"
                      " SELECT ?2, CAST(?4 AS INTEGER), ?1, ?5 WHERE ?4 IS NOT NULL",
    [RECORD_SHARED] = "UPDATE known SET cleared = 1 WHERE id = ?2 AND cleared = 0",
};

int store_db_prepare(struct store_db *db)
{
    for (size_t i = 0; i < KEEP_COUNT; i++) {
        if (keep_sql[i] &&
            sqlite3_prepare_v3(db->sqlite, keep_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &db->keep[i], NULL) != SQLITE_OK)
            return sqlite3_extended_errcode(db->sqlite);
        if (beside_sql[i] &&
            sqlite3_prepare_v3(db->sqlite, beside_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &db->beside[i], NULL) != SQLITE_OK)
            return sqlite3_extended_errcode(db->sqlite);
    }
    return 0;
}

int store_db_execute(struct store_db *db, const char *sql)
{
    return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : sqlite3_extended_errcode(db->sqlite);
}

int store_db_begin(struct store_db *db)
{
    return store_db_execute(db, "BEGIN IMMEDIATE");
}

int store_db_commit(struct store_db *db)
{
    return store_db_execute(db, "COMMIT");
}

void store_db_undo(struct store_db *db)
{
    if (!sqlite3_get_autocommit(db->sqlite))
        store_db_execute(db, "ROLLBACK");
}

static void bind(sqlite3_stmt *statement, int index, const char *text)
{
    /* Not every statement uses each of the values. */
    if (index > sqlite3_bind_parameter_count(statement))
        return;
    if (text)
        sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, index);
}

static int carry_out(struct store_db *db, sqlite3_stmt *statement, const struct record *record)
{
    int error = 0;

    sqlite3_bind_int64(statement, 1, (sqlite3_int64)record->number);
    bind(statement, 2, record->job_id);
    bind(statement, 3, record->device_id);
    bind(statement, 4, record->text);
    if (sqlite3_bind_parameter_count(statement) >= 5)
        sqlite3_bind_int64(statement, 5, record->step);
    if (sqlite3_step(statement) != SQLITE_DONE)
        error = sqlite3_extended_errcode(db->sqlite);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return error;
}

int store_db_keep(struct store_db *db, const struct record *record)
{
    assert((size_t)record->kind < KEEP_COUNT && db->keep[record->kind]);
    int error = carry_out(db, db->keep[record->kind], record);
    if (!error && db->beside[record->kind])
        error = carry_out(db, db->beside[record->kind], record);
    return error;
}

uint64_t store_db_log_bytes(const struct store_db *db)
{
    return (uint64_t)db->log_pages * (db->page_size + LOG_HEADER_SIZE);
}

uint64_t store_db_written(const struct store_db *db)
{
    return (uint64_t)db->log_written * (db->page_size + LOG_HEADER_SIZE);
}

void store_db_checkpoint(struct store_db *db)
{
    /* What cannot be moved now stays in the log, where it is as safe. */
    if (sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) ==
        SQLITE_OK)
        db->log_pages = 0;
}
