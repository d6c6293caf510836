#include "base/clock.h"
#include "commands/commands.h"
#include "commands/fetch.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_MS = 100, PATIENCE_MS = 20000 };

static const char help[] =
    "Usage: jobgate reload\n"
    "\n"
    "The running gateway reads its site again. With a problem in it nothing changes, and each\n"
    "problem is printed. Else the new site is taken over once the tasks that have begun on "
    "the\n"
    "devices it removes, moves or gives another profile have ended; everything else goes on\n"
    "meanwhile. Waits for that, for 20 s at most.\n"
    "\n"
    "  --config FILE   the site, to find its socket (/etc/jobgate/jobgate.conf)\n"
    "  --socket PATH   the gateway's socket (/run/jobgate/jobgate.sock)\n"
    "  --json          print the answer as JSON\n"
    "\n"
    "Exit status: 0 the new site runs, or will; 2 it has problems; 3 no gateway.\n"
    "\n"
    "Example:\n"
    "  sudoedit /etc/jobgate/jobgate.conf && jobgate check && jobgate reload\n";

static void print_problems(const json_t *problems)
{
    json_t *problem;
    size_t i;

    json_array_foreach(problems, i, problem)
    {
        const char *file = "", *text = "";
        int line = 0, warning = 0;

        json_unpack(problem, "{s:s, s:i, s:b, s:s}", "file", &file, "line", &line, "warning",
                    &warning, "text", &text);
        if (line > 0)
            fprintf(stderr, "%s:%d: %s%s\n", file, line, warning ? "warning: " : "", text);
        else
            fprintf(stderr, "%s: %s%s\n", file, warning ? "warning: " : "", text);
    }
}

struct wait {
    const struct client *client;
    const struct options *options;
    int64_t look_us, until_us; /* boot clock: when to look next, and to give up */
    bool pending, told;
    int status;
};

/* What has begun ends with an event; where none comes, time passes. */
static bool on_event(void *ctx, const char *name, const char *data)
{
    struct wait *wait = ctx;
    int64_t now_us = clock_boot_us();
    const char *names = "";
    json_t *status = NULL;
    int waits = 0;

    (void)name;
    (void)data;
    if (now_us < wait->look_us)
        return true;
    wait->look_us = now_us + LOOK_MS * INT64_C(1000);
    wait->status =
        fetch(wait->client, wait->options, "GET", "/jobgate/v1/status", NULL, &status);
    if (wait->status != EXIT_DONE)
        return false;
    json_unpack(status, "{s:{s:b, s:s}}", "site", "pending", &waits, "waitsFor", &names);
    wait->pending = waits;
    if (waits && *names && !wait->told)
        fprintf(stderr, "waits for what has begun on %s\n", names);
    wait->told |= *names != '\0';
    json_decref(status);
    return waits && now_us < wait->until_us;
}

/* Until it is taken over, or patience ends and it is still pending. */
static int wait_for(const struct client *client, const struct options *options, bool *pending)
{
    struct wait wait = {.client = client,
                        .options = options,
                        .until_us = clock_boot_us() + PATIENCE_MS * INT64_C(1000)};

    if (on_event(&wait, NULL, NULL)) {
        int r = client_watch(client, "/events", LOOK_MS, on_event, &wait);

        if (r != 0)
            return client_complain(client, options, r);
    }
    *pending = wait.pending;
    return wait.status;
}

static int tell(const struct client *client, const struct options *options, json_t *answer)
{
    bool taken = json_is_true(json_object_get(answer, "taken")), pending = false;
    int status = taken ? wait_for(client, options, &pending) : EXIT_WRONG;

    if (options->json) {
        json_object_set_new(answer, "pending", json_boolean(pending));
        print_json(json_incref(answer));
        return status;
    }
    print_problems(json_object_get(answer, "problems"));
    if (!taken)
        complain(options, "the site that runs stays as it is");
    else if (status == EXIT_DONE)
        puts(pending ? "the new site is taken over when that has ended" : "the new site runs");
    return status;
}

int command_reload(int argc, char **argv)
{
    struct options options;
    int status = options_read(&options, argc, argv, NULL, 0, 0, help);
    struct client_answer answer;
    struct client client;
    int r;

    if (status != OPTIONS_GO_ON)
        return status;
    r = client_init(&client, &options);
    if (r == 0)
        r = client_ask(&client, "POST", "/jobgate/v1/reload", NULL, NULL, &answer);
    if (r != 0)
        return client_complain(&client, &options, r);
    json_t *said = json_loads(answer.body, 0, NULL);
    if (json_is_boolean(json_object_get(said, "taken")))
        status = tell(&client, &options, said);
    else
        status = client_refused(&options, &answer);
    json_decref(said);
    client_answer_deinit(&answer);
    return status;
}
