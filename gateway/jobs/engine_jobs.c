/* Jobs over many devices: accepted, started, cancelled, expired, ended. */
#include "jobs/engine_private.h"
#include "jobs/timetext.h"
#include "site/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *job_status_name(enum job_status status)
{
    switch (status) {
    case JOB_QUEUED:
        return "queued";
    case JOB_SCHEDULED:
        return "scheduled";
    case JOB_RUNNING:
        return "running";
    case JOB_COMPLETED:
        return "completed";
    case JOB_FAILED:
        return "failed";
    case JOB_CANCELLED:
        return "cancelled";
    }
    return "unknown";
}

const char *job_type_name(const struct job *job)
{
    switch (job->request->action.kind) {
    case ACTION_METHOD:
    case ACTION_READ:
    case ACTION_WRITE:
        return "scheduleDeviceMethod";
    case ACTION_PATCH:
        return "scheduleUpdateTwin";
    }
    return "scheduleDeviceMethod";
}

bool job_is_over(const struct job *job)
{
    return job->status == JOB_COMPLETED || job->status == JOB_FAILED ||
           job->status == JOB_CANCELLED;
}

struct job *engine_find_job(const struct engine *engine, const char *id)
{
    for (struct job *job = engine->newest; job; job = job->older) {
        if (strcmp(job->id, id) == 0)
            return job;
    }
    return NULL;
}

static void drop_plans(const struct engine *engine, struct job *job)
{
    for (size_t i = 0; job->plans && i < engine->site->profile_count; i++)
        plan_free(job->plans[i].plan);
    free(job->plans);
    job->plans = NULL;
}

void job_free(const struct engine *engine, struct job *job)
{
    for (size_t i = 0; job->tasks && i < job->task_count; i++) {
        struct task *task = &job->tasks[i];

        if (task->run) {
            run_deinit(task->run);
            free(task->run);
        }
        plan_free(task->own_plan);
        free(task->record);
        free(task->gone);
        free(task->handed);
        free(task->journal);
    }
    free(job->tasks);
    request_free(job->request);
    free(job->id);
    drop_plans(engine, job); /* runs look at their plans to the last */
    free(job);
}

void job_add(struct engine *engine, struct job *job)
{
    job->older = engine->newest;
    if (engine->newest)
        engine->newest->newer = job;
    else
        engine->oldest = job;
    engine->newest = job;
}

static void job_remove(struct engine *engine, struct job *job)
{
    if (job->newer)
        job->newer->older = job->older;
    else
        engine->newest = job->older;
    if (job->older)
        job->older->newer = job->newer;
    else
        engine->oldest = job->newer;
}

struct old_job *job_remember_id(struct engine *engine, const char *id, uint64_t fingerprint)
{
    struct old_job *old = &engine->old_jobs[engine->old_next];

    known_add(engine, id, fingerprint);
    engine->old_next = (engine->old_next + 1) % OLD_JOBS_MOST;
    free(old->id);
    if (old->uncleared)
        engine->untold--;
    *old = (struct old_job){.id = strdup(id), .fingerprint = fingerprint};
    return old;
}

void job_drop(struct engine *engine, struct job *job)
{
    job_remove(engine, job);
    engine->ended--;
    engine->ended_tasks -= job->task_count;
    shelf_forget_texts(engine, job);
    job_free(engine, job);
}

void job_forget(struct engine *engine, const char *id, bool call, uint64_t fingerprint,
                struct moment now)
{
    char *when = NULL;

    if (call) {
        engine_keep(engine, RECORD_FORGET, id, NULL, 0, NULL);
        return;
    }
    if (asprintf(&when, "%lld", (long long)(now.wall_ms / 1000)) < 0)
        when = strdup("0");
    struct old_job *old = job_remember_id(engine, id, fingerprint);
    uint64_t number =
        engine_keep(engine, RECORD_FORGET, id, NULL, engine->outbox ? 0 : 1, when);
    if (engine->outbox) {
        old->uncleared = number;
        engine->untold++;
    }
    report_clear(engine, id, old->uncleared);
}

enum { FORGET_PAUSE_US = 60000000, CALL_KEPT_MS = 86400000 };

/* Is its time in the history over? */
static bool is_old(const struct engine *engine, const struct job *job, struct moment now)
{
    int64_t kept =
        job->call ? CALL_KEPT_MS : (int64_t)engine->site->store.retention_days * 86400000;

    return kept > 0 && job_is_over(job) && now.trusted && now.wall_ms - job->ended_ms > kept;
}

