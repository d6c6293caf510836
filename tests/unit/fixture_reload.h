/* Another site for the engine's world: a copy that owns what it stands on, so that a look at
   the one before is found by AddressSanitizer. Devices borrow their ids from the world. */
#ifndef TESTS_UNIT_FIXTURE_RELOAD_H
#define TESTS_UNIT_FIXTURE_RELOAD_H

#include "fixture_engine.h"

#include <stdlib.h>
#include <string.h>

struct copy {
    struct site site;
    struct profile profile;
    struct method method;
};

static inline void *copied(const void *from, size_t count, size_t size)
{
    void *made = calloc(count + 1, size);

    assert_non_null(made);
    if (count > 0)
        memcpy(made, from, count * size);
    return made;
}

static inline struct copy *copy_new(const struct site *from)
{
    struct copy *copy = calloc(1, sizeof(*copy));

    assert_non_null(copy);
    copy->site = *from;
    copy->profile = from->profiles[0];
    copy->method = from->profiles[0].methods[0];
    copy->profile.points =
        copied(copy->profile.points, copy->profile.point_count, sizeof(struct point));
    copy->method.steps =
        copied(copy->method.steps, copy->method.step_count, sizeof(struct step));
    copy->profile.methods = &copy->method;
    copy->site.profiles = &copy->profile;
    copy->site.lines = copied(from->lines, from->line_count, sizeof(*from->lines));
    for (size_t i = 0; i < from->line_count; i++)
        copy->site.lines[i].name = strdup(from->lines[i].name);
    copy->site.devices = calloc(64, sizeof(*from->devices));
    memcpy(copy->site.devices, from->devices, from->device_count * sizeof(*from->devices));
    for (size_t i = 0; i < from->device_count; i++)
        copy->site.devices[i].tags = json_deep_copy(from->devices[i].tags);
    copy->site.by_id = NULL;
    return copy;
}

static inline void copy_free(struct copy *copy)
{
    if (!copy)
        return;
    for (size_t i = 0; i < copy->site.line_count; i++)
        free(copy->site.lines[i].name);
    for (size_t i = 0; i < copy->site.device_count; i++)
        json_decref(copy->site.devices[i].tags);
    free(copy->profile.points);
    free(copy->method.steps);
    free(copy->site.lines);
    free(copy->site.devices);
    free(copy->site.by_id);
    free(copy);
}

static inline size_t place_of(const struct copy *copy, const char *id)
{
    size_t i = 0;

    while (i < copy->site.device_count && strcmp(copy->site.devices[i].id, id) != 0)
        i++;
    assert_true(i < copy->site.device_count);
    return i;
}

static inline void copy_remove(struct copy *copy, const char *id)
{
    size_t i = place_of(copy, id);

    json_decref(copy->site.devices[i].tags);
    memmove(&copy->site.devices[i], &copy->site.devices[i + 1],
            (--copy->site.device_count - i) * sizeof(*copy->site.devices));
}

static inline void copy_add(struct copy *copy, const struct world *world, size_t device,
                            size_t line)
{
    copy->site.devices[copy->site.device_count++] =
        (struct device){.id = (char *)(uintptr_t)world->devices[device].id,
                        .line = line,
                        .unit = (uint8_t)(device + 1),
                        .tags = json_object()};
}

static inline void copy_turn(struct copy *copy) /* the last device first */
{
    for (size_t i = 0; i < copy->site.device_count / 2; i++) {
        struct device *a = &copy->site.devices[i];
        struct device *b = &copy->site.devices[copy->site.device_count - 1 - i], kept = *a;

        *a = *b;
        *b = kept;
    }
}

static inline void copy_sort(struct copy *copy)
{
    size_t count = copy->site.device_count;

    free(copy->site.by_id);
    copy->site.by_id = calloc(count + 1, sizeof(size_t));
    for (size_t i = 0; i < count; i++) {
        size_t at = i;

        for (; at > 0 && strcmp(copy->site.devices[copy->site.by_id[at - 1]].id,
                                copy->site.devices[i].id) > 0;
             at--)
            copy->site.by_id[at] = copy->site.by_id[at - 1];
        copy->site.by_id[at] = i;
    }
}

#endif
