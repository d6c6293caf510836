/* Another site takes the place of the one that runs. */
#include "fixture_reload.h"
#include "jobs/search.h"

static struct world world;
static struct copy *runs; /* the site that the engine looks at; NULL: the world's own */

static int setup(void **state)
{
    (void)state;
    world_init(&world, 8, 2);
    world.site->device_count = 6; /* d6 and d7 are for later */
    json_decref(world.site->devices[6].tags);
    json_decref(world.site->devices[7].tags);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world.site = &world.fixture.site;
    world_deinit(&world);
    copy_free(runs);
    runs = NULL;
    return 0;
}

static void open_write(void)
{
    world_method_write(&world);
    world_open(&world);
}

static void open_wait(uint32_t seconds)
{
    world_method_reboot(&world, seconds * 1000, 0);
    world_open(&world);
}

/* d0 to d5 are its devices: the two more are there for sites to come. */
static struct copy *another(void)
{
    return copy_new(world.site);
}

static void prepare(struct copy *next)
{
    copy_sort(next);
    assert_int_equal(engine_prepare(world.engine, &next->site), 0);
}

static void take(struct copy *next)
{
    assert_int_equal(engine_reload(world.engine, world.now), 0);
    world.site = &next->site;
    copy_free(runs);
    runs = next;
    world_run(&world, 0);
}

/* The time that it took until what changes had come to rest. */
static int64_t reload(struct copy *next)
{
    int64_t began_us = world.now.boot_us;

    prepare(next);
    for (int i = 0; !engine_is_prepared(world.engine, world.now); i++) {
        assert_true(i < 100000);
        world_run(&world, 10000);
    }
    take(next);
    return world.now.boot_us - began_us;
}

static const char *outcome(const char *job, const char *device, const char *path)
{
    return world_said(world_last(&world, REPORT_OUTCOME, job, device), path);
}

static const char *answered(void)
{
    static char text[20];
    const struct report *report = world_last(&world, REPORT_ANSWER, NULL, NULL);

    snprintf(text, sizeof(text), "%d", report ? report->status : 0);
    return text;
}

static void a_task_that_waits_for_a_removed_device_ends_unknown(void **state)
{
    (void)state;
    open_write();
    world_line(&world, 0, false, "unplugged"); /* d0, d2, d4 wait */
    world_go(&world, "j", "*");
    world_run(&world, SECONDS);
    struct copy *next = another();
    copy_remove(next, "d2");
    reload(next);
    world_run(&world, SECONDS);
    assert_string_equal(outcome("j", "d2", "error.code"), "UnknownDevice");
    world_line(&world, 0, true, "");
    world_finish(&world);
    assert_string_equal(outcome("j", "d4", "status"), "completed");
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics"),
                        "{\"deviceCount\":6,\"failedCount\":1,\"succeededCount\":5,"
                        "\"runningCount\":0,\"pendingCount\":0}");
    assert_int_equal(world_count(&world, REPORT_OUTCOME, "j", NULL), 6);
}

static void a_call_that_waits_for_a_removed_device_is_answered_404(void **state)
{
    (void)state;
    open_wait(60);
    world_call(&world, "d0"); /* begins, and waits a minute */
    world_run(&world, 40 * SECONDS);
    assert_string_equal(answered(), "504"); /* its own time, 30 s, is over; it goes on */
    world_call(&world, "d0");
    struct copy *next = another();
    copy_remove(next, "d0");
    reload(next);
    world_run(&world, SECONDS);
    assert_string_equal(answered(), "404");
    assert_int_equal(world.devices[0].triggers, 1);
}

static void a_begun_task_of_a_removed_device_finishes(void **state)
{
    (void)state;
    open_wait(60);
    world_go(&world, "j", "deviceId = 'd0'");
    world_run(&world, SECONDS);
    assert_int_equal(world.devices[0].triggers, 1);
    struct copy *next = another();
    copy_remove(next, "d0");
    assert_true(reload(next) > 50 * SECONDS);
    world_run(&world, SECONDS);
    assert_string_equal(outcome("j", "d0", "status"), "completed");
    assert_string_equal(world_job_said(&world, "j", "status"), "completed");
}

