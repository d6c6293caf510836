#include "links/http_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_path_is_decoded_once(void **state)
{
    (void)state;
    struct http_target target;

    assert_int_equal(http_target_parse(&target, "/jobs/v2/a%3Ab%252F/cancel"), 0);
    assert_int_equal(target.segment_count, 4);
    assert_string_equal(target.segments[2], "a:b%2F");
    assert_string_equal(target.segments[3], "cancel");
    http_target_deinit(&target);
}

static void an_escaped_slash_does_not_part_segments(void **state)
{
    (void)state;
    struct http_target target;

    assert_int_equal(http_target_parse(&target, "/twins/a%2Fb"), 0);
    assert_int_equal(target.segment_count, 2);
    assert_string_equal(target.segments[1], "a/b");
    http_target_deinit(&target);
}

static void one_slash_at_the_end_is_ignored(void **state)
{
    (void)state;
    struct http_target target;

    assert_int_equal(http_target_parse(&target, "/devices/?api-version=2021-04-12"), 0);
    assert_int_equal(target.segment_count, 1);
    assert_string_equal(http_target_parameter(&target, "api-version"), "2021-04-12");
    http_target_deinit(&target);
}

static void an_absolute_uri_means_its_path(void **state)
{
    (void)state;
    struct http_target target;

    assert_int_equal(http_target_parse(&target, "http://gw43.example/healthz"), 0);
    assert_int_equal(target.segment_count, 1);
    assert_string_equal(target.segments[0], "healthz");
    http_target_deinit(&target);
    assert_int_equal(http_target_parse(&target, "https://gw43.example"), 0);
    assert_int_equal(target.segment_count, 0);
    http_target_deinit(&target);
}

static void parameters_are_found_by_name_and_decoded(void **state)
{
    (void)state;
    struct http_target target;

    assert_int_equal(http_target_parse(&target, "/q?a=1+2&b&c=%26%3d&a=3&"), 0);
    assert_string_equal(http_target_parameter(&target, "a"), "1 2");
    assert_string_equal(http_target_parameter(&target, "b"), "");
    assert_string_equal(http_target_parameter(&target, "c"), "&=");
    assert_null(http_target_parameter(&target, "d"));
    http_target_deinit(&target);
}

static void odd_targets_are_refused(void **state)
{
    (void)state;
    static const char *const odd[] = {
        "",
        "*",
        "jobs",
        "/a//b",
        "//",
        "/a%",
        "/a%2",
        "/a%zz",
        "/a%00b",
        "/a%0Ab",
        "/a\x7f",
        "/q?x=%",
        "/q?%0d=",
        "/q?x=%1",
        "/1/2/3/4/5/6/7/8/9",
        "/q?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17",
    };
    struct http_target target;

    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
        assert_int_equal(http_target_parse(&target, odd[i]), HTTP_PATH_E_FORM);
}

static void a_token_is_good_for_its_own_list_only(void **state)
{
    (void)state;
    char *token = http_token_make("jobs", "2030-01-15 night/7");
    char *cursor;

    assert_non_null(token);
    assert_int_equal(http_token_read(&cursor, "jobs", token), 0);
    assert_string_equal(cursor, "2030-01-15 night/7");
    free(cursor);
    assert_int_equal(http_token_read(&cursor, "devices", token), HTTP_PATH_E_FORM);
    token[20] = token[20] == '0' ? '1' : '0';
    assert_int_equal(http_token_read(&cursor, "jobs", token), HTTP_PATH_E_FORM);
    free(token);
}

static void made_up_tokens_are_refused(void **state)
{
    (void)state;
    static const char *const tokens[] = {"",
                                         "TOKEN1==",
                                         "0",
                                         "0000000000000000",
                                         "000000000000000041",
                                         "0000000000000000zz",
                                         "000000000000000000"};
    char *cursor;

    for (size_t i = 0; i < sizeof(tokens) / sizeof(*tokens); i++)
        assert_int_equal(http_token_read(&cursor, "jobs", tokens[i]), HTTP_PATH_E_FORM);
}

static void a_count_is_at_least_one_and_capped(void **state)
{
    (void)state;
    size_t count;

    assert_int_equal(http_count_parse(&count, "25", 100), 0);
    assert_int_equal(count, 25);
    assert_int_equal(http_count_parse(&count, "99999999999999999999999", 100), 0);
    assert_int_equal(count, 100);
    assert_int_equal(http_count_parse(&count, "0", 100), HTTP_PATH_E_FORM);
    assert_int_equal(http_count_parse(&count, "-1", 100), HTTP_PATH_E_FORM);
    assert_int_equal(http_count_parse(&count, "", 100), HTTP_PATH_E_FORM);
}

static void a_tag_matches_in_every_spelling(void **state)
{
    (void)state;
    assert_true(http_tag_matches("*", "AAAA="));
    assert_true(http_tag_matches("\"*\"", "AAAA="));
    assert_true(http_tag_matches("AAAA=", "AAAA="));
    assert_true(http_tag_matches("\"AAAA=\"", "AAAA="));
    assert_true(http_tag_matches("W/\"AAAA=\"", "AAAA="));
    assert_true(http_tag_matches("\"AAAB=\", W/\"AAAA=\" , \"C\"", "AAAA="));
    assert_false(http_tag_matches("\"AAAB=\",\"AAAC=\",", "AAAA="));
    assert_false(http_tag_matches(" , ,", "AAAA="));
    assert_false(http_tag_matches("\"AAAB=\"", "AAAA="));
    assert_false(http_tag_matches("", "AAAA="));
    assert_false(http_tag_matches("\"", "AAAA="));
}

static void a_cookie_is_found_among_others(void **state)
{
    (void)state;
    char value[8];

    assert_true(http_cookie_find(value, sizeof(value), "theme=dark; key=abc; lang=de", "key"));
    assert_string_equal(value, "abc");
    assert_true(http_cookie_find(value, sizeof(value), ";;key=", "key"));
    assert_string_equal(value, "");
    assert_false(http_cookie_find(value, sizeof(value), "monkey=abc", "key"));
    assert_false(http_cookie_find(value, sizeof(value), "keys=abc; key", "key"));
    assert_false(http_cookie_find(value, sizeof(value), "key=12345678", "key"));
    assert_false(http_cookie_find(value, sizeof(value), NULL, "key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_decoded_once),
        cmocka_unit_test(an_escaped_slash_does_not_part_segments),
        cmocka_unit_test(one_slash_at_the_end_is_ignored),
        cmocka_unit_test(an_absolute_uri_means_its_path),
        cmocka_unit_test(parameters_are_found_by_name_and_decoded),
        cmocka_unit_test(odd_targets_are_refused),
        cmocka_unit_test(a_token_is_good_for_its_own_list_only),
        cmocka_unit_test(made_up_tokens_are_refused),
        cmocka_unit_test(a_count_is_at_least_one_and_capped),
        cmocka_unit_test(a_tag_matches_in_every_spelling),
        cmocka_unit_test(a_cookie_is_found_among_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
