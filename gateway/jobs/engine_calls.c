/* Single calls: a job of one task, urgent, answered once, and known again when repeated. */
#include "jobs/engine_private.h"
#include "site/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPEAT_US_PER_S = 1000000 };

/* What a repeat is known by: device, method and the caller's name for the request, or the
   response topic and correlation data of MQTT 5. NULL: nothing names this request. */
static char *repeat_key(const struct request *request)
{
    const struct origin *origin = &request->origin;
    char *key = NULL;
    size_t size = 0;
    FILE *to;

    if (!request->request_id && origin->correlation_size == 0)
        return NULL;
    to = open_memstream(&key, &size);
    if (!to)
        return NULL;
    fprintf(to, "%d\n%s\n%s\n", (int)origin->link, request->device_id,
            request->action.method ? request->action.method : "");
    if (request->request_id) {
        fprintf(to, "%s", request->request_id);
    } else {
        fprintf(to, "%s\n", origin->topic ? origin->topic : "");
        for (size_t i = 0; i < origin->correlation_size; i++)
            fprintf(to, "%02x", ((const unsigned char *)origin->correlation)[i]);
    }
    fclose(to);
    return key;
}

static struct repeat *find_repeat(struct engine *engine, const char *key, struct moment now)
{
    struct repeat *newest = NULL;

    for (size_t i = 0; i < REPEATS_MOST; i++) {
        struct repeat *repeat = &engine->repeats[i];

        if (repeat->key && repeat->until_us > now.boot_us && strcmp(repeat->key, key) == 0 &&
            (!newest || repeat->number > newest->number))
            newest = repeat;
    }
    return newest;
}

static uint64_t remember(struct engine *engine, char *key, unsigned seconds, struct moment now)
{
    struct repeat *repeat = &engine->repeats[engine->repeat_next];

    engine->repeat_next = (engine->repeat_next + 1) % REPEATS_MOST;
    free(repeat->key);
    free(repeat->body);
    *repeat = (struct repeat){.key = key,
                              .number = ++engine->repeat_number,
                              .open = true,
                              .until_us = now.boot_us + (int64_t)seconds * REPEAT_US_PER_S};
    return repeat->number;
}

/* True when the request was a repeat and is dealt with; else *number is where its answer will
   be remembered, 0: nowhere. */
static bool known_again(struct engine *engine, struct request *request, uint64_t *number,
                        struct moment now)
{
    char *key = repeat_key(request);
    struct repeat *repeat;

    *number = 0;
    if (!key)
        return false;
    bool may_be_repeat = request->request_id || request->dup;
    repeat = may_be_repeat ? find_repeat(engine, key, now) : NULL;
    if (!repeat) {
        *number = remember(engine, key, request->repeat_s > 0 ? request->repeat_s : 86400, now);
        return false;
    }
    free(key);
    report_stored(engine, &request->origin, engine->number);
    /* While the first one runs, its own answer serves both: they wait at the same place. */
    if (!repeat->open)
        report_answer(engine, &request->origin, REQUEST_CALL, repeat->status, repeat->code,
                      strdup(repeat->body), engine->number);
    return true;
}

static void keep_answer(struct engine *engine, uint64_t number, int status, enum code code,
                        const char *body)
{
    for (size_t i = 0; number > 0 && i < REPEATS_MOST; i++) {
        struct repeat *repeat = &engine->repeats[i];

        if (!repeat->key || repeat->number != number)
            continue;
        free(repeat->body);
        repeat->open = false;
        repeat->status = status;
        repeat->code = code;
        repeat->body = strdup(body);
    }
}

/* What could not be taken now was no request: who asks again, under the same name, shall be
   heard. */
static void forget_request(struct engine *engine, uint64_t number)
{
    for (size_t i = 0; number > 0 && i < REPEATS_MOST; i++) {
        struct repeat *repeat = &engine->repeats[i];

        if (!repeat->key || repeat->number != number)
            continue;
        free(repeat->key);
        repeat->key = NULL;
    }
}

/* IoT Hub hears of a method by more than its ticket: the end may come after the connection, the
   caller or the process that knew it. */
static void name_call(struct report *report, const struct request *request)
{
    if (request->origin.link != LINK_IOTHUB || request->action.kind != ACTION_METHOD)
        return;
    report->device_id = strdup(request->device_id);
    report->method = strdup(request->action.method);
    report->request_id = request->request_id ? strdup(request->request_id) : NULL;
}

static void refuse(struct engine *engine, struct request *request, uint64_t repeat,
                   enum code code, const char *text)
{
    char *body = error_body(code, text);
    int status = code_status(code);
    bool ahead = code == CODE_STORE_UNAVAILABLE; /* it does not wait until the store is back */
    uint64_t after = ahead ? 0 : engine->number;
    struct reports_behind behind;

