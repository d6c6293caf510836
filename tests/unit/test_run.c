/* A run: what becomes of a write, whatever the wire says. */
#include "fixture_run.h"

static struct bench bench;

static int setup(void **state)
{
    (void)state;
    bench_init(&bench);
    fixture_point(&bench.fixture, "setpoint", POINT_INT16, 100);
    fixture_point(&bench.fixture, "mode", POINT_UINT16, 101);
    fixture_point(&bench.fixture, "fan", POINT_UINT16, 120);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bench_deinit(&bench);
    return 0;
}

static struct point *point(size_t index)
{
    return &bench.fixture.points[index];
}

static void play(enum action_kind kind, const char *arguments)
{
    bench_begin(&bench, kind, arguments);
    bench_play(&bench);
}

static void script(size_t first, size_t count, enum trick trick)
{
    for (size_t i = first; i < first + count; i++)
        bench.tricks[i] = trick;
}

/* --- result words --- */

static void what_is_read_back_equal_is_verified(void **state)
{
    (void)state;
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_code(&bench, CODE_NONE);
    assert_said(&bench, "writes.setpoint",
                "{\"result\":\"verified\",\"value\":21,\"at\":\"2030-01-01T00:00:00.000Z\"}");
}

static void what_shall_not_be_read_back_is_written(void **state)
{
    (void)state;
    point(0)->verify = false;
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_said(&bench, "writes.setpoint", "{\"result\":\"written\"}");
    assert_int_equal(bench.trick, 1);
}

static void what_the_device_rounds_within_its_tolerance_is_adjusted(void **state)
{
    (void)state;
    point(0)->tolerance = 5;
    bench.coarse = 5;
    play(ACTION_WRITE, "{\"setpoint\":23}");
    assert_code(&bench, CODE_NONE);
    assert_said(&bench, "writes.setpoint.result", "adjusted");
    assert_said(&bench, "writes.setpoint.value", "20");
}

static void what_it_holds_already_is_unchanged_and_not_written(void **state)
{
    (void)state;
    point(0)->if_different = true;
    bench.holding[100] = 21;
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_said(&bench, "writes.setpoint.result", "unchanged");
    assert_int_equal(bench.writes, 0);
}

static void what_differs_is_written_after_the_look(void **state)
{
    (void)state;
    point(0)->if_different = true;
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_said(&bench, "writes.setpoint.result", "verified");
    assert_int_equal(bench.operations[0].kind, OPERATION_READ);
}

static void a_value_that_does_not_hold_is_read_again_and_written_once_more(void **state)
{
    (void)state;
    bench.stuck = 100;
    int64_t began = bench.now.boot_us;
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_code(&bench, CODE_VERIFY_MISMATCH);
    assert_said(&bench, "writes.setpoint",
                "{\"result\":\"mismatch\",\"wrote\":21,\"holds\":0}");
    assert_int_equal(bench.writes, 2);
    assert_in_range(bench.now.boot_us - began, 2000000, 2400000);
}

static void a_value_that_holds_within_its_time_is_verified(void **state)
{
    (void)state;
    bench.stuck = 100;
    bench_begin(&bench, ACTION_WRITE, "{\"setpoint\":21}");
    bench_play_some(&bench, 4);
    bench.holding[100] = 21;
    bench_play(&bench);
    assert_said(&bench, "writes.setpoint.result", "verified");
    assert_int_equal(bench.writes, 1);
}

static void settling_comes_before_the_first_read_back(void **state)
{
    (void)state;
    struct operation operation;

    point(0)->settle_ms = 700;
    bench_begin(&bench, ACTION_WRITE, "{\"setpoint\":21}");
    bench_play_some(&bench, 1);
    int64_t answered = bench.now.boot_us;
    bench_next(&bench, &operation);
    assert_int_equal(bench.now.boot_us - answered, 700000);
}

static void one_transaction_writes_and_verifies_with_function_23(void **state)
{
    (void)state;
    bench.fixture.profile.functions = 1u << 3 | 1u << 6 | 1u << 16 | 1u << 23;
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_said(&bench, "writes.setpoint.result", "verified");
    assert_int_equal(bench.trick, 1);
}

