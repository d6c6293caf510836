/* Store: what goes in comes out again after the next start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture_store.h"

#include <errno.h>
#include <sqlite3.h>

static void keep(struct store *store, uint64_t number, enum record_kind kind, const char *job,
                 const char *device, const char *text)
{
    store_give(store, record_of(number, kind, job, device, text));
}

static void assert_recalled(const char *folder, const char *wanted)
{
    struct store *store = open_at(folder);
    char *text = recalled(store);

    assert_string_equal(text, wanted);
    free(text);
    store_free(store);
}

static void an_empty_store_recalls_nothing(void **state)
{
    char *folder = folder_new();

    (void)state;
    assert_recalled(folder, "");
    folder_free(folder);
}

static void a_folder_that_is_missing_is_made(void **state)
{
    char *folder = folder_new();
    char inner[600];

    (void)state;
    snprintf(inner, sizeof(inner), "%s/state", folder);
    assert_recalled(inner, "");
    folder_free(strdup(inner));
    folder_free(folder);
}

static void a_folder_that_cannot_be_made_is_named(void **state)
{
    struct store *store;
    char why[300];

    (void)state;
    assert_int_equal(store_open(&store, "/proc/none/state", why, sizeof(why)), -ENOENT);
    assert_string_equal(why, "the state folder /proc/none/state cannot be made: "
                             "No such file or directory");
}

static void a_number_is_never_safe_inside_the_call(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    assert_int_equal(store_safe(store), 0);
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    assert_true(is_safe_within(store, 1, 60000));
    store_free(store);
    folder_free(folder);
}

static void a_job_comes_back_with_its_tasks_in_an_order_to_act_on(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    keep(store, 1, RECORD_JOB, "night", NULL, "{\"a\":1}");
    keep(store, 2, RECORD_TASKS, "night", NULL, "[\"r1\",\"r2\",\"r3\"]");
    keep(store, 3, RECORD_HANDED, "night", "r1", "h1");
    keep(store, 4, RECORD_HANDED, "night", "r2", "h2");
    keep(store, 5, RECORD_INTENT, "night", "r2", "j2");
    keep(store, 6, RECORD_OUTCOME, "night", "r1", "o1");
    keep(store, 7, RECORD_STATUS, "night", NULL, "running");
    keep(store, 8, RECORD_TWIN, NULL, "r1", "t1");
    assert_true(is_safe_within(store, 8, 60000));
    store_free(store);
    assert_recalled(folder, "7 - r1 t1\n1 night - {\"a\":1}\n"
                            "9 night - [\"r1\",\"r2\",\"r3\"]\n2 night r2 h2\n3 night r2 j2\n"
                            "5 night r1 o1\n6 night - running\n");
    folder_free(folder);
}

static void what_was_told_comes_back_with_what_it_was(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    keep(store, 2, RECORD_HANDED, "night", "r1", "h1");
    keep(store, 3, RECORD_TOLD, "night", "r1", NULL); /* a call that still runs */
    keep(store, 4, RECORD_OUTCOME, "night", "r2", "o2");
    keep(store, 5, RECORD_OUTCOME, "night", "r3", "o3");
    keep(store, 6, RECORD_TOLD, "night", "r3", NULL);
    keep(store, 7, RECORD_STATUS, "night", NULL, "over");
    keep(store, 8, RECORD_SHARED, "night", NULL, NULL);
    assert_int_equal(store_end(store, 60000), 0);
    store_free(store);
    assert_recalled(folder, "1 night - {}\n2 night r1 h1\n5 night r2 o2\n5 night r3 o3\n"
                            "11 night r1 -\n11 night r3 -\n6 night - over\n14 night - -\n");
    folder_free(folder);
}

static void give_step(struct store *store, uint64_t number, enum record_kind kind,
                      const char *job, const char *text)
{
    struct record *record = record_of(number, kind, job, NULL, text);

    record->step = 1;
    store_give(store, record);
}

static void what_nobody_needs_to_be_told_is_told(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    keep(store, 2, RECORD_JOB, "old", NULL, "{}");
    give_step(store, 3, RECORD_STATUS, "night", "over");
    give_step(store, 4, RECORD_FORGET, "old", "1900000000");
    assert_int_equal(store_end(store, 60000), 0);
    store_free(store);
    assert_recalled(folder, "13 old - 1900000000\n1 night - {}\n6 night - over\n"
                            "14 night - -\n");
    folder_free(folder);
}

