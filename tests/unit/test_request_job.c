#include "jobs/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define METHOD                                                                                 \
    "\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{\"methodName\":\"reboot\"}"
#define TWIN "\"type\":\"scheduleUpdateTwin\",\"updateTwin\":"
#define ALL  ",\"queryCondition\":\"*\"}"

static struct request *job_of(const char *text)
{
    struct request *request = NULL;
    struct refusal refusal = {0};

    if (request_read_job(&request, LINK_API, "j1", text, strlen(text), &refusal) != 0)
        fail_msg("refused: %s", refusal.text);
    assert_int_equal(request->kind, REQUEST_JOB);
    assert_string_equal(request->job_id, "j1");
    assert_non_null(request->condition);
    return request;
}

static void assert_refused_as(const char *job_id, const char *text, const char *because)
{
    struct request *request;
    struct refusal refusal = {0};

    assert_int_equal(request_read_job(&request, LINK_API, job_id, text, strlen(text), &refusal),
                     REQUEST_E_REFUSED);
    assert_int_equal(refusal.code, CODE_BAD_REQUEST);
    if (!strstr(refusal.text, because))
        fail_msg("\"%s\" does not say \"%s\"", refusal.text, because);
}

static void assert_refused(const char *text, const char *because)
{
    assert_refused_as("j1", text, because);
}

static void assert_same(const char *a, const char *b, bool same)
{
    struct request *first = job_of(a), *second = job_of(b);

    if ((first->fingerprint == second->fingerprint) != same)
        fail_msg("%s and %s", a, b);
    request_free(first);
    request_free(second);
}

static void assert_echo(const struct request *job, const char *text)
{
    char *echo = json_dumps(job->document, JSON_COMPACT);

    assert_string_equal(echo, text);
    free(echo);
}

static void every_spelling_of_a_type_is_taken(void **state)
{
    (void)state;
    static const char *const methods[] = {"scheduleDeviceMethod", "ScheduleDeviceMethod",
                                          "scheduleDirectRequest", "scheduleDirectMethod",
                                          "scheduledDeviceMethod"};
    static const char *const twins[] = {"scheduleUpdateTwin", "ScheduleUpdateTwin",
                                        "scheduleTwinUpdate", "scheduledUpdateTwin"};
    char text[300];

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        snprintf(text, sizeof(text),
                 "{\"type\":\"%s\",\"cloudToDeviceMethod\":{\"methodName\":"
                 "\"reboot\"},\"updateTwin\":null" ALL,
                 methods[i]);
        struct request *job = job_of(text);
        assert_int_equal(job->action.kind, ACTION_METHOD);
        request_free(job);
    }
    for (size_t i = 0; i < sizeof(twins) / sizeof(twins[0]); i++) {
        snprintf(text, sizeof(text),
                 "{\"type\":\"%s\",\"updateTwin\":{\"tags\":{\"a\":1}},"
                 "\"cloudToDeviceMethod\":null" ALL,
                 twins[i]);
        struct request *job = job_of(text);
        assert_int_equal(job->action.kind, ACTION_PATCH);
        request_free(job);
    }
    assert_refused("{\"type\":\"export\"" ALL, "scheduleUpdateTwin");
    assert_refused("{\"queryCondition\":\"*\"}", "type is missing");
}

static void a_method_job_keeps_what_was_asked(void **state)
{
    (void)state;
    struct request *job =
        job_of("{\"jobId\":\"j1\",\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{"
               "\"methodName\":\"set\",\"payload\":{\"a\":1},\"responseTimeoutInSeconds\":15},"
               "\"startTime\":\"2030-01-02T03:04:05.678Z\",\"maxExecutionTimeInSeconds\":120,"
               "\"queryCondition\":\"tags.floor = 3\",\"surprise\":{}}");

    assert_string_equal(job->action.method, "set");
    assert_int_equal(json_integer_value(json_object_get(job->action.arguments, "a")), 1);
    assert_int_equal(job->method_timeout_s, 15);
    assert_int_equal(job->max_execution_s, 120);
    assert_true(job->has_start);
    assert_int_equal(job->start_ms, INT64_C(1893553445678));
    assert_string_equal(job->query, "tags.floor = 3");
    assert_echo(job, "{\"cloudToDeviceMethod\":{\"methodName\":\"set\",\"payload\":{\"a\":1},"
                     "\"responseTimeoutInSeconds\":15}}");
    request_free(job);
}