/* Where there is no history: keeps the newest ended jobs, for those who ask. Nobody asks for a
   call: its outcome stands at its device. */
void jobs_forget_old(struct engine *engine, struct moment now)
{
    bool crowded =
        !engine->shelves && (engine->ended > ENDED_JOBS_MOST + ENDED_JOBS_MOST / 10 ||
                             engine->ended_tasks > ENDED_TASKS_MOST + ENDED_TASKS_MOST / 10);
    size_t jobs = 0, tasks = 0;
    struct job *older;

    if (!crowded && now.boot_us < engine->forget_us)
        return;
    engine->forget_us = now.boot_us + FORGET_PAUSE_US;
    for (struct job *job = engine->newest; job; job = older) {
        older = job->older;
        if (job_is_over(job) && !job->call)
            tasks += job->task_count;
        bool kept = !job_is_over(job) || (!job->call && ++jobs <= ENDED_JOBS_MOST &&
                                          (jobs == 1 || tasks <= ENDED_TASKS_MOST));
        if ((kept || !crowded) && !is_old(engine, job, now))
            continue;
        told_forget(engine, job);
        job_forget(engine, job->id, job->call, job->request->fingerprint, now);
        job_drop(engine, job);
    }
}

static void job_over(struct engine *engine, struct job *job, enum job_status status,
                     struct moment now)
{
    job->status = status;
    job->ended_ms = now.wall_ms;
    engine->ended++;
    engine->ended_tasks += job->task_count;
    job->number = keep_status(engine, job, now);
    engine_hurry(engine); /* with its last outcome */
    struct report *share = report_share(engine, job, now);
    if (job_is_untold(engine, job)) {
        share->number = job->number;
        engine->untold++;
    }
    drop_plans(engine, job);
}

void job_check_end(struct engine *engine, struct job *job, struct moment now)
{
    size_t open = job->counts[TASK_SCHEDULED] + job->counts[TASK_RUNNING];

    if (!job->resolved || open > 0 || job_is_over(job))
        return;
    job_over(engine, job, job->canceling ? JOB_CANCELLED : JOB_COMPLETED, now);
}

/* Freezes the job's devices and queues its tasks. False when a line would have more waiting
 * than it may. */
bool job_resolve(struct engine *engine, struct job *job, struct moment now, char *why,
                 size_t size)
{
    const struct site *site = engine->site;
    size_t *waiting = calloc(site->line_count + 1, sizeof(*waiting));
    struct task *tasks = calloc(site->device_count + 1, sizeof(*tasks));
    size_t count = 0;
    bool fits = waiting && tasks;

    snprintf(why, size, "%s", "the gateway is out of memory");
    for (size_t i = 0; fits && i < site->device_count; i++) {
        struct select select = {.engine = engine, .device = i};
        size_t line = site->devices[i].line;

        if (!condition_matches(job->request->condition, select_lookup, &select))
            continue;
        tasks[count] = (struct task){.job = job,
                                     .device = i,
                                     .place = (uint32_t)count,
                                     .created_ms = now.wall_ms,
                                     .changed_ms = now.wall_ms};
        count++;
        if (engine->lines[line].waiting + ++waiting[line] > site->store.max_waiting) {
            snprintf(why, size, "more than %u tasks would wait on line %s",
                     site->store.max_waiting, site->lines[line].name);
            fits = false;
        }
    }
    free(waiting);
    if (!fits) {
        free(tasks);
        return false;
    }
    struct task *fitted = realloc(tasks, (count + 1) * sizeof(*tasks));
    job->tasks = fitted ? fitted : tasks;
    job->task_count = count;
    job->counts[TASK_SCHEDULED] = count;
    job->resolved = true;
    for (size_t i = 0; i < count; i++)
        task_queue(engine, &job->tasks[i]);
    return true;
}

static void fail_job(struct engine *engine, struct job *job, enum code code, const char *text,
                     struct moment now)
{
    job->resolved = true;
    job->code = code;
    snprintf(job->text, sizeof(job->text), "%s", text);
    job_over(engine, job, JOB_FAILED, now);
}

static void take_patches(struct engine *engine, struct job *job)
{
    if (job->request->action.kind != ACTION_PATCH)
        return;
    for (size_t i = 0; i < job->task_count; i++) {
        if (job->tasks[i].device == SITE_NONE)
            continue; /* removed by a reload before the job began */
        patch_take(engine, &job->tasks[i]);
        keep_twin(engine, job->tasks[i].device);
    }
    keep_tasks(engine, job); /* now with the versions */
}

