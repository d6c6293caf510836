#include "links/iothub_twin.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_US INT64_C(1000000)

static json_t *json_of(const char *text)
{
    char copy[400];
    json_t *json;

    snprintf(copy, sizeof(copy), "%s", text);
    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json = json_loads(copy, 0, NULL);
    assert_non_null(json);
    return json;
}

static void assert_json(json_t *json, const char *wanted)
{
    json_t *other = json_of(wanted);
    char *text = json_dumps(json, JSON_COMPACT);

    if (!json_equal(json, other))
        fail_msg("%s, wanted %s", text, wanted);
    free(text);
    json_decref(other);
    json_decref(json);
}

/* Connected, and the hub answered the question for the document. */
static json_t *connect(struct hub_twin *twin, const char *document)
{
    json_t *body, *patch, *whole = json_of(document);

    hub_twin_up(twin);
    assert_int_equal(hub_twin_next(twin, 1, 0, &body), HUB_WANTS_GET);
    patch = hub_twin_answered(twin, 1, 200, whole, 0, 0);
    json_decref(whole);
    return patch;
}

static json_t *notify(struct hub_twin *twin, int64_t version, const char *patch)
{
    json_t *body = json_of(patch), *ret = hub_twin_notified(twin, version, body);

    json_decref(body);
    return ret;
}

#define EMPTY "{'desired':{'$version':1},'reported':{'$version':1}}"

static void the_document_is_asked_for_once_after_a_connection(void **state)
{
    (void)state;
    struct hub_twin twin;
    json_t *body;

    hub_twin_init(&twin);
    assert_int_equal(hub_twin_wake_us(&twin), MOMENT_NEVER);
    assert_null(connect(&twin, EMPTY));
    assert_int_equal(hub_twin_next(&twin, 2, 0, &body), HUB_WANTS_NOTHING);
    assert_int_equal(hub_twin_wake_us(&twin), MOMENT_NEVER);
    hub_twin_deinit(&twin);
}

static void what_was_never_acknowledged_is_applied(void **state)
{
    (void)state;
    struct hub_twin twin;

    hub_twin_init(&twin);
    assert_json(connect(&twin, "{'desired':{'a':1,'b':{'c':2},'$version':4,'$metadata':{}},"
                               "'reported':{}}"),
                "{'a':1,'b':{'c':2}}");
    assert_int_equal(twin.version, 4);
    hub_twin_deinit(&twin);
}

static void acknowledgements_are_the_memory_over_a_restart(void **state)
{
    (void)state;
    struct hub_twin twin;

    hub_twin_init(&twin);
    assert_null(connect(&twin, "{'desired':{'a':1,'b':2,'$version':4},'reported':{"
                               "'a':{'value':1.0,'ac':200,'av':3},"
                               "'b':{'value':9,'ac':504,'av':4}}}"));
    hub_twin_deinit(&twin);
    hub_twin_init(&twin);
    assert_json(connect(&twin, "{'desired':{'a':1,'b':2,'c':3,'$version':5},'reported':{"
                               "'a':{'value':1.0,'ac':200,'av':3},"
                               "'b':{'value':9,'ac':504,'av':4}}}"),
                "{'b':2,'c':3}");
    hub_twin_deinit(&twin);
}

static void after_a_reconnection_only_what_changed_is_applied(void **state)
{
    (void)state;
    struct hub_twin twin;

    hub_twin_init(&twin);
    json_decref(connect(&twin, "{'desired':{'a':1,'b':2,'$version':4},'reported':{}}"));
    hub_twin_down(&twin);
    assert_json(connect(&twin, "{'desired':{'a':1,'c':3,'$version':6},'reported':{}}"),
                "{'b':null,'c':3}");
    hub_twin_down(&twin);
    assert_null(connect(&twin, "{'desired':{'a':1,'c':3,'$version':6},'reported':{}}"));
    hub_twin_deinit(&twin);
}

static void a_lower_version_is_a_new_identity(void **state)
{
    (void)state;
    struct hub_twin twin;

    hub_twin_init(&twin);
    json_decref(connect(&twin, "{'desired':{'a':1,'$version':9},'reported':{}}"));
    hub_twin_down(&twin);
    assert_json(connect(&twin, "{'desired':{'a':1,'$version':2},'reported':{}}"), "{'a':1}");
    assert_int_equal(twin.version, 2);
    hub_twin_deinit(&twin);
}

