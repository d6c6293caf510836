/* The engine's jobs: accepted, started, cancelled, expired, stopped. */
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

static const char *outcome(const char *job, const char *device, const char *path)
{
    return world_said(world_last(&world, REPORT_OUTCOME, job, device), path);
}

#define METHOD_JOB                                                                             \
    "\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{\"methodName\":\"go\"}"
#define NOW_IS "2030-01-01T00:00:00Z"

static void scheduled(enum link_kind link, const char *id, const char *start, unsigned seconds)
{
    char json[500];

    snprintf(json, sizeof(json),
             "{" METHOD_JOB ",\"queryCondition\":\"*\",\"startTime\":\"%s\","
             "\"maxExecutionTimeInSeconds\":%u}",
             start, seconds);
    world_job(&world, link, id, json);
}

/* --- the road --- */

static void a_job_runs_on_the_devices_that_match(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "tags.floor = 1");
    world_finish(&world);
    assert_string_equal(world_job_said(&world, "j", "status"), "completed");
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics"),
                        "{\"deviceCount\":3,\"failedCount\":0,\"succeededCount\":3,"
                        "\"runningCount\":0,\"pendingCount\":0}");
    assert_int_equal(world.devices[0].writes, 0);
    assert_int_equal(world.devices[1].setpoint, 21);
}

static void a_record_tells_the_outcome_as_the_contract_says(void **state)
{
    (void)state;
    open_write();
    world.devices[1].exception = 2;
    world_go(&world, "j", "*");
    world_finish(&world);
    assert_string_equal(outcome("j", "d0", "status"), "completed");
    assert_string_equal(outcome("j", "d0", "outcome.deviceMethodResponse.status"), "200");
    assert_string_equal(outcome("j", "d1", "status"), "failed");
    assert_string_equal(outcome("j", "d1", "error.code"), "DeviceException");
    assert_string_equal(outcome("j", "d1", "outcome.deviceMethodResponse.status"), "502");
    assert_string_equal(outcome("j", "d1", "gatewayId"), "gateway-1");
}

static void a_job_without_devices_completes_with_a_share_that_is_not_retained(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "tags.floor = 9");
    world_finish(&world);
    world_run(&world, SECONDS);
    const struct report *share = world_last(&world, REPORT_SHARE, "j", NULL);
    assert_string_equal(world_said(share, "status"), "completed");
    assert_string_equal(world_said(share, "deviceJobStatistics.deviceCount"), "0");
    assert_false(share->retain);
}

static void an_unknown_method_fails_each_task_without_a_frame(void **state)
{
    (void)state;
    open_write();
    world_line(&world, 0, false, "unplugged");
    world_job(
        &world, LINK_BROKER, "j",
        "{\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{\"methodName\":\"fly\"},"
        "\"queryCondition\":\"*\"}");
    world_run(&world, SECONDS);
    assert_int_equal(world.frames, 0);
    assert_string_equal(outcome("j", "d0", "error.code"), "UnknownMethod");
}

static void a_share_is_told_at_most_once_a_second_between_its_changes(void **state)
{
    (void)state;
    open_wait();
    world_go(&world, "j", "*");
    world_run(&world, 500000);
    size_t before = world_count(&world, REPORT_SHARE, "j", NULL);
    assert_in_range(before, 1, 2); /* queued, running */
    world_run(&world, 600000);
    assert_int_equal(world_count(&world, REPORT_SHARE, "j", NULL), before + 1);
}

/* --- ids --- */

static void the_same_document_again_is_no_new_job(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "*");
    world_finish(&world);
    uint64_t frames = world.frames;
    world_go(&world, "j", "*");
    world_run(&world, SECONDS);
    assert_int_equal(world.frames, frames);
    assert_int_equal(world_count(&world, REPORT_STORED, NULL, NULL), 2);
    assert_true(world_last(&world, REPORT_SHARE, "j", NULL)->retain);
}

