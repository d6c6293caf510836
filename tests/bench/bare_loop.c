/*
 * Bare loop: what a plain libmodbus program reaches on a line when it keeps the silence to the
 * microsecond and does nothing else. The yardstick of the benchmark.
 *
 * bare_loop PORT BAUD UNITS ADDRESS VALUE [check]: writes VALUE to one register of units 1 to
 * UNITS by function 6, with `check` reads each back; prints the seconds from the first byte to
 * the last. No parity, two stop bits: a pseudo-terminal has no parity, and a character is as
 * long as with one.
 */
#include <errno.h>
#include <modbus/modbus.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

enum { CHARACTER_BITS = 11 };

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void wait_until(int64_t ns)
{
    struct timespec then = {.tv_sec = (time_t)(ns / 1000000000),
                            .tv_nsec = (long)(ns % 1000000000)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL) == EINTR)
        ;
}

/* 3.5 characters, above 19200 baud 1.75 ms (Modbus over Serial Line 1.02, 2.5.1.1). */
static int64_t silence_ns(int baud)
{
    return baud > 19200 ? 1750000 : INT64_C(3500000000) * CHARACTER_BITS / baud;
}

static int write_all(modbus_t *modbus, int baud, int units, int address, int value, bool check)
{
    int64_t pause = silence_ns(baud), quiet_from = now_ns() - pause;
    uint16_t holds;

    for (int unit = 1; unit <= units; unit++) {
        modbus_set_slave(modbus, unit);
        wait_until(quiet_from + pause);
        if (modbus_write_register(modbus, address, (uint16_t)value) != 1)
            return -1;
        quiet_from = now_ns();
        if (!check)
            continue;
        wait_until(quiet_from + pause);
        if (modbus_read_registers(modbus, address, 1, &holds) != 1 || holds != value)
            return -1;
        quiet_from = now_ns();
    }
    return 0;
}

int main(int argc, char **argv)
{
    modbus_t *modbus;
    int64_t begun;
    int baud;
    int r;

    if (argc < 6) {
        fprintf(stderr, "usage: bare_loop PORT BAUD UNITS ADDRESS VALUE [check]\n");
        return 2;
    }
    baud = (int)strtol(argv[2], NULL, 10);
    prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0); /* the default adds 50 us to each pause */
    modbus = modbus_new_rtu(argv[1], baud, 'N', 8, 2);
    if (!modbus || modbus_connect(modbus) < 0) {
        fprintf(stderr, "bare_loop: %s: %s\n", argv[1], modbus_strerror(errno));
        modbus_free(modbus);
        return 1;
    }
    wait_until(now_ns() + silence_ns(baud)); /* the program before may just have ended */
    begun = now_ns();
    r = write_all(modbus, baud, (int)strtol(argv[3], NULL, 10), (int)strtol(argv[4], NULL, 10),
                  (int)strtol(argv[5], NULL, 10), argc > 6);
    if (r < 0)
        fprintf(stderr, "bare_loop: %s\n", modbus_strerror(errno));
    else
        printf("%.6f\n", (double)(now_ns() - begun) / 1e9);
    modbus_close(modbus);
    modbus_free(modbus);
    return r < 0 ? 1 : 0;
}
