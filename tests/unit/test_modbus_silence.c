/* When a serial line sends: never before its silence is over, and nothing late. */
#include "adapters/adapter.h"
#include "base/clock.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture_pty.h"

/* Answers reads of one register; notes when it began to answer and when the next one came. */
struct device {
    int far;
    int exchanges;
    int64_t least_pause_us;
    int64_t typical_pause_us;
};

static int compare_times(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static bool answer_one(int far, int64_t *asked_us, int64_t *answered_us)
{
    static const uint8_t reply[] = {0x01, 0x03, 0x02, 0x00, 0xD7, 0xF8, 0x1A};
    struct pollfd wait = {.fd = far, .events = POLLIN};
    uint8_t request[8];

    poll(&wait, 1, 60000);
    *asked_us = clock_boot_us();
    if (read(far, request, sizeof(request)) != sizeof(request))
        return false;
    usleep(10000); /* its own characters would take as long: 8 of 1.146 ms at 9600 baud */
    *answered_us = clock_boot_us();
    return write(far, reply, sizeof(reply)) == sizeof(reply);
}

static void *answer_reads(void *arg)
{
    struct device *device = arg;
    int64_t pauses[64], asked_us, before_us, answered_us = 0;

    for (int i = 0; i < device->exchanges; i++) {
        before_us = answered_us;
        if (!answer_one(device->far, &asked_us, &answered_us))
            break;
        if (i)
            pauses[i - 1] = asked_us - before_us;
    }
    if (device->exchanges < 2)
        return NULL;
    qsort(pauses, (size_t)device->exchanges - 1, sizeof(pauses[0]), compare_times);
    device->least_pause_us = pauses[0];
    device->typical_pause_us = pauses[device->exchanges / 2 - 1];
    return NULL;
}

static void exchange_many(struct adapter_line *line, struct device *device, int64_t gap_us)
{
    const struct operation read = {
        .kind = OPERATION_READ, .table = TABLE_HOLDING, .unit = 1, .count = 1};
    const struct limits limits = {
        .timeout_us = 60000000, .gap_us = gap_us, .deadline_us = MOMENT_NEVER};
    struct answer answer;
    pthread_t thread;

    pthread_create(&thread, NULL, answer_reads, device);
    for (int i = 0; i < device->exchanges; i++) {
        adapter_find("modbus-rtu")->execute(line, &read, &limits, -1, &answer);
        assert_int_equal(answer.result, ANSWER_DONE);
    }
    pthread_join(thread, NULL);
}

static void the_silence_of_3_5_characters_is_never_undercut(void **state)
{
    struct pty *pty = *state;
    struct adapter_line *line = open_port(pty, 9600);
    struct device device = {.far = pty->far, .exchanges = 30};

    exchange_many(line, &device, 0);
    print_message("wanted 4011 us, least %lld us, typical %lld us\n",
                  (long long)device.least_pause_us, (long long)device.typical_pause_us);
    assert_true(device.least_pause_us >= 4011);
    close_port(line);
}

static void a_gap_comes_on_top_of_the_silence(void **state)
{
    struct pty *pty = *state;
    struct adapter_line *line = open_port(pty, 9600);
    struct device device = {.far = pty->far, .exchanges = 5};

    exchange_many(line, &device, 20000);
    assert_true(device.least_pause_us >= 24011);
    close_port(line);
}

static void what_came_uncalled_is_dropped_and_the_silence_begins_anew(void **state)
{
    struct pty *pty = *state;
    struct adapter_line *line = open_port(pty, 9600);
    struct device device = {.far = pty->far, .exchanges = 1};
    const struct operation read = {
        .kind = OPERATION_READ, .table = TABLE_HOLDING, .unit = 1, .count = 1};
    const struct limits limits = {
        .timeout_us = 60000000, .gap_us = 50000, .deadline_us = MOMENT_NEVER};
    struct answer answer;
    uint8_t noise[1500];
    pthread_t thread;

    memset(noise, 0xFE, sizeof(noise));
    int64_t said_us = clock_boot_us();
    assert_int_equal(write(pty->far, noise, sizeof(noise)), sizeof(noise));
    pthread_create(&thread, NULL, answer_reads, &device);
    adapter_find("modbus-rtu")->execute(line, &read, &limits, -1, &answer);
    pthread_join(thread, NULL);
    assert_int_equal(answer.result, ANSWER_DONE);
    assert_int_equal(answer.late, 1);
    assert_true(answer.started_us - said_us >= limits.gap_us + 4011);
    close_port(line);
}

/* The pty swallows a frame at once; on a wire it would take 17 ms at 4800 baud. */
static void the_end_of_the_own_frame_is_computed(void **state)
{
    struct pty *pty = *state;
    struct adapter_line *line = open_port(pty, 4800);
    const struct operation read = {
        .kind = OPERATION_READ, .table = TABLE_HOLDING, .unit = 1, .count = 1};
    const struct limits limits = {.timeout_us = 0, .deadline_us = MOMENT_NEVER};
    struct answer first, second;

    adapter_find("modbus-rtu")->execute(line, &read, &limits, -1, &first);
    adapter_find("modbus-rtu")->execute(line, &read, &limits, -1, &second);
    assert_int_equal(first.result, ANSWER_SILENT);
    /* own 8 and the answer's 7 characters of 2291.7 us */
    assert_true(second.started_us - first.started_us >= 34375);
    close_port(line);
}

static void nothing_is_sent_after_its_time(void **state)
{
    struct pty *pty = *state;
    struct adapter_line *line = open_port(pty, 9600);
    const struct operation write = {
        .kind = OPERATION_WRITE, .table = TABLE_HOLDING, .unit = 1, .count = 1};
    const struct limits limits = {.timeout_us = 1000, .deadline_us = clock_boot_us() - 1};
    struct pollfd said = {.fd = pty->far, .events = POLLIN};
    struct answer answer;

    adapter_find("modbus-rtu")->execute(line, &write, &limits, -1, &answer);
    assert_int_equal(answer.result, ANSWER_NOT_SENT);
    assert_false(answer.reached);
    assert_int_equal(poll(&said, 1, 0), 0);
    close_port(line);
}

struct told {
    int wake_fd; /* is rung at once */
    int64_t first_us;
};

static void tell(void *ctx)
{
    struct told *told = ctx;

    if (told->first_us == 0)
        told->first_us = clock_boot_us();
    eventfd_write(told->wake_fd, 1);
}

static void look_when_told(struct adapter_line *line, int64_t gap_us, struct told *told,
                           struct answer *answer)
{
    const struct operation read = {
        .kind = OPERATION_READ, .table = TABLE_HOLDING, .unit = 1, .count = 1};
    struct limits limits = {
        .gap_us = gap_us, .deadline_us = MOMENT_NEVER, .meanwhile = tell, .ctx = told};

    *told = (struct told){.wake_fd = eventfd(0, EFD_NONBLOCK)};
    adapter_find("modbus-rtu")->execute(line, &read, &limits, told->wake_fd, answer);
    close(told->wake_fd);
}

static void what_can_wait_waits_until_the_request_is_out(void **state)
{
    struct adapter_line *line = open_port(*state, 9600);
    struct answer answer;
    struct told told;

    look_when_told(line, 0, &told, &answer);
    assert_int_equal(answer.result, ANSWER_SILENT);
    assert_true(told.first_us >= answer.started_us);
    close_port(line);
}

static void what_can_wait_does_not_wait_for_a_long_gap(void **state)
{
    struct adapter_line *line = open_port(*state, 9600);
    struct answer answer;
    struct told told;

    look_when_told(line, 60000000, &told, &answer);
    assert_int_equal(answer.result, ANSWER_NOT_SENT); /* it stopped the line */
    assert_true(told.first_us > 0);
    close_port(line);
}

struct babbler {
    int far;
    atomic_bool over;
    int64_t longest_us; /* pause of the babbler itself, which a busy machine may hold up */
};

static void *babble(void *arg)
{
    struct babbler *babbler = arg;
    int64_t before_us = clock_boot_us();

    while (!atomic_load(&babbler->over) && write(babbler->far, "\xFE", 1) == 1) {
        int64_t now_us = clock_boot_us();

        if (now_us - before_us > babbler->longest_us)
            babbler->longest_us = now_us - before_us;
        before_us = now_us;
        usleep(1000);
    }
    return NULL;
}

static void a_line_that_is_never_silent_is_a_bad_reply(void **state)
{
    struct pty *pty = *state;
    struct adapter_line *line = open_port(pty, 300); /* 128 ms of silence are wanted */
    const struct operation write = {
        .kind = OPERATION_WRITE, .table = TABLE_HOLDING, .unit = 1, .count = 1};
    const struct limits limits = {.timeout_us = 1000, .deadline_us = MOMENT_NEVER};
    struct answer answer = {0};

    for (int i = 0; i < 20 && answer.result != ANSWER_BAD_REPLY; i++) {
        struct babbler babbler = {.far = pty->far};
        pthread_t thread;

        pthread_create(&thread, NULL, babble, &babbler);
        adapter_find("modbus-rtu")->execute(line, &write, &limits, -1, &answer);
        atomic_store(&babbler.over, true);
        pthread_join(thread, NULL);
        if (babbler.longest_us < 100000) /* else it was silent for once */
            break;
    }
    assert_int_equal(answer.result, ANSWER_BAD_REPLY);
    assert_false(answer.reached);
    close_port(line);
}

static void sleep_long(int signal)
{
    (void)signal;
    usleep(1300000);
}

static void *write_once(void *arg)
{
    const struct operation write = {
        .kind = OPERATION_WRITE, .table = TABLE_HOLDING, .unit = 1, .count = 1};
    const struct limits limits = {.timeout_us = 1000, .deadline_us = MOMENT_NEVER};
    static struct answer answer;

    adapter_find("modbus-rtu")->execute(arg, &write, &limits, -1, &answer);
    return &answer;
}

/* The thread sleeps where it waits for silence, as one does that gets no processor; meanwhile a
   single byte comes. */
static void who_oversleeps_the_silence_finds_a_silent_line(void **state)
{
    struct pty *pty = *state;
    struct adapter_line *line = open_port(pty, 300); /* 128 ms of silence are wanted */
    struct sigaction handler = {.sa_handler = sleep_long}, before;
    void *answer;
    pthread_t thread;

    assert_int_equal(sigaction(SIGUSR1, &handler, &before), 0);
    assert_int_equal(pthread_create(&thread, NULL, write_once, line), 0);
    usleep(30000);
    pthread_kill(thread, SIGUSR1);
    usleep(100000);
    assert_int_equal(write(pty->far, "\xFE", 1), 1);
    pthread_join(thread, &answer);
    assert_int_equal(((struct answer *)answer)->result, ANSWER_SILENT);
    close_port(line);
    assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PTY(the_silence_of_3_5_characters_is_never_undercut),
        WITH_PTY(a_gap_comes_on_top_of_the_silence),
        WITH_PTY(what_came_uncalled_is_dropped_and_the_silence_begins_anew),
        WITH_PTY(the_end_of_the_own_frame_is_computed),
        WITH_PTY(nothing_is_sent_after_its_time),
        WITH_PTY(what_can_wait_waits_until_the_request_is_out),
        WITH_PTY(what_can_wait_does_not_wait_for_a_long_gap),
        WITH_PTY(a_line_that_is_never_silent_is_a_bad_reply),
        WITH_PTY(who_oversleeps_the_silence_finds_a_silent_line),
    };

    return cmocka_run_group_tests_name("modbus_silence", tests, NULL, NULL);
}
