#include "links/broker_outbox.h"
#include "links/broker_pace.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct outgoing *message_of(enum outgoing_rank rank, const char *body)
{
    struct outgoing *message = outgoing_new(rank, strdup("t"), strdup(body), false);

    assert_non_null(message);
    return message;
}

static void assert_next(struct outbox *outbox, const char *body)
{
    struct outgoing *message = outbox_take(outbox);

    assert_non_null(message);
    assert_string_equal(message->body, body);
    outgoing_free(message);
}

static bool readable(struct outbox *outbox)
{
    struct pollfd wait = {.fd = outbox_fd(outbox), .events = POLLIN};

    return poll(&wait, 1, 0) == 1;
}

static void messages_leave_in_the_order_they_came_whatever_their_rank(void **state)
{
    (void)state;
    struct outbox *outbox;

    assert_int_equal(outbox_new(&outbox, 10000), 0);
    assert_false(readable(outbox));
    outbox_give(outbox, message_of(OUTGOING_KEPT, "1"));
    outbox_give(outbox, message_of(OUTGOING_REPORTED, "2"));
    outbox_give(outbox, message_of(OUTGOING_SHARE, "3"));
    assert_true(readable(outbox));
    assert_next(outbox, "1");
    assert_next(outbox, "2");
    assert_next(outbox, "3");
    assert_false(readable(outbox));
    assert_null(outbox_take(outbox));
    outbox_free(outbox);
}

static void what_is_put_back_is_first_again(void **state)
{
    (void)state;
    struct outbox *outbox;
    struct outgoing *first, *second;

    assert_int_equal(outbox_new(&outbox, 10000), 0);
    outbox_give(outbox, message_of(OUTGOING_KEPT, "1"));
    outbox_give(outbox, message_of(OUTGOING_KEPT, "2"));
    outbox_give(outbox, message_of(OUTGOING_KEPT, "3"));
    first = outbox_take(outbox);
    second = outbox_take(outbox);
    outbox_put_back(outbox, first);
    outbox_put_back(outbox, second);
    outbox_give(outbox, message_of(OUTGOING_KEPT, "4"));
    assert_next(outbox, "1");
    assert_next(outbox, "2");
    assert_next(outbox, "3");
    assert_next(outbox, "4");
    outbox_free(outbox);
}

/* Each of the messages below weighs as much as this one. */
static size_t one_weighs(void)
{
    struct outbox_state told;
    struct outbox *outbox;

    assert_int_equal(outbox_new(&outbox, 100000), 0);
    outbox_give(outbox, message_of(OUTGOING_KEPT, "1"));
    outbox_state(outbox, &told);
    outbox_free(outbox);
    return told.bytes;
}

static struct outbox *room_for(size_t messages)
{
    struct outbox *outbox;

    assert_int_equal(outbox_new(&outbox, messages * one_weighs()), 0);
    return outbox;
}

static void give(struct outbox *outbox, enum outgoing_rank rank, const char *body)
{
    assert_int_equal(outbox_give(outbox, message_of(rank, body)), 0);
}

static uint64_t dropped_by(struct outbox *outbox)
{
    struct outbox_state told;

    outbox_state(outbox, &told);
    return told.dropped;
}

static void a_full_outbox_drops_the_oldest_polled_values_first_and_counts(void **state)
{
    (void)state;
    struct outbox *outbox = room_for(3);

    give(outbox, OUTGOING_STATE, "1");
    give(outbox, OUTGOING_REPORTED, "2");
    give(outbox, OUTGOING_REPORTED, "3");
    give(outbox, OUTGOING_KEPT, "4");
    assert_int_equal(outbox_dropped(outbox), 1);
    give(outbox, OUTGOING_KEPT, "5");
    assert_int_equal(dropped_by(outbox), 2);
    assert_next(outbox, "1");
    assert_next(outbox, "4");
    assert_next(outbox, "5");
    outbox_free(outbox);
}

