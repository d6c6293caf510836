/* The engine's twin patches: written, acknowledged, superseded, known by version. */
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

static void open_world(void)
{
    world_open(&world);
}

static void patch(const char *device, const char *desired)
{
    world_give(&world, world_request_patch(device, desired));
}

static void patch_versioned(const char *desired, int64_t version)
{
    struct request *request = world_request_patch("d1", desired);

    request->has_version = true;
    request->version = version;
    world_give(&world, request);
}

static const char *reported(const char *path)
{
    return world_said(world_last(&world, REPORT_REPORTED, NULL, "d1"), path);
}

static void a_desired_property_is_written_and_acknowledged(void **state)
{
    (void)state;
    open_world();
    patch("d1", "{\"setpoint\":21}");
    world_finish(&world);
    assert_int_equal(world.devices[1].setpoint, 21);
    assert_string_equal(reported("setpoint"),
                        "{\"value\":21,\"ac\":200,\"av\":2,\"ad\":\"verified\"}");
}

static void a_patch_is_acknowledged_to_the_broker_when_it_is_safe(void **state)
{
    (void)state;
    open_world();
    patch("d1", "{\"setpoint\":21}");
    assert_int_equal(world_count(&world, REPORT_STORED, NULL, NULL), 0);
    world_run(&world, 6000);
    assert_int_equal(world_count(&world, REPORT_STORED, NULL, NULL), 1);
}

static void valid_properties_are_written_though_others_are_refused(void **state)
{
    (void)state;
    open_world();
    patch("d1", "{\"state\":3,\"setpoint\":21,\"colour\":1}");
    world_finish(&world);
    assert_string_equal(reported("setpoint.ac"), "200");
    assert_string_equal(reported("state.ac"), "405");
    assert_string_equal(reported("colour.ac"), "404");
    const struct report *outcome = world_last(&world, REPORT_OUTCOME, NULL, "d1");
    assert_string_equal(world_said(outcome, "error.code"), "NotWritable");
    assert_string_equal(world_said(outcome, "error.description"),
                        "2 of 3 properties failed; state cannot be written");
}

static void the_error_is_the_first_in_the_order_of_the_patch(void **state)
{
    (void)state;
    open_world();
    world.devices[1].exception = 2;
    patch("d1", "{\"setpoint\":21,\"colour\":1}");
    world_finish(&world);
    assert_string_equal(
        world_said(world_last(&world, REPORT_OUTCOME, NULL, "d1"), "error.code"),
        "DeviceException");
}

static void null_removes_the_acknowledgement_and_touches_nothing(void **state)
{
    (void)state;
    open_world();
    patch("d1", "{\"setpoint\":21}");
    world_finish(&world);
    uint64_t frames = world.frames;
    patch("d1", "{\"setpoint\":null}");
    world_finish(&world);
    world_run(&world, 2 * SECONDS);
    assert_int_equal(world.frames, frames);
    assert_string_equal(reported("setpoint"), "nothing");
}

static void null_completes_on_a_line_that_is_down(void **state)
{
    (void)state;
    open_world();
    world_line(&world, 1, false, "unplugged");
    patch("d1", "{\"setpoint\":null}");
    world_run(&world, SECONDS);
    assert_string_equal(world_said(world_last(&world, REPORT_OUTCOME, NULL, "d1"), "status"),
                        "completed");
}

static void a_patch_on_a_line_that_is_down_is_acknowledged_with_its_trouble(void **state)
{
    (void)state;
    open_world();
    world_line(&world, 1, false, "unplugged");
    patch("d1", "{\"setpoint\":21}");
    world_run(&world, SECONDS);
    assert_string_equal(
        reported("setpoint"),
        "{\"value\":null,\"ac\":503,\"av\":2,\"ad\":\"line line1 is down: unplugged\"}");
}

static void what_was_refused_leaves_the_value_that_is_known(void **state)
{
    (void)state;
    open_world();
    patch("d1", "{\"setpoint\":21}");
    world_finish(&world);
    patch("d1", "{\"setpoint\":\"warm\"}");
    world_finish(&world);
    world_run(&world, 2 * SECONDS);
    assert_string_equal(reported("setpoint.ac"), "400");
    assert_string_equal(reported("setpoint.value"), "21");
    world.devices[1].exception = 2;
    patch("d1", "{\"setpoint\":22}");
    world_finish(&world);
    world_run(&world, 2 * SECONDS);
    assert_string_equal(reported("setpoint.ac"), "502");
    assert_string_equal(reported("setpoint.value"), "21");
}

