/* A run of a method: triggers, pulses, waits, expectations, and what a stop does to them. */
#include "fixture_run.h"

static struct bench bench;
static const struct stop cancel = {CODE_CANCELED, "cancelled before it began",
                                   "cancelled after it had begun"};

enum { SETPOINT, MODE, CONTROL, STATE };

static int setup(void **state)
{
    (void)state;
    bench_init(&bench);
    fixture_point(&bench.fixture, "setpoint", POINT_INT16, 100);
    fixture_point(&bench.fixture, "mode", POINT_UINT16, 120);
    fixture_trigger(&bench.fixture, "control", 200);
    fixture_point(&bench.fixture, "state", POINT_UINT16, 10);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bench_deinit(&bench);
    return 0;
}

static void script(size_t first, size_t count, enum trick trick)
{
    for (size_t i = first; i < first + count; i++)
        bench.tricks[i] = trick;
}

static void begin(void)
{
    bench_begin(&bench, ACTION_METHOD, NULL);
}

static void play(void)
{
    begin();
    bench_play(&bench);
}

static void add_trigger(void)
{
    fixture_write(&bench.fixture, CONTROL, "21930");
}

static void add_write(size_t point, const char *value)
{
    fixture_write(&bench.fixture, point, value);
}

static void add_wait(uint32_t ms)
{
    fixture_step(&bench.fixture, STEP_WAIT, SITE_NONE)->duration_ms = ms;
    bench.fixture.steps[bench.fixture.method.step_count - 1].point = 0;
}

static void add_expect(uint32_t within_ms)
{
    struct step *step = fixture_step(&bench.fixture, STEP_EXPECT, STATE);

    step->value = json_integer(1);
    step->within_ms = within_ms;
}

static void add_pulse(uint32_t ms)
{
    struct step *step = fixture_step(&bench.fixture, STEP_PULSE, MODE);

    step->value = json_integer(9);
    step->duration_ms = ms;
}

/* --- triggers --- */

static void a_trigger_that_is_accepted_is_written(void **state)
{
    (void)state;
    add_trigger();
    play();
    assert_code(&bench, CODE_NONE);
    assert_said(&bench, "writes.control", "{\"result\":\"written\"}");
    assert_int_equal(bench.trick, 1);
}

static void sent_once(enum trick trick)
{
    script(0, 10, trick);
    add_trigger();
    add_write(SETPOINT, "21");
    play();
    assert_int_equal(bench.writes, 1);
    assert_code(&bench, CODE_OUTCOME_UNKNOWN);
    assert_said(&bench, "writes.control.result", "unknown");
    assert_said(&bench, "writes.setpoint.result", "not_sent");
}

static void a_trigger_that_met_silence_is_never_sent_twice(void **state)
{
    (void)state;
    sent_once(SILENT);
}

static void a_trigger_with_a_garbled_reply_is_never_sent_twice(void **state)
{
    (void)state;
    sent_once(GARBLED);
}

static void a_trigger_answered_with_exception_4_is_never_sent_twice(void **state)
{
    (void)state;
    sent_once((enum trick)4);
}

static void a_trigger_answered_with_exception_5_is_never_sent_twice(void **state)
{
    (void)state;
    sent_once((enum trick)5);
}

static void a_trigger_answered_with_exception_11_is_never_sent_twice(void **state)
{
    (void)state;
    sent_once((enum trick)11);
}

static void a_trigger_whose_line_went_down_after_the_last_byte_is_never_sent_twice(void **state)
{
    (void)state;
    sent_once(LOST);
}

static void a_trigger_that_did_not_leave_waits_for_the_line(void **state)
{
    (void)state;
    script(0, 2, DOWN);
    add_trigger();
    play();
    assert_code(&bench, CODE_NONE);
    assert_int_equal(bench.writes, 1);
}

