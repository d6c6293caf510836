/* Points whose memory wears: what counts as a write, for how long, and what is refused. */
#include "fixture_engine.h"
#include "jobs/wear.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOURS (3600 * SECONDS)

static struct world world;
static unsigned calls;

/* --- the count --- */

static void a_write_counts_for_a_day_and_till_its_hour_is_over(void **state)
{
    struct wears wears = {0};

    (void)state;
    assert_int_equal(wears_add(&wears, "setpoint", 10 * HOURS + 1), 0);
    assert_int_equal(wears_used(&wears, "setpoint", 34 * HOURS + 1), 1);
    assert_int_equal(wears_used(&wears, "setpoint", 35 * HOURS - 1), 1);
    assert_int_equal(wears_used(&wears, "setpoint", 35 * HOURS), 0);
    assert_int_equal(wears_free_us(&wears, "setpoint", 11 * HOURS), 24 * HOURS);
    wears_deinit(&wears);
}

static void every_hour_leaves_by_itself(void **state)
{
    struct wears wears = {0};

    (void)state;
    for (int64_t hour = 0; hour < 100; hour++) {
        assert_int_equal(wears_add(&wears, "setpoint", hour * HOURS), 0);
        assert_int_equal(wears_used(&wears, "setpoint", hour * HOURS),
                         hour < WEAR_HOURS ? hour + 1 : WEAR_HOURS);
    }
    assert_int_equal(wears_used(&wears, "setpoint", 500 * HOURS), 0);
    wears_deinit(&wears);
}

static void what_is_kept_counts_as_before(void **state)
{
    struct wears wears = {0}, again = {0};

    (void)state;
    for (int64_t hour = 3; hour < 60; hour += 7) {
        wears_add(&wears, "setpoint", hour * HOURS);
        wears_add(&wears, "mode", hour * HOURS / 2);
    }
    json_t *kept = wears_keep(&wears, 60 * HOURS);
    assert_int_equal(wears_recall(&again, kept), 0);
    for (int64_t hour = 60; hour < 90; hour++) {
        assert_int_equal(wears_used(&again, "setpoint", hour * HOURS),
                         wears_used(&wears, "setpoint", hour * HOURS));
        assert_int_equal(wears_free_us(&again, "setpoint", hour * HOURS),
                         wears_free_us(&wears, "setpoint", hour * HOURS));
    }
    assert_int_equal(wears_used(&again, "mode", 60 * HOURS), 0);
    json_decref(kept);
    wears_deinit(&wears);
    wears_deinit(&again);
}

static void a_damaged_record_is_left_out(void **state)
{
    struct wears wears = {0};
    json_t *kept = json_loads("{\"a\":[[-5,1],[3,-1],7,[4],[5,2]],\"b\":null}", 0, NULL);

    (void)state;
    assert_int_equal(wears_recall(&wears, kept), 0);
    assert_int_equal(wears_used(&wears, "a", 6 * HOURS), 2);
    json_decref(kept);
    wears_deinit(&wears);
}

/* --- the engine --- */

static void begin(uint32_t most)
{
    world_init(&world, 1, 1);
    world.survives = true;
    world.fixture.points[WORLD_SETPOINT].if_different = true;
    world.fixture.points[WORLD_SETPOINT].max_writes_per_day = most;
    calls = 0;
}

static int end(void **state)
{
    (void)state;
    world_deinit(&world);
    return 0;
}

/* What a write of these points came to: the code of its error, or "". */
static const char *write_all(const char *json)
{
    char id[16];
    const struct report *last;
    struct request *request = request_new(REQUEST_CALL, LINK_BROKER);

    snprintf(id, sizeof(id), "%u", ++calls);
    request->device_id = strdup("d0");
    request->action.kind = ACTION_WRITE;
    request->action.arguments = json_loads(json, 0, NULL);
    request->timeout_s = 3600;
    request->origin.topic = strdup("answers");
    world_give(&world, request);
    world_finish(&world);
    last = world_last(&world, REPORT_ANSWER, NULL, NULL);
    assert_non_null(last);
    return last->status == 200 ? "" : world_said(last, "error.code");
}

static const char *write_setpoint(int value)
{
    char json[40];

    snprintf(json, sizeof(json), "{\"setpoint\":%d}", value);
    return write_all(json);
}

static const char *description(void)
{
    return world_said(world_last(&world, REPORT_ANSWER, NULL, NULL), "error.description");
}

