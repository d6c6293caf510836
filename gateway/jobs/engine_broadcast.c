/* One frame to unit 0 that writes the same value to all devices of a line. A broadcast reaches
   every unit on the bus and nobody answers, so it goes out only where the site allows it, all
   devices of the line are in the job, and all of them shall hold the same; each task then reads
   its device, and writes by itself where that shows another value. */
#include "jobs/engine_private.h"

#include <string.h>

static const struct line_config *config_of(const struct engine *engine, size_t line)
{
    return &engine->site->lines[line];
}

/* What the first step of the plan would send to everybody; false: it goes one by one. */
static bool first_broadcast(const struct engine *engine, const struct plan *plan,
                            struct operation *operation)
{
    const struct profile *profile = &engine->site->profiles[plan->profile];

    if (plan->step_count == 0 || !plan->steps[0].broadcast)
        return false;
    const struct plan_step *step = &plan->steps[0];
    *operation = step->operation;
    operation->unit = 0;
    if (operation->kind == OPERATION_WRITE_READ) {
        operation->kind = OPERATION_WRITE;
        operation->function =
            plan_write_function(profile, &profile->points[step->items[0].point]);
        if (operation->count > 1 && operation->function == 6)
            operation->function = 0;
        operation->read_address = operation->read_count = 0;
    }
    return true;
}

static bool same_write(const struct operation *a, const struct operation *b)
{
    return a->table == b->table && a->address == b->address && a->count == b->count &&
           a->function == b->function &&
           memcmp(a->words, b->words, a->count * sizeof(*a->words)) == 0;
}

/* Is this job's task the next thing that every device of the line does, and begins it with the
   same write? */
static bool may_gather(struct engine *engine, size_t index, struct job *job)
{
    const struct line_state *line = &engine->lines[index];
    struct operation first, other;

    if (config_of(engine, index)->broadcast_us == 0 || job->call || line->device_count < 2)
        return false;
    for (size_t i = 0; i < line->device_count; i++) {
        size_t device = line->devices[i];
        const struct device_state *state = &engine->devices[device];

        if (state->running || state->held || state->ended > engine->safe || !state->first ||
            state->first->job != job)
            return false;
        const struct plan *plan =
            job_plan(engine, job, engine->site->devices[device].profile)->plan;
        if (!plan || !first_broadcast(engine, plan, i == 0 ? &first : &other) ||
            (i > 0 && !same_write(&first, &other)))
            return false;
    }
    return true;
}

/* All tasks stand before the step, and nothing of it was superseded for one of them. */
static bool is_gathered(const struct engine *engine, size_t index)
{
    const struct line_state *line = &engine->lines[index];

    for (size_t i = 0; i < line->device_count; i++) {
        const struct task *task = engine->devices[line->devices[i]].running;

        if (!task || task->job->order != line->cast || task->own_plan ||
            task->run->phase != PHASE_START || task->run->step != 0 || task->run->stopping)
            return false;
    }
    return true;
}

bool broadcast_gather(struct engine *engine, const struct task *task, struct moment now)
{
    size_t index = engine->site->devices[task->device].line;
    struct job *job = task->job;
    struct line_state *line = &engine->lines[index];

    if (!may_gather(engine, index, job))
        return false;
    line->cast = job->order;
    for (size_t i = 0; i < line->device_count; i++)
        task_begin(engine, engine->devices[line->devices[i]].first, now);
    if (!is_gathered(engine, index))
        line->cast = 0;
    return true;
}

bool broadcast_is_due(struct engine *engine, const struct task *task,
                      struct operation *operation)
{
    size_t index = engine->site->devices[task->device].line;
    struct line_state *line = &engine->lines[index];

    if (line->cast == 0 || task->job->order != line->cast)
        return false;
    if (is_gathered(engine, index) && first_broadcast(engine, task->run->plan, operation))
        return true;
    line->cast = 0;
    return false;
}

bool broadcast_is_back(const struct line_state *line, const struct work *work)
{
    return line->cast_out && work->operation.unit == 0;
}

void broadcast_leaves(struct engine *engine, size_t index)
{
    struct line_state *line = &engine->lines[index];

    line->cast_out = true;
    for (size_t i = 0; i < line->device_count; i++)
        run_broadcasts(engine->devices[line->devices[i]].running->run);
}

void broadcast_answer(struct engine *engine, size_t index, const struct answer *answer,
                      struct moment now)
{
    struct line_state *line = &engine->lines[index];
    uint64_t order = line->cast;

    line->cast_out = false;
    if (answer->result != ANSWER_NOT_SENT)
        line->cast = 0; /* else it is asked for again */
    for (size_t i = 0; i < line->device_count; i++) {
        struct task *task = engine->devices[line->devices[i]].running;

        if (task && task->job->order == order && task->run->phase == PHASE_START)
            run_broadcast(task->run, answer, now);
    }
}
