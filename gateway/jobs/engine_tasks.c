/* The life of a task: queued at its device, begun by its first frame, ended exactly once. */
#include "jobs/engine_private.h"
#include "site/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *task_state_name(enum task_state state)
{
    switch (state) {
    case TASK_SCHEDULED:
        return "scheduled";
    case TASK_RUNNING:
        return "running";
    case TASK_COMPLETED:
        return "completed";
    case TASK_FAILED:
    case TASK_CANCELED: /* a record that carries an error is failed; the code says why */
        return "failed";
    case TASK_STATE_COUNT:
        break;
    }
    return "unknown";
}

/* The only place where a task changes its state, so that the counts always add up. */
static void task_move(struct task *task, enum task_state state, struct moment now)
{
    task->job->counts[task->state]--;
    task->job->counts[state]++;
    task->state = state;
    task->changed_ms = now.wall_ms;
    task->job->share_due = true;
}

static struct line_state *line_of(struct engine *engine, const struct task *task)
{
    return &engine->lines[engine->site->devices[task->device].line];
}

void task_queue(struct engine *engine, struct task *task)
{
    struct task **at = &engine->devices[task->device].first;
    struct line_state *line = line_of(engine, task);

    while (*at && (!task->job->call || (*at)->job->call))
        at = &(*at)->next;
    task->next = *at;
    *at = task;
    line->waiting++;
    line->calls += task->job->call;
    line->wake_us = 0;
}

static void unqueue(struct engine *engine, struct task *task)
{
    struct task **at = &engine->devices[task->device].first;

    while (*at && *at != task)
        at = &(*at)->next;
    if (*at)
        *at = task->next;
    task->next = NULL;
}

struct job_plan *job_plan(struct engine *engine, struct job *job, size_t profile)
{
    struct job_plan *made = &job->plans[profile];

    if (made->made)
        return made;
    made->made = true;
    int r = plan_new(&made->plan, engine->site, profile, &job->request->action, &made->error);
    if (r < 0) {
        made->error.status = 507;
        made->error.code = code_name(CODE_STORE_UNAVAILABLE);
        snprintf(made->error.text, sizeof(made->error.text), "out of memory");
    }
    return made;
}

static void leave_device(struct engine *engine, struct task *task)
{
    struct device_state *device = &engine->devices[task->device];

    if (device->running == task)
        device->running = NULL;
    else
        unqueue(engine, task);
    line_of(engine, task)->waiting--;
    line_of(engine, task)->calls -= task->job->call;
    line_of(engine, task)->wake_us = 0;
}

const char *task_device_id(const struct engine *engine, const struct task *task)
{
    return task->device == SITE_NONE ? task->gone : engine->site->devices[task->device].id;
}

void report_outcome(struct engine *engine, const struct task *task)
{
    struct report *report = engine_report(engine, REPORT_OUTCOME, task->number, task->job->id,
                                          task_device_id(engine, task), strdup(task->record));

    report->call = task->job->call;
    report->code = task->code;
    if (engine->outbox && !report->call)
        report->number = task->number;
}

static void note_outcome(struct engine *engine, const struct task *task)
{
    struct device_state *device = &engine->devices[task->device];

    free(device->last_outcome);
    device->last_outcome = strdup(task->record);
    device->ended = task->number;
    line_of(engine, task)->outcome = task->number;
    if (device->first && device->first->job->call)
        engine_hurry(engine); /* it begins when this is safe */
}

/* The record first, so that nothing is told before it is safe: neither the outcome nor the
   acknowledgements in the reported document. */
static void finish(struct engine *engine, struct task *task, enum task_state state,
                   struct said *said, bool reported, struct moment now)
{
    struct job *job = task->job;
    const char *id = task_device_id(engine, task);
    bool here = task->device != SITE_NONE;

    task->ended_ms = now.wall_ms;
    task_move(task, state, now);
    if (here)
        leave_device(engine, task);
    if (reported)
        keep_twin(engine, task->device);
    task->record = task_end_text(engine, task, said);

    bool untold = task_is_untold(engine, task);
    task->number =
        engine_keep(engine, RECORD_OUTCOME, job->id, id, untold ? 0 : 1, strdup(task->record));
    engine->untold += untold;
    if (here)
        note_outcome(engine, task);
    shelf_add_text(engine, task);
    if (job->call)
        call_answer(engine, job, code_status(task->code), task->code, said->payload,
                    task->number);
    else
        free(said->payload);
    free(said->writes);
    report_outcome(engine, task);
    if (reported)
        reported_changed(engine, task->device, now);
    job_check_end(engine, job, now);
}

void task_refuse(struct engine *engine, struct task *task, enum code code, const char *text,
                 struct moment now)
{
    bool reported = false;
    char maybe[400];

    if (task->maybe && code_status(code) != code_status(CODE_OUTCOME_UNKNOWN)) {
        snprintf(maybe, sizeof(maybe),
                 "%.250s, but the gateway was interrupted before and it may have begun", text);
        text = maybe;
        code = CODE_INTERRUPTED;
    }
    struct said said = {.payload = error_body(code, text), .description = text};
    task->code = code;
    if (task->job->request->action.kind == ACTION_PATCH && task->device != SITE_NONE)
        reported = patch_acknowledge(engine, task, text, now);
    finish(engine, task, code == CODE_CANCELED ? TASK_CANCELED : TASK_FAILED, &said, reported,
           now);
}

static void free_run(struct task *task)
{
    if (task->run)
        run_deinit(task->run);
    free(task->run);
    task->run = NULL;
    plan_free(task->own_plan);
    task->own_plan = NULL;
}