static void another_document_under_a_known_id_is_refused(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "*");
    world_finish(&world);
    world_go(&world, "j", "tags.floor = 1");
    world_run(&world, SECONDS);
    const struct report *share = world_last(&world, REPORT_SHARE, "j", NULL);
    assert_string_equal(world_said(share, "refused.code"), "JobIdInUse");
    assert_string_equal(world_said(share, "status"), "completed");
    assert_false(share->retain);
}

static void a_known_id_is_a_conflict_at_the_api(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "*");
    world_finish(&world);
    scheduled(LINK_API, "j", NOW_IS, 10);
    world_run(&world, SECONDS);
    assert_int_equal(world_last(&world, REPORT_ANSWER, "j", NULL)->code, CODE_JOB_ID_IN_USE);
}

static void a_job_that_was_forgotten_is_not_run_again(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "old", "deviceId = 'd0'");
    world_finish(&world);
    for (int i = 0; i < 1200; i++) {
        struct request *request;
        struct refusal refusal;
        char id[20], json[] = "{" METHOD_JOB ",\"queryCondition\":\"deviceId = 'x'\"}";

        snprintf(id, sizeof(id), "j%d", i);
        assert_int_equal(
            request_read_job(&request, LINK_BROKER, id, json, strlen(json), &refusal), 0);
        world_give(&world, request);
        world_run(&world, 20000);
    }
    assert_null(engine_job_json(world.engine, "old"));
    uint64_t frames = world.frames;
    world_go(&world, "old", "deviceId = 'd0'");
    world_run(&world, SECONDS);
    assert_int_equal(world.frames, frames);
}

static void calls_do_not_push_jobs_out_of_memory(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "*");
    world_finish(&world);
    for (int i = 0; i < 1300; i++) {
        world_call(&world, "d1");
        world_finish(&world);
    }
    assert_string_equal(world_job_said(&world, "j", "status"), "completed");
}

/* --- limits --- */

static void more_jobs_than_the_gateway_takes_are_refused(void **state)
{
    (void)state;
    world.site->store.max_jobs = 2;
    open_wait();
    world_go(&world, "a", "*");
    world_go(&world, "b", "*");
    world_go(&world, "c", "*");
    world_run(&world, SECONDS);
    assert_int_equal(world_last(&world, REPORT_ANSWER, "c", NULL)->status, 429);
    assert_int_equal(world_last(&world, REPORT_ANSWER, "b", NULL)->status, 200);
}

static void more_tasks_than_may_wait_on_a_line_are_refused(void **state)
{
    (void)state;
    world.site->store.max_waiting = 5; /* three devices on each line */
    open_wait();
    world_go(&world, "a", "*");
    world_go(&world, "b", "*"); /* before the first one is safe */
    world_run(&world, SECONDS);
    assert_int_equal(world_last(&world, REPORT_ANSWER, "b", NULL)->code, CODE_QUEUE_FULL);
}

/* --- cancel --- */

static void a_job_can_be_cancelled_before_it_is_safe(void **state)
{
    (void)state;
    open_write();
    world.store_stalls = true;
    world_go(&world, "j", "*");
    world_cancel(&world, LINK_API, "j");
    assert_string_equal(world_job_said(&world, "j", "status"), "cancelled");
    world.store_stalls = false;
    world_run(&world, SECONDS);
    assert_int_equal(world.frames, 0);
    assert_string_equal(outcome("j", "d1", "status"), "failed");
    assert_string_equal(outcome("j", "d1", "error.code"), "Canceled");
    assert_string_equal(outcome("j", "d1", "outcome.deviceMethodResponse.status"), "499");
}

static void a_cancel_interrupts_what_has_begun(void **state)
{
    (void)state;
    open_wait();
    world_go(&world, "j", "*");
    world_run(&world, 10 * SECONDS);
    world_cancel(&world, LINK_BROKER, "j");
    world_run(&world, SECONDS);
    assert_string_equal(world_job_said(&world, "j", "status"), "cancelled");
    assert_string_equal(outcome("j", "d1", "error.code"), "Interrupted");
    assert_string_equal(outcome("j", "d1", "error.description"),
                        "the job was cancelled after this task had begun; done: write control");
}

