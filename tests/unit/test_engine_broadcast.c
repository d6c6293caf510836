/* One frame for all devices of a line: when it may be sent, and that only reads count. */
#include "fixture_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world world;

static int begin(void **state)
{
    (void)state;
    world_init(&world, 8, 2); /* four on each line */
    world.fixture.points[WORLD_SETPOINT].broadcast = true;
    world.fixture.method.repeatable = true;
    for (size_t i = 0; i < 2; i++)
        world.site->lines[i].broadcast_us = 100000;
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_deinit(&world);
    return 0;
}

static void run_all(void)
{
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "night", "*");
    world_finish(&world);
}

static const char *status_of(const char *device)
{
    return world_said(world_last(&world, REPORT_OUTCOME, "night", device), "status");
}

static const char *result_of(const char *device)
{
    return world_said(world_last(&world, REPORT_OUTCOME, "night", device),
                      "outcome.deviceMethodResponse.payload.writes.setpoint.result");
}

static unsigned writes(void)
{
    unsigned count = 0;

    for (size_t i = 0; i < world.site->device_count; i++)
        count += world.devices[i].writes;
    return count;
}

static void one_frame_a_line_writes_all_and_each_is_read(void **state)
{
    (void)state;
    run_all();
    assert_int_equal(world.broadcasts, 2);
    assert_int_equal(world.frames, 2 + 8); /* two broadcasts, eight reads */
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(world.devices[i].setpoint, 21);
        assert_string_equal(result_of(world.devices[i].id), "verified");
    }
}

static void one_that_did_not_hear_it_gets_its_own_frame(void **state)
{
    (void)state;
    world.devices[2].aloof = true;
    run_all();
    assert_int_equal(world.broadcasts, 2);
    assert_int_equal(world.devices[2].setpoint, 21);
    assert_int_equal(world.devices[2].writes, 1);
    assert_string_equal(result_of("d2"), "verified");
    assert_int_equal(writes(), 8);
}

static void one_that_is_silent_is_no_success(void **state)
{
    (void)state;
    world.devices[3].dead = true;
    run_all();
    assert_string_equal(status_of("d3"), "failed");
    assert_string_equal(
        world_said(world_last(&world, REPORT_OUTCOME, "night", "d3"), "error.code"),
        "DeviceTimeout");
    assert_string_equal(result_of("d3"), "unknown");
    assert_string_equal(status_of("d1"), "completed");
}

static void one_that_keeps_its_value_is_a_mismatch(void **state)
{
    (void)state;
    world.devices[1].deaf = true;
    run_all();
    assert_string_equal(
        world_said(world_last(&world, REPORT_OUTCOME, "night", "d1"), "error.code"),
        "VerifyMismatch");
}

/* --- where none may be sent --- */

static void a_line_that_does_not_allow_it_gets_none(void **state)
{
    (void)state;
    world.site->lines[0].broadcast_us = 0;
    run_all();
    assert_int_equal(world.broadcasts, 1);
    assert_int_equal(world.devices[0].setpoint, 21);
}

static void a_point_that_does_not_allow_it_gets_none(void **state)
{
    (void)state;
    world.fixture.points[WORLD_SETPOINT].broadcast = false;
    run_all();
    assert_int_equal(world.broadcasts, 0);
    assert_int_equal(writes(), 8);
}

static void a_device_that_is_not_in_the_job_is_not_written(void **state)
{
    (void)state;
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "night", "deviceId != 'd0'"); /* line 0 has one more, line 1 is whole */
    world_finish(&world);
    assert_int_equal(world.broadcasts, 1);
    assert_int_equal(world.devices[0].setpoint, 0);
    assert_int_equal(world.devices[2].setpoint, 21);
}

static void a_call_is_for_one_device(void **state)
{
    (void)state;
    world_method_write(&world);
    world_open(&world);
    world_give(&world, world_request_call("d0", NULL));
    world_finish(&world);
    assert_int_equal(world.broadcasts, 0);
    assert_int_equal(world.devices[2].setpoint, 0);
}

