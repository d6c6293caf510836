/* What a line does next, and what becomes of its answers. */
#include "jobs/engine_private.h"

/* After a silent `expect` the next silent device is tried after the time that this one cost,
   so that devices which reboot take at most half of the line. */
#define GATE_LEAST_US INT64_C(50000)

static const struct profile *device_profile(const struct engine *engine, size_t device)
{
    return &engine->site->profiles[engine->site->devices[device].profile];
}

static bool is_gated(const struct line_state *line, const struct run *run, struct moment now)
{
    return run->phase == PHASE_EXPECT && !run->heard && line->gate_closed &&
           now.boot_us < line->gate_us && !(run->tries > 0 && now.boot_us >= run->until_us);
}

/* Not before it is safe, and not before it has been started: a start takes the patches. */
static bool may_begin(const struct engine *engine, const struct job *job)
{
    return job->status == JOB_RUNNING && job->safe_at <= engine->safe && !job->held &&
           !claims_are_awaited(engine, job);
}

/* The task that the device would do next, and how soon it may: *when is 0 for at once. */
static struct task *next_of_device(const struct engine *engine, const struct line_state *line,
                                   size_t device, struct moment now, int64_t *when)
{
    const struct device_state *state = &engine->devices[device];
    struct task *task = state->running;

    *when = 0;
    if (state->out)
        return NULL;
    if (!task) {
        task = engine->stopping || state->held ? NULL : state->first;
        /* A frame of the next task must not be taken for what became of the last one. */
        if (task && (!may_begin(engine, task->job) || state->ended > engine->safe))
            return NULL;
        return task;
    }
    if (task->job->held && !run_pays_back(task->run))
        return NULL;
    if (task->run->due_us > now.boot_us)
        *when = task->run->due_us;
    else if ((task->run->phase == PHASE_INTENT && task->run->intent > engine->safe) ||
             task->run->counted > engine->safe)
        return NULL;
    else if (is_gated(line, task->run, now))
        *when = line->gate_us;
    return task;
}

/* Somebody waits for a call, and a device that was well a moment ago has more likely missed a
   frame than died: the second try does not wait behind a whole job, the last one does. */
static bool repeats_urgently(const struct engine *engine, const struct task *task)
{
    return task->job->call && task->run->tries == 1 &&
           engine->devices[task->device].health == HEALTH_ONLINE;
}

/* A call waits behind a task that has begun there: what is left of it is the call's own time.
   But not for a device that is starting anew, which would take the line from all. */
static bool holds_up_a_call(const struct engine *engine, const struct task *task)
{
    const struct device_state *state = &engine->devices[task->device];

    return state->running == task && task->run && task->run->phase != PHASE_EXPECT &&
           state->first && state->first->job->call && state->health == HEALTH_ONLINE;
}

static enum rank rank_of(const struct engine *engine, const struct task *task)
{
    const struct device_state *state = &engine->devices[task->device];

    if (state->health == HEALTH_OFFLINE && !task->job->call)
        return RANK_DEAD;
    if (task->run && run_is_repeat(task->run))
        return repeats_urgently(engine, task) ? RANK_URGENT : RANK_REPEAT;
    if (task->job->call || holds_up_a_call(engine, task))
        return RANK_URGENT;
    if (task->run && (run_is_readback(task->run) || task->run->phase == PHASE_EXPECT))
        return RANK_READBACK;
    return RANK_STEP;
}

struct choice {
    struct task *task; /* NULL: work of the line's own */
    size_t device;
    uint64_t turn;
};

static bool goes_before(const struct choice *a, const struct choice *b)
{
    if (a->turn != b->turn)
        return a->turn < b->turn;
    return a->task && b->task && a->task->job->order < b->task->job->order;
}

/* What the device would do next, its rank, and how soon: *when is 0 for at once. */
static enum rank look_at(const struct engine *engine, const struct line_state *line,
                         struct moment now, struct choice *choice, int64_t *when)
{
    const struct device_state *state = &engine->devices[choice->device];
    int64_t owed_us = MOMENT_NEVER;

    choice->turn = state->served;
    if (debts_due(engine, choice->device, now, &owed_us) && owed_us == 0) {
        *when = 0;
        choice->task = NULL;
        return RANK_STEP;
    }
    choice->task = next_of_device(engine, line, choice->device, now, when);
    if (choice->task)
        return rank_of(engine, choice->task);
    if (state->out || state->running || state->first || state->held || engine->stopping)
        return RANK_COUNT;
    enum rank rank = device_own(engine, choice->device, now, &choice->turn, when);
    if (owed_us != MOMENT_NEVER && (rank == RANK_COUNT || *when > owed_us)) {
        *when = owed_us;
        return RANK_STEP;
    }
    return rank;
}

