#include "jobs/recorder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void keep(struct recorder *recorder, size_t device, const char *id, uint8_t first)
{
    struct answer answer = {.result = ANSWER_DONE, .started_us = 1000, .ended_us = 3500};

    answer.request = (struct frame){.length = 2, .bytes = {first, 0xAB}};
    recorder_keep(recorder, device, id, &answer, 1893456000000);
}

static void the_last_frames_are_kept_the_oldest_first(void **state)
{
    struct recorder *recorder = recorder_new();

    (void)state;
    for (uint8_t i = 1; i <= RECORDER_EXCHANGES + 2; i++)
        keep(recorder, 3, "room-4", i);
    json_t *all = recorder_json(recorder, NULL), *list = json_object_get(all, "room-4");
    assert_int_equal(json_array_size(list), RECORDER_EXCHANGES);
    const json_t *first = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(first, "request")), "03 AB");
    assert_string_equal(json_string_value(json_object_get(first, "result")), "done");
    assert_true(json_real_value(json_object_get(first, "ms")) == 2.5);
    json_decref(all);
    recorder_free(recorder);
}

static void another_device_in_its_place_inherits_nothing(void **state)
{
    struct recorder *recorder = recorder_new();

    (void)state;
    keep(recorder, 0, "old", 1);
    keep(recorder, 0, "new", 2);
    json_t *all = recorder_json(recorder, NULL);
    assert_null(json_object_get(all, "old"));
    assert_int_equal(json_array_size(json_object_get(all, "new")), 1);
    json_decref(all);
    recorder_free(recorder);
}

static void one_device_can_be_asked_for(void **state)
{
    struct recorder *recorder = recorder_new();

    (void)state;
    keep(recorder, 0, "a", 1);
    keep(recorder, 1, "b", 1);
    json_t *all = recorder_json(recorder, "b");
    assert_int_equal(json_object_size(all), 1);
    json_decref(all);
    recorder_free(recorder);
}

static void an_exchange_may_be_longer_or_shorter_than_the_one_it_replaces(void **state)
{
    struct recorder *recorder = recorder_new();
    struct answer answer = {.result = ANSWER_SILENT,
                            .request = {.length = 60, .bytes = {1, 2}},
                            .text = "no answer"};

    (void)state;
    for (uint8_t i = 1; i < RECORDER_EXCHANGES; i++)
        keep(recorder, 0, "a", i);
    recorder_keep(recorder, 0, "a", &answer, 0);
    keep(recorder, 0, "a", 9);
    memset(answer.text, 'x', sizeof(answer.text) - 1);
    recorder_keep(recorder, 0, "a", &answer, 0);
    json_t *all = recorder_json(recorder, NULL), *list = json_object_get(all, "a");
    const json_t *silent = json_array_get(list, 1), *last = json_array_get(list, 3);
    assert_string_equal(json_string_value(json_object_get(silent, "text")), "no answer");
    assert_string_equal(json_string_value(json_object_get(silent, "reply")), "");
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 2), "request")),
                        "09 AB");
    assert_int_equal(json_string_length(json_object_get(last, "text")), 47);
    json_decref(all);
    recorder_free(recorder);
}

static void a_long_frame_is_cut_and_marked(void **state)
{
    struct recorder *recorder = recorder_new();
    struct answer answer = {.result = ANSWER_DONE, .reply = {.length = 200}};

    (void)state;
    recorder_keep(recorder, 0, "a", &answer, 0);
    json_t *all = recorder_json(recorder, NULL);
    const char *reply = json_string_value(
        json_object_get(json_array_get(json_object_get(all, "a"), 0), "reply"));
    assert_int_equal(strlen(reply), RECORDER_BYTES * 3 - 1 + 3);
    assert_string_equal(reply + strlen(reply) - 3, "...");
    json_decref(all);
    recorder_free(recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_frames_are_kept_the_oldest_first),
        cmocka_unit_test(another_device_in_its_place_inherits_nothing),
        cmocka_unit_test(one_device_can_be_asked_for),
        cmocka_unit_test(an_exchange_may_be_longer_or_shorter_than_the_one_it_replaces),
        cmocka_unit_test(a_long_frame_is_cut_and_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
