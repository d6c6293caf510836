#include "commands/checksum.h"
#include "commands/survey.h"
#include "commands/survey_show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT(text) ((char *)(uintptr_t)(text))

/* One line with one device: setpoint and state can be read, control cannot. */
struct stage {
    struct site site;
    struct line_config line;
    struct device device;
    struct profile profile;
    struct point points[3];
    struct survey survey;
};

static const struct adapter serial = {.name = "modbus-rtu", .serial = true};

static struct stage *new_stage(void)
{
    struct stage *stage = test_calloc(1, sizeof(*stage));

    stage->points[0] = (struct point){.name = TEXT("setpoint"),
                                      .table = TABLE_HOLDING,
                                      .address = 100,
                                      .count = 1,
                                      .readable = true,
                                      .unit = TEXT("<b>\"°C\"&")};
    stage->points[1] = (struct point){
        .name = TEXT("control"), .table = TABLE_HOLDING, .address = 199, .count = 1};
    stage->points[2] = (struct point){.name = TEXT("state"),
                                      .table = TABLE_INPUT,
                                      .address = 10,
                                      .count = 1,
                                      .readable = true};
    stage->profile =
        (struct profile){.name = TEXT("room"), .points = stage->points, .point_count = 3};
    stage->line = (struct line_config){
        .name = TEXT("floor3"),
        .adapter = &serial,
        .port = TEXT("/dev/tty<script>"),
        .settings = {.baud = 19200, .parity = 'E', .data_bits = 8, .stop_bits = 1}};
    stage->device = (struct device){.id = TEXT("room-1"), .unit = 7, .tags = json_object()};
    stage->site = (struct site){.id = TEXT("gw"),
                                .file = TEXT("site.conf"),
                                .lines = &stage->line,
                                .line_count = 1,
                                .devices = &stage->device,
                                .device_count = 1,
                                .profiles = &stage->profile,
                                .profile_count = 1};
    assert_int_equal(survey_init(&stage->survey, &stage->site), 0);
    return stage;
}

static void free_stage(struct stage *stage)
{
    survey_deinit(&stage->survey);
    json_decref(stage->device.tags);
    test_free(stage);
}

static void take(struct stage *stage, int status, const char *text)
{
    json_t *payload = json_loads(text, 0, NULL);

    assert_non_null(payload);
    survey_take(&stage->survey, 0, status, payload);
    json_decref(payload);
}

/* What is asked next: "all", the names, or "nothing". */
static void assert_next(const struct stage *stage, const char *wanted)
{
    json_t *points = survey_next(&stage->survey, 0);
    const char *got = !points ? "nothing"
                      : json_array_size(points) == 0
                          ? "all"
                          : json_string_value(json_array_get(points, 0));

    assert_string_equal(got, wanted);
    json_decref(points);
}

static enum survey_result result_of(const struct stage *stage, size_t point)
{
    return stage->survey.devices[0].points[point].result;
}

#define EXCEPTION "{\"error\":{\"code\":\"DeviceException\",\"description\":\"exception 2\"}"
#define SILENCE   "{\"error\":{\"code\":\"DeviceTimeout\",\"description\":\"silent\"}"
#define SPOILT    "{\"error\":{\"code\":\"BadReply\",\"description\":\"CRC\"}"

static void one_request_is_enough_where_all_is_well(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    assert_next(stage, "all");
    take(stage, 200, "{\"values\":{\"setpoint\":21.5,\"state\":1}}");
    assert_next(stage, "nothing");
    assert_int_equal(result_of(stage, 0), SURVEY_READ);
    assert_int_equal(result_of(stage, 1), SURVEY_NEVER_READ);
    assert_int_equal(survey_count(&stage->survey).points_read, 2);
    assert_int_equal(survey_count(&stage->survey).devices_failed, 0);
    free_stage(stage);
}

static void a_silent_device_is_asked_no_more(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    take(stage, 504, SILENCE "}");
    assert_next(stage, "nothing");
    assert_int_equal(result_of(stage, 0), SURVEY_FAILED);
    assert_int_equal(result_of(stage, 1), SURVEY_NEVER_READ);
    assert_string_equal(stage->survey.devices[0].points[2].error.code, "DeviceTimeout");
    assert_false(stage->survey.devices[0].answered);
    free_stage(stage);
}

static void a_refusal_is_looked_for_point_by_point(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    take(stage, 502, EXCEPTION "}");
    assert_next(stage, "setpoint");
    take(stage, 200, "{\"values\":{\"setpoint\":21.5}}");
    assert_next(stage, "state");
    take(stage, 502, EXCEPTION "}");
    assert_next(stage, "nothing");
    assert_int_equal(result_of(stage, 0), SURVEY_READ);
    assert_int_equal(result_of(stage, 2), SURVEY_FAILED);
    assert_null(stage->survey.devices[0].error.code); /* it is there */
    assert_int_equal(survey_count(&stage->survey).devices_failed, 1);
    assert_int_equal(survey_count(&stage->survey).points_failed, 1);
    free_stage(stage);
}

