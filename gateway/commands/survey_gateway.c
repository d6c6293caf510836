/* A survey through the gateway that runs. */
#include "base/clock.h"
#include "commands/commands.h"
#include "commands/fetch.h"
#include "commands/payload.h"
#include "commands/survey_ask.h"
#include "jobs/outcome.h"
#include "jobs/timetext.h"
#include "site/value.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CREW_MOST = 15 };

/* --- one device --- */

/* What the gateway itself refused, in the words of an outcome. */
static void take_refusal(struct survey *survey, size_t device,
                         const struct client_answer *answer)
{
    char text[200] = "the gateway refused to read it";
    const char *code = code_name(CODE_GATEWAY_TIMEOUT);
    json_t *payload;

    if (answer->status == 404) {
        code = code_name(CODE_UNKNOWN_DEVICE);
        snprintf(text, sizeof(text), "the running gateway does not have it: jobgate reload");
    } else if (answer->status == 429) {
        code = code_name(CODE_QUEUE_FULL);
    } else {
        snprintf(text, sizeof(text), "the gateway answered with HTTP %d", answer->status);
    }
    payload = json_pack("{s:{s:s, s:s}}", "error", "code", code, "description", text);
    survey_take(survey, device, 502, payload);
    json_decref(payload);
}

static int ask_once(struct survey *survey, size_t device, json_t *points,
                    const struct client *client)
{
    json_t *body = json_pack("{s:o}", "points", points);
    char *text = body ? json_text(body) : NULL;
    struct client_answer answer;
    char path[200];
    int r;

    json_decref(body);
    if (!text)
        return -ENOMEM;
    snprintf(path, sizeof(path), "/jobgate/v1/devices/%s/read",
             survey->site->devices[device].id);
    r = client_ask(client, "POST", path, text, NULL, &answer);
    free(text);
    if (r != 0)
        return r;
    if (answer.status == 200) {
        json_t *json = json_loads(answer.body, 0, NULL);

        survey_take(survey, device, (int)json_integer_value(json_object_get(json, "status")),
                    json_object_get(json, "payload"));
        json_decref(json);
    } else {
        take_refusal(survey, device, &answer);
    }
    client_answer_deinit(&answer);
    return 0;
}

/* --- what the gateway knows --- */

/* A file that was saved since is another site than the one that answered. */
static bool is_newer(const struct site *site, const char *loaded)
{
    int64_t loaded_ms;

    if (timetext_parse(&loaded_ms, loaded) != 0)
        return false;
    for (size_t i = 0; i < site->file_count; i++) {
        struct stat file;

        if (stat(site->files[i], &file) == 0 &&
            (int64_t)file.st_mtim.tv_sec * 1000 + file.st_mtim.tv_nsec / 1000000 > loaded_ms)
            return true;
    }
    return false;
}

static void take_line(struct survey *survey, const json_t *line)
{
    for (size_t i = 0; i < survey->site->line_count; i++) {
        const char *state = text_of(line, "state");

        if (strcmp(survey->site->lines[i].name, text_of(line, "name")) != 0)
            continue;
        survey->lines[i].known = strcmp(state, "opening") != 0;
        survey->lines[i].up = strcmp(state, "up") == 0;
        snprintf(survey->lines[i].why, sizeof(survey->lines[i].why), "%s",
                 text_of(line, "why"));
    }
}

static void take_status(struct survey *survey, const json_t *status)
{
    const json_t *lines = json_object_get(status, "lines");

    survey->through_gateway = true;
    survey->clock_trusted = json_is_true(json_object_get(status, "clockTrusted"));
    snprintf(survey->version, sizeof(survey->version), "%s", text_of(status, "version"));
    for (size_t i = 0; i < json_array_size(lines); i++)
        take_line(survey, json_array_get(lines, i));
    if (strcmp(text_of(status, "gateway"), survey->site->id) != 0)
        snprintf(survey->remark, sizeof(survey->remark),
                 "the gateway that answered is %.100s, not the one of this site",
                 text_of(status, "gateway"));
    else if (is_newer(survey->site, text_of(json_object_get(status, "site"), "loaded")))
        snprintf(survey->remark, sizeof(survey->remark),
                 "the site's files were saved after the gateway had read them: jobgate reload");
}

