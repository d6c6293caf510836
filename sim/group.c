#include "sim/group.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* splitmix64 (Steele, Lea, Flood 2014): one word of state, so a seed is the whole story. */
static uint64_t roll(struct sim_group *group)
{
    uint64_t x = group->luck += 0x9e3779b97f4a7c15;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static bool happens(struct sim_group *group, double percent)
{
    return percent > 0 && (double)(roll(group) >> 11) * 0x1p-53 * 100 < percent;
}

int64_t sim_group_now(const struct sim_group *group)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)(now.tv_sec - group->start.tv_sec) * 1000000000 +
           (now.tv_nsec - group->start.tv_nsec);
}

long sim_group_find(const struct sim_group *group, unsigned unit)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->devices[i]->unit->unit == unit)
            return (long)i;
    return -1;
}

size_t sim_group_ask(struct sim_group *group, size_t device, int64_t now, const uint8_t *pdu,
                     size_t count, uint8_t reply[static SIM_PDU_MAX])
{
    bool loses = happens(group, group->settings->drop_percent);
    bool before = loses && roll(group) & 1;
    size_t length;

    group->lost += loses;
    if (before)
        return 0;
    length = sim_device_ask(group->devices[device], now, pdu, count, reply);
    return loses ? 0 : length;
}

void sim_group_tell_all(struct sim_group *group, int64_t now, const uint8_t *pdu, size_t count)
{
    uint8_t unheard[SIM_PDU_MAX];

    for (size_t i = 0; i < group->count; i++)
        sim_device_ask(group->devices[i], now, pdu, count, unheard);
}

void sim_group_corrupt(struct sim_group *group, uint8_t *bytes, size_t count)
{
    if (!happens(group, group->settings->corrupt_percent))
        return;
    bytes[roll(group) % count] ^= (uint8_t)(1 + roll(group) % 255);
    group->corrupted++;
}

int sim_group_init(struct sim_group *group, const struct sim_settings *settings, size_t line,
                   const struct timespec *start)
{
    *group = (struct sim_group){.line = &settings->lines[line],
                                .settings = settings,
                                .start = *start,
                                .luck = settings->seed ^ (uint64_t)line << 32};
    group->devices = calloc(settings->unit_count + 1, sizeof(struct sim_device *));
    if (!group->devices)
        return -ENOMEM;
    for (size_t i = 0; i < settings->unit_count; i++) {
        if (settings->units[i].line != line)
            continue;
        if (sim_device_new(&group->devices[group->count], &settings->units[i]) < 0)
            goto fail;
        group->count++;
    }
    if (pthread_mutex_init(&group->lock, NULL) != 0)
        goto fail;
    return 0;
fail:
    for (size_t i = 0; i < group->count; i++)
        sim_device_free(group->devices[i]);
    free(group->devices);
    return -ENOMEM;
}

void sim_group_deinit(struct sim_group *group)
{
    pthread_mutex_destroy(&group->lock);
    for (size_t i = 0; i < group->count; i++)
        sim_device_free(group->devices[i]);
    free(group->devices);
}
