/* The engine's single calls: answered once, dropped in time, known when they come again. */
#include "fixture_engine.h"

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_init(&world, 6, 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_deinit(&world);
    return 0;
}

static void open_write(void)
{
    world_method_write(&world);
    world_open(&world);
}

static void open_wait(void)
{
    world_method_reboot(&world, 60000, 0);
    world_open(&world);
}

static const struct report *answer(void)
{
    return world_last(&world, REPORT_ANSWER, NULL, NULL);
}

static size_t answers(void)
{
    return world_count(&world, REPORT_ANSWER, NULL, NULL);
}

static void call_named(const char *device, const char *id)
{
    struct request *request = world_request_call(device, NULL);

    request->request_id = strdup(id);
    request->repeat_s = 86400;
    world_give(&world, request);
}

static void call_correlated(const char *topic, bool dup)
{
    struct request *request = world_request_call("d1", NULL);

    free(request->origin.topic);
    request->origin.topic = strdup(topic);
    request->origin.correlation = strdup("12");
    request->origin.correlation_size = 2;
    request->repeat_s = 300;
    request->dup = dup;
    world_give(&world, request);
}

static void a_call_is_answered_once_with_what_became_of_each_point(void **state)
{
    (void)state;
    open_write();
    world_call(&world, "d1");
    world_finish(&world);
    world_run(&world, 60 * SECONDS);
    assert_int_equal(answers(), 1);
    assert_int_equal(answer()->status, 200);
    assert_string_equal(world_said(answer(), "writes.setpoint.result"), "verified");
    assert_string_equal(answer()->origin.topic, "answers");
}

static void a_call_to_an_unknown_device_is_answered(void **state)
{
    (void)state;
    open_write();
    world_call(&world, "nobody");
    assert_int_equal(answer()->status, 404);
    assert_string_equal(world_said(answer(), "error.code"), "UnknownDevice");
}

static void a_call_with_wrong_arguments_touches_nothing(void **state)
{
    (void)state;
    open_write();
    world_give(&world, world_request_call("d1", "{\"surplus\":1}"));
    world_run(&world, SECONDS);
    assert_int_equal(answer()->status, 400);
    assert_int_equal(world.frames, 0);
}

static void a_value_out_of_range_touches_nothing(void **state)
{
    (void)state;
    struct request *request = world_request_call("d1", "{\"setpoint\":40000}");

    open_write();
    request->action.kind = ACTION_WRITE;
    world_give(&world, request);
    assert_string_equal(world_said(answer(), "error.code"), "OutOfRange");
}

static void a_point_that_cannot_be_written_is_named(void **state)
{
    (void)state;
    struct request *request = world_request_call("d1", "{\"state\":4}");

    open_write();
    request->action.kind = ACTION_WRITE;
    world_give(&world, request);
    assert_int_equal(answer()->status, 405);
    assert_string_equal(world_said(answer(), "error.code"), "NotWritable");
}

static void a_point_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    struct request *request = world_request_call("d1", "[\"control\"]");

    open_write();
    request->action.kind = ACTION_READ;
    world_give(&world, request);
    assert_string_equal(world_said(answer(), "error.code"), "NotReadable");
}

static void a_point_that_is_unknown_is_named(void **state)
{
    (void)state;
    struct request *request = world_request_call("d1", "[\"colour\"]");

    open_write();
    request->action.kind = ACTION_READ;
    world_give(&world, request);
    assert_string_equal(world_said(answer(), "error.code"), "UnknownPoint");
}

static void a_call_behind_a_full_line_is_refused(void **state)
{
    (void)state;
    world.site->store.max_waiting = 1;
    open_wait();
    world_call(&world, "d1");
    world_run(&world, SECONDS);
    world_call(&world, "d3");
    assert_int_equal(answer()->status, 429);
}

static void a_call_whose_time_ends_before_it_began_is_dropped(void **state)
{
    (void)state;
    open_wait();
    world_go(&world, "j", "deviceId = 'd1'");
    world_run(&world, SECONDS);
    world_call(&world, "d1");
    world_run(&world, 31 * SECONDS);
    assert_string_equal(world_said(answer(), "error.code"), "Expired");
    world_run(&world, 120 * SECONDS);
    assert_int_equal(world.devices[1].triggers, 1);
}

static void a_call_whose_time_ends_while_it_runs_runs_on(void **state)
{
    (void)state;
    open_wait();
    world_call(&world, "d1");
    world_run(&world, 31 * SECONDS);
    assert_int_equal(answer()->status, 504);
    assert_string_equal(world_said(answer(), "error.code"), "GatewayTimeout");
    world_run(&world, 40 * SECONDS);
    assert_int_equal(world_count(&world, REPORT_ANSWER, NULL, NULL), 1);
    json_t *device = engine_devices_json(world.engine, "d1");
    const char *status = json_string_value(json_object_get(
        json_object_get(json_object_get(device, "jobgate"), "lastOutcome"), "status"));
    assert_string_equal(status, "completed");
    json_decref(device);
}

/* --- repeats --- */

static void a_device_that_has_just_fallen_silent_is_not_triggered(void **state)
{
    (void)state;
    world_method_reboot(&world, 10, 0);
    world_open(&world);
    world_call(&world, "d1"); /* it has answered within the last minute */
    world_finish(&world);
    world.devices[1].dead = true;
    world_give(&world, world_request_patch("d1", "{\"setpoint\":21}"));
    world_finish(&world);
    unsigned operations = world.devices[1].operations;
    world.devices[1].mute = true; /* would obey, unheard */
    world.devices[1].dead = false;
    world_call(&world, "d1");
    world_finish(&world);
    assert_int_equal(world.devices[1].triggers, 1);
    assert_int_equal(world.devices[1].operations, operations + 1); /* the probe */
    assert_int_equal(answer()->status, 504);
}

