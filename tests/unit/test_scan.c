/* The scan on a wire that is made up: who answers what at which settings is told beforehand. */
#include "commands/scan_judge.h"
#include "commands/scan_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MS 1000

enum habit {
    ABSENT,
    GOOD,
    REFUSING,
    SPOILT,
    ONCE_SPOILT,
    NOISY,
    SLOW,
    TWICE,
    AT_ONCE,
    GATEWAY_SAYS_NO
};

/* One world at a time: an adapter is opened without a context. */
static struct {
    unsigned baud; /* that the devices have; 0: any */
    enum habit habits[SCAN_UNITS];
    unsigned asked[SCAN_UNITS], opened, closed;
    int64_t longest_us, now_us;
    unsigned behind; /* whose second answer is under way, */
    unsigned delay;  /* and after how many more askings it comes */
    unsigned left;
    bool babbles, unplugged;
    unsigned stop_after; /* askings */
    int stop_fd;
} world;

struct adapter_line {
    struct adapter_settings settings;
} open_line;

static int fake_open(struct adapter_line **ret, const struct adapter_settings *settings,
                     int wake_fd, char *why, size_t size)
{
    (void)wake_fd;
    if (settings->baud == 57600) {
        snprintf(why, size, "the port does not take 57600 baud");
        return -22;
    }
    open_line.settings = *settings;
    world.opened++;
    *ret = &open_line;
    return 0;
}

static void fake_close(struct adapter_line *line)
{
    (void)line;
    world.closed++;
}

static void fake_frame(const struct adapter_settings *settings,
                       const struct operation *operation, struct frame_cost *cost)
{
    (void)operation;
    *cost = (struct frame_cost){.count = 1, .least_us = 15 * 11000000LL / settings->baud};
}

static void reply_badly(struct answer *answer, bool begun)
{
    answer->result = ANSWER_BAD_REPLY;
    answer->begun = begun;
    snprintf(answer->text, sizeof(answer->text), "CRC error in 7 bytes");
}

static void answer_well(struct answer *answer, int64_t waited_us)
{
    answer->result = ANSWER_DONE;
    answer->count = 1;
    answer->words[0] = 215;
    answer->waited_us = waited_us;
}

static void answer_by_habit(struct answer *answer, unsigned unit, const struct limits *limits)
{
    switch (world.habits[unit]) {
    case ABSENT:
        break;
    case TWICE:
        world.behind = unit;
        world.left = world.delay;
        answer_well(answer, 6 * MS);
        break;
    case AT_ONCE:
        answer_well(answer, 6 * MS);
        answer->late_unit = (uint8_t)unit;
        break;
    case GOOD:
        answer_well(answer, 6 * MS);
        break;
    case SLOW:
        if (limits->timeout_us > 250 * MS)
            answer_well(answer, 250 * MS);
        break;
    case REFUSING:
    case GATEWAY_SAYS_NO:
        answer->result = ANSWER_EXCEPTION;
        answer->exception = world.habits[unit] == REFUSING ? 2 : 11;
        break;
    case ONCE_SPOILT:
        if (world.asked[unit] > 1)
            answer_well(answer, 6 * MS);
        else
            reply_badly(answer, true);
        break;
    case SPOILT:
        reply_badly(answer, true);
        break;
    case NOISY:
        reply_badly(answer, false);
        break;
    }
}