/* The first of each rank; bit n of the return: rank n has one. */
static unsigned look_around(struct engine *engine, struct line_state *line, struct moment now,
                            struct choice best[static RANK_COUNT])
{
    unsigned ready = 0;

    line->wake_us = MOMENT_NEVER;
    for (size_t i = 0; i < line->device_count; i++) {
        struct choice choice = {.device = line->devices[i]};
        int64_t when;
        enum rank rank = look_at(engine, line, now, &choice, &when);

        if (rank == RANK_COUNT)
            continue;
        if (when > now.boot_us) {
            if (when < line->wake_us)
                line->wake_us = when;
            continue;
        }
        if (!(ready & 1u << rank) || goes_before(&choice, &best[rank]))
            best[rank] = choice;
        ready |= 1u << rank;
    }
    return ready;
}

static void take_slot(struct line_state *line, const struct work *work)
{
    for (size_t i = 0; i < ENGINE_LINE_ROOM; i++) {
        if (line->slots[i].turn == 0) {
            line->slots[i].turn = work->turn;
            line->slots[i].device = work->device;
            return;
        }
    }
}

/* The device may have another index than when the work went out. */
static void leave_slot(struct line_state *line, struct work *work)
{
    for (size_t i = 0; i < ENGINE_LINE_ROOM; i++) {
        if (line->slots[i].turn == work->turn) {
            work->device = line->slots[i].device;
            line->slots[i].turn = 0;
        }
    }
}

size_t engine_device_of(const struct engine *engine, size_t index, const struct work *work)
{
    const struct line_state *line = &engine->lines[index];

    for (size_t i = 0; i < ENGINE_LINE_ROOM; i++) {
        if (line->slots[i].turn == work->turn)
            return line->slots[i].device;
    }
    return work->device;
}

static struct work *hand_out(struct engine *engine, size_t device, enum rank rank,
                             bool expecting, struct work *work)
{
    const struct profile *profile = device_profile(engine, device);
    const struct device *at = &engine->site->devices[device];
    const struct line_config *config = &engine->site->lines[at->line];
    struct device_state *state = &engine->devices[device];
    struct line_state *line = &engine->lines[at->line];

    work->device = device;
    work->operation.unit = at->unit;
    work->limits.gap_us = profile->gap_us >= 0 ? profile->gap_us : config->gap_us;
    work->limits.deadline_us = MOMENT_NEVER;
    state->timeout_us = work->limits.timeout_us;
    state->out = true;
    state->served = work->turn = ++engine->served;
    take_slot(line, work);
    line->out++;
    line->last = rank;
    state->probed = rank == RANK_REPEAT || rank == RANK_DEAD || rank == RANK_PROBE ||
                    (rank == RANK_POLL && state->health == HEALTH_UNKNOWN) ||
                    state->health == HEALTH_OFFLINE || expecting;
    line->probes += state->probed;
    return work;
}

/* The run is told that the operation it has asked for stays here; it asks again. */
static void not_sent(struct task *task, struct moment now)
{
    run_answer(task->run, &(struct facts){0}, &(struct answer){.result = ANSWER_NOT_SENT}, now);
}

static struct work *hand_out_task(struct engine *engine, struct task *task, enum rank rank,
                                  const struct operation *operation, struct moment now)
{
    struct work *work = work_new();

    if (!work) {
        not_sent(task, now);
        return NULL;
    }
    work->number = task->job->order;
    work->operation = *operation;
    work->limits.timeout_us = task_timeout_us(engine, task, now);
    return hand_out(engine, task->device, rank,
                    (task->run->phase == PHASE_EXPECT && !task->run->heard) ||
                        run_is_repeat(task->run),
                    work);
}

/* Nothing goes behind it before the devices have had their time. */
static struct work *hand_out_broadcast(struct engine *engine, const struct task *task,
                                       enum rank rank, const struct operation *operation)
{
    size_t index = engine->site->devices[task->device].line;
    struct work *work = work_new();

    if (!work)
        return NULL;
    work->number = task->job->order;
    work->operation = *operation;
    work->limits.timeout_us = engine->site->lines[index].broadcast_us;
    hand_out(engine, task->device, rank, true, work);
    work->operation.unit = 0;
    broadcast_leaves(engine, index);
    return work;
}

