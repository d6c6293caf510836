/*
 * Pace: when the broker link tries again, and when it gives way. Pure; times are of the boot
 * clock in microseconds.
 *
 * After the n-th failure in a row it waits a random part of 1, 2, 4 ... longest_us, so that a
 * building's gateways do not return all at once. Three times thrown off by another client of
 * the same id within a minute, and let in again at each try: two gateways believe to be one,
 * and each would throw off the other for ever; this one leaves for ten minutes.
 */
#ifndef JOBGATE_LINKS_BROKER_PACE_H
#define JOBGATE_LINKS_BROKER_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_GIVE_WAY_US INT64_C(600000000)

struct pace {
    unsigned failures;        /* in a row */
    int64_t taken_over_us[3]; /* the last ones, 0: none */
    int64_t longest_us;       /* pause; 0: 120 s */
};

/* A session is over, `lasted_us` after it was connected (-1: never was). Returns the pause
   before the next try. `random` is any number. */
int64_t pace_next(struct pace *pace, int64_t lasted_us, uint32_t random);
/* It ended by a take-over at `now_us`: true when it is time to give way. */
bool pace_gives_way(struct pace *pace, int64_t now_us);

#endif
