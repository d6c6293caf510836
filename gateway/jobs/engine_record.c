/* A task's record, as the outside reads it and as the store keeps it. It is written as text:
   its ids are of letters that JSON takes as they are (request.h), and one comes of each task,
   so a tree would be built, walked and taken down for each. */
#include "jobs/engine_private.h"
#include "jobs/timetext.h"
#include "site/value.h"

#include <stdio.h>
#include <stdlib.h>

#define TIME_MEMBER_SIZE (sizeof("\"lastUpdatedDateTimeUtc\":\"\",") + TIMETEXT_SIZE)

static const char *time_member(char text[static TIME_MEMBER_SIZE], const char *key, int64_t ms)
{
    char at[TIMETEXT_SIZE];

    text[0] = '\0';
    if (ms == 0)
        return text;
    timetext_format(at, ms);
    snprintf(text, TIME_MEMBER_SIZE, "\"%s\":\"%s\",", key, at);
    return text;
}

/* `more`: further members, each with a comma before it. */
static char *record_text(const struct engine *engine, const struct task *task, const char *more)
{
    char created[TIME_MEMBER_SIZE], started[TIME_MEMBER_SIZE], changed[TIME_MEMBER_SIZE],
        ended[TIME_MEMBER_SIZE];
    char *text;

    if (asprintf(&text,
                 "{\"jobId\":\"%s\",\"deviceId\":\"%s\",\"jobType\":\"%s\",\"status\":\"%s\","
                 "%s%s%s%s\"attempts\":%u%s}",
                 task->job->id, task_device_id(engine, task), job_type_name(task->job),
                 task_state_name(task->state),
                 time_member(created, "createdDateTimeUtc", task->created_ms),
                 time_member(started, "startTimeUtc", task->started_ms),
                 time_member(changed, "lastUpdatedDateTimeUtc", task->changed_ms),
                 time_member(ended, "endTimeUtc", task->ended_ms), task->attempts, more) < 0)
        abort(); /* out of memory: what cannot be kept must not be promised */
    return text;
}

char *task_text(const struct engine *engine, const struct task *task)
{
    return record_text(engine, task, "");
}

/* A twin job's record has no method response, as in the hub; what was written stands beside it.
 */
static char *outcome_text(const struct task *task, const json_t *payload, const char *body)
{
    const json_t *writes = json_object_get(payload, "writes");
    bool patch = task->job->request->action.kind == ACTION_PATCH;
    char *written = patch && writes ? json_text(writes) : NULL, *text;
    int n;

    if (patch)
        n = asprintf(&text, "{\"deviceMethodResponse\":null%s%s}",
                     written ? ",\"writes\":" : "", written ? written : "");
    else
        n = asprintf(&text, "{\"deviceMethodResponse\":{\"status\":%d,\"payload\":%s}}",
                     code_status(task->code), body ? body : "null");
    free(written);
    return n < 0 ? NULL : text;
}

/* NULL: there is none, or its sentence is no UTF-8. */
static char *error_text(const struct task *task, const char *description)
{
    if (task->code == CODE_NONE)
        return NULL;
    json_t *error =
        json_pack("{s:s, s:s}", "code", code_name(task->code), "description", description);
    char *text = error ? json_text(error) : NULL;

    json_decref(error);
    return text;
}

char *task_end_text(const struct engine *engine, const struct task *task, const json_t *payload,
                    const char *body, const char *description)
{
    char *outcome = outcome_text(task, payload, body), *error = error_text(task, description);
    char *more;

    if (!outcome || asprintf(&more, ",\"outcome\":%s%s%s,\"gatewayId\":\"%s\",\"seq\":%llu",
                             outcome, error ? ",\"error\":" : "", error ? error : "",
                             engine->site->id, (unsigned long long)engine->number + 1) < 0)
        abort();
    char *text = record_text(engine, task, more);
    free(outcome);
    free(error);
    free(more);
    return text;
}