static void a_refused_trigger_is_refused(void **state)
{
    (void)state;
    script(0, 1, (enum trick)1);
    add_trigger();
    play();
    assert_code(&bench, CODE_DEVICE_EXCEPTION);
    assert_said(&bench, "writes.control.result", "refused");
}

static void a_device_not_heard_lately_is_read_before_a_trigger(void **state)
{
    (void)state;
    bench.facts.heard_us = bench.now.boot_us - 61000000;
    add_trigger();
    play();
    assert_int_equal(bench.operations[0].kind, OPERATION_READ);
    assert_int_equal(bench.writes, 1);
    assert_code(&bench, CODE_NONE);
}

static void a_silent_device_is_not_triggered(void **state)
{
    (void)state;
    bench.facts.heard_us = INT64_MIN;
    script(0, 10, SILENT);
    add_trigger();
    play();
    assert_int_equal(bench.writes, 0);
    assert_code(&bench, CODE_DEVICE_TIMEOUT);
    assert_said(&bench, "writes.control.result", "not_sent");
}

static void a_gateway_that_cannot_reach_the_device_is_no_sign_of_it(void **state)
{
    (void)state;
    bench.facts.heard_us = INT64_MIN;
    script(0, 10, (enum trick)11);
    add_trigger();
    play();
    assert_int_equal(bench.writes, 0);
}

static void a_device_without_readable_points_is_probed_too(void **state)
{
    (void)state;
    bench.facts.heard_us = INT64_MIN;
    for (size_t i = 0; i < bench.fixture.profile.point_count; i++)
        bench.fixture.points[i].readable = false;
    script(0, 1, (enum trick)2);
    add_trigger();
    play();
    assert_int_equal(bench.operations[0].kind, OPERATION_READ);
    assert_int_equal(bench.writes, 1);
}

static void a_trigger_waits_until_its_intent_is_safe(void **state)
{
    (void)state;
    struct operation operation;

    bench.facts.safe = 0;
    add_trigger();
    begin();
    assert_int_equal(bench_next(&bench, &operation), WANTS_SAFE);
    bench.facts.safe = 1;
    assert_int_equal(bench_next(&bench, &operation), WANTS_WORK);
}

static void a_cancel_while_the_probe_is_out_prevents_the_trigger(void **state)
{
    (void)state;
    struct operation operation;

    bench.facts.heard_us = INT64_MIN;
    add_trigger();
    begin();
    bench_next(&bench, &operation);
    run_stop(&bench.run, &cancel, bench.now);
    bench_answer(&bench, &operation);
    bench_play(&bench);
    assert_int_equal(bench.writes, 0);
    assert_code(&bench, CODE_INTERRUPTED);
}

/* --- steps --- */

static void a_failed_step_stops_the_method(void **state)
{
    (void)state;
    bench.refuses = 100;
    add_write(SETPOINT, "21");
    add_wait(1000);
    add_write(MODE, "2");
    play();
    assert_said(&bench, "writes.mode.result", "not_sent");
    assert_int_equal(bench.trick, 1);
}

static void a_point_written_twice_carries_the_worst_result(void **state)
{
    (void)state;
    bench.fixture.points[SETPOINT].tolerance = 5;
    add_write(SETPOINT, "21");
    add_wait(1000);
    add_write(SETPOINT, "20");
    bench.coarse = 5;
    play();
    assert_code(&bench, CODE_NONE);
    assert_said(&bench, "writes.setpoint.result", "adjusted");
}

static void a_second_write_that_was_left_out_is_told(void **state)
{
    (void)state;
    add_write(SETPOINT, "21");
    add_trigger();
    add_write(SETPOINT, "20");
    script(2, 1, (enum trick)1);
    play();
    assert_said(&bench, "writes.setpoint.result", "not_sent");
}