static void what_is_waited_for_has_a_name(void **state)
{
    char text[200];

    (void)state;
    open_wait(60);
    world_go(&world, "j", "deviceId IN ['d0', 'd1']");
    world_run(&world, SECONDS);
    struct copy *next = another();
    copy_remove(next, "d0");
    prepare(next);
    assert_false(engine_is_prepared(world.engine, world.now));
    assert_true(engine_waits_for(world.engine, text, sizeof(text)));
    assert_string_equal(text, "d0");
    engine_prepare(world.engine, NULL);
    assert_false(engine_waits_for(world.engine, text, sizeof(text)));
    copy_free(next);
}

static void nothing_new_begins_on_a_device_that_goes(void **state)
{
    (void)state;
    open_wait(60);
    world_call(&world, "d0");
    world_run(&world, SECONDS);
    struct copy *next = another();
    copy_remove(next, "d0");
    prepare(next);
    world_go(&world, "j", "*");
    world_run(&world, 5 * SECONDS);
    assert_int_equal(world.devices[0].triggers, 1);
    assert_int_equal(world.devices[1].triggers, 1);
    engine_prepare(world.engine, NULL); /* a change of mind: all go on */
    copy_free(next);
    world_finish(&world);
    assert_int_equal(world.devices[0].triggers, 2);
    assert_string_equal(outcome("j", "d0", "status"), "completed");
}

static void another_order_of_devices_loses_and_doubles_nothing(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "*");
    for (int i = 0; i < 12; i++) {
        struct copy *next = another();

        copy_turn(next);
        world_run(&world, 7000); /* in the middle of frames */
        reload(next);
    }
    world_finish(&world);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(world.devices[i].writes, 1);
        assert_int_equal(world.devices[i].setpoint, 21);
        assert_string_equal(outcome("j", world.devices[i].id, "status"), "completed");
        assert_int_equal(world_count(&world, REPORT_OUTCOME, "j", world.devices[i].id), 1);
    }
}

static void an_unchanged_device_does_not_wait(void **state)
{
    (void)state;
    open_wait(60);
    world_go(&world, "j", "*");
    world_run(&world, SECONDS);
    struct copy *next = another();
    copy_turn(next);
    copy_add(next, &world, 6, 0);
    assert_int_equal(reload(next), 0);
    world_finish(&world);
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics.succeededCount"), "6");
    assert_int_equal(world.devices[6].operations, 0); /* it does not join a running job */
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(world.devices[i].triggers, 1);
}

static void a_new_device_can_be_called(void **state)
{
    (void)state;
    open_write();
    struct copy *next = another();
    copy_add(next, &world, 6, 1);
    reload(next);
    assert_string_equal(world_said(world_last(&world, REPORT_STATE, NULL, "d6"), "state"),
                        "unknown");
    world_call(&world, "d6");
    world_finish(&world);
    assert_int_equal(world.devices[6].setpoint, 21);
}

static void what_is_retained_of_a_removed_device_is_cleared(void **state)
{
    (void)state;
    open_write();
    struct copy *next = another();
    copy_remove(next, "d3");
    reload(next);
    world_finish(&world);
    assert_string_equal(world_last(&world, REPORT_STATE, NULL, "d3")->body, "");
    assert_string_equal(world_last(&world, REPORT_REPORTED, NULL, "d3")->body, "");
    assert_string_equal(world_said(world_last(&world, REPORT_GATEWAY, NULL, NULL), "devices"),
                        "5");
    assert_null(engine_devices_json(world.engine, "d3"));
}

/* The begun one by the words of its beginning, the waiting one by the new ones. */
static void a_changed_make_holds_for_what_begins_later(void **state)
{
    (void)state;
    world_method_write(&world);
    fixture_step(&world.fixture, STEP_WAIT, 0)->duration_ms = 20000;
    world_open(&world);
    world_go(&world, "first", "deviceId = 'd0'");
    world_run(&world, SECONDS);
    assert_int_equal(world.devices[0].setpoint, 21);
    world_go(&world, "second", "deviceId IN ['d0', 'd2']");
    struct copy *next = another();
    json_t *value = json_integer(23);
    next->method.steps[0].value = value;
    world_run(&world, SECONDS);
    reload(next);
    world_finish(&world);
    assert_string_equal(outcome("first", "d0", "status"), "completed");
    assert_string_equal(outcome("second", "d0", "status"), "completed");
    assert_int_equal(world.devices[0].setpoint, 23);
    json_decref(value);
}

