/* What a pulse or a restore could not write back stays owed, until it is written or something
   newer is. */
#include "fixture_engine.h"

#include <stdlib.h>
#include <string.h>

enum { BEFORE = 2, PULSE = 5, NEWER = 9 };

/* A pulse of two seconds; the device dies in the middle of it, and the task ends. */
static void begin_owing(struct world *world)
{
    struct step *pulse;

    world_init(world, 1, 1);
    world->survives = true;
    world->devices[0].mode = BEFORE;
    pulse = fixture_step(&world->fixture, STEP_PULSE, WORLD_MODE);
    pulse->value = json_integer(PULSE);
    pulse->duration_ms = 2000;
    world_open(world);
    world_go(world, "night", "*");
    world_run(world, SECONDS);
    assert_int_equal(world->devices[0].mode, PULSE);
    world->devices[0].dead = true;
    world_finish(world);
    assert_string_equal(
        world_said(world_last(world, REPORT_OUTCOME, "night", "d0"), "error.code"),
        "OutcomeUnknown");
}

static size_t owed_points(struct world *world)
{
    json_t *device = engine_devices_json(world->engine, "d0");
    const json_t *owed = json_object_get(json_object_get(device, "jobgate"), "owed");
    size_t count = json_array_size(owed);

    if (count > 0) {
        assert_string_equal(
            json_string_value(json_object_get(json_array_get(owed, 0), "point")), "mode");
        assert_string_equal(
            json_string_value(json_object_get(json_array_get(owed, 0), "jobId")), "night");
    }
    json_decref(device);
    return count;
}

static void a_pulse_is_paid_back_when_its_device_is_back(void **state)
{
    struct world world;

    (void)state;
    begin_owing(&world);
    assert_int_equal(owed_points(&world), 1);
    world_run(&world, 600 * SECONDS);
    assert_int_equal(world.devices[0].mode, PULSE);
    world.devices[0].dead = false;
    world_run(&world, 120 * SECONDS);
    assert_int_equal(world.devices[0].mode, BEFORE);
    assert_int_equal(owed_points(&world), 0);
    unsigned writes = world.devices[0].writes;
    world_run(&world, 600 * SECONDS);
    assert_int_equal(world.devices[0].writes, writes);
    world_deinit(&world);
}

static void it_stays_owed_over_cuts_of_power(void **state)
{
    struct world world;

    (void)state;
    begin_owing(&world);
    world_cut(&world, false);
    assert_int_equal(owed_points(&world), 1);
    world_run(&world, 30 * SECONDS);
    world_cut(&world, false);
    world.devices[0].dead = false;
    world_run(&world, 120 * SECONDS);
    assert_int_equal(world.devices[0].mode, BEFORE);
    world_cut(&world, false);
    assert_int_equal(owed_points(&world), 0);
    world_deinit(&world);
}

static void a_newer_write_to_the_point_cancels_it(void **state)
{
    struct world world;

    (void)state;
    begin_owing(&world);
    world.devices[0].dead = false;
    world_give(&world, world_request_patch("d0", "{\"mode\":9}"));
    world_finish(&world);
    assert_int_equal(world.devices[0].mode, NEWER);
    assert_int_equal(owed_points(&world), 0);
    world_run(&world, 120 * SECONDS);
    assert_int_equal(world.devices[0].mode, NEWER);
    world_deinit(&world);
}

static void a_write_to_another_point_leaves_it_owed(void **state)
{
    struct world world;

    (void)state;
    begin_owing(&world);
    world.devices[0].dead = false;
    world_give(&world, world_request_patch("d0", "{\"setpoint\":23}"));
    world_run(&world, 120 * SECONDS);
    assert_int_equal(world.devices[0].setpoint, 23);
    assert_int_equal(world.devices[0].mode, BEFORE);
    world_deinit(&world);
}

/* The pulse's own value was never meant to stay: it is not what the next one gives back. */
static void the_next_pulse_gives_back_what_was_owed(void **state)
{
    struct world world;

    (void)state;
    begin_owing(&world);
    world.devices[0].dead = false;
    world_call(&world, "d0");
    world_run(&world, 120 * SECONDS);
    assert_int_equal(world.devices[0].mode, BEFORE);
    assert_int_equal(owed_points(&world), 0);
    world_deinit(&world);
}

static void a_device_that_refuses_is_asked_ever_more_rarely(void **state)
{
    struct world world;

    (void)state;
    begin_owing(&world);
    world.devices[0].dead = false;
    world.devices[0].exception = 4;
    uint64_t frames = world.frames;
    world_run(&world, 3600 * SECONDS);
    assert_int_equal(owed_points(&world), 1);
    assert_in_range(world.frames - frames, 10, 60);
    world.devices[0].exception = 0;
    world_run(&world, 310 * SECONDS);
    assert_int_equal(world.devices[0].mode, BEFORE);
    world_deinit(&world);
}

static void a_restore_stays_owed_too(void **state)
{
    struct world world;
    struct step *expect;

    (void)state;
    world_init(&world, 1, 1);
    world.survives = true;
    world.devices[0].setpoint = 18;
    world.devices[0].state = 0;
    world.fixture.method.repeatable = world.fixture.method.restore = true;
    world_method_write(&world);
    expect = fixture_step(&world.fixture, STEP_EXPECT, WORLD_STATE);
    expect->value = json_integer(1);
    expect->within_ms = 2000;
    world_open(&world);
    world_go(&world, "night", "*");
    world_run(&world, SECONDS);
    assert_int_equal(world.devices[0].setpoint, 21);
    world.devices[0].dead = true;
    world_finish(&world);
    world_run(&world, 60 * SECONDS);
    world.devices[0].dead = false;
    world_run(&world, 120 * SECONDS);
    assert_int_equal(world.devices[0].setpoint, 18);
    world_deinit(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pulse_is_paid_back_when_its_device_is_back),
        cmocka_unit_test(it_stays_owed_over_cuts_of_power),
        cmocka_unit_test(a_newer_write_to_the_point_cancels_it),
        cmocka_unit_test(a_write_to_another_point_leaves_it_owed),
        cmocka_unit_test(the_next_pulse_gives_back_what_was_owed),
        cmocka_unit_test(a_device_that_refuses_is_asked_ever_more_rarely),
        cmocka_unit_test(a_restore_stays_owed_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