static void a_forgotten_job_comes_back_until_its_share_is_cleared(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    keep(store, 9, RECORD_FORGET, "night", NULL, "1900000000");
    assert_int_equal(store_end(store, 60000), 0);
    store_free(store);
    assert_recalled(folder, "19 night - -\n");
    store = open_at(folder);
    assert_int_equal(store_last(store), 9);
    keep(store, 10, RECORD_SHARED, "night", NULL, NULL);
    assert_int_equal(store_end(store, 60000), 0);
    store_free(store);
    assert_recalled(folder, "13 night - 1900000000\n");
    folder_free(folder);
}

static void numbers_go_on_after_the_next_start(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    keep(store, 41, RECORD_JOB, "night", NULL, "{}");
    keep(store, 42, RECORD_STATUS, "night", NULL, "x");
    keep(store, 43, RECORD_OUTCOME, "night", "r1", "o");
    assert_true(is_safe_within(store, 43, 60000));
    store_free(store);
    store = open_at(folder);
    assert_int_equal(store_last(store), 43);
    assert_int_equal(store_safe(store), 43);
    store_free(store);
    folder_free(folder);
}

static void the_newest_count_of_a_devices_writes_comes_back(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    keep(store, 1, RECORD_WEAR, NULL, "r1", "w1");
    keep(store, 2, RECORD_WEAR, NULL, "r2", "w2");
    keep(store, 3, RECORD_WEAR, NULL, "r1", "w3");
    assert_true(is_safe_within(store, 3, 60000));
    store_free(store);
    assert_recalled(folder, "18 - r1 w3\n18 - r2 w2\n");
    store = open_at(folder);
    assert_int_equal(store_last(store), 3);
    store_free(store);
    folder_free(folder);
}

static void a_step_that_is_done_replaces_its_intent(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    keep(store, 2, RECORD_INTENT, "night", "r1", "j1");
    keep(store, 3, RECORD_DONE, "night", "r1", "j2");
    assert_int_equal(store_end(store, 60000), 0);
    store_free(store);
    assert_recalled(folder, "1 night - {}\n2 night r1 -\n4 night r1 j2\n");
    folder_free(folder);
}

/* Of what one commit holds only the last word about each is written. */
static void what_is_replaced_before_its_commit_is_not_written(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);
    struct store_state is;
    char device[16];

    (void)state;
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    assert_true(is_safe_within(store, 1, 60000));
    store_state(store, &is);
    uint64_t before = is.bytes;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(device, sizeof(device), "r%u", i % 3);
        keep(store, 2 + 3 * i, RECORD_HANDED, "night", device, "h");
        keep(store, 3 + 3 * i, RECORD_DONE, "night", device, "j");
        keep(store, 4 + 3 * i, RECORD_TWIN, NULL, device, i < 97 ? "old" : "new");
    }
    keep(store, 302, RECORD_OUTCOME, "night", "r0", "o");
    keep(store, 303, RECORD_INTENT, "night", "r1", "in doubt");
    store_hurry(store, 303);
    assert_true(is_safe_within(store, 303, 60000));
    store_state(store, &is);
    assert_int_equal(is.waiting, 0);
    assert_in_range(is.bytes - before, 1, 6 * 4200);
    store_free(store);
    assert_recalled(folder, "7 - r0 new\n7 - r1 new\n7 - r2 new\n1 night - {}\n"
                            "2 night r1 h\n2 night r2 h\n"
                            "3 night r1 in doubt\n4 night r2 j\n5 night r0 o\n");
    folder_free(folder);
}

static void a_cancel_before_its_job_waits_for_it(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    keep(store, 1, RECORD_CANCEL, "night", NULL, NULL);
    keep(store, 2, RECORD_JOB, "day", NULL, "{}");
    keep(store, 3, RECORD_CANCEL, "day", NULL, NULL);
    assert_int_equal(store_end(store, 60000), 0);
    store_free(store);
    assert_recalled(folder, "8 night - -\n1 day - {}\n8 day - -\n");
    folder_free(folder);
}

static void of_a_forgotten_job_only_the_id_stays(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    keep(store, 2, RECORD_OUTCOME, "night", "r1", "o");
    keep(store, 3, RECORD_JOB, "call-1", NULL, "{}");
    give_step(store, 4, RECORD_FORGET, "night", "1700000000");
    keep(store, 5, RECORD_FORGET, "call-1", NULL, NULL);
    assert_int_equal(store_end(store, 60000), 0);
    store_free(store);
    assert_recalled(folder, "13 night - 1700000000\n");
    folder_free(folder);
}

