/* A survey on the lines themselves: the command is a gateway for a moment, with all lines open
   and no links. */
#include "base/trust.h"
#include "commands/survey_ask.h"
#include "gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A person waits at the prompt and ends it with Ctrl-C: a call's own time must not. With
   several calls at a line the others go on while one waits between its tries. */
enum { CALL_S = 3600, AT_A_LINE = 4 };

struct tour {
    struct survey *survey;
    const struct survey_watch *watch;
    struct gateway *gateway;
    size_t *cursors;   /* by line: the device to look at next */
    unsigned *waiting; /* by line: devices that are asked */
    size_t left;       /* devices that are not done */
    bool giving, failed;
};

static struct request *request_of(const struct tour *tour, size_t device, json_t *points)
{
    struct request *request = request_new(REQUEST_CALL, LINK_COMMAND);

    if (!request) {
        json_decref(points);
        return NULL;
    }
    request->origin.ticket = device + 1;
    request->timeout_s = CALL_S;
    request->action.kind = ACTION_READ;
    request->action.arguments = points;
    request->device_id = strdup(tour->survey->site->devices[device].id);
    if (request->device_id)
        return request;
    request_free(request);
    return NULL;
}

/* False: there is nothing more to ask of it. */
static bool ask(struct tour *tour, size_t device)
{
    json_t *points = survey_next(tour->survey, device);
    struct request *request;

    if (!points) {
        tour->left--;
        tour->watch->done(tour->watch->ctx, device);
        return false;
    }
    request = request_of(tour, device, points);
    tour->failed = tour->failed || !request;
    if (request)
        gateway_request(tour->gateway, request);
    return request != NULL;
}

static void fill_line(struct tour *tour, size_t line)
{
    const struct site *site = tour->survey->site;
    size_t *at = &tour->cursors[line];

    while (tour->waiting[line] < AT_A_LINE && *at < site->device_count) {
        size_t device = (*at)++;

        if (site->devices[device].line != line)
            continue;
        tour->waiting[line]++;
        if (!ask(tour, device))
            tour->waiting[line]--;
    }
}

/* An answer may come from within the asking, where a line is down: then it only makes room. */
static void fill(struct tour *tour)
{
    size_t before;

    if (tour->giving)
        return;
    tour->giving = true;
    do {
        before = tour->left;
        for (size_t line = 0; line < tour->survey->site->line_count; line++)
            fill_line(tour, line);
    } while (tour->left < before);
    tour->giving = false;
    if ((tour->left == 0 || tour->failed) && tour->gateway)
        gateway_stop(tour->gateway);
}

static void on_report(void *ctx, const struct report *report)
{
    struct tour *tour = ctx;
    json_t *payload;

    if (report->kind != REPORT_ANSWER || report->origin.ticket == 0)
        return;
    size_t device = report->origin.ticket - 1;

    payload = json_loads(report->body, JSON_DECODE_ANY, NULL);
    survey_take(tour->survey, device, report->status, payload);
    json_decref(payload);
    if (!ask(tour, device))
        tour->waiting[tour->survey->site->devices[device].line]--;
    fill(tour);
}

static void on_line_state(void *ctx, size_t line, bool up, const char *why)
{
    struct tour *tour = ctx;
    struct survey_line *state = &tour->survey->lines[line];

    state->known = true;
    state->up = up;
    snprintf(state->why, sizeof(state->why), "%s", up ? "" : why);
}

static void on_answer(void *ctx, size_t device, const struct answer *answer)
{
    struct tour *tour = ctx;

    if (answer->result == ANSWER_DONE || answer->result == ANSWER_EXCEPTION)
        tour->survey->devices[device].answer_ms =
            (double)(answer->ended_us - answer->started_us) / 1000;
}

static void judge(struct survey *survey)
{
    const char *doubt = survey->site->clock_trust ? NULL : clock_doubt();

    for (size_t i = 0; i < survey->site->device_count; i++) {
        struct survey_device *device = &survey->devices[i];

        if (device->answered || device->error.code)
            snprintf(device->state, sizeof(device->state), "%s",
                     device->answered ? "online" : "offline");
    }
    survey->clock_trusted = !doubt;
    snprintf(survey->clock_doubt, sizeof(survey->clock_doubt), "%s", doubt ? doubt : "");
    snprintf(survey->version, sizeof(survey->version), "%s", JOBGATE_VERSION);
}

static int travel(struct tour *tour, char *why, size_t size)
{
    struct gateway_settings settings = {.site = tour->survey->site,
                                        .only_line = SITE_NONE,
                                        .report = on_report,
                                        .line_state = on_line_state,
                                        .answer = on_answer,
                                        .ctx = tour};
    int r = gateway_open(&tour->gateway, &settings, why, size);

    if (r < 0)
        return r;
    fill(tour);
    if (tour->left > 0 && !tour->failed)
        gateway_run(tour->gateway);
    gateway_close(tour->gateway);
    if (!tour->failed && tour->left == 0)
        return 0;
    snprintf(why, size, tour->failed ? "no memory" : "it was ended");
    return tour->failed ? -ENOMEM : -EINTR;
}

int survey_on_lines(struct survey *survey, const struct survey_watch *watch, char *why,
                    size_t size)
{
    const struct site *site = survey->site;
    struct tour tour = {.survey = survey, .watch = watch, .left = site->device_count};
    int r = -ENOMEM;

    tour.cursors = calloc(site->line_count + 1, sizeof(*tour.cursors));
    tour.waiting = calloc(site->line_count + 1, sizeof(*tour.waiting));
    snprintf(why, size, "no memory");
    if (tour.cursors && tour.waiting)
        r = travel(&tour, why, size);
    free(tour.cursors);
    free(tour.waiting);
    if (r == 0)
        judge(survey);
    return r;
}