static void one_write_too_many_is_refused_unsent(void **state)
{
    (void)state;
    begin(2);
    world_open(&world);
    assert_string_equal(write_setpoint(1), "");
    assert_string_equal(write_setpoint(2), "");
    uint64_t frames = world.frames;
    assert_string_equal(write_setpoint(3), "NotWritable");
    assert_int_equal(world.frames, frames);
    assert_int_equal(world.devices[0].setpoint, 2);
    assert_string_equal(
        description(),
        "setpoint may be written 2 times a day (max_writes_per_day) and 0 of them are left; "
        "more in 24 h 44 min (2030-01-02T00:43:20.000Z); write it less often, or raise the "
        "limit "
        "in profile room");
}

static void what_it_holds_already_costs_no_write(void **state)
{
    (void)state;
    begin(1);
    world_open(&world);
    world.devices[0].setpoint = 5;
    for (int i = 0; i < 10; i++)
        assert_string_equal(write_setpoint(5), "");
    assert_int_equal(world.devices[0].writes, 0);
    assert_string_equal(write_setpoint(6), "");
}

/* Somebody at the device turned it: what we wrote last says nothing. */
static void whether_it_differs_is_read_and_not_remembered(void **state)
{
    (void)state;
    begin(5);
    world_open(&world);
    assert_string_equal(write_setpoint(5), "");
    world.devices[0].setpoint = 9;
    assert_string_equal(write_setpoint(5), "");
    assert_int_equal(world.devices[0].setpoint, 5);
    assert_int_equal(world.devices[0].writes, 2);
}

static void a_day_later_it_may_be_written_again(void **state)
{
    (void)state;
    begin(1);
    world_open(&world);
    assert_string_equal(write_setpoint(1), "");
    world_run(&world, 23 * HOURS);
    assert_string_equal(write_setpoint(2), "NotWritable");
    world_run(&world, 2 * HOURS);
    assert_string_equal(write_setpoint(2), "");
}

static void a_restart_forgets_no_write(void **state)
{
    (void)state;
    begin(2);
    world_open(&world);
    write_setpoint(1);
    world_cut(&world, false);
    assert_string_equal(write_setpoint(2), "");
    world_cut(&world, false);
    assert_string_equal(write_setpoint(3), "NotWritable");
    world_run(&world, 25 * HOURS);
    assert_string_equal(write_setpoint(3), "");
}

static void a_clock_that_is_set_frees_no_write(void **state)
{
    (void)state;
    begin(1);
    world_open(&world);
    write_setpoint(1);
    world.now.wall_ms += INT64_C(400) * 86400 * 1000;
    world_run(&world, SECONDS);
    assert_string_equal(write_setpoint(2), "NotWritable");
    world.now.wall_ms -= INT64_C(900) * 86400 * 1000;
    world_run(&world, SECONDS);
    assert_string_equal(write_setpoint(2), "NotWritable");
}

/* The machine was off for so long; is the time known afterwards? */
static const char *after_a_pause(int64_t off_us, bool trusted)
{
    begin(1);
    world_open(&world);
    write_setpoint(1);
    world.other_boot = true;
    world.now.wall_ms += off_us / 1000;
    world.now.boot_us = 30 * SECONDS;
    world.now.trusted = trusted;
    world_cut(&world, false);
    return write_setpoint(2);
}

static void the_time_that_the_machine_was_off_counts_where_it_is_known(void **state)
{
    (void)state;
    assert_string_equal(after_a_pause(26 * HOURS, true), "");
}

static void a_short_pause_frees_nothing(void **state)
{
    (void)state;
    assert_string_equal(after_a_pause(3 * HOURS, true), "NotWritable");
}

static void without_a_trusted_clock_the_machine_was_off_for_no_time(void **state)
{
    (void)state;
    assert_string_equal(after_a_pause(26 * HOURS, false), "NotWritable");
    world.now.trusted = true; /* the time has come from the network */
    world_run(&world, SECONDS);
    assert_string_equal(write_setpoint(2), "");
}

static void no_frame_leaves_before_its_count_is_safe(void **state)
{
    (void)state;
    begin(3);
    world_open(&world);
    write_setpoint(1);
    world.store_us = 5 * SECONDS;
    struct request *request = request_new(REQUEST_CALL, LINK_BROKER);
    request->device_id = strdup("d0");
    request->action.kind = ACTION_WRITE;
    request->action.arguments = json_loads("{\"setpoint\":2}", 0, NULL);
    request->timeout_s = 3600;
    request->origin.topic = strdup("answers");
    world_give(&world, request);
    world_run(&world,
              9 * SECONDS); /* the call is safe, it was compared, the count is not safe */
    assert_int_equal(world.devices[0].setpoint, 1);
    world_finish(&world);
    assert_int_equal(world.devices[0].setpoint, 2);
}