static void ids_are_remembered_400_days(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    give_step(store, 1, RECORD_FORGET, "old", "1600000000");
    give_step(store, 2, RECORD_FORGET, "young", "1600000001");
    give_step(store, 3, RECORD_FORGET, "new", "1634560001");
    assert_int_equal(store_end(store, 60000), 0);
    store_free(store);
    assert_recalled(folder, "13 new - 1634560001\n13 young - 1600000001\n");
    folder_free(folder);
}

static void what_everybody_knows_is_marked(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    keep(store, 2, RECORD_OUTCOME, "night", "r1", "o1");
    keep(store, 3, RECORD_OUTCOME, "night", "r2", "o2");
    keep(store, 4, RECORD_TOLD, "night", "r2", NULL);
    keep(store, 5, RECORD_SHARED, "night", NULL, NULL);
    assert_int_equal(store_end(store, 60000), 0);
    store_free(store);
    assert_recalled(folder, "1 night - {}\n5 night r1 o1\n5 night r2 o2\n11 night r2 -\n"
                            "14 night - -\n");
    folder_free(folder);
}

static void a_record_of_an_unknown_job_harms_nobody(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    keep(store, 1, RECORD_HANDED, "never", "r1", "h1");
    keep(store, 2, RECORD_INTENT, "never", "r2", "i2");
    keep(store, 3, RECORD_DONE, "never", "r3", "d3");
    keep(store, 4, RECORD_OUTCOME, "never", "r4", "o4");
    keep(store, 5, RECORD_TOLD, "never", "r4", NULL);
    keep(store, 6, RECORD_JOB, "night", NULL, "{}");
    assert_true(is_safe_within(store, 6, 60000));
    store_free(store);
    assert_recalled(folder, "1 night - {}\n");
    folder_free(folder);
}

static void what_gathers_goes_into_few_commits(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);
    struct store_state was;
    char device[16];

    (void)state;
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    for (unsigned i = 2; i <= 1001; i++) {
        snprintf(device, sizeof(device), "r%u", i);
        keep(store, i, RECORD_OUTCOME, "night", device, "{\"status\":\"completed\"}");
    }
    assert_true(is_safe_within(store, 1001, 60000));
    store_state(store, &was);
    assert_true(was.takes);
    assert_int_equal(was.waiting, 0);
    assert_in_range(was.commits, 1, 100);
    assert_in_range(was.bytes, 1, 4000000);
    store_free(store);
    folder_free(folder);
}

static void two_programs_never_share_a_state(void **state)
{
    char *folder = folder_new();
    struct store *first = open_at(folder), *second;
    char why[300], wanted[300];

    (void)state;
    assert_int_equal(store_open(&second, folder, why, sizeof(why)), -EBUSY);
    snprintf(wanted, sizeof(wanted), "another jobgate runs with the state in %s", folder);
    assert_string_equal(why, wanted);
    store_free(first);
    folder_free(folder);
}

/* --- versions --- */

