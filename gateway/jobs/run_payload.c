/* The answer of a run in JSON: what became of every point, and the values that it read. Written
   as text, as one comes of each task; names of points are of letters that JSON takes as they
   are, and what a point holds is left to jansson. */
#include "base/text.h"
#include "jobs/run.h"
#include "jobs/timetext.h"
#include "site/value.h"

#include <stdlib.h>

static const struct point *written_point(const struct run *run, size_t result)
{
    return &run->site->profiles[run->plan->profile].points[run->plan->results[result].point];
}

static const char *or_nothing(const char *text)
{
    return text ? text : "";
}

/* NULL when the reading is not known or is no value. */
static char *reading_text(const struct point *point, const struct reading *reading)
{
    struct value_error error;

    if (!reading->known)
        return NULL;
    json_t *value = value_decode(point, reading_words(reading), &error);
    char *text = value ? json_text(value) : NULL;

    json_decref(value);
    return text;
}

/* With a comma before it. */
static char *reading_member(const char *key, const struct point *point,
                            const struct reading *reading)
{
    char *value = reading_text(point, reading);
    char *member = value ? text_join(",\"", key, "\":", value, NULL) : NULL;

    free(value);
    return member;
}

static char *result_text(const struct run *run, size_t index)
{
    const struct point_result *result = &run->results[index];
    const struct point *point = written_point(run, index);
    char *wrote = NULL, *holds = NULL, at[TIMETEXT_SIZE] = "";

    switch (result->result) {
    case RESULT_VERIFIED:
    case RESULT_ADJUSTED:
    case RESULT_UNCHANGED:
        holds = reading_member("value", point, &result->holds);
        timetext_format(at, result->at_ms);
        break;
    case RESULT_MISMATCH:
        wrote = reading_member("wrote", point, &result->wrote);
        holds = reading_member("holds", point, &result->holds);
        break;
    case RESULT_WRITTEN:
    case RESULT_NOT_SENT:
    case RESULT_REFUSED:
    case RESULT_NO_ANSWER:
    case RESULT_UNKNOWN:
    case RESULT_COUNT:
        break;
    }
    char *text =
        text_join("{\"result\":\"", result_name(result->result), "\"", or_nothing(wrote),
                  or_nothing(holds), at[0] ? ",\"at\":\"" : "", at, at[0] ? "\"" : "",
                  result->restored ? ",\"restored\":true}" : "}", NULL);
    free(wrote);
    free(holds);
    return text;
}

/* The object so far, or NULL, with one more member; still without its end. Both texts are
   freed. */
static char *with_member(char *object, const char *name, char *value)
{
    char *more = value ? text_join(object ? object : "{", object ? ",\"" : "\"", name,
                                   "\":", value, NULL)
                       : NULL;

    free(object);
    free(value);
    return more;
}

static char *closed(char *object)
{
    char *text = object ? text_join(object, "}", NULL) : NULL;

    free(object);
    return text;
}

char *run_writes(const struct run *run)
{
    char *writes = NULL;

    for (size_t i = 0; i < run->plan->result_count; i++) {
        writes = with_member(writes, written_point(run, i)->name, result_text(run, i));
        if (!writes)
            return NULL;
    }
    return closed(writes);
}

/* NULL: none was read. */
static char *values_text(const struct run *run)
{
    const struct profile *profile = &run->site->profiles[run->plan->profile];
    char *values = NULL;

    for (size_t i = 0; i < run->plan->read_count; i++) {
        const struct point *point = &profile->points[run->plan->reads[i]];
        char *value = reading_text(point, &run->reads[i]);

        if (value)
            values = with_member(values, point->name, value);
    }
    return closed(values);
}

char *run_payload_with(const struct run *run, enum code code, const char *description)
{
    char *error = code != CODE_NONE ? code_text(code, description) : NULL;
    char *writes = run_writes(run), *values = values_text(run);
    char *payload =
        text_join("{", error ? "\"error\":" : "", or_nothing(error),
                  error && (writes || values) ? "," : "", writes ? "\"writes\":" : "",
                  or_nothing(writes), writes && values ? "," : "", values ? "\"values\":" : "",
                  or_nothing(values), "}", NULL);

    free(error);
    free(writes);
    free(values);
    return payload;
}

char *run_payload(const struct run *run)
{
    return run_payload_with(run, run->code, run->text);
}