static void a_cut_leaves_at_most_one_write_too_many_in_the_count(void **state)
{
    (void)state;
    begin(3);
    world_open(&world);
    write_setpoint(1);
    world_patch_job(&world, "night", "{\"setpoint\":2}");
    while (world.lines[0].count == 0 || world.lines[0].out[0]->operation.kind == OPERATION_READ)
        world_run(&world, 1000);
    world_cut(&world, false);
    world_finish(&world);
    assert_int_equal(world.devices[0].setpoint, 2);
    assert_int_equal(world.devices[0].writes, 2);
    assert_string_equal(write_setpoint(3), "NotWritable"); /* three are counted */
}

static void a_repeat_after_a_read_back_counts_too(void **state)
{
    (void)state;
    begin(3);
    world.devices[0].deaf = true;
    world_open(&world);
    assert_string_equal(write_setpoint(1), "VerifyMismatch");
    assert_int_equal(world.devices[0].writes, 2);
    assert_string_equal(write_setpoint(1), "VerifyMismatch"); /* the last one, no repeat */
    assert_int_equal(world.devices[0].writes, 3);
    assert_string_equal(write_setpoint(1), "NotWritable");
}

/* Refuses its writes with "busy": each is worth another try. */
static void tries_count_and_end_with_the_limit(void **state)
{
    (void)state;
    begin(2);
    world.devices[0].exception = 6;
    world_open(&world);
    assert_string_equal(write_setpoint(1), "DeviceException");
    assert_string_equal(write_setpoint(1), "NotWritable");
    world.devices[0].exception = 0;
    assert_int_equal(world.devices[0].setpoint, 0);
}

static void a_method_is_refused_before_its_first_frame(void **state)
{
    (void)state;
    begin(1);
    fixture_write(&world.fixture, WORLD_MODE, "4");
    fixture_argument(&world.fixture, WORLD_SETPOINT, "setpoint", NULL);
    world_open(&world);
    world_give(&world, world_request_call("d0", "{\"setpoint\":1}"));
    world_finish(&world);
    world.devices[0].mode = 0;
    uint64_t frames = world.frames;
    world_give(&world, world_request_call("d0", "{\"setpoint\":2}"));
    world_finish(&world);
    assert_int_equal(world_last(&world, REPORT_ANSWER, NULL, NULL)->status, 405);
    assert_int_equal(world.frames, frames);
    assert_int_equal(world.devices[0].mode, 0);
}

static void a_patch_loses_only_the_property_that_wears(void **state)
{
    const struct report *last;

    (void)state;
    begin(1);
    world_open(&world);
    write_setpoint(1);
    world_patch_job(&world, "night", "{\"setpoint\":7,\"mode\":3}");
    world_finish(&world);
    assert_int_equal(world.devices[0].setpoint, 1);
    assert_int_equal(world.devices[0].mode, 3);
    world_run(&world, 2 * SECONDS);
    last = world_last(&world, REPORT_OUTCOME, "night", "d0");
    assert_string_equal(world_said(last, "error.code"), "NotWritable");
    last = world_last(&world, REPORT_REPORTED, NULL, "d0");
    assert_string_equal(world_said(last, "setpoint.ac"), "405");
    assert_string_equal(world_said(last, "mode.ac"), "200");
}

static void pulse(uint32_t most)
{
    struct step *step;

    begin(most);
    step = fixture_step(&world.fixture, STEP_PULSE, WORLD_SETPOINT);
    step->value = json_integer(5);
    step->duration_ms = 1000;
    world_open(&world);
    world_give(&world, world_request_call("d0", NULL));
    world_finish(&world);
}

static void a_pulse_needs_a_write_for_its_return(void **state)
{
    (void)state;
    pulse(1);
    assert_int_equal(world.devices[0].writes, 0);
    assert_int_equal(world_last(&world, REPORT_ANSWER, NULL, NULL)->status, 405);
    assert_string_equal(description(),
                        "setpoint may be written 1 times a day (max_writes_per_day) and this "
                        "asks for more at once: write it less often, or raise the limit in "
                        "profile room");
}