static void a_cancel_that_comes_before_its_job_is_kept(void **state)
{
    (void)state;
    open_write();
    world_cancel(&world, LINK_BROKER, "j");
    world_go(&world, "j", "*");
    world_run(&world, SECONDS);
    assert_int_equal(world.frames, 0);
    assert_string_equal(world_job_said(&world, "j", "status"), "cancelled");
}

static void a_job_that_is_over_cannot_be_cancelled(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "*");
    world_finish(&world);
    world_cancel(&world, LINK_API, "j");
    assert_int_equal(world_last(&world, REPORT_ANSWER, "j", NULL)->code, CODE_JOB_ENDED);
}

static void an_unknown_job_cannot_be_cancelled_at_the_api(void **state)
{
    (void)state;
    open_write();
    world_cancel(&world, LINK_API, "j");
    assert_int_equal(world_last(&world, REPORT_ANSWER, "j", NULL)->code, CODE_JOB_NOT_FOUND);
}

/* --- time --- */

static void a_scheduled_job_starts_at_its_time(void **state)
{
    (void)state;
    open_write();
    scheduled(LINK_API, "j", "2030-01-01T00:01:00Z", 60);
    world_run(&world, 59 * SECONDS);
    assert_string_equal(world_job_said(&world, "j", "status"), "scheduled");
    assert_int_equal(world.frames, 0);
    world_run(&world, 4 * SECONDS);
    assert_string_equal(world_job_said(&world, "j", "status"), "completed");
}

static void a_scheduled_job_waits_for_a_clock_that_is_believed(void **state)
{
    (void)state;
    world.now.trusted = false;
    open_write();
    scheduled(LINK_API, "j", "2030-01-01T00:00:02Z", 60);
    world_run(&world, 30 * SECONDS);
    assert_string_equal(world_job_said(&world, "j", "status"), "scheduled");
    assert_string_equal(world_job_said(&world, "j", "statusMessage"),
                        "the clock is not set, so the start has to wait");
    world.now.trusted = true;
    world_run(&world, 3 * SECONDS);
    assert_string_equal(world_job_said(&world, "j", "status"), "completed");
}

static void a_start_in_the_past_means_now_at_the_api(void **state)
{
    (void)state;
    open_write();
    scheduled(LINK_API, "j", "2029-01-01T00:00:00Z", 60);
    world_finish(&world);
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics.succeededCount"), "6");
}

static void a_job_of_the_broker_that_is_over_before_it_could_start_expires(void **state)
{
    (void)state;
    open_write();
    scheduled(LINK_BROKER, "j", "2029-12-31T23:58:00Z", 60);
    world_run(&world, SECONDS);
    assert_int_equal(world.frames, 0);
    assert_string_equal(outcome("j", "d1", "error.code"), "Expired");
    assert_string_equal(world_job_said(&world, "j", "status"), "completed");
}

static void a_retained_job_that_was_over_long_ago_is_ignored(void **state)
{
    (void)state;
    struct request *request;
    struct refusal refusal;
    char json[] =
        "{" METHOD_JOB ",\"queryCondition\":\"*\",\"startTime\":\"2029-11-01T00:00:00Z\"}";

    open_write();
    request_read_job(&request, LINK_BROKER, "j", json, strlen(json), &refusal);
    request->retained = true;
    request->origin.ticket = 1;
    world_give(&world, request);
    world_run(&world, SECONDS);
    assert_int_equal(world_count(&world, REPORT_OUTCOME, NULL, NULL), 0);
    assert_int_equal(world_count(&world, REPORT_SHARE, NULL, NULL), 0);
    assert_int_equal(world_count(&world, REPORT_STORED, NULL, NULL), 1);
}

static void give_retained(const char *id, const char *start)
{
    struct request *request;
    struct refusal refusal;
    char json[300];

    snprintf(json, sizeof(json),
             "{%s,\"queryCondition\":\"*\",\"startTime\":\"%s\","
             "\"maxExecutionTimeInSeconds\":60}",
             METHOD_JOB, start);
    request_read_job(&request, LINK_BROKER, id, json, strlen(json), &refusal);
    request->retained = true;
    request->origin.ticket = 1;
    world_give(&world, request);
    world_run(&world, SECONDS);
}

