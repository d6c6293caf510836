/* Requests for jobs: taken, refused, known again, cancelled. */
#include "jobs/engine_private.h"
#include "site/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How far ahead a job may start, and how old a retained one may be. */
#define START_AHEAD_MS  (366 * INT64_C(86400000))
#define RETAINED_AGE_MS (30 * INT64_C(86400000))

static void refuse(struct engine *engine, struct request *request, enum code code,
                   const char *text)
{
    /* Who is told that nothing can be kept does not wait until it can. */
    bool ahead = code == CODE_STORE_UNAVAILABLE;
    uint64_t after = ahead ? 0 : engine->number;
    struct reports_behind behind;

    if (ahead)
        reports_go_ahead(engine, &behind);
    report_stored(engine, &request->origin, after);
    struct report *report =
        report_answer(engine, &request->origin, request->kind, code_status(code), code,
                      error_body(code, text), after);
    report->job_id = strdup(request->job_id);
    if (ahead)
        reports_let_follow(engine, &behind);
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
    json_object_set_new(share, "refused", job_id_in_use_json());
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

void job_cancel_early(struct engine *engine, const char *id)
{
    if (cancelled_early(engine, id))
        return;
    free(engine->early_cancels[engine->early_next]);
    engine->early_cancels[engine->early_next] = strdup(id);
    engine->early_next = (engine->early_next + 1) % EARLY_CANCELS_MOST;
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
    *job = (struct job){
        .id = strdup(request->job_id), .created_ms = now.wall_ms, .deadline_us = MOMENT_NEVER};
    job->plans = calloc(engine->site->profile_count + 1, sizeof(*job->plans));
    if (!job->id || !job->plans) {
        job_free(engine, job);
        return NULL;
    }
    job->request = request;
    job->doubt = request->origin.link == LINK_BROKER ? job_doubt(engine, job->id) : DOUBT_NONE;
    job_judge_doubt(job, now);
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
    if (request->retained && !request->has_start) {
        snprintf(text, size,
                 "a retained job must carry a startTime; who finds it later must know when it "
                 "was meant");
        return CODE_BAD_REQUEST;
    }
    if (!engine->takes) {
        snprintf(text, size, "%s", engine->store_why);
        return CODE_STORE_UNAVAILABLE;
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

/* A job that lies retained at the broker and was over long ago, or before this gateway first
   started, is none of ours. A share of ours there tells that we were: before a memory was lost.
 */
static bool is_stale(struct engine *engine, const struct request *request, struct moment now)
{
    int64_t over_ms = request->start_ms + (int64_t)request->max_execution_s * 1000;

    if (!request->retained || !request->has_start || !now.trusted)
        return false;
    keep_first(engine, now); /* it may be the first that happens at all */
    return over_ms < now.wall_ms - RETAINED_AGE_MS ||
           (over_ms < engine->first_ms && job_doubt(engine, request->job_id) == DOUBT_NONE);
}

static void take_quietly(struct engine *engine, struct request *request)
{
    report_stored(engine, &request->origin, engine->number);
    request_free(request);
}

/* Of a job that has left memory: the same again, or where only the id is known, is no new one.
   The broker learns the true share, if the history still has it. */
static void take_again(struct engine *engine, struct request *request, uint64_t fingerprint)
{
    bool same = fingerprint == request->fingerprint || fingerprint == 0;

    if (request->origin.link != LINK_BROKER) {
        refuse(engine, request, CODE_JOB_ID_IN_USE, "a job of this id has ended");
        return;
    }
    shelf_tell(engine, request->job_id, !same);
    if (same || engine->shelves)
        take_quietly(engine, request);
    else
        refuse(engine, request, CODE_JOB_ID_IN_USE, "a job of this id ended long ago");
}

static void take_job(struct engine *engine, struct request *request, struct moment now)
{
    char text[300];
    uint64_t fingerprint;
    struct job *known = engine_find_job(engine, request->job_id);

    if (known) {
        known_id(engine, request, known, now);
        return;
    }
    if (known_find(engine, request->job_id, &fingerprint)) {
        take_again(engine, request, fingerprint);
        return;
    }
    if (is_stale(engine, request, now)) {
        take_quietly(engine, request);
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
    if (job_is_due(job, now) && !job_resolve(engine, job, now, text, sizeof(text))) {
        job->request = NULL;
        job_free(engine, job);
        refuse(engine, request, CODE_QUEUE_FULL, text);
        return;
    }
    job_add(engine, job);
    job->order = job->safe_at = keep_job(engine, job, now);
    if (job->resolved)
        job->safe_at = keep_tasks(engine, job);
    engine_hurry(engine);
    answer_with_job(engine, request, job);
    report_share(engine, job, now);
    if (cancelled_early(engine, job->id))
        cancel(engine, job, now);
}

static void take_cancel(struct engine *engine, struct request *request, struct moment now)
{
    struct job *job = engine_find_job(engine, request->job_id);

    if (!job && known_find(engine, request->job_id, NULL)) {
        refuse(engine, request, CODE_JOB_ENDED, "Job cannot be cancelled: it has ended.");
        return;
    }
    if (!job || job->call) {
        if (request->origin.link == LINK_BROKER) {
            job_cancel_early(engine, request->job_id);
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
