#include "store/history_read.h"
#include "base/clock.h"
#include "store/store_db_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of one statement, which is one transaction. */
enum { STATEMENT_ROWS = 256, BUSY_MS = 500 };

enum statement { READ_JOB, READ_JOBS, READ_HOLDERS, READ_TASKS, READ_OLD, STATEMENT_COUNT };

/* A job that is on the shelf has a row in `history`. A single call has no tasks listed. */
static const char *const sql[STATEMENT_COUNT] = {
    [READ_JOB] = "SELECT job.number, view FROM job JOIN history USING (number) WHERE id = ?1",
    [READ_JOBS] = "SELECT number, view FROM history WHERE number <= ?1"
                  " ORDER BY number DESC LIMIT ?2",
    [READ_HOLDERS] = "SELECT number FROM job WHERE number <= ?1 AND tasks IS NOT NULL AND"
                     " (?3 IS NULL OR id = ?3) ORDER BY number DESC LIMIT ?2",
    [READ_TASKS] =
        "SELECT each.key, outcome FROM job, json_each(job.tasks, '$.devices') AS each"
        " JOIN task ON task.job = job.number AND task.device = each.value"
        " WHERE job.number = ?1 AND each.key >= ?2 AND outcome IS NOT NULL"
        " AND (?4 IS NULL OR each.value = ?4) ORDER BY each.key LIMIT ?3",
    /* Of the calls' ids all begin alike, and no job of that name is taken for one. */
    [READ_OLD] =
        "SELECT * FROM (SELECT history.number, id, 0,"
        "  (SELECT count(*) FROM task WHERE task.job = history.number)"
        "  FROM history JOIN job USING (number) WHERE ended < ?1 ORDER BY ended LIMIT ?3)"
        " UNION ALL"
        " SELECT * FROM (SELECT number, id, 1, 1 FROM job"
        "  WHERE id >= 'call-' AND id < 'call.' AND tasks IS NULL"
        "  AND ifnull(json_extract(request, '$.request.kind'), 0) = 0"
        "  AND json_extract(request, '$.created') < ?2"
        "  AND EXISTS (SELECT 1 FROM task WHERE task.job = job.number AND outcome IS NOT NULL)"
        "  LIMIT ?3)",
};

struct history_read {
    struct store_db db; /* for its words about errors; only file and sqlite are used */
    sqlite3_stmt *statements[STATEMENT_COUNT];
};

/* One look while it is being answered. */
struct reading {
    struct history_read *reader;
    struct look *look;
    size_t size;
    int64_t until_us;
    atomic_bool *ending;
};

int history_read_new(struct history_read **ret, const char *folder)
{
    struct history_read *reader = calloc(1, sizeof(*reader));

    if (!reader)
        return -ENOMEM;
    if (asprintf(&reader->db.file, "%s/jobgate.db", folder) < 0) {
        free(reader);
        return -ENOMEM;
    }
    *ret = reader;
    return 0;
}

static void disconnect(struct history_read *reader)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(reader->statements[i]);
        reader->statements[i] = NULL;
    }
    sqlite3_close(reader->db.sqlite);
    reader->db.sqlite = NULL;
}

void history_read_free(struct history_read *reader)
{
    if (!reader)
        return;
    disconnect(reader);
    free(reader->db.file);
    free(reader);
}

