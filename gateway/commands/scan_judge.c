#include "commands/scan_judge.h"

enum {
    NOISY_LEAST = 4,    /* so many units garbled are no doubles any more, */
    NOISY_SHARE = 8,    /* nor is such a part of those that were asked */
    EVERYONE_LEAST = 8, /* an endpoint that answers for so many units, and leaves out none */
};

const char *scan_result_name(enum scan_result result)
{
    switch (result) {
    case SCAN_NOT_ASKED:
        return "not asked";
    case SCAN_SILENT:
        return "silent";
    case SCAN_ANSWERS:
        return "answers";
    case SCAN_GARBLED:
        return "garbled";
    case SCAN_DOUBLE:
        return "two devices";
    }
    return "";
}

/* One spoilt answer among good ones, or one burst of noise where nobody is, happens on any
   line; a unit of two devices is spoilt again and again. */
enum scan_result scan_result_of(const struct scan_unit *unit)
{
    if (unit->asked == 0)
        return SCAN_NOT_ASKED;
    if (unit->doubled)
        return SCAN_DOUBLE;
    if (unit->garbled > unit->answered && (unit->garbled > 1 || unit->asked == 1))
        return SCAN_GARBLED;
    return unit->answered ? SCAN_ANSWERS : SCAN_SILENT;
}

static void count(const struct scan_ask *ask, enum scan_result result, struct scan_sum *sum)
{
    sum->wanted++;
    sum->asked += result != SCAN_NOT_ASKED;
    sum->garbled += result == SCAN_GARBLED;
    sum->doubled += result == SCAN_DOUBLE;
    if (!ask->expected) {
        sum->strange += result == SCAN_ANSWERS;
        return;
    }
    sum->site++;
    sum->site_well += result == SCAN_ANSWERS;
    sum->site_silent += result == SCAN_SILENT;
    sum->site_left += result == SCAN_NOT_ASKED;
}

void scan_sum(const struct scan *scan, const struct scan_try *one, struct scan_sum *sum)
{
    *sum = (struct scan_sum){0};
    for (unsigned unit = 0; unit < SCAN_UNITS; unit++)
        if (scan->asks[unit].wanted)
            count(&scan->asks[unit], scan_result_of(&one->units[unit]), sum);
    sum->noisy = one->babble ||
                 (sum->garbled >= NOISY_LEAST && sum->garbled * NOISY_SHARE >= sum->asked);
    sum->everyone = !scan->adapter->serial && sum->asked >= EVERYONE_LEAST &&
                    sum->site_well + sum->strange == sum->asked && sum->strange > 0;
}

bool scan_found_any(const struct scan_sum *sum)
{
    return sum->site_well + sum->strange + sum->garbled + sum->doubled > 0;
}
