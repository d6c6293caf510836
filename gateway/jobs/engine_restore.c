/* After a restart: what the records say becomes jobs and tasks again, and they go on. */
#include "base/log.h"
#include "jobs/engine_private.h"
#include "jobs/timetext.h"
#include "site/value.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* After another boot a job that ran waits so long for a clock that may be believed. */
#define TRUST_PATIENCE_US (600 * INT64_C(1000000))
#define MS_PER_DAY        INT64_C(86400000)

static int64_t number(const json_t *kept, const char *key)
{
    return json_integer_value(json_object_get(kept, key));
}

static struct job *job_of(struct engine *engine, const char *id)
{
    if (!id)
        return NULL;
    if (!engine->recalled || strcmp(engine->recalled->id, id) != 0)
        engine->recalled = engine_find_job(engine, id);
    return engine->recalled;
}

static bool is_of(const struct task *task, size_t device, const char *id)
{
    return task->device == device && (device != SITE_NONE || strcmp(task->gone, id) == 0);
}

/* Tasks are recalled in their order or nearly so: each search begins where the last one ended.
 */
static struct task *task_of(struct engine *engine, const struct record *record)
{
    struct job *job = job_of(engine, record->job_id);
    size_t device =
        record->device_id ? site_device(engine->site, record->device_id) : SITE_NONE;

    for (size_t i = 0; job && record->device_id && i < job->task_count; i++) {
        size_t at = (engine->recalled_task + i) % job->task_count;

        if (is_of(&job->tasks[at], device, record->device_id)) {
            engine->recalled_task = at + 1;
            return &job->tasks[at];
        }
    }
    return NULL;
}

static void recall_deadline(const struct engine *engine, struct job *job, const json_t *kept)
{
    const char *boot = json_string_value(json_object_get(kept, "boot"));

    if (!boot)
        return;
    if (strcmp(boot, engine->boot_id) == 0) {
        job->deadline_us = number(kept, "deadlineUs");
        return;
    }
    job->held = true; /* until hold_end() knows what the time is */
    job->deadline_ms = number(kept, "deadline");
}

/* The id of a device that the site has no more, for its task; else NULL. */
static char *gone_of(size_t device, const char *id)
{
    char *copy = device == SITE_NONE ? strdup(id ? id : "?") : NULL;

    if (device == SITE_NONE && !copy)
        abort();
    return copy;
}

static void recall_job(struct engine *engine, const struct record *record, const json_t *kept)
{
    struct request *request;
    struct job *job;

    if (request_recall(&request, json_object_get(kept, "request"), record->job_id) < 0 ||
        !(job = calloc(1, sizeof(*job)))) {
        log_error("store: job %s cannot be read and is left alone", record->job_id);
        return;
    }
    *job = (struct job){.id = strdup(record->job_id),
                        .request = request,
                        .call = request->kind == REQUEST_CALL,
                        .order = record->number,
                        .safe_at = record->number,
                        .created_ms = number(kept, "created"),
                        .deadline_us = MOMENT_NEVER};
    job->doubt = (enum job_doubt)number(kept, "doubt");
    job->plans = calloc(engine->site->profile_count + 1, sizeof(*job->plans));
    if (!job->id || !job->plans)
        abort();
    job_add(engine, job);
    engine->recalled = job;
    engine->recalled_task = 0;
    if (!job->call)
        return;
    job->heard = request->origin.link == LINK_BROKER && request->origin.topic;
    job->status = JOB_RUNNING;
    job->started_ms = job->created_ms;
    job->resolved = true;
    recall_deadline(engine, job, kept);
    if (job->held) { /* who called has long given up */
        job->held = false;
        job->deadline_us = 0;
    }
    job->tasks = calloc(1, sizeof(*job->tasks));
    size_t device = site_device(engine->site, request->device_id);
    if (!job->tasks)
        abort();
    job->task_count = job->counts[TASK_SCHEDULED] = 1;
    job->tasks[0] = (struct task){.job = job,
                                  .device = device,
                                  .gone = gone_of(device, request->device_id),
                                  .created_ms = job->created_ms,
                                  .changed_ms = job->created_ms,
                                  .version = number(kept, "version")};
}

