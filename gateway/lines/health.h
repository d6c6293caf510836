/*
 * Health: what a line has learned of one device from its answers and its silence. A plain value
 * and pure functions; lives with the engine, on the main loop.
 *
 * Times of a device are counted from the end of the request to the beginning of the answer, as
 * answer.waited_us gives them. The time-out that follows from them is three times the slowest
 * answer seen and 20 ms, within the line's timeout_min_ms and the configured time-out. A late
 * answer does no harm: the wire drops what another unit says, and health_rest_us() keeps the
 * unit itself from being asked what a late answer could be taken for.
 */
#ifndef JOBGATE_LINES_HEALTH_H
#define JOBGATE_LINES_HEALTH_H

#include "adapters/adapter.h"

/* A request that nobody answered in time, and that may be answered yet. */
struct unanswered {
    int64_t until_us; /* boot clock: later than this it will not come; 0: none */
    enum operation_kind kind;
    enum table table;
    uint16_t address, count;
};

struct device_health {
    int64_t slowest_us, slowest_before_us; /* of this window of answers, and of the last one */
    unsigned answers;                      /* in this window */
    bool met;                              /* it has answered */
    unsigned probes;                       /* of its own, that were not answered, in a row */
    int64_t probe_us; /* boot clock: not probed on the line's own account before */
    struct unanswered unanswered;
};

/* Within which bounds a time-out is learned. */
struct health_bounds {
    int64_t least_us, configured_us;
};

/* One answer, whatever it said. */
void health_learn(struct device_health *health, int64_t waited_us);
/* -1: never met. Remembers the last 64 to 128 answers, so that one slow answer is forgotten. */
int64_t health_slowest_us(const struct device_health *health);

/* For one try. `slowest_us` is the device's own or, where it was never met, what others of its
   kind taught; -1: nobody did, the configured one. The second try gives it four times as long,
   the last one of several all of it, so that a device that has become slow is not given up. */
int64_t health_timeout_us(int64_t slowest_us, const struct health_bounds *bounds, unsigned try,
                          unsigned tries);

/* Its request was not answered in time: until `until_us` the answer may yet come. */
void health_silent(struct device_health *health, const struct operation *operation,
                   int64_t until_us);
/* How long this operation has to wait for the sake of one that may be answered late, 0: not at
   all. The same request again need not: both its answers say the same. */
int64_t health_rest_us(const struct device_health *health, const struct operation *operation,
                       int64_t now_us);
/* It answered a repeat: the answer to that one may still be under way until `until_us`. */
void health_answered(struct device_health *health, int64_t now_us, int64_t until_us);

/* Probes of a device that is known to be silent, on the line's own account: 1 s after it fell
   silent, then twice as late each time, up to 60 s; a probe takes at most a fiftieth of the
   line. `cost_us` is what the silence cost. */
void health_put_off(struct device_health *health, int64_t now_us, int64_t cost_us);
/* Every fourth of them gets the configured time-out, for the sake of a device that has become
   slow; it is for a line where nobody waits. */
bool health_probe_is_long(const struct device_health *health);
int64_t health_probe_timeout_us(const struct device_health *health, int64_t slowest_us,
                                const struct health_bounds *bounds);
void health_heard(struct device_health *health);

#endif
