/* A prepared site takes the place of the old one. First all that can fail is made beside what
   runs; then it is put in its place, and that cannot fail. */
#include "base/log.h"
#include "jobs/engine_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct next {
    const struct site *site;
    const struct reload *reload;
    struct device_state *devices;
    struct line_state *lines;
    struct poll_plan *poll_plans;
    struct job_plan **plans; /* for each job that has some, the oldest first */
    size_t plan_count;
};

/* --- what can fail --- */

static int make_lines(struct next *next)
{
    const struct site *site = next->site;

    for (size_t i = 0; i < site->device_count; i++)
        next->lines[site->devices[i].line].device_count++;
    for (size_t i = 0; i < site->line_count; i++) {
        struct line_state *line = &next->lines[i];

        line->devices = calloc(line->device_count + 1, sizeof(*line->devices));
        if (!line->devices)
            return -ENOMEM;
        line->device_count = 0;
    }
    for (size_t i = 0; i < site->device_count; i++) {
        struct line_state *line = &next->lines[site->devices[i].line];

        line->devices[line->device_count++] = i;
    }
    return 0;
}

static bool is_unchanged(const struct next *next, size_t device)
{
    size_t from = next->reload->device_from[device];

    return from != SITE_NONE && !next->reload->changed[from];
}

static int make_polls(struct next *next, struct moment now)
{
    for (size_t i = 0; i < next->site->profile_count; i++) {
        if (poll_plan_init(&next->poll_plans[i], &next->site->profiles[i]) < 0)
            return -ENOMEM;
    }
    for (size_t i = 0; i < next->site->line_count; i++) {
        const struct line_state *line = &next->lines[i];

        for (size_t k = 0; k < line->device_count; k++) {
            size_t device = line->devices[k];
            const struct poll_plan *plan =
                &next->poll_plans[next->site->devices[device].profile];

            if (!is_unchanged(next, device) &&
                poll_open(plan, &next->devices[device], k, line->device_count, now) < 0)
                return -ENOMEM;
        }
    }
    return 0;
}

static int make_plans(const struct engine *engine, struct next *next)
{
    size_t count = 0;

    for (const struct job *job = engine->oldest; job; job = job->newer)
        count += job->plans != NULL;
    next->plans = calloc(count + 1, sizeof(*next->plans));
    for (size_t i = 0; next->plans && i < count; i++) {
        next->plans[i] = calloc(next->site->profile_count + 1, sizeof(**next->plans));
        if (!next->plans[i])
            return -ENOMEM;
        next->plan_count++;
    }
    return next->plans ? 0 : -ENOMEM;
}

static void next_drop(struct next *next)
{
    for (size_t i = 0; next->devices && i < next->site->device_count; i++) {
        free(next->devices[i].polls);
        free(next->devices[i].words);
    }
    for (size_t i = 0; next->lines && i < next->site->line_count; i++)
        free(next->lines[i].devices);
    for (size_t i = 0; next->poll_plans && i < next->site->profile_count; i++)
        poll_plan_deinit(&next->poll_plans[i]);
    for (size_t i = 0; i < next->plan_count; i++)
        free(next->plans[i]);
    free(next->devices);
    free(next->lines);
    free(next->poll_plans);
    free(next->plans);
}

static int next_make(const struct engine *engine, struct next *next, struct moment now)
{
    const struct site *site = engine->reload->site;

    *next =
        (struct next){.site = site,
                      .reload = engine->reload,
                      .devices = calloc(site->device_count + 1, sizeof(*next->devices)),
                      .lines = calloc(site->line_count + 1, sizeof(*next->lines)),
                      .poll_plans = calloc(site->profile_count + 1, sizeof(*next->poll_plans))};
    if (next->devices && next->lines && next->poll_plans && make_lines(next) == 0 &&
        make_polls(next, now) == 0 && make_plans(engine, next) == 0)
        return 0;
    next_drop(next);
    return -ENOMEM;
}

/* --- what cannot --- */

