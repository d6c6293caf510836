/* The engine: who goes first, what may leave when, and how long it all takes. */
#include "fixture_engine.h"

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_init(&world, 31, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_deinit(&world);
    return 0;
}

static void open_reboot(uint32_t wait_ms, uint32_t within_ms, int64_t reboot_us)
{
    world_method_reboot(&world, wait_ms, within_ms);
    for (size_t i = 0; i < world.site->device_count; i++)
        world.devices[i].reboot_us = reboot_us;
    world_open(&world);
}

static void open_write(void)
{
    world_method_write(&world);
    world_open(&world);
}

/* --- time --- */

static void reboots_that_wait_take_little_more_than_one_wait(void **state)
{
    (void)state;
    open_reboot(10000, 0, 0);
    world_go(&world, "j", "*");
    assert_in_range(world_finish(&world), 10 * SECONDS, 13 * SECONDS);
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics.succeededCount"),
                        "31");
}

static void reboots_that_are_expected_take_little_more_than_one_reboot(void **state)
{
    (void)state;
    open_reboot(2000, 30000, 10 * SECONDS);
    world_go(&world, "j", "*");
    assert_in_range(world_finish(&world), 10 * SECONDS, 14 * SECONDS);
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics.succeededCount"),
                        "31");
    for (size_t i = 0; i < 31; i++)
        assert_int_equal(world.devices[i].triggers, 1);
}

static void the_live_are_done_in_the_time_of_the_live(void **state)
{
    (void)state;
    open_write();
    world.devices[3].dead = world.devices[9].dead = true;
    world_go(&world, "j", "*");
    int64_t began = world.now.boot_us;
    world_finish(&world);
    for (size_t i = 0; i < 31; i++) {
        if (!world.devices[i].dead) /* 58 exchanges, and one look at each of the dead */
            assert_in_range(world.devices[i].last_us - began, 0, 2 * SECONDS);
    }
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics.failedCount"), "2");
}

static void a_device_that_is_known_to_be_dead_costs_one_try(void **state)
{
    (void)state;
    open_write();
    world.devices[3].dead = true;
    world_go(&world, "j", "*");
    world_finish(&world);
    unsigned before = world.devices[3].operations;
    world_go(&world, "k", "*");
    world_finish(&world);
    assert_int_equal(world.devices[3].operations - before, 1);
    assert_string_equal(world_said(world_last(&world, REPORT_OUTCOME, "k", "d3"), "error.code"),
                        "DeviceTimeout");
}

static void the_only_try_of_a_device_that_answered_lasts_the_whole_time_out(void **state)
{
    (void)state;
    open_write();
    for (size_t i = 0; i < world.site->line_count; i++)
        world.site->lines[i].retries = 0;
    world_call(&world, "d3");
    world_finish(&world);
    world.devices[3].dead = true;
    world_call(&world, "d3");
    world_finish(&world);
    assert_non_null(strstr(world_last(&world, REPORT_ANSWER, NULL, NULL)->body, "in 300 ms"));
}

static void a_dead_device_comes_last_in_the_next_job(void **state)
{
    (void)state;
    open_write();
    world.devices[3].dead = true;
    world_go(&world, "j", "*");
    world_finish(&world);
    world_go(&world, "k", "*");
    world_finish(&world);
    assert_int_equal(world.order[world.frames - 1], 3);
}

/* --- order --- */

static void a_call_goes_before_a_job(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "*");
    world_run(&world, 100000); /* some of the job is done */
    uint64_t before = world.frames;
    world_call(&world, "d30");
    world_finish(&world);
    for (uint64_t i = before; i < world.frames; i++) {
        if (world.order[i] != 30)
            continue;
        assert_in_range(i - before, 0, 2); /* what is at the line already goes first */
        return;
    }
    fail();
}

/* The job has written there, and reads back when all others are written. */
static void a_call_behind_a_begun_task_waits_for_that_one_only(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "*");
    world_run(&world, 6 * world.takes_us);
    size_t begun = world.order[0];
    assert_int_equal(world.devices[begun].writes, 1);
    world_call(&world, world.devices[begun].id);
    world_run(&world, 9 * world.takes_us);
    assert_int_equal(world_count(&world, REPORT_ANSWER, NULL, NULL), 2); /* the job's too */
    assert_true(world_count(&world, REPORT_OUTCOME, "j", NULL) < 31);
}

