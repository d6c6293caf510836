/* What others may see of the engine, in the shapes of the hub's service and of docs/api.md. */
#include "jobs/engine_private.h"
#include "jobs/metadata.h"
#include "jobs/timetext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void view_put_time(json_t *object, const char *key, int64_t ms)
{
    char text[TIMETEXT_SIZE];

    if (ms == 0)
        return;
    timetext_format(text, ms);
    json_object_set_new(object, key, json_string(text));
}

static json_t *statistics_json(const struct job *job)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I}", "deviceCount", (json_int_t)job->task_count, "failedCount",
        (json_int_t)job->counts[TASK_FAILED] + (json_int_t)job->counts[TASK_CANCELED],
        "succeededCount", (json_int_t)job->counts[TASK_COMPLETED], "runningCount",
        (json_int_t)job->counts[TASK_RUNNING], "pendingCount",
        (json_int_t)job->counts[TASK_SCHEDULED]);
}

static void put_message(json_t *object, const struct engine *engine, const struct job *job)
{
    char text[160];
    size_t failed = job->counts[TASK_FAILED] + job->counts[TASK_CANCELED];
    const char *hint = job->request->condition ? condition_hint(job->request->condition) : NULL;

    if (job_is_over(job) && job->task_count == 0)
        json_object_set_new(
            object, "statusMessage",
            json_sprintf("no device matched%s%s", hint ? "; " : "", hint ? hint : ""));
    else if (job_is_over(job) && failed > 0) {
        snprintf(text, sizeof(text), "%zu of %zu devices failed", failed, job->task_count);
        json_object_set_new(object, "statusMessage", json_string(text));
    } else if (job->status == JOB_SCHEDULED && !engine->trusted) {
        json_object_set_new(object, "statusMessage",
                            json_string("the clock is not set, so the start has to wait"));
    } else if (hint) {
        json_object_set_new(object, "statusMessage", json_string(hint));
    }
}

static json_t *job_json(const struct engine *engine, const struct job *job)
{
    json_t *object = json_object();

    json_object_set_new(object, "jobId", json_string(job->id));
    if (job->request->query)
        json_object_set_new(object, "queryCondition", json_string(job->request->query));
    view_put_time(object, "createdTime", job->created_ms);
    int64_t wanted_ms = job->request->has_start ? job->request->start_ms : job->created_ms;
    view_put_time(object, "startTime", job->started_ms ? job->started_ms : wanted_ms);
    view_put_time(object, "endTime", job->ended_ms);
    json_object_set_new(object, "maxExecutionTimeInSeconds",
                        json_integer(job->request->max_execution_s));
    json_object_set_new(object, "type", json_string(job_type_name(job)));
    if (job->request->document)
        json_object_update_missing(object, job->request->document);
    json_object_set_new(object, "status", json_string(job_status_name(job->status)));
    put_message(object, engine, job);
    if (job->status == JOB_FAILED)
        json_object_set_new(object, "failureReason", json_string(job->text));
    if (job->resolved)
        json_object_set_new(object, "deviceJobStatistics", statistics_json(job));
    return object;
}

json_t *engine_job_json(const struct engine *engine, const char *job_id)
{
    const struct job *job = engine_find_job(engine, job_id);

    return job && !job->call ? job_json(engine, job) : NULL;
}

json_t *engine_share_json(const struct engine *engine, const char *job_id)
{
    const struct job *job = engine_find_job(engine, job_id);
    json_t *share;

    if (!job || job->call)
        return NULL;
    share =
        json_pack("{s:s, s:s, s:s, s:s, s:o}", "gatewayId", engine->site->id, "jobId", job->id,
                  "type", job_type_name(job), "status", job_status_name(job->status),
                  "deviceJobStatistics", statistics_json(job));
    view_put_time(share, "startTime", job->started_ms);
    view_put_time(share, "endTime", job->ended_ms);
    if (job->code != CODE_NONE)
        json_object_set_new(
            share, "error",
            json_pack("{s:s, s:s}", "code", code_name(job->code), "description", job->text));
    return share;
}

/* --- devices --- */

static const char *health_text(const struct device_state *state)
{
    return state->health == HEALTH_ONLINE    ? "online"
           : state->health == HEALTH_OFFLINE ? "offline"
                                             : "unknown";
}

