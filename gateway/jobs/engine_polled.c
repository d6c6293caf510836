/* Polled values over a restart. They move all day and are read again within a minute, so they
   are not worth a record each: what has moved is kept once an hour, for all devices in one
   breath, and at a stop. */
#include "jobs/engine_private.h"
#include "site/value.h"

#include <string.h>

/* The pause between two times is as long as the day's measure of bytes wants it, and never
   shorter than an hour. On the disk they cost twice: in the log, and in the database. */
#define POLLED_PAUSE_US   (3600 * INT64_C(1000000))
#define POLLED_A_DAY      (1 << 20)
#define POLLED_US_PER_DAY (86400 * INT64_C(1000000))

static const json_t *value_of(const struct twin *twin, const char *property)
{
    const json_t *value = twin->reported ? twin_find(twin->reported, property) : NULL;

    return json_object_get(value, "ac") ? json_object_get(value, "value") : value;
}

static const struct point *polled_point(const struct engine *engine, size_t device, size_t item)
{
    size_t profile = engine->site->devices[device].profile;

    return &engine->site->profiles[profile]
                .points[engine->poll_plans[profile].items[item].point];
}

static size_t item_count(const struct engine *engine, size_t device)
{
    return engine->poll_plans[engine->site->devices[device].profile].item_count;
}

/* Its bytes. */
static size_t keep_polled(struct engine *engine, size_t device)
{
    const struct twin *twin = &engine->devices[device].twin;
    json_t *values = json_object(), *times = json_object();

    for (size_t i = 0; i < item_count(engine, device); i++) {
        const char *property = polled_point(engine, device, i)->property;
        const json_t *value = value_of(twin, property);

        if (!value)
            continue;
        char path[POLL_PATH_SIZE];

        poll_path(path, twin, property);
        json_object_set(values, property, (json_t *)(uintptr_t)value);
        json_object_set(times, property, json_object_get(twin->reported_times, path));
    }
    json_t *kept = json_pack("{s:I, s:o, s:o}", "version", (json_int_t)twin->reported_version,
                             "values", values, "times", times);
    char *text = json_text(kept);
    size_t size = strlen(text);
    json_decref(kept);
    engine_keep(engine, RECORD_POLLED, NULL, engine->site->devices[device].id, 0, text);
    return size;
}

void polled_keep_one(struct engine *engine, size_t device)
{
    if (engine->boot_id[0])
        keep_polled(engine, device);
    engine->devices[device].polled_moved = false;
}

void polled_moved(struct engine *engine, size_t device, struct moment now)
{
    engine->devices[device].polled_moved = true;
    if (!engine->polled_moved && engine->polled_us < now.boot_us)
        engine->polled_us = now.boot_us + POLLED_PAUSE_US;
    engine->polled_moved = true;
}

void polled_keep(struct engine *engine, struct moment now)
{
    size_t bytes = 0;

    if (!engine->polled_moved || !engine->boot_id[0])
        return;
    for (size_t i = 0; i < engine->site->device_count; i++) {
        if (engine->devices[i].polled_moved)
            bytes += keep_polled(engine, i);
        engine->devices[i].polled_moved = false;
    }
    engine->polled_moved = false;
    int64_t pause_us = (int64_t)bytes * POLLED_US_PER_DAY / POLLED_A_DAY;
    engine->polled_us = now.boot_us + (pause_us > POLLED_PAUSE_US ? pause_us : POLLED_PAUSE_US);
}

int64_t polled_wake_us(const struct engine *engine)
{
    return engine->polled_moved && engine->boot_id[0] ? engine->polled_us : MOMENT_NEVER;
}

void polled_tick(struct engine *engine, struct moment now)
{
    if (now.boot_us >= polled_wake_us(engine))
        polled_keep(engine, now);
}

/* Comes after the twin. What that says is newer where its version is higher; and a property
   that is polled no more is none of ours. */
void polled_recall(struct engine *engine, size_t device, const json_t *kept)
{
    struct twin *twin = &engine->devices[device].twin;
    int64_t version = json_integer_value(json_object_get(kept, "version"));
    const json_t *values = json_object_get(kept, "values");
    const json_t *times = json_object_get(kept, "times");

    if (version < twin->reported_version)
        return;
    for (size_t i = 0; i < item_count(engine, device); i++) {
        const struct point *point = polled_point(engine, device, i);
        const json_t *value = json_object_get(values, point->property);

        if (value)
            poll_tell(engine, device, point, value,
                      json_integer_value(json_object_get(times, point->property)));
    }
    twin->reported_version = version;
}
