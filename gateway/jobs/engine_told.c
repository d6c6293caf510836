/* Ends that somebody must hear of: told until it is known that they have arrived, over
   restarts. What is to be told lies in the store and in the jobs; here is only who knows it
   already. */
#include "base/log.h"
#include "jobs/engine_private.h"

#include <stdlib.h>
#include <string.h>

bool task_is_untold(const struct engine *engine, const struct task *task)
{
    return engine->outbox && !task->told && (!task->job->call || task->job->heard);
}

bool job_is_untold(const struct engine *engine, const struct job *job)
{
    return engine->outbox && !job->told && !job->call;
}

static size_t count_of(const struct engine *engine, const struct job *job)
{
    size_t count = job_is_over(job) && job_is_untold(engine, job);

    for (size_t i = 0; i < job->task_count; i++)
        count += job->tasks[i].record && task_is_untold(engine, &job->tasks[i]);
    return count;
}

void told_count(struct engine *engine)
{
    engine->untold = 0;
    for (const struct job *job = engine->oldest; job; job = job->newer)
        engine->untold += count_of(engine, job);
    for (size_t i = 0; i < OLD_JOBS_MOST; i++)
        engine->untold += engine->old_jobs[i].uncleared != 0;
}

void told_forget(struct engine *engine, const struct job *job)
{
    size_t count = count_of(engine, job);

    engine->untold -= count;
    if (count == 0 || job->call) /* who called a day ago waits no more */
        return;
    engine->unheard += count;
    log_warning("job %s: %zu of its outcomes are told no more: the broker was away too long",
                job->id, count);
}

void told_give_up(struct engine *engine, struct job *job)
{
    if (count_of(engine, job) == 0)
        return;
    told_forget(engine, job);
    job->told = true;
    for (size_t i = 0; i < job->task_count; i++)
        job->tasks[i].told = true;
}

/* --- what has arrived --- */

/* A job's tasks are in the order of the site, unless that has changed since. A device may have
   left it: then the record's number says which task it was. */
static struct task *task_of(const struct engine *engine, const struct job *job,
                            const struct delivery *delivery)
{
    size_t device = site_device(engine->site, delivery->device_id);
    size_t low = 0, high = job->task_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (job->tasks[middle].device == device)
            return &job->tasks[middle];
        if (job->tasks[middle].device < device)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = 0; i < job->task_count; i++) {
        const struct task *task = &job->tasks[i];

        if (device == SITE_NONE ? task->number == delivery->number : task->device == device)
            return &job->tasks[i];
    }
    return NULL;
}

static void task_delivered(struct engine *engine, const struct delivery *delivery)
{
    const struct job *job = engine_find_job(engine, delivery->job_id);
    struct task *task = job ? task_of(engine, job, delivery) : NULL;

    if (!task || !task_is_untold(engine, task) ||
        (delivery->kind == REPORT_OUTCOME && task->number != delivery->number))
        return;
    task->told = true;
    engine->untold -= task->record != NULL; /* a call that still runs has not ended */
    engine_keep(engine, RECORD_TOLD, job->id, delivery->device_id, 0, NULL);
}

static void share_delivered(struct engine *engine, const struct delivery *delivery)
{
    struct job *job = engine_find_job(engine, delivery->job_id);
    bool told = job && job_is_untold(engine, job) && job->number == delivery->number;

    if (told)
        job->told = true;
    for (size_t i = 0; !job && !told && i < OLD_JOBS_MOST; i++) {
        struct old_job *old = &engine->old_jobs[i];

        if (old->uncleared == 0 || old->uncleared != delivery->number)
            continue;
        old->uncleared = 0;
        told = true;
    }
    if (!told)
        return;
    engine->untold--;
    engine_keep(engine, RECORD_SHARED, delivery->job_id, NULL, 0, NULL);
}

void engine_delivered(struct engine *engine, const struct delivery *delivery)
{
    switch (delivery->kind) {
    case REPORT_ANSWER:
    case REPORT_OUTCOME:
        task_delivered(engine, delivery);
        return;
    case REPORT_SHARE:
        share_delivered(engine, delivery);
        return;
    case REPORT_STORED:
    case REPORT_REPORTED:
    case REPORT_STATE:
    case REPORT_GATEWAY:
    case REPORT_PROGRESS:
    case REPORT_VALUES:
        return;
    }
}

/* --- what has not --- */

/* One of the three is set. */
struct end {
    uint64_t number;
    struct task *task;
    struct job *job;
    const struct old_job *old;
};

/* The ENGINE_AGAIN oldest ends: room for twice as many, of which the newer half goes whenever
   it is full. */
struct ends {
    struct end *ends;
    size_t count;
    uint64_t after, safe;
};

static int by_number(const void *a, const void *b)
{
    const struct end *left = a, *right = b;

    return (left->number > right->number) - (left->number < right->number);
}

static void keep_oldest(struct ends *ends)
{
    qsort(ends->ends, ends->count, sizeof(*ends->ends), by_number);
    if (ends->count > ENGINE_AGAIN)
        ends->count = ENGINE_AGAIN;
}

static void add(struct ends *ends, struct end end)
{
    if (end.number <= ends->after || end.number > ends->safe)
        return;
    if (ends->count == (size_t)2 * ENGINE_AGAIN) {
        keep_oldest(ends);
        ends->safe = ends->ends[ENGINE_AGAIN - 1].number; /* nothing newer is wanted */
        if (end.number > ends->safe)
            return;
    }
    ends->ends[ends->count++] = end;
}

static void collect(struct engine *engine, struct ends *ends)
{
    for (struct job *job = engine->oldest; job; job = job->newer) {
        if (job->call && job->answered)
            continue; /* on its way since this start */
        for (size_t i = 0; i < job->task_count; i++) {
            struct task *task = &job->tasks[i];

            if (task->record && task_is_untold(engine, task))
                add(ends, (struct end){.number = task->number, .task = task});
        }
        if (job_is_over(job) && job_is_untold(engine, job))
            add(ends, (struct end){.number = job->number, .job = job});
    }
    for (size_t i = 0; i < OLD_JOBS_MOST; i++) {
        const struct old_job *old = &engine->old_jobs[i];

        if (old->uncleared)
            add(ends, (struct end){.number = old->uncleared, .old = old});
    }
    keep_oldest(ends);
}

static void tell(struct engine *engine, const struct end *end)
{
    if (end->task && end->task->job->call)
        call_answer_again(engine, end->task->job);
    else if (end->task)
        report_outcome(engine, end->task);
    else if (end->job)
        report_share(engine, end->job, (struct moment){0})->number = end->number;
    else
        report_clear(engine, end->old->id, end->number);
}

bool engine_tell_untold(struct engine *engine, uint64_t after)
{
    struct ends ends = {.after = after, .safe = engine->safe};

    if (engine->untold == 0)
        return false;
    ends.ends = calloc((size_t)2 * ENGINE_AGAIN, sizeof(*ends.ends));
    if (!ends.ends)
        return false;
    collect(engine, &ends);

    /* All of it is safe, and older than what waits for the store: it goes first. */
    struct report *rest = engine->reports, **rest_end = engine->reports_end;
    engine->reports = NULL;
    engine->reports_end = &engine->reports;
    for (size_t i = 0; i < ends.count; i++)
        tell(engine, &ends.ends[i]);
    for (struct report *report = engine->reports; report; report = report->next) {
        report->after = 0;
        report->again = true;
    }
    *engine->reports_end = rest;
    if (rest)
        engine->reports_end = rest_end;
    free(ends.ends);
    return ends.count > 0;
}
