/* Devices that leave the site, by a reload or while the gateway is stopped, and come back. */
#include "fixture_reload.h"

static struct world world;
static struct copy *runs; /* the site that the engine looks at; NULL: the world's own */

static int setup(void **state)
{
    (void)state;
    world_init(&world, 4, 1);
    world.survives = true;
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

static struct copy *without(const char *device)
{
    struct copy *next = copy_new(world.site);

    copy_remove(next, device);
    copy_sort(next);
    return next;
}

static void run_on(struct copy *next)
{
    world.site = &next->site;
    copy_free(runs);
    runs = next;
}

static void reload(struct copy *next)
{
    copy_sort(next);
    assert_int_equal(engine_prepare(world.engine, &next->site), 0);
    for (int i = 0; !engine_is_prepared(world.engine, world.now); i++) {
        assert_true(i < 10000);
        world_run(&world, 10000);
    }
    assert_int_equal(engine_reload(world.engine, world.now), 0);
    run_on(next);
    world_run(&world, SECONDS);
}

/* The power goes, and the site is another one when it is back. */
static void restart(struct copy *next)
{
    struct copy *old = runs;

    copy_sort(next);
    runs = NULL;
    world.site_after = &next->site;
    world_cut(&world, false);
    copy_free(old);
    runs = next;
    world_run(&world, SECONDS);
}

static const char *outcome(const char *job, const char *device, const char *path)
{
    return world_said(world_last(&world, REPORT_OUTCOME, job, device), path);
}

static void stop_in_a_job(void)
{
    world_method_write(&world);
    world_open(&world);
    world_line(&world, 0, false, "unplugged");
    world_go(&world, "j", "*");
    world_run(&world, SECONDS);
}

static void a_task_whose_device_left_while_stopped_is_told_unknown(void **state)
{
    (void)state;
    stop_in_a_job();
    restart(without("d2"));
    assert_string_equal(outcome("j", "d2", "error.code"), "UnknownDevice");
    world_finish(&world);
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics"),
                        "{\"deviceCount\":4,\"failedCount\":1,\"succeededCount\":3,"
                        "\"runningCount\":0,\"pendingCount\":0}");
    assert_string_equal(world_job_said(&world, "j", "status"), "completed");
    assert_int_equal(world.devices[2].writes, 0);
}

static void what_ended_before_its_device_left_stands(void **state)
{
    (void)state;
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "j", "*");
    world_finish(&world);
    size_t told = world_count(&world, REPORT_OUTCOME, "j", "d2");
    restart(without("d2"));
    assert_int_equal(world_count(&world, REPORT_OUTCOME, "j", "d2"), told + 1);
    assert_string_equal(outcome("j", "d2", "status"), "completed");
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics.succeededCount"), "4");
    world_delivered(&world, REPORT_OUTCOME, "j", "d2");
    restart(copy_new(world.site));
    assert_int_equal(world_count(&world, REPORT_OUTCOME, "j", "d2"), told + 1);
}

static void the_end_of_a_gone_device_is_told_until_it_has_arrived(void **state)
{
    (void)state;
    stop_in_a_job();
    restart(without("d2"));
    world_finish(&world);
    size_t told = world_count(&world, REPORT_OUTCOME, "j", "d2");
    restart(copy_new(world.site));
    assert_int_equal(world_count(&world, REPORT_OUTCOME, "j", "d2"), told + 1);
    assert_string_equal(outcome("j", "d2", "error.code"), "UnknownDevice");
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics.failedCount"), "1");
}

static void nothing_is_made_up_of_what_had_begun_on_it(void **state)
{
    (void)state;
    world_method_reboot(&world, 60000, 0);
    world_open(&world);
    world_go(&world, "j", "*");
    world_run(&world, 5 * SECONDS);
    assert_int_equal(world.devices[2].triggers, 1);
    restart(without("d2"));
    assert_string_equal(outcome("j", "d2", "error.code"), "OutcomeUnknown");
    world_finish(&world);
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics.succeededCount"), "3");
}

static void a_call_whose_device_left_is_answered(void **state)
{
    (void)state;
    world_method_reboot(&world, 20000, 0);
    world_open(&world);
    world_call(&world, "d1");
    struct request *request = world_request_call("d1", NULL);
    request->origin.link = LINK_BROKER;
    free(request->origin.topic);
    request->origin.topic = strdup("there");
    world_give(&world, request);
    world_run(&world, SECONDS); /* the second one waits */
    restart(without("d1"));
    const struct report *answer = world_last(&world, REPORT_ANSWER, NULL, NULL);
    assert_string_equal(answer->origin.topic, "there");
    assert_int_equal(answer->status, 404);
}

static void patch(const char *text, int64_t version)
{
    struct request *request = world_request_patch("d2", text);

    request->has_version = version > 0;
    request->version = version;
    request->retained = true;
    world_give(&world, request);
    world_finish(&world);
}

static json_t *twin(void)
{
    return engine_twin_json(world.engine, "d2");
}

static void leave_and_come_back(bool by_restart)
{
    struct copy *whole = copy_new(world.site), *less = without("d2");

    reload(less);
    assert_null(twin());
    if (by_restart)
        restart(copy_new(world.site));
    reload(whole);
}

