/* The engine with a real store and its history: what is over leaves memory, and is found. */
#include "fixture_engine.h"
#include "fixture_store.h"
#include "jobs/search.h"
#include "jobs/timetext.h"

#include <poll.h>

struct shelf {
    struct world world;
    char *folder;
    struct store *store;
    struct history *history;
    size_t given; /* of the world's log */
};

static void open_history(struct shelf *shelf)
{
    shelf->store = open_at(shelf->folder);
    assert_int_equal(history_open(&shelf->history, shelf->folder), 0);
}

static void close_history(struct shelf *shelf)
{
    history_free(shelf->history);
    store_free(shelf->store);
}

static int setup(void **state)
{
    struct shelf *shelf = calloc(1, sizeof(*shelf));

    world_init(&shelf->world, 4, 2);
    shelf->world.survives = shelf->world.shelves = true;
    shelf->world.site->store.retention_days = 30;
    world_method_write(&shelf->world);
    shelf->folder = folder_new();
    open_history(shelf);
    world_open(&shelf->world);
    *state = shelf;
    return 0;
}

static int teardown(void **state)
{
    struct shelf *shelf = *state;

    close_history(shelf);
    world_deinit(&shelf->world);
    folder_free(shelf->folder);
    free(shelf);
    return 0;
}

static struct record *copy_of(const struct record *record)
{
    struct record *copy = record_of(record->number, record->kind, record->job_id,
                                    record->device_id, record->text);

    copy->step = record->step;
    return copy;
}

static struct look *answered(struct shelf *shelf, struct look *look)
{
    struct pollfd fd = {.fd = history_fd(shelf->history), .events = POLLIN};

    assert_int_equal(history_ask(shelf->history, look), 0);
    assert_int_equal(poll(&fd, 1, 20000), 1);
    assert_ptr_equal(history_take(shelf->history), look);
    assert_string_equal(look->why, "");
    return look;
}

/* What the world's store has taken goes to the real one; the engine's looks are answered. */
static void carry(struct shelf *shelf)
{
    struct world *world = &shelf->world;
    struct look *look;

    bool more = shelf->given < world->log_count;

    for (; shelf->given < world->log_count; shelf->given++)
        store_give(shelf->store, copy_of(world->log[shelf->given]));
    if (more)
        store_hurry(shelf->store, world->log[shelf->given - 1]->number);
    if (more)
        assert_true(is_safe_within(shelf->store, world->log[shelf->given - 1]->number, 20000));
    while ((look = engine_take_look(world->engine)))
        engine_looked(world->engine, answered(shelf, look), world->now);
}

static void run(struct shelf *shelf, int64_t us)
{
    world_run(&shelf->world, us);
    carry(shelf);
}

/* So many jobs "j0" ..., one after the other, on all devices. */
static void some_jobs(struct shelf *shelf, int count)
{
    char id[12];

    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof(id), "j%d", i);
        world_go(&shelf->world, id, "*");
        world_finish(&shelf->world);
        run(shelf, 2 * SECONDS);
    }
    run(shelf, 5 * SECONDS);
}

/* The search's page; with what the history adds. */
static json_t *page_of(struct shelf *shelf, struct search *search, char **next)
{
    struct look *look = search_take_look(search);
    json_t *rows = search_end(search, look ? answered(shelf, look) : NULL, next);

    search_free(search);
    return rows;
}

static json_t *job_of(struct shelf *shelf, const char *id)
{
    struct search *search;
    char *next;

    assert_int_equal(search_job(&search, shelf->world.engine, id), 0);
    return page_of(shelf, search, &next);
}

static bool is_in_memory(const struct shelf *shelf, const char *id)
{
    json_t *job = engine_job_json(shelf->world.engine, id);

    json_decref(job);
    return job;
}

static void stop_and_start(struct shelf *shelf)
{
    struct world *world = &shelf->world;
    struct record *record;
    uint64_t last = 0;

    engine_free(world->engine);
    close_history(shelf);
    open_history(shelf);
    struct engine_settings settings = {
        .site = world->site, .version = "1.0", .boot = 99, .boot_id = "boot", .history = true};
    assert_int_equal(engine_new(&world->engine, &settings, world->now), 0);
    while ((record = store_recall(shelf->store))) {
        engine_recall(world->engine, record);
        last = record->number > last ? record->number : last;
        record_free(record);
    }
    world->kept = world->safe = last;
    assert_int_equal(engine_resume(world->engine, world->now), 0);
    for (size_t i = 0; i < world->site->line_count; i++)
        world_line(world, i, true, "");
}