static void a_retained_job_that_was_over_before_the_first_start_is_ignored(void **state)
{
    (void)state;
    open_write();
    give_retained("j", "2029-12-31T23:58:00Z");
    assert_int_equal(world_count(&world, REPORT_OUTCOME, NULL, NULL), 0);
    assert_int_equal(world_count(&world, REPORT_SHARE, NULL, NULL), 0);
    assert_int_equal(world_count(&world, REPORT_STORED, NULL, NULL), 1);
}

static void a_retained_job_that_was_over_while_the_gateway_ran_expires(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "first", "*");
    world_finish(&world);
    uint64_t frames = world.frames;
    world_run(&world, 120 * SECONDS);
    give_retained("j", "2030-01-01T00:00:30Z");
    assert_int_equal(world.frames, frames);
    assert_string_equal(outcome("j", "d1", "error.code"), "Expired");
}

static void give_retained_without_start(void)
{
    struct request *request;
    struct refusal refusal;
    char json[300];

    snprintf(json, sizeof(json), "{%s,\"queryCondition\":\"*\"}", METHOD_JOB);
    request_read_job(&request, LINK_BROKER, "j", json, strlen(json), &refusal);
    request->retained = true;
    request->origin.ticket = 1;
    world_give(&world, request);
    world_run(&world, SECONDS);
}

static void a_retained_job_needs_a_start_time(void **state)
{
    (void)state;
    open_write();
    give_retained_without_start();
    assert_int_equal(world_last(&world, REPORT_ANSWER, "j", NULL)->code, CODE_BAD_REQUEST);
    assert_int_equal(world.frames, 0);
}

static void a_known_job_found_retained_without_start_time_has_its_true_share(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "j", "*");
    world_finish(&world);
    give_retained_without_start();
    assert_string_equal(world_said(world_last(&world, REPORT_SHARE, "j", NULL), "status"),
                        "completed");
    assert_int_equal(world_count(&world, REPORT_ANSWER, "j", NULL), 1); /* the first one's */
}

static void the_deadline_of_the_broker_counts_from_the_start_time(void **state)
{
    (void)state;
    open_wait();
    scheduled(LINK_BROKER, "j", "2029-12-31T23:59:40Z", 30); /* ten seconds are left */
    world_run(&world, 9 * SECONDS);
    assert_int_equal(world_count(&world, REPORT_OUTCOME, "j", NULL), 0);
    world_run(&world, 2 * SECONDS);
    assert_string_equal(outcome("j", "d1", "error.code"), "Interrupted");
}

static void the_end_of_its_time_expires_what_has_not_begun(void **state)
{
    (void)state;
    open_wait();
    world_go(&world, "a", "deviceId = 'd1'");
    scheduled(LINK_API, "j", NOW_IS, 20);
    world_run(&world, 21 * SECONDS);
    assert_string_equal(outcome("j", "d1", "error.code"), "Expired");
    assert_string_equal(outcome("j", "d2", "error.code"), "Interrupted");
    assert_string_equal(world_job_said(&world, "j", "status"), "completed");
}

static void a_clock_that_jumps_expires_nothing(void **state)
{
    (void)state;
    open_wait();
    scheduled(LINK_BROKER, "j", "2030-01-01T00:00:02Z", 3600);
    world_run(&world, 5 * SECONDS);
    world.now.wall_ms += INT64_C(86400000);
    world_run(&world, 10 * SECONDS);
    assert_int_equal(world_count(&world, REPORT_OUTCOME, "j", NULL), 0);
}

/* --- stop --- */

