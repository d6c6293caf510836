/* What the engine knows beside a run, and how long its frames are waited for. */
#include "jobs/engine_private.h"

/* The last write that a point may take today is a last try. */
static unsigned tries_of(const struct engine *engine, const struct task *task,
                         const struct facts *facts)
{
    bool last = task->run && task->run->phase == PHASE_WRITE && run_is_worn(task->run, facts);

    return last ? 1 : device_tries(engine, task->device);
}

struct facts facts_of(const struct engine *engine, const struct task *task, struct moment now)
{
    const struct device_state *state = &engine->devices[task->device];

    struct facts facts = {.urgent = task->job->call,
                          .known_dead = state->health == HEALTH_OFFLINE,
                          .timeout_us = state->timeout_us,
                          .heard_us = state->heard_us,
                          .safe = engine->safe,
                          .wears = &state->wears,
                          .wear_us = wear_now_us(engine, now)};

    facts.tries = tries_of(engine, task, &facts);
    return facts;
}

/* Learned for reads and states only: a trigger whose answer is missed is not sent again. */
int64_t task_timeout_us(const struct engine *engine, const struct task *task, struct moment now)
{
    const struct run *run = task->run;
    unsigned tries = facts_of(engine, task, now).tries;
    struct health_bounds bounds = device_bounds(engine, task->device);
    bool repeats =
        run->phase != PHASE_EXPECT && engine->devices[task->device].health != HEALTH_OFFLINE;

    if (run->phase == PHASE_WRITE && run_step(run)->class != CLASS_STATE)
        return bounds.configured_us;
    if (repeats && tries == 1)
        return bounds.configured_us; /* the first try is the last one too */
    return health_timeout_us(device_slowest_us(engine, task->device), &bounds,
                             repeats ? run->tries : 0, repeats ? tries : 1);
}