/* All jobs of a type and status, in pages; with a new job before each next page. */
static void assert_jobs(struct shelf *shelf, const char *status, size_t most, bool grow,
                        int first, int last)
{
    char *cursor = NULL, *next, id[16];
    int wanted = first;

    do {
        struct search *search;
        json_t *rows, *row;
        size_t i;

        assert_int_equal(search_jobs(&search, shelf->world.engine,
                                     &(struct job_filter){.status = status}, most, cursor),
                         0);
        rows = page_of(shelf, search, &next);
        assert_true(json_array_size(rows) <= most);
        json_array_foreach(rows, i, row)
        {
            snprintf(id, sizeof(id), "j%d", wanted--);
            assert_string_equal(json_string_value(json_object_get(row, "jobId")), id);
            assert_string_equal(json_string_value(json_object_get(row, "status")), "completed");
        }
        json_decref(rows);
        free(cursor);
        cursor = next;
        if (grow && shelf->world.job_count < WORLD_JOBS - 1) {
            snprintf(id, sizeof(id), "new%zu", shelf->world.job_count);
            world_go(&shelf->world, id, "*");
            run(shelf, SECONDS / 2);
        }
    } while (cursor);
    assert_int_equal(wanted, last - 1);
}

static void jobs_that_left_memory_are_listed_once(void **state)
{
    struct shelf *shelf = *state;

    some_jobs(shelf, 40);
    assert_false(is_in_memory(shelf, "j0"));
    assert_true(is_in_memory(shelf, "j39"));
    for (size_t most = 1; most < 45; most += 7)
        assert_jobs(shelf, "completed", most, false, 39, 0);
    assert_jobs(shelf, "", 100, false, 39, 0);
}

static void pages_are_stable_while_jobs_come_and_leave_memory(void **state)
{
    struct shelf *shelf = *state;

    some_jobs(shelf, 40);
    assert_jobs(shelf, "", 3, true, 39, 0);
}

static void the_list_is_the_same_after_a_restart(void **state)
{
    struct shelf *shelf = *state;

    some_jobs(shelf, 40);
    stop_and_start(shelf);
    assert_jobs(shelf, "completed", 7, false, 39, 0);
}

static void a_page_goes_on_after_a_restart(void **state)
{
    struct shelf *shelf = *state;
    struct search *search;
    char *cursor, *next;

    some_jobs(shelf, 30);
    assert_int_equal(
        search_jobs(&search, shelf->world.engine, &(struct job_filter){0}, 12, NULL), 0);
    json_decref(page_of(shelf, search, &cursor));
    stop_and_start(shelf);
    assert_int_equal(
        search_jobs(&search, shelf->world.engine, &(struct job_filter){0}, 12, cursor), 0);
    json_t *rows = page_of(shelf, search, &next);
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "jobId")),
                        "j17");
    json_decref(rows);
    free(cursor);
    free(next);
}

static int64_t made_ms(struct shelf *shelf, const char *id)
{
    json_t *job = job_of(shelf, id);
    int64_t ms = 0;

    assert_int_equal(
        timetext_parse(&ms, json_string_value(json_object_get(job, "createdTime"))), 0);
    json_decref(job);
    return ms;
}

static void jobs_of_a_time_are_found_in_memory_and_on_the_shelf(void **state)
{
    struct shelf *shelf = *state;
    struct search *search;
    char *next;

    some_jobs(shelf, 40);
    struct job_filter filter = {.from_ms = made_ms(shelf, "j3"),
                                .to_ms = made_ms(shelf, "j38")};
    assert_false(is_in_memory(shelf, "j3"));
    assert_true(is_in_memory(shelf, "j37"));
    assert_int_equal(search_jobs(&search, shelf->world.engine, &filter, 100, NULL), 0);
    json_t *rows = page_of(shelf, search, &next);
    assert_null(next);
    assert_int_equal(json_array_size(rows), 35);
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "jobId")),
                        "j37");
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 34), "jobId")),
                        "j3");
    json_decref(rows);
}

