/* What the engine does on a line's own account: polls, and probes of silent devices. */
#include "fixture_engine.h"

#include <stdio.h>
#include <string.h>

static void poll_every(struct world *world, size_t point, uint32_t poll_ms)
{
    world->fixture.points[point].poll_ms = poll_ms;
}

static void start(struct world *world, size_t devices, uint32_t poll_ms)
{
    world_init(world, devices, 1);
    poll_every(world, WORLD_SETPOINT, poll_ms);
    for (size_t i = 0; i < devices; i++)
        world->devices[i].setpoint = 20;
}

static const char *reported(const struct world *world, const char *device)
{
    const struct report *report = world_last(world, REPORT_REPORTED, NULL, device);

    return report ? report->body : "";
}

static const char *state_of(const struct world *world, const char *device)
{
    return world_said(world_last(world, REPORT_STATE, NULL, device), "state");
}

static void a_polled_value_is_reported_bare(void **state)
{
    (void)state;
    struct world world;

    start(&world, 1, 1000);
    world_open(&world);
    world_run(&world, 2 * SECONDS);
    assert_string_equal(reported(&world, "d0"), "{\"setpoint\":20}");
    assert_string_equal(state_of(&world, "d0"), "online");
    world_deinit(&world);
}

static void what_does_not_change_is_told_once(void **state)
{
    (void)state;
    struct world world;

    start(&world, 1, 1000);
    world_open(&world);
    world_run(&world, 60 * SECONDS);
    assert_int_equal(world_count(&world, REPORT_REPORTED, NULL, "d0"), 1);
    assert_in_range(world.devices[0].operations, 59, 61);
    world_deinit(&world);
}

static void a_value_is_told_again_when_it_has_moved_by_the_deadband(void **state)
{
    (void)state;
    struct world world;

    start(&world, 1, 1000);
    world.fixture.points[WORLD_SETPOINT].deadband = 3;
    world_open(&world);
    world_run(&world, 5 * SECONDS);
    world.devices[0].setpoint = 22;
    world_run(&world, 5 * SECONDS);
    assert_string_equal(reported(&world, "d0"), "{\"setpoint\":20}");
    world.devices[0].setpoint = 23;
    world_run(&world, 5 * SECONDS);
    assert_string_equal(reported(&world, "d0"), "{\"setpoint\":23}");
    world_deinit(&world);
}

static void changes_are_told_at_most_once_a_second(void **state)
{
    (void)state;
    struct world world;

    start(&world, 1, 100);
    world_open(&world);
    for (int i = 0; i < 100; i++) {
        world.devices[0].setpoint++;
        world_run(&world, SECONDS / 10);
    }
    assert_in_range(world_count(&world, REPORT_REPORTED, NULL, "d0"), 9, 11);
    world_deinit(&world);
}

static void neighbours_are_polled_in_one_frame(void **state)
{
    (void)state;
    struct world world;

    start(&world, 1, 1000);
    world.fixture.points[WORLD_MODE].address = 105;
    poll_every(&world, WORLD_MODE, 1000);
    world_open(&world);
    world_run(&world, 10 * SECONDS);
    assert_in_range(world.devices[0].operations, 9, 11);
    world_deinit(&world);
}

static void a_device_that_refuses_a_hole_is_read_around_it(void **state)
{
    (void)state;
    struct world world;

    start(&world, 1, 1000);
    world.fixture.points[WORLD_MODE].address = 105;
    poll_every(&world, WORLD_MODE, 1000);
    world.devices[0].missing = 103;
    world_open(&world);
    world_run(&world, 3 * SECONDS);
    assert_non_null(strstr(reported(&world, "d0"), "\"setpoint\":20"));
    assert_non_null(strstr(reported(&world, "d0"), "\"mode\""));
    world_deinit(&world);
}

static void first_polls_are_spread_over_the_interval(void **state)
{
    (void)state;
    struct world world;

    start(&world, 10, 10000);
    world_open(&world);
    int64_t begun_us = world.now.boot_us;
    world_run(&world, 10 * SECONDS);
    for (int64_t i = 0; i < 10; i++)
        assert_in_range(world.devices[i].first_us - begun_us, i * SECONDS,
                        i * SECONDS + SECONDS / 10);
    world_deinit(&world);
}