/* A frame was missed: what the caller then waits for is not the whole job. */
static void the_second_try_of_a_call_goes_before_a_job(void **state)
{
    (void)state;
    world_deinit(&world);
    world_init(&world, 61, 1);
    open_write();
    world_call(&world, "d0");
    world_finish(&world);
    world_go(&world, "long", "deviceId != 'd0'");
    world_run(&world, 200000);
    world.devices[0].silent_until_us = world.now.boot_us + 70000;
    int64_t begun_us = world.now.boot_us;
    size_t before = world_count(&world, REPORT_ANSWER, NULL, NULL);
    world_call(&world, "d0");
    while (world_count(&world, REPORT_ANSWER, NULL, NULL) == before)
        world_run(&world, 1000);
    assert_int_equal(world_last(&world, REPORT_ANSWER, NULL, NULL)->status, 200);
    assert_true(world.now.boot_us - begun_us < 350000);
}

static void writes_go_before_the_verification_of_others(void **state)
{
    (void)state;
    world_deinit(&world);
    world_init(&world, 8, 1);
    open_write();
    world_go(&world, "job", "*");
    world_finish(&world);
    assert_int_equal(world.frames, 16);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(world.order[i], i);
        assert_int_equal(world.order[8 + i], i);
    }
}

static void verification_goes_before_polls(void **state)
{
    (void)state;
    world_deinit(&world);
    world_init(&world, 8, 1);
    world.fixture.points[WORLD_STATE].poll_ms = 100; /* more than the line carries */
    open_write();
    world_run(&world, SECONDS);
    uint64_t before = world.frames;
    world_go(&world, "job", "deviceId = 'd1' OR deviceId = 'd2'");
    world_finish(&world);
    assert_in_range(world.frames - before, 4, 8); /* two out already, four of the job */
}

static void a_device_runs_one_task_at_a_time(void **state)
{
    (void)state;
    open_reboot(5000, 0, 0);
    world_go(&world, "j", "deviceId = 'd1'");
    world_go(&world, "k", "deviceId = 'd1'");
    world_run(&world, 4 * SECONDS);
    assert_int_equal(world.devices[1].triggers, 1);
    world_finish(&world);
    assert_int_equal(world.devices[1].triggers, 2);
}

static void tasks_begin_when_their_frame_leaves(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "*");
    world_finish(&world); /* every device has been served before */
    world_go(&world, "k", "*");
    world_run(&world, 6000);
    assert_string_equal(world_job_said(&world, "k", "deviceJobStatistics.runningCount"), "2");
}

/* --- the log --- */

static void nothing_leaves_before_the_job_is_safe(void **state)
{
    (void)state;
    world.store_stalls = true;
    open_write();
    world_go(&world, "j", "*");
    world_call(&world, "d1");
    world_run(&world, 60 * SECONDS);
    assert_int_equal(world.frames, 0);
    assert_int_equal(world_count(&world, REPORT_STORED, NULL, NULL), 0);
    assert_int_equal(world_count(&world, REPORT_OUTCOME, NULL, NULL), 0);
}

static void who_is_refused_for_the_store_is_told_before_it_is_back(void **state)
{
    (void)state;
    open_write();
    world.store_stalls = true;
    world.safe_us = MOMENT_NEVER;
    world_go(&world, "j", "*");
    engine_store_state(world.engine, false, "the disk is full");
    world_go(&world, "k", "*");
    world_call(&world, "d1");
    world_run(&world, SECONDS);
    assert_int_equal(world_last(&world, REPORT_ANSWER, "k", NULL)->code,
                     CODE_STORE_UNAVAILABLE);
    assert_int_equal(world_count(&world, REPORT_ANSWER, NULL, NULL), 2);
    assert_null(world_last(&world, REPORT_ANSWER, "j", NULL));
    engine_store_state(world.engine, true, "");
    world.store_stalls = false;
    world_finish(&world);
    assert_int_equal(world_last(&world, REPORT_ANSWER, "j", NULL)->code, CODE_NONE);
    assert_int_equal(world_count(&world, REPORT_OUTCOME, "j", NULL), world.site->device_count);
}

static void an_outcome_is_reported_when_it_is_safe(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "deviceId = 'd1'");
    world_run(&world, 10000);
    world.store_stalls = true;
    world.safe_us = MOMENT_NEVER;
    world_run(&world, 10 * SECONDS);
    assert_int_equal(world.devices[1].writes, 1);
    assert_int_equal(world_count(&world, REPORT_OUTCOME, NULL, NULL), 0);
    world.store_stalls = false;
    world_run(&world, SECONDS);
    assert_int_equal(world_count(&world, REPORT_OUTCOME, NULL, NULL), 1);
}