static void a_job_on_the_shelf_looks_as_it_did(void **state)
{
    struct shelf *shelf = *state;

    world_go(&shelf->world, "night", "deviceId = 'd1'");
    world_finish(&shelf->world);
    json_t *before = engine_job_json(shelf->world.engine, "night");
    some_jobs(shelf, 40);
    assert_false(is_in_memory(shelf, "night"));
    json_t *after = job_of(shelf, "night");
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
}

static void a_job_that_never_was_is_not_looked_for(void **state)
{
    struct shelf *shelf = *state;
    struct search *search;
    char *next;

    some_jobs(shelf, 1);
    assert_int_equal(search_job(&search, shelf->world.engine, "never"), 0);
    assert_null(search_take_look(search));
    assert_null(search_end(search, NULL, &next));
    search_free(search);
}

/* "job:device" of all rows, in pages. */
static void assert_records(struct shelf *shelf, const char *text, size_t most,
                           const char *wanted)
{
    struct condition_error error;
    struct query *query;
    char *cursor = NULL, *next, all[4000];
    size_t used = 0;

    assert_int_equal(query_parse(&query, text, &error), 0);
    all[0] = '\0';
    do {
        struct search *search;
        json_t *rows, *row;
        size_t i;

        assert_int_equal(search_query(&search, shelf->world.engine, query, most, cursor), 0);
        rows = page_of(shelf, search, &next);
        json_array_foreach(rows, i, row)
        {
            used += (size_t)snprintf(all + used, sizeof(all) - used, "%s:%s ",
                                     json_string_value(json_object_get(row, "jobId")),
                                     json_string_value(json_object_get(row, "deviceId")));
        }
        json_decref(rows);
        free(cursor);
        cursor = next;
    } while (cursor);
    query_free(query);
    assert_string_equal(all, wanted);
}

static void records_are_found_wherever_they_are(void **state)
{
    struct shelf *shelf = *state;

    some_jobs(shelf, 30);
    for (size_t most = 1; most < 10; most += 4) {
        assert_records(shelf,
                       "SELECT * FROM devices.jobs WHERE jobId IN ['j0', 'j1', 'j28', 'j29']"
                       " AND deviceId <> 'd3'",
                       most,
                       "j29:d0 j29:d1 j29:d2 j28:d0 j28:d1 j28:d2 "
                       "j1:d0 j1:d1 j1:d2 j0:d0 j0:d1 j0:d2 ");
        assert_records(shelf,
                       "SELECT * FROM devices.jobs WHERE jobId = 'j2' AND status = 'completed'",
                       most, "j2:d0 j2:d1 j2:d2 j2:d3 ");
        assert_records(shelf,
                       "SELECT * FROM devices.jobs WHERE deviceId = 'd2' AND jobId < 'j12'",
                       most, "j11:d2 j10:d2 j1:d2 j0:d2 ");
    }
    assert_records(shelf, "SELECT TOP 3 * FROM devices.jobs", 2, "j29:d0 j29:d1 j29:d2 ");
}

static void a_job_that_runs_has_records_in_memory_and_on_the_disk(void **state)
{
    struct shelf *shelf = *state;

    shelf->world.takes_us = SECONDS;
    world_go(&shelf->world, "j", "*");
    run(shelf, 3 * SECONDS + SECONDS / 2); /* one device of each line is done */
    assert_string_equal(world_job_said(&shelf->world, "j", "status"), "running");
    assert_records(shelf, "SELECT * FROM devices.jobs", 1, "j:d0 j:d1 j:d2 j:d3 ");
    assert_records(shelf, "SELECT * FROM devices.jobs", 100, "j:d0 j:d1 j:d2 j:d3 ");
}

static void a_job_on_the_shelf_is_not_run_again(void **state)
{
    struct shelf *shelf = *state;

    some_jobs(shelf, 40);
    assert_false(is_in_memory(shelf, "j0"));
    uint64_t frames = shelf->world.frames;
    size_t shares = world_count(&shelf->world, REPORT_SHARE, "j0", NULL);
    world_go(&shelf->world, "j0", "*");
    run(shelf, SECONDS);
    run(shelf, SECONDS);
    assert_int_equal(shelf->world.frames, frames);
    assert_int_equal(world_count(&shelf->world, REPORT_SHARE, "j0", NULL), shares + 1);
    const struct report *share = world_last(&shelf->world, REPORT_SHARE, "j0", NULL);
    assert_string_equal(world_said(share, "status"), "completed");
    assert_string_equal(world_said(share, "deviceJobStatistics.succeededCount"), "4");
    assert_true(share->retain);
}