static void patches_are_taken_in_order_and_once(void **state)
{
    (void)state;
    struct hub_twin twin;

    hub_twin_init(&twin);
    assert_null(connect(&twin, EMPTY));
    assert_json(notify(&twin, 2, "{'a':1,'$version':2}"), "{'a':1}");
    assert_null(notify(&twin, 2, "{'a':5,'$version':2}"));
    assert_null(notify(&twin, 1, "{'a':6,'$version':1}"));
    assert_json(notify(&twin, 3, "{'a':null,'m':{'__t':'c','x':1},'$version':3}"),
                "{'a':null,'m':{'x':1}}");
    hub_twin_deinit(&twin);
}

static void a_gap_makes_the_document_be_asked_for(void **state)
{
    (void)state;
    struct hub_twin twin;
    json_t *body, *whole;

    hub_twin_init(&twin);
    assert_null(connect(&twin, EMPTY));
    assert_null(notify(&twin, 3, "{'b':2}"));
    assert_int_equal(hub_twin_next(&twin, 2, 0, &body), HUB_WANTS_GET);
    whole = json_of("{'desired':{'a':1,'b':2,'$version':3},'reported':{}}");
    assert_json(hub_twin_answered(&twin, 2, 200, whole, 0, 0), "{'a':1,'b':2}");
    json_decref(whole);
    assert_int_equal(hub_twin_next(&twin, 3, 0, &body), HUB_WANTS_NOTHING);
    hub_twin_deinit(&twin);
}

static void a_change_behind_the_document_s_back_is_not_lost(void **state)
{
    (void)state;
    struct hub_twin twin;
    json_t *body, *whole = json_of("{'desired':{'$version':2},'reported':{}}");

    hub_twin_init(&twin);
    hub_twin_up(&twin);
    assert_int_equal(hub_twin_next(&twin, 1, 0, &body), HUB_WANTS_GET);
    assert_null(notify(&twin, 3, "{'a':1}"));
    assert_null(hub_twin_answered(&twin, 1, 200, whole, 0, 0));
    json_decref(whole);
    assert_int_equal(hub_twin_next(&twin, 2, 0, &body), HUB_WANTS_GET);
    hub_twin_deinit(&twin);
}

static void only_what_differs_is_reported_one_patch_at_a_time(void **state)
{
    (void)state;
    struct hub_twin twin;
    json_t *body;

    hub_twin_init(&twin);
    assert_null(connect(&twin, "{'desired':{'$version':1},'reported':{'a':1,'b':{'ac':200}}}"));
    hub_twin_want(&twin, json_of("{'a':1,'b':{'ac':500,'av':2}}"));
    assert_int_equal(hub_twin_next(&twin, 2, 0, &body), HUB_WANTS_REPORT);
    assert_json(body, "{'b':{'ac':500,'av':2}}");
    hub_twin_want(&twin, json_of("{'a':2,'b':{'ac':500,'av':2},'c':3}"));
    assert_int_equal(hub_twin_next(&twin, 3, 1, &body), HUB_WANTS_NOTHING);
    assert_null(hub_twin_answered(&twin, 2, 204, NULL, 0, 0));
    assert_int_equal(hub_twin_wake_us(&twin), SECOND_US);
    assert_int_equal(hub_twin_next(&twin, 3, SECOND_US, &body), HUB_WANTS_REPORT);
    assert_json(body, "{'a':2,'c':3}");
    hub_twin_deinit(&twin);
}

static void only_what_we_reported_ourselves_is_deleted(void **state)
{
    (void)state;
    struct hub_twin twin;
    json_t *body;

    hub_twin_init(&twin);
    assert_null(connect(&twin, "{'desired':{'$version':1},'reported':{'old':1,'jobgate':{}}}"));
    hub_twin_want(&twin, json_of("{'a':1,'b':2}"));
    assert_int_equal(hub_twin_next(&twin, 2, 0, &body), HUB_WANTS_REPORT);
    assert_json(body, "{'a':1,'b':2}");
    assert_null(hub_twin_answered(&twin, 2, 204, NULL, 0, 0));
    hub_twin_want(&twin, json_of("{'a':1}"));
    assert_int_equal(hub_twin_next(&twin, 3, SECOND_US, &body), HUB_WANTS_REPORT);
    assert_json(body, "{'b':null}");
    hub_twin_deinit(&twin);
}

