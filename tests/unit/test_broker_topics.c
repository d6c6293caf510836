#include "links/broker_topics.h"
#include "links_site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char text[400];

static struct topic topic_of(const char *topic)
{
    struct topic ret;

    snprintf(text, sizeof(text), "%s", topic);
    topic_read(&ret, "jg/v1", text);
    return ret;
}

static void a_method_names_device_method_and_request(void **state)
{
    (void)state;
    struct topic topic = topic_of("jg/v1/devices/room-1/methods/reboot/r7");

    assert_int_equal(topic.kind, TOPIC_METHOD);
    assert_string_equal(topic.device_id, "room-1");
    assert_string_equal(topic.method, "reboot");
    assert_string_equal(topic.request_id, "r7");
    assert_null(topic.wrong);
    topic = topic_of("jg/v1/devices/room-1/methods/reboot");
    assert_null(topic.request_id);
    assert_null(topic.wrong);
}

static void a_method_with_a_wrong_name_or_id_is_still_a_method(void **state)
{
    (void)state;
    static const char *const topics[] = {"methods",       "methods/",       "methods/re boot",
                                         "methods/a/",    "methods/a/b c",  "methods/a/-",
                                         "methods/a/b/c", "methods/a/b/c/d"};
    char whole[100];

    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        snprintf(whole, sizeof(whole), "jg/v1/devices/room-1/%s", topics[i]);
        struct topic topic = topic_of(whole);
        assert_int_equal(topic.kind, TOPIC_METHOD);
        assert_non_null(topic.wrong);
        assert_null(topic.request_id);
    }
}

static void jobs_and_cancels_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(topic_of("jg/v1/jobs/j1").kind, TOPIC_JOB);
    assert_string_equal(topic_of("jg/v1/jobs/j1").job_id, "j1");
    assert_int_equal(topic_of("jg/v1/jobs/j1/cancel").kind, TOPIC_CANCEL);
    assert_int_equal(topic_of("jg/v1/devices/room-1/desired").kind, TOPIC_DESIRED);
}

static void everything_else_is_nothing_of_ours(void **state)
{
    (void)state;
    static const char *const topics[] = {
        "",
        "jg/v1",
        "jg/v1/",
        "jg/v10/jobs/j1",
        "jg/v1/jobs",
        "jg/v1/jobs/",
        "jg/v1/jobs/j1/gateways",
        "jg/v1/jobs/j1/gateways/g w",
        "jg/v1/gateways",
        "jg/v1/gateways/",
        "jg/v1/gateways/gw/else",
        "jg/v1/gateways/gw/echo/x",
        "jg/v1/devices/room-1/state/x",
        "jg/v1/jobs/j1/outcomes/room-1",
        "jg/v1/jobs/j1/cancel/x",
        "jg/v1/devices/room-1",
        "jg/v1/devices/room-1/reported",
        "jg/v1/devices/room-1/desired/x",
        "jg/v1/devices//methods/a",
        "/jg/v1/jobs/j1",
        "jg/v1/jobs/\xFF",
    };

    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        assert_int_equal(topic_of(topics[i]).kind, TOPIC_OTHER);
}

static void what_gateways_say_of_themselves_is_told_apart(void **state)
{
    (void)state;
    assert_int_equal(topic_of("jg/v1/devices/room-1/state").kind, TOPIC_STATE);
    assert_int_equal(topic_of("jg/v1/gateways/gw").kind, TOPIC_GATEWAY);
    assert_int_equal(topic_of("jg/v1/gateways/gw/echo").kind, TOPIC_ECHO);
    struct topic topic = topic_of("jg/v1/jobs/j1/gateways/gw");
    assert_int_equal(topic.kind, TOPIC_SHARE);
    assert_string_equal(topic.job_id, "j1");
    assert_string_equal(topic.gateway_id, "gw");
}

static void an_answer_goes_only_where_a_message_may_go(void **state)
{
    (void)state;
    assert_true(topic_is_publishable("backend/answers/7"));
    assert_false(topic_is_publishable(""));
    assert_false(topic_is_publishable("answers/#"));
    assert_false(topic_is_publishable("answers/+/x"));
    assert_false(topic_is_publishable("$SYS/x"));
}

static void topics_are_spelled_as_the_interface_says(void **state)
{
    (void)state;
    char *const topics[] = {
        topic_result("r", "d", NULL), topic_result("r", "d", "7"),
        topic_share("r", "j", "g"),   topic_outcome("r", "j", "d"),
        topic_gateway("r", "g"),      topic_device("r", "d", "state"),
    };
    static const char *const wanted[] = {
        "r/devices/d/results/-", "r/devices/d/results/7", "r/jobs/j/gateways/g",
        "r/jobs/j/outcomes/d",   "r/gateways/g",          "r/devices/d/state",
    };

    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        assert_string_equal(topics[i], wanted[i]);
        free(topics[i]);
    }
}

static void only_the_topics_of_own_devices_are_subscribed(void **state)
{
    (void)state;
    struct links_site of;
    char **filters;
    size_t count;

    assert_int_equal(topic_filters(&filters, &count, "r", links_site_fill(&of)), 0);
    assert_int_equal(count, 10);
    assert_string_equal(filters[0], "r/jobs/+");
    assert_string_equal(filters[1], "r/jobs/+/cancel");
    assert_string_equal(filters[2], "r/jobs/+/gateways/gw");
    assert_string_equal(filters[3], "r/gateways/gw/echo");
    assert_string_equal(filters[4], "r/devices/room-1/methods/#");
    assert_string_equal(filters[8], "r/devices/room-2/desired");
    assert_string_equal(filters[9], "r/devices/room-2/state");
    topic_filters_free(filters, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_names_device_method_and_request),
        cmocka_unit_test(a_method_with_a_wrong_name_or_id_is_still_a_method),
        cmocka_unit_test(jobs_and_cancels_are_told_apart),
        cmocka_unit_test(everything_else_is_nothing_of_ours),
        cmocka_unit_test(what_gateways_say_of_themselves_is_told_apart),
        cmocka_unit_test(an_answer_goes_only_where_a_message_may_go),
        cmocka_unit_test(topics_are_spelled_as_the_interface_says),
        cmocka_unit_test(only_the_topics_of_own_devices_are_subscribed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