static void another_job_of_a_shelved_id_is_refused_with_the_true_share(void **state)
{
    struct shelf *shelf = *state;

    some_jobs(shelf, 40);
    world_go(&shelf->world, "j0", "deviceId = 'd1'");
    run(shelf, SECONDS);
    run(shelf, SECONDS);
    const struct report *share = world_last(&shelf->world, REPORT_SHARE, "j0", NULL);
    assert_string_equal(world_said(share, "refused.code"), "JobIdInUse");
    assert_string_equal(world_said(share, "status"), "completed");
    assert_false(share->retain);
}

static void ids_are_known_after_retention_and_restart(void **state)
{
    struct shelf *shelf = *state;

    some_jobs(shelf, 40);
    shelf->world.now.wall_ms += INT64_C(31) * 86400000;
    for (int i = 0; i < 200; i++)
        run(shelf, SECONDS);
    json_t *gone = job_of(shelf, "j0");
    assert_null(gone);
    stop_and_start(shelf);
    shelf->world.now.wall_ms += INT64_C(360) * 86400000;
    uint64_t frames = shelf->world.frames;
    world_go(&shelf->world, "j0", "*");
    run(shelf, 5 * SECONDS);
    assert_int_equal(shelf->world.frames, frames);
    assert_false(is_in_memory(shelf, "j0"));
}

static void what_is_purged_clears_its_share(void **state)
{
    struct shelf *shelf = *state;

    some_jobs(shelf, 40);
    shelf->world.now.wall_ms += INT64_C(31) * 86400000;
    for (int i = 0; i < 200; i++)
        run(shelf, SECONDS);
    assert_jobs(shelf, "", 100, false, 0, 1); /* nothing is left */
    for (int i = 0; i < 40; i++) {
        char id[12];

        snprintf(id, sizeof(id), "j%d", i);
        assert_string_equal(world_last(&shelf->world, REPORT_SHARE, id, NULL)->body, "");
    }
}

static void calls_leave_memory_and_after_a_day_the_store(void **state)
{
    struct shelf *shelf = *state;
    struct look *look;

    for (int i = 0; i < 40; i++) {
        world_call(&shelf->world, "d1");
        world_finish(&shelf->world);
    }
    run(shelf, 5 * SECONDS);
    assert_jobs(shelf, "", 100, false, 0, 1); /* not listed */
    shelf->world.now.wall_ms += INT64_C(25) * 3600000;
    for (int i = 0; i < 200; i++)
        run(shelf, SECONDS);
    look = look_new(LOOK_OLD, 100);
    look->calls_ms = INT64_MAX;
    answered(shelf, look);
    assert_int_equal(look->count, 0);
    look_free(look);
}

static void a_cancel_of_what_has_ended_is_refused(void **state)
{
    struct shelf *shelf = *state;

    some_jobs(shelf, 40);
    world_cancel(&shelf->world, LINK_API, "j0");
    run(shelf, SECONDS);
    assert_int_equal(world_last(&shelf->world, REPORT_ANSWER, "j0", NULL)->code,
                     CODE_JOB_ENDED);
}

#define fact(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(jobs_that_left_memory_are_listed_once),
        fact(pages_are_stable_while_jobs_come_and_leave_memory),
        fact(the_list_is_the_same_after_a_restart),
        fact(a_page_goes_on_after_a_restart),
        fact(jobs_of_a_time_are_found_in_memory_and_on_the_shelf),
        fact(a_job_on_the_shelf_looks_as_it_did),
        fact(a_job_that_never_was_is_not_looked_for),
        fact(records_are_found_wherever_they_are),
        fact(a_job_that_runs_has_records_in_memory_and_on_the_disk),
        fact(a_job_on_the_shelf_is_not_run_again),
        fact(another_job_of_a_shelved_id_is_refused_with_the_true_share),
        fact(ids_are_known_after_retention_and_restart),
        fact(what_is_purged_clears_its_share),
        fact(calls_leave_memory_and_after_a_day_the_store),
        fact(a_cancel_of_what_has_ended_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