/* Who reads what is retained about a device that is no more would believe it is still there. */
static void end_gone(struct engine *engine, size_t device, struct moment now)
{
    const char *id = engine->site->devices[device].id;
    char text[200];

    snprintf(text, sizeof(text), "device %.128s was taken out of the site before this began",
             id);
    while (engine->devices[device].first)
        task_refuse(engine, engine->devices[device].first, CODE_UNKNOWN_DEVICE, text, now);
    bool claimed = engine->devices[device].claimed_by; /* then what is retained is not ours */
    engine_report(engine, REPORT_STATE, engine->number, NULL, id, NULL)->claimed = claimed;
    engine_report(engine, REPORT_REPORTED, engine->number, NULL, id, NULL)->claimed = claimed;
}

static void drop_polls(struct device_state *state)
{
    free(state->polls);
    free(state->words);
    state->polls = NULL;
    state->words = NULL;
}

/* What was learned of a wire and a make is of no use at another. */
static void forget_place(struct device_state *state, struct moment now)
{
    state->timeout_us = 0;
    state->heard_us = INT64_MIN;
    state->heard_ms = 0;
    state->silent = 0;
    state->learned = (struct device_health){0};
    state->polling = state->probed = state->pays = false;
    state->polled = 0;
    state->health = HEALTH_UNKNOWN;
    state->since_ms = now.wall_ms;
}

/* What is owed to a device is owed to the one at that place. */
static void forget_debts(struct device_state *state, const char *id)
{
    if (state->owed)
        log_warning("device %s: what is owed to it is given up: it is at another place now",
                    id);
    json_decref(state->owed);
    state->owed = NULL;
    state->owed_pause_us = 0;
}

static void move_devices(struct engine *engine, struct next *next, struct moment now)
{
    const struct site *old = engine->site;

    for (size_t i = 0; i < next->site->device_count; i++) {
        struct device_state *is = &next->devices[i];
        struct poll_state *polls = is->polls;
        uint16_t *words = is->words;
        size_t from = next->reload->device_from[i];

        if (from == SITE_NONE) {
            absent_return(engine, next->site, i, is);
            forget_place(is, now);
            continue;
        }
        *is = engine->devices[from];
        is->held = false;
        is->tags_moved =
            twin_follow_file(&is->twin, old->devices[from].tags, next->site->devices[i].tags);
        if (is_unchanged(next, i))
            continue;
        drop_polls(is);
        is->polls = polls;
        is->words = words;
        forget_place(is, now);
        if (next->reload->line_to[old->devices[from].line] != next->site->devices[i].line ||
            old->devices[from].unit != next->site->devices[i].unit)
            forget_debts(is, old->devices[from].id);
    }
    for (size_t i = 0; i < old->device_count; i++) {
        if (next->reload->device_to[i] != SITE_NONE)
            continue;
        drop_polls(&engine->devices[i]);
        absent_leave(engine, i);
        device_deinit(&engine->devices[i]);
    }
    free(engine->devices);
    engine->devices = next->devices;
    engine->reported_due = engine->claimed = 0;
    for (size_t i = 0; i < next->site->device_count; i++) {
        engine->reported_due += engine->devices[i].reported_due;
        engine->claimed += engine->devices[i].claimed_by != NULL;
    }
}

static void move_lines(struct engine *engine, struct next *next)
{
    for (size_t i = 0; i < engine->site->line_count; i++)
        free(engine->lines[i].devices);
    for (size_t i = 0; i < next->site->line_count; i++) {
        struct line_state *is = &next->lines[i];
        size_t *devices = is->devices, count = is->device_count;
        size_t from = next->reload->line_from[i];

        if (from != SITE_NONE)
            *is = engine->lines[from];
        if (from != SITE_NONE && next->reload->rewired[from])
            is->known = is->up = is->gate_closed = false;
        for (size_t k = 0; k < ENGINE_LINE_ROOM; k++) {
            if (is->slots[k].turn != 0)
                is->slots[k].device = next->reload->device_to[is->slots[k].device];
        }
        is->devices = devices;
        is->device_count = count;
        is->held = false;
        is->wake_us = 0;
        is->waiting = is->calls = 0; /* counted again: devices may have moved */
    }
    free(engine->lines);
    engine->lines = next->lines;
}

