/* The report as JSON. */
#include "commands/checksum.h"
#include "commands/survey.h"
#include "jobs/timetext.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void put(json_t *object, const char *key, json_t *value)
{
    if (value)
        json_object_set_new(object, key, value);
}

static void put_error(json_t *object, const struct survey_error *error)
{
    if (error->code)
        put(object, "error",
            json_pack("{s:s, s:s}", "code", error->code, "description",
                      error->text ? error->text : ""));
}

/* --- site --- */

/* The site names folders too where it has looked for files, also those that are not there. */
static bool is_file(const char *path)
{
    struct stat found;

    return stat(path, &found) == 0 && S_ISREG(found.st_mode);
}

static const char *sum_of(const char *const *files, size_t count, char sum[CHECKSUM_SIZE])
{
    return checksum_of(files, count, sum) == 0 ? sum : "unreadable";
}

static json_t *site_json(const struct site *site)
{
    const char **files = calloc(site->file_count + 1, sizeof(*files));
    json_t *list = json_array(), *object;
    char sum[CHECKSUM_SIZE];
    size_t count = 0;

    for (size_t i = 0; files && i < site->file_count; i++) {
        const char *path = site->files[i];

        if (!is_file(path))
            continue;
        files[count++] = path;
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "file", path, "sha256", sum_of(&path, 1, sum)));
    }
    object = json_pack("{s:s, s:s, s:o}", "file", site->file, "sha256",
                       sum_of(files, count, sum), "files", list);
    free(files);
    return object;
}

static json_t *line_json(const struct survey *survey, size_t index)
{
    const struct line_config *line = &survey->site->lines[index];
    const struct survey_line *state = &survey->lines[index];
    json_t *object =
        json_pack("{s:s, s:s}", "name", line->name, "adapter", line->adapter->name);
    size_t devices = 0;

    for (size_t i = 0; i < survey->site->device_count; i++)
        devices += survey->site->devices[i].line == index;
    if (line->adapter->serial) {
        put(object, "port", json_string(line->port));
        put(object, "baud", json_integer(line->settings.baud));
        put(object, "mode",
            json_sprintf("%u%c%u", line->settings.data_bits, line->settings.parity,
                         line->settings.stop_bits));
    } else {
        put(object, "host", json_string(line->host));
        put(object, "tcpPort", json_integer(line->settings.tcp_port));
    }
    put(object, "timeoutMs", json_real((double)line->timeout_us / 1000));
    put(object, "tries", json_integer(line->retries + 1));
    put(object, "gapMs", json_real((double)line->gap_us / 1000));
    put(object, "devices", json_integer((json_int_t)devices));
    put(object, "state", json_string(state->known ? state->up ? "up" : "down" : "not opened"));
    if (state->known && !state->up)
        put(object, "why", json_string(state->why));
    return object;
}

/* --- devices --- */

static const char *result_name_of(enum survey_result result)
{
    switch (result) {
    case SURVEY_READ:
        return "read";
    case SURVEY_NEVER_READ:
        return "never read";
    case SURVEY_OPEN:
    case SURVEY_FAILED:
        break;
    }
    return "failed";
}

static json_t *point_json(const struct point *point, const struct survey_point *found)
{
    char where[64];
    json_t *object;

    point_where(point, where, sizeof(where));
    object = json_pack("{s:s, s:s, s:s, s:i, s:i, s:s}", "name", point->name, "register", where,
                       "table", table_name(point->table), "address", (int)point->address,
                       "count", (int)point->count, "result", result_name_of(found->result));
    if (!object)
        return NULL;
    if (point->unit)
        put(object, "unit", json_string(point->unit));
    if (found->result == SURVEY_READ)
        put(object, "value", json_incref(found->value));
    put_error(object, &found->error);
    return object;
}

static json_t *device_json(const struct survey *survey, size_t index)
{
    const struct device *device = &survey->site->devices[index];
    const struct profile *profile = &survey->site->profiles[device->profile];
    const struct survey_device *found = &survey->devices[index];
    json_t *points = json_array();
    json_t *object =
        json_pack("{s:s, s:s, s:i, s:s, s:O, s:s}", "id", device->id, "line",
                  survey->site->lines[device->line].name, "unit", (int)device->unit, "profile",
                  profile->name, "tags", found->tags, "state", found->state);

    if (profile->title)
        put(object, "title", json_string(profile->title));
    if (found->answer_ms >= 0)
        put(object, "answerMs", json_real((double)(int64_t)(found->answer_ms * 10) / 10));
    put_error(object, &found->error);
    for (size_t i = 0; i < profile->point_count; i++)
        json_array_append_new(points, point_json(&profile->points[i], &found->points[i]));
    put(object, "points", points);
    return object;
}

static json_t *counts_json(const struct survey_counts *counts)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "devices", (int)counts->devices,
                     "devicesFailed", (int)counts->devices_failed, "points",
                     (int)counts->points, "pointsRead", (int)counts->points_read,
                     "pointsFailed", (int)counts->points_failed, "pointsNeverRead",
                     (int)counts->points_never, "linesDown", (int)counts->lines_down);
}

json_t *survey_json(const struct survey *survey)
{
    const struct site *site = survey->site;
    struct survey_counts counts = survey_count(survey);
    json_t *lines = json_array(), *devices = json_array();
    char made[TIMETEXT_SIZE];
    json_t *report;

    timetext_format(made, survey->made_ms);
    report =
        json_pack("{s:s, s:s, s:s, s:b, s:s, s:f, s:b}", "gateway", site->id, "version",
                  survey->version, "made", made, "clockTrusted", (int)survey->clock_trusted,
                  "through", survey->through_gateway ? "gateway" : "lines", "seconds",
                  (double)(int64_t)(survey->seconds * 10) / 10, "well",
                  (int)(counts.devices_failed + counts.lines_down == 0));
    if (*survey->clock_doubt)
        put(report, "clockDoubt", json_string(survey->clock_doubt));
    if (*survey->remark)
        put(report, "remark", json_string(survey->remark));
    put(report, "counts", counts_json(&counts));
    put(report, "site", site_json(site));
    for (size_t i = 0; i < site->line_count; i++)
        json_array_append_new(lines, line_json(survey, i));
    put(report, "lines", lines);
    for (size_t i = 0; i < site->device_count; i++)
        json_array_append_new(devices, device_json(survey, i));
    put(report, "devices", devices);
    return report;
}