static void a_device_that_is_busy_lets_all_go_one_by_one(void **state)
{
    (void)state;
    fixture_step(&world.fixture, STEP_WAIT, 0)->duration_ms = 5000;
    fixture_write(&world.fixture, WORLD_SETPOINT, "21");
    world_open(&world);
    world_give(&world, world_request_call("d0", NULL)); /* waits for five seconds */
    world_run(&world, SECONDS);
    world_patch_job(&world, "night", "{\"setpoint\":5}");
    world_finish(&world);
    assert_int_equal(world.broadcasts, 1); /* of the line that d0 is not on */
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(world.devices[i].setpoint, 5);
}

static void what_was_superseded_for_one_is_broadcast_to_none(void **state)
{
    (void)state;
    world_open(&world);
    world_line(&world, 0, false, "unplugged");
    world_patch_job(&world, "night", "{\"setpoint\":5}");
    world_run(&world, SECONDS);
    world_give(&world, world_request_patch("d0", "{\"setpoint\":7}")); /* newer, and fails */
    world_run(&world, SECONDS);
    world_line(&world, 0, true, "");
    world_finish(&world);
    assert_int_equal(world.broadcasts, 1);
    assert_int_equal(world.devices[0].setpoint, 0);
    assert_int_equal(world.devices[2].setpoint, 5);
}

static void a_lone_device_needs_none(void **state)
{
    (void)state;
    world.site->devices[7].line = world.site->devices[5].line = world.site->devices[3].line = 0;
    run_all();
    assert_int_equal(world.broadcasts, 1);
    assert_int_equal(world.devices[1].writes, 1);
}

/* --- trouble --- */

static void a_line_that_goes_down_in_it_is_written_one_by_one(void **state)
{
    (void)state;
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "night", "*");
    while (world.lines[0].count == 0)
        world_run(&world, 1000);
    assert_int_equal(world.lines[0].out[0]->operation.unit, 0);
    world_line(&world, 0, false, "unplugged");
    world_run(&world, SECONDS);
    world_line(&world, 0, true, "");
    world_finish(&world);
    assert_int_equal(world.broadcasts, 1);
    assert_string_equal(status_of("d0"), "completed");
    assert_int_equal(world.devices[0].setpoint, 21);
}

static void a_cancel_in_it_leaves_every_task_with_its_true_end(void **state)
{
    (void)state;
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "night", "*");
    while (world.lines[0].count == 0)
        world_run(&world, 1000);
    world_cancel(&world, LINK_BROKER, "night");
    world_finish(&world);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(world.devices[i].setpoint,
                         strcmp(status_of(world.devices[i].id), "completed") == 0 ? 21 : 0);
}

static void a_cut_in_it_ends_well(void **state)
{
    (void)state;
    world.survives = true;
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "night", "*");
    while (world.lines[0].count == 0)
        world_run(&world, 1000);
    world_cut(&world, false);
    world_finish(&world);
    for (size_t i = 0; i < 8; i++) {
        assert_string_equal(status_of(world.devices[i].id), "completed");
        assert_int_equal(world.devices[i].setpoint, 21);
    }
}

int main(void)
{
#define FACT(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        FACT(one_frame_a_line_writes_all_and_each_is_read),
        FACT(one_that_did_not_hear_it_gets_its_own_frame),
        FACT(one_that_is_silent_is_no_success),
        FACT(one_that_keeps_its_value_is_a_mismatch),
        FACT(a_line_that_does_not_allow_it_gets_none),
        FACT(a_point_that_does_not_allow_it_gets_none),
        FACT(a_device_that_is_not_in_the_job_is_not_written),
        FACT(a_call_is_for_one_device),
        FACT(a_device_that_is_busy_lets_all_go_one_by_one),
        FACT(what_was_superseded_for_one_is_broadcast_to_none),
        FACT(a_lone_device_needs_none),
        FACT(a_line_that_goes_down_in_it_is_written_one_by_one),
        FACT(a_cancel_in_it_leaves_every_task_with_its_true_end),
        FACT(a_cut_in_it_ends_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