static void count_task(struct line_state *line, const struct task *task)
{
    line->waiting++;
    line->calls += task->job->call;
}

static void count_waiting(struct engine *engine)
{
    for (size_t i = 0; i < engine->site->device_count; i++) {
        struct line_state *line = &engine->lines[engine->site->devices[i].line];

        if (engine->devices[i].running)
            count_task(line, engine->devices[i].running);
        for (const struct task *task = engine->devices[i].first; task; task = task->next)
            count_task(line, task);
    }
}

/* Plans are made of a profile's indexes: they hold where it is the same. All that have begun
   rest on such. */
static void move_plans(const struct engine *engine, struct job *job, struct job_plan *plans,
                       const struct reload *reload)
{
    for (size_t i = 0; i < engine->site->profile_count; i++) {
        size_t to = reload->profile_to[i];

        if (to == SITE_NONE || plans[to].made) {
            plan_free(job->plans[i].plan);
            continue;
        }
        plans[to] = job->plans[i];
        if (plans[to].plan)
            plans[to].plan->profile = to;
    }
    free(job->plans);
    job->plans = plans;
}

/* Who asks for an old job asks by what its devices were called. */
static void move_task(const struct engine *engine, struct task *task,
                      const struct reload *reload)
{
    const char *id = engine->site->devices[task->device].id;

    task->device = reload->device_to[task->device];
    if (task->device == SITE_NONE && !(task->gone = strdup(id)))
        abort();
}

static void move_tasks(const struct engine *engine, struct job *job,
                       const struct reload *reload)
{
    for (size_t i = 0; i < job->task_count; i++) {
        struct task *task = &job->tasks[i];

        if (task->device != SITE_NONE)
            move_task(engine, task, reload);
        if (!task->run)
            continue;
        task->run->site = reload->site;
        task->run->device = task->device;
        if (task->own_plan)
            task->own_plan->profile = reload->site->devices[task->device].profile;
    }
}

static void move_jobs(struct engine *engine, struct next *next)
{
    size_t used = 0;

    for (struct job *job = engine->oldest; job; job = job->newer) {
        if (job->plans) {
            assert(used < next->plan_count);
            move_plans(engine, job, next->plans[used++], next->reload);
        }
        move_tasks(engine, job, next->reload);
    }
    while (used < next->plan_count) /* jobs that ended with their devices */
        free(next->plans[used++]);
    free(next->plans);
}

static void drop_poll_plans(struct engine *engine)
{
    for (size_t i = 0; i < engine->site->profile_count; i++)
        poll_plan_deinit(&engine->poll_plans[i]);
    free(engine->poll_plans);
}

static void tell_changes(struct engine *engine, const struct next *next, struct moment now)
{
    report_gateway(engine);
    for (size_t i = 0; i < engine->site->line_count; i++)
        overload_open(engine, i);
    for (size_t i = 0; i < engine->site->device_count; i++) {
        if (!is_unchanged(next, i))
            report_state(engine, i);
        if (next->reload->device_from[i] == SITE_NONE && engine->devices[i].twin.reported)
            reported_changed(engine, i, now);
    }
}

int engine_reload(struct engine *engine, struct moment now)
{
    struct reload *reload = engine->reload;
    struct next next;
    int r = next_make(engine, &next, now);

    if (r < 0)
        return r;
    for (size_t i = 0; i < engine->site->device_count; i++) {
        if (reload->device_to[i] == SITE_NONE)
            end_gone(engine, i, now);
    }
    move_jobs(engine, &next);
    move_lines(engine, &next);
    move_devices(engine, &next, now);
    drop_poll_plans(engine);
    engine->poll_plans = next.poll_plans;
    engine->site = next.site;
    keep_tags(engine);
    count_waiting(engine);
    tell_changes(engine, &next, now);
    engine->reload = NULL;
    reload_free(reload);
    return 0;
}
