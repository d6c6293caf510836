/* Devices that another gateway has, and jobs that were forgotten. */
#include "fixture_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_init(&world, 3, 1);
    world.site->id = (char *)(uintptr_t) "gw-m";
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_deinit(&world);
    return 0;
}

static void open_world(void)
{
    world_method_write(&world);
    world_open(&world);
    world_run(&world, 1000);
}

static void open_reboot(void)
{
    world.fixture.method.repeatable = false;
    world_method_reboot(&world, 500, 3000);
    world_open(&world);
    world_run(&world, 1000);
}

static void claim(size_t device, const char *gateway, bool first)
{
    engine_claim(world.engine, device, gateway, first, world.now);
    world_run(&world, 1000);
}

static void call_of(enum link_kind link, const char *device)
{
    struct request *request = world_request_call(device, NULL);

    request->origin.link = link;
    world_give(&world, request);
    world_finish(&world);
}

static const struct report *answer(void)
{
    return world_last(&world, REPORT_ANSWER, NULL, NULL);
}

static const char *error_of(const char *job, const char *device)
{
    const struct report *last = world_last(&world, REPORT_OUTCOME, job, device);

    assert_non_null(last);
    return world_said(last, "error.code"); /* "nothing": it completed */
}

static void a_claimed_device_is_refused_without_a_frame(void **state)
{
    (void)state;
    open_world();
    claim(1, "gw-a", true);
    call_of(LINK_API, "d1");
    assert_int_equal(answer()->status, 409);
    assert_string_equal(world_said(answer(), "error.code"), "DeviceClaimedTwice");
    assert_non_null(strstr(world_said(answer(), "error.description"), "gw-a"));
    call_of(LINK_IOTHUB, "d1");
    assert_int_equal(answer()->status, 409);
    world_go(&world, "all", "*");
    world_finish(&world);
    assert_string_equal(error_of("all", "d1"), "DeviceClaimedTwice");
    assert_string_equal(error_of("all", "d0"), "nothing");
    assert_int_equal(world.devices[1].operations, 0);
}

static void a_call_over_the_broker_is_left_to_the_gateway_that_has_the_device(void **state)
{
    (void)state;
    open_world();
    claim(1, "gw-a", true);
    call_of(LINK_BROKER, "d1");
    assert_null(answer());
    struct request *patch = world_request_patch("d1", "{\"setpoint\":21}");
    world_give(&world, patch);
    world_finish(&world);
    assert_null(answer());
    assert_int_equal(world_count(&world, REPORT_STORED, NULL, NULL), 1); /* acknowledged */
    assert_int_equal(world.devices[1].operations, 0);
}

static void what_waits_when_the_claim_comes_is_refused(void **state)
{
    (void)state;
    open_world();
    engine_await_claims(world.engine, world.now);
    world_go(&world, "all", "*");
    world_run(&world, 2 * SECONDS);
    assert_int_equal(world.frames, 0);
    engine_claim(world.engine, 2, "gw-z", true, world.now);
    engine_claims_known(world.engine, world.now);
    world_finish(&world);
    assert_string_equal(error_of("all", "d2"), "DeviceClaimedTwice");
    assert_string_equal(error_of("all", "d0"), "nothing");
    assert_int_equal(world.devices[2].operations, 0);
}

static void what_came_over_the_broker_does_not_wait_for_ever(void **state)
{
    (void)state;
    open_world();
    engine_await_claims(world.engine, world.now);
    world_go(&world, "all", "*");
    assert_in_range(world_finish(&world), 9 * SECONDS, 12 * SECONDS);
    assert_string_equal(error_of("all", "d2"), "nothing");
}

static void work_goes_on_when_the_claim_ends(void **state)
{
    (void)state;
    open_world();
    claim(1, "gw-a", true);
    claim(1, NULL, false);
    const struct report *told = world_last(&world, REPORT_STATE, NULL, "d1");
    assert_non_null(told);
    assert_false(told->claimed);
    call_of(LINK_API, "d1");
    assert_int_equal(answer()->status, 200);
}

static void a_claimed_devices_state_is_not_for_the_broker(void **state)
{
    (void)state;
    open_world();
    claim(1, "gw-a", true);
    engine_report_all(world.engine, world.now);
    world_run(&world, 1000);
    assert_true(world_last(&world, REPORT_STATE, NULL, "d1")->claimed);
    assert_false(world_last(&world, REPORT_STATE, NULL, "d0")->claimed);
}

static void of_two_that_have_told_their_claim_the_lesser_id_keeps_the_device(void **state)
{
    (void)state;
    open_world();
    size_t before = world_count(&world, REPORT_STATE, NULL, "d1");
    claim(1, "gw-z", false);
    assert_true(world_count(&world, REPORT_STATE, NULL, "d1") > before); /* told anew */
    call_of(LINK_API, "d1");
    assert_int_equal(answer()->status, 200);
    claim(1, "gw-a", false);
    call_of(LINK_API, "d1");
    assert_int_equal(answer()->status, 409);
    claim(1, "gw-z", false); /* who has given way does not take it back from the next one */
    call_of(LINK_API, "d1");
    assert_int_equal(answer()->status, 409);
}

