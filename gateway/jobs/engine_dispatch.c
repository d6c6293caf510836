/* What a line does next, and what its answers say about the health of devices. */
#include "jobs/engine_private.h"
#include "site/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A job's tasks wait this long for a line that is down. */
#define LINE_PATIENCE_US (10 * INT64_C(1000000))
/* After a silent `expect` the next silent device is tried after the time that this one cost,
   so that devices which reboot take at most half of the line. */
#define GATE_LEAST_US INT64_C(50000)

/* Lower goes first. Repeats and devices that do not answer come last, so that the live are done
   in the time of the live. */
enum rank {
    RANK_URGENT = 0,
    RANK_STEP = 1,
    RANK_READBACK = 2,
    RANK_REPEAT = 3,
    RANK_DEAD = 4,
    RANK_NONE = 9,
};

static const struct profile *device_profile(const struct engine *engine, size_t device)
{
    return &engine->site->profiles[engine->site->devices[device].profile];
}

static int64_t device_timeout_us(const struct engine *engine, size_t device)
{
    const struct profile *profile = device_profile(engine, device);

    return profile->timeout_us >= 0
               ? profile->timeout_us
               : engine->site->lines[engine->site->devices[device].line].timeout_us;
}

static struct facts facts_of(const struct engine *engine, const struct task *task)
{
    const struct device_state *state = &engine->devices[task->device];
    const struct profile *profile = device_profile(engine, task->device);
    unsigned retries =
        profile->retries >= 0
            ? (unsigned)profile->retries
            : engine->site->lines[engine->site->devices[task->device].line].retries;

    return (struct facts){.urgent = task->job->call,
                          .known_dead = state->health == HEALTH_OFFLINE,
                          .tries = retries + 1,
                          .timeout_us = device_timeout_us(engine, task->device),
                          .heard_us = state->heard_us,
                          .safe = engine->safe};
}

static bool is_gated(const struct line_state *line, const struct run *run, struct moment now)
{
    return run->phase == PHASE_EXPECT && !run->heard && line->gate_closed &&
           now.boot_us < line->gate_us && !(run->tries > 0 && now.boot_us >= run->until_us);
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
        task = engine->stopping ? NULL : state->first;
        if (task && task->job->safe_at > engine->safe)
            return NULL;
        return task;
    }
    if (task->run->due_us > now.boot_us)
        *when = task->run->due_us;
    else if (task->run->phase == PHASE_INTENT && task->run->intent > engine->safe)
        return NULL;
    else if (is_gated(line, task->run, now))
        *when = line->gate_us;
    return task;
}

static enum rank rank_of(const struct engine *engine, const struct task *task)
{
    const struct device_state *state = &engine->devices[task->device];

    if (state->health == HEALTH_OFFLINE && !task->job->call)
        return RANK_DEAD;
    if (task->run && run_is_repeat(task->run))
        return RANK_REPEAT;
    if (task->job->call)
        return RANK_URGENT;
    if (task->run && (run_is_readback(task->run) || task->run->phase == PHASE_EXPECT))
        return RANK_READBACK;
    return RANK_STEP;
}

struct choice {
    struct task *task;
    enum rank rank;
    uint64_t turn;
};

static bool goes_before(const struct choice *a, const struct choice *b)
{
    if (a->rank != b->rank)
        return a->rank < b->rank;
    if (a->turn != b->turn)
        return a->turn < b->turn;
    return a->task->job->order < b->task->job->order;
}

static struct task *choose(struct engine *engine, struct line_state *line, struct moment now)
{
    struct choice best = {.rank = RANK_NONE};

    line->wake_us = MOMENT_NEVER;
    for (size_t i = 0; i < line->device_count; i++) {
        int64_t when;
        struct task *task = next_of_device(engine, line, line->devices[i], now, &when);

        if (!task)
            continue;
        if (when > now.boot_us) {
            if (when < line->wake_us)
                line->wake_us = when;
            continue;
        }
        struct choice choice = {.task = task,
                                .rank = rank_of(engine, task),
                                .turn = engine->devices[task->device].served};
        if (!best.task || goes_before(&choice, &best))
            best = choice;
    }
    return best.task;
}

