#include "links/broker_message.h"
#include "links/broker_spurned.h"
#include "links_site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct links_site of;
static struct request *request;
static struct outgoing *answer;

static int fresh(void **state)
{
    (void)state;
    links_site_fill(&of);
    return 0;
}

static int tidy_up(void **state)
{
    (void)state;
    request_free(request);
    outgoing_free(answer);
    request = NULL;
    answer = NULL;
    return 0;
}

static struct arrival *arrival_of(const char *topic, const char *payload)
{
    struct arrival *arrival = calloc(1, sizeof(*arrival));

    assert_non_null(arrival);
    arrival->topic = strdup(topic);
    arrival->payload = strdup(payload);
    arrival->size = strlen(payload);
    return arrival;
}

static struct arrival *with_response(struct arrival *arrival, const char *topic)
{
    arrival->response_topic = strdup(topic);
    arrival->correlation = strdup("c\1");
    arrival->correlation_size = 3; /* binary: its NUL belongs to it */
    return arrival;
}

static void take(struct arrival *arrival)
{
    tidy_up(NULL);
    assert_int_equal(arrival_read(&request, &answer, &of.site, arrival), 0);
    assert_false(request && answer);
    arrival_free(arrival);
}

static void take_plain(const char *topic, const char *payload)
{
    take(arrival_of(topic, payload));
}

static void assert_answered(const char *topic, const char *body)
{
    assert_null(request);
    assert_non_null(answer);
    assert_string_equal(answer->topic, topic);
    assert_false(answer->retain);
    if (!strstr(answer->body, body))
        fail_msg("%s does not hold %s", answer->body, body);
}

static void a_call_with_response_topic_becomes_a_request(void **state)
{
    (void)state;
    take(with_response(arrival_of("jg/v1/devices/room-1/methods/reboot", "{\"a\":1}"),
                       "back/7"));
    assert_non_null(request);
    assert_int_equal(request->kind, REQUEST_CALL);
    assert_int_equal(request->action.kind, ACTION_METHOD);
    assert_string_equal(request->action.method, "reboot");
    assert_string_equal(request->device_id, "room-1");
    assert_string_equal(request->origin.topic, "back/7");
    assert_int_equal(request->origin.correlation_size, 3);
    assert_memory_equal(request->origin.correlation, "c\1\0", 3);
    assert_int_equal(request->timeout_s, 30);
    assert_int_equal(request->repeat_s, 0);
    assert_null(request->request_id);
    assert_int_equal(request->origin.ticket, 0);
}

static void a_call_with_request_id_is_answered_on_its_results_topic(void **state)
{
    (void)state;
    take_plain("jg/v1/devices/room-1/methods/reboot/r7", "");
    assert_non_null(request);
    assert_true(json_is_null(request->action.arguments));
    assert_string_equal(request->request_id, "r7");
    assert_int_equal(request->repeat_s, 86400);
    assert_string_equal(request->origin.topic, "jg/v1/devices/room-1/results/r7");
}

static void the_message_expiry_is_the_time_of_a_call(void **state)
{
    (void)state;
    struct arrival *arrival = arrival_of("jg/v1/devices/room-1/methods/reboot/r7", "");

    arrival->has_expiry = true;
    arrival->expiry_s = 5;
    take(arrival);
    assert_int_equal(request->timeout_s, 5);
}

static void a_call_delivered_again_says_so(void **state)
{
    (void)state;
    struct arrival *arrival =
        with_response(arrival_of("jg/v1/devices/room-1/methods/reboot", ""), "back");

    arrival->dup = true;
    take(arrival);
    assert_true(request->dup);
    arrival = arrival_of("jg/v1/devices/room-1/methods/reboot/r1", "");
    arrival->dup = true;
    take(arrival);
    assert_false(request->dup);
}

static void a_call_without_a_way_back_is_not_run(void **state)
{
    (void)state;
    take_plain("jg/v1/devices/room-1/methods/reboot", "{}");
    assert_answered("jg/v1/devices/room-1/results/-",
                    "{\"status\":400,\"payload\":{\"error\":{\"code\":\"BadRequest\"");
    take(with_response(arrival_of("jg/v1/devices/room-1/methods/reboot", "{}"), "back/#"));
    assert_answered("jg/v1/devices/room-1/results/-", "\"status\":400");
}

static void a_retained_call_is_refused(void **state)
{
    (void)state;
    struct arrival *arrival =
        with_response(arrival_of("jg/v1/devices/room-1/methods/reboot", "{}"), "back");

    arrival->retained = true;
    take(arrival);
    assert_answered("back", "{\"status\":409,\"payload\":{\"error\":{\"code\":\"Retained\"");
    assert_int_equal(answer->correlation_size, 3);
}

