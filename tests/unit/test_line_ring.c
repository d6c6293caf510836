/* Who is woken when: a busy line's thread is not, and the loop for its answers not at once; and
   yet nothing is left lying. */
#include "lines/line.h"

#include "base/clock.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROUNDS = 2000, PATIENCE_MS = 20000 };

/* An adapter without a wire: what goes to unit 1 is answered at once, to unit 2 once it may be
   sent, to unit 3 when the line is to stop. */
struct adapter_line {
    char nothing;
};

static struct adapter_line fake_line;
static atomic_int fake_begun; /* operations that were begun */
static atomic_int fake_sends; /* so many may be sent */

static int fake_opens(struct adapter_line **ret, const struct adapter_settings *settings,
                      int wake_fd, char *why, size_t why_size)
{
    (void)settings;
    (void)wake_fd;
    (void)why;
    (void)why_size;
    *ret = &fake_line;
    return 0;
}

static void fake_closes(struct adapter_line *line)
{
    (void)line;
}

/* Until `count` reaches so much; the test then fails by itself. */
static void wait_for(atomic_int *count, int least)
{
    for (int i = 0; atomic_load(count) < least && i < PATIENCE_MS; i++)
        usleep(1000);
}

static void fake_executes(struct adapter_line *line, const struct operation *operation,
                          const struct limits *limits, int wake_fd, struct answer *answer)
{
    struct pollfd wake = {.fd = wake_fd, .events = POLLIN};

    (void)line;
    atomic_fetch_add(&fake_begun, 1);
    if (operation->unit != 1) {
        wait_for(&fake_sends, 1);
        atomic_fetch_sub(&fake_sends, 1);
    }
    limits->meanwhile(limits->ctx);
    if (operation->unit == 3)
        poll(&wake, 1, PATIENCE_MS);
    *answer = (struct answer){.result = ANSWER_DONE};
}

static void fake_frames(const struct adapter_settings *settings,
                        const struct operation *operation, struct frame_cost *cost)
{
    (void)settings;
    (void)operation;
    *cost = (struct frame_cost){.count = 1};
}

static const struct adapter fake = {.name = "fake",
                                    .serial = true,
                                    .frame = fake_frames,
                                    .open = fake_opens,
                                    .close = fake_closes,
                                    .execute = fake_executes};

static bool shows(const struct line *line, int patience_ms)
{
    struct pollfd wait = {.fd = line_fd(line), .events = POLLIN};

    return poll(&wait, 1, patience_ms) == 1;
}

static struct work *take(struct line *line)
{
    assert_true(shows(line, PATIENCE_MS));
    struct work *work = line_take(line);

    assert_non_null(work);
    return work;
}

static void expect_answer(struct line *line, uint64_t number)
{
    struct work *work = take(line);

    assert_int_equal(work->number, number);
    work_free(work);
}

static struct line *open_line(void)
{
    const struct adapter_settings settings = {.line = "test", .port = "fake"};
    struct line *line;

    assert_int_equal(line_open(&line, &fake, &settings), 0);
    struct work *work = take(line);

    assert_true(work->state_changed && work->up);
    work_free(work);
    return line;
}

static void give(struct line *line, uint8_t unit)
{
    struct work *work = work_new();

    assert_non_null(work);
    work->number = unit;
    work->operation = (struct operation){.unit = unit, .count = 1};
    assert_int_equal(line_give(line, work), 0);
}

/* So that the thread is at another place each time. */
static void linger(int round)
{
    for (int i = 0; i < round % 50; i++)
        (void)clock_boot_us();
}

static void nothing_given_is_left_lying(void **state)
{
    (void)state;
    struct line *line = open_line();

    for (int i = 0; i < ROUNDS; i++) {
        give(line, 1);
        linger(i);
        give(line, 1);
        expect_answer(line, 1);
        expect_answer(line, 1);
    }
    line_free(line);
}

/* What an answer was kept quiet for may be taken back just then. */
static void no_answer_is_left_lying_where_the_next_was_recalled(void **state)
{
    (void)state;
    struct line *line = open_line();

    for (int i = 0; i < ROUNDS; i++) {
        give(line, 1);
        give(line, 1);
        linger(i);
        struct work *recalled = line_recall(line);
        bool both = !recalled;

        work_free(recalled);
        expect_answer(line, 1);
        if (both)
            expect_answer(line, 1);
    }
    line_free(line);
}

/* Two are given; returns when the first is answered and the second not sent. */
static struct line *answer_the_first(void)
{
    struct line *line = open_line();

    atomic_store(&fake_begun, 0);
    atomic_store(&fake_sends, 0);
    give(line, 2);
    give(line, 3);
    atomic_fetch_add(&fake_sends, 1);
    wait_for(&fake_begun, 2);
    assert_int_equal(atomic_load(&fake_begun), 2);
    return line;
}

static void an_answer_shows_when_the_next_request_is_out(void **state)
{
    (void)state;
    struct line *line = answer_the_first();

    assert_false(shows(line, 0));
    atomic_fetch_add(&fake_sends, 1);
    expect_answer(line, 2);
    line_close(line);
    expect_answer(line, 3);
    line_free(line);
}

static void an_answer_can_be_taken_before_it_shows(void **state)
{
    (void)state;
    struct line *line = answer_the_first();
    struct work *work = line_take(line);

    assert_non_null(work);
    assert_int_equal(work->number, 2);
    work_free(work);
    atomic_fetch_add(&fake_sends, 1);
    line_close(line);
    expect_answer(line, 3);
    line_free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_given_is_left_lying),
        cmocka_unit_test(no_answer_is_left_lying_where_the_next_was_recalled),
        cmocka_unit_test(an_answer_shows_when_the_next_request_is_out),
        cmocka_unit_test(an_answer_can_be_taken_before_it_shows),
    };

    return cmocka_run_group_tests_name("line_ring", tests, NULL, NULL);
}
