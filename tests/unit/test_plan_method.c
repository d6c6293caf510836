#include "fixture_profile.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct fixture f;

enum { SETPOINT, MODE, FAR, CONTROL, LAMP, STATUS };

/* setpoint and mode are neighbours, control is a trigger, status can only be read. */
static int setup(void **state)
{
    (void)state;
    fixture_init(&f);
    point_scale(fixture_point(&f, "setpoint", POINT_INT16, 100), 0.1, 0);
    f.points[SETPOINT].has_max = true;
    f.points[SETPOINT].max = 30;
    fixture_point(&f, "mode", POINT_UINT16, 101);
    fixture_point(&f, "far", POINT_UINT16, 200);
    fixture_trigger(&f, "control", 199);
    fixture_coil(&f, "lamp", 0);
    fixture_point(&f, "status", POINT_UINT16, 10)->writable = false;
    f.points[STATUS].table = TABLE_INPUT;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_deinit(&f);
    return 0;
}

static struct plan *plan_of(const char *arguments)
{
    struct plan *plan = fixture_plan(&f, ACTION_METHOD, arguments);
    if (!plan)
        fail_msg("%s", f.error.text);
    return plan;
}

static void assert_refused(const char *arguments, const char *code, const char *text)
{
    assert_null(fixture_plan(&f, ACTION_METHOD, arguments));
    assert_int_equal(f.error.status, 400);
    assert_string_equal(f.error.code, code);
    assert_string_equal(f.error.text, text);
}

/* --- arguments --- */

static void nothing_and_null_are_no_arguments(void **state)
{
    (void)state;
    fixture_argument(&f, MODE, "mode", "2");
    struct plan *nothing = plan_of(NULL), *null = plan_of("null"), *empty = plan_of("{}");
    assert_int_equal(nothing->steps[0].operation.words[0], 2);
    assert_int_equal(null->step_count, 1);
    assert_int_equal(empty->step_count, 1);
    plan_free(nothing);
    plan_free(null);
    plan_free(empty);
}

static void a_scalar_is_the_only_argument_without_default(void **state)
{
    (void)state;
    fixture_argument(&f, SETPOINT, "setpoint", NULL);
    fixture_argument(&f, MODE, "mode", "2");
    struct plan *plan = plan_of("21.5");
    assert_int_equal(plan->step_count, 1);
    assert_int_equal(plan->steps[0].operation.words[0], 215);
    assert_int_equal(plan->steps[0].operation.words[1], 2);
    plan_free(plan);
    assert_refused("[21.5]", "BadRequest",
                   "go wants its arguments as an object; it takes setpoint, mode");
    fixture_argument(&f, FAR, "far", NULL);
    assert_refused("21.5", "BadRequest",
                   "go wants its arguments as an object; it takes setpoint, mode, far");
}

static void surplus_and_missing_names_are_refused(void **state)
{
    (void)state;
    fixture_argument(&f, SETPOINT, "setpoint", NULL);
    assert_refused("{\"setpoint\":20,\"x\":1}", "BadRequest",
                   "go has no argument \"x\"; it takes setpoint");
    assert_refused("{}", "BadRequest", "go: argument setpoint is missing; it takes setpoint");
    assert_refused(NULL, "BadRequest", "go: argument setpoint is missing; it takes setpoint");
}

static void a_method_without_arguments_takes_none(void **state)
{
    (void)state;
    fixture_write(&f, MODE, "1");
    assert_refused("{\"x\":1}", "BadRequest",
                   "go has no argument \"x\"; it takes no arguments");
    assert_refused("5", "BadRequest",
                   "go wants its arguments as an object; it takes no arguments");
}

static void one_bad_argument_refuses_the_whole_method(void **state)
{
    (void)state;
    fixture_write(&f, MODE, "1");
    fixture_argument(&f, SETPOINT, "setpoint", NULL);
    assert_refused("{\"setpoint\":35.0}", "OutOfRange", "setpoint: 35.0 is above max 30.0");
    assert_refused("{\"setpoint\":\"x\"}", "BadRequest", "setpoint: \"x\" is not a number");
    f.steps[1].arg = (char *)(uintptr_t) "room";
    assert_refused("35", "OutOfRange", "argument room: setpoint: 35 is above max 30.0");
}

