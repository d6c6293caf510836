#include "commands/scan_time.h"
#include "lines/health.h"

enum {
    THINK_CHARACTERS = 16, /* a device's loop is as slow as its line */
    CHARACTER_BITS = 11,
};

struct adapter_settings scan_settings_of(const struct scan *scan, const struct scan_way *way)
{
    struct adapter_settings settings = scan->settings;

    if (way->baud) {
        settings.baud = way->baud;
        settings.parity = way->parity;
        settings.stop_bits = way->stop_bits;
        settings.data_bits = 8;
    }
    return settings;
}

bool scan_expects_any(const struct scan *scan)
{
    for (unsigned number = 0; number < SCAN_UNITS; number++)
        if (scan->asks[number].wanted && scan->asks[number].expected)
            return true;
    return false;
}

/* Before anybody has answered: three times the least, and what a slow line makes slow. */
static int64_t guess_us(const struct scan *scan, const struct scan_ask *ask,
                        const struct scan_way *way)
{
    int64_t guess = 3 * scan->least_us;

    if (way->baud)
        guess += (int64_t)THINK_CHARACTERS * CHARACTER_BITS * 1000000 / way->baud;
    return guess < ask->configured_us ? guess : ask->configured_us;
}

static int64_t learned_us(const struct scan *scan, const struct scan_ask *ask,
                          int64_t slowest_us)
{
    struct health_bounds bounds = {.least_us = scan->least_us,
                                   .configured_us = ask->configured_us};

    return health_timeout_us(slowest_us, &bounds, 0, 2);
}

/* Behind a TCP endpoint may be a bus with a time-out of its own: who does not wait for that
   one's end finds the next request queued behind it. */
int64_t scan_first_us(const struct scan *scan, const struct scan_ask *ask,
                      const struct scan_way *way, int64_t slowest_us)
{
    if (scan->first_us)
        return scan->first_us;
    if (!scan->adapter->serial)
        return ask->configured_us;
    return slowest_us < 0 ? guess_us(scan, ask, way) : learned_us(scan, ask, slowest_us);
}

/* All its time for a device of the site. For a number that most likely nobody has twice what
   was learned, and no less than at the very first. */
int64_t scan_patient_us(const struct scan *scan, const struct scan_ask *ask,
                        const struct scan_way *way, int64_t slowest_us)
{
    int64_t patient = guess_us(scan, ask, way);

    if (ask->expected)
        patient = ask->configured_us;
    else if (slowest_us >= 0 && 2 * learned_us(scan, ask, slowest_us) > patient)
        patient = 2 * learned_us(scan, ask, slowest_us);
    if (patient > ask->configured_us)
        patient = ask->configured_us;
    return patient > scan->first_us ? patient : scan->first_us;
}

struct scan_time scan_time_of(const struct scan *scan, const struct scan_way *way,
                              bool expected_only)
{
    struct adapter_settings settings = scan_settings_of(scan, way);
    bool once = expected_only || !scan->adapter->serial;
    struct scan_time time = {0};

    expected_only = expected_only && scan_expects_any(scan);
    for (unsigned number = 0; number < SCAN_UNITS; number++) {
        const struct scan_ask *ask = &scan->asks[number];
        struct operation probe = ask->probe;
        struct frame_cost cost;

        if (!ask->wanted || (expected_only && !ask->expected))
            continue;
        probe.unit = (uint8_t)number;
        scan->adapter->frame(&settings, &probe, &cost);
        time.units++;
        time.least_us += cost.least_us;
        time.silent_us += cost.least_us + scan_first_us(scan, ask, way, -1);
        if (!once)
            time.silent_us += cost.least_us + scan_patient_us(scan, ask, way, -1);
    }
    return time;
}