static void fake_execute(struct adapter_line *line, const struct operation *operation,
                         const struct limits *limits, int wake_fd, struct answer *answer)
{
    unsigned unit = operation->unit;

    (void)wake_fd;
    *answer = (struct answer){.result = ANSWER_SILENT, .started_us = ++world.now_us};
    answer->ended_us = answer->started_us + 20 * MS;
    world.asked[unit]++;
    if (limits->timeout_us > world.longest_us)
        world.longest_us = limits->timeout_us;
    if (world.behind && (world.left == 0 || limits->gap_us > 0)) {
        answer->late = 1;
        answer->late_unit = (uint8_t)(world.delay ? world.behind : 0);
        world.behind = 0;
    }
    world.left -= world.left > 0;
    if (world.babbles) {
        *answer = (struct answer){.result = ANSWER_BAD_REPLY, .text = "never silent"};
    } else if (world.unplugged && unit > 3) {
        *answer = (struct answer){.result = ANSWER_LINE_DOWN, .text = "port is gone"};
    } else if (!world.baud || world.baud == line->settings.baud) {
        answer_by_habit(answer, unit, limits);
    }
    if (world.stop_after && --world.stop_after == 0)
        assert_int_equal(write(world.stop_fd, "x", 1), 1);
}

static struct adapter fake = {.name = "fake",
                              .serial = true,
                              .unit_least = 1,
                              .unit_most = 247,
                              .open = fake_open,
                              .close = fake_close,
                              .frame = fake_frame,
                              .execute = fake_execute};

/* Units 1 to `last`, the first `expected` of them of the site, at 19200 and two more speeds. */
static struct scan *new_scan(unsigned last, unsigned expected)
{
    struct scan *scan = test_calloc(1, sizeof(*scan));

    memset(&world, 0, sizeof(world));
    fake.serial = true;
    *scan = (struct scan){.adapter = &fake, .least_us = 30 * MS, .wake_fd = -1};
    scan->settings = (struct adapter_settings){.baud = 19200, .parity = 'E', .stop_bits = 1};
    scan->tries = test_calloc(3, sizeof(*scan->tries));
    scan->try_count = 3;
    for (size_t i = 0; i < 3; i++)
        scan->tries[i].way =
            (struct scan_way){(const unsigned[]){19200, 9600, 38400}[i], 'E', 1};
    for (unsigned unit = 1; unit <= last; unit++)
        scan->asks[unit] = (struct scan_ask){
            .wanted = true,
            .expected = unit <= expected,
            .probe = {.kind = OPERATION_READ, .table = TABLE_HOLDING, .count = 1},
            .configured_us = 500 * MS};
    return scan;
}

static void free_scan(struct scan *scan)
{
    assert_int_equal(world.opened, world.closed);
    test_free(scan->tries);
    test_free(scan);
}

static enum scan_result result_of(const struct scan *scan, unsigned unit)
{
    return scan_result_of(&scan->tries[scan->chosen].units[unit]);
}

static struct scan_sum sum_of(const struct scan *scan)
{
    struct scan_sum sum;

    scan_sum(scan, &scan->tries[scan->chosen], &sum);
    return sum;
}

static void a_device_that_answers_is_asked_once(void **state)
{
    (void)state;
    struct scan *scan = new_scan(10, 2);

    world.habits[1] = world.habits[2] = GOOD;
    assert_int_equal(scan_run(scan), 0);
    assert_int_equal(world.asked[1], 1);
    assert_int_equal(result_of(scan, 1), SCAN_ANSWERS);
    assert_int_equal(scan->tries[0].units[1].word, 215);
    assert_int_equal(sum_of(scan).site_well, 2);
    free_scan(scan);
}

static void what_is_silent_is_asked_once_more(void **state)
{
    (void)state;
    struct scan *scan = new_scan(10, 2);

    world.habits[1] = GOOD;
    scan_run(scan);
    for (unsigned unit = 2; unit <= 10; unit++)
        assert_int_equal(world.asked[unit], 2);
    assert_int_equal(result_of(scan, 2), SCAN_SILENT);
    assert_int_equal(sum_of(scan).site_silent, 1);
    free_scan(scan);
}

static void a_slow_device_of_the_site_is_found_by_patience(void **state)
{
    (void)state;
    struct scan *scan = new_scan(10, 2);

    world.habits[1] = GOOD;
    world.habits[2] = SLOW;
    scan_run(scan);
    assert_int_equal(result_of(scan, 2), SCAN_ANSWERS);
    assert_int_equal(world.longest_us, 500 * MS);
    free_scan(scan);
}

