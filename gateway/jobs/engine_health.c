/* What the answers of a line say about its devices: how long to wait for them, whether they are
   there, and when a silent one is looked for again. */
#include "jobs/engine_private.h"
#include "lines/probe.h"

static const struct profile *device_profile(const struct engine *engine, size_t device)
{
    return &engine->site->profiles[engine->site->devices[device].profile];
}

unsigned device_tries(const struct engine *engine, size_t device)
{
    const struct profile *profile = device_profile(engine, device);

    return 1 + (profile->retries >= 0
                    ? (unsigned)profile->retries
                    : engine->site->lines[engine->site->devices[device].line].retries);
}

struct health_bounds device_bounds(const struct engine *engine, size_t device)
{
    const struct profile *profile = device_profile(engine, device);
    const struct line_config *line = &engine->site->lines[engine->site->devices[device].line];
    struct health_bounds bounds = {
        .least_us = line->timeout_min_us,
        .configured_us = profile->timeout_us >= 0 ? profile->timeout_us : line->timeout_us};

    return bounds;
}

/* A device that was never met is taken for one of its kind, or at least of its line. */
int64_t device_slowest_us(const struct engine *engine, size_t device)
{
    const struct device *self = &engine->site->devices[device];
    const struct line_state *line = &engine->lines[self->line];
    int64_t slowest_us = health_slowest_us(&engine->devices[device].learned);
    int64_t of_kind_us = -1, of_line_us = -1;

    if (slowest_us >= 0)
        return slowest_us;
    for (size_t i = 0; i < line->device_count; i++) {
        size_t other = line->devices[i];

        slowest_us = health_slowest_us(&engine->devices[other].learned);
        if (slowest_us > of_line_us)
            of_line_us = slowest_us;
        if (slowest_us > of_kind_us && engine->site->devices[other].profile == self->profile)
            of_kind_us = slowest_us;
    }
    return of_kind_us >= 0 ? of_kind_us : of_line_us;
}

void device_set_health(struct engine *engine, size_t device, enum health health,
                       struct moment now)
{
    struct device_state *state = &engine->devices[device];

    if (state->health == health)
        return;
    state->health = health;
    state->since_ms = now.wall_ms;
    state->owed_us = now.boot_us;
    report_state(engine, device);
}

static void heard(struct engine *engine, const struct work *work, struct moment now)
{
    struct device_state *state = &engine->devices[work->device];
    const struct answer *answer = &work->answer;

    state->heard_us = answer->ended_us;
    state->heard_ms = now.wall_ms;
    state->silent = 0;
    health_learn(&state->learned, answer->waited_us);
    health_heard(&state->learned);
    health_answered(&state->learned, now.boot_us,
                    answer->started_us + device_bounds(engine, work->device).configured_us);
    device_set_health(engine, work->device, HEALTH_ONLINE, now);
}

/* Silence of a device that is expected to reboot says nothing about its health. */
void device_judge(struct engine *engine, const struct work *work, bool expecting,
                  struct moment now)
{
    struct device_state *state = &engine->devices[work->device];
    const struct answer *answer = &work->answer;

    if (answer_is_the_devices(answer)) {
        heard(engine, work, now);
        return;
    }
    if (answer->result != ANSWER_SILENT)
        return;
    health_silent(&state->learned, &work->operation,
                  answer->started_us + device_bounds(engine, work->device).configured_us);
    if (expecting)
        return;
    state->silent++;
    if (state->silent >= device_tries(engine, work->device)) {
        health_put_off(&state->learned, now.boot_us, answer->ended_us - answer->started_us);
        device_set_health(engine, work->device, HEALTH_OFFLINE, now);
    }
}

enum rank device_own(const struct engine *engine, size_t device, struct moment now,
                     uint64_t *turn, int64_t *when)
{
    const struct device_state *state = &engine->devices[device];
    const struct line_state *line = &engine->lines[engine->site->devices[device].line];

    if (state->claimed_by) /* two masters would talk into each other's frames */
        return RANK_COUNT;
    if (state->health != HEALTH_OFFLINE)
        return poll_due(engine, device, now, turn, when);
    struct operation probe;
    if (!probe_operation(device_profile(engine, device), &probe))
        return RANK_COUNT;
    if (line->waiting > 0 && health_probe_is_long(&state->learned))
        return RANK_COUNT;
    *turn = state->served;
    int64_t at_us = state->learned.probe_us;
    if (at_us < state->learned.unanswered.until_us)
        at_us = state->learned.unanswered.until_us;
    *when = at_us > now.boot_us ? at_us : 0;
    return RANK_PROBE;
}

bool device_own_work(struct engine *engine, size_t device, enum rank rank, struct work *work)
{
    struct health_bounds bounds = device_bounds(engine, device);

    work->number = OWN_WORK;
    engine->devices[device].polling = rank == RANK_POLL;
    engine->devices[device].pays = rank == RANK_STEP;
    if (rank == RANK_STEP)
        return debts_work(engine, device, work);
    if (rank == RANK_POLL)
        return poll_work(engine, device, work);
    work->limits.timeout_us = health_probe_timeout_us(
        &engine->devices[device].learned, device_slowest_us(engine, device), &bounds);
    return probe_operation(device_profile(engine, device), &work->operation);
}

void device_own_answer(struct engine *engine, struct work *work, struct moment now)
{
    struct device_state *state = &engine->devices[work->device];
    const struct answer *answer = &work->answer;

    device_judge(engine, work, false, now);
    if (state->pays)
        debts_answer(engine, work, now);
    else if (state->polling)
        poll_answer(engine, work, now);
    else if (answer->result == ANSWER_BAD_REPLY)
        health_put_off(&state->learned, now.boot_us, answer->ended_us - answer->started_us);
}