static void a_pulse_and_its_return_count_as_two(void **state)
{
    (void)state;
    pulse(3);
    assert_int_equal(world_last(&world, REPORT_ANSWER, NULL, NULL)->status, 200);
    assert_string_equal(write_setpoint(8), "");
    assert_string_equal(write_setpoint(9), "NotWritable");
}

/* Set by hand to what the power cut left: a pulse whose return is due, and no write left. */
static void what_is_owed_is_paid_back_beyond_the_limit(void **state)
{
    struct step *step;

    (void)state;
    begin(3);
    step = fixture_step(&world.fixture, STEP_PULSE, WORLD_SETPOINT);
    step->value = json_integer(5);
    step->duration_ms = 60000;
    world.devices[0].setpoint = 2;
    world_open(&world);
    world_go(&world, "night", "*");
    world_run(&world, 10 * SECONDS);
    assert_int_equal(world.devices[0].setpoint, 5);
    world.fixture.points[WORLD_SETPOINT].max_writes_per_day = 1; /* a site that was changed */
    world_cut(&world, false);
    world_finish(&world);
    assert_int_equal(world.devices[0].setpoint, 2);
}

static void what_was_written_is_shown_with_the_device(void **state)
{
    (void)state;
    begin(4);
    world_open(&world);
    write_setpoint(1);
    world_run(&world, SECONDS);
    json_t *device = engine_devices_json(world.engine, "d0");
    const json_t *point = json_object_get(
        json_object_get(json_object_get(device, "jobgate"), "writesToday"), "setpoint");
    assert_int_equal(json_integer_value(json_object_get(point, "written")), 1);
    assert_int_equal(json_integer_value(json_object_get(point, "most")), 4);
    assert_in_range(json_integer_value(json_object_get(point, "freeInSeconds")), 86400, 90000);
    json_decref(device);
}

static void without_a_store_nothing_that_wears_is_written(void **state)
{
    (void)state;
    begin(4);
    world.survives = false;
    world_open(&world);
    assert_string_equal(write_setpoint(1), "StoreUnavailable");
    assert_int_equal(world.frames, 0);
    assert_string_equal(write_all("{\"mode\":1}"), "");
}

int main(void)
{
    const struct CMUnitTest counts[] = {
        cmocka_unit_test(a_write_counts_for_a_day_and_till_its_hour_is_over),
        cmocka_unit_test(every_hour_leaves_by_itself),
        cmocka_unit_test(what_is_kept_counts_as_before),
        cmocka_unit_test(a_damaged_record_is_left_out),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(one_write_too_many_is_refused_unsent, end),
        cmocka_unit_test_teardown(what_it_holds_already_costs_no_write, end),
        cmocka_unit_test_teardown(whether_it_differs_is_read_and_not_remembered, end),
        cmocka_unit_test_teardown(a_day_later_it_may_be_written_again, end),
        cmocka_unit_test_teardown(a_restart_forgets_no_write, end),
        cmocka_unit_test_teardown(a_clock_that_is_set_frees_no_write, end),
        cmocka_unit_test_teardown(the_time_that_the_machine_was_off_counts_where_it_is_known,
                                  end),
        cmocka_unit_test_teardown(a_short_pause_frees_nothing, end),
        cmocka_unit_test_teardown(without_a_trusted_clock_the_machine_was_off_for_no_time, end),
        cmocka_unit_test_teardown(no_frame_leaves_before_its_count_is_safe, end),
        cmocka_unit_test_teardown(a_cut_leaves_at_most_one_write_too_many_in_the_count, end),
        cmocka_unit_test_teardown(a_repeat_after_a_read_back_counts_too, end),
        cmocka_unit_test_teardown(tries_count_and_end_with_the_limit, end),
        cmocka_unit_test_teardown(a_method_is_refused_before_its_first_frame, end),
        cmocka_unit_test_teardown(a_patch_loses_only_the_property_that_wears, end),
        cmocka_unit_test_teardown(a_pulse_needs_a_write_for_its_return, end),
        cmocka_unit_test_teardown(a_pulse_and_its_return_count_as_two, end),
        cmocka_unit_test_teardown(what_is_owed_is_paid_back_beyond_the_limit, end),
        cmocka_unit_test_teardown(what_was_written_is_shown_with_the_device, end),
        cmocka_unit_test_teardown(without_a_store_nothing_that_wears_is_written, end),
    };
    int failed = cmocka_run_group_tests(counts, NULL, NULL);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
