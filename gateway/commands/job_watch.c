#include "commands/job_watch.h"
#include "base/clock.h"
#include "commands/commands.h"
#include "commands/outcomes.h"
#include "commands/progress.h"

#include <stdlib.h>
#include <string.h>

enum { REDRAW_MS = 250, REDRAW_LEAST_US = 50000, RETRY_MOST = 5 };

struct watch {
    const struct client *client;
    const struct options *options;
    const char *job_id;
    struct terminal terminal;
    struct progress progress;
    int64_t started_us, drawn_us;
    bool ready; /* the job itself was read, after the events began to come */
    int status; /* EXIT_DONE, or why the job could not be read */
};

static void draw(struct watch *watch, bool now)
{
    int64_t now_us = clock_boot_us();
    char line[PROGRESS_LINE_MOST];

    if (!watch->terminal.live || watch->options->json ||
        (!now && now_us - watch->drawn_us < REDRAW_LEAST_US))
        return;
    watch->drawn_us = now_us;
    watch->terminal = terminal_of(stdout); /* the window may have changed */
    progress_line(&watch->progress, &watch->terminal, (now_us - watch->started_us) / 1000000,
                  line);
    fprintf(watch->terminal.to, "\r%s\033[K", line);
    fflush(watch->terminal.to);
}

static void erase(const struct watch *watch)
{
    if (!watch->terminal.live || watch->options->json)
        return;
    fputs("\r\033[K", watch->terminal.to);
    fflush(watch->terminal.to);
}

static bool read_job(struct watch *watch)
{
    char path[128];
    json_t *job = NULL;

    snprintf(path, sizeof(path), "/jobs/v2/%.64s", watch->job_id);
    watch->status = fetch(watch->client, watch->options, "GET", path, NULL, &job);
    progress_read(&watch->progress, job);
    json_decref(job);
    watch->ready = true;
    return watch->status == EXIT_DONE;
}

static void take_outcome(struct watch *watch, const json_t *record)
{
    char line[1024];

    progress_count(&watch->progress, json_object_get(record, "error") != NULL);
    if (watch->terminal.live || watch->options->json)
        return;
    outcome_line(record, line, sizeof(line));
    puts(line);
    fflush(stdout);
}

static bool on_event(void *ctx, const char *name, const char *text)
{
    struct watch *watch = ctx;
    json_t *json;

    if (!name) {
        if (!watch->ready && !read_job(watch))
            return false;
        draw(watch, true);
        return !progress_is_over(&watch->progress);
    }
    json = json_loads(text, 0, NULL);
    if (strcmp(name, "share") == 0)
        progress_read(&watch->progress, json);
    else if (strcmp(name, "outcome") == 0)
        take_outcome(watch, json);
    json_decref(json);
    draw(watch, false);
    return !progress_is_over(&watch->progress);
}

/* A reader that was too slow is dropped by the gateway, and comes again. */
static int follow(struct watch *watch)
{
    char path[128];
    int r = COMMAND_E_BROKEN;

    snprintf(path, sizeof(path), "/events?jobId=%.64s", watch->job_id);
    for (int i = 0; i < RETRY_MOST && r == COMMAND_E_BROKEN; i++) {
        watch->ready = false;
        r = client_watch(watch->client, path, REDRAW_MS, on_event, watch);
    }
    erase(watch);
    return r == 0 ? watch->status : client_complain(watch->client, watch->options, r);
}

static void print_sum(const json_t *job, const struct terminal *terminal)
{
    struct progress progress = {0};
    char text[200];
    enum tone tone;

    progress_read(&progress, job);
    progress_summary(&progress, seconds_between(job, "startTime", "endTime"), text,
                     sizeof(text));
    if (progress_is_over(&progress))
        tone = progress.failed > 0 || strcmp(progress.status, "completed") != 0 ? TONE_BAD
                                                                                : TONE_GOOD;
    else
        tone = TONE_DIM;
    fprintf(terminal->to, "%s%s%s\n", terminal_tone(terminal, tone), text,
            terminal_end(terminal));
}

static void print_head(const json_t *job, const struct terminal *terminal)
{
    const char *condition = json_string_value(json_object_get(job, "queryCondition"));
    const json_t *method = json_object_get(job, "cloudToDeviceMethod");
    const char *name = json_string_value(json_object_get(method, "methodName"));
    const char *message = json_string_value(json_object_get(job, "statusMessage"));
    const char *status = json_string_value(json_object_get(job, "status"));

    fprintf(terminal->to, "%s%s%s  %s  %s%s%s\n", terminal_tone(terminal, TONE_HEAD),
            json_string_value(json_object_get(job, "jobId")), terminal_end(terminal),
            name ? name : json_string_value(json_object_get(job, "type")),
            terminal_tone(terminal, TONE_DIM), condition ? condition : "",
            terminal_end(terminal));
    if (message && status && strcmp(status, "completed") != 0)
        fprintf(terminal->to, "%s\n", message);
}

static int exit_status(const json_t *job)
{
    struct progress progress = {0};

    progress_read(&progress, job);
    if (!progress_is_over(&progress))
        return EXIT_DONE;
    return progress.failed == 0 && strcmp(progress.status, "completed") == 0 ? EXIT_DONE
                                                                             : EXIT_FAILED;
}

int job_show(const struct client *client, const struct options *options, const char *job_id)
{
    struct terminal terminal = terminal_of(stdout);
    json_t *job = NULL, *records = NULL;
    char path[128];
    int status;

    snprintf(path, sizeof(path), "/jobs/v2/%.64s", job_id);
    status = fetch(client, options, "GET", path, NULL, &job);
    if (status == EXIT_DONE)
        status = outcomes_fetch(client, options, job_id, &records);
    if (status == EXIT_DONE) {
        status = exit_status(job);
        if (options->json) {
            print_json(json_pack("{s:O,s:O}", "job", job, "outcomes", records));
        } else {
            print_head(job, &terminal);
            outcomes_print(records, &terminal);
            print_sum(job, &terminal);
        }
    }
    json_decref(records);
    json_decref(job);
    return status;
}

int job_watch(const struct client *client, const struct options *options, const char *job_id)
{
    struct watch watch = {.client = client,
                          .options = options,
                          .job_id = job_id,
                          .terminal = terminal_of(stdout),
                          .started_us = clock_boot_us()};
    int status = follow(&watch);

    return status == EXIT_DONE ? job_show(client, options, job_id) : status;
}
