/* History: what is on the shelf is read page by page, while the store goes on writing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture_store.h"
#include "store/history.h"

#include <fcntl.h>
#include <sqlite3.h>

struct shelf {
    char *folder;
    struct store *store;
    struct history *history;
    uint64_t number;
};

static int open_shelf(void **state)
{
    struct shelf *shelf = calloc(1, sizeof(*shelf));

    shelf->folder = folder_new();
    shelf->store = open_at(shelf->folder);
    assert_int_equal(history_open(&shelf->history, shelf->folder), 0);
    *state = shelf;
    return 0;
}

static int close_shelf(void **state)
{
    struct shelf *shelf = *state;

    history_free(shelf->history);
    store_free(shelf->store);
    folder_free(shelf->folder);
    free(shelf);
    return 0;
}

static void keep(struct shelf *shelf, enum record_kind kind, const char *job,
                 const char *device, const char *text)
{
    store_give(shelf->store, record_of(++shelf->number, kind, job, device, text));
}

static void settle(struct shelf *shelf)
{
    keep(shelf, RECORD_CLOCK, NULL, NULL, "{}");
    store_hurry(shelf->store, shelf->number);
    assert_true(is_safe_within(shelf->store, shelf->number, 20000));
}

/* A job on devices "c", "a", "b", in this order, that ended at `ended_ms`. */
static void keep_job(struct shelf *shelf, const char *id, int64_t ended_ms, bool shelved)
{
    static const char *const devices[] = {"a", "b", "c"};
    char text[200];

    snprintf(text, sizeof(text), "{\"request\":{\"kind\":1,\"fingerprint\":%zu}}", strlen(id));
    keep(shelf, RECORD_JOB, id, NULL, text);
    keep(shelf, RECORD_TASKS, id, NULL, "{\"devices\":[\"c\",\"a\",\"b\"]}");
    for (size_t i = 0; i < 3; i++) {
        snprintf(text, sizeof(text), "%s/%s", id, devices[i]);
        keep(shelf, RECORD_OUTCOME, id, devices[i], text);
    }
    snprintf(text, sizeof(text), "{\"ended\":%lld}", (long long)ended_ms);
    keep(shelf, RECORD_STATUS, id, NULL, text);
    if (shelved)
        keep(shelf, RECORD_SHELVED, id, NULL, id);
}

static struct look *answered(struct shelf *shelf, struct look *look)
{
    struct pollfd fd = {.fd = history_fd(shelf->history), .events = POLLIN};
    struct look *back;

    assert_int_equal(history_ask(shelf->history, look), 0);
    assert_int_equal(poll(&fd, 1, 60000), 1);
    back = history_take(shelf->history);
    assert_ptr_equal(back, look);
    return back;
}

/* The texts of all pages, in one line. */
static void assert_pages(struct shelf *shelf, enum look_kind kind, size_t most,
                         bool (*fits)(void *ctx, const char *text), const char *wanted)
{
    struct look_place from = {INT64_MAX, 0};
    char text[4000] = "";
    bool more = true;

    for (int page = 0; more && page < 1000; page++) {
        struct look *look = look_new(kind, most);

        look->from = from;
        look->fits = fits;
        answered(shelf, look);
        assert_string_equal(look->why, "");
        assert_true(look->count <= most);
        for (size_t i = 0; i < look->count; i++) {
            strcat(text, look->rows[i].text);
            strcat(text, " ");
        }
        more = look->more;
        from = look->next;
        look_free(look);
    }
    assert_false(more);
    assert_string_equal(text, wanted);
}

static void a_shelved_job_is_found_by_its_id(void **state)
{
    struct shelf *shelf = *state;
    struct look *look = look_new(LOOK_JOB, 1);

    keep_job(shelf, "night", 5, true);
    settle(shelf);
    look->job_id = strdup("night");
    answered(shelf, look);
    assert_int_equal(look->count, 1);
    assert_string_equal(look->rows[0].text, "night");
    look_free(look);
}

static void a_job_that_is_not_shelved_is_not_seen(void **state)
{
    struct shelf *shelf = *state;

    keep_job(shelf, "runs", 5, false);
    settle(shelf);
    assert_pages(shelf, LOOK_JOBS, 10, NULL, "");
}