static void a_wait_counts_from_the_answer_before(void **state)
{
    (void)state;
    struct operation operation;

    add_trigger();
    add_wait(2000);
    add_write(MODE, "2");
    begin();
    bench_play_some(&bench, 1);
    int64_t answered = bench.now.boot_us;
    bench.now.boot_us += 500000; /* the line was busy with others */
    bench_next(&bench, &operation);
    assert_int_equal(bench.now.boot_us - answered, 2000000);
}

static void what_a_restore_wrote_back_is_told(void **state)
{
    (void)state;
    bench.fixture.method.restore = true;
    bench.holding[100] = 18;
    add_write(SETPOINT, "21");
    add_trigger();
    script(3, 1, (enum trick)1);
    play();
    assert_code(&bench, CODE_DEVICE_EXCEPTION);
    assert_said(&bench, "writes.setpoint.restored", "true");
    assert_int_equal(bench.holding[100], 18);
}

static void a_method_that_went_well_restores_nothing(void **state)
{
    (void)state;
    bench.fixture.method.restore = true;
    bench.holding[100] = 18;
    add_write(SETPOINT, "21");
    play();
    assert_int_equal(bench.holding[100], 21);
}

/* --- expect --- */

static void silence_is_no_failure_of_an_expectation(void **state)
{
    (void)state;
    bench.holding[10] = 1;
    script(0, 5, SILENT);
    add_expect(30000);
    play();
    assert_code(&bench, CODE_NONE);
}

static void an_expectation_is_looked_at_every_second(void **state)
{
    (void)state;
    add_expect(30000);
    begin();
    bench_play_some(&bench, 1);
    int64_t answered = bench.now.boot_us;
    struct operation operation;
    bench_next(&bench, &operation);
    assert_int_equal(bench.now.boot_us - answered, 1000000);
}

static void an_expectation_that_does_not_hold_in_time_fails(void **state)
{
    (void)state;
    int64_t began = bench.now.boot_us;

    add_expect(3000);
    add_write(MODE, "2");
    play();
    assert_code(&bench, CODE_EXPECTATION_FAILED);
    assert_said(&bench, "writes.mode.result", "not_sent");
    assert_in_range(bench.now.boot_us - began, 3000000, 3100000);
}

static void the_last_look_at_an_expectation_is_at_its_end(void **state)
{
    (void)state;
    add_expect(500);
    begin();
    bench_play_some(&bench, 1);
    bench.holding[10] = 1;
    bench_play(&bench);
    assert_code(&bench, CODE_NONE);
}

static void an_expectation_may_be_a_range(void **state)
{
    (void)state;
    struct step *step = fixture_step(&bench.fixture, STEP_EXPECT, STATE);

    step->has_min = true;
    step->min = 5;
    step->within_ms = 3000;
    bench.holding[10] = 7;
    play();
    assert_code(&bench, CODE_NONE);
}

/* --- pulses --- */

static void a_pulse_writes_back_what_it_found(void **state)
{
    (void)state;
    bench.holding[120] = 3;
    add_pulse(5000);
    play();
    assert_code(&bench, CODE_NONE);
    assert_said(&bench, "writes.mode", "{\"result\":\"written\",\"restored\":true}");
    assert_int_equal(bench.holding[120], 3);
}

static void what_is_written_back_uses_a_function_that_the_device_has(void **state)
{
    (void)state;
    bench.fixture.profile.functions = 1u << 3 | 1u << 16;
    add_pulse(5000);
    play();
    assert_code(&bench, CODE_NONE);
    assert_int_equal(bench.trick, 3); /* read, write, write back */
    assert_int_equal(bench.operations[1].function, 16);
    assert_int_equal(bench.operations[2].function, 16);
}

static void a_pulse_is_paid_back_after_a_cancel(void **state)
{
    (void)state;
    bench.holding[120] = 3;
    add_pulse(5000);
    begin();
    bench_play_some(&bench, 2);
    run_stop(&bench.run, &cancel, bench.now);
    bench_play(&bench);
    assert_code(&bench, CODE_INTERRUPTED);
    assert_int_equal(bench.holding[120], 3);
}