static void what_a_refused_request_had_read_is_not_asked_again(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    take(stage, 502, EXCEPTION ",\"values\":{\"setpoint\":21.5}}");
    assert_next(stage, "state");
    free_stage(stage);
}

static void a_device_that_falls_silent_in_between_is_left(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    take(stage, 502, SPOILT "}");
    assert_next(stage, "setpoint");
    take(stage, 504, SILENCE "}");
    assert_next(stage, "nothing");
    assert_string_equal(stage->survey.devices[0].points[2].error.code, "DeviceTimeout");
    free_stage(stage);
}

static void a_value_that_is_missing_is_a_failure(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    take(stage, 200, "{\"values\":{\"setpoint\":21.5}}");
    take(stage, 200, "{}");
    assert_next(stage, "nothing");
    assert_int_equal(result_of(stage, 2), SURVEY_FAILED);
    free_stage(stage);
}

static void what_was_never_asked_counts_as_failed(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    assert_int_equal(survey_count(&stage->survey).points_failed, 2);
    assert_int_equal(survey_count(&stage->survey).devices_failed, 1);
    free_stage(stage);
}

static char *page_of(struct stage *stage)
{
    json_t *report = survey_json(&stage->survey);
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    survey_print_html(report, to);
    fclose(to);
    json_decref(report);
    return text;
}

static void every_text_of_the_page_is_escaped(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    take(stage, 200, "{\"values\":{\"setpoint\":\"<img src=x>\",\"state\":\"a'b\\u0007c\"}}");
    char *page = page_of(stage);

    assert_non_null(strstr(page, "&lt;b&gt;&quot;°C&quot;&amp;"));
    assert_non_null(strstr(page, "/dev/tty&lt;script&gt;"));
    assert_non_null(strstr(page, "&lt;img src=x&gt;"));
    assert_non_null(strstr(page, "a&#39;b c"));
    assert_null(strstr(page, "<img"));
    assert_null(strstr(page, "<script"));
    free(page);
    free_stage(stage);
}

static void the_page_fetches_and_runs_nothing(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    char *page = page_of(stage);

    assert_null(strstr(page, "src="));
    assert_null(strstr(page, "href="));
    assert_null(strstr(page, "url("));
    assert_non_null(strstr(page, "default-src 'none'"));
    free(page);
    free_stage(stage);
}

static void a_register_is_told_in_both_numbers(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    json_t *report = survey_json(&stage->survey);
    json_t *points =
        json_object_get(json_array_get(json_object_get(report, "devices"), 0), "points");

    assert_string_equal(
        json_string_value(json_object_get(json_array_get(points, 0), "register")),
        "holding 100 (0x0064, 40101)");
    assert_string_equal(json_string_value(json_object_get(json_array_get(points, 1), "result")),
                        "never read");
    json_decref(report);
    free_stage(stage);
}

/* FIPS 180-2: "abc" */
static void the_checksum_is_that_of_all_bytes_in_order(void **state)
{
    (void)state;
    char one[] = "/tmp/jobgate-sum-XXXXXX", two[] = "/tmp/jobgate-sum-XXXXXX";
    int a = mkstemp(one), b = mkstemp(two);
    const char *const files[] = {one, two, "/nowhere/at/all"};
    char text[CHECKSUM_SIZE];

    assert_true(a >= 0 && b >= 0);
    assert_int_equal(write(a, "a", 1), 1);
    assert_int_equal(write(b, "bc", 2), 2);
    assert_int_equal(checksum_of(files, 2, text), 0);
    assert_string_equal(text,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(checksum_of(files, 3, text) < 0);
    close(a);
    close(b);
    unlink(one);
    unlink(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_is_enough_where_all_is_well),
        cmocka_unit_test(a_silent_device_is_asked_no_more),
        cmocka_unit_test(a_refusal_is_looked_for_point_by_point),
        cmocka_unit_test(what_a_refused_request_had_read_is_not_asked_again),
        cmocka_unit_test(a_device_that_falls_silent_in_between_is_left),
        cmocka_unit_test(a_value_that_is_missing_is_a_failure),
        cmocka_unit_test(what_was_never_asked_counts_as_failed),
        cmocka_unit_test(every_text_of_the_page_is_escaped),
        cmocka_unit_test(the_page_fetches_and_runs_nothing),
        cmocka_unit_test(a_register_is_told_in_both_numbers),
        cmocka_unit_test(the_checksum_is_that_of_all_bytes_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