static void function_23_that_reads_another_value_is_looked_at_again(void **state)
{
    (void)state;
    bench.fixture.profile.functions = 1u << 3 | 1u << 6 | 1u << 16 | 1u << 23;
    bench.stuck = 100;
    bench_begin(&bench, ACTION_WRITE, "{\"setpoint\":21}");
    bench_play_some(&bench, 1);
    bench.holding[100] = 21;
    bench_play(&bench);
    assert_said(&bench, "writes.setpoint.result", "verified");
    assert_int_equal(bench.operations[1].kind, OPERATION_READ);
}

static void bits_are_written_without_their_neighbours(void **state)
{
    (void)state;
    fixture_bits(&bench.fixture, "speed", 130, 4, 3);
    bench.holding[130] = 0x8001;
    play(ACTION_WRITE, "{\"speed\":5}");
    assert_said(&bench, "writes.speed.result", "verified");
    assert_int_equal(bench.holding[130], 0x8051);
}

/* --- merged writes --- */

static void a_refused_merged_write_is_repeated_point_by_point(void **state)
{
    (void)state;
    bench.refuses = 101;
    play(ACTION_PATCH, "{\"setpoint\":21,\"mode\":2}");
    assert_said(&bench, "writes.setpoint.result", "verified");
    assert_said(&bench, "writes.mode.result", "refused");
    assert_code(&bench, CODE_DEVICE_EXCEPTION);
}

static void a_method_stops_at_the_refused_point_of_a_merged_write(void **state)
{
    (void)state;
    fixture_write(&bench.fixture, 0, "21");
    fixture_write(&bench.fixture, 1, "2");
    bench.refuses = 100;
    play(ACTION_METHOD, NULL);
    assert_said(&bench, "writes.setpoint.result", "refused");
    assert_said(&bench, "writes.mode.result", "not_sent");
}

static void a_stop_between_split_points_is_told(void **state)
{
    (void)state;
    static const struct stop stop = {CODE_CANCELED, "before", "after"};

    bench.refuses = 101;
    bench_begin(&bench, ACTION_WRITE, "{\"setpoint\":21,\"mode\":2}");
    bench_play_some(&bench, 2);
    run_stop(&bench.run, &stop, bench.now);
    bench_play(&bench);
    assert_code(&bench, CODE_INTERRUPTED);
    assert_said(&bench, "writes.setpoint.result", "verified");
    assert_said(&bench, "writes.mode.result", "not_sent");
}

/* --- trouble --- */

static void a_silent_device_fails_after_its_tries(void **state)
{
    (void)state;
    script(0, 10, SILENT);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_code(&bench, CODE_DEVICE_TIMEOUT);
    assert_said(&bench, "writes.setpoint.result", "no_answer");
    assert_said(&bench, "error.description",
                "unit 7 on line floor3 did not answer in 300 ms, 3 tries");
    assert_int_equal(bench.run.attempts, 3);
}

static void a_silent_write_that_reads_back_right_is_verified(void **state)
{
    (void)state;
    script(0, 3, SILENT);
    bench.holding[100] = 21;
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_code(&bench, CODE_NONE);
    assert_said(&bench, "writes.setpoint.result", "verified");
    assert_int_equal(bench.run.attempts, 3);
}

static void a_silent_write_that_reads_back_wrong_had_no_answer(void **state)
{
    (void)state;
    script(0, 3, SILENT);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_code(&bench, CODE_DEVICE_TIMEOUT);
    assert_said(&bench, "writes.setpoint.result", "no_answer");
}

static void what_was_long_silent_is_not_read_back_after_a_silent_write(void **state)
{
    (void)state;
    bench.facts.heard_us = INT64_MIN;
    script(0, 10, SILENT);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_int_equal(bench.trick, 3);
}

static void a_device_known_to_be_dead_gets_one_try(void **state)
{
    (void)state;
    bench.facts.known_dead = true;
    script(0, 10, SILENT);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_int_equal(bench.trick, 1);
}

static void a_state_is_sent_again_after_silence(void **state)
{
    (void)state;
    script(0, 2, SILENT);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_said(&bench, "writes.setpoint.result", "verified");
    assert_int_equal(bench.run.attempts, 3);
}

static void garbled_replies_on_every_try_are_a_bad_reply(void **state)
{
    (void)state;
    script(0, 10, GARBLED);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_code(&bench, CODE_BAD_REPLY);
    assert_said(&bench, "writes.setpoint.result", "unknown");
}

