#include "links/iothub_topics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char text[400];

static struct hub_topic topic_of(const char *topic)
{
    struct hub_topic ret;

    snprintf(text, sizeof(text), "%s", topic);
    hub_topic_read(&ret, text);
    return ret;
}

static void a_method_s_rid_is_kept_to_the_letter(void **state)
{
    (void)state;
    struct hub_topic topic = topic_of("$iothub/methods/POST/reboot/?$rid=2f~%41+x=&extra=1");

    assert_int_equal(topic.kind, HUB_TOPIC_METHOD);
    assert_string_equal(topic.method, "reboot");
    assert_string_equal(topic.rid, "2f~%41+x=");
    char *answer = hub_topic_method_answer(200, topic.rid);
    assert_string_equal(answer, "$iothub/methods/res/200/?$rid=2f~%41+x=");
    free(answer);
}

static void fields_come_in_any_order(void **state)
{
    (void)state;
    struct hub_topic topic = topic_of("$iothub/twin/res/204/?other&$version=7&$rid=12");

    assert_int_equal(topic.kind, HUB_TOPIC_TWIN_ANSWER);
    assert_int_equal(topic.status, 204);
    assert_int_equal(topic.version, 7);
    assert_int_equal(hub_rid_read(topic.rid), 12);
}

static void a_desired_change_tells_its_version(void **state)
{
    (void)state;
    struct hub_topic topic = topic_of("$iothub/twin/PATCH/properties/desired/?$version=42");

    assert_int_equal(topic.kind, HUB_TOPIC_DESIRED);
    assert_int_equal(topic.version, 42);
    assert_int_equal(topic_of("$iothub/twin/PATCH/properties/desired/").version, -1);
}

static void a_registration_tells_when_to_ask_again(void **state)
{
    (void)state;
    struct hub_topic topic = topic_of("$dps/registrations/res/202/?$rid=1&retry-after=3");

    assert_int_equal(topic.kind, HUB_TOPIC_REGISTRATION);
    assert_int_equal(topic.status, 202);
    assert_int_equal(topic.retry_after_s, 3);
}

static void what_is_none_of_the_hub_s_topics_is_other(void **state)
{
    (void)state;
    static const char *const topics[] = {
        "",
        "$iothub/methods/POST/",
        "$iothub/methods/POST/x",
        "$iothub/methods/POST//?$rid=1",
        "$iothub/methods/POST/x/y?$rid=1",
        "$iothub/twin/res/",
        "$iothub/twin/res/99/?$rid=1",
        "$iothub/twin/res/1000/?$rid=1",
        "$iothub/twin/res/2x0/?$rid=1",
        "devices/a/messages/devicebound/x",
    };

    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        assert_int_equal(topic_of(topics[i]).kind, HUB_TOPIC_OTHER);
}

static void a_rid_that_is_none_of_ours_is_no_number(void **state)
{
    (void)state;
    assert_int_equal(hub_rid_read(""), 0);
    assert_int_equal(hub_rid_read("1a"), 0);
    assert_int_equal(hub_rid_read("-1"), 0);
    assert_int_equal(hub_rid_read("9999999999999999999"), 0);
}

static void an_operation_s_id_is_encoded(void **state)
{
    (void)state;
    char *topic = hub_topic_registration_status(3, "4.d0/a&b");

    assert_string_equal(topic, "$dps/registrations/GET/iotdps-get-operationstatus/"
                               "?$rid=3&operationId=4.d0%2Fa%26b");
    free(topic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_s_rid_is_kept_to_the_letter),
        cmocka_unit_test(fields_come_in_any_order),
        cmocka_unit_test(a_desired_change_tells_its_version),
        cmocka_unit_test(a_registration_tells_when_to_ask_again),
        cmocka_unit_test(what_is_none_of_the_hub_s_topics_is_other),
        cmocka_unit_test(a_rid_that_is_none_of_ours_is_no_number),
        cmocka_unit_test(an_operation_s_id_is_encoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
