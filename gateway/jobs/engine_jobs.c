/* Jobs over many devices: accepted, started, cancelled, expired, ended. */
#include "jobs/engine_private.h"
#include "jobs/timetext.h"
#include "site/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How far ahead a job may start. */
#define START_AHEAD_MS (366 * INT64_C(86400000))

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

static void remember_id(struct engine *engine, struct job *job)
{
    struct old_job *old = &engine->old_jobs[engine->old_next];

    engine->old_next = (engine->old_next + 1) % OLD_JOBS_MOST;
    free(old->id);
    *old = (struct old_job){.id = job->id, .fingerprint = job->request->fingerprint};
    job->id = NULL;
}

static const struct old_job *find_old(const struct engine *engine, const char *id)
{
    for (size_t i = 0; i < OLD_JOBS_MOST; i++) {
        if (engine->old_jobs[i].id && strcmp(engine->old_jobs[i].id, id) == 0)
            return &engine->old_jobs[i];
    }
    return NULL;
}

/* Keeps the newest ended jobs, for those who ask. Nobody asks for a call: its outcome stands at
   its device. */
void jobs_forget_old(struct engine *engine)
{
    size_t jobs = 0, tasks = 0;
    struct job *older;

    if (engine->ended <= ENDED_JOBS_MOST + ENDED_JOBS_MOST / 10 &&
        engine->ended_tasks <= ENDED_TASKS_MOST + ENDED_TASKS_MOST / 10)
        return;
    for (struct job *job = engine->newest; job; job = older) {
        older = job->older;
        if (job_is_over(job) && !job->call)
            tasks += job->task_count;
        bool kept = !job_is_over(job) || (!job->call && ++jobs <= ENDED_JOBS_MOST &&
                                          (jobs == 1 || tasks <= ENDED_TASKS_MOST));
        if (kept)
            continue;
        job_remove(engine, job);
        engine->ended--;
        engine->ended_tasks -= job->task_count;
        if (!job->call)
            remember_id(engine, job);
        job_free(engine, job);
    }
}

