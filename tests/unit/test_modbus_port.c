/* The serial port: its lock, its mode, its words when it does not open, and the silence on it.
 */
#include "adapters/adapter.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

struct pty {
    int far;
    char name[64];
    char why[200];
};

static int open_pty(void **state)
{
    struct pty *pty = calloc(1, sizeof(*pty));

    assert_non_null(pty);
    pty->far = posix_openpt(O_RDWR | O_NOCTTY);
    assert_int_equal(grantpt(pty->far) | unlockpt(pty->far), 0);
    assert_int_equal(ptsname_r(pty->far, pty->name, sizeof(pty->name)), 0);
    *state = pty;
    return 0;
}

static int close_pty(void **state)
{
    struct pty *pty = *state;

    close(pty->far);
    free(pty);
    return 0;
}

static int try_port(struct pty *pty, const char *port, unsigned baud, bool rs485,
                    struct adapter_line **line)
{
    struct adapter_settings settings = {.line = "test",
                                        .port = port,
                                        .baud = baud,
                                        .parity = 'E',
                                        .data_bits = 8,
                                        .stop_bits = 1,
                                        .rs485 = rs485};

    return adapter_find("modbus-rtu")->open(line, &settings, -1, pty->why, sizeof(pty->why));
}

static struct adapter_line *open_port(struct pty *pty, unsigned baud)
{
    struct adapter_line *line = NULL;

    assert_int_equal(try_port(pty, pty->name, baud, false, &line), 0);
    return line;
}

static void close_port(struct adapter_line *line)
{
    adapter_find("modbus-rtu")->close(line);
}

static void a_port_held_by_another_process_is_named_with_its_pid(void **state)
{
    struct pty *pty = *state;
    struct adapter_line *line;
    int ready[2];
    char byte, wanted[100];

    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();

    if (child == 0) {
        int fd = open(pty->name, O_RDWR | O_NOCTTY);

        if (fd < 0 || flock(fd, LOCK_EX) != 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    int r = try_port(pty, pty->name, 19200, false, &line);

    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    assert_int_equal(r, -EBUSY);
    snprintf(wanted, sizeof(wanted), "port %s is held by process %d", pty->name, (int)child);
    assert_string_equal(pty->why, wanted);
}

static void a_line_holds_its_port_against_a_second_one(void **state)
{
    struct pty *pty = *state;
    struct adapter_line *line = open_port(pty, 19200);
    struct adapter_line *second;
    int fd = open(pty->name, O_RDWR | O_NOCTTY);

    assert_int_not_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);
    assert_int_equal(try_port(pty, pty->name, 19200, false, &second), -EBUSY);
    close_port(line);
    close_port(open_port(pty, 19200));
}

static void a_port_that_does_not_open_says_what_to_do(void **state)
{
    struct pty *pty = *state;
    struct adapter_line *line;

    assert_int_equal(try_port(pty, "/dev/no-such-port", 9600, false, &line), -ENOENT);
    assert_string_equal(pty->why,
                        "port /dev/no-such-port does not exist: is the adapter plugged in?");
    assert_true(try_port(pty, "/dev/null", 9600, false, &line) < 0);
    assert_string_equal(pty->why, "/dev/null is not a serial port");
    assert_int_equal(try_port(pty, pty->name, 19000, false, &line), -EINVAL);
    assert_string_equal(pty->why, "a speed of 19000 baud does not exist");
    assert_true(try_port(pty, pty->name, 19200, true, &line) < 0);
    assert_non_null(strstr(pty->why, "no direction control by the kernel"));
}

static void the_port_is_raw_and_at_its_speed(void **state)
{
    struct pty *pty = *state;
    struct adapter_line *line = open_port(pty, 57600);
    struct termios mode;

    assert_int_equal(tcgetattr(adapter_find("modbus-rtu")->fd(line), &mode), 0);
    assert_int_equal(cfgetospeed(&mode), B57600);
    assert_int_equal(cfgetispeed(&mode), B57600);
    assert_int_equal(mode.c_lflag & (ICANON | ECHO | ISIG | IEXTEN), 0);
    assert_int_equal(mode.c_oflag & OPOST, 0);
    assert_int_equal(mode.c_iflag & (ICRNL | IXON | ISTRIP), 0);
    assert_int_equal(mode.c_cflag & CSIZE, CS8);
    close_port(line);
}

/* Else a crash would keep the gateway out until the simulator ends. */
static void a_pty_is_not_exclusive(void **state)
{
    struct pty *pty = *state;
    struct adapter_line *line = open_port(pty, 19200);
    int exclusive = 1;

    assert_int_equal(ioctl(adapter_find("modbus-rtu")->fd(line), TIOCGEXCL, &exclusive), 0);
    assert_int_equal(exclusive, 0);
    close_port(line);
}

/* A pty keeps no parity, and refuses the same mode a second time. */
static void a_pty_left_in_the_same_mode_opens_again(void **state)
{
    struct pty *pty = *state;
    int keeps = open(pty->name, O_RDWR | O_NOCTTY);

    for (int i = 0; i < 3; i++)
        close_port(open_port(pty, 19200));
    close(keeps);
}

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

    poll(&wait, 1, 10000);
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
        .timeout_us = 5000000, .gap_us = gap_us, .deadline_us = MOMENT_NEVER};
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
        .timeout_us = 5000000, .gap_us = 50000, .deadline_us = MOMENT_NEVER};
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

static void *babble(void *arg)
{
    int far = *(int *)arg;

    for (int i = 0; i < 1500; i++) {
        if (write(far, "\xFE", 1) != 1)
            break;
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
    struct answer answer;
    pthread_t thread;

    pthread_create(&thread, NULL, babble, &pty->far);
    adapter_find("modbus-rtu")->execute(line, &write, &limits, -1, &answer);
    pthread_join(thread, NULL);
    assert_int_equal(answer.result, ANSWER_BAD_REPLY);
    assert_false(answer.reached);
    close_port(line);
}

#define WITH_PTY(test) cmocka_unit_test_setup_teardown(test, open_pty, close_pty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PTY(a_port_held_by_another_process_is_named_with_its_pid),
        WITH_PTY(a_line_holds_its_port_against_a_second_one),
        WITH_PTY(a_port_that_does_not_open_says_what_to_do),
        WITH_PTY(the_port_is_raw_and_at_its_speed),
        WITH_PTY(a_pty_is_not_exclusive),
        WITH_PTY(a_pty_left_in_the_same_mode_opens_again),
        WITH_PTY(the_silence_of_3_5_characters_is_never_undercut),
        WITH_PTY(a_gap_comes_on_top_of_the_silence),
        WITH_PTY(what_came_uncalled_is_dropped_and_the_silence_begins_anew),
        WITH_PTY(the_end_of_the_own_frame_is_computed),
        WITH_PTY(nothing_is_sent_after_its_time),
        WITH_PTY(a_line_that_is_never_silent_is_a_bad_reply),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
