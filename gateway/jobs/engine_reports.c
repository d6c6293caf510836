/* What leaves the engine: records for the store, reports for the outside. */
#include "base/text.h"
#include "jobs/engine_private.h"
#include "jobs/timetext.h"
#include "site/value.h"

#include <stdlib.h>
#include <string.h>

enum { SHARE_PAUSE_US = 1000000, REPORTED_PAUSE_US = 1000000 };

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

uint64_t engine_keep(struct engine *engine, enum record_kind kind, const char *job_id,
                     const char *device_id, uint32_t step, char *text)
{
    struct record *record = record_new(engine->number + 1, kind, job_id, device_id, text);

    if (engine->record_count == engine->record_room) {
        size_t room = engine->record_room ? engine->record_room * 2 : 64;
        struct record **grown = realloc(engine->records, room * sizeof(struct record *));

        if (grown) {
            engine->records = grown;
            engine->record_room = room;
        }
    }
    if (!record || engine->record_count == engine->record_room)
        abort(); /* out of memory: what cannot be kept must not be promised */
    record->step = step;
    engine->records[engine->record_count++] = record;
    return ++engine->number;
}

void engine_hurry(struct engine *engine)
{
    engine->awaited = engine->number;
}

uint64_t engine_take_awaited(struct engine *engine)
{
    uint64_t awaited = engine->awaited;

    engine->awaited = 0;
    return awaited > engine->safe ? awaited : 0;
}

struct record *engine_take_record(struct engine *engine)
{
    if (engine->record_taken == engine->record_count) {
        engine->record_taken = engine->record_count = 0;
        return NULL;
    }
    return engine->records[engine->record_taken++];
}

struct report *engine_report(struct engine *engine, enum report_kind kind, uint64_t after,
                             const char *job_id, const char *device_id, char *body)
{
    struct report *report = calloc(1, sizeof(*report));

    if (!report)
        abort();
    *report = (struct report){.kind = kind,
                              .after = after,
                              .job_id = copy(job_id),
                              .device_id = copy(device_id),
                              .body = body ? body : strdup("")};
    *engine->reports_end = report;
    engine->reports_end = &report->next;
    return report;
}

struct report *engine_take_report(struct engine *engine)
{
    struct report *report = engine->reports;

    if (!report || report->after > engine->safe)
        return NULL;
    engine->reports = report->next;
    if (!engine->reports)
        engine->reports_end = &engine->reports;
    report->next = NULL;
    return report;
}

json_t *job_id_in_use_json(void)
{
    return json_pack("{s:s, s:s}", "code", code_name(CODE_JOB_ID_IN_USE), "description",
                     "another job has this id; it is as it was");
}

char *error_body(enum code code, const char *text)
{
    char *error = code_text(code, text);
    char *body = error ? text_join("{\"error\":", error, "}", NULL) : NULL;

    free(error);
    return body;
}

struct report *report_answer(struct engine *engine, struct origin *origin,
                             enum request_kind kind, int status, enum code code, char *body,
                             uint64_t after)
{
    struct report *report = engine_report(engine, REPORT_ANSWER, after, NULL, NULL, body);

    report->origin = *origin;
    report->answers = kind;
    report->status = status;
    report->code = code;
    *origin =
        (struct origin){.link = origin->link}; /* a job's times depend on where it came from */
    engine_hurry(engine); /* what stands before it in the queue may be younger than `after` */
    return report;
}

void report_stored(struct engine *engine, const struct origin *origin, uint64_t after)
{
    if (origin->ticket == 0)
        return;
    struct report *report = engine_report(engine, REPORT_STORED, after, NULL, NULL, NULL);
    report->origin = (struct origin){.link = origin->link, .ticket = origin->ticket};
    engine_hurry(engine);
}

void report_clear(struct engine *engine, const char *job_id, uint64_t number)
{
    struct report *report =
        engine_report(engine, REPORT_SHARE, engine->number, job_id, NULL, NULL);

    report->number = number;
}

void reports_go_ahead(struct engine *engine, struct reports_behind *behind)
{
    *behind = (struct reports_behind){.first = engine->reports, .end = engine->reports_end};
    engine->reports = NULL;
    engine->reports_end = &engine->reports;
}