static void a_device_at_another_line_takes_its_waiting_tasks_along(void **state)
{
    (void)state;
    open_write();
    world_line(&world, 0, false, "unplugged");
    world_go(&world, "j", "deviceId = 'd0'");
    world_run(&world, SECONDS);
    struct copy *next = another();
    next->site.devices[0].line = 1;
    reload(next);
    world_finish(&world);
    assert_string_equal(outcome("j", "d0", "status"), "completed");
    assert_int_equal(world.devices[0].setpoint, 21);
}

static void a_device_that_comes_back_is_as_worn_as_before(void **state)
{
    (void)state;
    world.survives = true;
    world.fixture.points[WORLD_SETPOINT].if_different = true;
    world.fixture.points[WORLD_SETPOINT].max_writes_per_day = 1;
    open_write();
    world_call(&world, "d0");
    world_finish(&world);
    assert_int_equal(world.devices[0].writes, 1);
    struct copy *next = another(), *with_it = another();
    copy_remove(next, "d0");
    reload(next);
    reload(with_it);
    world.devices[0].setpoint = 5;
    world_call(&world, "d0");
    world_finish(&world);
    assert_int_equal(world.devices[0].writes, 1);
    assert_int_equal(world_last(&world, REPORT_ANSWER, NULL, NULL)->status, 405);
}

/* line0 is rewired while its job runs: reload() sees to it that nothing is out then. */
static void a_rewired_line_is_changed_between_two_frames(void **state)
{
    (void)state;
    open_wait(3);
    world_go(&world, "j", "*");
    world_run(&world, 10000);
    assert_true(world.lines[0].count > 0);
    struct copy *next = another();
    next->site.lines[0].settings.baud = 9600;
    assert_true(reload(next) < SECONDS);
    assert_int_equal(world.lines[0].count, 0);
    world.lines[0].up = false;
    world_run(&world, SECONDS);
    world_line(&world, 0, true, "");
    world_finish(&world);
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics.succeededCount"), "6");
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(world.devices[i].triggers, 1);
}

static void twins_health_and_last_outcomes_live_on(void **state)
{
    (void)state;
    open_write();
    world_give(&world, world_request_patch("d2", "{\"setpoint\":24}"));
    world_finish(&world);
    json_t *before = engine_twin_json(world.engine, "d2");
    struct copy *next = another();
    copy_turn(next);
    copy_remove(next, "d5");
    reload(next);
    json_t *after = engine_twin_json(world.engine, "d2");
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    json_t *device = engine_devices_json(world.engine, "d2");
    assert_string_equal(json_string_value(json_object_get(device, "connectionState")),
                        "Connected");
    assert_true(
        json_is_object(json_object_get(json_object_get(device, "jobgate"), "lastOutcome")));
    json_decref(device);
}

/* Its tasks are frozen with the job's acceptance, and its patches not taken yet. */
static void a_patch_that_is_not_safe_yet_survives_a_removal(void **state)
{
    (void)state;
    open_write();
    world.store_stalls = true;
    world_patch_job(&world, "p", "{\"setpoint\":25}");
    struct copy *next = another();
    copy_remove(next, "d1");
    reload(next);
    world.store_stalls = false;
    world_finish(&world);
    assert_string_equal(outcome("p", "d1", "error.code"), "UnknownDevice");
    assert_string_equal(world_job_said(&world, "p", "deviceJobStatistics.succeededCount"), "5");
    assert_int_equal(world.devices[0].setpoint, 25);
    assert_int_equal(world.devices[1].setpoint, 0);
}