static void check_that_the_twin_returns(bool by_restart)
{
    world_method_write(&world);
    world_open(&world);
    patch("{\"setpoint\":24}", 0);
    patch("{\"setpoint\":25}", 17);
    json_t *before = twin();
    leave_and_come_back(by_restart);
    json_t *after = twin();
    static const char *const same[] = {"properties", "tags", "version"};
    for (size_t i = 0; i < 3; i++)
        assert_true(
            json_equal(json_object_get(before, same[i]), json_object_get(after, same[i])));
    json_decref(before);
    json_decref(after);
    unsigned writes = world.devices[2].writes;
    patch("{\"setpoint\":25}", 17); /* retained there, and taken long ago */
    assert_int_equal(world.devices[2].writes, writes);
    patch("{\"setpoint\":26}", 18);
    assert_int_equal(world.devices[2].writes, writes + 1);
}

static void a_device_that_comes_back_has_its_twin(void **state)
{
    (void)state;
    check_that_the_twin_returns(false);
}

static void a_restart_between_changes_nothing_of_that(void **state)
{
    (void)state;
    check_that_the_twin_returns(true);
}

static void what_is_retained_is_cleared_and_comes_back(void **state)
{
    (void)state;
    world_method_write(&world);
    world_open(&world);
    patch("{\"setpoint\":24}", 0);
    struct copy *whole = copy_new(world.site);
    reload(without("d2"));
    assert_string_equal(world_last(&world, REPORT_REPORTED, NULL, "d2")->body, "");
    assert_string_equal(world_last(&world, REPORT_STATE, NULL, "d2")->body, "");
    reload(whole);
    assert_string_equal(
        world_said(world_last(&world, REPORT_REPORTED, NULL, "d2"), "setpoint.value"), "24");
    assert_string_equal(world_said(world_last(&world, REPORT_STATE, NULL, "d2"), "state"),
                        "unknown");
}

static void check_tags(json_t *of_the_file, const char *floor)
{
    world_method_write(&world);
    world_open(&world);
    world_job(&world, LINK_API, "t",
              "{\"type\":\"scheduleUpdateTwin\",\"updateTwin\":{\"tags\":{\"floor\":7}},"
              "\"queryCondition\":\"deviceId = 'd2'\"}");
    world_finish(&world);
    struct copy *whole = copy_new(world.site);
    if (of_the_file) {
        json_decref(whole->site.devices[place_of(whole, "d2")].tags);
        whole->site.devices[place_of(whole, "d2")].tags = of_the_file;
    }
    reload(without("d2"));
    reload(whole);
    json_t *document = twin();
    json_t *tag = json_object_get(json_object_get(document, "tags"), "floor");
    char *text = tag ? json_dumps(tag, JSON_ENCODE_ANY) : strdup("none");
    assert_string_equal(text, floor);
    free(text);
    json_decref(document);
}

static void patched_tags_come_back(void **state)
{
    (void)state;
    check_tags(NULL, "7");
}

static void tags_of_a_file_that_changed_meanwhile_win(void **state)
{
    (void)state;
    check_tags(json_pack("{s:i}", "floor", 9), "9");
}

static void the_last_outcome_comes_back(void **state)
{
    (void)state;
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "j", "*");
    world_finish(&world);
    leave_and_come_back(true);
    json_t *device = engine_devices_json(world.engine, "d2");
    json_t *last = json_object_get(json_object_get(device, "jobgate"), "lastOutcome");
    assert_string_equal(json_string_value(json_object_get(last, "jobId")), "j");
    json_decref(device);
}

/* A pulse is paid back at the place where it was sent, when the device is there again. */
static void check_debt(size_t line, uint16_t wanted)
{
    struct step *pulse = fixture_step(&world.fixture, STEP_PULSE, WORLD_SETPOINT);

    pulse->value = json_integer(30);
    pulse->duration_ms = 5000;
    world_open(&world);
    world_go(&world, "j", "deviceId = 'd2'");
    world_run(&world, SECONDS);
    assert_int_equal(world.devices[2].setpoint, 30);
    world.devices[2].dead = true;
    struct copy *whole = copy_new(world.site);
    whole->site.devices[place_of(whole, "d2")].unit += (uint8_t)line;
    reload(without("d2"));
    world.devices[2].dead = false;
    reload(whole);
    world_run(&world, 1200 * SECONDS);
    assert_int_equal(world.devices[2].setpoint, wanted);
}

static void what_is_owed_to_it_is_paid_when_it_is_back(void **state)
{
    (void)state;
    check_debt(0, 0);
}

static void what_is_owed_is_not_paid_at_another_place(void **state)
{
    (void)state;
    check_debt(100, 30);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_task_whose_device_left_while_stopped_is_told_unknown),
        TEST(what_ended_before_its_device_left_stands),
        TEST(the_end_of_a_gone_device_is_told_until_it_has_arrived),
        TEST(nothing_is_made_up_of_what_had_begun_on_it),
        TEST(a_call_whose_device_left_is_answered),
        TEST(a_device_that_comes_back_has_its_twin),
        TEST(a_restart_between_changes_nothing_of_that),
        TEST(what_is_retained_is_cleared_and_comes_back),
        TEST(patched_tags_come_back),
        TEST(tags_of_a_file_that_changed_meanwhile_win),
        TEST(the_last_outcome_comes_back),
        TEST(what_is_owed_to_it_is_paid_when_it_is_back),
        TEST(what_is_owed_is_not_paid_at_another_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