    if (code == CODE_QUEUE_FULL || code == CODE_STORE_UNAVAILABLE)
        forget_request(engine, repeat);
    else
        keep_answer(engine, repeat, status, code, body);
    if (ahead)
        reports_go_ahead(engine, &behind);
    report_stored(engine, &request->origin, after);
    name_call(report_answer(engine, &request->origin, REQUEST_CALL, status, code, body, after),
              request);
    if (ahead)
        reports_let_follow(engine, &behind);
    request_free(request);
}

void call_answer(struct engine *engine, struct job *job, int status, enum code code, char *body,
                 uint64_t after)
{
    struct request *request = job->request;
    struct report *report;

    keep_answer(engine, job->repeat, status, code, body);
    if (job->answered && request->origin.link != LINK_IOTHUB) {
        free(body);
        return;
    }
    report = report_answer(engine, &request->origin, REQUEST_CALL, status, code, body, after);
    name_call(report, request);
    report->late = job->answered;
    job->answered = true;
    if (engine->outbox && job->heard) { /* until it has arrived */
        report->job_id = strdup(job->id);
        report->device_id = strdup(request->device_id);
    }
}

static struct job *call_new(struct engine *engine, struct request *request, size_t device,
                            struct moment now)
{
    struct job *job = calloc(1, sizeof(*job));
    char id[64];

    if (!job)
        return NULL;
    snprintf(id, sizeof(id), "call-%llx-%llu", (unsigned long long)engine->boot,
             (unsigned long long)++engine->calls);
    *job = (struct job){.id = strdup(id),
                        .call = true,
                        .status = JOB_RUNNING,
                        .resolved = true,
                        .created_ms = now.wall_ms,
                        .started_ms = now.wall_ms,
                        .deadline_us = MOMENT_NEVER};
    job->tasks = calloc(1, sizeof(*job->tasks));
    job->plans = calloc(engine->site->profile_count, sizeof(*job->plans));
    unsigned seconds = request->timeout_s > 0 ? request->timeout_s : 30;
    job->deadline_us = now.boot_us + (int64_t)seconds * 1000000;
    if (!job->id || !job->tasks || !job->plans) {
        job_free(engine, job);
        return NULL;
    }
    job->request = request;
    job->heard = request->origin.link == LINK_BROKER && request->origin.topic;
    job->task_count = 1;
    job->counts[TASK_SCHEDULED] = 1;
    job->tasks[0] = (struct task){
        .job = job, .device = device, .created_ms = now.wall_ms, .changed_ms = now.wall_ms};
    return job;
}

/* Why the call cannot be taken; CODE_NONE when it can. */
static enum code objection(struct engine *engine, const struct request *request, size_t device,
                           char *text, size_t size)
{
    char *why;

    if (device == SITE_NONE) {
        snprintf(text, size, "no device %.128s at this gateway", request->device_id);
        return CODE_UNKNOWN_DEVICE;
    }
    if (engine->stopping) {
        snprintf(text, size, "the gateway is being stopped");
        return CODE_CANCELED;
    }
    if (!engine->takes) {
        snprintf(text, size, "%s", engine->store_why);
        return CODE_STORE_UNAVAILABLE;
    }
    why = patch_objection(request);
    if (why) {
        snprintf(text, size, "%s", why);
        free(why);
        return CODE_BAD_REQUEST;
    }
    size_t line = engine->site->devices[device].line;
    if (engine->lines[line].waiting >= engine->site->store.max_waiting) {
        snprintf(text, size, "%zu tasks wait on line %s, more are not taken",
                 engine->lines[line].waiting, engine->site->lines[line].name);
        return CODE_QUEUE_FULL;
    }
    return CODE_NONE;
}

static void call_drop(struct engine *engine, struct job *job)
{
    job->request = NULL;
    job_free(engine, job);
}

static void take_call(struct engine *engine, struct job *job, struct moment now)
{
    struct request *request = job->request;
    size_t line = engine->site->devices[job->tasks[0].device].line;

    patch_remember(engine, request, job->tasks[0].device);
    job_add(engine, job);
    job->order = job->safe_at = keep_job(engine, job, now);
    if (request->action.kind == ACTION_PATCH)
        job->safe_at = keep_twin(engine, job->tasks[0].device);
    engine_hurry(engine);
    report_stored(engine, &request->origin, job->safe_at);
    task_queue(engine, &job->tasks[0]);
    if (engine->lines[line].known && !engine->lines[line].up &&
        job_plan(engine, job, engine->site->devices[job->tasks[0].device].profile)
                ->plan->step_count > 0)
        line_fail_waiting(engine, line, true, now);
}

/* The broker gave it to the other gateway too, which carries it out and answers. Two answers
   to one call, of which one says that nothing was touched, would be a lie. */
static bool belongs_to_other(const struct engine *engine, const struct request *request,
                             size_t device)
{
    return request->origin.link == LINK_BROKER && device != SITE_NONE &&
           engine->devices[device].claimed_by;
}