static void polls_of_a_device_pause_while_it_has_a_task(void **state)
{
    (void)state;
    struct world world;

    start(&world, 1, 1000);
    world_method_reboot(&world, 20000, 30000);
    world_open(&world);
    world_run(&world, 5 * SECONDS);
    world_go(&world, "job", "*");
    world_run(&world, 1 * SECONDS);
    unsigned before = world.devices[0].operations;
    world_run(&world, 15 * SECONDS);
    assert_int_equal(world.devices[0].operations, before);
    world_finish(&world);
    world_run(&world, 5 * SECONDS);
    assert_true(world.devices[0].operations > before + 3);
    world_deinit(&world);
}

static void a_job_hardly_feels_that_a_line_is_full_of_polls(void **state)
{
    (void)state;
    struct world world;

    start(&world, 31, 500); /* 31 polls of 20 ms: more than the line carries */
    world_method_write(&world);
    world_open(&world);
    world_run(&world, 5 * SECONDS);
    world_go(&world, "job", "*");
    assert_true(world_finish(&world) < 31 * 2 * 20000 * 108 / 100);
    world_deinit(&world);
}

static void a_line_asked_for_too_much_is_late_everywhere_alike(void **state)
{
    (void)state;
    struct world world;

    start(&world, 30, 200); /* three times what the line carries */
    world_open(&world);
    world_run(&world, 60 * SECONDS);
    for (size_t i = 0; i < 30; i++)
        assert_in_range(world.devices[i].operations, 98, 102);
    world_deinit(&world);
}

static const json_t *line_of(json_t *status)
{
    return json_array_get(json_object_get(status, "lines"), 0);
}

static json_int_t line_says(struct world *world, const char *name)
{
    json_t *status = engine_status_json(world->engine, world->now);
    const json_t *value = json_object_get(line_of(status), name);
    json_int_t said = json_is_boolean(value) ? json_is_true(value) : json_integer_value(value);

    json_decref(status);
    return said;
}

static void a_line_asked_for_too_much_says_so_from_the_start(void **state)
{
    (void)state;
    struct world world;

    start(&world, 30, 200);
    world_open(&world);
    assert_true(engine_is_overloaded(world.engine, 0));
    world_run(&world, 60 * SECONDS);
    assert_true(engine_is_overloaded(world.engine, 0));
    assert_in_range(line_says(&world, "pollLatePercent"), 150, 250); /* each third comes */
    world_deinit(&world);
}

static void a_line_says_while_it_runs_when_it_is_overloaded_and_when_no_longer(void **state)
{
    (void)state;
    struct world world;

    start(&world, 10, 500);
    world_open(&world);
    world_run(&world, 20 * SECONDS);
    assert_int_equal(line_says(&world, "overloaded"), 0);
    assert_in_range(line_says(&world, "pollPercent"), 20, 50);
    world.takes_us = 80000; /* the devices have become slow */
    world.thinks_us = 65000;
    world_run(&world, 60 * SECONDS);
    assert_int_equal(line_says(&world, "overloaded"), 1);
    assert_in_range(line_says(&world, "pollPercent"), 120, 180);
    assert_in_range(line_says(&world, "pollLatePercent"), 40, 90);
    world.takes_us = 20000;
    world.thinks_us = 5000;
    world_run(&world,
              300 * SECONDS); /* what was learned is forgotten after 64 to 128 answers */
    assert_int_equal(line_says(&world, "overloaded"), 0);
    assert_in_range(line_says(&world, "pollLatePercent"), 0, 10);
    world_deinit(&world);
}

static void points_of_unlike_intervals_come_late_by_the_same_share(void **state)
{
    (void)state;
    struct world world;
    unsigned before[2];

    start(&world, 20,
          400); /* 20 polls of 20 ms in 400 ms, and half as many again beside them */
    poll_every(&world, WORLD_STATE, 800);
    world.thinks_us = 5000;
    world_open(&world);
    world_run(&world, 30 * SECONDS);
    for (size_t i = 0; i < 2; i++)
        before[i] = world.devices[i].operations;
    world_run(&world, 60 * SECONDS);
    /* Two of three reads are of the point with half the interval, at each device. */
    for (size_t i = 0; i < 2; i++)
        assert_in_range(world.devices[i].operations - before[i], 145, 155);
    world_deinit(&world);
}

