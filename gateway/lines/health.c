#include "lines/health.h"

enum {
    WINDOW_ANSWERS = 64,
    MARGIN_US = 20000,
    PROBE_FIRST_US = 1000000,
    PROBE_MOST_US = 60000000,
    PROBE_SHARE = 50, /* a probe is worth at most so much of the time between two */
    PROBE_DOUBLINGS = 6,
    PROBE_LONG = 4,
};

void health_learn(struct device_health *health, int64_t waited_us)
{
    if (waited_us < 0)
        waited_us = 0;
    if (health->answers == WINDOW_ANSWERS) {
        health->slowest_before_us = health->slowest_us;
        health->slowest_us = 0;
        health->answers = 0;
    }
    health->answers++;
    health->met = true;
    if (waited_us > health->slowest_us)
        health->slowest_us = waited_us;
}

int64_t health_slowest_us(const struct device_health *health)
{
    if (!health->met)
        return -1;
    return health->slowest_us > health->slowest_before_us ? health->slowest_us
                                                          : health->slowest_before_us;
}

static int64_t within(int64_t wanted_us, const struct health_bounds *bounds)
{
    if (wanted_us < bounds->least_us)
        wanted_us = bounds->least_us;
    return wanted_us < bounds->configured_us ? wanted_us : bounds->configured_us;
}

int64_t health_timeout_us(int64_t slowest_us, const struct health_bounds *bounds, unsigned try,
                          unsigned tries)
{
    if (slowest_us < 0 || (tries > 1 && try + 1 >= tries))
        return bounds->configured_us;
    int64_t learned_us = within(3 * slowest_us + MARGIN_US, bounds);

    return try == 0 ? learned_us : within(4 * learned_us, bounds);
}

void health_silent(struct device_health *health, const struct operation *operation,
                   int64_t until_us)
{
    health->unanswered = (struct unanswered){.until_us = until_us,
                                             .kind = operation->kind,
                                             .table = operation->table,
                                             .address = operation->address,
                                             .count = operation->count};
}

/* A write's answer repeats the address and the value, and is compared with both. Only a reading
   can be taken for another one: of the same table and length, with no address in it. */
int64_t health_rest_us(const struct device_health *health, const struct operation *operation,
                       int64_t now_us)
{
    const struct unanswered *open = &health->unanswered;
    bool reads = operation->kind != OPERATION_WRITE && open->kind != OPERATION_WRITE;
    bool same = open->kind == operation->kind && open->address == operation->address &&
                open->table == operation->table && open->count == operation->count;

    if (open->until_us <= now_us || !reads || (same && operation->kind == OPERATION_READ))
        return 0;
    return open->until_us - now_us;
}

void health_answered(struct device_health *health, int64_t now_us, int64_t until_us)
{
    if (health->unanswered.until_us <= now_us)
        health->unanswered.until_us = 0;
    else
        health->unanswered.until_us = until_us;
}

void health_put_off(struct device_health *health, int64_t now_us, int64_t cost_us)
{
    unsigned doublings = health->probes < PROBE_DOUBLINGS ? health->probes : PROBE_DOUBLINGS;
    int64_t pause_us = INT64_C(1) * PROBE_FIRST_US << doublings;

    if (pause_us > PROBE_MOST_US)
        pause_us = PROBE_MOST_US;
    if (pause_us < cost_us * PROBE_SHARE)
        pause_us = cost_us * PROBE_SHARE;
    health->probes++;
    health->probe_us = now_us + pause_us;
}

bool health_probe_is_long(const struct device_health *health)
{
    return health->probes % PROBE_LONG == 0;
}

int64_t health_probe_timeout_us(const struct device_health *health, int64_t slowest_us,
                                const struct health_bounds *bounds)
{
    if (health_probe_is_long(health))
        return bounds->configured_us;
    return health_timeout_us(slowest_us, bounds, 0, 1);
}

void health_heard(struct device_health *health)
{
    health->probes = 0;
    health->probe_us = 0;
}
