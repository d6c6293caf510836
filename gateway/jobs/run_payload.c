/* The answer of a run in JSON: what became of every point, and the values that it read. */
#include "jobs/run.h"
#include "jobs/timetext.h"
#include "site/value.h"

#include <string.h>

static const struct point *written_point(const struct run *run, size_t result)
{
    return &run->site->profiles[run->plan->profile].points[run->plan->results[result].point];
}

/* NULL when the reading is not known or is no value. */
static json_t *reading_json(const struct point *point, const struct reading *reading)
{
    struct value_error error;

    if (!reading->known)
        return NULL;
    return value_decode(point, reading->long_words ? reading->long_words : reading->words,
                        &error);
}

static void put(json_t *object, const char *key, json_t *value)
{
    if (value)
        json_object_set_new(object, key, value);
}

static json_t *result_json(const struct run *run, size_t index)
{
    const struct point_result *result = &run->results[index];
    const struct point *point = written_point(run, index);
    json_t *object = json_object();

    put(object, "result", json_string(result_name(result->result)));
    switch (result->result) {
    case RESULT_VERIFIED:
    case RESULT_ADJUSTED:
    case RESULT_UNCHANGED: {
        char at[TIMETEXT_SIZE];

        timetext_format(at, result->at_ms);
        put(object, "value", reading_json(point, &result->holds));
        put(object, "at", json_string(at));
        break;
    }
    case RESULT_MISMATCH:
        put(object, "wrote", reading_json(point, &result->wrote));
        put(object, "holds", reading_json(point, &result->holds));
        break;
    case RESULT_WRITTEN:
    case RESULT_NOT_SENT:
    case RESULT_REFUSED:
    case RESULT_NO_ANSWER:
    case RESULT_UNKNOWN:
    case RESULT_COUNT:
        break;
    }
    if (result->restored)
        json_object_set_new(object, "restored", json_true());
    return object;
}

static json_t *writes_json(const struct run *run)
{
    json_t *writes = json_object();

    for (size_t i = 0; i < run->plan->result_count; i++)
        json_object_set_new(writes, written_point(run, i)->name, result_json(run, i));
    return writes;
}

static json_t *values_json(const struct run *run)
{
    const struct profile *profile = &run->site->profiles[run->plan->profile];
    json_t *values = json_object();

    for (size_t i = 0; i < run->plan->read_count; i++) {
        const struct point *point = &profile->points[run->plan->reads[i]];

        put(values, point->name, reading_json(point, &run->reads[i]));
    }
    return values;
}

json_t *run_payload(const struct run *run)
{
    json_t *payload = json_object();

    if (run->code != CODE_NONE)
        json_object_set_new(
            payload, "error",
            json_pack("{s:s, s:s}", "code", code_name(run->code), "description", run->text));
    if (run->plan->result_count > 0)
        json_object_set_new(payload, "writes", writes_json(run));
    json_t *values = values_json(run);
    if (json_object_size(values) > 0)
        json_object_set(payload, "values", values);
    json_decref(values);
    return payload;
}
