#include "jobs/wear.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_US (3600 * INT64_C(1000000))

void wears_deinit(struct wears *wears)
{
    for (size_t i = 0; i < wears->count; i++)
        free(wears->items[i].point);
    free(wears->items);
    *wears = (struct wears){0};
}

static struct wear *find(const struct wears *wears, const char *point)
{
    for (size_t i = 0; i < wears->count; i++) {
        if (strcmp(wears->items[i].point, point) == 0)
            return &wears->items[i];
    }
    return NULL;
}

static struct wear *find_or_add(struct wears *wears, const char *point, int64_t hour)
{
    struct wear *found = find(wears, point);

    if (found)
        return found;
    struct wear *grown = reallocarray(wears->items, wears->count + 1, sizeof(*wears->items));
    if (!grown)
        return NULL;
    wears->items = grown;
    grown[wears->count] = (struct wear){.point = strdup(point), .hour = hour};
    return grown[wears->count].point ? &grown[wears->count++] : NULL;
}

static uint32_t *at(struct wear *wear, int64_t hour)
{
    return &wear->counts[hour % WEAR_HOURS];
}

/* Moves on to this hour: what is older than a day leaves. */
static void turn_to(struct wear *wear, int64_t hour)
{
    if (hour - wear->hour >= WEAR_HOURS)
        wear->hour = hour - WEAR_HOURS;
    while (wear->hour < hour)
        *at(wear, ++wear->hour) = 0;
}

static void count(struct wear *wear, int64_t hour, uint32_t more)
{
    turn_to(wear, hour);
    uint32_t *counted = at(wear, hour > wear->hour - WEAR_HOURS ? hour : wear->hour);

    *counted = *counted > UINT32_MAX - more ? UINT32_MAX : *counted + more;
}

int wears_add(struct wears *wears, const char *point, int64_t now_us)
{
    struct wear *wear = find_or_add(wears, point, now_us / HOUR_US);

    if (!wear)
        return -ENOMEM;
    count(wear, now_us / HOUR_US, 1);
    return 0;
}

/* The first hour that still counts at `hour`. */
static int64_t first_hour(const struct wear *wear, int64_t hour)
{
    int64_t first = hour - WEAR_HOURS + 1;

    if (first <= wear->hour - WEAR_HOURS)
        first = wear->hour - WEAR_HOURS + 1;
    return first < 0 ? 0 : first;
}

uint32_t wears_used(const struct wears *wears, const char *point, int64_t now_us)
{
    const struct wear *wear = find(wears, point);
    uint64_t used = 0;

    if (!wear)
        return 0;
    for (int64_t hour = first_hour(wear, now_us / HOUR_US); hour <= wear->hour; hour++)
        used += wear->counts[hour % WEAR_HOURS];
    return used > UINT32_MAX ? UINT32_MAX : (uint32_t)used;
}

int64_t wears_free_us(const struct wears *wears, const char *point, int64_t now_us)
{
    const struct wear *wear = find(wears, point);

    if (!wear)
        return 0;
    for (int64_t hour = first_hour(wear, now_us / HOUR_US); hour <= wear->hour; hour++) {
        if (wear->counts[hour % WEAR_HOURS] > 0)
            return (hour + WEAR_HOURS) * HOUR_US - now_us;
    }
    return 0;
}

json_t *wears_keep(const struct wears *wears, int64_t now_us)
{
    json_t *kept = json_object();

    for (size_t i = 0; i < wears->count; i++) {
        const struct wear *wear = &wears->items[i];
        json_t *hours = json_array();

        for (int64_t hour = first_hour(wear, now_us / HOUR_US); hour <= wear->hour; hour++) {
            uint32_t counted = wear->counts[hour % WEAR_HOURS];

            if (counted > 0)
                json_array_append_new(
                    hours, json_pack("[I, I]", (json_int_t)hour, (json_int_t)counted));
        }
        json_object_set_new(kept, wear->point, hours);
    }
    return kept;
}

int wears_recall(struct wears *wears, const json_t *kept)
{
    const char *point;
    json_t *hours, *pair;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)kept, point, hours)
    {
        json_array_foreach(hours, i, pair)
        {
            json_int_t hour = json_integer_value(json_array_get(pair, 0));
            json_int_t counted = json_integer_value(json_array_get(pair, 1));
            struct wear *wear;

            if (hour < 0 || counted <= 0 || counted > UINT32_MAX)
                continue;
            if (!(wear = find_or_add(wears, point, hour)))
                return -ENOMEM;
            count(wear, hour, (uint32_t)counted);
        }
    }
    return 0;
}