static json_t *device_json(struct engine *engine, size_t index)
{
    const struct device *device = &engine->site->devices[index];
    const struct device_state *state = &engine->devices[index];
    json_t *object = json_object();
    json_t *own =
        json_pack("{s:s, s:i, s:s, s:s}", "line", engine->site->lines[device->line].name,
                  "unit", device->unit, "profile", engine->site->profiles[device->profile].name,
                  "state", health_text(state));

    identity_put_device(object, engine, index);
    view_put_time(own, "since", state->since_ms);
    view_put_time(own, "lastContact", state->heard_ms);
    if (state->claimed_by)
        json_object_set_new(own, "claimedBy", json_string(state->claimed_by));
    if (state->last_outcome)
        json_object_set_new(own, "lastOutcome", json_loads(state->last_outcome, 0, NULL));
    json_t *wear = wear_json(engine, index);
    if (wear)
        json_object_set_new(own, "writesToday", wear);
    json_t *owed = debts_json(engine, index);
    if (owed)
        json_object_set_new(own, "owed", owed);
    json_object_set(object, "tags", (json_t *)(uintptr_t)device_tags(engine, index));
    json_object_set_new(object, "jobgate", own);
    return object;
}

json_t *engine_devices_json(struct engine *engine, const char *device_id)
{
    if (device_id) {
        size_t index = site_device(engine->site, device_id);

        return index == SITE_NONE ? NULL : device_json(engine, index);
    }
    json_t *devices = json_array();
    for (size_t i = 0; i < engine->site->device_count; i++)
        json_array_append_new(devices, device_json(engine, i));
    return devices;
}

static json_t *section_json(const json_t *section, const json_t *times, int64_t version)
{
    json_t *copy = section ? json_deep_copy(section) : json_object();

    json_object_set_new(copy, "$metadata", metadata_tree(section, times));
    json_object_set_new(copy, "$version", json_integer(version));
    return copy;
}

json_t *engine_twin_json(struct engine *engine, const char *device_id)
{
    size_t index = site_device(engine->site, device_id);

    if (index == SITE_NONE)
        return NULL;
    const struct twin *twin = &engine->devices[index].twin;
    json_t *object = json_object();

    identity_put_twin(object, engine, index);
    json_object_set_new(object, "tags", json_deep_copy(device_tags(engine, index)));
    json_object_set_new(
        object, "properties",
        json_pack("{s:o, s:o}", "desired",
                  section_json(twin->desired, twin->desired_times, twin->desired_version),
                  "reported",
                  section_json(twin->reported, twin->reported_times, twin->reported_version)));
    return object;
}

json_t *engine_status_json(struct engine *engine, struct moment now)
{
    json_t *lines = json_array();
    size_t online = 0, offline = 0, active = 0;

    for (size_t i = 0; i < engine->site->line_count; i++) {
        const struct line_state *line = &engine->lines[i];

        json_array_append_new(
            lines,
            json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "name",
                      engine->site->lines[i].name, "state",
                      line->up      ? "up"
                      : line->known ? "down"
                                    : "opening",
                      "why", line->why, "devices", (json_int_t)line->device_count, "waiting",
                      (json_int_t)line->waiting, "operations", (json_int_t)line->operations,
                      "troubles", (json_int_t)line->troubles, "pollPercent",
                      (json_int_t)engine_poll_percent(engine, i), "pollLatePercent",
                      (json_int_t)overload_late_percent(line), "overloaded",
                      (int)line->overloaded));
    }
    for (size_t i = 0; i < engine->site->device_count; i++) {
        online += engine->devices[i].health == HEALTH_ONLINE;
        offline += engine->devices[i].health == HEALTH_OFFLINE;
    }
    for (const struct job *job = engine->newest; job; job = job->older)
        active += !job->call && !job_is_over(job);
    json_t *status = json_pack(
        "{s:s, s:s, s:b, s:o, s:{s:I, s:I, s:I, s:I}, s:{s:I}, s:{s:s, s:I, s:I}, s:{s:I, "
        "s:I}}",
        "gateway", engine->site->id, "version", engine->version, "clockTrusted",
        (int)now.trusted, "lines", lines, "devices", "count",
        (json_int_t)engine->site->device_count, "online", (json_int_t)online, "offline",
        (json_int_t)offline, "claimed", (json_int_t)engine->claimed, "jobs", "active",
        (json_int_t)active, "store", "kind", "memory", "made", (json_int_t)engine->number,
        "safe", (json_int_t)engine->safe, "outbox", "untold", (json_int_t)engine->untold,
        "forgotten", (json_int_t)engine->unheard);
    view_put_time(status, "since", engine->since_ms);
    return status;
}