static void what_has_begun_runs_to_its_end(void **state)
{
    (void)state;
    open_world();
    world_go(&world, "all", "deviceId = 'd1'");
    world_run(&world, 15000); /* its first frame is out */
    assert_int_equal(world.devices[1].operations, 1);
    claim(1, "gw-a", false);
    world_finish(&world);
    assert_string_equal(error_of("all", "d1"), "nothing");
}

static void the_list_of_devices_says_who_has_it(void **state)
{
    (void)state;
    open_world();
    claim(1, "gw-a", true);
    json_t *device = engine_devices_json(world.engine, "d1");
    json_t *own = json_object_get(device, "jobgate");
    assert_string_equal(json_string_value(json_object_get(own, "claimedBy")), "gw-a");
    json_decref(device);
    device = engine_devices_json(world.engine, "d0");
    assert_null(json_object_get(json_object_get(device, "jobgate"), "claimedBy"));
    json_decref(device);
}

/* --- a store that lost its memory --- */

static void retained_job(const char *id, const char *start)
{
    char json[400];

    snprintf(
        json, sizeof(json),
        "{\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{\"methodName\":\"go\"},"
        "\"queryCondition\":\"*\",\"startTime\":\"%s\",\"maxExecutionTimeInSeconds\":3600}",
        start);
    world_job(&world, LINK_BROKER, id, json);
    world_finish(&world);
}

static const char before[] = "2029-12-31T23:59:00Z"; /* the world begins at 2030-01-01 */
static const char ahead[] = "2030-01-01T00:10:00Z";

static void a_job_whose_retained_share_says_that_it_is_over_is_not_run(void **state)
{
    static const char *const statuses[] = {"completed", "failed", "cancelled"};

    (void)state;
    open_world();
    for (size_t i = 0; i < 3; i++) {
        engine_share(world.engine, statuses[i], statuses[i], world.now);
        retained_job(statuses[i], before);
        assert_int_equal(world_count(&world, REPORT_OUTCOME, statuses[i], NULL), 0);
    }
    assert_int_equal(world.frames, 0);
}

static void a_job_that_ran_when_the_memory_was_lost_ends_as_unknown(void **state)
{
    (void)state;
    open_reboot();
    engine_share(world.engine, "night", "running", world.now);
    retained_job("night", before);
    assert_int_equal(world.frames, 0);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(error_of("night", world.devices[i].id), "OutcomeUnknown");
    assert_string_equal(world_job_said(&world, "night", "status"), "completed");
    assert_string_equal(world_job_said(&world, "night", "deviceJobStatistics.failedCount"),
                        "3");
}

static void a_job_that_was_due_meanwhile_may_have_run(void **state)
{
    (void)state;
    open_world();
    engine_share(world.engine, "night", "scheduled", world.now);
    retained_job("night", before);
    assert_int_equal(world.frames, 0);
    assert_string_equal(error_of("night", "d0"), "OutcomeUnknown");
}

static void a_job_that_is_not_due_yet_is_run_at_its_time(void **state)
{
    (void)state;
    open_world();
    engine_share(world.engine, "night", "scheduled", world.now);
    retained_job("night", ahead);
    world_run(&world, 700 * SECONDS);
    assert_string_equal(error_of("night", "d0"), "nothing");
    assert_int_equal(world.devices[0].setpoint, 21);
}

static void a_share_of_a_job_that_is_known_changes_nothing(void **state)
{
    (void)state;
    open_world();
    retained_job("night", ahead);
    engine_share(world.engine, "night", "completed", world.now);
    world_run(&world, 700 * SECONDS);
    assert_int_equal(world.devices[0].setpoint, 21);
}

static void a_job_from_the_api_is_not_in_doubt(void **state)
{
    (void)state;
    open_world();
    engine_share(world.engine, "night", "running", world.now);
    world_job(
        &world, LINK_API, "night",
        "{\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{\"methodName\":\"go\"},"
        "\"queryCondition\":\"*\"}");
    world_finish(&world);
    assert_int_equal(world.devices[0].setpoint, 21);
}

#define FACT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_claimed_device_is_refused_without_a_frame),
        FACT(a_call_over_the_broker_is_left_to_the_gateway_that_has_the_device),
        FACT(what_waits_when_the_claim_comes_is_refused),
        FACT(what_came_over_the_broker_does_not_wait_for_ever),
        FACT(work_goes_on_when_the_claim_ends),
        FACT(a_claimed_devices_state_is_not_for_the_broker),
        FACT(of_two_that_have_told_their_claim_the_lesser_id_keeps_the_device),
        FACT(what_has_begun_runs_to_its_end),
        FACT(the_list_of_devices_says_who_has_it),
        FACT(a_job_whose_retained_share_says_that_it_is_over_is_not_run),
        FACT(a_job_that_ran_when_the_memory_was_lost_ends_as_unknown),
        FACT(a_job_that_was_due_meanwhile_may_have_run),
        FACT(a_job_that_is_not_due_yet_is_run_at_its_time),
        FACT(a_share_of_a_job_that_is_known_changes_nothing),
        FACT(a_job_from_the_api_is_not_in_doubt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