static void run_sql(const char *folder, const char *sql)
{
    sqlite3 *db;
    char name[600];

    snprintf(name, sizeof(name), "%s/jobgate.db", folder);
    assert_int_equal(sqlite3_open(name, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_file_without_a_version_is_brought_up_to_date(void **state)
{
    char *folder = folder_new();

    (void)state;
    run_sql(folder, "PRAGMA user_version = 0");
    assert_recalled(folder, "");
    assert_recalled(folder, "");
    folder_free(folder);
}

static void tasks_of_an_older_version_are_taken_over(void **state)
{
    char *folder = folder_new();

    (void)state;
    store_free(open_at(folder));
    run_sql(
        folder,
        "ALTER TABLE known DROP COLUMN number; ALTER TABLE known DROP COLUMN cleared;"
        "DROP TABLE told; DROP TABLE task; CREATE TABLE task (job INTEGER NOT NULL REFERENCES "
        "job(number) "
        "ON DELETE CASCADE, device TEXT NOT NULL, number INTEGER NOT NULL, handed TEXT, "
        "intent INTEGER NOT NULL DEFAULT 0, journal TEXT, outcome TEXT, told INTEGER NOT "
        "NULL DEFAULT 0, PRIMARY KEY (job, device)) STRICT, WITHOUT ROWID;"
        "INSERT INTO job (number, id, request, tasks) VALUES (1, 'night', '{}', '[]');"
        "INSERT INTO task (job, device, number, outcome) VALUES (1, 'r1', 2, 'o1');"
        "INSERT INTO task (job, device, number, journal, intent) VALUES (1, 'r2', 3, 'j', 1);"
        "PRAGMA user_version = 3");
    assert_recalled(folder, "1 night - {}\n9 night - []\n2 night r2 -\n3 night r2 j\n"
                            "5 night r1 o1\n");
    folder_free(folder);
}

static void a_newer_version_is_left_alone(void **state)
{
    char *folder = folder_new(), why[400];
    struct store *store;

    (void)state;
    run_sql(folder, "PRAGMA user_version = 99; CREATE TABLE future (x)");
    assert_int_equal(store_open(&store, folder, why, sizeof(why)), -EPROTO);
    assert_non_null(strstr(why, "/jobgate.db was made by a newer jobgate (its version 99"));
    folder_free(folder);
}

/* --- damage --- */

static void write_file(const char *folder, const char *name, long at, const char *text,
                       size_t size)
{
    char path[600];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, at ? "r+e" : "we");
    assert_non_null(file);
    fseek(file, at, SEEK_SET);
    fwrite(text, 1, size, file);
    fclose(file);
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    char *folder = folder_new(), why[400];
    char text[8192];
    struct store *store;

    (void)state;
    memset(text, 'x', sizeof(text));
    write_file(folder, "jobgate.db", 0, text, sizeof(text));
    assert_int_equal(store_open(&store, folder, why, sizeof(why)), -EUCLEAN);
    assert_non_null(
        strstr(why, "/jobgate.db is damaged (file is not a database): move it away"));
    folder_free(folder);
}

static void a_damaged_page_is_found_at_the_start(void **state)
{
    char *folder = folder_new(), why[400];
    char text[4096];
    struct store *store = open_at(folder);

    (void)state;
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    assert_int_equal(store_end(store, 60000), 0);
    store_free(store);
    memset(text, 0x5A, sizeof(text));
    write_file(folder, "jobgate.db", 4096, text, sizeof(text));
    assert_int_equal(store_open(&store, folder, why, sizeof(why)), -EUCLEAN);
    assert_non_null(strstr(why, "is damaged"));
    folder_free(folder);
}

static void memory_is_safe_at_once_and_recalls_nothing(void **state)
{
    struct store *store;

    (void)state;
    assert_int_equal(store_new(&store), 0);
    keep(store, 7, RECORD_JOB, "night", NULL, "{}");
    assert_int_equal(store_safe(store), 7);
    assert_null(store_recall(store));
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_store_recalls_nothing),
        cmocka_unit_test(a_folder_that_is_missing_is_made),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_named),
        cmocka_unit_test(a_number_is_never_safe_inside_the_call),
        cmocka_unit_test(a_job_comes_back_with_its_tasks_in_an_order_to_act_on),
        cmocka_unit_test(what_was_told_comes_back_with_what_it_was),
        cmocka_unit_test(what_nobody_needs_to_be_told_is_told),
        cmocka_unit_test(a_forgotten_job_comes_back_until_its_share_is_cleared),
        cmocka_unit_test(numbers_go_on_after_the_next_start),
        cmocka_unit_test(the_newest_count_of_a_devices_writes_comes_back),
        cmocka_unit_test(a_step_that_is_done_replaces_its_intent),
        cmocka_unit_test(what_is_replaced_before_its_commit_is_not_written),
        cmocka_unit_test(a_cancel_before_its_job_waits_for_it),
        cmocka_unit_test(of_a_forgotten_job_only_the_id_stays),
        cmocka_unit_test(ids_are_remembered_400_days),
        cmocka_unit_test(what_everybody_knows_is_marked),
        cmocka_unit_test(a_record_of_an_unknown_job_harms_nobody),
        cmocka_unit_test(what_gathers_goes_into_few_commits),
        cmocka_unit_test(two_programs_never_share_a_state),
        cmocka_unit_test(a_file_without_a_version_is_brought_up_to_date),
        cmocka_unit_test(tasks_of_an_older_version_are_taken_over),
        cmocka_unit_test(a_newer_version_is_left_alone),
        cmocka_unit_test(a_file_that_is_no_database_is_refused),
        cmocka_unit_test(a_damaged_page_is_found_at_the_start),
        cmocka_unit_test(memory_is_safe_at_once_and_recalls_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