static void report_progress(struct engine *engine, const struct task *task)
{
    engine_report(engine, REPORT_PROGRESS, 0, task->job->id,
                  engine->site->devices[task->device].id, task_text(engine, task));
}

/* Its run is made and it counts as running. False: it has been refused and is over. */
static bool set_out(struct engine *engine, struct task *task, struct moment now)
{
    struct job_plan *made =
        job_plan(engine, task->job, engine->site->devices[task->device].profile);
    enum code code = CODE_NONE;
    char text[TASK_TEXT_SIZE];

    if (!made->plan) {
        task_refuse(engine, task, code_find(made->error.code), made->error.text, now);
        return false;
    }
    if (made->plan->step_count > 0 &&
        device_is_claimed(engine, task->device, text, sizeof(text))) {
        task_refuse(engine, task, CODE_DEVICE_CLAIMED_TWICE, text, now);
        return false;
    }
    task->run = calloc(1, sizeof(*task->run));
    if (task->job->request->action.kind == ACTION_PATCH)
        task->own_plan = patch_without_superseded(engine, task, made->plan);
    if (!task->run ||
        run_init(task->run, engine->site, task->own_plan ? task->own_plan : made->plan,
                 task->device, now) < 0) {
        free(task->run);
        task->run = NULL;
        task_refuse(engine, task, CODE_STORE_UNAVAILABLE, "the gateway is out of memory", now);
        return false;
    }
    struct facts facts = facts_of(engine, task, now);
    if (!wear_allows(engine, task, &facts, now, &code, text, sizeof(text))) {
        free_run(task);
        task_refuse(engine, task, code, text, now);
        return false;
    }
    if (task->maybe)
        run_maybe_begun(task->run);
    task->maybe = false;
    task->started_ms = now.wall_ms;
    task_move(task, TASK_RUNNING, now);
    keep_handed(engine, task);
    if (engine->watched)
        report_progress(engine, task);
    return true;
}

void task_begin(struct engine *engine, struct task *task, struct moment now)
{
    if (!set_out(engine, task, now))
        return;
    unqueue(engine, task);
    engine->devices[task->device].running = task;
}

/* Without its journal nothing may be said but that it was interrupted. */
static void lose(struct engine *engine, struct task *task, struct moment now)
{
    task_refuse(engine, task, task->journal ? CODE_OUTCOME_UNKNOWN : CODE_STORE_UNAVAILABLE,
                task->journal ? "the site was changed while this task was interrupted: nothing "
                                "can tell how far it came"
                              : "the gateway is out of memory",
                now);
}

static bool make_run(struct engine *engine, struct task *task, struct moment now)
{
    struct job_plan *made =
        job_plan(engine, task->job, engine->site->devices[task->device].profile);
    json_t *handed = task->handed ? json_loads(task->handed, 0, NULL) : NULL;
    const json_t *names = json_object_get(handed, "superseded");

    if (made->plan && names)
        task->own_plan = patch_plan_without(engine, task, made->plan, names);
    task->started_ms = json_integer_value(json_object_get(handed, "started"));
    if (task->started_ms == 0)
        task->started_ms = now.wall_ms;
    json_decref(handed);
    task->run = made->plan ? calloc(1, sizeof(*task->run)) : NULL;
    return task->run &&
           run_init(task->run, engine->site, task->own_plan ? task->own_plan : made->plan,
                    task->device, now) == 0 &&
           (!task->journal || run_resume(task->run, task->journal, task->in_doubt, now) == 0);
}

void task_resume(struct engine *engine, struct task *task, struct moment now)
{
    bool made = make_run(engine, task, now);
    if (made)
        run_maybe_begun(task->run);
    if (!made) {
        free_run(task);
        lose(engine, task, now);
        return;
    }
    unqueue(engine, task);
    engine->devices[task->device].running = task;
    task_move(task, TASK_RUNNING, now);
    if (task->run->phase == PHASE_OVER)
        task_end(engine, task, now);
}

void task_try_without_wire(struct engine *engine, struct task *task, struct moment now)
{
    if (task->state != TASK_SCHEDULED)
        return;
    const struct job_plan *made =
        job_plan(engine, task->job, engine->site->devices[task->device].profile);
    char text[TASK_TEXT_SIZE];
    if (made->plan && made->plan->step_count > 0) {
        if (device_is_claimed(engine, task->device, text, sizeof(text)))
            task_refuse(engine, task, CODE_DEVICE_CLAIMED_TWICE, text, now);
        return;
    }
    if (set_out(engine, task, now))
        task_end(engine, task, now);
}

void task_end(struct engine *engine, struct task *task, struct moment now)
{
    char text[400];
    bool reported = false;
    struct said said = {.description = text};

    task->attempts = task->run->attempts;
    if (task->job->request->action.kind == ACTION_PATCH) {
        said.payload = patch_payload(task, &task->code, text, sizeof(text));
        said.writes = run_writes(task->run);
        reported = patch_acknowledge(engine, task, text, now);
    } else {
        task->code = task->run->code;
        snprintf(text, sizeof(text), "%s", task->run->text);
        said.payload = run_payload(task->run);
        reported = seen_tell(engine, task);
    }
    enum task_state state = task->code == CODE_NONE       ? TASK_COMPLETED
                            : task->code == CODE_CANCELED ? TASK_CANCELED
                                                          : TASK_FAILED;
    debts_settle(engine, task, now);
    /* The run is done with before anything is reported: reports look at the device's state. */
    free_run(task);
    finish(engine, task, state, &said, reported, now);
}
