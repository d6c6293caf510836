/* When a twin's properties were set, as the hub tells it. */
#include "jobs/metadata.h"

#include "twins/twin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define FIRST  INT64_C(1893456000000) /* 2030-01-01 */
#define SECOND INT64_C(1893456001500) /* ... and a second and a half */

struct section {
    json_t *values, *times;
};

static json_t *json_of(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);

    assert_non_null(json);
    return json;
}

static void take(struct section *section, const char *text, int64_t ms, int64_t version)
{
    json_t *patch = json_of(text);

    if (!section->values)
        section->values = json_object();
    assert_int_equal(twin_merge(section->values, patch), 0);
    assert_int_equal(metadata_patch(&section->times, section->values, patch, ms, version), 0);
    json_decref(patch);
}

static void assert_tree(const struct section *section, const char *text)
{
    json_t *tree = metadata_tree(section->values, section->times), *wanted = json_of(text);

    assert_true(json_equal(tree, wanted));
    json_decref(tree);
    json_decref(wanted);
}

static void drop(struct section *section)
{
    json_decref(section->values);
    json_decref(section->times);
}

#define AGE(time, version)                                                                     \
    "\"$lastUpdated\":\"2030-01-01T00:00:" time "Z\",\"$lastUpdatedVersion\":" version

static void each_property_has_its_own_time_and_version(void **state)
{
    struct section section = {0};

    (void)state;
    take(&section, "{\"a\":1,\"b\":{\"c\":2,\"d\":[1]}}", FIRST, 2);
    take(&section, "{\"b\":{\"c\":3}}", SECOND, 3);
    assert_tree(
        &section,
        "{" AGE("01.500", "3") ",\"a\":{" AGE("00.000", "2") "},\"b\":{" AGE(
            "01.500", "3") ",\"c\":{" AGE("01.500", "3") "},\"d\":{" AGE("00.000", "2") "}}}");
    drop(&section);
}

static void nothing_stays_of_what_is_gone(void **state)
{
    struct section section = {0};

    (void)state;
    take(&section, "{\"a\":1,\"b\":{\"c\":2}}", FIRST, 2);
    take(&section, "{\"b\":null}", SECOND, 3);
    assert_int_equal(json_object_size(section.times), 1);
    take(&section, "{\"a\":{\"x\":1}}", SECOND, 4);
    take(&section, "{\"a\":7}", SECOND, 5);
    assert_int_equal(json_object_size(section.times), 1);
    assert_tree(&section, "{" AGE("01.500", "5") ",\"a\":{" AGE("01.500", "5") "}}");
    drop(&section);
}

static void what_was_set_as_a_whole_is_as_old_below(void **state)
{
    struct section section = {.values = json_of("{\"p\":{\"value\":1,\"ac\":200},\"q\":2}")};

    (void)state;
    assert_int_equal(metadata_set(&section.times, "p.value", FIRST, 0), 0); /* before p was */
    assert_int_equal(metadata_set(&section.times, "p", SECOND, 0), 0);
    assert_tree(
        &section,
        "{\"$lastUpdated\":\"2030-01-01T00:00:01.500Z\",\"p\":{\"$lastUpdated\":\"2030-"
        "01-01T00:00:01.500Z\",\"value\":{\"$lastUpdated\":\"2030-01-01T00:00:01.500Z\"}"
        ",\"ac\":{\"$lastUpdated\":\"2030-01-01T00:00:01.500Z\"}},\"q\":{\"$"
        "lastUpdated\":\"0001-01-01T00:00:00Z\"}}");
    drop(&section);
}

static void an_empty_section_was_never_set(void **state)
{
    struct section section = {0};

    (void)state;
    assert_tree(&section, "{\"$lastUpdated\":\"0001-01-01T00:00:00Z\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_property_has_its_own_time_and_version),
        cmocka_unit_test(nothing_stays_of_what_is_gone),
        cmocka_unit_test(what_was_set_as_a_whole_is_as_old_below),
        cmocka_unit_test(an_empty_section_was_never_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
