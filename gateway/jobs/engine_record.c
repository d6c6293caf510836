/* A task's record, as the outside reads it and as the store keeps it. It is written as text:
   its ids are of letters that JSON takes as they are (request.h), and one comes of each task,
   so a tree would be built, walked and taken down for each. */
#include "base/text.h"
#include "jobs/engine_private.h"
#include "jobs/timetext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIME_SIZE (sizeof(",\"lastUpdatedDateTimeUtc\":\"\"") + TIMETEXT_SIZE)

/* A member with a comma before it, or "": it has not come to that yet. */
static const char *time_member(char member[static TIME_SIZE], const char *key, int64_t ms)
{
    char at[TIMETEXT_SIZE];

    if (ms == 0)
        return "";
    timetext_format(at, ms);
    char *end = stpcpy(member, ",\"");
    end = stpcpy(end, key);
    end = stpcpy(end, "\":\"");
    end = stpcpy(end, at);
    stpcpy(end, "\"");
    return member;
}

/* `more`: further members, each with a comma before it. */
static char *record_text(const struct engine *engine, const struct task *task, const char *more)
{
    char created[TIME_SIZE], started[TIME_SIZE], changed[TIME_SIZE], ended[TIME_SIZE];
    char attempts[16];

    snprintf(attempts, sizeof(attempts), "%u", task->attempts);
    char *text =
        text_join("{\"jobId\":\"", task->job->id, "\",\"deviceId\":\"",
                  task_device_id(engine, task), "\",\"jobType\":\"", job_type_name(task->job),
                  "\",\"status\":\"", task_state_name(task->state), "\"",
                  time_member(created, "createdDateTimeUtc", task->created_ms),
                  time_member(started, "startTimeUtc", task->started_ms),
                  time_member(changed, "lastUpdatedDateTimeUtc", task->changed_ms),
                  time_member(ended, "endTimeUtc", task->ended_ms), ",\"attempts\":", attempts,
                  more, "}", NULL);
    if (!text)
        abort(); /* out of memory: what cannot be kept must not be promised */
    return text;
}

char *task_text(const struct engine *engine, const struct task *task)
{
    return record_text(engine, task, "");
}

/* A twin job's record has no method response, as in the hub; what was written stands beside it.
 */
static char *outcome_text(const struct task *task, const struct said *said)
{
    char status[16];

    if (task->job->request->action.kind == ACTION_PATCH)
        return text_join("{\"deviceMethodResponse\":null", said->writes ? ",\"writes\":" : "",
                         said->writes ? said->writes : "", "}", NULL);
    snprintf(status, sizeof(status), "%d", code_status(task->code));
    return text_join("{\"deviceMethodResponse\":{\"status\":", status,
                     ",\"payload\":", said->payload ? said->payload : "null", "}}", NULL);
}

char *task_end_text(const struct engine *engine, const struct task *task,
                    const struct said *said)
{
    char *outcome = outcome_text(task, said);
    char *error = task->code == CODE_NONE ? NULL : code_text(task->code, said->description);
    char number[24];

    snprintf(number, sizeof(number), "%llu", (unsigned long long)engine->number + 1);
    char *more = outcome ? text_join(",\"outcome\":", outcome, error ? ",\"error\":" : "",
                                     error ? error : "", ",\"gatewayId\":\"", engine->site->id,
                                     "\",\"seq\":", number, NULL)
                         : NULL;
    if (!more)
        abort();
    char *text = record_text(engine, task, more);
    free(outcome);
    free(error);
    free(more);
    return text;
}
