/* A pseudo-terminal with a Modbus line on it, for tests of the serial adapter. Include cmocka.h
   first. */
#ifndef TESTS_UNIT_FIXTURE_PTY_H
#define TESTS_UNIT_FIXTURE_PTY_H

#include "adapters/adapter.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct pty {
    int far;
    char name[64];
    char why[200];
};

static inline int open_pty(void **state)
{
    struct pty *pty = calloc(1, sizeof(*pty));

    assert_non_null(pty);
    pty->far = posix_openpt(O_RDWR | O_NOCTTY);
    assert_int_equal(grantpt(pty->far) | unlockpt(pty->far), 0);
    assert_int_equal(ptsname_r(pty->far, pty->name, sizeof(pty->name)), 0);
    *state = pty;
    return 0;
}

static inline int close_pty(void **state)
{
    struct pty *pty = *state;

    close(pty->far);
    free(pty);
    return 0;
}

static inline int try_port(struct pty *pty, const char *port, unsigned baud, bool rs485,
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

static inline struct adapter_line *open_port(struct pty *pty, unsigned baud)
{
    struct adapter_line *line = NULL;

    assert_int_equal(try_port(pty, pty->name, baud, false, &line), 0);
    return line;
}

static inline void close_port(struct adapter_line *line)
{
    adapter_find("modbus-rtu")->close(line);
}

#define WITH_PTY(test) cmocka_unit_test_setup_teardown(test, open_pty, close_pty)

#endif
