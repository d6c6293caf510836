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

    assert_int_equal(outbox_new(&outbox, 10, 10000), 0);
    assert_false(readable(outbox));
    outbox_give(outbox, message_of(OUTGOING_OUTCOME, "1"));
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

    assert_int_equal(outbox_new(&outbox, 10, 10000), 0);
    outbox_give(outbox, message_of(OUTGOING_OUTCOME, "1"));
    outbox_give(outbox, message_of(OUTGOING_OUTCOME, "2"));
    outbox_give(outbox, message_of(OUTGOING_OUTCOME, "3"));
    first = outbox_take(outbox);
    second = outbox_take(outbox);
    outbox_put_back(outbox, first);
    outbox_put_back(outbox, second);
    outbox_give(outbox, message_of(OUTGOING_OUTCOME, "4"));
    assert_next(outbox, "1");
    assert_next(outbox, "2");
    assert_next(outbox, "3");
    assert_next(outbox, "4");
    outbox_free(outbox);
}

static void a_full_outbox_drops_polled_values_first_and_counts(void **state)
{
    (void)state;
    struct outbox *outbox;

    assert_int_equal(outbox_new(&outbox, 3, 10000), 0);
    outbox_give(outbox, message_of(OUTGOING_OUTCOME, "1"));
    outbox_give(outbox, message_of(OUTGOING_REPORTED, "2"));
    outbox_give(outbox, message_of(OUTGOING_REPORTED, "3"));
    assert_int_equal(outbox_give(outbox, message_of(OUTGOING_OUTCOME, "4")), 1);
    assert_int_equal(outbox_give(outbox, message_of(OUTGOING_OUTCOME, "5")), 0);
    assert_int_equal(outbox_dropped(outbox), 2);
    assert_int_equal(outbox_give(outbox, message_of(OUTGOING_OUTCOME, "6")), 1);
    assert_int_equal(outbox_count(outbox), 3);
    assert_next(outbox, "4");
    assert_next(outbox, "5");
    assert_next(outbox, "6");
    outbox_free(outbox);
}

static void an_outbox_is_bounded_in_bytes_too(void **state)
{
    (void)state;
    struct outbox *outbox;
    char body[201];

    memset(body, 'x', 200);
    body[200] = '\0';
    assert_int_equal(outbox_new(&outbox, 100, 1000), 0);
    for (int i = 0; i < 20; i++)
        outbox_give(outbox, message_of(OUTGOING_ANSWER, body));
    assert_in_range(outbox_count(outbox), 2, 4);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_leave_in_the_order_they_came_whatever_their_rank),
        cmocka_unit_test(what_is_put_back_is_first_again),
        cmocka_unit_test(a_full_outbox_drops_polled_values_first_and_counts),
        cmocka_unit_test(an_outbox_is_bounded_in_bytes_too),
        cmocka_unit_test(pauses_grow_to_two_minutes_and_are_random),
        cmocka_unit_test(a_good_session_makes_the_next_pause_short),
        cmocka_unit_test(the_third_take_over_within_a_minute_gives_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