static struct work *hand_out_own(struct engine *engine, size_t device, enum rank rank)
{
    struct work *work = work_new();

    if (work && !device_own_work(engine, device, rank, work)) {
        work_free(work);
        work = NULL;
    }
    return work ? hand_out(engine, device, rank, false, work) : NULL;
}

static void keep_intent(struct engine *engine, struct task *task)
{
    run_intended(task->run, keep_run(engine, task, RECORD_INTENT));
    engine_hurry(engine);
}

/* Nothing but silence is on its way: no outcome follows soon on this line, and those that wait
   for company go on without. */
static void line_pauses(struct engine *engine, struct line_state *line)
{
    if (line->outcome > engine->safe && line->outcome > engine->awaited)
        engine->awaited = line->outcome;
    line->outcome = 0;
}

/* When a line that is down is given up; MOMENT_NEVER: there is nobody to tell. What pays back
   waits for the line as long as it takes. */
static int64_t give_up_us(const struct engine *engine, const struct line_state *line)
{
    for (size_t i = 0; line->known && i < line->device_count; i++) {
        const struct device_state *state = &engine->devices[line->devices[i]];

        if (state->first ||
            (state->running && !state->out && !run_pays_back(state->running->run)))
            return line->down_us + LINE_PATIENCE_US;
    }
    return MOMENT_NEVER;
}

/* NULL and the device is looked at again later, or never: it wants nothing now. */
static struct work *next_of_task(struct engine *engine, struct task *task, enum rank rank,
                                 struct moment now)
{
    struct facts facts = facts_of(engine, task, now);
    struct operation operation;

    if (broadcast_is_due(engine, task, &operation))
        return hand_out_broadcast(engine, task, rank, &operation);
    switch (run_next(task->run, &facts, now, &operation)) {
    case WANTS_WORK: {
        int64_t rest_us =
            health_rest_us(&engine->devices[task->device].learned, &operation, now.boot_us);
        if (rest_us == 0)
            return hand_out_task(engine, task, rank, &operation, now);
        not_sent(task, now);
        task->run->due_us = now.boot_us + rest_us;
        break;
    }
    case WANTS_INTENT:
        keep_intent(engine, task);
        break;
    case WANTS_COUNT:
        wear_count(engine, task, now);
        engine_hurry(engine);
        break;
    case WANTS_NOTHING:
        task_end(engine, task, now);
        break;
    case WANTS_TIME:
    case WANTS_SAFE:
        break; /* look_around() passes it over now */
    }
    return NULL;
}

/* Nobody else has moved by it, so the others need not be looked at again where it goes on in
   the rank for which it was chosen. False: it is over, or waits, or comes later. */
static bool begin(struct engine *engine, const struct line_state *line, struct choice *choice,
                  enum rank rank, struct moment now)
{
    int64_t when;

    task_begin(engine, choice->task, now);
    return engine->devices[choice->device].running == choice->task &&
           look_at(engine, line, now, choice, &when) == rank && when <= now.boot_us;
}

static struct work *next_work(struct engine *engine, struct line_state *line, struct moment now)
{
    struct choice best[RANK_COUNT];
    unsigned ready;

    if (engine->paused || line->held) {
        line->wake_us = MOMENT_NEVER;
        return NULL;
    }
    if (!line->up) {
        line->wake_us = give_up_us(engine, line);
        return NULL;
    }
    if (line->waiting == 0 && line->wake_us > now.boot_us)
        return NULL;
    if (line->probes > 0) {
        line->wake_us = MOMENT_NEVER;
        return NULL; /* its answer comes back through engine_answer(), which asks again */
    }
    while ((ready = look_around(engine, line, now, best)) != 0) {
        enum rank rank = turn_next(&line->turn, ready);
        struct choice *choice = &best[rank];
        struct work *work;

        if (choice->task && !choice->task->run) {
            if (broadcast_gather(engine, choice->task, now) ||
                !begin(engine, line, choice, rank, now))
                continue;
        }
        work = choice->task ? next_of_task(engine, choice->task, rank, now)
                            : hand_out_own(engine, choice->device, rank);
        if (work) {
            line->earned = (ready & ((1u << rank) - 1)) != 0;
            turn_took(&line->turn, ready, rank);
            return work;
        }
        if (!choice->task && rank != RANK_STEP)
            return NULL; /* out of memory */
    }
    return NULL;
}