static void clearing_a_retained_call_is_no_call(void **state)
{
    (void)state;
    struct arrival *arrival = arrival_of("jg/v1/devices/room-1/methods/reboot/r7", "");

    arrival->retained = true;
    take(arrival);
    assert_null(request);
    assert_null(answer);
}

/* By MQTT 3.1.1, where it looks like a call without arguments. */
static void read_by_311(struct spurned *spurned, const char *payload, bool retained)
{
    struct arrival *arrival = arrival_of("jg/v1/devices/room-1/methods/reboot/r7", payload);

    tidy_up(NULL);
    of.broker.protocol = 4;
    arrival->retained = retained;
    assert_int_equal(spurned_read(spurned, &request, &answer, &of.site, arrival), 0);
    arrival_free(arrival);
}

static void an_empty_message_after_a_refused_retained_call_clears_it(void **state)
{
    (void)state;
    struct spurned spurned = {0};

    read_by_311(&spurned, "", false);
    assert_non_null(request); /* nothing was refused: a call without arguments */
    read_by_311(&spurned, "{}", true);
    assert_answered("jg/v1/devices/room-1/results/r7", "Retained");
    read_by_311(&spurned, "{}", false);
    assert_non_null(request);
    read_by_311(&spurned, "", false);
    assert_null(request);
    assert_null(answer);
    read_by_311(&spurned, "", false);
    assert_non_null(request);
    spurned_deinit(&spurned);
}

static void what_was_refused_is_remembered_within_bounds(void **state)
{
    (void)state;
    struct spurned spurned = {0};

    for (int i = 0; i < 3 * SPURNED_MOST; i++) /* with each connection it comes again */
        read_by_311(&spurned, "{}", true);
    read_by_311(&spurned, "", false);
    assert_null(request);
    read_by_311(&spurned, "", false);
    assert_non_null(request);
    spurned_deinit(&spurned);
}

static void a_gateway_may_take_no_calls_from_its_broker(void **state)
{
    (void)state;
    of.broker.methods = false;
    take_plain("jg/v1/devices/room-1/methods/reboot/r1", "{}");
    assert_answered("jg/v1/devices/room-1/results/r1", "\"status\":403");
}

static void a_broken_call_is_answered(void **state)
{
    (void)state;
    take_plain("jg/v1/devices/room-1/methods/reboot/r1", "{\"a\":");
    assert_answered("jg/v1/devices/room-1/results/r1", "not JSON at line 1");
    take_plain("jg/v1/devices/room-1/methods/re boot", "{}");
    assert_answered("jg/v1/devices/room-1/results/-", "names no method");
}

static void another_gateways_device_is_none_of_our_business(void **state)
{
    (void)state;
    take_plain("jg/v1/devices/room-3/methods/reboot/r1", "{}");
    assert_null(request);
    assert_null(answer);
    take_plain("jg/v1/devices/room-3/desired", "3");
    assert_null(answer);
}

static void a_patch_becomes_a_call_with_its_version(void **state)
{
    (void)state;
    struct arrival *arrival =
        arrival_of("jg/v1/devices/room-1/desired", "{\"setpoint\":21.5,\"$version\":9}");

    arrival->ticket = 4;
    assert_true(arrival_waits(arrival, "jg/v1"));
    take(arrival);
    assert_non_null(request);
    assert_int_equal(request->kind, REQUEST_CALL);
    assert_int_equal(request->action.kind, ACTION_PATCH);
    assert_true(request->has_version);
    assert_int_equal(request->version, 9);
    assert_int_equal(json_object_size(request->action.arguments), 1);
    assert_int_equal(request->origin.ticket, 4);
    assert_false(request->retained);
}

static void a_retained_patch_is_marked_and_does_not_wait(void **state)
{
    (void)state;
    struct arrival *arrival = arrival_of("jg/v1/devices/room-1/desired", "{}");

    arrival->retained = true;
    assert_false(arrival_waits(arrival, "jg/v1"));
    take(arrival);
    assert_true(request->retained);
    assert_false(request->has_version);
}

static void a_patch_that_is_no_object_is_refused(void **state)
{
    (void)state;
    take_plain("jg/v1/devices/room-1/desired", "[1]");
    assert_answered("jg/v1/devices/room-1/results/-", "\"status\":400");
    take_plain("jg/v1/devices/room-1/desired", "{\"$version\":\"9\"}");
    assert_answered("jg/v1/devices/room-1/results/-", "$version");
}