static void a_garbled_write_that_reads_back_right_is_verified(void **state)
{
    (void)state;
    script(0, 3, GARBLED);
    bench.holding[100] = 21;
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_code(&bench, CODE_NONE);
    assert_said(&bench, "writes.setpoint.result", "verified");
    assert_int_equal(bench.run.attempts, 3);
}

static void a_refusal_is_final(void **state)
{
    (void)state;
    script(0, 10, (enum trick)3);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_code(&bench, CODE_DEVICE_EXCEPTION);
    assert_said(&bench, "writes.setpoint.result", "refused");
    assert_int_equal(bench.trick, 1);
}

static void a_busy_device_is_asked_again(void **state)
{
    (void)state;
    script(0, 2, (enum trick)6);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_said(&bench, "writes.setpoint.result", "verified");
}

static void a_busy_device_that_stays_busy_has_refused(void **state)
{
    (void)state;
    script(0, 10, (enum trick)6);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_code(&bench, CODE_DEVICE_EXCEPTION);
    assert_said(&bench, "writes.setpoint.result", "refused");
}

static void busy_after_silence_leaves_the_effect_unknown(void **state)
{
    (void)state;
    script(0, 1, SILENT);
    script(1, 10, (enum trick)6);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_said(&bench, "writes.setpoint.result", "unknown");
}

static void an_exception_that_leaves_the_effect_open_is_unknown(void **state)
{
    (void)state;
    script(0, 10, (enum trick)4);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_code(&bench, CODE_DEVICE_EXCEPTION);
    assert_said(&bench, "writes.setpoint.result", "unknown");
}

static void what_was_accepted_and_not_read_back_is_written(void **state)
{
    (void)state;
    script(1, 10, SILENT);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_code(&bench, CODE_DEVICE_TIMEOUT);
    assert_said(&bench, "writes.setpoint.result", "written");
}

/* --- the line --- */

static void a_call_fails_at_once_on_a_line_that_is_down(void **state)
{
    (void)state;
    bench.facts.urgent = true;
    bench.tricks[0] = DOWN;
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_code(&bench, CODE_LINE_DOWN);
    assert_said(&bench, "writes.setpoint.result", "not_sent");
}

static void a_job_waits_for_the_line(void **state)
{
    (void)state;
    script(0, 3, DOWN);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_said(&bench, "writes.setpoint.result", "verified");
}

static void what_never_left_before_the_line_was_given_up_is_not_sent(void **state)
{
    (void)state;
    bench_begin(&bench, ACTION_WRITE, "{\"setpoint\":21}");
    bench.tricks[0] = DOWN;
    bench_play_some(&bench, 1);
    run_line_down(&bench.run, "line floor3 is down: unplugged", bench.now);
    assert_code(&bench, CODE_LINE_DOWN);
    assert_said(&bench, "writes.setpoint.result", "not_sent");
}

static void what_left_whole_before_the_line_went_down_is_unknown(void **state)
{
    (void)state;
    bench_begin(&bench, ACTION_WRITE, "{\"setpoint\":21}");
    bench.tricks[0] = LOST;
    bench_play_some(&bench, 1);
    run_line_down(&bench.run, "line floor3 is down: unplugged", bench.now);
    assert_code(&bench, CODE_DEVICE_TIMEOUT);
    assert_said(&bench, "writes.setpoint.result", "unknown");
}

static void an_endpoint_that_hangs_up_at_every_try_is_not_tried_for_ever(void **state)
{
    (void)state;
    script(0, TRICKS, LOST);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_int_equal(bench.writes, 3);
}

static void what_was_not_sent_is_as_if_it_had_not_been_tried(void **state)
{
    (void)state;
    script(0, 5, UNSENT);
    play(ACTION_WRITE, "{\"setpoint\":21}");
    assert_said(&bench, "writes.setpoint.result", "verified");
    assert_int_equal(bench.run.attempts, 1);
}

/* --- patches --- */

static void each_property_of_a_patch_stands_alone(void **state)
{
    (void)state;
    bench.refuses = 100;
    play(ACTION_PATCH, "{\"setpoint\":21,\"fan\":2}");
    assert_said(&bench, "writes.setpoint.result", "refused");
    assert_said(&bench, "writes.fan.result", "verified");
}

