#include "base/clock.h"
#include "commands/client.h"
#include "commands/commands.h"
#include "commands/fetch.h"
#include "commands/grid.h"
#include "commands/job_watch.h"
#include "commands/payload.h"
#include "jobs/request.h"
#include "site/names.h"
#include "site/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char help[] =
    "Usage: jobgate job submit FILE|- [--id ID] [--watch]\n"
    "       jobgate job list [--status STATUS] [--type TYPE]\n"
    "       jobgate job show|cancel|watch ID\n"
    "\n"
    "Jobs: one request over the devices that a condition selects.\n"
    "\n"
    "  submit FILE|-   hand in a job document; its jobId, or --id, or one that is made\n"
    "  list            the jobs that the gateway knows, newest first\n"
    "  show ID         a job and its outcomes\n"
    "  cancel ID       stop a job; what runs ends at its next step\n"
    "  watch ID        follow a job to its end, then show it\n"
    "\n"
    "  --id ID         submit: the job's id\n"
    "  --watch         submit: follow the job to its end\n"
    "  --status STATUS list: queued, scheduled, running, completed, failed, cancelled\n"
    "  --type TYPE     list: scheduleDeviceMethod, scheduleUpdateTwin\n"
    "  --config FILE   the site (/etc/jobgate/jobgate.conf)\n"
    "  --socket PATH   the gateway's socket (/run/jobgate/jobgate.sock)\n"
    "  --json          print JSON\n"
    "\n"
    "Example:\n"
    "  jobgate job submit --watch - <<'EOF'\n"
    "  {\"type\": \"scheduleDeviceMethod\", \"cloudToDeviceMethod\": {\"methodName\": "
    "\"reboot\"},\n"
    "   \"queryCondition\": \"tags.building = 43 AND tags.floor = 3\"}\n"
    "  EOF\n";

struct job_options {
    const char *id, *status, *type;
    bool watch;
};

struct job_call {
    struct client client;
    struct options options;
    struct job_options job;
};

enum { DOCUMENT_MOST = 128 * 1024, JOB_ID_SIZE = 80 /* one that is too long shows so */ };

/* A file or standard input, whole; NULL and it is said on stderr. */
static char *read_whole(const struct options *options, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *text = calloc(1, DOCUMENT_MOST + 2);
    size_t size;

    if (!file || !text) {
        complain(options, "cannot read %s: %m", path);
        free(text);
        if (file && file != stdin)
            fclose(file);
        return NULL;
    }
    size = fread(text, 1, DOCUMENT_MOST + 1, file);
    if (ferror(file) || size > DOCUMENT_MOST) {
        complain(options, "%s %s", path,
                 size > DOCUMENT_MOST ? "is larger than 128 KB" : "cannot be read");
        free(text);
        text = NULL;
    }
    if (file != stdin)
        fclose(file);
    return text;
}

static json_t *read_document(const struct options *options, const char *path)
{
    char *text = read_whole(options, path);
    struct refusal refusal;
    json_t *document;
    int r;

    if (!text)
        return NULL;
    r = request_read_json(&document, text, strlen(text), &refusal);
    free(text);
    if (r == 0 && json_is_object(document))
        return document;
    if (r == 0)
        json_decref(document);
    complain(options, "%s: %s", path,
             r == REQUEST_E_REFUSED ? refusal.text : "a job is an object");
    return NULL;
}

/* Unique among all jobs that one will ever see, and short enough to be typed. */
static void make_id(char id[JOB_ID_SIZE])
{
    uint64_t number;

    if (getrandom(&number, sizeof(number), 0) < 0)
        number = (uint64_t)clock_wall_ms();
    snprintf(id, JOB_ID_SIZE, "job-%012" PRIx64, number & UINT64_C(0xFFFFFFFFFFFF));
}

static int put(struct job_call *call, json_t *document, const char *id)
{
    json_t *answer = NULL;
    char path[128];
    char *text;
    int status;

    json_object_set_new(document, "jobId", json_string(id));
    text = json_text(document);
    if (!text)
        return EXIT_UNREACHABLE;
    snprintf(path, sizeof(path), "/jobs/v2/%.64s", id);
    status = fetch(&call->client, &call->options, "PUT", path, text, &answer);
    free(text);
    if (status == EXIT_DONE && call->job.watch) {
        if (!call->options.json)
            printf("job %s\n", id);
        status = job_watch(&call->client, &call->options, id);
    } else if (status == EXIT_DONE && call->options.json) {
        print_json(json_incref(answer));
    } else if (status == EXIT_DONE) {
        printf("%s\n", id);
    }
    json_decref(answer);
    return status;
}

static int submit(struct job_call *call, const char *path)
{
    json_t *document = read_document(&call->options, path);
    const char *id;
    char made[JOB_ID_SIZE];
    int status;

    if (!document)
        return EXIT_WRONG;
    id = call->job.id ? call->job.id : json_string_value(json_object_get(document, "jobId"));
    if (!id && json_object_get(document, "jobId")) {
        complain(&call->options, "%s: jobId is no text; write it in quotes", path);
        json_decref(document);
        return EXIT_WRONG;
    }
    if (!id)
        make_id(made);
    else
        snprintf(made, sizeof(made), "%s", id);
    if (id_is_short(made)) {
        status = put(call, document, made);
    } else {
        complain(&call->options, "\"%s\" is no job id: 1 to 64 of A-Z a-z 0-9 . _ : -", made);
        status = EXIT_WRONG;
    }
    json_decref(document);
    return status;
}