static void recall_tasks(struct engine *engine, struct job *job, const json_t *kept)
{
    const json_t *devices = json_object_get(kept, "devices");
    const json_t *versions = json_object_get(kept, "versions");
    size_t count = json_array_size(devices);
    struct task *tasks = calloc(count + 1, sizeof(*tasks));

    if (!tasks)
        abort();
    if (job->resolved) { /* the same devices again, with versions */
        for (size_t i = 0; i < job->task_count && i < json_array_size(versions); i++)
            job->tasks[i].version = json_integer_value(json_array_get(versions, i));
        free(tasks);
        return;
    }
    job->resolved = true;
    job->tasks = tasks;
    for (size_t i = 0; i < count; i++) {
        const char *id = json_string_value(json_array_get(devices, i));
        size_t device = id ? site_device(engine->site, id) : SITE_NONE;

        tasks[job->task_count++] =
            (struct task){.job = job,
                          .device = device,
                          .gone = gone_of(device, id),
                          .place = (uint32_t)i,
                          .created_ms = number(kept, "created"),
                          .changed_ms = number(kept, "created"),
                          .version = json_integer_value(json_array_get(versions, i))};
    }
    job->counts[TASK_SCHEDULED] = job->task_count;
}

static int64_t time_of(const json_t *record, const char *key)
{
    const char *text = json_string_value(json_object_get(record, key));
    int64_t ms = 0;

    return text && timetext_parse(&ms, text) == 0 ? ms : 0;
}

static void recall_outcome(struct engine *engine, const struct record *record,
                           const json_t *kept)
{
    struct task *task = task_of(engine, record);
    const char *status = json_string_value(json_object_get(kept, "status"));
    const char *code =
        json_string_value(json_object_get(json_object_get(kept, "error"), "code"));

    if (!task || !status || task->record)
        return;
    assert(record->text); /* the status stands there */
    enum task_state state = strcmp(status, "completed") == 0  ? TASK_COMPLETED
                            : strcmp(status, "canceled") == 0 ? TASK_CANCELED
                                                              : TASK_FAILED;
    task->job->counts[task->state]--;
    task->job->counts[state]++;
    task->state = state;
    task->code = code ? code_find(code) : CODE_NONE;
    task->attempts = (unsigned)number(kept, "attempts");
    task->started_ms = time_of(kept, "startTimeUtc");
    task->changed_ms = time_of(kept, "lastUpdatedDateTimeUtc");
    task->ended_ms = time_of(kept, "endTimeUtc");
    task->record = strdup(record->text);
    task->number = record->number;

    char **last = task->device != SITE_NONE ? &engine->devices[task->device].last_outcome
                                            : &absent_of(engine, task->gone)->last_outcome;
    free(*last); /* they come in the order in which they ended */
    *last = strdup(record->text);
}

static void recall_status(struct engine *engine, struct job *job, const json_t *kept)
{
    const char *text = json_string_value(json_object_get(kept, "text"));

    job->status = (enum job_status)number(kept, "status");
    job->started_ms = number(kept, "started");
    job->ended_ms = number(kept, "ended");
    job->expired = json_is_true(json_object_get(kept, "expired"));
    job->code = (enum code)number(kept, "code");
    job->number = (uint64_t)number(kept, "number");
    if (job->number == 0) /* kept when nobody said what had arrived */
        job->told = job_is_over(job);
    if (job->number > engine->number)
        engine->number = engine->safe = job->number;
    snprintf(job->text, sizeof(job->text), "%s", text ? text : "");
    recall_deadline(engine, job, kept);
}

static void recall_document(struct twin *twin, const json_t *kept)
{
    twin_deinit(twin);
    twin->desired = json_incref(json_object_get(kept, "desired"));
    twin->reported = json_incref(json_object_get(kept, "reported"));
    twin->tags = json_incref(json_object_get(kept, "tags"));
    twin->desired_times = json_incref(json_object_get(kept, "desiredTimes"));
    twin->reported_times = json_incref(json_object_get(kept, "reportedTimes"));
    twin->desired_version = number(kept, "desiredVersion");
    twin->reported_version = number(kept, "reportedVersion");
    twin->tags_version = number(kept, "tagsVersion");
    twin->applied_version = number(kept, "applied");
    twin->hub_version = number(kept, "hubVersion");
    twin->hub_desired = json_incref(json_object_get(kept, "hubDesired"));
    twin->hub_acks = json_incref(json_object_get(kept, "hubAcks"));
}