static void an_outcome_is_not_dropped_but_the_newest_is_not_taken(void **state)
{
    (void)state;
    struct outbox *outbox = room_for(2);
    struct outgoing *third = message_of(OUTGOING_KEPT, "3");

    give(outbox, OUTGOING_KEPT, "1");
    give(outbox, OUTGOING_KEPT, "2");
    assert_int_equal(outbox_give(outbox, third), OUTBOX_E_FULL);
    assert_false(outbox_has_room(outbox));
    give(outbox, OUTGOING_ANSWER, "9"); /* is dropped itself */
    assert_int_equal(dropped_by(outbox), 1);
    outbox_land(outbox, outbox_take(outbox));
    assert_true(outbox_has_room(outbox));
    assert_int_equal(outbox_give(outbox, third), 0);
    assert_next(outbox, "2");
    assert_next(outbox, "3");
    outbox_free(outbox);
}

static void an_empty_outbox_takes_what_is_too_large_for_it(void **state)
{
    (void)state;
    struct outbox *outbox;

    assert_int_equal(outbox_new(&outbox, 1), 0);
    give(outbox, OUTGOING_KEPT, "1");
    assert_next(outbox, "1");
    outbox_free(outbox);
}

static void what_is_under_way_counts_until_the_broker_has_it(void **state)
{
    (void)state;
    struct outbox *outbox = room_for(2);
    struct outgoing *first;
    struct outbox_state told;

    give(outbox, OUTGOING_KEPT, "1");
    give(outbox, OUTGOING_KEPT, "2");
    first = outbox_take(outbox);
    outbox_state(outbox, &told);
    assert_int_equal(told.messages, 2);
    assert_int_equal(told.bytes, told.most_bytes);
    outbox_land(outbox, first);
    outbox_drop(outbox, outbox_take(outbox));
    outbox_state(outbox, &told);
    assert_int_equal(told.messages, 0);
    assert_int_equal(told.bytes, 0);
    assert_int_equal(told.dropped, 1);
    assert_int_equal(told.told, 0);
    outbox_free(outbox);
}

static void answers_go_before_what_nobody_waits_for(void **state)
{
    (void)state;
    struct outbox *outbox = room_for(3);

    give(outbox, OUTGOING_KEPT, "1");
    give(outbox, OUTGOING_ANSWER, "2");
    assert_next(outbox, "2");
    assert_next(outbox, "1");
    outbox_free(outbox);
}

static struct delivery *delivery_number(uint64_t number)
{
    char job[] = "j", device[] = "d";
    struct report report = {
        .kind = REPORT_OUTCOME, .number = number, .job_id = job, .device_id = device};

    assert_true(report_must_arrive(&report));
    return delivery_of(&report);
}

static void assert_landed(struct outbox *outbox, uint64_t number)
{
    struct pollfd wait = {.fd = outbox_landed_fd(outbox), .events = POLLIN};

    assert_int_equal(poll(&wait, 1, 0), 1);
    struct delivery *delivery = outbox_take_landed(outbox);
    assert_int_equal(delivery->number, number);
    assert_string_equal(delivery->device_id, "d");
    delivery_free(delivery);
}

static void what_has_landed_is_told_once_to_who_waits_for_it(void **state)
{
    (void)state;
    struct outbox *outbox = room_for(3);
    struct outgoing *message = message_of(OUTGOING_KEPT, "1");
    struct pollfd wait = {.fd = outbox_landed_fd(outbox), .events = POLLIN};

    message->delivery = delivery_number(7);
    assert_int_equal(outbox_give(outbox, message), 0);
    give(outbox, OUTGOING_STATE, "2");
    outbox_land(outbox, outbox_take(outbox));
    outbox_land(outbox, outbox_take(outbox));
    outbox_tell_landed(outbox, delivery_number(8));
    assert_landed(outbox, 7);
    assert_landed(outbox, 8);
    assert_int_equal(poll(&wait, 1, 0), 0);
    assert_null(outbox_take_landed(outbox));
    outbox_free(outbox);
}

static void give_kept(struct outbox *outbox, uint64_t number)
{
    struct outgoing *message = message_of(OUTGOING_KEPT, "1");

    message->delivery = delivery_number(number);
    assert_int_equal(outbox_give(outbox, message), 0);
}

