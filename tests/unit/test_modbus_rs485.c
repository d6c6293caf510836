/* rs485 = true: the kernel is asked to switch the direction of the port, and a driver that
   cannot is told in words. No pseudo-terminal can, so ioctl() is played here. */
#include "adapters/adapter.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct serial_rs485 asked; /* the last that was set */
static unsigned times;
static int refusal; /* errno of the driver, 0: it can */

/* In place of the C library's, for the adapter and for libmodbus. */
int ioctl(int fd, unsigned long request, ...)
{
    int (*real)(int, unsigned long, ...) = NULL;
    va_list args;

    va_start(args, request);
    void *argument = va_arg(args, void *);
    va_end(args);
    if (request == TIOCGRS485 || request == TIOCSRS485) {
        if (refusal) {
            errno = refusal;
            return -1;
        }
        if (request == TIOCGRS485) {
            *(struct serial_rs485 *)argument = asked;
            return 0;
        }
        asked = *(struct serial_rs485 *)argument;
        times++;
        return 0;
    }
    *(void **)(&real) = dlsym(RTLD_NEXT, "ioctl");
    return real(fd, request, argument);
}

static char why[200];

static int open_with(bool rs485)
{
    struct adapter_line *line = NULL;
    char name[64];
    int far = posix_openpt(O_RDWR | O_NOCTTY);

    assert_int_equal(grantpt(far) | unlockpt(far), 0);
    assert_int_equal(ptsname_r(far, name, sizeof(name)), 0);
    struct adapter_settings settings = {.line = "test",
                                        .port = name,
                                        .baud = 19200,
                                        .parity = 'E',
                                        .data_bits = 8,
                                        .stop_bits = 1,
                                        .rs485 = rs485};
    memset(&asked, 0, sizeof(asked));
    times = 0;
    why[0] = '\0';
    int r = adapter_find("modbus-rtu")->open(&line, &settings, -1, why, sizeof(why));
    if (r == 0)
        adapter_find("modbus-rtu")->close(line);
    close(far);
    return r;
}

static void the_kernel_is_asked_to_switch_the_direction(void **state)
{
    (void)state;
    refusal = 0;
    assert_int_equal(open_with(true), 0);
    assert_int_equal(times, 1);
    assert_true(asked.flags & SER_RS485_ENABLED);
}

static void without_rs485_it_is_not_asked(void **state)
{
    (void)state;
    refusal = 0;
    assert_int_equal(open_with(false), 0);
    assert_int_equal(times, 0);
}

static void a_driver_that_cannot_is_named_in_a_sentence(void **state)
{
    (void)state;
    refusal = ENOTTY;
    assert_true(open_with(true) < 0);
    assert_non_null(strstr(why, "has no direction control by the kernel (Inappropriate ioctl"));
    assert_non_null(strstr(why, "remove rs485 = true"));
    refusal = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_is_asked_to_switch_the_direction),
        cmocka_unit_test(without_rs485_it_is_not_asked),
        cmocka_unit_test(a_driver_that_cannot_is_named_in_a_sentence),
    };

    /* There the C library's ioctl() has another name for us than for libmodbus. */
    if (sizeof(time_t) > sizeof(long))
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