static void an_empty_payload_is_no_request(void **state)
{
    (void)state;
    static const char *const topics[] = {"jg/v1/devices/room-1/desired", "jg/v1/jobs/j1"};

    for (size_t i = 0; i < 2; i++) {
        struct arrival *arrival = arrival_of(topics[i], "");

        assert_false(arrival_waits(arrival, "jg/v1"));
        take(arrival);
        assert_null(request);
        assert_null(answer);
    }
}

#define JOB                                                                                    \
    "{\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{\"methodName\":\"reboot\"},"  \
    "\"queryCondition\":\"*\""

static void a_job_waits_for_the_store(void **state)
{
    (void)state;
    struct arrival *arrival = arrival_of("jg/v1/jobs/j1", JOB "}");

    arrival->ticket = 9;
    assert_true(arrival_waits(arrival, "jg/v1"));
    take(arrival);
    assert_non_null(request);
    assert_int_equal(request->kind, REQUEST_JOB);
    assert_string_equal(request->job_id, "j1");
    assert_int_equal(request->origin.ticket, 9);
    assert_string_equal(request->origin.topic, "jg/v1/jobs/j1/gateways/gw");
}

static void a_retained_job_is_taken_as_such(void **state)
{
    (void)state;
    struct arrival *arrival =
        arrival_of("jg/v1/jobs/j1", JOB ",\"startTime\":\"2030-01-01T00:00:00Z\"}");

    arrival->retained = true;
    take(arrival);
    assert_non_null(request);
    assert_true(request->retained);
}

static void a_broken_job_has_a_share_that_failed(void **state)
{
    (void)state;
    take_plain("jg/v1/jobs/j1", "{");
    assert_answered("jg/v1/jobs/j1/gateways/gw",
                    "{\"gatewayId\":\"gw\",\"jobId\":\"j1\",\"status\":\"failed\",\"error\":{"
                    "\"code\":\"BadRequest\",\"description\":\"not JSON");
    take_plain("jg/v1/jobs/a b", JOB "}");
    assert_answered("jg/v1/jobs/a b/gateways/gw", "no job id");
}

static void a_cancel_is_a_request_whatever_it_holds(void **state)
{
    (void)state;
    take_plain("jg/v1/jobs/j1/cancel", "");
    assert_int_equal(request->kind, REQUEST_CANCEL);
    assert_string_equal(request->job_id, "j1");
    take_plain("jg/v1/jobs/j1/cancel", "please {");
    assert_non_null(request);
    take_plain("jg/v1/jobs/j 1/cancel", "");
    assert_answered("jg/v1/jobs/j 1/gateways/gw", "\"refused\":{\"code\":\"BadRequest\"");
}

static struct report report_of(enum report_kind kind, const char *body)
{
    return (struct report){.kind = kind,
                           .body = strdup(body),
                           .job_id = strdup("j1"),
                           .device_id = strdup("room-1")};
}

static void send_report(struct report report)
{
    tidy_up(NULL);
    assert_int_equal(outgoing_of_report(&answer, &of.site, &report), 0);
    origin_deinit(&report.origin);
    free(report.body);
    free(report.job_id);
    free(report.device_id);
    free(report.method);
}

static void reports_go_to_their_topics(void **state)
{
    (void)state;
    static const struct {
        enum report_kind kind;
        const char *topic;
        bool retain;
    } wanted[] = {
        {REPORT_OUTCOME, "jg/v1/jobs/j1/outcomes/room-1", false},
        {REPORT_SHARE, "jg/v1/jobs/j1/gateways/gw", false},
        {REPORT_REPORTED, "jg/v1/devices/room-1/reported", true},
        {REPORT_STATE, "jg/v1/devices/room-1/state", true},
        {REPORT_GATEWAY, "jg/v1/gateways/gw", true},
    };

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        send_report(report_of(wanted[i].kind, "{}"));
        assert_string_equal(answer->topic, wanted[i].topic);
        assert_int_equal(answer->retain, wanted[i].retain);
        assert_string_equal(answer->body, "{}");
    }
    send_report(report_of(REPORT_PROGRESS, "{}"));
    assert_null(answer);
    send_report(report_of(REPORT_SHARE, ""));
    assert_true(answer->retain);
}

static void a_calls_answer_carries_status_payload_and_correlation(void **state)
{
    (void)state;
    struct report report = report_of(REPORT_ANSWER, "{\"values\":{\"a\":21.50}}");

    report.origin = (struct origin){.link = LINK_BROKER,
                                    .topic = strdup("back"),
                                    .correlation = strdup("xy"),
                                    .correlation_size = 2};
    report.answers = REQUEST_CALL;
    report.status = 200;
    send_report(report);
    assert_string_equal(answer->topic, "back");
    assert_string_equal(answer->body,
                        "{\"status\":200,\"payload\":{\"values\":{\"a\":21.50}}}");
    assert_memory_equal(answer->correlation, "xy", 2);
}