static void what_was_not_answered_leaves_no_value(void **state)
{
    (void)state;
    open_world();
    patch("d1", "{\"setpoint\":21}");
    world_finish(&world);
    world.devices[1].dead = true;
    patch("d1", "{\"setpoint\":22}");
    world_finish(&world);
    world_run(&world, 2 * SECONDS);
    assert_string_equal(reported("setpoint.ac"), "504");
    assert_string_equal(reported("setpoint.value"), "null");
}

static void a_write_that_was_read_back_moves_the_reported_value(void **state)
{
    (void)state;
    open_world();
    patch("d1", "{\"setpoint\":21}");
    world_finish(&world);
    struct request *request = world_request_patch("d1", "{\"setpoint\":19}");
    request->action.kind = ACTION_WRITE;
    world_give(&world, request);
    world_finish(&world);
    world_run(&world, 2 * SECONDS);
    assert_int_equal(world.devices[1].setpoint, 19);
    assert_string_equal(reported("setpoint"),
                        "{\"value\":19,\"ac\":200,\"av\":2,\"ad\":\"verified\"}");
}

static void tags_alone_complete_without_the_wire(void **state)
{
    (void)state;
    open_world();
    world_line(&world, 0, false, "unplugged");
    world_job(&world, LINK_API, "j",
              "{\"type\":\"scheduleUpdateTwin\",\"updateTwin\":{\"tags\":{\"floor\":7}},"
              "\"queryCondition\":\"*\"}");
    world_run(&world, SECONDS);
    assert_int_equal(world.frames, 0);
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics.succeededCount"), "6");
    world_job(&world, LINK_API, "k",
              "{\"type\":\"scheduleUpdateTwin\",\"updateTwin\":{\"tags\":{\"x\":null}},"
              "\"queryCondition\":\"tags.floor = 7\"}");
    world_run(&world, SECONDS);
    assert_string_equal(world_job_said(&world, "k", "deviceJobStatistics.deviceCount"), "6");
}

static void a_record_of_a_twin_job_tells_what_was_written(void **state)
{
    (void)state;
    open_world();
    world_patch_job(&world, "j", "{\"setpoint\":21}");
    world_finish(&world);
    const struct report *outcome = world_last(&world, REPORT_OUTCOME, "j", "d1");
    assert_string_equal(world_said(outcome, "outcome.deviceMethodResponse"), "null");
    assert_string_equal(world_said(outcome, "outcome.writes.setpoint.result"), "verified");
    assert_string_equal(world_said(outcome, "jobType"), "scheduleUpdateTwin");
}

/* --- versions --- */

static void an_equal_or_lower_version_is_ignored(void **state)
{
    (void)state;
    open_world();
    patch_versioned("{\"setpoint\":21}", 5);
    world_finish(&world);
    patch_versioned("{\"setpoint\":22}", 5);
    patch_versioned("{\"setpoint\":23}", 4);
    world_finish(&world);
    assert_int_equal(world.devices[1].writes, 1);
    assert_int_equal(world_count(&world, REPORT_STORED, NULL, NULL), 3);
}

static void a_higher_version_is_applied(void **state)
{
    (void)state;
    open_world();
    patch_versioned("{\"setpoint\":21}", 5);
    world_finish(&world);
    patch_versioned("{\"setpoint\":22}", 6);
    world_finish(&world);
    assert_int_equal(world.devices[1].setpoint, 22);
}

static void a_version_that_was_refused_is_not_applied(void **state)
{
    (void)state;
    world.site->store.max_waiting = 0;
    open_world();
    patch_versioned("{\"setpoint\":21}", 5);
    world.site->store.max_waiting = 10;
    patch_versioned("{\"setpoint\":21}", 5);
    world_finish(&world);
    assert_int_equal(world.devices[1].setpoint, 21);
}

static void a_retained_copy_of_the_last_patch_is_ignored(void **state)
{
    (void)state;
    open_world();
    patch("d1", "{\"setpoint\":21}");
    world_finish(&world);
    struct request *copy = world_request_patch("d1", "{\"setpoint\":21}");
    copy->retained = true;
    world_give(&world, copy);
    world_finish(&world);
    assert_int_equal(world.devices[1].writes, 1);
}

static void a_live_equal_patch_is_applied(void **state)
{
    (void)state;
    open_world();
    patch("d1", "{\"setpoint\":21}");
    world_finish(&world);
    patch("d1", "{\"setpoint\":21}");
    world_finish(&world);
    assert_int_equal(world.devices[1].writes, 2);
}

