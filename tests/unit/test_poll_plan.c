#include "fixture_profile.h"
#include "lines/poll_plan.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct point *polled(struct fixture *fixture, uint16_t address, uint32_t poll_ms)
{
    struct point *point = fixture_point(fixture, "p", POINT_UINT16, address);

    point->poll_ms = poll_ms;
    return point;
}

/* The reads of all blocks at a level, as "100+3 200+1". */
static const char *reads(struct fixture *fixture, enum poll_level level)
{
    static char text[400];
    struct poll_plan plan;
    struct poll_read read;
    size_t used = 0;

    text[0] = '\0';
    assert_int_equal(poll_plan_init(&plan, &fixture->profile), 0);
    for (size_t block = 0; block < plan.block_count; block++)
        for (size_t nth = 0; poll_plan_read(&plan, &fixture->profile, block, level, nth, &read);
             nth++)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u+%u",
                                     used ? " " : "", read.address, read.count);
    poll_plan_deinit(&plan);
    return text;
}

static void neighbours_are_read_in_one_frame(void **state)
{
    (void)state;
    struct fixture fixture;

    fixture_init(&fixture);
    polled(&fixture, 102, 1000);
    polled(&fixture, 100, 1000);
    polled(&fixture, 101, 1000);
    assert_string_equal(reads(&fixture, POLL_WHOLE), "100+3");
}

static void a_small_hole_is_read_along_and_a_large_one_is_not(void **state)
{
    (void)state;
    struct fixture fixture;

    fixture_init(&fixture);
    polled(&fixture, 100, 1000);
    polled(&fixture, 101 + POLL_HOLE_REGISTERS, 1000);
    polled(&fixture, 200, 1000);
    assert_string_equal(reads(&fixture, POLL_WHOLE), "100+14 200+1");
}

static void a_frame_holds_no_more_than_the_device_takes(void **state)
{
    (void)state;
    struct fixture fixture;

    fixture_init(&fixture);
    fixture.profile.max_read = 2;
    for (uint16_t i = 0; i < 5; i++)
        polled(&fixture, (uint16_t)(100 + i), 1000);
    assert_string_equal(reads(&fixture, POLL_WHOLE), "100+2 102+2 104+1");
}

static void a_value_of_several_registers_is_never_parted(void **state)
{
    (void)state;
    struct fixture fixture;

    fixture_init(&fixture);
    fixture.profile.max_read = 3;
    polled(&fixture, 100, 1000);
    polled(&fixture, 101, 1000);
    struct point *wide = fixture_point(&fixture, "w", POINT_UINT32, 102);
    wide->poll_ms = 1000;
    assert_string_equal(reads(&fixture, POLL_WHOLE), "100+2 102+2");
}

static void other_intervals_and_tables_are_read_apart(void **state)
{
    (void)state;
    struct fixture fixture;

    fixture_init(&fixture);
    polled(&fixture, 100, 1000);
    polled(&fixture, 101, 2000);
    polled(&fixture, 102, 1000)->table = TABLE_INPUT;
    assert_string_equal(reads(&fixture, POLL_WHOLE), "102+1 100+1 101+1");
}

static void a_point_that_is_not_to_be_joined_is_read_alone(void **state)
{
    (void)state;
    struct fixture fixture;

    fixture_init(&fixture);
    polled(&fixture, 100, 1000);
    polled(&fixture, 101, 1000)->join = false;
    polled(&fixture, 102, 1000);
    assert_string_equal(reads(&fixture, POLL_WHOLE), "100+1 101+1 102+1");
}

static void a_refused_block_is_read_without_its_holes_and_then_by_points(void **state)
{
    (void)state;
    struct fixture fixture;

    fixture_init(&fixture);
    polled(&fixture, 100, 1000);
    polled(&fixture, 101, 1000);
    polled(&fixture, 105, 1000);
    assert_string_equal(reads(&fixture, POLL_WHOLE), "100+6");
    assert_string_equal(reads(&fixture, POLL_RUNS), "100+2 105+1");
    assert_string_equal(reads(&fixture, POLL_POINTS), "100+1 101+1 105+1");
}

static void the_next_level_is_one_that_differs(void **state)
{
    (void)state;
    struct fixture fixture;
    struct poll_plan plan;

    fixture_init(&fixture);
    polled(&fixture, 100, 1000);
    polled(&fixture, 101, 1000);
    polled(&fixture, 200, 1000);
    polled(&fixture, 205, 1000);
    assert_int_equal(poll_plan_init(&plan, &fixture.profile), 0);
    assert_int_equal(poll_plan_lower(&plan, &fixture.profile, 0, POLL_WHOLE), POLL_POINTS);
    assert_int_equal(poll_plan_lower(&plan, &fixture.profile, 1, POLL_WHOLE), POLL_RUNS);
    poll_plan_deinit(&plan);
}

static void what_is_not_polled_or_not_readable_is_left_alone(void **state)
{
    (void)state;
    struct fixture fixture;

    fixture_init(&fixture);
    polled(&fixture, 100, 0);
    fixture_trigger(&fixture, "t", 101)->poll_ms = 1000;
    assert_string_equal(reads(&fixture, POLL_WHOLE), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_are_read_in_one_frame),
        cmocka_unit_test(a_small_hole_is_read_along_and_a_large_one_is_not),
        cmocka_unit_test(a_frame_holds_no_more_than_the_device_takes),
        cmocka_unit_test(a_value_of_several_registers_is_never_parted),
        cmocka_unit_test(other_intervals_and_tables_are_read_apart),
        cmocka_unit_test(a_point_that_is_not_to_be_joined_is_read_alone),
        cmocka_unit_test(a_refused_block_is_read_without_its_holes_and_then_by_points),
        cmocka_unit_test(the_next_level_is_one_that_differs),
        cmocka_unit_test(what_is_not_polled_or_not_readable_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