static enum tone tone_of_job(const char *status)
{
    if (strcmp(status, "completed") == 0)
        return TONE_GOOD;
    if (strcmp(status, "failed") == 0)
        return TONE_BAD;
    return strcmp(status, "running") == 0 ? TONE_PLAIN : TONE_DIM;
}

static void print_list(const json_t *jobs)
{
    struct terminal terminal = terminal_of(stdout);
    struct grid grid;

    grid_init(&grid, (const char *const[]){"JOB", "STATUS", ">DEVICES", ">FAILED", "WHAT",
                                           "CONDITION", NULL});
    for (size_t i = 0; i < json_array_size(jobs); i++) {
        const json_t *job = json_array_get(jobs, i);
        const json_t *statistics = json_object_get(job, "deviceJobStatistics");
        const char *method = text_of(json_object_get(job, "cloudToDeviceMethod"), "methodName");
        int failed = (int)json_integer_value(json_object_get(statistics, "failedCount"));

        grid_row(&grid);
        grid_cell(&grid, 0, TONE_PLAIN, "%s", text_of(job, "jobId"));
        grid_cell(&grid, 1, tone_of_job(text_of(job, "status")), "%s", text_of(job, "status"));
        grid_cell(&grid, 2, TONE_PLAIN, "%d",
                  (int)json_integer_value(json_object_get(statistics, "deviceCount")));
        grid_cell(&grid, 3, failed ? TONE_BAD : TONE_DIM, "%d", failed);
        grid_cell(&grid, 4, TONE_PLAIN, "%s", *method ? method : text_of(job, "type"));
        grid_cell(&grid, 5, TONE_DIM, "%s", text_of(job, "queryCondition"));
    }
    grid_print(&grid, &terminal);
    grid_deinit(&grid);
}

/* What goes into a query is a word: letters only, so nothing needs escaping. */
static bool is_word(const char *text)
{
    return !text ||
           text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

static int list(struct job_call *call)
{
    const struct job_options *job = &call->job;
    json_t *jobs = NULL;
    char path[200];
    int status;

    if (!is_word(job->status) || !is_word(job->type)) {
        complain(&call->options, "--status and --type are single words");
        return EXIT_WRONG;
    }
    snprintf(path, sizeof(path), "/jobs/v2/query?jobStatus=%.40s&jobType=%.40s",
             job->status ? job->status : "", job->type ? job->type : "");
    status = fetch_list(&call->client, &call->options, "GET", path, NULL, &jobs);
    if (status == EXIT_DONE && call->options.json)
        print_json(json_incref(jobs));
    else if (status == EXIT_DONE)
        print_list(jobs);
    json_decref(jobs);
    return status;
}

static int cancel(struct job_call *call, const char *id)
{
    json_t *answer = NULL;
    char path[128];
    int status;

    snprintf(path, sizeof(path), "/jobs/v2/%.64s/cancel", id);
    status = fetch(&call->client, &call->options, "POST", path, NULL, &answer);
    if (status == EXIT_DONE && call->options.json)
        print_json(json_incref(answer));
    else if (status == EXIT_DONE)
        printf("%s %s\n", id, text_of(answer, "status"));
    json_decref(answer);
    return status;
}

static int on_id(struct job_call *call, const char *verb, const char *id)
{
    if (!id_is_short(id)) {
        complain(&call->options, "\"%s\" is no job id", id);
        return EXIT_WRONG;
    }
    if (strcmp(verb, "show") == 0) {
        int status = job_show(&call->client, &call->options, id);

        return status == EXIT_FAILED ? EXIT_DONE : status; /* it was shown: that was asked */
    }
    if (strcmp(verb, "cancel") == 0)
        return cancel(call, id);
    return job_watch(&call->client, &call->options, id);
}

static bool is_verb(const struct options *options, const char *verb)
{
    static const char *const verbs[] = {"submit", "list", "show", "cancel", "watch"};
    struct names names = {.count = 0};
    char advice[80];

    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
        if (strcmp(verbs[i], verb) == 0)
            return true;
        names_add(&names, verbs[i]);
    }
    complain(options, "\"%.40s\" is not understood; %s", verb,
             names_advice(&names, verb, advice, sizeof(advice)));
    return false;
}

int command_job(int argc, char **argv)
{
    struct job_call call = {0};
    const struct option_spec more[] = {{"id", &call.job.id, NULL},
                                       {"status", &call.job.status, NULL},
                                       {"type", &call.job.type, NULL},
                                       {"watch", NULL, &call.job.watch},
                                       {NULL, NULL, NULL}};
    int status = options_read(&call.options, argc, argv, more, 1, 2, help);
    const char *verb;
    int r;

    if (status != OPTIONS_GO_ON)
        return status;
    verb = call.options.names[0];
    if (!is_verb(&call.options, verb))
        return EXIT_WRONG;
    if ((strcmp(verb, "list") == 0) != (call.options.count == 1)) {
        if (call.options.count > 1)
            complain(&call.options, "\"%.40s\" is too much; write jobgate job list",
                     call.options.names[1]);
        else
            complain(&call.options, "something is missing; write jobgate job %s %s", verb,
                     strcmp(verb, "submit") == 0 ? "FILE, or - for standard input" : "ID");
        return EXIT_WRONG;
    }
    r = client_init(&call.client, &call.options);
    if (r != 0)
        return client_complain(&call.client, &call.options, r);
    if (strcmp(verb, "list") == 0)
        return list(&call);
    if (strcmp(verb, "submit") == 0)
        return submit(&call, call.options.names[1]);
    return on_id(&call, verb, call.options.names[1]);
}