static void a_newer_desired_value_supersedes_one_that_waits(void **state)
{
    (void)state;
    open_world();
    world_patch_job(&world, "a", "{\"mode\":1}");
    world_patch_job(&world, "b", "{\"setpoint\":21,\"mode\":2}");
    world_patch_job(&world, "c", "{\"setpoint\":22}");
    world_finish(&world);
    const struct report *old = world_last(&world, REPORT_OUTCOME, "b", "d1");
    assert_string_equal(world_said(old, "error.code"), "Superseded");
    assert_int_equal(world.devices[1].setpoint, 22);
    assert_int_equal(world.devices[1].mode, 2);
    world_run(&world, 2 * SECONDS);
    assert_string_equal(reported("setpoint.av"), "4");
    assert_string_equal(reported("mode.av"), "3");
}

static void a_call_that_goes_ahead_of_a_job_supersedes_it_too(void **state)
{
    (void)state;
    open_world();
    world_patch_job(&world, "a", "{\"mode\":1}");
    world_patch_job(&world, "b", "{\"setpoint\":21}");
    world_run(&world, 6000); /* both jobs are stored, the first begins */
    patch("d1", "{\"setpoint\":22}");
    world_finish(&world);
    const struct report *old = world_last(&world, REPORT_OUTCOME, "b", "d1");
    assert_string_equal(world_said(old, "error.code"), "Superseded");
    assert_int_equal(world.devices[1].setpoint, 22);
    assert_int_equal(world.devices[1].mode, 1);
    world_run(&world, 2 * SECONDS);
    assert_string_equal(reported("setpoint.value"), "22");
}

static void a_patch_beyond_the_limits_of_twins_is_refused(void **state)
{
    (void)state;
    char text[8000];

    open_world();
    memset(text, 'x', sizeof(text));
    snprintf(text, 20, "{\"setpoint\":\"");
    text[strlen(text)] = 'x';
    memcpy(text + sizeof(text) - 3, "\"}", 3);
    patch("d1", text);
    assert_string_equal(world_said(world_last(&world, REPORT_ANSWER, NULL, NULL), "error.code"),
                        "BadRequest");
}

/* --- the hub's --- */

static void patch_of_hub(const char *desired, const char *document, int64_t version)
{
    struct request *request = world_request_patch("d1", desired);

    request->origin.link = LINK_IOTHUB;
    request->has_version = true;
    request->version = version;
    request->document = json_loads(document, 0, NULL);
    world_give(&world, request);
}

static int64_t hub_ack(const char *path)
{
    const struct report *report = world_last(&world, REPORT_REPORTED, NULL, "d1");

    return json_integer_value(json_object_get(report->hub_acks, path));
}

static void a_patch_of_the_hub_is_acknowledged_by_both_versions(void **state)
{
    (void)state;
    open_world();
    patch_of_hub("{\"setpoint\":21,\"colour\":1}", "{}", 41);
    world_finish(&world);
    assert_string_equal(reported("setpoint.av"), "2");
    assert_int_equal(hub_ack("setpoint"), 41);
    assert_int_equal(hub_ack("colour"), 41);
    world_run(&world, 2 * SECONDS);
    patch("d1", "{\"setpoint\":22}"); /* somebody else's is no answer to the hub */
    world_finish(&world);
    assert_string_equal(reported("setpoint.av"), "3");
    assert_int_equal(hub_ack("setpoint"), 0);
    assert_int_equal(hub_ack("colour"), 41);
}

static void the_versions_of_two_links_do_not_hide_each_other(void **state)
{
    (void)state;
    open_world();
    patch_of_hub("{\"setpoint\":21}", "{}", 41);
    world_finish(&world);
    patch_versioned("{\"setpoint\":22}", 3);
    world_finish(&world);
    assert_int_equal(world.devices[1].setpoint, 22);
    patch_of_hub("{\"setpoint\":23}", "{}", 42);
    world_finish(&world);
    assert_int_equal(world.devices[1].setpoint, 23);
    patch_versioned("{\"setpoint\":22}", 3);
    world_finish(&world);
    assert_int_equal(world.devices[1].setpoint, 23);
}

static void what_was_taken_of_the_hub_is_known_after_a_power_cut(void **state)
{
    (void)state;
    const json_t *desired;

    world.survives = true;
    open_world();
    assert_int_equal(engine_hub_version(world.engine, 1, &desired), 0);
    patch_of_hub("{\"setpoint\":21}", "{\"setpoint\":21,\"mode\":1}", 41);
    world_finish(&world);
    world_cut(&world, false);
    assert_int_equal(engine_hub_version(world.engine, 1, &desired), 41);
    assert_int_equal(json_object_size(desired), 2);
    world_finish(&world);
    assert_int_equal(world.devices[1].writes, 1);
}