static void jobs_come_newest_first_page_by_page(void **state)
{
    struct shelf *shelf = *state;

    keep_job(shelf, "j1", 5, true);
    keep_job(shelf, "j2", 5, true);
    keep_job(shelf, "j3", 5, true);
    settle(shelf);
    assert_pages(shelf, LOOK_JOBS, 1, NULL, "j3 j2 j1 ");
    assert_pages(shelf, LOOK_JOBS, 2, NULL, "j3 j2 j1 ");
    assert_pages(shelf, LOOK_JOBS, 3, NULL, "j3 j2 j1 ");
}

static void more_jobs_than_one_statement_reads_come_all(void **state)
{
    struct shelf *shelf = *state;
    struct look *look = look_new(LOOK_JOBS, 1000);
    char id[20];

    for (int i = 0; i < 600; i++) {
        snprintf(id, sizeof(id), "j%d", i);
        keep(shelf, RECORD_JOB, id, NULL, "{}");
        keep(shelf, RECORD_SHELVED, id, NULL, id);
    }
    settle(shelf);
    answered(shelf, look);
    assert_int_equal(look->count, 600);
    assert_false(look->more);
    assert_string_equal(look->rows[0].text, "j599");
    assert_string_equal(look->rows[599].text, "j0");
    look_free(look);
}

static void a_page_stays_where_it_was_while_jobs_are_added(void **state)
{
    struct shelf *shelf = *state;
    struct look *look = look_new(LOOK_JOBS, 1);
    struct look_place next;

    keep_job(shelf, "j1", 5, true);
    keep_job(shelf, "j2", 5, true);
    settle(shelf);
    answered(shelf, look);
    assert_string_equal(look->rows[0].text, "j2");
    assert_true(look->more);
    next = look->next;
    look_free(look);
    keep_job(shelf, "j3", 5, true);
    settle(shelf);
    look = look_new(LOOK_JOBS, 1);
    look->from = next;
    answered(shelf, look);
    assert_string_equal(look->rows[0].text, "j1");
    look_free(look);
}

static void tasks_come_in_the_order_of_their_job(void **state)
{
    struct shelf *shelf = *state;

    keep_job(shelf, "j1", 5, true);
    keep_job(shelf, "j2", 5, false);
    settle(shelf);
    for (size_t most = 1; most < 8; most++)
        assert_pages(shelf, LOOK_TASKS, most, NULL, "j2/c j2/a j2/b j1/c j1/a j1/b ");
}

static bool ends_with_a(void *ctx, const char *text)
{
    (void)ctx;
    return text[strlen(text) - 1] == 'a';
}

static void only_what_fits_is_given(void **state)
{
    struct shelf *shelf = *state;

    keep_job(shelf, "j1", 5, true);
    keep_job(shelf, "j2", 5, true);
    settle(shelf);
    assert_pages(shelf, LOOK_TASKS, 1, ends_with_a, "j2/a j1/a ");
}

static void tasks_of_one_job_and_device_are_found(void **state)
{
    struct shelf *shelf = *state;
    struct look *look = look_new(LOOK_TASKS, 10);

    keep_job(shelf, "j1", 5, true);
    keep_job(shelf, "j2", 5, true);
    settle(shelf);
    look->job_id = strdup("j1");
    look->device_id = strdup("b");
    answered(shelf, look);
    assert_int_equal(look->count, 1);
    assert_string_equal(look->rows[0].text, "j1/b");
    assert_int_equal(look->rows[0].place.index, 2);
    look_free(look);
}

static void of_a_shelved_job_only_the_id_is_recalled(void **state)
{
    struct shelf *shelf = *state;
    char *text;

    keep_job(shelf, "night", 5, true);
    settle(shelf);
    store_free(shelf->store);
    shelf->store = open_at(shelf->folder);
    text = recalled(shelf->store);
    assert_string_equal(text, "12 - - {}\n15 night - 5\n");
    free(text);
}