static void a_pulse_in_doubt_is_paid_back_and_stays_unknown(void **state)
{
    (void)state;
    bench.holding[120] = 3;
    script(1, 1, OBEYS_SILENTLY);
    add_pulse(5000);
    play();
    assert_code(&bench, CODE_OUTCOME_UNKNOWN);
    assert_int_equal(bench.holding[120], 3);
    assert_int_equal(bench.writes, 2);
}

static void a_pulse_waits_for_the_line_to_be_paid_back(void **state)
{
    (void)state;
    bench.holding[120] = 3;
    script(2, 3, DOWN);
    add_pulse(5000);
    begin();
    bench_play_some(&bench, 3);
    run_line_down(&bench.run, "line floor3 is down", bench.now);
    bench_play(&bench);
    assert_int_equal(bench.holding[120], 3);
    assert_code(&bench, CODE_NONE);
}

static void a_pulse_that_cannot_be_paid_back_is_told(void **state)
{
    (void)state;
    script(2, 10, SILENT);
    add_pulse(5000);
    play();
    assert_code(&bench, CODE_OUTCOME_UNKNOWN);
    assert_said(&bench, "writes.mode.result", "unknown");
}

static void a_pulse_that_cannot_be_read_before_is_not_sent(void **state)
{
    (void)state;
    script(0, 10, SILENT);
    add_pulse(5000);
    play();
    assert_int_equal(bench.writes, 0);
    assert_said(&bench, "writes.mode.result", "not_sent");
}

static void an_abandoned_pulse_says_what_it_owes(void **state)
{
    (void)state;
    add_pulse(5000);
    begin();
    bench_play_some(&bench, 2);
    run_abandon(&bench.run, "the gateway was stopped", bench.now);
    assert_int_equal(bench.run.phase, PHASE_OVER);
    assert_said(&bench, "writes.mode.result", "unknown");
}

/* --- stops --- */

static void a_stop_before_the_first_frame_is_a_cancel(void **state)
{
    (void)state;
    add_write(SETPOINT, "21");
    begin();
    run_stop(&bench.run, &cancel, bench.now);
    assert_code(&bench, CODE_CANCELED);
    assert_said(&bench, "error.description", "cancelled before it began");
}

static void a_stop_during_a_wait_lists_the_steps_that_are_done(void **state)
{
    (void)state;
    add_trigger();
    add_wait(2000);
    add_expect(30000);
    begin();
    bench_play_some(&bench, 1);
    run_stop(&bench.run, &cancel, bench.now);
    assert_code(&bench, CODE_INTERRUPTED);
    assert_said(&bench, "error.description",
                "cancelled after it had begun; done: write control");
}

static void a_stop_during_an_expectation_ends_it(void **state)
{
    (void)state;
    add_trigger();
    add_expect(30000);
    begin();
    bench_play_some(&bench, 2);
    run_stop(&bench.run, &cancel, bench.now);
    assert_int_equal(bench.run.phase, PHASE_OVER);
    assert_code(&bench, CODE_INTERRUPTED);
}

static void a_stop_while_a_frame_is_out_lets_it_be_verified(void **state)
{
    (void)state;
    struct operation operation;

    add_write(SETPOINT, "21");
    add_write(MODE, "2");
    begin();
    bench_next(&bench, &operation);
    run_stop(&bench.run, &cancel, bench.now);
    bench_answer(&bench, &operation);
    bench_play(&bench);
    assert_said(&bench, "writes.setpoint.result", "verified");
    assert_said(&bench, "writes.mode.result", "not_sent");
    assert_code(&bench, CODE_INTERRUPTED);
}

static void a_stop_after_the_last_step_leaves_it_completed(void **state)
{
    (void)state;
    struct operation operation;

    add_write(SETPOINT, "21");
    begin();
    bench_next(&bench, &operation);
    run_stop(&bench.run, &cancel, bench.now);
    bench_answer(&bench, &operation);
    bench_play(&bench);
    assert_code(&bench, CODE_NONE);
}