void job_start(struct engine *engine, struct job *job, struct moment now)
{
    char why[200];

    if (!job->resolved) {
        if (!job_resolve(engine, job, now, why, sizeof(why))) {
            fail_job(engine, job, CODE_QUEUE_FULL, why, now);
            return;
        }
        job->safe_at = keep_tasks(engine, job); /* whom it touches, before it does */
        engine_hurry(engine);
    }
    job->status = JOB_RUNNING;
    job->started_ms = now.wall_ms;
    job->deadline_us = now.boot_us + (int64_t)job->request->max_execution_s * 1000000;
    if (job->request->has_start && job->request->origin.link == LINK_BROKER)
        job->deadline_us -= (now.wall_ms - job->request->start_ms) * 1000;
    take_patches(engine, job); /* first: a job that is known to run has given its values */
    keep_status(engine, job, now);
    if (job->doubt != DOUBT_NONE)
        job_end_in_doubt(engine, job, now);
    if (job->deadline_us > now.boot_us) {
        for (size_t i = 0; i < job->task_count; i++)
            task_try_without_wire(engine, &job->tasks[i], now);
    }
    if (!job_is_over(job))
        report_share(engine, job, now);
    job_check_end(engine, job, now);
}

void job_interrupt(struct engine *engine, struct job *job, const struct stop *stop,
                   struct moment now)
{
    for (size_t i = 0; i < job->task_count; i++) {
        struct task *task = &job->tasks[i];

        if (task->state == TASK_SCHEDULED) {
            task_refuse(engine, task, stop->code, stop->before, now);
        } else if (task->state == TASK_RUNNING) {
            run_stop(task->run, stop, now);
            engine->lines[engine->site->devices[task->device].line].wake_us = 0;
            if (task->run->phase == PHASE_OVER)
                task_end(engine, task, now);
        }
    }
}

static void expire(struct engine *engine, struct job *job, struct moment now)
{
    static const struct stop stop = {CODE_EXPIRED,
                                     "the job's time ended before this task began",
                                     "the job's time ended after this task had begun"};

    job->expired = true;
    job_interrupt(engine, job, &stop, now);
}

bool job_is_due(const struct job *job, struct moment now)
{
    if (!job->request->has_start)
        return true;
    /* From the API a start in the past means now; a schedule needs a clock that is believed. */
    if (job->request->origin.link != LINK_BROKER && job->created_ms >= job->request->start_ms)
        return true;
    return now.trusted && now.wall_ms >= job->request->start_ms;
}

void job_tick(struct engine *engine, struct job *job, struct moment now)
{
    if (job->held)
        hold_end(engine, job, now);
    job_judge_doubt(job, now);
    if (job->status == JOB_QUEUED && engine->safe >= job->safe_at) {
        if (job_is_due(job, now)) {
            job_start(engine, job, now);
        } else {
            job->status = JOB_SCHEDULED;
            report_share(engine, job, now);
        }
    } else if (job->status == JOB_SCHEDULED && job_is_due(job, now)) {
        job_start(engine, job, now);
    }
    if (job->status == JOB_RUNNING && !job->expired && now.boot_us >= job->deadline_us)
        expire(engine, job, now);
    if (!job_is_over(job) && job->share_due && now.boot_us >= job->share_us)
        report_share(engine, job, now);
}

int64_t job_wake_us(const struct engine *engine, const struct job *job)
{
    int64_t wake = MOMENT_NEVER;

    if (job->status == JOB_SCHEDULED)
        return 0; /* a second's look is enough: see engine_wake_us() */
    if (job->status == JOB_QUEUED)
        return engine->safe >= job->safe_at ? 0 : MOMENT_NEVER;
    if (job->status == JOB_RUNNING && !job->expired && !(job->call && job->answered))
        wake = job->deadline_us;
    if (!job->call && job->share_due && job->share_us < wake)
        wake = job->share_us;
    return wake;
}

void job_cancel(struct engine *engine, struct job *job, const struct stop *stop,
                struct moment now)
{
    char why[200];

    job->canceling = true;
    if (!job->resolved) {
        if (job_resolve(engine, job, now, why, sizeof(why)))
            keep_tasks(engine, job);
        job->resolved = true;
    }
    job_interrupt(engine, job, stop, now);
    job_check_end(engine, job, now);
}
