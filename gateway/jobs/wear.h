/*
 * Wear: how often a point whose memory wears (max_writes_per_day) has been written within the
 * last day. Plain values, counted by the hour of a clock that never jumps, so that a write
 * stays in the count for 24 hours and until its hour is over: never for less.
 *
 * That clock is microseconds of the gateway's own: it goes on with the boot clock, and over a
 * restart of the machine by what is known for sure (engine_wear.c).
 */
#ifndef JOBGATE_JOBS_WEAR_H
#define JOBGATE_JOBS_WEAR_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { WEAR_HOURS = 25 };

struct wear {
    char *point;                 /* its name: the site may change around it */
    int64_t hour;                /* of the newest count */
    uint32_t counts[WEAR_HOURS]; /* by hour modulo 25 */
};

/* The points of one device that have been written at all. */
struct wears {
    struct wear *items;
    size_t count;
};

void wears_deinit(struct wears *wears);

/* One more write. 0 or -ENOMEM. */
int wears_add(struct wears *wears, const char *point, int64_t now_us);
uint32_t wears_used(const struct wears *wears, const char *point, int64_t now_us);
/* Microseconds until some of the counted writes leave the count; 0: none is counted. */
int64_t wears_free_us(const struct wears *wears, const char *point, int64_t now_us);

/* {"point": [[hour, count], ...]}: what still counts; new reference. */
json_t *wears_keep(const struct wears *wears, int64_t now_us);
/* Takes that over; what cannot be read is left out. 0 or -ENOMEM. */
int wears_recall(struct wears *wears, const json_t *kept);

#endif