static void the_same_request_id_is_answered_from_memory(void **state)
{
    (void)state;
    open_write();
    call_named("d1", "r1");
    world_finish(&world);
    uint64_t frames = world.frames;
    call_named("d1", "r1");
    world_run(&world, SECONDS);
    assert_int_equal(world.frames, frames);
    assert_int_equal(answers(), 2);
    assert_string_equal(world_said(answer(), "writes.setpoint.result"), "verified");
}

static void what_could_not_be_taken_may_be_asked_again_by_the_same_id(void **state)
{
    (void)state;
    world.site->store.max_waiting = 1;
    open_write();
    world_call(&world, "d1");
    call_named("d1", "r");
    world_run(&world, world.takes_us);
    assert_int_equal(answer()->code, CODE_QUEUE_FULL);
    world_finish(&world);
    call_named("d1", "r");
    world_finish(&world);
    assert_int_equal(answer()->status, 200);
    assert_int_equal(answers(), 3);
    engine_store_state(world.engine, false, "the disk is full");
    call_named("d1", "s");
    world_run(&world, SECONDS);
    assert_int_equal(answer()->code, CODE_STORE_UNAVAILABLE);
    engine_store_state(world.engine, true, "");
    call_named("d1", "s");
    world_finish(&world);
    assert_int_equal(answer()->status, 200);
}

static void the_same_request_id_for_another_device_is_another_request(void **state)
{
    (void)state;
    open_write();
    call_named("d1", "r1");
    call_named("d2", "r1");
    world_finish(&world);
    assert_int_equal(world.devices[2].writes, 1);
}

static void a_repeat_while_the_first_runs_is_not_run(void **state)
{
    (void)state;
    open_wait();
    call_named("d1", "r1");
    world_run(&world, SECONDS);
    call_named("d1", "r1");
    world_run(&world, 100 * SECONDS);
    assert_int_equal(world.devices[1].triggers, 1);
    assert_int_equal(answers(), 1);
}

static void a_repeat_after_a_day_is_a_new_request(void **state)
{
    (void)state;
    open_write();
    call_named("d1", "r1");
    world_finish(&world);
    world.now.boot_us += 86401 * SECONDS;
    call_named("d1", "r1");
    world_finish(&world);
    assert_int_equal(world.devices[1].writes, 2);
}

static void a_redelivery_with_the_same_correlation_is_a_repeat(void **state)
{
    (void)state;
    open_write();
    call_correlated("a", false);
    world_finish(&world);
    call_correlated("a", true);
    world_finish(&world);
    assert_int_equal(world.devices[1].writes, 1);
    assert_int_equal(answers(), 2);
}

static void an_equal_correlation_that_is_no_redelivery_is_a_new_request(void **state)
{
    (void)state;
    open_write();
    call_correlated("a", false);
    call_correlated("a", false);
    world_finish(&world);
    assert_int_equal(world.devices[1].writes, 2);
}

static void a_repeat_after_a_late_end_learns_the_end(void **state)
{
    (void)state;
    open_wait();
    call_named("d1", "r1");
    world_run(&world, 100 * SECONDS); /* answered 504, and ended well later */
    call_named("d1", "r1");
    assert_int_equal(answer()->status, 200);
}

static void the_hub_hears_the_end_of_a_call_that_outran_its_time(void **state)
{
    (void)state;
    open_wait();
    struct request *request = world_request_call("d1", NULL);
    request->origin.link = LINK_IOTHUB;
    request->request_id = strdup("id:op-7");
    world_give(&world, request);
    world_run(&world, 40 * SECONDS);
    assert_int_equal(answer()->status, 504);
    assert_false(answer()->late);
    world_finish(&world);
    assert_int_equal(answer()->status, 200);
    assert_true(answer()->late);
    assert_string_equal(answer()->device_id, "d1");
    assert_string_equal(answer()->request_id, "id:op-7");
    assert_int_equal(answers(), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_call_is_answered_once_with_what_became_of_each_point),
        TEST(a_call_to_an_unknown_device_is_answered),
        TEST(a_call_with_wrong_arguments_touches_nothing),
        TEST(a_value_out_of_range_touches_nothing),
        TEST(a_point_that_cannot_be_written_is_named),
        TEST(a_point_that_cannot_be_read_is_named),
        TEST(a_point_that_is_unknown_is_named),
        TEST(a_call_behind_a_full_line_is_refused),
        TEST(a_call_whose_time_ends_before_it_began_is_dropped),
        TEST(a_call_whose_time_ends_while_it_runs_runs_on),
        TEST(a_device_that_has_just_fallen_silent_is_not_triggered),
        TEST(the_same_request_id_is_answered_from_memory),
        TEST(what_could_not_be_taken_may_be_asked_again_by_the_same_id),
        TEST(the_same_request_id_for_another_device_is_another_request),
        TEST(a_repeat_while_the_first_runs_is_not_run),
        TEST(a_repeat_after_a_day_is_a_new_request),
        TEST(a_redelivery_with_the_same_correlation_is_a_repeat),
        TEST(an_equal_correlation_that_is_no_redelivery_is_a_new_request),
        TEST(a_repeat_after_a_late_end_learns_the_end),
        TEST(the_hub_hears_the_end_of_a_call_that_outran_its_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