static void an_unknown_method_is_404(void **state)
{
    struct action action = {.kind = ACTION_METHOD, .method = (char *)(uintptr_t) "gone"};
    struct plan *plan;
    (void)state;
    assert_int_equal(plan_new(&plan, &f.site, 0, &action, &f.error), PLAN_E_REFUSED);
    assert_int_equal(f.error.status, 404);
    assert_string_equal(f.error.code, "UnknownMethod");
    assert_string_equal(f.error.text, "room has no method \"gone\"; known: go");
}

/* --- steps --- */

static void consecutive_writes_of_neighbours_are_one_frame(void **state)
{
    (void)state;
    fixture_write(&f, SETPOINT, "20");
    fixture_write(&f, MODE, "1");
    fixture_write(&f, FAR, "3");
    struct plan *plan = plan_of(NULL);
    assert_int_equal(plan->step_count, 2);
    assert_int_equal(plan->steps[0].operation.count, 2);
    assert_int_equal(plan->steps[1].method_step, 2);
    plan_free(plan);
}

static void a_method_keeps_its_order(void **state)
{
    (void)state;
    fixture_write(&f, MODE, "1"); /* descending */
    fixture_write(&f, SETPOINT, "20");
    struct plan *plan = plan_of(NULL);
    assert_int_equal(plan->step_count, 2);
    assert_int_equal(plan->steps[0].operation.address, 101);
    plan_free(plan);
}

static void what_stands_between_two_writes_keeps_them_apart(void **state)
{
    (void)state;
    fixture_write(&f, SETPOINT, "20");
    fixture_step(&f, STEP_WAIT, 0)->duration_ms = 2000;
    fixture_write(&f, MODE, "1");
    struct plan *plan = plan_of(NULL);
    assert_int_equal(plan->step_count, 3);
    assert_int_equal(plan->steps[1].kind, PLAN_WAIT);
    assert_int_equal(plan->steps[1].wait_ms, 2000);
    assert_int_equal(plan->waits_us, 2000000);
    assert_false(plan->triggers);
    plan_free(plan);
}

static void a_point_written_twice_has_one_result(void **state)
{
    (void)state;
    fixture_write(&f, MODE, "1");
    fixture_write(&f, MODE, "2");
    struct plan *plan = plan_of(NULL);
    assert_int_equal(plan->step_count, 2);
    assert_int_equal(plan->result_count, 1);
    plan_free(plan);
}

static void a_trigger_in_a_method_is_never_repeatable_by_default(void **state)
{
    (void)state;
    f.method.repeatable = false; /* as the loader finds by itself */
    fixture_write(&f, MODE, "1");
    fixture_write(&f, CONTROL, "1");
    fixture_write(&f, FAR, "1");
    struct plan *plan = plan_of(NULL);
    assert_int_equal(plan->step_count, 3);
    assert_int_equal(plan->steps[0].class, CLASS_STATE);
    assert_true(plan->steps[0].verify);
    assert_int_equal(plan->steps[1].class, CLASS_TRIGGER);
    assert_false(plan->steps[1].repeatable);
    assert_int_equal(plan->steps[2].class, CLASS_STATE);
    assert_true(plan->triggers);
    assert_false(plan->repeatable);
    plan_free(plan);
}

static void every_write_of_a_method_said_to_be_unrepeatable_is_a_trigger(void **state)
{
    (void)state;
    f.method.repeatable = false;
    f.method.once = true;
    fixture_write(&f, SETPOINT, "20");
    fixture_write(&f, MODE, "1");
    struct plan *plan = plan_of(NULL);
    assert_int_equal(plan->step_count, 2);
    assert_int_equal(plan->steps[0].class, CLASS_TRIGGER);
    assert_false(plan->steps[0].verify);
    assert_true(plan->triggers);
    plan_free(plan);
}

static void a_pulse_reads_writes_waits_and_gives_back(void **state)
{
    (void)state;
    f.method.repeatable = false;
    struct step *step = fixture_step(&f, STEP_PULSE, LAMP);
    step->value = json_true();
    step->duration_ms = 500;
    struct plan *plan = plan_of(NULL);
    assert_int_equal(plan->step_count, 4);
    assert_int_equal(plan->steps[0].kind, PLAN_BEFORE);
    assert_int_equal(plan->steps[0].operation.table, TABLE_COIL);
    assert_int_equal(plan->steps[1].kind, PLAN_WRITE);
    assert_int_equal(plan->steps[1].class, CLASS_PULSE);
    assert_int_equal(plan->steps[1].operation.words[0], 1);
    assert_false(plan->steps[1].verify);
    assert_int_equal(plan->steps[2].wait_ms, 500);
    assert_int_equal(plan->steps[3].kind, PLAN_RETURN);
    assert_int_equal(plan->steps[3].before_step, 0);
    assert_int_equal(plan->steps[3].operation.kind, OPERATION_WRITE);
    assert_int_equal(plan->result_count, 1);
    assert_int_equal(plan->waits_us, 500000);
    assert_true(plan->triggers);
    plan_free(plan);
}