static void a_throttled_report_comes_again_later(void **state)
{
    (void)state;
    struct hub_twin twin;
    json_t *body;

    hub_twin_init(&twin);
    assert_null(connect(&twin, EMPTY));
    hub_twin_want(&twin, json_of("{'a':1}"));
    assert_int_equal(hub_twin_next(&twin, 2, 0, &body), HUB_WANTS_REPORT);
    json_decref(body);
    assert_null(hub_twin_answered(&twin, 2, 429, NULL, 0, UINT32_MAX));
    assert_int_equal(hub_twin_next(&twin, 3, SECOND_US, &body), HUB_WANTS_NOTHING);
    assert_true(hub_twin_wake_us(&twin) > SECOND_US);
    assert_int_equal(hub_twin_next(&twin, 3, hub_twin_wake_us(&twin), &body), HUB_WANTS_REPORT);
    json_decref(body);
    hub_twin_deinit(&twin);
}

static void a_refused_report_waits_for_something_new(void **state)
{
    (void)state;
    struct hub_twin twin;
    json_t *body;

    hub_twin_init(&twin);
    assert_null(connect(&twin, EMPTY));
    hub_twin_want(&twin, json_of("{'a':1}"));
    assert_int_equal(hub_twin_next(&twin, 2, 0, &body), HUB_WANTS_REPORT);
    json_decref(body);
    assert_null(hub_twin_answered(&twin, 2, 400, NULL, 0, 0));
    assert_int_equal(hub_twin_wake_us(&twin), MOMENT_NEVER);
    hub_twin_want(&twin, json_of("{'a':2}"));
    assert_int_equal(hub_twin_next(&twin, 3, 0, &body), HUB_WANTS_REPORT);
    json_decref(body);
    hub_twin_deinit(&twin);
}

static void an_answer_that_never_comes_is_asked_for_again(void **state)
{
    (void)state;
    struct hub_twin twin;
    json_t *body;

    hub_twin_init(&twin);
    hub_twin_up(&twin);
    assert_int_equal(hub_twin_next(&twin, 1, 0, &body), HUB_WANTS_GET);
    assert_int_equal(hub_twin_next(&twin, 2, 59 * SECOND_US, &body), HUB_WANTS_NOTHING);
    assert_int_equal(hub_twin_next(&twin, 2, 60 * SECOND_US, &body), HUB_WANTS_GET);
    json_t *whole = json_of("{'desired':{'a':1,'$version':2},'reported':{}}");
    assert_null(hub_twin_answered(&twin, 1, 200, whole, 0, 0)); /* the first one's, too late */
    json_decref(whole);
    hub_twin_deinit(&twin);
}

static void what_the_store_remembers_is_not_applied_again(void **state)
{
    (void)state;
    struct hub_twin twin;
    json_t *before = json_of("{'a':1,'b':2}");

    hub_twin_init(&twin);
    hub_twin_recall(&twin, 5, before);
    assert_null(connect(&twin, "{'desired':{'a':1,'b':2,'$version':5},'reported':{}}"));
    hub_twin_deinit(&twin);
    hub_twin_init(&twin);
    hub_twin_recall(&twin, 5, before);
    assert_json(connect(&twin, "{'desired':{'a':1,'b':3,'$version':7},'reported':{}}"),
                "{'b':3}");
    hub_twin_deinit(&twin);
    json_decref(before);
}

static void another_document_at_the_same_version_is_a_new_identity(void **state)
{
    (void)state;
    struct hub_twin twin;
    json_t *before = json_of("{'a':1,'b':2}");

    hub_twin_init(&twin);
    hub_twin_recall(&twin, 5, before);
    assert_json(connect(&twin, "{'desired':{'a':1,'b':3,'$version':5},'reported':{}}"),
                "{'a':1,'b':3}");
    hub_twin_deinit(&twin);
    json_decref(before);
}