static void a_silent_device_fails_the_rest_of_a_patch_unsent(void **state)
{
    (void)state;
    script(0, 20, SILENT);
    play(ACTION_PATCH, "{\"setpoint\":21,\"fan\":2}");
    assert_said(&bench, "writes.fan.result", "not_sent");
    assert_int_equal(bench.trick, 4);
}

/* --- reads --- */

static void a_value_that_is_none_is_a_bad_reply(void **state)
{
    (void)state;
    fixture_point(&bench.fixture, "count", POINT_BCD16, 140);
    bench.holding[140] = 0x00FA;
    play(ACTION_READ, "[\"count\"]");
    assert_code(&bench, CODE_BAD_REPLY);
    assert_said(&bench, "error.code", "BadReply");
    assert_said(&bench, "values", "nothing");
}

static void values_are_read_in_the_order_that_was_asked(void **state)
{
    (void)state;
    bench.holding[100] = 21;
    bench.holding[101] = 3;
    play(ACTION_READ, "[\"mode\",\"setpoint\"]");
    assert_said(&bench, "values", "{\"mode\":3,\"setpoint\":21}");
}

/* --- values of many registers --- */

static void a_value_of_two_registers_is_verified_whole(void **state)
{
    (void)state;
    fixture_point(&bench.fixture, "energy", POINT_UINT32, 150);
    play(ACTION_WRITE, "{\"energy\":70000}");
    assert_said(&bench, "writes.energy.result", "verified");
    assert_said(&bench, "writes.energy.value", "70000");
}

static void a_long_text_is_verified(void **state)
{
    (void)state;
    fixture_point(&bench.fixture, "label", POINT_STRING, 160)->count = 10;
    play(ACTION_WRITE, "{\"label\":\"meeting room\"}");
    assert_said(&bench, "writes.label.value", "meeting room");
    assert_said(&bench, "writes.label.result", "verified");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_read_back_equal_is_verified),
        TEST(what_shall_not_be_read_back_is_written),
        TEST(what_the_device_rounds_within_its_tolerance_is_adjusted),
        TEST(what_it_holds_already_is_unchanged_and_not_written),
        TEST(what_differs_is_written_after_the_look),
        TEST(a_value_that_does_not_hold_is_read_again_and_written_once_more),
        TEST(a_value_that_holds_within_its_time_is_verified),
        TEST(settling_comes_before_the_first_read_back),
        TEST(one_transaction_writes_and_verifies_with_function_23),
        TEST(function_23_that_reads_another_value_is_looked_at_again),
        TEST(bits_are_written_without_their_neighbours),
        TEST(a_refused_merged_write_is_repeated_point_by_point),
        TEST(a_method_stops_at_the_refused_point_of_a_merged_write),
        TEST(a_stop_between_split_points_is_told),
        TEST(a_silent_device_fails_after_its_tries),
        TEST(a_silent_write_that_reads_back_right_is_verified),
        TEST(a_silent_write_that_reads_back_wrong_had_no_answer),
        TEST(what_was_long_silent_is_not_read_back_after_a_silent_write),
        TEST(a_device_known_to_be_dead_gets_one_try),
        TEST(a_state_is_sent_again_after_silence),
        TEST(garbled_replies_on_every_try_are_a_bad_reply),
        TEST(a_garbled_write_that_reads_back_right_is_verified),
        TEST(a_refusal_is_final),
        TEST(a_busy_device_is_asked_again),
        TEST(a_busy_device_that_stays_busy_has_refused),
        TEST(busy_after_silence_leaves_the_effect_unknown),
        TEST(an_exception_that_leaves_the_effect_open_is_unknown),
        TEST(what_was_accepted_and_not_read_back_is_written),
        TEST(a_call_fails_at_once_on_a_line_that_is_down),
        TEST(a_job_waits_for_the_line),
        TEST(what_never_left_before_the_line_was_given_up_is_not_sent),
        TEST(what_left_whole_before_the_line_went_down_is_unknown),
        TEST(an_endpoint_that_hangs_up_at_every_try_is_not_tried_for_ever),
        TEST(what_was_not_sent_is_as_if_it_had_not_been_tried),
        TEST(each_property_of_a_patch_stands_alone),
        TEST(a_silent_device_fails_the_rest_of_a_patch_unsent),
        TEST(a_value_that_is_none_is_a_bad_reply),
        TEST(values_are_read_in_the_order_that_was_asked),
        TEST(a_value_of_two_registers_is_verified_whole),
        TEST(a_long_text_is_verified),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