static void a_refusal_is_an_answer(void **state)
{
    (void)state;
    struct scan *scan = new_scan(3, 1);

    world.habits[1] = REFUSING;
    scan_run(scan);
    assert_int_equal(result_of(scan, 1), SCAN_ANSWERS);
    assert_int_equal(scan->tries[0].units[1].exception, 2);
    free_scan(scan);
}

static void a_gateway_that_speaks_for_an_absent_device_is_no_answer_of_it(void **state)
{
    (void)state;
    struct scan *scan = new_scan(3, 1);

    world.habits[1] = GOOD;
    world.habits[2] = GATEWAY_SAYS_NO;
    scan_run(scan);
    assert_int_equal(result_of(scan, 2), SCAN_SILENT);
    free_scan(scan);
}

static void the_search_stops_where_somebody_answers(void **state)
{
    (void)state;
    struct scan *scan = new_scan(10, 2);

    world.baud = 9600;
    world.habits[2] = GOOD;
    scan_run(scan);
    assert_int_equal(scan->chosen, 1);
    assert_int_equal(result_of(scan, 2), SCAN_ANSWERS);
    assert_int_equal(scan->tries[1].units[10].asked, 2); /* now all are asked there */
    assert_int_equal(scan->tries[2].asked, 0);
    free_scan(scan);
}

static void at_other_settings_only_the_sites_units_are_asked_at_first(void **state)
{
    (void)state;
    struct scan *scan = new_scan(10, 2);

    scan_run(scan);
    assert_int_equal(scan->tries[1].asked, 2);
    assert_int_equal(scan->tries[2].asked, 2);
    assert_int_equal(scan->tries[0].units[2].asked, 2); /* patience, at the site's own */
    assert_int_equal(scan->tries[0].units[10].asked, 1);
    assert_false(scan_found_any(&(struct scan_sum){0}));
    free_scan(scan);
}

static void without_a_site_all_are_asked_at_every_setting(void **state)
{
    (void)state;
    struct scan *scan = new_scan(10, 0);

    scan_run(scan);
    assert_int_equal(scan->tries[2].asked, 10);
    assert_int_equal(scan->tries[0].asked, 20);
    free_scan(scan);
}

static void all_settings_are_tried_when_asked_for(void **state)
{
    (void)state;
    struct scan *scan = new_scan(4, 2);

    scan->all = true;
    world.habits[1] = GOOD;
    scan_run(scan);
    assert_int_equal(scan->chosen, 0);
    assert_int_equal(scan_result_of(&scan->tries[2].units[1]), SCAN_ANSWERS);
    free_scan(scan);
}

static void settings_that_the_port_does_not_take_are_left_out(void **state)
{
    (void)state;
    struct scan *scan = new_scan(4, 2);

    scan->tries[1].way.baud = 57600;
    world.baud = 38400;
    world.habits[1] = GOOD;
    scan_run(scan);
    assert_int_equal(scan->chosen, 2);
    assert_string_equal(scan->tries[1].why, "the port does not take 57600 baud");
    free_scan(scan);
}

static void two_devices_of_one_unit_are_garbled_each_time(void **state)
{
    (void)state;
    struct scan *scan = new_scan(10, 2);

    world.habits[1] = GOOD;
    world.habits[2] = SPOILT;
    scan_run(scan);
    assert_int_equal(result_of(scan, 2), SCAN_GARBLED);
    assert_int_equal(world.asked[2], 3);
    assert_false(sum_of(scan).noisy);
    free_scan(scan);
}

static void one_spoilt_answer_is_no_second_device(void **state)
{
    (void)state;
    struct scan *scan = new_scan(10, 2);

    world.habits[1] = GOOD;
    world.habits[2] = ONCE_SPOILT;
    scan_run(scan);
    assert_int_equal(result_of(scan, 2), SCAN_ANSWERS);
    free_scan(scan);
}

