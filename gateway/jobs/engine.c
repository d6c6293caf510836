#include "jobs/engine_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int group_devices(struct engine *engine)
{
    const struct site *site = engine->site;

    for (size_t i = 0; i < site->device_count; i++)
        engine->lines[site->devices[i].line].device_count++;
    for (size_t i = 0; i < site->line_count; i++) {
        struct line_state *line = &engine->lines[i];

        line->devices = calloc(line->device_count + 1, sizeof(*line->devices));
        if (!line->devices)
            return -ENOMEM;
        line->device_count = 0;
    }
    for (size_t i = 0; i < site->device_count; i++) {
        struct line_state *line = &engine->lines[site->devices[i].line];

        line->devices[line->device_count++] = i;
    }
    return 0;
}

int engine_new(struct engine **ret, const struct engine_settings *settings, struct moment now)
{
    const struct site *site = settings->site;
    struct engine *engine = calloc(1, sizeof(*engine));

    if (!engine)
        return -ENOMEM;
    engine->site = site;
    engine->version = settings->version;
    engine->boot = settings->boot;
    snprintf(engine->boot_id, sizeof(engine->boot_id), "%s",
             settings->boot_id ? settings->boot_id : "");
    engine->outbox = settings->outbox;
    engine->shelves = settings->history;
    engine->takes = true;
    engine->claims_us = MOMENT_NEVER;
    engine->since_ms = now.wall_ms;
    engine->reports_end = &engine->reports;
    engine->devices = calloc(site->device_count + 1, sizeof(*engine->devices));
    engine->lines = calloc(site->line_count + 1, sizeof(*engine->lines));
    engine->old_jobs = calloc(OLD_JOBS_MOST, sizeof(*engine->old_jobs));
    if (!engine->devices || !engine->lines || !engine->old_jobs || group_devices(engine) < 0) {
        engine_free(engine);
        return -ENOMEM;
    }
    for (size_t i = 0; i < site->device_count; i++) {
        struct device_state *device = &engine->devices[i];

        twin_init(&device->twin);
        device->heard_us = INT64_MIN;
        device->since_ms = now.wall_ms;
    }
    if (polls_open(engine, now) < 0) {
        engine_free(engine);
        return -ENOMEM;
    }
    *ret = engine;
    return 0;
}

static void free_jobs(struct engine *engine)
{
    for (struct job *job = engine->newest, *older; job; job = older) {
        older = job->older;
        job_free(engine, job);
    }
}

void device_deinit(struct device_state *state)
{
    twin_deinit(&state->twin);
    free(state->last_outcome);
    free(state->claimed_by);
    json_decref(state->last_patch);
    json_decref(state->owed);
    wears_deinit(&state->wears);
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    free_jobs(engine);
    for (size_t i = engine->record_taken; i < engine->record_count; i++)
        record_free(engine->records[i]);
    free(engine->records);
    for (struct report *report = engine->reports, *next; report; report = next) {
        next = report->next;
        report_free(report);
    }
    for (size_t i = 0; i < REPEATS_MOST; i++) {
        free(engine->repeats[i].key);
        free(engine->repeats[i].body);
    }
    for (size_t i = 0; i < EARLY_CANCELS_MOST; i++)
        free(engine->early_cancels[i]);
    for (size_t i = 0; i < LEFT_SHARES_MOST; i++)
        free(engine->left[i].job_id);
    free(engine->contender);
    for (size_t i = 0; engine->devices && i < engine->site->device_count; i++)
        device_deinit(&engine->devices[i]);
    for (size_t i = 0; engine->lines && i < engine->site->line_count; i++)
        free(engine->lines[i].devices);
    for (size_t i = 0; engine->old_jobs && i < OLD_JOBS_MOST; i++)
        free(engine->old_jobs[i].id);
    free(engine->old_jobs);
    shelf_close(engine);
    polls_close(engine);
    absent_close(engine);
    reload_free(engine->reload);
    free(engine->devices);
    free(engine->lines);
    free(engine);
}

void engine_safe(struct engine *engine, uint64_t number, struct moment now)
{
    if (number <= engine->safe)
        return;
    engine->safe = number;
    for (size_t i = 0; i < engine->site->line_count; i++)
        engine->lines[i].wake_us = 0;
    engine_tick(engine, now);
}

/* A scheduled job is looked at once a second: its start is wall time, which may be set. */
enum { SCHEDULED_LOOK_US = 1000000 };

int64_t engine_wake_us(const struct engine *engine, struct moment now)
{
    int64_t wake = engine->claims_us;

    for (const struct job *job = engine->newest; job; job = job->older) {
        if (job_is_over(job))
            continue;
        int64_t at = job->status == JOB_SCHEDULED || job->held ? now.boot_us + SCHEDULED_LOOK_US
                                                               : job_wake_us(engine, job);
        if (at < wake)
            wake = at;
    }
    for (size_t i = 0; i < engine->site->line_count; i++) {
        const struct line_state *line = &engine->lines[i];

        /* A full line is asked again when an answer comes back, not by the timer. */
        if ((line->waiting > 0 || line->up) && line->out < ENGINE_LINE_ROOM &&
            line->wake_us < wake)
            wake = line->wake_us;
    }
    if (polled_wake_us(engine) < wake)
        wake = polled_wake_us(engine);
    if (shelf_wake_us(engine) < wake)
        wake = shelf_wake_us(engine);
    for (size_t i = 0; engine->reported_due > 0 && i < engine->site->device_count; i++) {
        if (engine->devices[i].reported_due && engine->devices[i].reported_us < wake)
            wake = engine->devices[i].reported_us;
    }
    return wake;
}

void engine_store_state(struct engine *engine, bool takes, const char *why)
{
    engine->takes = takes;
    snprintf(engine->store_why, sizeof(engine->store_why), "%s", why);
}

void engine_set_outbox(struct engine *engine, bool outbox)
{
    if (engine->outbox == outbox)
        return;
    engine->outbox = outbox;
    told_count(engine);
}

void engine_set_watched(struct engine *engine, bool watched)
{
    engine->watched = watched;
}

int64_t engine_newest_ms(const struct engine *engine)
{
    return engine->newest_ms;
}

void engine_pause(struct engine *engine, struct moment now)
{
    polled_keep(engine, now);
    engine->stopping = engine->paused = true;
}

void engine_stop(struct engine *engine, struct moment now)
{
    static const struct stop stop = {CODE_CANCELED,
                                     "the gateway was stopped before this task began",
                                     "the gateway was stopped after this task had begun"};

    engine->stopping = true;
    for (struct job *job = engine->oldest; job; job = job->newer) {
        if (job_is_over(job))
            continue;
        if (job->call)
            job_interrupt(engine, job, &stop, now);
        else
            job_cancel(engine, job, &stop, now);
    }
    for (size_t i = 0; i < engine->site->line_count; i++) {
        if (!engine->lines[i].up)
            line_abandon(engine, i, "the line was down when the gateway was stopped", now);
    }
}

void engine_abandon(struct engine *engine, struct moment now)
{
    for (size_t i = 0; i < engine->site->line_count; i++)
        line_abandon(engine, i, "the gateway was stopped before it could be brought to its end",
                     now);
}

bool engine_is_idle(const struct engine *engine)
{
    for (size_t i = 0; i < engine->site->line_count; i++) {
        if (engine->lines[i].waiting > 0)
            return false;
    }
    return true;
}