static int connect(struct history_read *reader)
{
    int error;

    if (reader->db.sqlite)
        return 0;
    error = sqlite3_open_v2(reader->db.file, &reader->db.sqlite,
                            SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (error == SQLITE_OK) {
        sqlite3_extended_result_codes(reader->db.sqlite, 1);
        sqlite3_limit(reader->db.sqlite, SQLITE_LIMIT_LENGTH, STORE_TEXT_MOST);
        sqlite3_busy_timeout(reader->db.sqlite, BUSY_MS);
        error = store_db_execute(&reader->db, "PRAGMA temp_store = MEMORY");
    }
    for (size_t i = 0; i < STATEMENT_COUNT && !error; i++)
        error = sqlite3_prepare_v3(reader->db.sqlite, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                   &reader->statements[i], NULL);
    return error;
}

static void bind_number(sqlite3_stmt *statement, int index, uint64_t number)
{
    sqlite3_bind_int64(statement, index,
                       number > INT64_MAX ? INT64_MAX : (sqlite3_int64)number);
}

/* 0 also at the end of the rows. */
static int finish(const struct reading *reading, sqlite3_stmt *statement, int step)
{
    int error = step == SQLITE_DONE ? 0 : sqlite3_extended_errcode(reading->reader->db.sqlite);

    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return error;
}

static int add(struct reading *reading, struct look_row row, const char *text)
{
    struct look *look = reading->look;

    if (look->count == reading->size) {
        size_t size = reading->size ? reading->size * 2 : 16;
        struct look_row *rows = reallocarray(look->rows, size, sizeof(*rows));

        if (!rows)
            return SQLITE_NOMEM;
        look->rows = rows;
        reading->size = size;
    }
    row.text = strdup(text ? text : "");
    if (!row.text)
        return SQLITE_NOMEM;
    look->rows[look->count++] = row;
    return 0;
}

/* True when the look is over, and goes on from this place another time. */
static bool is_full(struct reading *reading, struct look_place place)
{
    struct look *look = reading->look;

    if (look->count < look->most && clock_boot_us() < reading->until_us &&
        !atomic_load(reading->ending))
        return false;
    look->more = true;
    look->next = place;
    return true;
}

/* A row that is wanted, and fits; 0 or an error. */
static int take(struct reading *reading, struct look_place place, const char *text)
{
    const struct look *look = reading->look;

    if (look->fits && (!text || !look->fits(look->ctx, text)))
        return 0;
    return add(reading, (struct look_row){.place = place}, text);
}

static const char *text_of(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

static int read_job(struct reading *reading)
{
    sqlite3_stmt *statement = reading->reader->statements[READ_JOB];
    int step = SQLITE_DONE, error = 0;

    sqlite3_bind_text(statement, 1, reading->look->job_id, -1, SQLITE_STATIC);
    while (!error && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        struct look_place place = {(uint64_t)sqlite3_column_int64(statement, 0), 0};

        error = take(reading, place, text_of(statement, 1));
    }
    int end = finish(reading, statement, error ? SQLITE_DONE : step);
    return error ? error : end;
}

static int read_jobs(struct reading *reading)
{
    struct look_place place = {reading->look->from.order, 0};
    size_t rows = STATEMENT_ROWS;
    int error = 0;

    while (!error && rows == STATEMENT_ROWS) {
        sqlite3_stmt *statement = reading->reader->statements[READ_JOBS];
        bool full = false;
        int step = SQLITE_DONE;

        rows = 0;
        bind_number(statement, 1, place.order);
        sqlite3_bind_int(statement, 2, STATEMENT_ROWS);
        while (!error && (step = sqlite3_step(statement)) == SQLITE_ROW) {
            place.order = (uint64_t)sqlite3_column_int64(statement, 0);
            if ((full = is_full(reading, place)))
                break;
            rows++;
            error = take(reading, place, text_of(statement, 1));
            place.order--;
        }
        int end = finish(reading, statement, full || error ? SQLITE_DONE : step);
        error = error ? error : end;
        if (full)
            break;
    }
    return error;
}

/* The tasks of one job, as long as there is room; *full when there is not. */
static int read_tasks_of(struct reading *reading, struct look_place place, bool *full)
{
    size_t rows = STATEMENT_ROWS;
    int error = 0;

    while (!error && !*full && rows == STATEMENT_ROWS) {
        sqlite3_stmt *statement = reading->reader->statements[READ_TASKS];
        int step = SQLITE_DONE;

        rows = 0;
        bind_number(statement, 1, place.order);
        bind_number(statement, 2, place.index);
        sqlite3_bind_int(statement, 3, STATEMENT_ROWS);
        if (reading->look->device_id)
            sqlite3_bind_text(statement, 4, reading->look->device_id, -1, SQLITE_STATIC);
        while (!error && (step = sqlite3_step(statement)) == SQLITE_ROW) {
            place.index = (uint64_t)sqlite3_column_int64(statement, 0);
            if ((*full = is_full(reading, place)))
                break;
            rows++;
            error = take(reading, place, text_of(statement, 1));
            place.index++;
        }
        int end = finish(reading, statement, *full || error ? SQLITE_DONE : step);
        error = error ? error : end;
    }
    return error;
}

/* The next jobs that have tasks, from `order` downwards. */
static int read_holders(struct reading *reading, uint64_t order, uint64_t *orders,
                        size_t *count)
{
    sqlite3_stmt *statement = reading->reader->statements[READ_HOLDERS];
    int step;

    *count = 0;
    bind_number(statement, 1, order);
    sqlite3_bind_int(statement, 2, STATEMENT_ROWS);
    if (reading->look->job_id)
        sqlite3_bind_text(statement, 3, reading->look->job_id, -1, SQLITE_STATIC);
    while ((step = sqlite3_step(statement)) == SQLITE_ROW && *count < STATEMENT_ROWS)
        orders[(*count)++] = (uint64_t)sqlite3_column_int64(statement, 0);
    return finish(reading, statement, step == SQLITE_ROW ? SQLITE_DONE : step);
}

static int read_tasks(struct reading *reading)
{
    struct look_place from = reading->look->from;
    uint64_t orders[STATEMENT_ROWS];
    size_t count = STATEMENT_ROWS;
    bool full = false;
    int error = 0;

    while (!error && !full && count == STATEMENT_ROWS) {
        error = read_holders(reading, from.order, orders, &count);
        for (size_t i = 0; i < count && !error && !full; i++) {
            if (orders[i] != from.order)
                from = (struct look_place){orders[i], 0};
            full = is_full(reading, from);
            if (!full)
                error = read_tasks_of(reading, from, &full);
            from = (struct look_place){orders[i] - 1, 0};
        }
    }
    return error;
}

static int read_old(struct reading *reading)
{
    const struct look *look = reading->look;
    sqlite3_stmt *statement = reading->reader->statements[READ_OLD];
    int step = SQLITE_DONE, error = 0;

    sqlite3_bind_int64(statement, 1, look->jobs_ms);
    sqlite3_bind_int64(statement, 2, look->calls_ms);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)look->most);
    while (!error && (step = sqlite3_step(statement)) == SQLITE_ROW)
        error = add(reading,
                    (struct look_row){.place = {(uint64_t)sqlite3_column_int64(statement, 0),
                                                (uint64_t)sqlite3_column_int64(statement, 3)},
                                      .call = sqlite3_column_int(statement, 2) != 0},
                    text_of(statement, 1));
    int end = finish(reading, statement, error ? SQLITE_DONE : step);
    return error ? error : end;
}

static int answer(struct reading *reading)
{
    switch (reading->look->kind) {
    case LOOK_JOB:
        return read_job(reading);
    case LOOK_JOBS:
        return read_jobs(reading);
    case LOOK_TASKS:
        return read_tasks(reading);
    case LOOK_OLD:
        return read_old(reading);
    }
    return 0;
}

void history_read(struct history_read *reader, struct look *look, atomic_bool *ending)
{
    struct reading reading = {.reader = reader,
                              .look = look,
                              .until_us = clock_boot_us() + HISTORY_LOOK_MS * INT64_C(1000),
                              .ending = ending};
    int error = connect(reader);

    if (!error)
        error = answer(&reading);
    if (!error)
        return;
    for (size_t i = 0; i < look->count; i++)
        free(look->rows[i].text);
    look->count = 0;
    look->more = false;
    if (reader->db.sqlite)
        store_db_why(&reader->db, error, look->why, sizeof(look->why));
    else
        snprintf(look->why, sizeof(look->why), "%s cannot be read: out of memory",
                 reader->db.file);
    disconnect(reader);
}
