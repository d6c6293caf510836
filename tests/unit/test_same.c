/* What of one site stands unchanged in another. */
#include "site/problems.h"
#include "site/same.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct site *one, *other;

static struct site *load(void)
{
    static const char *const dirs[] = {SOURCE_DIR "/conf/profiles", NULL};
    struct site_source source = {.config = SOURCE_DIR "/conf/demo/jobgate.conf",
                                 .profile_dirs = dirs};
    struct problems problems = {0};
    struct site *site = NULL;

    assert_int_equal(site_load(&site, &source, &problems), 0);
    problems_deinit(&problems);
    return site;
}

static int setup(void **state)
{
    (void)state;
    one = load();
    other = load();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    site_free(one);
    site_free(other);
    return 0;
}

static void a_site_that_is_read_twice_is_the_same(void **state)
{
    (void)state;
    assert_true(same_devices(one, other));
    for (size_t i = 0; i < one->line_count; i++)
        assert_true(same_wire(&one->lines[i], &other->lines[i]));
    for (size_t i = 0; i < one->profile_count; i++)
        assert_true(same_profile(&one->profiles[i], &other->profiles[i]));
    assert_true(same_broker(one->broker, other->broker));
    assert_true(same_iothub(one->iothub, other->iothub));
}

static void a_time_out_is_no_matter_of_the_wire_and_a_baud_rate_is(void **state)
{
    (void)state;
    other->lines[0].timeout_us++;
    other->lines[0].retries++;
    assert_true(same_wire(&one->lines[0], &other->lines[0]));
    other->lines[0].settings.baud++;
    assert_false(same_wire(&one->lines[0], &other->lines[0]));
}

static void a_limit_of_one_point_makes_another_profile(void **state)
{
    (void)state;
    other->profiles[0].points[0].max += 1;
    assert_false(same_profile(&one->profiles[0], &other->profiles[0]));
}

static void a_value_in_one_step_makes_another_profile(void **state)
{
    size_t at = 0;

    (void)state;
    while (at < one->profile_count && one->profiles[at].method_count == 0)
        at++;
    assert_true(at < one->profile_count);
    other->profiles[at].methods[0].steps[0].duration_ms++;
    assert_false(same_profile(&one->profiles[at], &other->profiles[at]));
}

static void where_it_stands_in_the_file_does_not_count(void **state)
{
    (void)state;
    other->profiles[0].place.line += 10;
    other->profiles[0].points[0].place.line += 10;
    assert_true(same_profile(&one->profiles[0], &other->profiles[0]));
}

static void another_order_of_devices_is_not_the_same(void **state)
{
    struct device kept = other->devices[0];

    (void)state;
    other->devices[0] = other->devices[1];
    other->devices[1] = kept;
    assert_false(same_devices(one, other));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_site_that_is_read_twice_is_the_same),
        TEST(a_time_out_is_no_matter_of_the_wire_and_a_baud_rate_is),
        TEST(a_limit_of_one_point_makes_another_profile),
        TEST(a_value_in_one_step_makes_another_profile),
        TEST(where_it_stands_in_the_file_does_not_count),
        TEST(another_order_of_devices_is_not_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