static void a_job_makes_polls_late_and_overloads_no_line(void **state)
{
    (void)state;
    struct world world;

    start(&world, 10, 1000);
    world_method_write(&world);
    world_open(&world);
    for (int i = 0; i < 20; i++) {
        char id[8];

        snprintf(id, sizeof(id), "j%d", i);
        world_go(&world, id, "*");
        world_run(&world, SECONDS);
    }
    assert_int_equal(line_says(&world, "overloaded"), 0);
    world_deinit(&world);
}

static void a_device_that_falls_silent_is_offline_and_comes_back_by_itself(void **state)
{
    (void)state;
    struct world world;

    start(&world, 3, 10000);
    world_open(&world);
    world_run(&world, 20 * SECONDS);
    world.devices[1].dead = true;
    world_run(&world, 20 * SECONDS);
    assert_string_equal(state_of(&world, "d1"), "offline");
    assert_string_equal(state_of(&world, "d2"), "online");
    world.devices[1].dead = false;
    world_run(&world, 60 * SECONDS);
    assert_string_equal(state_of(&world, "d1"), "online");
    world_deinit(&world);
}

static void a_silent_device_costs_the_line_a_twentieth_at_most(void **state)
{
    (void)state;
    struct world world;

    start(&world, 1, 100);
    world.devices[0].dead = true;
    world_open(&world);
    world_run(&world, 30 * SECONDS);
    unsigned before = world.devices[0].operations;
    world_run(&world, 600 * SECONDS);
    assert_true((world.devices[0].operations - before) * 300 < 600000 / 20);
    world_deinit(&world);
}

static void conditions_see_what_was_polled(void **state)
{
    (void)state;
    struct world world;

    start(&world, 3, 1000);
    world_method_write(&world);
    world.devices[2].setpoint = 25;
    world_open(&world);
    world_run(&world, 5 * SECONDS);
    world_go(&world, "job", "properties.reported.setpoint > 22");
    world_finish(&world);
    assert_string_equal(world_job_said(&world, "job", "deviceJobStatistics.deviceCount"), "1");
    world_deinit(&world);
}

static void a_written_property_keeps_its_acknowledgement(void **state)
{
    (void)state;
    struct world world;

    start(&world, 1, 1000);
    world_open(&world);
    world_run(&world, 3 * SECONDS);
    world_patch_job(&world, "job", "{\"setpoint\":21}");
    world_finish(&world);
    world.devices[0].setpoint = 24;
    world_run(&world, 5 * SECONDS);
    const struct report *report = world_last(&world, REPORT_REPORTED, NULL, "d0");
    assert_string_equal(world_said(report, "setpoint.value"), "24");
    assert_string_equal(world_said(report, "setpoint.ac"), "200");
    world_deinit(&world);
}

/* --- over restarts --- */

/* Records of polled values, and their bytes. */
static size_t kept_polled(const struct world *world, size_t *bytes)
{
    size_t count = 0;

    *bytes = 0;
    for (size_t i = 0; i < world->log_count; i++) {
        if (world->log[i]->kind != RECORD_POLLED)
            continue;
        count++;
        *bytes += strlen(world->log[i]->text);
    }
    return count;
}

static void a_day_of_polls(struct world *world, size_t devices)
{
    start(world, devices, 60000);
    world->survives = true;
    world_open(world);
    for (int hour = 0; hour < 24; hour++) {
        for (size_t i = 0; i < devices; i++)
            world->devices[i].setpoint = (uint16_t)(20 + hour);
        world_run(world, 3600 * SECONDS);
    }
}

static void polled_values_are_kept_once_an_hour(void **state)
{
    (void)state;
    struct world world;
    size_t bytes;

    a_day_of_polls(&world, 4);
    assert_in_range(kept_polled(&world, &bytes), 4 * 22, 4 * 24);
    world_deinit(&world);
}

static void a_value_that_does_not_move_is_kept_once(void **state)
{
    (void)state;
    struct world world;
    size_t bytes;

    start(&world, 1, 60000);
    world.survives = true;
    world_open(&world);
    world_run(&world, 86400 * SECONDS);
    assert_int_equal(kept_polled(&world, &bytes), 1);
    world_deinit(&world);
}

