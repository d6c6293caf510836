/* What a twin takes, and when it has a new version. */
#include "twins/twin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *json_of(const char *text)
{
    json_t *json = json_loads(text, 0, NULL);

    assert_non_null(json);
    return json;
}

static bool is_taken(const char *text)
{
    json_t *patch = json_of(text);
    char *why = twin_refuses(patch, true);
    bool taken = !why;

    free(why);
    json_decref(patch);
    return taken;
}

static void names_obey_the_hubs_rules_at_every_depth(void **state)
{
    (void)state;
    assert_true(is_taken("{\"a\":{\"b\":[1,{\"c\":2}]}}"));
    assert_true(is_taken("{\"$version\":3,\"$metadata\":{\"a.b\":1}}"));
    assert_false(is_taken("{\"a$\":1}"));
    assert_false(is_taken("{\"a\":{\"$b\":1}}"));
    assert_false(is_taken("{\"a\":[{\"b c\":1}]}"));
    assert_false(is_taken("{\"a.b\":1}"));
    assert_false(is_taken("{\"\":1}"));
}

static void a_null_deletes_a_member_but_has_no_place_in_a_list(void **state)
{
    (void)state;
    assert_true(is_taken("{\"a\":null,\"b\":{\"c\":null}}"));
    assert_false(is_taken("{\"a\":[1,null]}"));
    assert_false(is_taken("{\"a\":[{\"b\":null}]}"));
    assert_true(is_taken("{\"a\":[1],\"b\":null}"));
}

static void tags_have_a_new_version_when_they_change(void **state)
{
    json_t *patch = json_of("{\"floor\":3}"), *removal = json_of("{\"wing\":null}");
    struct twin twin;

    (void)state;
    twin_init(&twin);
    assert_int_equal(twin_patch_tags(&twin, patch), 0);
    assert_int_equal(twin.tags_version, 2);
    assert_int_equal(twin_patch_tags(&twin, patch), 0);
    assert_int_equal(twin_patch_tags(&twin, removal), 0);
    assert_int_equal(twin.tags_version, 2);
    json_decref(patch);
    json_decref(removal);
    twin_deinit(&twin);
}

static void what_the_sender_may_not_set_is_left_out(void **state)
{
    json_t *section = json_of("{\"$version\":3,\"a\":1,\"$metadata\":{}}"), *copy;

    (void)state;
    assert_int_equal(twin_without_system(&copy, section), 0);
    assert_int_equal(json_object_size(copy), 1);
    assert_int_equal(json_object_size(section), 3);
    json_decref(copy);
    json_decref(section);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_obey_the_hubs_rules_at_every_depth),
        cmocka_unit_test(a_null_deletes_a_member_but_has_no_place_in_a_list),
        cmocka_unit_test(tags_have_a_new_version_when_they_change),
        cmocka_unit_test(what_the_sender_may_not_set_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