static void take_devices(struct survey *survey, const json_t *devices)
{
    for (size_t i = 0; i < json_array_size(devices); i++) {
        const json_t *device = json_array_get(devices, i);
        size_t index = site_device(survey->site, text_of(device, "deviceId"));

        if (index == SITE_NONE)
            continue;
        struct survey_device *found = &survey->devices[index];

        snprintf(found->state, sizeof(found->state), "%s",
                 text_of(json_object_get(device, "jobgate"), "state"));
        if (json_is_object(json_object_get(device, "tags"))) {
            json_decref(found->tags);
            found->tags = json_incref(json_object_get(device, "tags"));
        }
    }
}

/* How long the last exchange took that was answered. */
static void take_frames(struct survey *survey, const json_t *frames)
{
    for (size_t i = 0; i < survey->site->device_count; i++) {
        const json_t *list = json_object_get(frames, survey->site->devices[i].id);

        for (size_t n = json_array_size(list); n > 0 && survey->devices[i].answer_ms < 0; n--) {
            const json_t *one = json_array_get(list, n - 1);

            if (*text_of(one, "reply") && survey->devices[i].answered)
                survey->devices[i].answer_ms = json_number_value(json_object_get(one, "ms"));
        }
    }
}

/* --- all of them --- */

static int fetch_into(struct survey *survey, const struct client *client,
                      const struct options *options, const char *path,
                      void (*take)(struct survey *survey, const json_t *json))
{
    json_t *json = NULL;
    int status = fetch(client, options, "GET", path, NULL, &json);

    if (status == EXIT_DONE)
        take(survey, json);
    json_decref(json);
    return status;
}

/* Lines are independent, and an answer takes as long as its line: so several are asked at once,
   each by one that takes the next line that nobody has. A device belongs to who has its line.
 */
struct crew {
    struct survey *survey;
    const struct client *client;
    const struct survey_watch *watch;
    pthread_mutex_t lock; /* guards the two below, and who is told by `watch` */
    size_t next_line;
    int error; /* of client_ask(): no more is asked */
};

static int ask_device(struct crew *crew, size_t device)
{
    json_t *points;
    int r = 0;

    while (r == 0 && (points = survey_next(crew->survey, device)))
        r = ask_once(crew->survey, device, points, crew->client);
    pthread_mutex_lock(&crew->lock);
    if (r == 0)
        crew->watch->done(crew->watch->ctx, device);
    else if (crew->error == 0)
        crew->error = r;
    r = crew->error;
    pthread_mutex_unlock(&crew->lock);
    return r;
}

static bool take_next_line(struct crew *crew, size_t *line)
{
    pthread_mutex_lock(&crew->lock);
    bool more = crew->error == 0 && crew->next_line < crew->survey->site->line_count;

    if (more)
        *line = crew->next_line++;
    pthread_mutex_unlock(&crew->lock);
    return more;
}

static void *ask_lines(void *ctx)
{
    struct crew *crew = ctx;
    const struct site *site = crew->survey->site;
    size_t line;

    while (take_next_line(crew, &line))
        for (size_t i = 0; i < site->device_count; i++)
            if (site->devices[i].line == line && ask_device(crew, i) != 0)
                return NULL;
    return NULL;
}

/* One less than lines, as this thread helps; where there is no thread to be had it does all. */
static int ask_all(struct survey *survey, const struct client *client,
                   const struct survey_watch *watch)
{
    struct crew crew = {.survey = survey, .client = client, .watch = watch};
    pthread_t threads[CREW_MOST];
    size_t count = 0;

    pthread_mutex_init(&crew.lock, NULL);
    while (count < CREW_MOST && count + 1 < survey->site->line_count &&
           pthread_create(&threads[count], NULL, ask_lines, &crew) == 0)
        count++;
    ask_lines(&crew);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&crew.lock);
    return crew.error;
}

int survey_through_gateway(struct survey *survey, const struct client *client,
                           const struct options *options, const struct survey_watch *watch)
{
    int status, r = ask_all(survey, client, watch);

    if (r != 0)
        return client_complain(client, options, r);
    status = fetch_into(survey, client, options, "/jobgate/v1/status", take_status);
    if (status == EXIT_DONE)
        status = fetch_into(survey, client, options, "/devices", take_devices);
    if (status == EXIT_DONE)
        status = fetch_into(survey, client, options, "/jobgate/v1/frames", take_frames);
    return status;
}