static void a_stop_while_the_line_is_down_prevents_the_write(void **state)
{
    (void)state;
    script(0, 1, DOWN);
    add_write(SETPOINT, "21");
    begin();
    bench_play_some(&bench, 1);
    run_stop(&bench.run, &cancel, bench.now);
    assert_int_equal(bench.run.phase, PHASE_OVER);
    assert_int_equal(bench.writes, 0);
}

static void a_stop_restores_what_the_method_says(void **state)
{
    (void)state;
    bench.fixture.method.restore = true;
    bench.holding[100] = 18;
    add_write(SETPOINT, "21");
    add_wait(2000);
    add_write(MODE, "2");
    begin();
    bench_play_some(&bench, 3);
    run_stop(&bench.run, &cancel, bench.now);
    bench_play(&bench);
    assert_int_equal(bench.holding[100], 18);
    assert_code(&bench, CODE_INTERRUPTED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_trigger_that_is_accepted_is_written),
        TEST(a_trigger_that_met_silence_is_never_sent_twice),
        TEST(a_trigger_with_a_garbled_reply_is_never_sent_twice),
        TEST(a_trigger_answered_with_exception_4_is_never_sent_twice),
        TEST(a_trigger_answered_with_exception_5_is_never_sent_twice),
        TEST(a_trigger_answered_with_exception_11_is_never_sent_twice),
        TEST(a_trigger_whose_line_went_down_after_the_last_byte_is_never_sent_twice),
        TEST(a_trigger_that_did_not_leave_waits_for_the_line),
        TEST(a_refused_trigger_is_refused),
        TEST(a_device_not_heard_lately_is_read_before_a_trigger),
        TEST(a_silent_device_is_not_triggered),
        TEST(a_gateway_that_cannot_reach_the_device_is_no_sign_of_it),
        TEST(a_device_without_readable_points_is_probed_too),
        TEST(a_trigger_waits_until_its_intent_is_safe),
        TEST(a_cancel_while_the_probe_is_out_prevents_the_trigger),
        TEST(a_failed_step_stops_the_method),
        TEST(a_point_written_twice_carries_the_worst_result),
        TEST(a_second_write_that_was_left_out_is_told),
        TEST(a_wait_counts_from_the_answer_before),
        TEST(what_a_restore_wrote_back_is_told),
        TEST(a_method_that_went_well_restores_nothing),
        TEST(silence_is_no_failure_of_an_expectation),
        TEST(an_expectation_is_looked_at_every_second),
        TEST(an_expectation_that_does_not_hold_in_time_fails),
        TEST(the_last_look_at_an_expectation_is_at_its_end),
        TEST(an_expectation_may_be_a_range),
        TEST(a_pulse_writes_back_what_it_found),
        TEST(what_is_written_back_uses_a_function_that_the_device_has),
        TEST(a_pulse_is_paid_back_after_a_cancel),
        TEST(a_pulse_in_doubt_is_paid_back_and_stays_unknown),
        TEST(a_pulse_waits_for_the_line_to_be_paid_back),
        TEST(a_pulse_that_cannot_be_paid_back_is_told),
        TEST(a_pulse_that_cannot_be_read_before_is_not_sent),
        TEST(an_abandoned_pulse_says_what_it_owes),
        TEST(a_stop_before_the_first_frame_is_a_cancel),
        TEST(a_stop_during_a_wait_lists_the_steps_that_are_done),
        TEST(a_stop_during_an_expectation_ends_it),
        TEST(a_stop_while_a_frame_is_out_lets_it_be_verified),
        TEST(a_stop_after_the_last_step_leaves_it_completed),
        TEST(a_stop_while_the_line_is_down_prevents_the_write),
        TEST(a_stop_restores_what_the_method_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