static void polled_values_of_many_devices_stay_within_the_measure_of_a_day(void **state)
{
    (void)state;
    static char name[200]; /* as if it had many points */
    struct world world;
    size_t bytes;

    memset(name, 'n', sizeof(name) - 1);
    start(&world, 250, 1800000);
    world.fixture.points[WORLD_SETPOINT].property = name;
    world.survives = true;
    world_open(&world);
    for (int hour = 0; hour < 24; hour++) {
        for (size_t i = 0; i < 250; i++)
            world.devices[i].setpoint = (uint16_t)(20 + hour);
        world_run(&world, 3600 * SECONDS);
    }
    kept_polled(&world, &bytes);
    assert_in_range(bytes, 800000, 1100000);
    world_deinit(&world);
}

static void polled_values_are_there_after_a_power_cut(void **state)
{
    (void)state;
    struct world world;
    json_t *before, *after;

    start(&world, 1, 60000);
    world.survives = true;
    world_open(&world);
    world_run(&world, 4000 * SECONDS);
    before = engine_twin_json(world.engine, "d0");
    world_cut(&world, false);
    after = engine_twin_json(world.engine, "d0");
    assert_int_equal(
        json_integer_value(json_object_get(
            json_object_get(json_object_get(after, "properties"), "reported"), "setpoint")),
        20);
    assert_true(json_equal(json_object_get(before, "properties"),
                           json_object_get(after, "properties")));
    json_decref(before);
    json_decref(after);
    world_deinit(&world);
}

static void a_stop_keeps_polled_values(void **state)
{
    (void)state;
    struct world world;
    size_t bytes;

    start(&world, 2, 1000);
    world.survives = true;
    world_open(&world);
    world_run(&world, 5 * SECONDS);
    assert_int_equal(kept_polled(&world, &bytes), 0);
    engine_pause(world.engine, world.now);
    world_run(&world, SECONDS);
    assert_int_equal(kept_polled(&world, &bytes), 2);
    world_deinit(&world);
}

static void a_twin_that_is_newer_wins_over_polled_values(void **state)
{
    (void)state;
    struct world world;
    json_t *twin;

    start(&world, 1, 60000);
    world.survives = true;
    world_open(&world);
    world_run(&world, 4000 * SECONDS); /* 20 is kept */
    world_give(&world, world_request_patch("d0", "{\"setpoint\":23}"));
    world_finish(&world);
    world_cut(&world, false);
    twin = engine_twin_json(world.engine, "d0");
    assert_int_equal(
        json_integer_value(json_object_get(
            json_object_get(json_object_get(json_object_get(twin, "properties"), "reported"),
                            "setpoint"),
            "value")),
        23);
    json_decref(twin);
    world_deinit(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_polled_value_is_reported_bare),
        cmocka_unit_test(what_does_not_change_is_told_once),
        cmocka_unit_test(a_value_is_told_again_when_it_has_moved_by_the_deadband),
        cmocka_unit_test(changes_are_told_at_most_once_a_second),
        cmocka_unit_test(neighbours_are_polled_in_one_frame),
        cmocka_unit_test(a_device_that_refuses_a_hole_is_read_around_it),
        cmocka_unit_test(first_polls_are_spread_over_the_interval),
        cmocka_unit_test(polls_of_a_device_pause_while_it_has_a_task),
        cmocka_unit_test(a_job_hardly_feels_that_a_line_is_full_of_polls),
        cmocka_unit_test(a_line_asked_for_too_much_is_late_everywhere_alike),
        cmocka_unit_test(a_line_asked_for_too_much_says_so_from_the_start),
        cmocka_unit_test(a_line_says_while_it_runs_when_it_is_overloaded_and_when_no_longer),
        cmocka_unit_test(points_of_unlike_intervals_come_late_by_the_same_share),
        cmocka_unit_test(a_job_makes_polls_late_and_overloads_no_line),
        cmocka_unit_test(a_device_that_falls_silent_is_offline_and_comes_back_by_itself),
        cmocka_unit_test(a_silent_device_costs_the_line_a_twentieth_at_most),
        cmocka_unit_test(conditions_see_what_was_polled),
        cmocka_unit_test(a_written_property_keeps_its_acknowledgement),
        cmocka_unit_test(polled_values_are_kept_once_an_hour),
        cmocka_unit_test(a_value_that_does_not_move_is_kept_once),
        cmocka_unit_test(polled_values_of_many_devices_stay_within_the_measure_of_a_day),
        cmocka_unit_test(polled_values_are_there_after_a_power_cut),
        cmocka_unit_test(a_stop_keeps_polled_values),
        cmocka_unit_test(a_twin_that_is_newer_wins_over_polled_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
