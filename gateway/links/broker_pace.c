#include "links/broker_pace.h"

#include <string.h>

#define SECOND_US   INT64_C(1000000)
#define LONGEST_US  (120 * SECOND_US)
#define STEADY_US   (30 * SECOND_US) /* a session that lasted so long was a good one */
#define TAKEOVER_US (60 * SECOND_US)

int64_t pace_next(struct pace *pace, int64_t lasted_us, uint32_t random)
{
    int64_t longest_us = pace->longest_us > 0 ? pace->longest_us : LONGEST_US;
    int64_t ceiling_us = SECOND_US;

    if (lasted_us < 0) /* nobody else was let in either: the broker itself was in trouble */
        memset(pace->taken_over_us, 0, sizeof(pace->taken_over_us));
    if (lasted_us >= STEADY_US)
        pace->failures = 0;
    for (unsigned i = 0; i < pace->failures && ceiling_us < longest_us; i++)
        ceiling_us *= 2;
    if (ceiling_us < longest_us)
        pace->failures++;
    else
        ceiling_us = longest_us;
    return (int64_t)((uint64_t)ceiling_us * random >> 32);
}

bool pace_gives_way(struct pace *pace, int64_t now_us)
{
    memmove(pace->taken_over_us, pace->taken_over_us + 1, sizeof(pace->taken_over_us[0]) * 2);
    pace->taken_over_us[2] = now_us;
    if (pace->taken_over_us[0] == 0 || now_us - pace->taken_over_us[0] > TAKEOVER_US)
        return false;
    memset(pace->taken_over_us, 0, sizeof(pace->taken_over_us));
    return true;
}
