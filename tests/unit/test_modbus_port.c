/* The serial port: its lock, its mode, its words when it does not open. */
#include "adapters/adapter.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture_pty.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PTY(a_port_held_by_another_process_is_named_with_its_pid),
        WITH_PTY(a_line_holds_its_port_against_a_second_one),
        WITH_PTY(a_port_that_does_not_open_says_what_to_do),
        WITH_PTY(the_port_is_raw_and_at_its_speed),
        WITH_PTY(a_pty_is_not_exclusive),
        WITH_PTY(a_pty_left_in_the_same_mode_opens_again),
    };

    return cmocka_run_group_tests_name("modbus_port", tests, NULL, NULL);
}
