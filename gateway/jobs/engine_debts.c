/* What a pulse or a restore could not write back: it stays owed to the device's point, over the
   end of its task and over restarts, until it is written or something newer is. */
#include "base/log.h"
#include "jobs/engine_private.h"
#include "jobs/timetext.h"
#include "lines/probe.h"
#include "site/value.h"

enum { WORDS_MOST = 256 };
#define AGAIN_LEAST_US INT64_C(1000000)
#define AGAIN_MOST_US  INT64_C(300000000)

static const struct profile *profile_of(const struct engine *engine, size_t device)
{
    return &engine->site->profiles[engine->site->devices[device].profile];
}

static void drop(struct device_state *state, const char *name)
{
    json_object_del(state->owed, name);
    if (json_object_size(state->owed) > 0)
        return;
    json_decref(state->owed);
    state->owed = NULL;
    state->owed_pause_us = 0;
}

/* The older value stands: what the point held since was never meant to stay. */
static void owe(struct device_state *state, const char *name, const struct reading *before,
                const char *job_id, struct moment now)
{
    const uint16_t *words = reading_words(before);
    json_t *list = json_array();

    for (uint16_t i = 0; i < before->count; i++)
        json_array_append_new(list, json_integer(words[i]));
    if (!state->owed)
        state->owed = json_object();
    if (json_object_get(state->owed, name)) {
        json_decref(list);
        return;
    }
    json_object_set_new(state->owed, name,
                        json_pack("{s:o, s:I, s:s}", "words", list, "since",
                                  (json_int_t)now.wall_ms, "jobId", job_id));
    state->owed_us = now.boot_us + AGAIN_LEAST_US;
}

static bool is_newer(const struct point_result *result)
{
    return result->restored || result->result <= RESULT_ADJUSTED;
}

void debts_settle(struct engine *engine, const struct task *task, struct moment now)
{
    struct device_state *state = &engine->devices[task->device];
    const struct run *run = task->run;
    bool changed = false;

    for (size_t i = 0; engine->boot_id[0] && i < run->plan->result_count; i++) {
        const struct point_result *result = &run->results[i];
        size_t point = run->plan->results[i].point;
        const char *name = profile_of(engine, task->device)->points[point].name;

        if (result->owed && run->before && run->before[point].known) {
            owe(state, name, &run->before[point], task->job->id, now);
            changed = true;
        } else if (is_newer(result) && json_object_get(state->owed, name)) {
            drop(state, name);
            changed = true;
        }
    }
    if (changed)
        keep_twin(engine, task->device);
}

/* The words that are owed to a point; 0: none that fit it. */
static uint16_t words_of(const json_t *debt, const struct point *point,
                         uint16_t words[WORDS_MOST])
{
    const json_t *list = json_object_get(debt, "words");
    size_t count = json_array_size(list);

    if (count == 0 || count > WORDS_MOST || count != point->count || !point->writable)
        return 0;
    for (size_t i = 0; i < count; i++)
        words[i] = (uint16_t)json_integer_value(json_array_get(list, i));
    return (uint16_t)count;
}

void debts_stand(const struct engine *engine, struct task *task)
{
    const struct device_state *state = &engine->devices[task->device];
    const struct profile *profile = profile_of(engine, task->device);
    uint16_t words[WORDS_MOST];
    const char *name;
    json_t *debt;

    json_object_foreach(state->owed, name, debt)
    {
        size_t point = profile_point(profile, name);
        uint16_t count =
            point == SITE_NONE ? 0 : words_of(debt, &profile->points[point], words);

        if (count > 0)
            run_know_before(task->run, point, words, count);
    }
}

/* A silent device is asked by probes whether it is back, where there is one for it. */
bool debts_due(const struct engine *engine, size_t device, struct moment now, int64_t *when)
{
    const struct device_state *state = &engine->devices[device];

    if (!state->owed || state->out || state->running || state->held || state->claimed_by ||
        engine->stopping)
        return false;
    struct operation probe; /* not before: it is cleared, and nearly nobody owes */
    if (state->health == HEALTH_OFFLINE && probe_operation(profile_of(engine, device), &probe))
        return false;
    *when = state->owed_us > now.boot_us ? state->owed_us : 0;
    return true;
}

bool debts_work(struct engine *engine, size_t device, struct work *work)
{
    struct device_state *state = &engine->devices[device];
    const struct profile *profile = profile_of(engine, device);
    uint16_t words[WORDS_MOST];
    const char *name;
    json_t *debt;
    void *next;

    json_object_foreach_safe(state->owed, next, name, debt)
    {
        size_t point = profile_point(profile, name);

        if (point != SITE_NONE && words_of(debt, &profile->points[point], words) > 0) {
            run_back_operation(profile, point, words, &work->operation);
            work->limits.timeout_us = device_bounds(engine, device).configured_us;
            state->paying = point;
            return true;
        }
        log_warning("device %s: what is owed to its point %s cannot be written back: the site "
                    "was changed",
                    engine->site->devices[device].id, name);
        drop(state, name);
        keep_twin(engine, device);
        if (!state->owed)
            break;
    }
    return false;
}

void debts_answer(struct engine *engine, const struct work *work, struct moment now)
{
    struct device_state *state = &engine->devices[work->device];
    const struct point *point = &profile_of(engine, work->device)->points[state->paying];

    if (work->answer.reached && point->max_writes_per_day > 0)
        wear_count_point(engine, work->device, point, now);
    if (work->answer.result == ANSWER_DONE) {
        log_info("device %s: %s was written back at last",
                 engine->site->devices[work->device].id, point->name);
        drop(state, point->name);
        keep_twin(engine, work->device);
        state->owed_us = now.boot_us;
        state->owed_pause_us = 0;
        return;
    }
    if (work->answer.result == ANSWER_NOT_SENT)
        return;
    state->owed_pause_us =
        state->owed_pause_us == 0 ? AGAIN_LEAST_US : state->owed_pause_us * 2;
    if (state->owed_pause_us > AGAIN_MOST_US)
        state->owed_pause_us = AGAIN_MOST_US;
    state->owed_us = now.boot_us + state->owed_pause_us;
}

json_t *debts_json(const struct engine *engine, size_t device)
{
    const struct device_state *state = &engine->devices[device];
    json_t *owed = json_array(), *debt;
    const char *name;

    json_object_foreach(state->owed, name, debt)
    {
        char since[TIMETEXT_SIZE];

        timetext_format(since, json_integer_value(json_object_get(debt, "since")));
        json_array_append_new(owed, json_pack("{s:s, s:O*, s:s}", "point", name, "jobId",
                                              json_object_get(debt, "jobId"), "since", since));
    }
    if (json_array_size(owed) > 0)
        return owed;
    json_decref(owed);
    return NULL;
}
