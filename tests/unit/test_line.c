#include "descriptors.h"
#include "lines/line.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* An adapter without a wire: unit 1 answers at once, unit 2 after 100 ms and unit 4 after 10 s
   or when woken, unit 3 takes the line down; the port "none" never opens. */
struct adapter_line {
    char nothing;
};

static struct adapter_line fake_line;
static atomic_int fake_open;
static atomic_int fake_begun; /* operations that were begun */
static atomic_int fake_slack_ns, fake_policy;

static int fake_opens(struct adapter_line **ret, const struct adapter_settings *settings,
                      int wake_fd, char *why, size_t why_size)
{
    (void)wake_fd;
    atomic_store(&fake_slack_ns, prctl(PR_GET_TIMERSLACK, 0UL, 0UL, 0UL, 0UL));
    atomic_store(&fake_policy, sched_getscheduler(0));
    if (strcmp(settings->port, "none") == 0) {
        snprintf(why, why_size, "there is no such port");
        return -1;
    }
    atomic_fetch_add(&fake_open, 1);
    *ret = &fake_line;
    return 0;
}

static void fake_closes(struct adapter_line *line)
{
    (void)line;
    atomic_fetch_sub(&fake_open, 1);
}

static void fake_executes(struct adapter_line *line, const struct operation *operation,
                          const struct limits *limits, int wake_fd, struct answer *answer)
{
    struct pollfd wake = {.fd = wake_fd, .events = POLLIN};

    (void)line;
    limits->meanwhile(limits->ctx);
    *answer = (struct answer){.result = ANSWER_DONE};
    atomic_fetch_add(&fake_begun, 1);
    if (operation->unit == 2 || operation->unit == 4)
        answer->result =
            poll(&wake, 1, operation->unit == 2 ? 100 : 60000) ? ANSWER_SILENT : ANSWER_DONE;
    else if (operation->unit == 3)
        answer->result = ANSWER_LINE_DOWN;
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

static struct line *open_line(const struct adapter *adapter, const char *port)
{
    struct adapter_settings settings = {.line = "test",
                                        .port = port,
                                        .baud = 115200,
                                        .parity = 'E',
                                        .data_bits = 8,
                                        .stop_bits = 1};
    struct line *line;

    assert_int_equal(line_open(&line, adapter, &settings), 0);
    return line;
}

static struct work *work_for(uint8_t unit)
{
    struct work *work = work_new();

    assert_non_null(work);
    work->operation = (struct operation){.kind = OPERATION_READ,
                                         .table = TABLE_HOLDING,
                                         .unit = unit,
                                         .address = 40,
                                         .count = 1};
    work->limits = (struct limits){.timeout_us = 60000000, .deadline_us = MOMENT_NEVER};
    work->number = unit;
    return work;
}

/* The next thing that comes back. */
static struct work *take(struct line *line)
{
    struct pollfd wait = {.fd = line_fd(line), .events = POLLIN};

    assert_int_equal(poll(&wait, 1, 60000), 1);
    struct work *work = line_take(line);

    assert_non_null(work);
    return work;
}

static void expect_state(struct line *line, bool up)
{
    struct work *work = take(line);

    assert_true(work->state_changed);
    assert_int_equal(work->up, up);
    work_free(work);
}

static void expect_answer(struct line *line, uint64_t number, enum answer_result result)
{
    struct work *work = take(line);

    assert_false(work->state_changed);
    assert_int_equal(work->number, number);
    assert_int_equal(work->answer.result, result);
    work_free(work);
}

static struct line *open_fake(void)
{
    struct line *line = open_line(&fake, "fake");

    expect_state(line, true);
    return line;
}

static void work_comes_back_answered(void **state)
{
    (void)state;
    struct line *line = open_fake();

    for (int i = 0; i < 100; i++) {
        assert_int_equal(line_give(line, work_for(1)), 0);
        expect_answer(line, 1, ANSWER_DONE);
    }
    line_free(line);
    assert_int_equal(atomic_load(&fake_open), 0);
}

static void give_and_see_begun(struct line *line, struct work *work)
{
    int begun = atomic_load(&fake_begun);

    line_give(line, work);
    for (int i = 0; atomic_load(&fake_begun) == begun; i++) {
        assert_in_range(i, 0, 60000);
        usleep(1000);
    }
}

static void a_lines_timers_are_punctual_and_its_real_time_is_bounded(void **state)
{
    struct rlimit bound;
    struct line *line = open_fake();

    (void)state;
    line_give(line, work_for(1));
    expect_answer(line, 1, ANSWER_DONE); /* it is open by now */
    assert_in_range(fake_slack_ns, 0, 1000);
    assert_int_equal(getrlimit(RLIMIT_RTTIME, &bound), 0);
    if (fake_policy == SCHED_FIFO) /* whoever runs this may be refused it */
        assert_in_range(bound.rlim_cur, 1, 500000);
    line_free(line);
}

static void a_third_item_is_refused(void **state)
{
    (void)state;
    struct line *line = open_fake();
    struct work *third = work_for(1);

    line_give(line, work_for(2));
    assert_int_equal(line_give(line, work_for(1)), 0); /* the first need not be at work yet */
    assert_int_equal(line_give(line, third), LINE_E_FULL);
    work_free(third);
    expect_answer(line, 2, ANSWER_DONE);
    expect_answer(line, 1, ANSWER_DONE);
    line_free(line);
}

static void a_waiting_item_can_be_recalled(void **state)
{
    (void)state;
    struct line *line = open_fake();
    struct work *waiting = work_for(1);

    give_and_see_begun(line, work_for(4)); /* a minute, or until it is woken */
    line_give(line, waiting);
    assert_ptr_equal(line_recall(line), waiting);
    assert_null(line_recall(line));
    line_close(line);
    expect_answer(line, 4, ANSWER_SILENT);
    work_free(waiting);
    line_free(line);
}

static void closing_hands_back_what_waits_unsent(void **state)
{
    (void)state;
    struct line *line = open_fake();
    struct work *waiting = work_for(1);
    int64_t before_us = clock_boot_us();

    give_and_see_begun(line, work_for(4));
    line_give(line, waiting);
    line_close(line);
    assert_in_range(clock_boot_us() - before_us, 0, 40000000);
    expect_answer(line, 4, ANSWER_SILENT);
    expect_answer(line, 1, ANSWER_NOT_SENT);
    assert_null(line_take(line));
    line_give(line, work_for(1));
    expect_answer(line, 1, ANSWER_NOT_SENT);
    line_free(line);
}

static void a_line_that_cannot_open_hands_work_back_at_once(void **state)
{
    (void)state;
    struct line *line = open_line(&fake, "none");
    struct work *news = take(line);

    assert_true(news->state_changed && !news->up);
    assert_string_equal(news->why, "there is no such port");
    work_free(news);
    line_give(line, work_for(1));
    expect_answer(line, 1, ANSWER_LINE_DOWN);
    line_free(line);
}

static void a_line_that_went_down_comes_back_after_a_second(void **state)
{
    (void)state;
    struct line *line = open_fake();
    int64_t before_us = clock_boot_us();

    line_give(line, work_for(3));
    expect_answer(line, 3, ANSWER_LINE_DOWN);
    expect_state(line, false);
    expect_state(line, true);
    assert_in_range(clock_boot_us() - before_us, 1000000, 60000000);
    line_give(line, work_for(1));
    expect_answer(line, 1, ANSWER_DONE);
    line_free(line);
}

/* The far end of a pseudo-terminal, reachable under a name that a test may move. */
struct far {
    int fd;
    char name[64];
};

static void far_open(struct far *far, const char *link)
{
    far->fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    assert_true(far->fd >= 0);
    assert_int_equal(grantpt(far->fd) | unlockpt(far->fd), 0);
    assert_int_equal(ptsname_r(far->fd, far->name, sizeof(far->name)), 0);
    if (link) {
        unlink(link);
        assert_int_equal(symlink(far->name, link), 0);
    }
}

/* Unit 1 answers a read of register 40 with 215. */
static void far_answer(struct far *far)
{
    static const uint8_t reply[] = {0x01, 0x03, 0x02, 0x00, 0xD7, 0xF8, 0x1A};
    struct pollfd wait = {.fd = far->fd, .events = POLLIN};
    uint8_t request[8];

    for (size_t have = 0; have < sizeof(request);) {
        assert_int_equal(poll(&wait, 1, 60000), 1);
        ssize_t n = read(far->fd, request + have, sizeof(request) - have);

        assert_true(n > 0);
        have += (size_t)n;
    }
    assert_int_equal(write(far->fd, reply, sizeof(reply)), sizeof(reply));
}

static void a_register_is_read_over_a_pty(void **state)
{
    (void)state;
    struct far far;

    far_open(&far, NULL);
    struct line *line = open_line(adapter_find("modbus-rtu"), far.name);

    expect_state(line, true);
    line_give(line, work_for(1));
    far_answer(&far);
    struct work *work = take(line);

    assert_string_equal(work->answer.text, "");
    assert_int_equal(work->answer.result, ANSWER_DONE);
    assert_int_equal(work->answer.words[0], 215);
    work_free(work);
    line_free(line);
    close(far.fd);
}

static void an_unplugged_port_is_told_at_once_and_comes_back(void **state)
{
    (void)state;
    struct far far;
    char link[] = "/tmp/jobgate-line-XXXXXX";

    close(mkstemp(link));
    far_open(&far, link);
    struct line *line = open_line(adapter_find("modbus-rtu"), link);

    expect_state(line, true);
    close(far.fd);
    expect_state(line, false);
    far_open(&far, link);
    expect_state(line, true);
    line_give(line, work_for(1));
    far_answer(&far);
    expect_answer(line, 1, ANSWER_DONE);
    line_free(line);
    close(far.fd);
    unlink(link);
}

static void closing_does_not_wait_for_a_long_time_out(void **state)
{
    (void)state;
    struct far far;
    struct work *work = work_for(1);

    far_open(&far, NULL);
    struct line *line = open_line(adapter_find("modbus-rtu"), far.name);

    expect_state(line, true);
    work->limits.timeout_us = 60000000;
    line_give(line, work);
    struct pollfd wait = {.fd = far.fd, .events = POLLIN};

    assert_int_equal(poll(&wait, 1, 60000), 1);
    int64_t before_us = clock_boot_us();

    line_close(line);
    assert_in_range(clock_boot_us() - before_us, 290000, 40000000);
    expect_answer(line, 1, ANSWER_SILENT);
    line_free(line);
    close(far.fd);
}

static void a_device_that_closes_an_idle_connection_is_no_news(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    struct adapter_settings settings = {
        .line = "plant", .host = "127.0.0.1", .tcp_port = ntohs(address.sin_port)};
    struct line *line;

    assert_int_equal(line_open(&line, adapter_find("modbus-tcp"), &settings), 0);
    expect_state(line, true);
    int first = accept(listener, NULL, NULL);

    usleep(3000000); /* a connection that held for a second is worth another */
    close(first);
    int second = accept(listener, NULL, NULL);

    assert_true(second >= 0);
    assert_null(line_take(line));
    close(listener);
    close(second);
    expect_state(line, false);
    line_free(line);
}

static void no_descriptor_is_lost_by_opening_again(void **state)
{
    (void)state;
    struct far far;

    far_open(&far, NULL);
    unsigned before = open_descriptors();

    for (int i = 0; i < 200; i++) {
        struct line *line =
            open_line(adapter_find("modbus-rtu"), i % 2 ? far.name : "/dev/null");

        expect_state(line, i % 2);
        line_free(line);
    }
    assert_int_equal(open_descriptors(), before);
    close(far.fd);
}

static void a_line_leaves_at_the_end_of_its_frame(void **state)
{
    struct line *line = open_fake();

    (void)state;
    assert_int_equal(line_overdue_us(line), 0);
    assert_int_equal(line_give(line, work_for(4)), 0); /* a minute, or until it is woken */
    bool left = false;
    for (int i = 0; !left && i < 3000; i++)
        left = line_leave(line, 10);
    assert_true(left);
    assert_true(line_leave(line, 0));
    line_free(line);
}

static void a_line_needs_its_settings_only_to_open(void **state)
{
    char name[] = "gone", port[] = "fake";
    struct adapter_settings settings = {.line = name, .port = port};
    struct line *line;

    (void)state;
    assert_int_equal(line_open(&line, &fake, &settings), 0);
    memset(name, 'x', strlen(name));
    memset(port, 'x', strlen(port));
    expect_state(line, true);
    assert_int_equal(line_give(line, work_for(3)), 0); /* goes down, and opens again */
    expect_answer(line, 3, ANSWER_LINE_DOWN);
    expect_state(line, false);
    expect_state(line, true);
    line_free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_comes_back_answered),
        cmocka_unit_test(a_lines_timers_are_punctual_and_its_real_time_is_bounded),
        cmocka_unit_test(a_third_item_is_refused),
        cmocka_unit_test(a_waiting_item_can_be_recalled),
        cmocka_unit_test(closing_hands_back_what_waits_unsent),
        cmocka_unit_test(a_line_that_cannot_open_hands_work_back_at_once),
        cmocka_unit_test(a_line_that_went_down_comes_back_after_a_second),
        cmocka_unit_test(a_register_is_read_over_a_pty),
        cmocka_unit_test(an_unplugged_port_is_told_at_once_and_comes_back),
        cmocka_unit_test(a_device_that_closes_an_idle_connection_is_no_news),
        cmocka_unit_test(closing_does_not_wait_for_a_long_time_out),
        cmocka_unit_test(no_descriptor_is_lost_by_opening_again),
        cmocka_unit_test(a_line_leaves_at_the_end_of_its_frame),
        cmocka_unit_test(a_line_needs_its_settings_only_to_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