static void a_null_is_as_good_as_absent(void **state)
{
    (void)state;
    struct request *job =
        job_of("{\"jobId\":null,\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{"
               "\"methodName\":\"ping\",\"payload\":null,\"responseTimeoutInSeconds\":null},"
               "\"startTime\":null,\"maxExecutionTimeInSeconds\":null,\"rollout\":null" ALL);

    assert_false(job->has_start);
    assert_int_equal(job->max_execution_s, 3600);
    assert_int_equal(job->method_timeout_s, 0);
    request_free(job);
}

static void old_names_of_the_times_are_taken(void **state)
{
    (void)state;
    struct request *job =
        job_of("{\"type\":\"scheduleDirectRequest\",\"cloudToDeviceMethod\":{\"methodName\":"
               "\"a\",\"timeoutInSeconds\":7},\"maxExecutionTimeSeconds\":60" ALL);

    assert_int_equal(job->method_timeout_s, 7);
    assert_int_equal(job->max_execution_s, 60);
    request_free(job);
}

static void times_have_limits(void **state)
{
    (void)state;
    assert_refused("{" METHOD ",\"maxExecutionTimeInSeconds\":604801" ALL,
                   "maxExecutionTimeInSeconds");
    assert_refused("{" METHOD ",\"maxExecutionTimeInSeconds\":-1" ALL, "from 1 to 604800");
    assert_refused("{" METHOD ",\"maxExecutionTimeInSeconds\":1.5" ALL, "whole number");
    assert_refused("{" METHOD ",\"maxExecutionTimeInSeconds\":\"60\"" ALL, "whole number");
    assert_refused("{\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{\"methodName\":"
                   "\"a\",\"responseTimeoutInSeconds\":4}" ALL,
                   "from 5 to 300");
    assert_refused("{" METHOD ",\"startTime\":\"tomorrow\"" ALL, "startTime");
    assert_refused("{" METHOD ",\"startTime\":1893553445" ALL, "startTime");
}

static void the_first_day_of_the_calendar_means_now(void **state)
{
    (void)state;
    struct request *job = job_of("{" METHOD ",\"startTime\":\"0001-01-01T00:00:00\"" ALL);

    assert_false(job->has_start);
    request_free(job);
}

static void device_ids_become_a_condition(void **state)
{
    (void)state;
    struct request *job = job_of("{" METHOD ",\"deviceIds\":[\"a\",\"o'b\\\\c\"]}");

    assert_string_equal(job->query, "deviceId IN ['a','o\\'b\\\\c']");
    request_free(job);
    assert_refused("{" METHOD ",\"deviceIds\":[]}", "deviceIds");
    assert_refused("{" METHOD ",\"deviceIds\":[1]}", "deviceIds[0]");
    assert_refused("{" METHOD ",\"deviceIds\":[\"a\"]" ALL, "both given");
}

static void a_wrong_condition_is_refused_with_its_position(void **state)
{
    (void)state;
    assert_refused("{" METHOD ",\"queryCondition\":\"tags.floor =\"}", "queryCondition 1:");
    assert_refused("{" METHOD "}", "queryCondition is missing");
}

static void a_twin_job_takes_desired_and_tags_and_nothing_else(void **state)
{
    (void)state;
    struct request *job = job_of(
        "{" TWIN "{\"deviceId\":null,\"etag\":\"*\",\"version\":3,\"modelId\":\"x\",\"tags\":{"
        "\"floor\":3},\"properties\":{\"desired\":{\"setpoint\":19.5,\"$version\":4,"
        "\"$metadata\":{}},\"reported\":{\"a\":1}}}" ALL);

    assert_echo(job, "{\"updateTwin\":{\"etag\":\"*\",\"tags\":{\"floor\":3},\"properties\":{"
                     "\"desired\":{\"setpoint\":19.5}}}}");
    assert_int_equal(json_object_size(job->action.arguments), 1);
    assert_non_null(json_object_get(job->action.tags, "floor"));
    request_free(job);
}

static void a_twin_job_in_a_wrong_shape_is_told_the_path(void **state)
{
    (void)state;
    assert_refused("{" TWIN "{\"desired\":{\"a\":1}}" ALL, "updateTwin.properties.desired");
    assert_refused("{" TWIN "{\"etag\":\"AAA=\",\"tags\":{}}" ALL, "updateTwin.etag");
    assert_refused("{" TWIN "{\"properties\":{\"desired\":3}}" ALL,
                   "updateTwin.properties.desired");
    assert_refused("{" TWIN "{\"etag\":\"*\"}" ALL, "changes nothing");
    assert_refused("{" TWIN "null" ALL, "updateTwin is missing");
}

