#include "commands/survey.h"
#include "jobs/outcome.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where so many points came back spoilt the others would too. */
enum { GARBLED_MOST = 3 };

static const struct profile *profile_of(const struct survey *survey, size_t device)
{
    return &survey->site->profiles[survey->site->devices[device].profile];
}

static bool begin_device(struct survey *survey, size_t index)
{
    const struct profile *profile = profile_of(survey, index);
    struct survey_device *device = &survey->devices[index];

    device->points = calloc(profile->point_count + 1, sizeof(*device->points));
    device->answer_ms = -1;
    snprintf(device->state, sizeof(device->state), "unknown");
    device->tags = json_incref(survey->site->devices[index].tags);
    device->stage = SURVEY_DONE;
    for (size_t i = 0; device->points && i < profile->point_count; i++) {
        if (profile->points[i].readable)
            device->stage = SURVEY_ALL;
        else
            device->points[i].result = SURVEY_NEVER_READ;
    }
    return device->points != NULL;
}

int survey_init(struct survey *survey, const struct site *site)
{
    *survey = (struct survey){.site = site};
    survey->devices = calloc(site->device_count + 1, sizeof(*survey->devices));
    survey->lines = calloc(site->line_count + 1, sizeof(*survey->lines));
    bool good = survey->devices && survey->lines;

    for (size_t i = 0; good && i < site->device_count; i++)
        good = begin_device(survey, i);
    if (good)
        return 0;
    survey_deinit(survey);
    return -ENOMEM;
}

static void error_deinit(struct survey_error *error)
{
    free(error->code);
    free(error->text);
    *error = (struct survey_error){0};
}

static void end_device(struct survey *survey, size_t index)
{
    struct survey_device *device = &survey->devices[index];

    for (size_t i = 0; device->points && i < profile_of(survey, index)->point_count; i++) {
        json_decref(device->points[i].value);
        error_deinit(&device->points[i].error);
    }
    error_deinit(&device->error);
    json_decref(device->tags);
    free(device->points);
}

void survey_deinit(struct survey *survey)
{
    for (size_t i = 0; survey->devices && i < survey->site->device_count; i++)
        end_device(survey, i);
    free(survey->devices);
    free(survey->lines);
    *survey = (struct survey){0};
}

json_t *survey_next(const struct survey *survey, size_t index)
{
    const struct survey_device *device = &survey->devices[index];
    json_t *points;

    if (device->stage == SURVEY_DONE)
        return NULL;
    points = json_array();
    if (device->stage == SURVEY_EACH)
        json_array_append_new(
            points, json_string(profile_of(survey, index)->points[device->next].name));
    return points;
}

/* --- answers --- */

static void error_set(struct survey_error *error, const char *code, const char *text)
{
    error_deinit(error);
    error->code = strdup(code);
    error->text = strdup(text ? text : "");
}

/* The points that are still open fail with the device. */
static void fail_rest(struct survey *survey, size_t index, const char *code, const char *text)
{
    struct survey_device *device = &survey->devices[index];

    for (size_t i = 0; i < profile_of(survey, index)->point_count; i++) {
        if (device->points[i].result != SURVEY_OPEN)
            continue;
        device->points[i].result = SURVEY_FAILED;
        error_set(&device->points[i].error, code, text);
    }
    error_set(&device->error, code, text);
    device->stage = SURVEY_DONE;
}

static void take_values(struct survey *survey, size_t index, const json_t *payload)
{
    struct survey_device *device = &survey->devices[index];
    const json_t *values = json_object_get(payload, "values");
    const struct profile *profile = profile_of(survey, index);

    for (size_t i = 0; i < profile->point_count; i++) {
        json_t *value = json_object_get(values, profile->points[i].name);

        if (!value || device->points[i].result != SURVEY_OPEN)
            continue;
        device->points[i].result = SURVEY_READ;
        device->points[i].value = json_incref(value);
        device->answered = true;
    }
}

static void go_on(struct survey *survey, size_t index, size_t from)
{
    struct survey_device *device = &survey->devices[index];
    size_t count = profile_of(survey, index)->point_count;

    while (from < count && device->points[from].result != SURVEY_OPEN)
        from++;
    device->next = from;
    device->stage = from < count ? SURVEY_EACH : SURVEY_DONE;
}

static bool is_code(const char *code, enum code known)
{
    return strcmp(code, code_name(known)) == 0;
}

static void fail_point(struct survey *survey, size_t index, const char *code, const char *text)
{
    struct survey_device *device = &survey->devices[index];

    device->points[device->next].result = SURVEY_FAILED;
    error_set(&device->points[device->next].error, code, text);
    go_on(survey, index, device->next + 1);
}

void survey_take(struct survey *survey, size_t index, int status, const json_t *payload)
{
    struct survey_device *device = &survey->devices[index];
    const json_t *error = json_object_get(payload, "error");
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *text = json_string_value(json_object_get(error, "description"));
    bool refused, garbled;

    if (device->stage == SURVEY_DONE)
        return;
    take_values(survey, index, payload);
    if (status < 400 || !code) {
        code = code_name(CODE_BAD_REPLY);
        text = "the answer has no value of it";
    }
    refused = is_code(code, CODE_DEVICE_EXCEPTION);
    garbled = is_code(code, CODE_BAD_REPLY);
    device->answered = device->answered || refused;
    if (device->stage == SURVEY_ALL && (refused || garbled)) {
        go_on(survey, index, 0);
        return;
    }
    if (device->stage == SURVEY_ALL) {
        fail_rest(survey, index, code, text);
        return;
    }
    if (device->points[device->next].result == SURVEY_READ) {
        go_on(survey, index, device->next + 1);
        return;
    }
    device->garbled += garbled;
    if ((refused || garbled) && device->garbled < GARBLED_MOST)
        fail_point(survey, index, code, text);
    else
        fail_rest(survey, index, code, text);
}

struct survey_counts survey_count(const struct survey *survey)
{
    struct survey_counts counts = {.devices = (unsigned)survey->site->device_count};

    for (size_t i = 0; i < survey->site->line_count; i++)
        counts.lines_down += survey->lines[i].known && !survey->lines[i].up;
    for (size_t i = 0; i < survey->site->device_count; i++) {
        bool failed = survey->devices[i].error.code != NULL;

        for (size_t p = 0; p < profile_of(survey, i)->point_count; p++) {
            enum survey_result result = survey->devices[i].points[p].result;

            counts.points++;
            counts.points_read += result == SURVEY_READ;
            counts.points_failed += result == SURVEY_FAILED || result == SURVEY_OPEN;
            counts.points_never += result == SURVEY_NEVER_READ;
            failed = failed || result == SURVEY_FAILED || result == SURVEY_OPEN;
        }
        counts.devices_failed += failed;
    }
    return counts;
}