static void job_over(struct engine *engine, struct job *job, enum job_status status,
                     struct moment now)
{
    job->status = status;
    job->ended_ms = now.wall_ms;
    engine->ended++;
    engine->ended_tasks += job->task_count;
    engine_keep(engine, RECORD_STATUS, job->id, NULL, 0, strdup(job_status_name(status)));
    report_share(engine, job, now);
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
static bool resolve(struct engine *engine, struct job *job, struct moment now, char *why,
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
        tasks[count++] = (struct task){
            .job = job, .device = i, .created_ms = now.wall_ms, .changed_ms = now.wall_ms};
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
    for (size_t i = 0; i < job->task_count; i++) {
        if (job->request->action.kind == ACTION_PATCH)
            patch_take(engine, &job->tasks[i]);
    }
}

void job_start(struct engine *engine, struct job *job, struct moment now)
{
    char why[200];

    if (!job->resolved && !resolve(engine, job, now, why, sizeof(why))) {
        fail_job(engine, job, CODE_QUEUE_FULL, why, now);
        return;
    }
    job->status = JOB_RUNNING;
    job->started_ms = now.wall_ms;
    job->deadline_us = now.boot_us + (int64_t)job->request->max_execution_s * 1000000;
    if (job->request->has_start && job->request->origin.link == LINK_BROKER)
        job->deadline_us -= (now.wall_ms - job->request->start_ms) * 1000;
    engine_keep(engine, RECORD_STATUS, job->id, NULL, 0, strdup(job_status_name(job->status)));
    take_patches(engine, job);
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

static bool start_is_due(const struct job *job, struct moment now)
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
    if (job->status == JOB_QUEUED && engine->safe >= job->safe_at) {
        if (start_is_due(job, now)) {
            job_start(engine, job, now);
        } else {
            job->status = JOB_SCHEDULED;
            report_share(engine, job, now);
        }
    } else if (job->status == JOB_SCHEDULED && start_is_due(job, now)) {
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

/* --- requests --- */

static void refuse(struct engine *engine, struct request *request, enum code code,
                   const char *text)
{
    report_stored(engine, &request->origin, engine->number);
    struct report *report =
        report_answer(engine, &request->origin, request->kind, code_status(code), code,
                      error_body(code, text), engine->number);
    report->job_id = strdup(request->job_id);
    request_free(request);
}

static void answer_with_job(struct engine *engine, struct request *request,
                            const struct job *job)
{
    json_t *body = engine_job_json(engine, job->id);

    report_stored(engine, &request->origin, engine->number);
    struct report *report = report_answer(engine, &request->origin, request->kind, 200,
                                          CODE_NONE, json_text(body), engine->number);
    report->job_id = strdup(job->id);
    json_decref(body);
}

/* The same document again is no new job; another one under the same id is refused. Both learn
   the true share. */
static void known_id(struct engine *engine, struct request *request, struct job *job,
                     struct moment now)
{
    bool same = request->fingerprint == job->request->fingerprint;

    if (request->origin.link != LINK_BROKER) {
        refuse(engine, request, CODE_JOB_ID_IN_USE, "a job of this id exists already");
        return;
    }
    report_share(engine, job, now);
    if (same) {
        report_stored(engine, &request->origin, engine->number);
        request_free(request);
        return;
    }
    json_t *share = engine_share_json(engine, job->id);
    json_object_set_new(share, "refused",
                        json_pack("{s:s, s:s}", "code", code_name(CODE_JOB_ID_IN_USE),
                                  "description", "another job has this id; it is as it was"));
    report_stored(engine, &request->origin, engine->number);
    struct report *report =
        engine_report(engine, REPORT_SHARE, engine->number, job->id, NULL, json_text(share));
    report->retain = false;
    json_decref(share);
    request_free(request);
}

static bool cancelled_early(struct engine *engine, const char *id)
{
    for (size_t i = 0; i < EARLY_CANCELS_MOST; i++) {
        if (engine->early_cancels[i] && strcmp(engine->early_cancels[i], id) == 0)
            return true;
    }
    return false;
}

static void cancel_early(struct engine *engine, const char *id)
{
    if (cancelled_early(engine, id))
        return;
    free(engine->early_cancels[engine->early_next]);
    engine->early_cancels[engine->early_next] = strdup(id);
    engine->early_next = (engine->early_next + 1) % EARLY_CANCELS_MOST;
}

void job_cancel(struct engine *engine, struct job *job, const struct stop *stop,
                struct moment now)
{
    char why[200];

    job->canceling = true;
    if (!job->resolved && !resolve(engine, job, now, why, sizeof(why)))
        job->resolved = true;
    job_interrupt(engine, job, stop, now);
    job_check_end(engine, job, now);
}

static void cancel(struct engine *engine, struct job *job, struct moment now)
{
    static const struct stop stop = {CODE_CANCELED,
                                     "the job was cancelled before this task began",
                                     "the job was cancelled after this task had begun"};

    job_cancel(engine, job, &stop, now);
}

static size_t active_jobs(const struct engine *engine)
{
    size_t count = 0;

    for (const struct job *job = engine->newest; job; job = job->older)
        count += !job->call && !job_is_over(job);
    return count;
}

static struct job *job_new(struct engine *engine, struct request *request, struct moment now)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return NULL;
    *job = (struct job){.id = strdup(request->job_id),
                        .order = ++engine->order,
                        .created_ms = now.wall_ms,
                        .deadline_us = MOMENT_NEVER};
    job->plans = calloc(engine->site->profile_count + 1, sizeof(*job->plans));
    if (!job->id || !job->plans) {
        job_free(engine, job);
        return NULL;
    }
    job->request = request;
    return job;
}

/* Why a job cannot be taken now; CODE_NONE when it can. */
static enum code objection(const struct engine *engine, const struct request *request,
                           struct moment now, char *text, size_t size)
{
    if (engine->stopping) {
        snprintf(text, size, "the gateway is being stopped");
        return CODE_CANCELED;
    }
    if (active_jobs(engine) >= engine->site->store.max_jobs) {
        snprintf(text, size,
                 "%u jobs are active, more are not taken; try again when one has ended",
                 engine->site->store.max_jobs);
        return CODE_QUEUE_FULL;
    }
    if (request->has_start && now.trusted && request->start_ms > now.wall_ms + START_AHEAD_MS) {
        snprintf(text, size, "startTime is more than 366 days ahead");
        return CODE_BAD_REQUEST;
    }
    return CODE_NONE;
}

static void take_job(struct engine *engine, struct request *request, struct moment now)
{
    char text[300];
    struct job *known = engine_find_job(engine, request->job_id);

    if (known) {
        known_id(engine, request, known, now);
        return;
    }
    const struct old_job *old = find_old(engine, request->job_id);
    if (old && request->origin.link == LINK_BROKER &&
        old->fingerprint == request->fingerprint) {
        report_stored(engine, &request->origin, engine->number);
        request_free(request);
        return;
    }
    if (old) {
        refuse(engine, request, CODE_JOB_ID_IN_USE, "a job of this id ended long ago");
        return;
    }
    enum code code = objection(engine, request, now, text, sizeof(text));
    if (code != CODE_NONE) {
        refuse(engine, request, code, text);
        return;
    }
    struct job *job = job_new(engine, request, now);
    if (!job) {
        refuse(engine, request, CODE_STORE_UNAVAILABLE, "the gateway is out of memory");
        return;
    }
    if (start_is_due(job, now) && !resolve(engine, job, now, text, sizeof(text))) {
        drop_plans(engine, job);
        job->request = NULL;
        job_free(engine, job);
        refuse(engine, request, CODE_QUEUE_FULL, text);
        return;
    }
    job_add(engine, job);
    job->safe_at = engine_keep(engine, RECORD_JOB, job->id, NULL, 0,
                               request->document ? json_text(request->document) : NULL);
    answer_with_job(engine, request, job);
    report_share(engine, job, now);
    if (cancelled_early(engine, job->id))
        cancel(engine, job, now);
}

static void take_cancel(struct engine *engine, struct request *request, struct moment now)
{
    struct job *job = engine_find_job(engine, request->job_id);

    if (!job || job->call) {
        if (request->origin.link == LINK_BROKER) {
            cancel_early(engine, request->job_id);
            engine_keep(engine, RECORD_CANCEL, request->job_id, NULL, 0, NULL);
            report_stored(engine, &request->origin, engine->number);
            request_free(request);
            return;
        }
        refuse(engine, request, CODE_JOB_NOT_FOUND, "no job of this id");
        return;
    }
    if (job_is_over(job)) {
        char text[120];

        snprintf(text, sizeof(text), "Job cannot be cancelled in '%s' status.",
                 job_status_name(job->status));
        refuse(engine, request, CODE_JOB_ENDED, text);
        return;
    }
    engine_keep(engine, RECORD_CANCEL, job->id, NULL, 0, NULL);
    cancel(engine, job, now);
    answer_with_job(engine, request, job);
    request_free(request);
}

void engine_request(struct engine *engine, struct request *request, struct moment now)
{
    switch (request->kind) {
    case REQUEST_CALL:
        engine_call(engine, request, now);
        return;
    case REQUEST_JOB:
        take_job(engine, request, now);
        return;
    case REQUEST_CANCEL:
        take_cancel(engine, request, now);
        return;
    }
}