void reports_let_follow(struct engine *engine, const struct reports_behind *behind)
{
    if (!behind->first)
        return;
    *engine->reports_end = behind->first;
    engine->reports_end = behind->end;
}

struct report *report_share(struct engine *engine, struct job *job, struct moment now)
{
    if (job->call)
        return NULL;
    bool nobody = job->resolved && job->task_count == 0;
    if (nobody && job_is_over(job)) /* what was retained before this was known */
        report_clear(engine, job->id, 0);
    json_t *share = engine_share_json(engine, job->id);
    struct report *report =
        engine_report(engine, REPORT_SHARE, engine->number, job->id, NULL, json_text(share));

    report->retain = !nobody;
    json_decref(share);
    job->share_due = false;
    job->share_us = now.boot_us + SHARE_PAUSE_US;
    return report;
}

static const char *health_name(enum health health)
{
    switch (health) {
    case HEALTH_UNKNOWN:
        return "unknown";
    case HEALTH_ONLINE:
        return "online";
    case HEALTH_OFFLINE:
        return "offline";
    }
    return "unknown";
}

void report_state(struct engine *engine, size_t index)
{
    const struct device *device = &engine->site->devices[index];
    const struct device_state *state = &engine->devices[index];
    char since[TIMETEXT_SIZE];

    timetext_format(since, state->since_ms);
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:s}", "state", health_name(state->health), "since", since,
                  "line", engine->site->lines[device->line].name, "gateway", engine->site->id);
    engine_report(engine, REPORT_STATE, 0, NULL, device->id, json_text(body))->claimed =
        state->claimed_by != NULL;
    json_decref(body);
}

void report_gateway(struct engine *engine)
{
    char since[TIMETEXT_SIZE];
    json_t *lines = json_array();

    timetext_format(since, engine->since_ms);
    for (size_t i = 0; i < engine->site->line_count; i++)
        json_array_append_new(lines,
                              json_pack("{s:s, s:s}", "name", engine->site->lines[i].name,
                                        "state", engine->lines[i].up ? "up" : "down"));
    json_t *body = json_pack("{s:s, s:s, s:s, s:I, s:o}", "state", "online", "version",
                             engine->version, "since", since, "devices",
                             (json_int_t)engine->site->device_count, "lines", lines);
    engine_report(engine, REPORT_GATEWAY, 0, NULL, NULL, json_text(body));
    json_decref(body);
}

static void report_reported(struct engine *engine, size_t index, struct moment now)
{
    struct device_state *state = &engine->devices[index];
    json_t *empty = state->twin.reported ? NULL : json_object();

    struct report *report = engine_report(engine, REPORT_REPORTED, engine->number, NULL,
                                          engine->site->devices[index].id,
                                          json_text(empty ? empty : state->twin.reported));
    report->hub_acks = json_deep_copy(state->twin.hub_acks);
    report->claimed = state->claimed_by != NULL;
    json_decref(empty);
    if (state->reported_due)
        engine->reported_due--;
    state->reported_due = false;
    state->reported_us = now.boot_us + REPORTED_PAUSE_US;
}

void reported_changed(struct engine *engine, size_t index, struct moment now)
{
    struct device_state *state = &engine->devices[index];

    if (state->reported_us <= now.boot_us) {
        report_reported(engine, index, now);
    } else if (!state->reported_due) {
        state->reported_due = true;
        engine->reported_due++;
    }
}

void reported_tick(struct engine *engine, struct moment now)
{
    for (size_t i = 0; engine->reported_due > 0 && i < engine->site->device_count; i++) {
        if (engine->devices[i].reported_due && engine->devices[i].reported_us <= now.boot_us)
            report_reported(engine, i, now);
    }
}

void engine_report_device(struct engine *engine, size_t device, struct moment now)
{
    report_state(engine, device);
    if (engine->devices[device].twin.reported)
        report_reported(engine, device, now);
}

void engine_report_all(struct engine *engine, struct moment now)
{
    report_gateway(engine);
    for (size_t i = 0; i < engine->site->device_count; i++)
        engine_report_device(engine, i, now);
    for (struct job *job = engine->newest; job; job = job->older) {
        if (!job->call && !job_is_over(job))
            report_share(engine, job, now);
    }
}