static void what_has_landed_gathers_until_it_is_shown(void **state)
{
    (void)state;
    struct outbox *outbox = room_for(3);
    struct pollfd wait = {.fd = outbox_landed_fd(outbox), .events = POLLIN};

    outbox_show_landed(outbox);
    assert_int_equal(poll(&wait, 1, 0), 0);
    for (uint64_t number = 1; number <= 2; number++) {
        give_kept(outbox, number);
        outbox_land(outbox, outbox_take(outbox));
    }
    assert_int_equal(poll(&wait, 1, 0), 0);
    outbox_show_landed(outbox);
    assert_landed(outbox, 1);
    assert_landed(outbox, 2);
    assert_int_equal(poll(&wait, 1, 0), 0);
    outbox_free(outbox);
}

static void many_that_have_landed_show_by_themselves(void **state)
{
    (void)state;
    struct outbox *outbox = room_for(3);
    struct pollfd wait = {.fd = outbox_landed_fd(outbox), .events = POLLIN};
    uint64_t landed = 0;

    while (landed < 1000 && poll(&wait, 1, 0) == 0) {
        give_kept(outbox, ++landed);
        outbox_land(outbox, outbox_take(outbox));
    }
    assert_in_range(landed, 2, 100);
    for (uint64_t number = 1; number <= landed; number++)
        assert_landed(outbox, number);
    assert_null(outbox_take_landed(outbox));
    outbox_free(outbox);
}

#define S INT64_C(1000000)

static void pauses_grow_to_two_minutes_and_are_random(void **state)
{
    (void)state;
    struct pace pace = {0};
    static const int64_t most_s[] = {1, 2, 4, 8, 16, 32, 64, 120, 120, 120};

    for (size_t i = 0; i < sizeof(most_s) / sizeof(most_s[0]); i++) {
        struct pace copy = pace;
        assert_int_equal(pace_next(&copy, -1, 0), 0);
        assert_in_range(pace_next(&pace, -1, UINT32_MAX), most_s[i] * S - 100, most_s[i] * S);
    }
}

static void a_good_session_makes_the_next_pause_short(void **state)
{
    (void)state;
    struct pace pace = {0};

    for (int i = 0; i < 10; i++)
        pace_next(&pace, -1, 0);
    assert_true(pace_next(&pace, 5 * S, UINT32_MAX) > 60 * S);
    assert_true(pace_next(&pace, 60 * S, UINT32_MAX) <= S);
}

static void the_third_take_over_within_a_minute_gives_way(void **state)
{
    (void)state;
    struct pace pace = {0};

    assert_false(pace_gives_way(&pace, 1 * S));
    assert_false(pace_gives_way(&pace, 2 * S));
    assert_false(pace_gives_way(&pace, 62 * S));
    assert_true(pace_gives_way(&pace, 62 * S));
    assert_false(pace_gives_way(&pace, 63 * S));
}

static void a_broker_that_was_away_threw_nobody_off(void **state)
{
    (void)state;
    struct pace pace = {0};

    assert_false(pace_gives_way(&pace, 1 * S));
    assert_false(pace_gives_way(&pace, 2 * S));
    pace_next(&pace, -1, 0);
    assert_false(pace_gives_way(&pace, 3 * S));
    pace_next(&pace, 1 * S, 0);
    assert_false(pace_gives_way(&pace, 4 * S));
    assert_true(pace_gives_way(&pace, 5 * S));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_leave_in_the_order_they_came_whatever_their_rank),
        cmocka_unit_test(what_is_put_back_is_first_again),
        cmocka_unit_test(a_full_outbox_drops_the_oldest_polled_values_first_and_counts),
        cmocka_unit_test(an_outcome_is_not_dropped_but_the_newest_is_not_taken),
        cmocka_unit_test(an_empty_outbox_takes_what_is_too_large_for_it),
        cmocka_unit_test(what_is_under_way_counts_until_the_broker_has_it),
        cmocka_unit_test(answers_go_before_what_nobody_waits_for),
        cmocka_unit_test(what_has_landed_is_told_once_to_who_waits_for_it),
        cmocka_unit_test(what_has_landed_gathers_until_it_is_shown),
        cmocka_unit_test(many_that_have_landed_show_by_themselves),
        cmocka_unit_test(pauses_grow_to_two_minutes_and_are_random),
        cmocka_unit_test(a_good_session_makes_the_next_pause_short),
        cmocka_unit_test(the_third_take_over_within_a_minute_gives_way),
        cmocka_unit_test(a_broker_that_was_away_threw_nobody_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