static void a_second_device_that_answers_later_is_told(void **state)
{
    (void)state;
    struct scan *scan = new_scan(10, 3);

    world.habits[1] = world.habits[3] = GOOD;
    world.habits[2] = TWICE;
    scan_run(scan);
    assert_int_equal(result_of(scan, 2), SCAN_DOUBLE);
    assert_int_equal(result_of(scan, 1), SCAN_ANSWERS);
    assert_int_equal(result_of(scan, 3), SCAN_ANSWERS);
    free_scan(scan);
}

static void a_second_device_of_the_only_unit_is_told_too(void **state)
{
    (void)state;
    struct scan *scan = new_scan(1, 1);

    world.habits[1] = TWICE;
    scan_run(scan);
    assert_int_equal(result_of(scan, 1), SCAN_DOUBLE);
    free_scan(scan);
}

static void two_answers_in_one_piece_are_two_devices(void **state)
{
    (void)state;
    struct scan *scan = new_scan(4, 4);

    world.habits[1] = world.habits[3] = world.habits[4] = GOOD;
    world.habits[2] = AT_ONCE;
    scan_run(scan);
    for (unsigned unit = 1; unit <= 4; unit++)
        assert_int_equal(result_of(scan, unit), unit == 2 ? SCAN_DOUBLE : SCAN_ANSWERS);
    free_scan(scan);
}

static void a_late_answer_belongs_to_the_unit_that_it_names(void **state)
{
    (void)state;
    struct scan *scan = new_scan(5, 5);

    for (unsigned unit = 1; unit <= 5; unit++)
        world.habits[unit] = GOOD;
    world.habits[2] = TWICE;
    world.delay = 2;
    scan_run(scan);
    for (unsigned unit = 1; unit <= 5; unit++)
        assert_int_equal(result_of(scan, unit), unit == 2 ? SCAN_DOUBLE : SCAN_ANSWERS);
    free_scan(scan);
}

static void noise_for_many_units_is_the_lines_not_theirs(void **state)
{
    (void)state;
    struct scan *scan = new_scan(10, 2);

    for (unsigned unit = 1; unit <= 10; unit++)
        world.habits[unit] = NOISY;
    scan->try_count = 1;
    scan_run(scan);
    assert_true(sum_of(scan).noisy);
    free_scan(scan);
}

static void noise_does_not_end_the_search_for_the_settings(void **state)
{
    (void)state;
    struct scan *scan = new_scan(10, 2);

    world.habits[2] = NOISY;
    scan_run(scan);
    assert_true(scan->tries[2].asked > 0);
    free_scan(scan);
}

static void a_line_that_is_never_silent_is_given_up_soon(void **state)
{
    (void)state;
    struct scan *scan = new_scan(247, 2);

    world.babbles = true;
    scan->try_count = 1;
    scan_run(scan);
    assert_int_equal(scan->tries[0].asked, 3);
    assert_true(sum_of(scan).noisy);
    free_scan(scan);
}

static void an_unplugged_line_ends_the_scan_with_what_was_found(void **state)
{
    (void)state;
    struct scan *scan = new_scan(10, 2);

    world.habits[1] = GOOD;
    world.unplugged = true;
    assert_int_equal(scan_run(scan), 0);
    assert_true(scan->down);
    assert_string_equal(scan->why, "port is gone");
    assert_int_equal(result_of(scan, 1), SCAN_ANSWERS);
    assert_int_equal(result_of(scan, 9), SCAN_NOT_ASKED);
    free_scan(scan);
}

static void ctrl_c_ends_the_scan_with_what_was_found(void **state)
{
    (void)state;
    struct scan *scan = new_scan(10, 5);
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    world.habits[1] = world.habits[2] = world.habits[3] = GOOD;
    world.stop_after = 2;
    world.stop_fd = ends[1];
    scan->wake_fd = ends[0];
    assert_int_equal(scan_run(scan), 0);
    assert_true(scan->stopped);
    assert_int_equal(result_of(scan, 2), SCAN_ANSWERS);
    assert_int_equal(sum_of(scan).site_left, 3);
    close(ends[0]);
    close(ends[1]);
    free_scan(scan);
}