struct work *engine_next_work(struct engine *engine, size_t index, struct moment now)
{
    struct line_state *line = &engine->lines[index];
    struct work *work = next_work(engine, line, now);

    if (!work && line->out == line->probes)
        line_pauses(engine, line);
    return work;
}

bool engine_wants_recall(struct engine *engine, size_t index, struct moment now)
{
    struct line_state *line = &engine->lines[index];
    struct choice best[RANK_COUNT];

    if (line->waiting == 0 || line->earned || line->out < ENGINE_LINE_ROOM)
        return false;
    if (line->last >= RANK_POLL)
        return (look_around(engine, line, now, best) & ((1u << RANK_REPEAT) - 1)) != 0;
    return line->calls > 0 && line->last != RANK_URGENT &&
           look_around(engine, line, now, best) & 1u << RANK_URGENT;
}

static void is_back(struct engine *engine, struct line_state *line, struct work *work)
{
    leave_slot(line, work);
    struct device_state *state = &engine->devices[work->device];

    state->out = false;
    line->out--;
    line->probes -= state->probed;
    state->probed = false;
    line->wake_us = 0;
}

void engine_recalled(struct engine *engine, size_t index, struct work *work, struct moment now)
{
    is_back(engine, &engine->lines[index], work);
    struct task *task = engine->devices[work->device].running;

    if (broadcast_is_back(&engine->lines[index], work))
        broadcast_answer(engine, index, &(struct answer){.result = ANSWER_NOT_SENT}, now);
    else if (task && work->number == task->job->order)
        not_sent(task, now);
    work_free(work);
}

/* One device that answers opens the gate for all that wait for the same. */
static void move_gate(struct engine *engine, struct line_state *line,
                      const struct answer *answer, struct moment now)
{
    if (answer->result == ANSWER_SILENT || answer->result == ANSWER_BAD_REPLY) {
        int64_t cost = answer->ended_us - answer->started_us;

        line->gate_closed = true;
        line->gate_us = now.boot_us + (cost > GATE_LEAST_US ? cost : GATE_LEAST_US);
        return;
    }
    if (!line->gate_closed || answer->result != ANSWER_DONE)
        return;
    line->gate_closed = false;
    for (size_t i = 0; i < line->device_count; i++) {
        struct task *task = engine->devices[line->devices[i]].running;

        if (task && task->run->phase == PHASE_EXPECT && !task->run->heard)
            task->run->due_us = now.boot_us;
    }
}

/* How far a run is; where that changes by a write or what belongs to it, it is worth keeping.
 */
struct progress {
    size_t step, item, restore_left;
    bool restores, counts;
};

static struct progress progress_of(const struct run *run)
{
    const struct plan_step *step = run_step(run);

    return (struct progress){.step = run->step,
                             .item = run->item,
                             .restore_left = run->restore_left,
                             .restores = run->phase == PHASE_RESTORE,
                             .counts = step &&
                                       (step->kind == PLAN_WRITE || step->kind == PLAN_BEFORE ||
                                        step->kind == PLAN_RETURN)};
}

static void keep_progress(struct engine *engine, const struct task *task,
                          const struct progress *was)
{
    struct progress is = progress_of(task->run);

    if (!engine->boot_id[0])
        return;
    if (is.restores ? !was->restores || is.restore_left != was->restore_left
                    : was->counts && (is.step != was->step || is.item != was->item))
        keep_run(engine, task, RECORD_DONE);
}

void engine_answer(struct engine *engine, size_t index, struct work *work, struct moment now)
{
    struct line_state *line = &engine->lines[index];

    is_back(engine, line, work);
    struct task *task = engine->devices[work->device].running;
    line->operations++;
    line->troubles += work->answer.result != ANSWER_DONE;
    if (broadcast_is_back(line, work)) {
        broadcast_answer(engine, index, &work->answer, now);
    } else if (task && task->run && work->number == task->job->order) {
        struct facts facts = facts_of(engine, task, now);
        bool expecting = task->run->phase == PHASE_EXPECT;

        struct progress was = progress_of(task->run);
        run_answer(task->run, &facts, &work->answer, now);
        debts_stand(engine, task);
        if (expecting)
            move_gate(engine, line, &work->answer, now);
        device_judge(engine, work, expecting, now);
        if (task->run->phase == PHASE_OVER)
            task_end(engine, task, now);
        else
            keep_progress(engine, task, &was);
    } else if (work->number == OWN_WORK) {
        device_own_answer(engine, work, now);
    }
    work_free(work);
}