static void what_a_removed_line_owes_is_given_up_after_a_minute(void **state)
{
    (void)state;
    struct step *pulse = fixture_step(&world.fixture, STEP_PULSE, WORLD_SETPOINT);
    pulse->value = json_integer(30);
    pulse->duration_ms = 5000;
    world_open(&world);
    world_go(&world, "j", "deviceId = 'd0'");
    world_run(&world, SECONDS);
    assert_int_equal(world.devices[0].setpoint, 30);
    world_line(&world, 0, false, "unplugged");
    struct copy *next = another();
    copy_remove(next, "d0");
    int64_t took_us = reload(next);
    assert_true(took_us > 50 * SECONDS && took_us < 70 * SECONDS);
    world_finish(&world);
    assert_string_equal(outcome("j", "d0", "status"), "failed");
}

static void a_device_that_goes_is_reached_by_no_broadcast(void **state)
{
    (void)state;
    world.fixture.points[WORLD_SETPOINT].broadcast = true;
    world.fixture.method.repeatable = true;
    world.site->lines[0].broadcast_us = 100000;
    open_write();
    struct copy *next = another();
    copy_remove(next, "d2");
    prepare(next);
    world_go(&world, "j", "*");
    world_run(&world, 5 * SECONDS);
    assert_int_equal(world.broadcasts, 0);
    assert_int_equal(world.devices[2].writes, 0);
    assert_true(engine_is_prepared(world.engine, world.now));
    take(next);
    world_finish(&world);
    assert_int_equal(world.devices[2].writes, 0);
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics.succeededCount"), "5");
}

static void a_job_that_ended_can_still_be_asked_about(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "*");
    world_finish(&world);
    struct copy *next = another();
    copy_remove(next, "d0");
    reload(next);
    struct query *query;
    struct condition_error error;
    char *cursor;
    static const char text[] = "SELECT * FROM devices.jobs";

    assert_int_equal(query_parse(&query, text, &error), 0);
    struct search *search;
    assert_int_equal(search_query(&search, world.engine, query, 100, NULL), 0);
    json_t *rows = search_end(search, NULL, &cursor);
    assert_int_equal(json_array_size(rows), 6);
    json_decref(rows);
    search_free(search);
    free(cursor);
    query_free(query);
}

static void a_hundred_reloads_in_the_middle_of_jobs_change_no_outcome(void **state)
{
    (void)state;
    open_wait(1);
    for (int i = 0; i < 100; i++) {
        char id[20];

        if (i % 4 == 0) {
            snprintf(id, sizeof(id), "j%d", i);
            world_go(&world, id, "*");
        }
        struct copy *next = another();
        copy_turn(next);
        next->site.lines[1].settings.baud = 9600u + (unsigned)(i / 10);
        reload(next);
        world_line(&world, 1, true, "");
        world_run(&world, 333000);
    }
    world_finish(&world);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(world.devices[i].triggers, 25);
    for (int i = 0; i < 100; i += 4) {
        char id[20];

        snprintf(id, sizeof(id), "j%d", i);
        assert_string_equal(world_job_said(&world, id, "deviceJobStatistics.succeededCount"),
                            "6");
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_task_that_waits_for_a_removed_device_ends_unknown),
        TEST(a_call_that_waits_for_a_removed_device_is_answered_404),
        TEST(a_begun_task_of_a_removed_device_finishes),
        TEST(what_is_waited_for_has_a_name),
        TEST(nothing_new_begins_on_a_device_that_goes),
        TEST(another_order_of_devices_loses_and_doubles_nothing),
        TEST(an_unchanged_device_does_not_wait),
        TEST(a_new_device_can_be_called),
        TEST(what_is_retained_of_a_removed_device_is_cleared),
        TEST(a_changed_make_holds_for_what_begins_later),
        TEST(a_device_at_another_line_takes_its_waiting_tasks_along),
        TEST(a_device_that_comes_back_is_as_worn_as_before),
        TEST(a_rewired_line_is_changed_between_two_frames),
        TEST(twins_health_and_last_outcomes_live_on),
        TEST(a_patch_that_is_not_safe_yet_survives_a_removal),
        TEST(what_a_removed_line_owes_is_given_up_after_a_minute),
        TEST(a_device_that_goes_is_reached_by_no_broadcast),
        TEST(a_job_that_ended_can_still_be_asked_about),
        TEST(a_hundred_reloads_in_the_middle_of_jobs_change_no_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