static void replace(json_t **old, json_t *by)
{
    json_decref(*old);
    *old = json_incref(by);
}

static void recall_absent(struct engine *engine, const struct record *record,
                          const json_t *kept)
{
    struct absent *absent = absent_of(engine, record->device_id);

    recall_document(&absent->twin, kept);
    replace(&absent->file_tags, json_object_get(kept, "fileTags"));
    replace(&absent->last_patch, json_object_get(kept, "patch"));
    replace(&absent->owed, json_object_get(kept, "owed"));
    absent->twin_number = record->number;
}

static void recall_twin(struct engine *engine, const struct record *record, const json_t *kept)
{
    size_t index = site_device(engine->site, record->device_id);

    if (index == SITE_NONE) {
        recall_absent(engine, record, kept);
        return;
    }
    struct device_state *state = &engine->devices[index];
    const json_t *file_tags = json_object_get(kept, "fileTags");

    recall_document(&state->twin, kept);
    state->tags_moved = file_tags && twin_follow_file(&state->twin, file_tags,
                                                      engine->site->devices[index].tags);
    replace(&state->last_patch, json_object_get(kept, "patch"));
    replace(&state->owed, json_object_get(kept, "owed"));
    state->twin_number = record->number;
}

static void recall_journal(struct engine *engine, const struct record *record)
{
    struct task *task = task_of(engine, record);

    if (!task || !record->text)
        return;
    if (record->kind == RECORD_HANDED) {
        free(task->handed);
        task->handed = strdup(record->text);
        return;
    }
    free(task->journal);
    task->journal = strdup(record->text);
    task->in_doubt = record->kind == RECORD_INTENT;
}

void engine_recall(struct engine *engine, const struct record *record)
{
    json_t *kept = record->text ? json_loads(record->text, JSON_DECODE_ANY, NULL) : NULL;
    struct job *job = NULL;
    struct task *task;
    size_t device;

    if (record->number > engine->number)
        engine->number = engine->safe = record->number;
    switch (record->kind) {
    case RECORD_JOB:
        if (!engine_find_job(engine, record->job_id))
            recall_job(engine, record, kept);
        break;
    case RECORD_TASKS:
        if ((job = job_of(engine, record->job_id)))
            recall_tasks(engine, job, kept);
        break;
    case RECORD_HANDED:
    case RECORD_INTENT:
    case RECORD_DONE:
        recall_journal(engine, record);
        break;
    case RECORD_OUTCOME:
        recall_outcome(engine, record, kept);
        break;
    case RECORD_STATUS:
        if ((job = job_of(engine, record->job_id)))
            recall_status(engine, job, kept);
        break;
    case RECORD_TWIN:
        recall_twin(engine, record, kept);
        break;
    case RECORD_WEAR:
        wear_recall(engine, record, kept);
        break;
    case RECORD_CANCEL:
        if ((job = job_of(engine, record->job_id)))
            job->canceling = true;
        else
            job_cancel_early(engine, record->job_id);
        break;
    case RECORD_FORGET:
    case RECORD_KNOWN:
        known_add(engine, record->job_id, 0);
        break;
    case RECORD_UNCLEARED:
        job_remember_id(engine, record->job_id, 0)->uncleared = record->number;
        break;
    case RECORD_TOLD:
        if ((task = task_of(engine, record)))
            task->told = task->job->answered = true;
        break;
    case RECORD_SHARED:
        if ((job = job_of(engine, record->job_id)))
            job->told = true;
        break;
    case RECORD_SHELVED:
        known_add(engine, record->job_id, record->text ? strtoull(record->text, NULL, 10) : 0);
        break;
    case RECORD_POLLED:
        if ((device = site_device(engine->site, record->device_id)) != SITE_NONE)
            polled_recall(engine, device, kept);
        break;
    case RECORD_PURGE:
        break;
    case RECORD_CLOCK:
        if (json_is_true(json_object_get(kept, "trusted")))
            engine->newest_ms = number(kept, "wall");
        engine->first_ms = number(kept, "first");
        if (engine->first_ms == 0)
            engine->first_ms = 1; /* it ran before this was kept: nobody knows since when */
        break;
    }
    json_decref(kept);
}

