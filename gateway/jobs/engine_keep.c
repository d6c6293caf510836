/* What the records say, so that engine_restore.c can go on from them. */
#include "jobs/engine_private.h"
#include "site/value.h"

#include <stdlib.h>
#include <string.h>

enum { CLOCK_PAUSE_US = 60000000 };

static char *dumped(json_t *object)
{
    char *text = object ? json_text(object) : NULL;

    json_decref(object);
    return text;
}

/* A deadline in both clocks: within this boot the first counts, after it the second, if it may
   be believed. */
static void put_deadline(const struct engine *engine, json_t *object, const struct job *job,
                         struct moment now)
{
    if (job->deadline_us == MOMENT_NEVER)
        return;
    json_object_set_new(object, "boot", json_string(engine->boot_id));
    json_object_set_new(object, "deadlineUs", json_integer(job->deadline_us));
    if (now.trusted)
        json_object_set_new(
            object, "deadline",
            json_integer(now.wall_ms + (job->deadline_us - now.boot_us) / 1000));
}

uint64_t keep_job(struct engine *engine, const struct job *job, struct moment now)
{
    json_t *kept = json_pack("{s:o, s:I}", "request", request_keep(job->request), "created",
                             (json_int_t)job->created_ms);

    if (job->doubt != DOUBT_NONE)
        json_object_set_new(kept, "doubt", json_integer(job->doubt));
    if (job->call) {
        put_deadline(engine, kept, job, now);
        json_object_set_new(kept, "version", json_integer(job->tasks[0].version));
    }
    return engine_keep(engine, RECORD_JOB, job->id, NULL, 0, dumped(kept));
}

uint64_t keep_tasks(struct engine *engine, const struct job *job)
{
    json_t *devices = json_array(), *versions = json_array();

    for (size_t i = 0; i < job->task_count; i++) {
        const struct task *task = &job->tasks[i];

        json_array_append_new(devices, json_string(task_device_id(engine, task)));
        json_array_append_new(versions, json_integer(task->version));
    }
    json_t *kept = json_pack("{s:o, s:I}", "devices", devices, "created",
                             (json_int_t)(job->task_count > 0 ? job->tasks[0].created_ms : 0));
    if (job->request->action.kind == ACTION_PATCH)
        json_object_set(kept, "versions", versions);
    json_decref(versions);
    return engine_keep(engine, RECORD_TASKS, job->id, NULL, 0, dumped(kept));
}

static void keep_clock(struct engine *engine, struct moment now)
{
    if (!engine->boot_id[0] || now.boot_us < engine->clock_us)
        return;
    engine->clock_us = now.boot_us + CLOCK_PAUSE_US;
    engine_keep(
        engine, RECORD_CLOCK, NULL, NULL, 0,
        dumped(json_pack("{s:s, s:I, s:I, s:b, s:I}", "boot", engine->boot_id, "bootUs",
                         (json_int_t)now.boot_us, "wall", (json_int_t)now.wall_ms, "trusted",
                         (int)now.trusted, "first", (json_int_t)engine->first_ms)));
}

/* The first time that is believed is that of the first start: once for each state folder. */
void keep_first(struct engine *engine, struct moment now)
{
    if (engine->first_ms != 0 || !now.trusted)
        return;
    engine->first_ms = now.wall_ms;
    keep_clock(engine, now);
}

uint64_t keep_status(struct engine *engine, const struct job *job, struct moment now)
{
    json_t *kept = json_pack("{s:i, s:I, s:I, s:b}", "status", (int)job->status, "started",
                             (json_int_t)job->started_ms, "ended", (json_int_t)job->ended_ms,
                             "expired", (int)job->expired);

    /* Of its end: told by this number until it has arrived. */
    if (!job_is_over(job))
        put_deadline(engine, kept, job, now);
    else
        json_object_set_new(kept, "number", json_integer((json_int_t)engine->number + 1));
    if (job->code != CODE_NONE) {
        json_object_set_new(kept, "code", json_integer(job->code));
        json_object_set_new(kept, "text", json_string(job->text));
    }
    uint64_t number =
        engine_keep(engine, RECORD_STATUS, job->id, NULL,
                    job_is_over(job) && !job_is_untold(engine, job) ? 1 : 0, dumped(kept));
    keep_clock(engine, now);
    return number;
}

/* Does its beginning say anything that its end, or its being without a record, does not? A task
   that only sets one state is simply carried out again. */
static bool is_worth_a_record(const struct plan *plan)
{
    const struct plan_step *step = plan->steps;

    return plan->step_count != 1 || step->kind != PLAN_WRITE || step->class != CLASS_STATE;
}

void keep_handed(struct engine *engine, const struct task *task)
{
    /* Of a call it may be told before it ends. */
    if (!task->own_plan && !task->job->call && !is_worth_a_record(task->run->plan))
        return;
    json_t *kept = json_pack("{s:I}", "started", (json_int_t)task->started_ms);
    json_t *names = json_array();

    for (size_t i = 0; task->own_plan && i < task->own_plan->refusal_count; i++) {
        const struct plan_refusal *refusal = &task->own_plan->refusals[i];

        if (code_find(refusal->code) == CODE_SUPERSEDED)
            json_array_append_new(names, json_string(refusal->name));
    }
    if (json_array_size(names) > 0)
        json_object_set(kept, "superseded", names);
    json_decref(names);
    engine_keep(engine, RECORD_HANDED, task->job->id, engine->site->devices[task->device].id, 0,
                dumped(kept));
}

uint64_t keep_run(struct engine *engine, const struct task *task, enum record_kind kind)
{
    return engine_keep(engine, kind, task->job->id, engine->site->devices[task->device].id,
                       (uint32_t)task->run->step, run_journal(task->run));
}

uint64_t keep_twin(struct engine *engine, size_t device)
{
    const struct device_state *state = &engine->devices[device];
    const struct twin *twin = &state->twin;
    json_t *kept = json_pack(
        "{s:O*, s:O*, s:O*, s:O*, s:O*, s:I, s:I, s:I, s:I}", "desired", twin->desired,
        "reported", twin->reported, "tags", twin->tags, "patch", state->last_patch, "owed",
        state->owed, "desiredVersion", (json_int_t)twin->desired_version, "reportedVersion",
        (json_int_t)twin->reported_version, "tagsVersion", (json_int_t)twin->tags_version,
        "applied", (json_int_t)twin->applied_version);

    json_object_update_new(kept, json_pack("{s:O*, s:O*}", "desiredTimes", twin->desired_times,
                                           "reportedTimes", twin->reported_times));
    if (twin->hub_version != 0) {
        json_object_set_new(kept, "hubVersion", json_integer(twin->hub_version));
        json_object_update_new(kept, json_pack("{s:O*, s:O*}", "hubDesired", twin->hub_desired,
                                               "hubAcks", twin->hub_acks));
    }
    if (twin->tags) /* they win over the file's until those change */
        json_object_set(kept, "fileTags", engine->site->devices[device].tags);
    return engine_keep(engine, RECORD_TWIN, NULL, engine->site->devices[device].id, 0,
                       dumped(kept));
}

void keep_tags(struct engine *engine)
{
    for (size_t i = 0; i < engine->site->device_count; i++) {
        if (engine->devices[i].tags_moved)
            keep_twin(engine, i);
        engine->devices[i].tags_moved = false;
    }
}