void engine_call(struct engine *engine, struct request *request, struct moment now)
{
    char text[300];
    size_t device = site_device(engine->site, request->device_id);
    uint64_t repeat;

    if (belongs_to_other(engine, request, device)) {
        report_stored(engine, &request->origin, engine->number);
        request_free(request);
        return;
    }
    if (known_again(engine, request, &repeat, now)) {
        request_free(request);
        return;
    }
    enum code code = objection(engine, request, device, text, sizeof(text));
    if (code != CODE_NONE) {
        patch_refuse(engine, request, device, code, text, now);
        refuse(engine, request, repeat, code, text);
        return;
    }
    if (patch_is_old(engine, request, device)) {
        report_stored(engine, &request->origin, engine->number);
        request_free(request);
        return;
    }
    struct job *job = call_new(engine, request, device, now);
    if (!job) {
        refuse(engine, request, repeat, CODE_STORE_UNAVAILABLE, "the gateway is out of memory");
        return;
    }
    job->repeat = repeat;
    /* All or nothing: what is wrong with the request is said before anything moves. */
    struct job_plan *made = job_plan(engine, job, engine->site->devices[device].profile);
    if (!made->plan) {
        patch_refuse(engine, request, device, code_find(made->error.code), made->error.text,
                     now);
        refuse(engine, request, repeat, code_find(made->error.code), made->error.text);
        call_drop(engine, job);
        return;
    }
    if (made->plan->step_count > 0 && device_is_claimed(engine, device, text, sizeof(text))) {
        refuse(engine, request, repeat, CODE_DEVICE_CLAIMED_TWICE, text);
        call_drop(engine, job);
        return;
    }
    if (request->action.kind == ACTION_PATCH && patch_take(engine, &job->tasks[0]) < 0) {
        refuse(engine, request, repeat, CODE_STORE_UNAVAILABLE, "the gateway is out of memory");
        call_drop(engine, job);
        return;
    }
    take_call(engine, job, now);
}

void call_tick(struct engine *engine, struct job *job, struct moment now)
{
    struct task *task = &job->tasks[0];

    if (engine->safe >= job->safe_at)
        task_try_without_wire(engine, task, now);
    if (job_is_over(job))
        return;
    if (now.boot_us < job->deadline_us || job->answered)
        return;
    if (task->state == TASK_SCHEDULED) {
        task_refuse(engine, task, CODE_EXPIRED, "the call's own time ended before it began",
                    now);
    } else if (task->state == TASK_RUNNING) {
        const char *text = "the call's own time ended while it ran; how it ends will be the "
                           "device's last outcome";

        call_answer(engine, job, code_status(CODE_GATEWAY_TIMEOUT), CODE_GATEWAY_TIMEOUT,
                    error_body(CODE_GATEWAY_TIMEOUT, text), engine->number);
    }
}

/* The answer that the record tells: status and payload as they were. */
static json_t *answer_of(const struct task *task, int *status, enum code *code)
{
    json_t *record = json_loads(task->record, 0, NULL);
    json_t *outcome = json_object_get(record, "outcome");
    json_t *response = json_object_get(outcome, "deviceMethodResponse"), *payload;

    *code = task->code;
    *status = code_status(task->code);
    if (json_is_object(response)) {
        payload = json_incref(json_object_get(response, "payload"));
    } else {
        payload = json_object();
        if (json_object_get(record, "error"))
            json_object_set(payload, "error", json_object_get(record, "error"));
        if (json_object_get(outcome, "writes"))
            json_object_set(payload, "writes", json_object_get(outcome, "writes"));
    }
    json_decref(record);
    return payload;
}

/* A patch is safe before its device's twin is: where the stop came in between, the twin follows
   now. */
static void take_patch_again(struct engine *engine, struct job *job)
{
    struct task *task = &job->tasks[0];

    if (job_is_over(job) || job->task_count == 0 || task->device == SITE_NONE ||
        job->request->action.kind != ACTION_PATCH ||
        engine->devices[task->device].twin_number > job->safe_at)
        return;
    if (patch_take(engine, task) == 0)
        patch_remember(engine, job->request, task->device);
    keep_twin(engine, task->device);
}

void call_recall(struct engine *engine, struct job *job, struct moment now)
{
    char *key = repeat_key(job->request);
    unsigned seconds = job->request->repeat_s > 0 ? job->request->repeat_s : 86400;
    int64_t age_ms = now.trusted ? now.wall_ms - job->created_ms : 0;
    int status;
    enum code code;

    take_patch_again(engine, job);
    if (!key)
        return;
    if (age_ms > (int64_t)seconds * 1000) {
        free(key);
        return;
    }
    job->repeat = remember(engine, key, seconds, now);
    if (job->task_count == 0 || !job->tasks[0].record)
        return;
    json_t *payload = answer_of(&job->tasks[0], &status, &code);
    char *body = json_text(payload);
    keep_answer(engine, job->repeat, status, code, body);
    json_decref(payload);
    free(body);
}

void call_answer_again(struct engine *engine, struct job *job)
{
    int status;
    enum code code;
    json_t *payload = answer_of(&job->tasks[0], &status, &code);

    call_answer(engine, job, status, code, json_text(payload), 0);
    json_decref(payload);
}