static void a_patch_of_the_hub_that_is_refused_whole_is_acknowledged_by_property(void **state)
{
    (void)state;
    char text[6000];
    const json_t *desired;

    open_world();
    snprintf(text, sizeof(text), "{\"setpoint\":21,\"bad name\":1,\"mode\":\"%05000d\"}", 1);
    patch_of_hub(text, "{}", 41);
    world_finish(&world);
    assert_string_equal(reported("setpoint.ac"), "400");
    assert_string_equal(reported("mode.ac"), "400");
    assert_int_equal(hub_ack("setpoint"), 41);
    assert_string_equal(reported("bad name.ac"), "nothing");
    assert_int_equal(engine_hub_version(world.engine, 1, &desired), 41);
    assert_int_equal(world.devices[1].writes, 0);
}

static void a_patch_of_the_hub_that_cannot_be_taken_now_is_not_counted_as_taken(void **state)
{
    (void)state;
    const json_t *desired;

    open_world();
    engine_store_state(world.engine, false, "the disk is full");
    patch_of_hub("{\"setpoint\":21}", "{\"setpoint\":21}", 41);
    world_run(&world, SECONDS);
    assert_string_equal(reported("setpoint.ac"), "507");
    assert_string_equal(reported("setpoint.ad"), "the disk is full");
    assert_int_equal(engine_hub_version(world.engine, 1, &desired), 0);
}

/* --- reports --- */

static void the_reported_document_is_told_at_most_once_a_second(void **state)
{
    (void)state;
    open_world();
    for (int i = 0; i < 10; i++) {
        patch("d1", i % 2 ? "{\"setpoint\":21}" : "{\"setpoint\":22}");
        world_run(&world, 100000);
    }
    assert_in_range(world_count(&world, REPORT_REPORTED, NULL, "d1"), 1, 2);
    world_run(&world, 2 * SECONDS);
    assert_string_equal(reported("setpoint.value"), "21");
}

static void an_acknowledgement_is_told_when_the_outcome_is_safe(void **state)
{
    (void)state;
    open_world();
    patch("d1", "{\"setpoint\":21}");
    world_run(&world, 6000);
    world.store_stalls = true;
    world.safe_us = MOMENT_NEVER;
    world_run(&world, 5 * SECONDS);
    assert_int_equal(world.devices[1].setpoint, 21);
    assert_int_equal(world_count(&world, REPORT_REPORTED, NULL, NULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_desired_property_is_written_and_acknowledged),
        TEST(a_patch_is_acknowledged_to_the_broker_when_it_is_safe),
        TEST(valid_properties_are_written_though_others_are_refused),
        TEST(the_error_is_the_first_in_the_order_of_the_patch),
        TEST(null_removes_the_acknowledgement_and_touches_nothing),
        TEST(null_completes_on_a_line_that_is_down),
        TEST(a_patch_on_a_line_that_is_down_is_acknowledged_with_its_trouble),
        TEST(tags_alone_complete_without_the_wire),
        TEST(a_record_of_a_twin_job_tells_what_was_written),
        TEST(an_equal_or_lower_version_is_ignored),
        TEST(a_higher_version_is_applied),
        TEST(a_version_that_was_refused_is_not_applied),
        TEST(a_retained_copy_of_the_last_patch_is_ignored),
        TEST(a_live_equal_patch_is_applied),
        TEST(a_newer_desired_value_supersedes_one_that_waits),
        TEST(a_call_that_goes_ahead_of_a_job_supersedes_it_too),
        TEST(a_patch_beyond_the_limits_of_twins_is_refused),
        TEST(a_patch_of_the_hub_is_acknowledged_by_both_versions),
        TEST(the_versions_of_two_links_do_not_hide_each_other),
        TEST(what_was_taken_of_the_hub_is_known_after_a_power_cut),
        TEST(a_patch_of_the_hub_that_is_refused_whole_is_acknowledged_by_property),
        TEST(a_patch_of_the_hub_that_cannot_be_taken_now_is_not_counted_as_taken),
        TEST(what_was_refused_leaves_the_value_that_is_known),
        TEST(what_was_not_answered_leaves_no_value),
        TEST(a_write_that_was_read_back_moves_the_reported_value),
        TEST(the_reported_document_is_told_at_most_once_a_second),
        TEST(an_acknowledgement_is_told_when_the_outcome_is_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
