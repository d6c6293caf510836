#include "jobs/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *read_text(const char *text, struct refusal *refusal)
{
    json_t *json = NULL;

    assert_in_range(request_read_json(&json, text, strlen(text), refusal), 0,
                    REQUEST_E_REFUSED);
    return json;
}

static void assert_refused(const char *text, const char *because)
{
    struct refusal refusal = {0};

    assert_null(read_text(text, &refusal));
    assert_int_equal(refusal.code, CODE_BAD_REQUEST);
    if (!strstr(refusal.text, because))
        fail_msg("\"%s\" does not say \"%s\"", refusal.text, because);
}

static void any_json_value_is_read(void **state)
{
    (void)state;
    struct refusal refusal;
    json_t *json = read_text(" 21.5 ", &refusal);

    assert_true(json_is_real(json));
    json_decref(json);
    json = read_text("{\"a\":[1,true,\"\xC3\xA4\"]}", &refusal);
    assert_int_equal(json_array_size(json_object_get(json, "a")), 3);
    json_decref(json);
}

static void empty_text_is_null(void **state)
{
    (void)state;
    struct refusal refusal;

    assert_true(json_is_null(read_text("", &refusal)));
    assert_true(json_is_null(read_text(" \r\n", &refusal)));
}

static void a_duplicate_key_is_refused_with_its_position(void **state)
{
    (void)state;
    assert_refused("{\"a\":1,\n \"a\":2}", "line 2, column 4: duplicate object key");
}

static void broken_json_is_refused_with_its_position(void **state)
{
    (void)state;
    assert_refused("{\"a\":", "line 1");
    assert_refused("{} {}", "end of file expected");
    assert_refused("{\"a\":99999999999999999999}", "too big integer");
    assert_refused("\"\\u0000\"", "line 1");
    assert_refused("\xFF", "line 1");
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    struct refusal refusal;
    char text[2 * 65 + 1];
    json_t *json;

    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    text[130] = '\0';
    assert_refused(text, "deeper than 64");
    text[129] = '\0';
    json = read_text(text + 1, &refusal);
    assert_non_null(json);
    json_decref(json);
    json = read_text(
        "\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"",
        &refusal);
    assert_true(json_is_string(json));
    json_decref(json);
}

static void size_is_bounded(void **state)
{
    (void)state;
    enum { SIZE = 128 * 1024 + 1 };
    struct refusal refusal = {0};
    char *text = malloc(SIZE);
    json_t *json;

    assert_non_null(text);
    memset(text, ' ', SIZE);
    text[0] = '1';
    assert_int_equal(request_read_json(&json, text, SIZE, &refusal), REQUEST_E_REFUSED);
    assert_int_equal(request_read_json(&json, text, SIZE - 1, &refusal), 0);
    json_decref(json);
    free(text);
}

static void a_refusal_is_always_valid_text(void **state)
{
    (void)state;
    struct refusal refusal;
    char text[600];
    json_t *json;

    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof(text); i += 4)
            memcpy(text + i, "\xF0\x9F\x8F\xA2", 5);
        refusal_set(&refusal, CODE_BAD_REQUEST, "%s", text);
        json = json_string(refusal.text);
        assert_non_null(json);
        json_decref(json);
    }
    refusal_set(&refusal, CODE_BAD_REQUEST, "a\n\xC0\xAF\xED\xA0\x80\xFF");
    assert_string_equal(refusal.text, "a???????");
}

static void ids_hold_what_topics_and_paths_can_hold(void **state)
{
    (void)state;
    char text[130];

    assert_true(id_is_device("floor3-room-07.a:b_C"));
    assert_false(id_is_device(""));
    assert_false(id_is_device("a/b"));
    assert_false(id_is_device("a+"));
    assert_false(id_is_device("\xC3\xA4"));
    memset(text, 'a', sizeof(text));
    text[129] = '\0';
    assert_false(id_is_device(text));
    text[128] = '\0';
    assert_true(id_is_device(text));
    assert_false(id_is_short(text));
    text[64] = '\0';
    assert_true(id_is_short(text));
    assert_true(id_is_method("component*reboot"));
    assert_false(id_is_method("re boot"));
    assert_false(id_is_method("$reboot"));
}

static void a_request_frees_what_it_holds(void **state)
{
    (void)state;
    struct request *request = request_new(REQUEST_CALL, LINK_BROKER);

    assert_non_null(request);
    assert_int_equal(request->origin.link, LINK_BROKER);
    request->origin.topic = strdup("answers");
    request->origin.correlation = malloc(3);
    request->action.arguments = json_object();
    request->action.method = strdup("reboot");
    request->device_id = strdup("a");
    request_free(request);
    request_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_json_value_is_read),
        cmocka_unit_test(empty_text_is_null),
        cmocka_unit_test(a_duplicate_key_is_refused_with_its_position),
        cmocka_unit_test(broken_json_is_refused_with_its_position),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(size_is_bounded),
        cmocka_unit_test(a_refusal_is_always_valid_text),
        cmocka_unit_test(ids_hold_what_topics_and_paths_can_hold),
        cmocka_unit_test(a_request_frees_what_it_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