static void a_patch_is_answered_only_when_it_went_wrong(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct report report = report_of(REPORT_ANSWER, "{}");

        report.origin = (struct origin){.link = LINK_BROKER,
                                        .topic = strdup("jg/v1/devices/room-1/results/-")};
        report.answers = REQUEST_CALL;
        report.code = i == 0 ? CODE_NONE : CODE_QUEUE_FULL;
        report.status = code_status(report.code);
        send_report(report);
        assert_int_equal(answer != NULL, i);
    }
}

static void an_answer_of_another_link_is_not_ours(void **state)
{
    (void)state;
    struct report report = report_of(REPORT_ANSWER, "{}");

    report.origin = (struct origin){.link = LINK_API, .topic = strdup("back")};
    send_report(report);
    assert_null(answer);
}

static void send_answer(enum request_kind answers, enum code code, const char *body)
{
    struct report report = report_of(REPORT_ANSWER, body);

    report.origin =
        (struct origin){.link = LINK_BROKER, .topic = strdup("jg/v1/jobs/j1/gateways/gw")};
    report.answers = answers;
    report.code = code;
    send_report(report);
}

static void a_job_is_answered_by_its_share_unless_it_is_refused(void **state)
{
    (void)state;
    send_answer(REQUEST_JOB, CODE_NONE, "{\"jobId\":\"j1\"}");
    assert_null(answer);
    send_answer(REQUEST_JOB, CODE_QUEUE_FULL, "{\"error\":{\"code\":\"QueueFull\"}}");
    assert_string_equal(answer->body, "{\"gatewayId\":\"gw\",\"jobId\":\"j1\",\"status\":"
                                      "\"failed\",\"error\":{\"code\":\"QueueFull\"}}");
    assert_false(answer->retain);
    send_answer(REQUEST_JOB, CODE_JOB_ID_IN_USE, "{\"refused\":{\"code\":\"JobIdInUse\"}}");
    assert_string_equal(answer->body, "{\"refused\":{\"code\":\"JobIdInUse\"}}");
    assert_false(answer->retain);
}

static void a_refused_cancel_does_not_look_like_a_failed_job(void **state)
{
    (void)state;
    send_answer(REQUEST_CANCEL, CODE_JOB_ENDED, "{\"error\":{\"code\":\"X\"}}");
    assert_string_equal(answer->body,
                        "{\"gatewayId\":\"gw\",\"jobId\":\"j1\",\"refused\":{\"code\":\"X\"}}");
    send_answer(REQUEST_CANCEL, CODE_NONE, "{}");
    assert_null(answer);
}

#define FACT(fact) cmocka_unit_test_setup_teardown(fact, fresh, tidy_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(a_call_with_response_topic_becomes_a_request),
        FACT(a_call_with_request_id_is_answered_on_its_results_topic),
        FACT(the_message_expiry_is_the_time_of_a_call),
        FACT(a_call_delivered_again_says_so),
        FACT(a_call_without_a_way_back_is_not_run),
        FACT(a_retained_call_is_refused),
        FACT(clearing_a_retained_call_is_no_call),
        FACT(an_empty_message_after_a_refused_retained_call_clears_it),
        FACT(what_was_refused_is_remembered_within_bounds),
        FACT(a_gateway_may_take_no_calls_from_its_broker),
        FACT(a_broken_call_is_answered),
        FACT(another_gateways_device_is_none_of_our_business),
        FACT(a_patch_becomes_a_call_with_its_version),
        FACT(a_retained_patch_is_marked_and_does_not_wait),
        FACT(a_patch_that_is_no_object_is_refused),
        FACT(an_empty_payload_is_no_request),
        FACT(a_job_waits_for_the_store),
        FACT(a_retained_job_is_taken_as_such),
        FACT(a_broken_job_has_a_share_that_failed),
        FACT(a_cancel_is_a_request_whatever_it_holds),
        FACT(reports_go_to_their_topics),
        FACT(a_calls_answer_carries_status_payload_and_correlation),
        FACT(a_patch_is_answered_only_when_it_went_wrong),
        FACT(an_answer_of_another_link_is_not_ours),
        FACT(a_job_is_answered_by_its_share_unless_it_is_refused),
        FACT(a_refused_cancel_does_not_look_like_a_failed_job),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