static void what_was_kept_long_enough_is_found(void **state)
{
    struct shelf *shelf = *state;
    struct look *look = look_new(LOOK_OLD, 10);

    keep_job(shelf, "new", 2000, true);
    keep_job(shelf, "old", 999, true);
    keep_job(shelf, "untold", 1, false);
    keep_job(shelf, "call-me", 2000, false);
    keep(shelf, RECORD_JOB, "call-1-1", NULL, "{\"request\":{},\"created\":400}");
    keep(shelf, RECORD_OUTCOME, "call-1-1", "a", "{}");
    keep(shelf, RECORD_JOB, "call-1-2", NULL, "{\"request\":{},\"created\":600}");
    keep(shelf, RECORD_OUTCOME, "call-1-2", "a", "{}");
    keep(shelf, RECORD_JOB, "call-1-3", NULL, "{\"request\":{},\"created\":1}"); /* runs */
    settle(shelf);
    look->jobs_ms = 1000;
    look->calls_ms = 500;
    answered(shelf, look);
    assert_string_equal(look->why, "");
    assert_int_equal(look->count, 2);
    assert_string_equal(look->rows[0].text, "old");
    assert_int_equal(look->rows[0].place.index, 3);
    assert_false(look->rows[0].call);
    assert_string_equal(look->rows[1].text, "call-1-1");
    assert_true(look->rows[1].call);
    look_free(look);
}

static long size_of(const struct shelf *shelf)
{
    char name[600];
    FILE *file;
    long size;

    snprintf(name, sizeof(name), "%s/jobgate.db", shelf->folder);
    file = fopen(name, "re");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    fclose(file);
    return size;
}

/* A round of jobs that are kept, and purged in pieces. */
static void round_of_jobs(struct shelf *shelf, int round)
{
    static char large[2000];
    char id[40], device[20];

    memset(large, 'x', sizeof(large) - 1);
    snprintf(id, sizeof(id), "j%d", round);
    keep(shelf, RECORD_JOB, id, NULL, "{}");
    for (int i = 0; i < 500; i++) {
        snprintf(device, sizeof(device), "d%d", i);
        keep(shelf, RECORD_OUTCOME, id, device, large);
    }
    keep(shelf, RECORD_SHELVED, id, NULL, "{}");
    for (int i = 0; i < 5; i++) {
        struct record *record = record_of(++shelf->number, RECORD_PURGE, id, NULL, NULL);

        record->step = 100;
        store_give(shelf->store, record);
    }
    keep(shelf, RECORD_FORGET, id, NULL, "1000");
}

static void reopen(struct shelf *shelf)
{
    store_free(shelf->store); /* moves the log into the database */
    shelf->store = open_at(shelf->folder);
}

static void purged_pages_are_used_again(void **state)
{
    struct shelf *shelf = *state;
    long first;

    history_free(shelf->history);
    shelf->history = NULL;
    round_of_jobs(shelf, 0);
    settle(shelf);
    reopen(shelf);
    first = size_of(shelf);
    for (int i = 1; i < 6; i++) {
        round_of_jobs(shelf, i);
        settle(shelf);
        reopen(shelf);
    }
    assert_true(size_of(shelf) <= first + first / 10);
}

static void tasks_are_purged_in_pieces(void **state)
{
    struct shelf *shelf = *state;
    struct record *piece;

    keep_job(shelf, "j1", 5, true);
    piece = record_of(++shelf->number, RECORD_PURGE, "j1", NULL, NULL);
    piece->step = 2;
    store_give(shelf->store, piece);
    settle(shelf);
    assert_pages(shelf, LOOK_TASKS, 10, NULL, "j1/c ");
}

static void a_damaged_database_is_named(void **state)
{
    struct shelf *shelf = *state;
    struct look *look = look_new(LOOK_JOBS, 10);
    char name[600], junk[4096];
    int fd;

    keep_job(shelf, "j1", 5, true);
    settle(shelf);
    store_free(shelf->store);
    shelf->store = NULL;
    snprintf(name, sizeof(name), "%s/jobgate.db", shelf->folder);
    fd = open(name, O_WRONLY | O_CLOEXEC);
    memset(junk, 0x5A, sizeof(junk));
    assert_int_equal(pwrite(fd, junk, sizeof(junk), 0), sizeof(junk));
    close(fd);
    answered(shelf, look);
    assert_int_equal(look->count, 0);
    assert_non_null(strstr(look->why, "jobgate.db is damaged"));
    look_free(look);
}

