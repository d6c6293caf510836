#include "commands/outcomes.h"
#include "commands/commands.h"
#include "commands/grid.h"
#include "commands/payload.h"
#include "jobs/timetext.h"

#include <string.h>

enum { RESULTS_SIZE = 400 };

int outcomes_fetch(const struct client *client, const struct options *options,
                   const char *job_id, json_t **ret)
{
    char query[200];

    snprintf(query, sizeof(query),
             "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = '%.64s'", job_id);
    return fetch_query(client, options, query, ret);
}

double seconds_between(const json_t *object, const char *from, const char *to)
{
    const char *start = json_string_value(json_object_get(object, from));
    const char *end = json_string_value(json_object_get(object, to));
    int64_t start_ms, end_ms;

    if (!start || !end || timetext_parse(&start_ms, start) || timetext_parse(&end_ms, end) ||
        end_ms < start_ms)
        return -1;
    return (double)(end_ms - start_ms) / 1000.0;
}

static enum tone tone_of_status(const char *status)
{
    if (strcmp(status, "completed") == 0)
        return TONE_GOOD;
    return strcmp(status, "failed") == 0 ? TONE_BAD : TONE_DIM;
}

/* A twin job's record has no method's answer: what was written stands beside it. */
static const json_t *payload_of(const json_t *record)
{
    const json_t *outcome = json_object_get(record, "outcome");
    const json_t *response = json_object_get(outcome, "deviceMethodResponse");

    return json_is_object(response) ? json_object_get(response, "payload") : outcome;
}

static void print_record(struct grid *grid, const json_t *record)
{
    const json_t *error = json_object_get(record, "error");
    double seconds = seconds_between(record, "startTimeUtc", "endTimeUtc");
    int attempts = (int)json_integer_value(json_object_get(record, "attempts"));
    char results[RESULTS_SIZE];

    payload_line(payload_of(record), results, sizeof(results));
    grid_row(grid);
    grid_cell(grid, 0, TONE_PLAIN, "%s", text_of(record, "deviceId"));
    grid_cell(grid, 1, tone_of_status(text_of(record, "status")), "%s",
              text_of(record, "status"));
    if (attempts > 0)
        grid_cell(grid, 2, TONE_PLAIN, "%d", attempts);
    if (seconds >= 0)
        grid_cell(grid, 3, TONE_PLAIN, "%.2f s", seconds);
    if (error)
        grid_cell(grid, 4, TONE_BAD, "%s: %s%s%s%s", text_of(error, "code"),
                  text_of(error, "description"), *results ? " (" : "", results,
                  *results ? ")" : "");
    else
        grid_cell(grid, 4, TONE_PLAIN, "%s", results);
}

void outcomes_print(const json_t *records, const struct terminal *terminal)
{
    struct grid grid;

    if (json_array_size(records) == 0)
        return;
    grid_init(&grid,
              (const char *const[]){"DEVICE", "STATUS", ">TRIES", ">TIME", "RESULT", NULL});
    for (size_t i = 0; i < json_array_size(records); i++)
        print_record(&grid, json_array_get(records, i));
    grid_print(&grid, terminal);
    grid_deinit(&grid);
}

void outcome_line(const json_t *record, char *text, size_t size)
{
    const json_t *error = json_object_get(record, "error");
    char results[RESULTS_SIZE];

    payload_line(payload_of(record), results, sizeof(results));
    if (error)
        snprintf(text, size, "%s %s %s: %s", text_of(record, "deviceId"),
                 text_of(record, "status"), text_of(error, "code"),
                 text_of(error, "description"));
    else
        snprintf(text, size, "%s %s %s", text_of(record, "deviceId"), text_of(record, "status"),
                 results);
}