static void a_twin_beyond_the_limits_of_a_twin_is_refused(void **state)
{
    (void)state;
    char big[9000], text[9500];

    memset(big, 'x', sizeof(big));
    snprintf(text, sizeof(text),
             "{" TWIN "{\"properties\":{\"desired\":{\"a\":\"%.5000s\"}}}" ALL, big);
    assert_refused(text, "updateTwin.properties.desired: ");
    assert_refused("{" TWIN "{\"properties\":{\"desired\":{\"a b\":1}}}" ALL,
                   "updateTwin.properties.desired: ");
    assert_refused("{" TWIN "{\"tags\":{\"a.b\":1}}" ALL, "updateTwin.tags: ");
    assert_refused("{" TWIN "{\"tags\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":"
                   "{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}}}}" ALL,
                   "updateTwin.tags: ");
}

static void a_method_job_without_a_good_name_is_refused(void **state)
{
    (void)state;
    assert_refused("{\"type\":\"scheduleDeviceMethod\"" ALL, "cloudToDeviceMethod is missing");
    assert_refused("{\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{}" ALL,
                   "methodName is missing");
    assert_refused("{\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{\"methodName\":"
                   "\"a/b\"}" ALL,
                   "methodName 'a/b'");
}

static void a_job_with_rollout_is_refused_not_run_without_it(void **state)
{
    (void)state;
    assert_refused("{" METHOD ",\"rollout\":{\"batch\":5}" ALL, "rollout is not built");
}

static void a_job_id_obeys_the_rules(void **state)
{
    (void)state;
    assert_refused_as("query", "{" METHOD ALL, "cannot be called query");
    assert_refused_as("a b", "{" METHOD ALL, "no job id");
    assert_refused("{\"jobId\":\"other\"," METHOD ALL, "jobId");
    assert_refused("{\"jobId\":1," METHOD ALL, "jobId");
    assert_refused("[]", "JSON object");
    assert_refused("", "JSON object");
}

static void the_fingerprint_is_of_the_meaning_not_the_text(void **state)
{
    (void)state;
    assert_same("{" METHOD ALL, "{\"queryCondition\":\"*\",  " METHOD "}", true);
    assert_same("{" METHOD ALL, "{" METHOD ",\"jobId\":\"j1\",\"x\":1" ALL, true);
    assert_same("{" METHOD ALL, "{" METHOD ",\"maxExecutionTimeInSeconds\":3600" ALL, true);
    assert_same("{" METHOD ALL, "{" METHOD ",\"maxExecutionTimeInSeconds\":60" ALL, false);
    assert_same("{" METHOD ALL, "{" METHOD ",\"queryCondition\":\"TRUE\"}", false);
    assert_same("{" METHOD ALL, "{" METHOD ",\"startTime\":\"1970-01-01T00:00:00Z\"" ALL,
                false);
    assert_same("{" TWIN "{\"tags\":{\"a\":1,\"b\":2}}" ALL,
                "{" TWIN "{\"tags\":{\"b\":2,\"a\":1}}" ALL, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling_of_a_type_is_taken),
        cmocka_unit_test(a_method_job_keeps_what_was_asked),
        cmocka_unit_test(a_null_is_as_good_as_absent),
        cmocka_unit_test(old_names_of_the_times_are_taken),
        cmocka_unit_test(times_have_limits),
        cmocka_unit_test(the_first_day_of_the_calendar_means_now),
        cmocka_unit_test(device_ids_become_a_condition),
        cmocka_unit_test(a_wrong_condition_is_refused_with_its_position),
        cmocka_unit_test(a_twin_job_takes_desired_and_tags_and_nothing_else),
        cmocka_unit_test(a_twin_job_in_a_wrong_shape_is_told_the_path),
        cmocka_unit_test(a_twin_beyond_the_limits_of_a_twin_is_refused),
        cmocka_unit_test(a_method_job_without_a_good_name_is_refused),
        cmocka_unit_test(a_job_with_rollout_is_refused_not_run_without_it),
        cmocka_unit_test(a_job_id_obeys_the_rules),
        cmocka_unit_test(the_fingerprint_is_of_the_meaning_not_the_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
