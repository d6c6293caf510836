#include "store/store_schema.h"

/* A job's number is that of its first record, so jobs are in the order of acceptance. A task
   has a row from its first frame on; what it writes is replaced in place until the outcome
   comes. `told`: the links have delivered it. `known`: ids of jobs of which nothing else is
   left. */
const char *const store_steps[] = {
    "CREATE TABLE job ("
    "  number INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE,"
    "  request TEXT NOT NULL,"
    "  tasks TEXT,"
    "  status TEXT,"
    "  canceled INTEGER NOT NULL DEFAULT 0,"
    "  told INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE TABLE task ("
    "  job INTEGER NOT NULL REFERENCES job(number) ON DELETE CASCADE,"
    "  device TEXT NOT NULL,"
    "  number INTEGER NOT NULL,"
    "  handed TEXT,"
    "  intent INTEGER NOT NULL DEFAULT 0,"
    "  journal TEXT,"
    "  outcome TEXT,"
    "  told INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY (job, device)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE twin ("
    "  device TEXT PRIMARY KEY,"
    "  number INTEGER NOT NULL,"
    "  twin TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE early_cancel ("
    "  id TEXT PRIMARY KEY,"
    "  number INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE known ("
    "  id TEXT PRIMARY KEY,"
    "  at INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    /* 400 days are remembered. */
    "CREATE TRIGGER known_long AFTER INSERT ON known BEGIN"
    "  DELETE FROM known WHERE at < NEW.at - 34560000;"
    "END;"
    "CREATE TABLE clock ("
    "  only INTEGER PRIMARY KEY CHECK (only = 1),"
    "  number INTEGER NOT NULL,"
    "  clock TEXT NOT NULL"
    ") STRICT;",
    /* A job that is over and told goes on the shelf: its row in `history` is what the outside
       sees of it, and nobody but a reader looks at it again. */
    "CREATE TABLE history ("
    "  number INTEGER PRIMARY KEY REFERENCES job(number) ON DELETE CASCADE,"
    "  ended INTEGER NOT NULL,"
    "  view TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX history_ended ON history (ended);"
    "CREATE INDEX known_at ON known (at);"
    "CREATE TABLE polled ("
    "  device TEXT PRIMARY KEY,"
    "  polled TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;",

    "CREATE TABLE wear ("
    "  device TEXT PRIMARY KEY,"
    "  number INTEGER NOT NULL,"
    "  wear TEXT NOT NULL"
    ") STRICT, WITHOUT ROWID;",

    /* Tasks with row numbers: what ends is put at the end of the table, into few pages. */
    "CREATE TABLE task_new ("
    "  job INTEGER NOT NULL REFERENCES job(number) ON DELETE CASCADE,"
    "  device TEXT NOT NULL,"
    "  number INTEGER NOT NULL,"
    "  handed TEXT,"
    "  intent INTEGER NOT NULL DEFAULT 0,"
    "  journal TEXT,"
    "  outcome TEXT,"
    "  told INTEGER NOT NULL DEFAULT 0,"
    "  PRIMARY KEY (job, device)"
    ") STRICT;"
    "INSERT INTO task_new SELECT job, device, number, handed, intent, journal, outcome, told"
    "  FROM task;"
    "DROP TABLE task;"
    "ALTER TABLE task_new RENAME TO task;",

    /* What a forgotten job left with others is cleared; until they know, `cleared` is 0. */
    "ALTER TABLE known ADD COLUMN number INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE known ADD COLUMN cleared INTEGER NOT NULL DEFAULT 1;",

    /* Marks of what has arrived lie close together: in the rows of the tasks each of them wrote
       an outcome once more. `told` of a task says only that nobody needs to be told. */
    "CREATE TABLE told ("
    "  job INTEGER NOT NULL REFERENCES job(number) ON DELETE CASCADE,"
    "  device TEXT NOT NULL,"
    "  PRIMARY KEY (job, device)"
    ") STRICT, WITHOUT ROWID;",
};

const size_t store_step_count = sizeof(store_steps) / sizeof(store_steps[0]);
