#include "links/iothub_telemetry.h"

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

struct box {
    struct hub_telemetry telemetry;
    uint64_t number;
};

static int setup(void **state)
{
    static struct box box;

    box = (struct box){.number = 0};
    hub_telemetry_init(&box.telemetry);
    *state = &box;
    return 0;
}

static int teardown(void **state)
{
    struct box *box = *state;

    hub_telemetry_deinit(&box->telemetry);
    return 0;
}

static void add(struct box *box, const char *point, int value, bool moved, int64_t now_us)
{
    hub_telemetry_add(&box->telemetry, json_pack("{s:i}", point, value), moved, now_us,
                      &box->number);
}

static const struct hub_sample *next(struct box *box, int64_t now_us)
{
    return hub_telemetry_next(&box->telemetry, now_us);
}

static int held(const struct hub_sample *sample, const char *point)
{
    return (int)json_integer_value(json_object_get(sample->values, point));
}

static void what_is_read_within_a_second_is_one_message(void **state)
{
    struct box *box = *state;

    add(box, "a", 1, true, 0);
    add(box, "b", 2, false, 400000);
    add(box, "a", 3, true, 900000);
    assert_null(next(box, 999999));
    assert_int_equal(hub_telemetry_wake_us(&box->telemetry), SECOND_US);
    const struct hub_sample *sample = next(box, SECOND_US);
    assert_non_null(sample);
    assert_int_equal(json_object_size(sample->values), 2);
    assert_int_equal(held(sample, "a"), 3);
    assert_int_equal(sample->time_us, 0);
}

static void what_does_not_move_is_sent_every_quarter_of_an_hour(void **state)
{
    struct box *box = *state;
    int sent = 0;

    for (int64_t second = 0; second < 3600; second += 10) {
        add(box, "a", 1, second == 0, second * SECOND_US);
        if (next(box, (second + 2) * SECOND_US)) {
            sent++;
            hub_telemetry_delivered(&box->telemetry, (second + 3) * SECOND_US);
        }
    }
    assert_int_equal(sent, 4);
    assert_int_equal(box->telemetry.dropped, 0);
}

static void one_is_under_way_at_a_time(void **state)
{
    struct box *box = *state;

    add(box, "a", 1, true, 0);
    add(box, "a", 2, true, 2 * SECOND_US);
    const struct hub_sample *sample = next(box, 4 * SECOND_US);
    assert_int_equal(held(sample, "a"), 1);
    assert_null(next(box, 5 * SECOND_US));
    assert_int_equal(hub_telemetry_delivered(&box->telemetry, 6 * SECOND_US), 2 * SECOND_US);
    assert_int_equal(held(next(box, 6 * SECOND_US), "a"), 2);
    assert_int_equal(hub_telemetry_delivered(&box->telemetry, 6 * SECOND_US), 0);
    assert_int_equal(hub_telemetry_delivered(&box->telemetry, 6 * SECOND_US), -1);
    assert_int_equal(hub_telemetry_wake_us(&box->telemetry), MOMENT_NEVER);
}

static void what_was_under_way_is_sent_again_under_its_number(void **state)
{
    struct box *box = *state;

    add(box, "a", 1, true, 0);
    uint64_t number = next(box, 2 * SECOND_US)->number;
    assert_true(hub_telemetry_down(&box->telemetry));
    assert_false(hub_telemetry_down(&box->telemetry));
    assert_int_equal(next(box, 9 * SECOND_US)->number, number);
    assert_null(next(box, 100 * SECOND_US));
    assert_int_equal(next(box, 129 * SECOND_US)->number, number); /* nothing came of it */
}

static void the_newest_are_kept_and_the_others_counted(void **state)
{
    struct box *box = *state;
    int most = HUB_SAMPLES_MOST;

    for (int i = 0; i < most + 10; i++)
        add(box, "a", i, true, 2 * i * SECOND_US);
    const struct hub_sample *sample = next(box, 1000 * SECOND_US);
    assert_int_equal(box->telemetry.dropped, 10);
    assert_int_equal(box->telemetry.count, most);
    assert_int_equal(held(sample, "a"), 10);
    add(box, "a", 1000, true, 1001 * SECOND_US);
    assert_int_equal(held(box->telemetry.first, "a"), 10); /* it is under way */
    add(box, "a", 1001, true, 1003 * SECOND_US);
    assert_int_equal(box->telemetry.dropped, 11);
    assert_int_equal(held(box->telemetry.first, "a"), 10);
    assert_int_equal(held(box->telemetry.last, "a"), 1000);
}

static void large_messages_are_bounded_by_their_bytes(void **state)
{
    struct box *box = *state;
    char text[6000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (int i = 0; i < 10; i++)
        hub_telemetry_add(&box->telemetry, json_pack("{s:s}", "a", text), true,
                          2 * i * SECOND_US, &box->number);
    next(box, 100 * SECOND_US);
    assert_int_equal(box->telemetry.count, 3);
    assert_int_equal(box->telemetry.dropped, 7);
    for (int i = 0; i < 40; i++) {
        char name[8];

        snprintf(name, sizeof(name), "p%d", i);
        hub_telemetry_add(&box->telemetry, json_pack("{s:s}", name, text), true,
                          101 * SECOND_US, &box->number);
    }
    next(box, 110 * SECOND_US); /* more than a message may have */
    assert_int_equal(box->telemetry.count, 3);
    assert_int_equal(box->telemetry.dropped, 8);
}

static void a_message_says_what_it_is(void **state)
{
    struct box *box = *state;

    add(box, "temperature", 21, true, 0);
    const struct hub_sample *sample = next(box, SECOND_US);
    char *bag = hub_telemetry_bag(0xbeef, sample, 1500000000123);
    char *body = hub_telemetry_body(sample, 1500000000123);
    assert_string_equal(bag, "%24.ct=application%2Fjson&%24.ce=utf-8&%24.mid=0000beef-1"
                             "&%24.ctime=2017-07-14T02%3A40%3A00.123Z");
    assert_string_equal(body, "{\"time\":\"2017-07-14T02:40:00.123Z\","
                              "\"values\":{\"temperature\":21}}");
    free(bag);
    free(body);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_read_within_a_second_is_one_message),
        TEST(what_does_not_move_is_sent_every_quarter_of_an_hour),
        TEST(one_is_under_way_at_a_time),
        TEST(what_was_under_way_is_sent_again_under_its_number),
        TEST(the_newest_are_kept_and_the_others_counted),
        TEST(large_messages_are_bounded_by_their_bytes),
        TEST(a_message_says_what_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