static void the_intent_of_a_trigger_is_safe_before_its_frame(void **state)
{
    (void)state;
    open_reboot(1000, 0, 0);
    world_go(&world, "j", "deviceId = 'd1'");
    world_run(&world, 6000); /* the job is safe, the probe is out */
    world.store_stalls = true;
    world.safe_us = MOMENT_NEVER;
    world_run(&world, 10 * SECONDS);
    assert_int_equal(world.devices[1].triggers, 0);
    assert_int_equal(world.records[world.record_count - 1]->kind, RECORD_INTENT);
    world.store_stalls = false;
    world_finish(&world);
    assert_int_equal(world.devices[1].triggers, 1);
}

/* --- lines --- */

static void a_job_waits_ten_seconds_for_a_line_that_is_down(void **state)
{
    (void)state;
    open_write();
    world_line(&world, 0, false, "unplugged");
    world_go(&world, "j", "*");
    world_run(&world, 9 * SECONDS);
    assert_int_equal(world_count(&world, REPORT_OUTCOME, NULL, NULL), 0);
    world_run(&world, 2 * SECONDS);
    assert_string_equal(
        world_said(world_last(&world, REPORT_OUTCOME, "j", "d5"), "error.description"),
        "line line0 is down: unplugged");
    assert_string_equal(world_job_said(&world, "j", "status"), "completed");
}

static void a_line_that_comes_back_in_time_does_the_job(void **state)
{
    (void)state;
    open_write();
    world_line(&world, 0, false, "unplugged");
    world_go(&world, "j", "*");
    world_run(&world, 5 * SECONDS);
    world_line(&world, 0, true, "");
    world_finish(&world);
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics.succeededCount"),
                        "31");
}

static void a_call_on_a_line_that_is_down_fails_at_once(void **state)
{
    (void)state;
    open_write();
    world_line(&world, 0, false, "unplugged");
    world_call(&world, "d1");
    world_run(&world, 10000);
    assert_int_equal(world_last(&world, REPORT_ANSWER, NULL, NULL)->status, 503);
}

static void a_line_that_goes_down_in_the_middle_is_told_of_each_task(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "*");
    world_run(&world, 200000);
    world_line(&world, 0, false, "unplugged");
    world_finish(&world);
    assert_string_equal(world_job_said(&world, "j", "status"), "completed");
    assert_int_equal(world_count(&world, REPORT_OUTCOME, "j", NULL), 31);
}

static void the_state_of_a_device_is_told_when_it_changes(void **state)
{
    (void)state;
    open_write();
    world.devices[3].dead = true;
    for (int i = 0; i < 3; i++) {
        world_call(&world, "d3");
        world_call(&world, "d4");
        world_finish(&world);
    }
    assert_string_equal(world_said(world_last(&world, REPORT_STATE, NULL, "d3"), "state"),
                        "offline");
    assert_string_equal(world_said(world_last(&world, REPORT_STATE, NULL, "d4"), "state"),
                        "online");
    assert_int_equal(world_count(&world, REPORT_STATE, NULL, "d3"), 1);
    assert_int_equal(world_count(&world, REPORT_STATE, NULL, "d4"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(reboots_that_wait_take_little_more_than_one_wait),
        TEST(reboots_that_are_expected_take_little_more_than_one_reboot),
        TEST(the_live_are_done_in_the_time_of_the_live),
        TEST(a_device_that_is_known_to_be_dead_costs_one_try),
        TEST(the_only_try_of_a_device_that_answered_lasts_the_whole_time_out),
        TEST(a_dead_device_comes_last_in_the_next_job),
        TEST(a_call_goes_before_a_job),
        TEST(a_call_behind_a_begun_task_waits_for_that_one_only),
        TEST(the_second_try_of_a_call_goes_before_a_job),
        TEST(writes_go_before_the_verification_of_others),
        TEST(verification_goes_before_polls),
        TEST(a_device_runs_one_task_at_a_time),
        TEST(tasks_begin_when_their_frame_leaves),
        TEST(nothing_leaves_before_the_job_is_safe),
        TEST(who_is_refused_for_the_store_is_told_before_it_is_back),
        TEST(an_outcome_is_reported_when_it_is_safe),
        TEST(the_intent_of_a_trigger_is_safe_before_its_frame),
        TEST(a_job_waits_ten_seconds_for_a_line_that_is_down),
        TEST(a_line_that_comes_back_in_time_does_the_job),
        TEST(a_call_on_a_line_that_is_down_fails_at_once),
        TEST(a_line_that_goes_down_in_the_middle_is_told_of_each_task),
        TEST(the_state_of_a_device_is_told_when_it_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