static void what_could_not_be_taken_is_asked_for_after_a_minute(void **state)
{
    (void)state;
    struct hub_twin twin;
    json_t *body;

    hub_twin_init(&twin);
    assert_json(connect(&twin, "{'desired':{'a':1,'$version':2},'reported':{}}"), "{'a':1}");
    hub_twin_want(&twin, json_of("{'a':{'value':null,'ac':507,'av':2},'b':{'ac':200,'av':2}}"));
    hub_twin_not_done(&twin, 0);
    assert_int_equal(hub_twin_next(&twin, 2, 0, &body), HUB_WANTS_REPORT);
    json_decref(body);
    assert_null(hub_twin_answered(&twin, 2, 204, NULL, 0, 0));
    assert_int_equal(hub_twin_wake_us(&twin), 60 * SECOND_US);
    assert_int_equal(hub_twin_next(&twin, 3, 59 * SECOND_US, &body), HUB_WANTS_NOTHING);
    assert_int_equal(hub_twin_next(&twin, 3, 60 * SECOND_US, &body), HUB_WANTS_GET);
    json_t *whole = json_of("{'desired':{'a':1,'b':2,'$version':2},'reported':{}}");
    json_object_del(json_object_get(whole, "desired"), "b");
    assert_json(hub_twin_answered(&twin, 3, 200, whole, 0, 0), "{'a':1}");
    json_decref(whole);
    hub_twin_deinit(&twin);
}

static void the_hub_hears_its_own_versions_and_who_else_set_a_value(void **state)
{
    (void)state;
    json_t *acks = json_of("{'a':41,'c.d':40}");
    bool cut;

    assert_json(acks_for_hub(json_of("{'a':{'value':1,'ac':200,'av':3,'ad':'verified'},"
                                     "'b':{'value':2,'ac':200,'av':4,'ad':'verified'},"
                                     "'c':{'d':{'value':3,'ac':400,'av':5,'ad':'no'}},'t':21}"),
                             acks, &cut),
                "{'a':{'value':1,'ac':200,'av':41,'ad':'verified'},"
                "'b':{'value':2,'ac':203,'av':0,'ad':'not asked by the hub: verified'},"
                "'c':{'d':{'value':3,'ac':400,'av':40,'ad':'no'}},'t':21}");
    assert_false(cut);
    json_decref(acks);
}

static void numbers_beyond_the_hub_s_are_reported_as_text(void **state)
{
    (void)state;
    bool cut;

    assert_json(
        acks_for_hub(json_of("{'a':4503599627370495,'b':{'c':4503599627370496}}"), NULL, &cut),
        "{'a':4503599627370495,'b':{'c':'4503599627370496'}}");
}

static void unknown_properties_give_way_where_the_twin_is_full(void **state)
{
    (void)state;
    json_t *document = json_of("{'a':{'value':1,'ac':200,'av':3,'ad':'verified'}}");
    char name[16];
    bool cut;

    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "unknown%d", i);
        json_object_set_new(document, name,
                            json_pack("{s:n,s:i,s:i,s:s}", "value", "ac", 404, "av", 3, "ad",
                                      "room has no such property"));
    }
    document = acks_for_hub(document, NULL, &cut);
    assert_true(cut);
    assert_int_equal(json_object_size(document), 1);
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_is_asked_for_once_after_a_connection),
        cmocka_unit_test(what_was_never_acknowledged_is_applied),
        cmocka_unit_test(acknowledgements_are_the_memory_over_a_restart),
        cmocka_unit_test(after_a_reconnection_only_what_changed_is_applied),
        cmocka_unit_test(a_lower_version_is_a_new_identity),
        cmocka_unit_test(patches_are_taken_in_order_and_once),
        cmocka_unit_test(a_gap_makes_the_document_be_asked_for),
        cmocka_unit_test(a_change_behind_the_document_s_back_is_not_lost),
        cmocka_unit_test(only_what_differs_is_reported_one_patch_at_a_time),
        cmocka_unit_test(only_what_we_reported_ourselves_is_deleted),
        cmocka_unit_test(a_throttled_report_comes_again_later),
        cmocka_unit_test(a_refused_report_waits_for_something_new),
        cmocka_unit_test(an_answer_that_never_comes_is_asked_for_again),
        cmocka_unit_test(what_the_store_remembers_is_not_applied_again),
        cmocka_unit_test(another_document_at_the_same_version_is_a_new_identity),
        cmocka_unit_test(what_could_not_be_taken_is_asked_for_after_a_minute),
        cmocka_unit_test(the_hub_hears_its_own_versions_and_who_else_set_a_value),
        cmocka_unit_test(numbers_beyond_the_hub_s_are_reported_as_text),
        cmocka_unit_test(unknown_properties_give_way_where_the_twin_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