static void an_endpoint_that_answers_for_everybody_is_one_device(void **state)
{
    (void)state;
    struct scan *scan = new_scan(20, 1);

    fake.serial = false;
    scan->try_count = 1;
    for (unsigned unit = 1; unit <= 20; unit++)
        world.habits[unit] = GOOD;
    scan_run(scan);
    assert_true(sum_of(scan).everyone);
    free_scan(scan);
}

static void the_first_time_out_is_learned_within_its_bounds(void **state)
{
    (void)state;
    struct scan *scan = new_scan(1, 0);
    struct scan_way way = scan->tries[0].way;

    /* three times the least, and 16 characters of 11 bits */
    assert_int_equal(scan_first_us(scan, &scan->asks[1], &way, -1),
                     90 * MS + 16 * 11 * 1000000 / 19200);
    assert_int_equal(scan_first_us(scan, &scan->asks[1], &way, 20 * MS), 80 * MS);
    assert_int_equal(scan_first_us(scan, &scan->asks[1], &way, 1 * MS), 30 * MS);
    assert_int_equal(scan_first_us(scan, &scan->asks[1], &way, 900 * MS), 500 * MS);
    scan->first_us = 7 * MS;
    assert_int_equal(scan_first_us(scan, &scan->asks[1], &way, 900 * MS), 7 * MS);
    free_scan(scan);
}

static void the_least_time_is_that_of_all_frames(void **state)
{
    (void)state;
    struct scan *scan = new_scan(247, 31);
    struct scan_time time = scan_time_of(scan, &scan->tries[0].way, false);

    assert_int_equal(time.units, 247);
    assert_int_equal(time.least_us, 247 * (15 * 11000000LL / 19200));
    assert_true(time.silent_us > time.least_us);
    assert_int_equal(scan_time_of(scan, &scan->tries[1].way, true).units, 31);
    free_scan(scan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_answers_is_asked_once),
        cmocka_unit_test(what_is_silent_is_asked_once_more),
        cmocka_unit_test(a_slow_device_of_the_site_is_found_by_patience),
        cmocka_unit_test(a_refusal_is_an_answer),
        cmocka_unit_test(a_gateway_that_speaks_for_an_absent_device_is_no_answer_of_it),
        cmocka_unit_test(the_search_stops_where_somebody_answers),
        cmocka_unit_test(at_other_settings_only_the_sites_units_are_asked_at_first),
        cmocka_unit_test(without_a_site_all_are_asked_at_every_setting),
        cmocka_unit_test(all_settings_are_tried_when_asked_for),
        cmocka_unit_test(settings_that_the_port_does_not_take_are_left_out),
        cmocka_unit_test(two_devices_of_one_unit_are_garbled_each_time),
        cmocka_unit_test(one_spoilt_answer_is_no_second_device),
        cmocka_unit_test(a_second_device_that_answers_later_is_told),
        cmocka_unit_test(a_second_device_of_the_only_unit_is_told_too),
        cmocka_unit_test(two_answers_in_one_piece_are_two_devices),
        cmocka_unit_test(a_late_answer_belongs_to_the_unit_that_it_names),
        cmocka_unit_test(noise_for_many_units_is_the_lines_not_theirs),
        cmocka_unit_test(noise_does_not_end_the_search_for_the_settings),
        cmocka_unit_test(a_line_that_is_never_silent_is_given_up_soon),
        cmocka_unit_test(an_unplugged_line_ends_the_scan_with_what_was_found),
        cmocka_unit_test(ctrl_c_ends_the_scan_with_what_was_found),
        cmocka_unit_test(an_endpoint_that_answers_for_everybody_is_one_device),
        cmocka_unit_test(the_first_time_out_is_learned_within_its_bounds),
        cmocka_unit_test(the_least_time_is_that_of_all_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