static void a_stop_ends_everything_truthfully(void **state)
{
    (void)state;
    open_wait();
    world_go(&world, "running", "deviceId IN ['d0', 'd1']");
    world_go(&world, "waiting", "deviceId IN ['d0', 'd1']");
    scheduled(LINK_API, "later", "2030-01-01T01:00:00Z", 60);
    world_run(&world, 5 * SECONDS);
    world_call(&world, "d1");
    engine_stop(world.engine, world.now);
    world_finish(&world);
    assert_string_equal(outcome("running", "d0", "error.code"), "Interrupted");
    assert_string_equal(outcome("waiting", "d0", "error.code"), "Canceled");
    assert_string_equal(outcome("later", "d5", "error.code"), "Canceled");
    assert_string_equal(world_job_said(&world, "later", "status"), "cancelled");
    assert_int_equal(world_last(&world, REPORT_ANSWER, NULL, NULL)->status, 499);
}

static void a_stop_before_a_job_is_safe_leaves_nothing_waiting(void **state)
{
    (void)state;
    open_write();
    world.store_stalls = true;
    world_go(&world, "j", "*");
    engine_stop(world.engine, world.now);
    assert_true(engine_is_idle(world.engine));
}

static void what_cannot_be_brought_to_its_end_is_abandoned_with_an_outcome(void **state)
{
    (void)state;
    open_wait();
    world_go(&world, "j", "*");
    world_run(&world, 5 * SECONDS);
    engine_abandon(world.engine, world.now);
    world_run(&world, SECONDS);
    assert_true(engine_is_idle(world.engine));
    assert_int_equal(world_count(&world, REPORT_OUTCOME, "j", NULL), 6);
}

static void a_gateway_that_stops_takes_nothing_new(void **state)
{
    (void)state;
    open_write();
    engine_stop(world.engine, world.now);
    world_go(&world, "j", "*");
    world_call(&world, "d1");
    world_run(&world, SECONDS);
    assert_int_equal(world.frames, 0);
    assert_true(engine_is_idle(world.engine));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_job_runs_on_the_devices_that_match),
        TEST(a_record_tells_the_outcome_as_the_contract_says),
        TEST(a_job_without_devices_completes_with_a_share_that_is_not_retained),
        TEST(an_unknown_method_fails_each_task_without_a_frame),
        TEST(a_share_is_told_at_most_once_a_second_between_its_changes),
        TEST(the_same_document_again_is_no_new_job),
        TEST(another_document_under_a_known_id_is_refused),
        TEST(a_known_id_is_a_conflict_at_the_api),
        TEST(a_job_that_was_forgotten_is_not_run_again),
        TEST(calls_do_not_push_jobs_out_of_memory),
        TEST(more_jobs_than_the_gateway_takes_are_refused),
        TEST(more_tasks_than_may_wait_on_a_line_are_refused),
        TEST(a_job_can_be_cancelled_before_it_is_safe),
        TEST(a_cancel_interrupts_what_has_begun),
        TEST(a_cancel_that_comes_before_its_job_is_kept),
        TEST(a_job_that_is_over_cannot_be_cancelled),
        TEST(an_unknown_job_cannot_be_cancelled_at_the_api),
        TEST(a_scheduled_job_starts_at_its_time),
        TEST(a_scheduled_job_waits_for_a_clock_that_is_believed),
        TEST(a_start_in_the_past_means_now_at_the_api),
        TEST(a_job_of_the_broker_that_is_over_before_it_could_start_expires),
        TEST(a_retained_job_that_was_over_long_ago_is_ignored),
        TEST(a_retained_job_that_was_over_before_the_first_start_is_ignored),
        TEST(a_retained_job_that_was_over_while_the_gateway_ran_expires),
        TEST(a_retained_job_needs_a_start_time),
        TEST(a_known_job_found_retained_without_start_time_has_its_true_share),
        TEST(the_deadline_of_the_broker_counts_from_the_start_time),
        TEST(the_end_of_its_time_expires_what_has_not_begun),
        TEST(a_clock_that_jumps_expires_nothing),
        TEST(a_stop_ends_everything_truthfully),
        TEST(a_stop_before_a_job_is_safe_leaves_nothing_waiting),
        TEST(what_cannot_be_brought_to_its_end_is_abandoned_with_an_outcome),
        TEST(a_gateway_that_stops_takes_nothing_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
