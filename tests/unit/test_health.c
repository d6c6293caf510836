#include "lines/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS INT64_C(1000)

static const struct health_bounds bounds = {.least_us = 30 * MS, .configured_us = 500 * MS};

static struct operation reading(uint16_t address, uint16_t count)
{
    return (struct operation){
        .kind = OPERATION_READ, .table = TABLE_HOLDING, .address = address, .count = count};
}

static void a_device_of_which_nothing_is_known_gets_the_configured_time_out(void **state)
{
    (void)state;
    struct device_health health = {0};

    assert_int_equal(health_slowest_us(&health), -1);
    assert_int_equal(health_timeout_us(-1, &bounds, 0, 3), 500 * MS);
}

static void a_time_out_is_three_times_the_slowest_answer_and_20_ms(void **state)
{
    (void)state;
    struct device_health health = {0};

    health_learn(&health, 8 * MS);
    health_learn(&health, 5 * MS);
    assert_int_equal(health_timeout_us(health_slowest_us(&health), &bounds, 0, 3), 44 * MS);
}

static void a_learned_time_out_keeps_within_its_bounds(void **state)
{
    (void)state;
    assert_int_equal(health_timeout_us(1 * MS, &bounds, 0, 3), 30 * MS);
    assert_int_equal(health_timeout_us(400 * MS, &bounds, 0, 3), 500 * MS);
}

static void the_second_try_waits_four_times_as_long_and_the_last_one_all_of_it(void **state)
{
    (void)state;
    assert_int_equal(health_timeout_us(5 * MS, &bounds, 1, 3), 140 * MS);
    assert_int_equal(health_timeout_us(5 * MS, &bounds, 2, 3), 500 * MS);
    assert_int_equal(health_timeout_us(5 * MS, &bounds, 0, 1), 35 * MS);
}

static void one_slow_answer_is_forgotten_after_128_quick_ones(void **state)
{
    (void)state;
    struct device_health health = {0};

    health_learn(&health, 300 * MS);
    for (int i = 0; i < 64; i++)
        health_learn(&health, 5 * MS);
    assert_int_equal(health_slowest_us(&health), 300 * MS);
    for (int i = 0; i < 64; i++)
        health_learn(&health, 5 * MS);
    assert_int_equal(health_slowest_us(&health), 5 * MS);
}

static void a_reading_waits_while_another_one_may_be_answered_late(void **state)
{
    (void)state;
    struct device_health health = {0};
    struct operation first = reading(10, 1), second = reading(20, 1);

    health_silent(&health, &first, 500 * MS);
    assert_int_equal(health_rest_us(&health, &second, 100 * MS), 400 * MS);
    assert_int_equal(health_rest_us(&health, &second, 500 * MS), 0);
}

static void the_same_reading_again_need_not_wait(void **state)
{
    (void)state;
    struct device_health health = {0};
    struct operation first = reading(10, 1);

    health_silent(&health, &first, 500 * MS);
    assert_int_equal(health_rest_us(&health, &first, 100 * MS), 0);
}

static void what_cannot_be_taken_for_each_other_need_not_wait(void **state)
{
    (void)state;
    struct device_health health = {0};
    struct operation first = reading(10, 1), write = first;

    write.kind = OPERATION_WRITE;
    health_silent(&health, &first, 500 * MS);
    assert_int_equal(health_rest_us(&health, &write, 100 * MS), 0);
    health_silent(&health, &write, 500 * MS);
    assert_int_equal(health_rest_us(&health, &first, 100 * MS), 0);
}

static void an_answered_repeat_may_be_answered_again(void **state)
{
    (void)state;
    struct device_health health = {0};
    struct operation first = reading(10, 1), second = reading(20, 1);

    health_silent(&health, &first, 500 * MS);
    health_answered(&health, 150 * MS, 600 * MS);
    assert_int_equal(health_rest_us(&health, &second, 160 * MS), 440 * MS);
    health_answered(&health, 600 * MS, 1100 * MS);
    assert_int_equal(health_rest_us(&health, &second, 600 * MS), 0);
}

static void a_silent_device_is_probed_with_growing_pauses_up_to_a_minute(void **state)
{
    (void)state;
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60};
    struct device_health health = {0};

    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        health_put_off(&health, 0, 10 * MS);
        assert_int_equal(health.probe_us, seconds[i] * 1000 * MS);
    }
    health_heard(&health);
    health_put_off(&health, 0, 10 * MS);
    assert_int_equal(health.probe_us, 1000 * MS);
}

static void a_probe_takes_at_most_a_fiftieth_of_the_line(void **state)
{
    (void)state;
    struct device_health health = {0};

    health_put_off(&health, 0, 500 * MS);
    assert_int_equal(health.probe_us, 25000 * MS);
}

static void every_fourth_probe_waits_for_a_device_that_has_become_slow(void **state)
{
    (void)state;
    static const int64_t expected[] = {35 * MS, 35 * MS, 35 * MS, 500 * MS, 35 * MS};
    struct device_health health = {0};

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        health_put_off(&health, 0, 10 * MS);
        assert_int_equal(health_probe_timeout_us(&health, 5 * MS, &bounds), expected[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_of_which_nothing_is_known_gets_the_configured_time_out),
        cmocka_unit_test(a_time_out_is_three_times_the_slowest_answer_and_20_ms),
        cmocka_unit_test(a_learned_time_out_keeps_within_its_bounds),
        cmocka_unit_test(the_second_try_waits_four_times_as_long_and_the_last_one_all_of_it),
        cmocka_unit_test(one_slow_answer_is_forgotten_after_128_quick_ones),
        cmocka_unit_test(a_reading_waits_while_another_one_may_be_answered_late),
        cmocka_unit_test(the_same_reading_again_need_not_wait),
        cmocka_unit_test(what_cannot_be_taken_for_each_other_need_not_wait),
        cmocka_unit_test(an_answered_repeat_may_be_answered_again),
        cmocka_unit_test(a_silent_device_is_probed_with_growing_pauses_up_to_a_minute),
        cmocka_unit_test(a_probe_takes_at_most_a_fiftieth_of_the_line),
        cmocka_unit_test(every_fourth_probe_waits_for_a_device_that_has_become_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
