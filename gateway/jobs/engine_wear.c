/* Writes to points whose memory wears (max_writes_per_day): counted before the frame leaves and
   kept over restarts, by a clock that no setting of the time can move. */
#include "jobs/engine_private.h"
#include "site/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The boot clock, and what went before: the runs before this one, and the time that the machine
   was off, where the wall clock could be believed before and after. */
int64_t wear_now_us(const struct engine *engine, struct moment now)
{
    return now.boot_us + engine->wear_shift_us;
}

static uint64_t keep_wear(struct engine *engine, size_t device, struct moment now)
{
    int64_t at_us = wear_now_us(engine, now);
    json_t *kept = json_pack("{s:s, s:I, s:I, s:I, s:o}", "boot", engine->boot_id, "bootUs",
                             (json_int_t)now.boot_us, "at", (json_int_t)at_us, "wall",
                             (json_int_t)(now.trusted ? now.wall_ms : 0), "points",
                             wears_keep(&engine->devices[device].wears, at_us));
    char *text = kept ? json_text(kept) : NULL;

    json_decref(kept);
    return engine_keep(engine, RECORD_WEAR, NULL, engine->site->devices[device].id, 0, text);
}

/* A crash between the record and the frame leaves one write too many in the count, never one
   too few. */
void wear_count(struct engine *engine, struct task *task, struct moment now)
{
    run_counted(task->run, wear_count_point(engine, task->device, run_wears(task->run), now));
}

uint64_t wear_count_point(struct engine *engine, size_t device, const struct point *point,
                          struct moment now)
{
    if (wears_add(&engine->devices[device].wears, point->name, wear_now_us(engine, now)) < 0)
        abort(); /* what cannot be counted must not be sent */
    return keep_wear(engine, device, now);
}

bool wear_allows(struct engine *engine, const struct task *task, const struct facts *facts,
                 struct moment now, enum code *code, char *text, size_t size)
{
    const struct plan *plan = task->run->plan;
    const struct profile *profile = &engine->site->profiles[plan->profile];
    const struct point *limited = NULL;

    for (size_t i = 0; i < plan->result_count && !limited; i++) {
        if (profile->points[plan->results[i].point].max_writes_per_day > 0)
            limited = &profile->points[plan->results[i].point];
    }
    if (!limited)
        return true;
    if (!engine->boot_id[0]) {
        *code = CODE_STORE_UNAVAILABLE;
        snprintf(text, size,
                 "%.60s may be written %u times a day (max_writes_per_day), which only a "
                 "gateway that runs can count: start it, and ask it",
                 limited->name, limited->max_writes_per_day);
        return false;
    }
    *code = CODE_NOT_WRITABLE;
    /* The properties of a patch stand alone: each is looked at when its turn comes. */
    return plan->kind == ACTION_PATCH || run_may_wear(task->run, facts, now, text, size);
}

void wear_recall(struct engine *engine, const struct record *record, const json_t *kept)
{
    size_t device =
        record->device_id ? site_device(engine->site, record->device_id) : SITE_NONE;
    const char *boot = json_string_value(json_object_get(kept, "boot"));
    int64_t at_us = json_integer_value(json_object_get(kept, "at"));
    int64_t boot_us = json_integer_value(json_object_get(kept, "bootUs"));

    if (!boot)
        return;
    if (strcmp(boot, engine->boot_id) == 0) {
        if (at_us - boot_us > engine->wear_shift_us)
            engine->wear_shift_us = at_us - boot_us;
    } else if (at_us >= engine->wear_at_us) {
        engine->wear_at_us = at_us;
        engine->wear_wall_ms = json_integer_value(json_object_get(kept, "wall"));
    }
    struct wears wears = {0};
    if (wears_recall(&wears, json_object_get(kept, "points")) < 0)
        abort();
    struct wears *to = device != SITE_NONE ? &engine->devices[device].wears
                       : record->device_id ? &absent_of(engine, record->device_id)->wears
                                           : NULL;
    if (!to) {
        wears_deinit(&wears);
        return;
    }
    wears_deinit(to);
    *to = wears;
}

/* As long as nobody knows how long the machine was off, it was off for no time. */
void wear_resume(struct engine *engine, struct moment now)
{
    if (wear_now_us(engine, now) < engine->wear_at_us)
        engine->wear_shift_us = engine->wear_at_us - now.boot_us;
    wear_tick(engine, now);
}

void wear_tick(struct engine *engine, struct moment now)
{
    if (now.trusted && engine->wear_wall_ms > 0) {
        int64_t at_us = engine->wear_at_us + (now.wall_ms - engine->wear_wall_ms) * 1000;

        if (at_us > wear_now_us(engine, now))
            engine->wear_shift_us = at_us - now.boot_us;
        engine->wear_wall_ms = 0;
    }
    engine->wear_looked_us = wear_now_us(engine, now);
}

json_t *wear_json(const struct engine *engine, size_t device)
{
    const struct profile *profile =
        &engine->site->profiles[engine->site->devices[device].profile];
    const struct wears *wears = &engine->devices[device].wears;
    json_t *points = NULL;

    for (size_t i = 0; i < profile->point_count; i++) {
        const struct point *point = &profile->points[i];

        if (point->max_writes_per_day == 0)
            continue;
        if (!points)
            points = json_object();
        int64_t free_us = wears_free_us(wears, point->name, engine->wear_looked_us);
        json_object_set_new(
            points, point->name,
            json_pack("{s:I, s:I, s:I}", "written",
                      (json_int_t)wears_used(wears, point->name, engine->wear_looked_us),
                      "most", (json_int_t)point->max_writes_per_day, "freeInSeconds",
                      (json_int_t)(free_us / 1000000)));
    }
    return points;
}