static void a_database_that_is_back_is_read_again(void **state)
{
    struct shelf *shelf = *state;
    struct look *look = look_new(LOOK_JOBS, 10);
    char name[600], away[600];

    keep_job(shelf, "j1", 5, true);
    settle(shelf);
    reopen(shelf); /* all is in the one file */
    snprintf(name, sizeof(name), "%s/jobgate.db", shelf->folder);
    snprintf(away, sizeof(away), "%s/away.db", shelf->folder);
    store_free(shelf->store);
    shelf->store = NULL;
    assert_int_equal(rename(name, away), 0);
    answered(shelf, look);
    assert_non_null(strstr(look->why, "jobgate.db cannot be opened"));
    look_free(look);
    assert_int_equal(rename(away, name), 0);
    shelf->store = open_at(shelf->folder);
    assert_pages(shelf, LOOK_JOBS, 10, NULL, "j1 ");
}

static void a_locked_database_is_said_to_be_locked(void **state)
{
    struct shelf *shelf = *state;
    struct look *look = look_new(LOOK_JOBS, 10);
    sqlite3 *other;
    char name[600];

    keep_job(shelf, "j1", 5, true);
    settle(shelf);
    store_free(shelf->store);
    shelf->store = NULL;
    snprintf(name, sizeof(name), "%s/jobgate.db", shelf->folder);
    assert_int_equal(sqlite3_open(name, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other,
                                  "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;"
                                  "DELETE FROM known; COMMIT",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    answered(shelf, look);
    assert_non_null(strstr(look->why, "is locked by another program"));
    look_free(look);
    sqlite3_close(other);
    shelf->store = open_at(shelf->folder);
    assert_pages(shelf, LOOK_JOBS, 10, NULL, "j1 ");
}

static void more_looks_than_may_wait_are_refused(void **state)
{
    struct shelf *shelf = *state;
    struct look *looks[HISTORY_WAITING_MOST + 1];

    for (size_t i = 0; i <= HISTORY_WAITING_MOST; i++)
        looks[i] = look_new(LOOK_JOBS, 1);
    for (size_t i = 0; i < HISTORY_WAITING_MOST; i++)
        assert_int_equal(history_ask(shelf->history, looks[i]), 0);
    assert_int_equal(history_ask(shelf->history, looks[HISTORY_WAITING_MOST]), HISTORY_E_FULL);
    look_free(looks[HISTORY_WAITING_MOST]); /* the others end with the history */
}

static void reading_goes_on_while_the_store_writes(void **state)
{
    struct shelf *shelf = *state;
    char id[20];
    size_t seen = 0;

    for (int i = 0; i < 50; i++) {
        struct look *look = look_new(LOOK_TASKS, 1000);

        snprintf(id, sizeof(id), "j%d", i);
        keep_job(shelf, id, 5, true);
        answered(shelf, look);
        assert_string_equal(look->why, "");
        assert_true(look->count >= seen);
        seen = look->count;
        look_free(look);
    }
    settle(shelf);
}

#define shelf_test(name) cmocka_unit_test_setup_teardown(name, open_shelf, close_shelf)

int main(void)
{
    const struct CMUnitTest tests[] = {
        shelf_test(a_shelved_job_is_found_by_its_id),
        shelf_test(a_job_that_is_not_shelved_is_not_seen),
        shelf_test(jobs_come_newest_first_page_by_page),
        shelf_test(more_jobs_than_one_statement_reads_come_all),
        shelf_test(a_page_stays_where_it_was_while_jobs_are_added),
        shelf_test(tasks_come_in_the_order_of_their_job),
        shelf_test(only_what_fits_is_given),
        shelf_test(tasks_of_one_job_and_device_are_found),
        shelf_test(of_a_shelved_job_only_the_id_is_recalled),
        shelf_test(what_was_kept_long_enough_is_found),
        shelf_test(tasks_are_purged_in_pieces),
        shelf_test(purged_pages_are_used_again),
        shelf_test(a_damaged_database_is_named),
        shelf_test(a_database_that_is_back_is_read_again),
        shelf_test(a_locked_database_is_said_to_be_locked),
        shelf_test(more_looks_than_may_wait_are_refused),
        shelf_test(reading_goes_on_while_the_store_writes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
