/*
 * Clock: the two clocks of a gateway without a clock battery.
 *
 * Durations and deadlines count on CLOCK_BOOTTIME, which never jumps. The wall clock is
 * for start times and time stamps only, and only while it is trusted. Code that decides
 * something gets a struct moment as an argument, so that tests can bring their own time.
 */
#ifndef JOBGATE_BASE_CLOCK_H
#define JOBGATE_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define MOMENT_NEVER INT64_MAX

struct moment {
    int64_t boot_us; /* CLOCK_BOOTTIME, microseconds */
    int64_t wall_ms; /* CLOCK_REALTIME, milliseconds since 1970-01-01 UTC */
    bool trusted;    /* the wall clock may be believed */
};

int64_t clock_boot_us(void);
int64_t clock_wall_ms(void);

/* Both clocks now; `trusted` is the caller's knowledge. */
struct moment clock_now(bool trusted);

#endif