/* --- going on --- */

void hold_end(struct engine *engine, struct job *job, struct moment now)
{
    bool known = now.trusted && job->deadline_ms != 0;

    if (!known && job->deadline_ms != 0 && now.boot_us < engine->hold_us)
        return;
    job->held = false;
    job->deadline_us =
        known ? now.boot_us + (job->deadline_ms - now.wall_ms) * 1000 : now.boot_us;
    for (size_t i = 0; i < engine->site->line_count; i++)
        engine->lines[i].wake_us = 0;
}

/* Its device was taken out of the site meanwhile: there is nothing that could go on. */
static void resume_gone(struct engine *engine, struct task *task, struct moment now)
{
    bool begun = task->handed || task->journal;
    bool ahead = now.trusted && !task->job->call && !job_is_due(task->job, now);
    char text[300];

    log_warning("job %s: device %s is no longer in the site", task->job->id, task->gone);
    snprintf(text, sizeof(text),
             "device %.128s was taken out of the site while the gateway was stopped%s",
             task->gone,
             begun   ? ", in the midst of this: nothing can tell how far it came"
             : ahead ? ""
                     : "; this had not begun, as far as it is on record");
    task->maybe = false;
    task_refuse(engine, task, begun ? CODE_OUTCOME_UNKNOWN : CODE_UNKNOWN_DEVICE, text, now);
}

static void resume_task(struct engine *engine, struct task *task, struct moment now)
{
    if (task->device == SITE_NONE) {
        resume_gone(engine, task, now);
    } else {
        task_queue(engine, task);
        if (task->handed || task->journal)
            task_resume(engine, task, now);
    }
    free(task->handed);
    free(task->journal);
    task->handed = task->journal = NULL;
}

/* A frame that sets a state waits for no record, so that any task without one may have begun.
 */
static void mark_maybe(struct job *job)
{
    for (size_t i = 0; i < job->task_count; i++) {
        struct task *task = &job->tasks[i];

        task->maybe = !task->record && !task->handed && !task->journal;
    }
}

static void resume_job(struct engine *engine, struct job *job, struct moment now)
{
    static const struct stop cancelled = {CODE_CANCELED,
                                          "the job was cancelled before this task began",
                                          "the job was cancelled after this task had begun"};

    if (job->held && !job_is_over(job))
        hold_end(engine, job, now);
    mark_maybe(job);
    for (size_t i = 0; i < job->task_count; i++) {
        if (!job->tasks[i].record)
            resume_task(engine, &job->tasks[i], now);
    }
    if (job->canceling)
        job_cancel(engine, job, &cancelled, now);
    else
        job_check_end(engine, job, now);
}

static void count_ended(struct engine *engine, struct job *job, struct moment now)
{
    bool over = job->call ? job->task_count == 0 || job->tasks[0].record : job_is_over(job);

    if (job->call && over)
        job->status = JOB_COMPLETED;
    if (job->call)
        call_recall(engine, job, now);
    if (!over)
        return;
    engine->ended++;
    engine->ended_tasks += job->task_count;
}

int engine_resume(struct engine *engine, struct moment now)
{
    size_t open = 0;

    engine->hold_us = now.boot_us + TRUST_PATIENCE_US;
    keep_first(engine, now);
    keep_tags(engine);
    wear_resume(engine, now);
    for (struct job *job = engine->oldest; job; job = job->newer)
        count_ended(engine, job, now);
    told_count(engine);
    for (struct job *job = engine->oldest; job; job = job->newer) {
        if (job_is_over(job))
            continue;
        open++;
        resume_job(engine, job, now);
    }
    engine->recalled = NULL;
    if (engine->shelves)
        shelf_resume(engine);
    if (open > 0)
        log_info("store: %zu jobs go on", open);
    if (engine->untold > 0)
        log_info("store: %zu outcomes, shares and answers are not known to have arrived",
                 engine->untold);
    return 0;
}