static void a_restore_reads_the_written_states_first(void **state)
{
    (void)state;
    f.method.restore = true;
    fixture_write(&f, CONTROL, "1");
    fixture_write(&f, MODE, "1");
    fixture_write(&f, FAR, "1");
    fixture_write(&f, SETPOINT, "20");
    struct plan *plan = plan_of(NULL);
    assert_true(plan->restore);
    assert_int_equal(plan->step_count, 6);
    assert_int_equal(plan->steps[0].kind, PLAN_BEFORE);
    assert_int_equal(plan->steps[0].operation.address, 100);
    assert_int_equal(plan->steps[0].operation.count, 2);
    assert_int_equal(plan->steps[1].kind, PLAN_BEFORE);
    assert_int_equal(plan->steps[1].operation.address, 200);
    assert_int_equal(plan->steps[2].kind, PLAN_WRITE);
    assert_int_equal(plan->read_count, 0);
    plan_free(plan);
}

static void an_expectation_reads_its_point(void **state)
{
    (void)state;
    struct step *step = fixture_step(&f, STEP_EXPECT, STATUS);
    step->value = json_integer(7);
    step->within_ms = 30000;
    step = fixture_step(&f, STEP_EXPECT, SETPOINT);
    step->has_min = true;
    step->min = 19;
    struct plan *plan = plan_of(NULL);
    assert_int_equal(plan->step_count, 2);
    assert_int_equal(plan->steps[0].kind, PLAN_EXPECT);
    assert_int_equal(plan->steps[0].operation.kind, OPERATION_READ);
    assert_int_equal(plan->steps[0].operation.table, TABLE_INPUT);
    assert_true(plan->steps[0].has_value);
    assert_int_equal(plan->steps[0].items[0].words[0], 7);
    assert_int_equal(plan->steps[0].within_ms, 30000);
    assert_int_equal(plan->steps[0].every_ms, 1000);
    assert_false(plan->steps[1].has_value);
    assert_true(plan->steps[1].has_min);
    assert_false(plan->triggers);
    plan_free(plan);
}

static void reads_after_writes_give_values_in_order(void **state)
{
    (void)state;
    fixture_write(&f, MODE, "1");
    struct step *step = fixture_step(&f, STEP_READ, 0);
    f.reads[0] = MODE;
    f.reads[1] = SETPOINT;
    step->points = f.reads;
    step->point_count = 2;
    struct plan *plan = plan_of(NULL);
    assert_int_equal(plan->step_count, 2);
    assert_int_equal(plan->steps[1].kind, PLAN_READ);
    assert_int_equal(plan->steps[1].operation.address, 100);
    assert_int_equal(plan->steps[1].operation.count, 2);
    assert_int_equal(plan->reads[0], MODE);
    assert_int_equal(plan->reads[1], SETPOINT);
    plan_free(plan);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_and_null_are_no_arguments),
        TEST(a_scalar_is_the_only_argument_without_default),
        TEST(surplus_and_missing_names_are_refused),
        TEST(a_method_without_arguments_takes_none),
        TEST(one_bad_argument_refuses_the_whole_method),
        TEST(an_unknown_method_is_404),
        TEST(consecutive_writes_of_neighbours_are_one_frame),
        TEST(a_method_keeps_its_order),
        TEST(what_stands_between_two_writes_keeps_them_apart),
        TEST(a_point_written_twice_has_one_result),
        TEST(a_trigger_in_a_method_is_never_repeatable_by_default),
        TEST(every_write_of_a_method_said_to_be_unrepeatable_is_a_trigger),
        TEST(a_pulse_reads_writes_waits_and_gives_back),
        TEST(a_restore_reads_the_written_states_first),
        TEST(an_expectation_reads_its_point),
        TEST(reads_after_writes_give_values_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