static struct work *hand_out(struct engine *engine, struct task *task,
                             const struct operation *operation, struct moment now)
{
    const struct profile *profile = device_profile(engine, task->device);
    const struct line_config *line =
        &engine->site->lines[engine->site->devices[task->device].line];
    struct work *work = work_new();

    if (!work) {
        run_answer(task->run, &(struct facts){0}, &(struct answer){.result = ANSWER_NOT_SENT},
                   now);
        return NULL;
    }
    work->number = task->job->order;
    work->device = task->device;
    work->operation = *operation;
    work->limits =
        (struct limits){.timeout_us = device_timeout_us(engine, task->device),
                        .gap_us = profile->gap_us >= 0 ? profile->gap_us : line->gap_us,
                        .deadline_us = MOMENT_NEVER};
    struct line_state *at = &engine->lines[engine->site->devices[task->device].line];
    struct device_state *state = &engine->devices[task->device];
    state->out = true;
    state->served = ++engine->served;
    state->probed = rank_of(engine, task) >= RANK_REPEAT || state->health == HEALTH_OFFLINE ||
                    (task->run->phase == PHASE_EXPECT && !task->run->heard);
    at->out++;
    at->probes += state->probed;
    return work;
}

static void keep_intent(struct engine *engine, struct task *task)
{
    uint64_t number =
        engine_keep(engine, RECORD_INTENT, task->job->id,
                    engine->site->devices[task->device].id, (uint32_t)task->run->step, NULL);

    run_intended(task->run, number);
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

struct work *engine_next_work(struct engine *engine, size_t index, struct moment now)
{
    struct line_state *line = &engine->lines[index];
    struct task *task;

    if (line->waiting == 0 || !line->up) {
        line->wake_us = give_up_us(engine, line);
        return NULL;
    }
    if (line->probes > 0) {
        line->wake_us = MOMENT_NEVER;
        return NULL; /* its answer comes back through engine_answer(), which asks again */
    }
    while ((task = choose(engine, line, now))) {
        struct operation operation;

        if (!task->run) {
            task_begin(engine, task, now);
            continue;
        }
        struct facts facts = facts_of(engine, task);
        switch (run_next(task->run, &facts, now, &operation)) {
        case WANTS_WORK:
            return hand_out(engine, task, &operation, now);
        case WANTS_INTENT:
            keep_intent(engine, task);
            break;
        case WANTS_NOTHING:
            task_end(engine, task, now);
            break;
        case WANTS_TIME:
        case WANTS_SAFE:
            break; /* choose() passes it over now */
        }
    }
    return NULL;
}

void device_set_health(struct engine *engine, size_t device, enum health health,
                       struct moment now)
{
    struct device_state *state = &engine->devices[device];

    if (state->health == health)
        return;
    state->health = health;
    state->since_ms = now.wall_ms;
    report_state(engine, device);
}

/* Silence of a device that is expected to reboot says nothing about its health. */
static void judge_health(struct engine *engine, const struct task *task,
                         const struct work *work, bool expecting, struct moment now)
{
    struct device_state *state = &engine->devices[work->device];
    const struct answer *answer = &work->answer;

    if (answer_is_the_devices(answer)) {
        state->heard_us = answer->ended_us;
        state->heard_ms = now.wall_ms;
        state->silent = 0;
        device_set_health(engine, work->device, HEALTH_ONLINE, now);
    } else if (answer->result == ANSWER_SILENT && !expecting) {
        state->silent++;
        if (state->silent >= facts_of(engine, task).tries)
            device_set_health(engine, work->device, HEALTH_OFFLINE, now);
    }
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

void engine_answer(struct engine *engine, size_t index, struct work *work, struct moment now)
{
    struct line_state *line = &engine->lines[index];
    struct device_state *state = &engine->devices[work->device];
    struct task *task = state->running;

    state->out = false;
    line->out--;
    line->probes -= state->probed;
    state->probed = false;
    line->wake_us = 0;
    if (task && task->run && work->number == task->job->order) {
        struct facts facts = facts_of(engine, task);
        bool expecting = task->run->phase == PHASE_EXPECT;

        line->operations++;
        line->troubles += work->answer.result != ANSWER_DONE;
        run_answer(task->run, &facts, &work->answer, now);
        if (expecting)
            move_gate(engine, line, &work->answer, now);
        judge_health(engine, task, work, expecting, now);
        if (task->run->phase == PHASE_OVER)
            task_end(engine, task, now);
    }
    work_free(work);
}

/* What a pulse or a restore owes is paid when the line is back; who called learns now. */
static void line_fail_running(struct engine *engine, struct task *task, const char *text,
                              struct moment now)
{
    struct run *run = task->run;

    run_line_down(run, text, now);
    if (run->phase == PHASE_OVER) {
        task_end(engine, task, now);
    } else if (task->job->call && run->code != CODE_NONE && !task->job->answered) {
        json_t *payload = run_payload(run);

        call_answer(engine, task->job, code_status(run->code), run->code, json_text(payload),
                    engine->number);
        json_decref(payload);
    }
}

void line_fail_waiting(struct engine *engine, size_t index, bool urgent_only, struct moment now)
{
    struct line_state *line = &engine->lines[index];
    char text[240];

    snprintf(text, sizeof(text), "line %s is down: %.160s", engine->site->lines[index].name,
             line->why);
    for (size_t i = 0; i < line->device_count; i++) {
        struct device_state *state = &engine->devices[line->devices[i]];

        if (state->running && !state->out && (!urgent_only || state->running->job->call))
            line_fail_running(engine, state->running, text, now);
        for (struct task *task = state->first, *next; task; task = next) {
            next = task->next;
            if (!urgent_only || task->job->call)
                task_refuse(engine, task, CODE_LINE_DOWN, text, now);
        }
    }
}

void line_abandon(struct engine *engine, size_t index, const char *why, struct moment now)
{
    struct line_state *line = &engine->lines[index];

    for (size_t i = 0; i < line->device_count; i++) {
        struct device_state *state = &engine->devices[line->devices[i]];

        if (state->running) {
            run_abandon(state->running->run, why, now);
            task_end(engine, state->running, now);
        }
        while (state->first)
            task_refuse(engine, state->first, CODE_CANCELED, why, now);
    }
}

void engine_line_state(struct engine *engine, size_t index, bool up, const char *why,
                       struct moment now)
{
    struct line_state *line = &engine->lines[index];
    bool changed = !line->known || line->up != up;

    snprintf(line->why, sizeof(line->why), "%s", why ? why : "");
    if (!changed)
        return;
    line->known = true;
    line->up = up;
    line->down_us = now.boot_us;
    line->wake_us = 0;
    line->gate_closed = false;
    report_gateway(engine);
    if (up)
        return;
    for (size_t i = 0; i < line->device_count; i++)
        device_set_health(engine, line->devices[i], HEALTH_UNKNOWN, now);
    line_fail_waiting(engine, index, true, now);
}

static void line_tick(struct engine *engine, size_t index, struct moment now)
{
    struct line_state *line = &engine->lines[index];

    if (line->known && !line->up && line->waiting > 0 &&
        now.boot_us >= line->down_us + LINE_PATIENCE_US)
        line_fail_waiting(engine, index, false, now);
}

void engine_tick(struct engine *engine, struct moment now)
{
    engine->trusted = now.trusted;
    /* The oldest first: what was asked later stands on what was asked before. */
    for (struct job *job = engine->oldest; job; job = job->newer) {
        if (job_is_over(job))
            continue;
        if (job->call)
            call_tick(engine, job, now);
        else
            job_tick(engine, job, now);
    }
    for (size_t i = 0; i < engine->site->line_count; i++)
        line_tick(engine, i, now);
    reported_tick(engine, now);
    jobs_forget_old(engine);
}
