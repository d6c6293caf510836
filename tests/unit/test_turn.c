#include "lines/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define READY(rank) (1u << (rank))

/* How many of so many turns in a row the rank gets. */
static unsigned share(unsigned ready, enum rank rank, unsigned turns)
{
    struct turn turn = {0};
    unsigned count = 0;

    for (unsigned i = 0; i < turns; i++) {
        enum rank next = turn_next(&turn, ready);

        count += next == rank;
        turn_took(&turn, ready, next);
    }
    return count;
}

static void the_lowest_rank_goes_first(void **state)
{
    (void)state;
    struct turn turn = {0};

    assert_int_equal(turn_next(&turn, READY(RANK_POLL) | READY(RANK_STEP)), RANK_STEP);
    assert_int_equal(turn_next(&turn, READY(RANK_URGENT) | READY(RANK_STEP)), RANK_URGENT);
    assert_int_equal(turn_next(&turn, READY(RANK_PROBE)), RANK_PROBE);
}

static void a_line_without_work_has_no_turn(void **state)
{
    (void)state;
    struct turn turn = {0};

    assert_int_equal(turn_next(&turn, 0), RANK_COUNT);
}

static void every_fourth_turn_is_left_to_jobs_while_calls_keep_coming(void **state)
{
    (void)state;
    assert_int_equal(share(READY(RANK_URGENT) | READY(RANK_STEP), RANK_STEP, 400), 100);
}

static void polls_get_a_fortieth_of_a_busy_line(void **state)
{
    (void)state;
    assert_int_equal(share(READY(RANK_STEP) | READY(RANK_POLL), RANK_POLL, 410), 10);
}

static void nothing_starves(void **state)
{
    (void)state;
    unsigned all = (1u << RANK_COUNT) - 1;

    for (enum rank rank = RANK_URGENT; rank < RANK_COUNT; rank++)
        assert_true(share(all, rank, 1000) > 0);
}

static void patience_begins_anew_when_there_was_nothing_to_do(void **state)
{
    (void)state;
    struct turn turn = {0};
    unsigned both = READY(RANK_STEP) | READY(RANK_POLL);

    for (int i = 0; i < 15; i++)
        turn_took(&turn, both, RANK_STEP);
    turn_took(&turn, READY(RANK_STEP), RANK_STEP);
    for (int i = 0; i < 15; i++) {
        assert_int_equal(turn_next(&turn, both), RANK_STEP);
        turn_took(&turn, both, RANK_STEP);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_rank_goes_first),
        cmocka_unit_test(a_line_without_work_has_no_turn),
        cmocka_unit_test(every_fourth_turn_is_left_to_jobs_while_calls_keep_coming),
        cmocka_unit_test(polls_get_a_fortieth_of_a_busy_line),
        cmocka_unit_test(nothing_starves),
        cmocka_unit_test(patience_begins_anew_when_there_was_nothing_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
