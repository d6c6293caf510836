#include "commands/plan.h"

#include "base/text.h"
#include "commands/options.h"
#include "jobs/request.h"
#include "lines/plan_show.h"
#include "site/problems.h"
#include "site/value.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status { DONE = 0, REFUSED = 1, USAGE = 2 };

enum { PROFILE_DIRS_MAX = 16 };

enum option_code { CONFIG = 1, PROFILES, PATCH, JSON, HELP };

static const struct option options[] = {
    {"config", required_argument, NULL, CONFIG},
    {"profiles", required_argument, NULL, PROFILES},
    {"patch", required_argument, NULL, PATCH},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, HELP},
    {0},
};

static const char help[] =
    "Usage: jobgate plan [OPTION...] DEVICE METHOD [ARGS]\n"
    "       jobgate plan [OPTION...] DEVICE --patch JSON\n"
    "Shows the frames that a method call or a twin patch would send to a device, as a bus\n"
    "monitor shows them, and the least time that they take on the wire. Sends nothing.\n"
    "ARGS is JSON; what does not parse as JSON is a text.\n"
    "\n"
    "  --config FILE    the site (/etc/jobgate/jobgate.conf)\n"
    "  --profiles DIR   one more folder of profiles; may be given again\n"
    "  --patch JSON     desired properties instead of a method\n"
    "  --json           the plan as JSON\n"
    "  --help           this text\n"
    "\n"
    "Example: what would setting a room to 21.5 degrees send?\n"
    "  jobgate plan floor3-room-07 setComfort '{\"setpoint\":21.5}'\n";

/* What the command line asked for. */
struct wish {
    const char *config;
    const char *profile_dirs[PROFILE_DIRS_MAX + 1];
    size_t profile_dir_count;
    const char *device, *method, *arguments, *patch;
    bool json, help;
};

static bool say_wrong(const char *text)
{
    fprintf(stderr, "jobgate plan: %s\n", text);
    return false;
}

static bool read_operands(struct wish *wish, int count, char **operands)
{
    int most = wish->patch ? 1 : 3;

    if (count < (wish->patch ? 1 : 2))
        return say_wrong(wish->patch ? "name a device"
                                     : "name a device and a method; see --help");
    if (count > most)
        return say_wrong("too many words; put the arguments in one pair of quotes");
    wish->device = operands[0];
    wish->method = count > 1 ? operands[1] : NULL;
    wish->arguments = count > 2 ? operands[2] : NULL;
    return true;
}

static bool read_options(struct wish *wish, int argc, char **argv)
{
    int code;

    options_keep_numbers(argc, argv);
    optind = 0; /* from the start, also when this is not the first command of the process */
    while ((code = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (code) {
        case CONFIG:
            wish->config = optarg;
            break;
        case PROFILES:
            if (wish->profile_dir_count == PROFILE_DIRS_MAX)
                return say_wrong("--profiles: at most 16 folders");
            wish->profile_dirs[wish->profile_dir_count++] = optarg;
            break;
        case PATCH:
            wish->patch = optarg;
            break;
        case JSON:
            wish->json = true;
            break;
        case HELP:
        case 'h':
            wish->help = true;
            return true;
        default:
            return say_wrong("see --help");
        }
    }
    return read_operands(wish, argc - optind, argv + optind);
}

/* JSON if it parses, else text; but what begins like an object or list was meant to be one. */
static bool read_arguments(const char *text, bool must_parse, json_t **ret)
{
    struct refusal refusal = {.text = "no memory"};

    if (request_read_json(ret, text, strlen(text), &refusal) == 0)
        return true;
    if (!must_parse && text[0] != '{' && text[0] != '[') {
        *ret = json_string(text);
        if (*ret)
            return true;
    }
    return say_wrong(refusal.text);
}

static int print_json(json_t *json)
{
    char *text = json ? json_text(json) : NULL;

    if (text)
        puts(text);
    free(text);
    json_decref(json);
    return text ? DONE : REFUSED;
}

static int refuse(const struct wish *wish, const char *code, const char *text)
{
    if (wish->json)
        print_json(json_pack("{s:{s:s, s:s}}", "error", "code", code, "description", text));
    else
        fprintf(stderr, "jobgate plan: %s: %s\n", code, text);
    return REFUSED;
}

static int show(const struct wish *wish, const struct plan_view *view)
{
    int status = DONE;

    if (wish->json)
        status = print_json(plan_show_json(view));
    else
        plan_show(view, stdout);
    return view->plan->refusal_count > 0 ? REFUSED : status;
}

static int plan_for(const struct wish *wish, const struct site *site,
                    const struct action *action)
{
    size_t device = site_device(site, wish->device);
    struct plan_error error = {0};
    struct plan *plan;
    char text[200];

    if (device == SITE_NONE) {
        snprintf(text, sizeof(text), "%.100s is no device of %.80s", wish->device, site->file);
        text_clip(text);
        refuse(wish, "UnknownDevice", text);
        return USAGE; /* as where a device is asked for */
    }
    int r = plan_new(&plan, site, site->devices[device].profile, action, &error);
    if (r == PLAN_E_REFUSED)
        return refuse(wish, error.code, error.text);
    if (r < 0)
        return refuse(wish, "OutOfMemory", strerror(-r));
    struct plan_view view = {site, &site->devices[device], plan};
    int status = show(wish, &view);
    plan_free(plan);
    return status;
}

static int load_and_plan(const struct wish *wish, const struct action *action)
{
    struct site_source source = {.config = wish->config, .profile_dirs = wish->profile_dirs};
    struct problems problems = {0};
    struct site *site;

    int r = site_load(&site, &source, &problems);
    if (r != 0)
        problems_print(&problems, stderr);
    problems_deinit(&problems);
    if (r < 0)
        say_wrong(strerror(-r));
    if (r != 0)
        return USAGE;
    int status = plan_for(wish, site, action);
    site_free(site);
    return status;
}

int command_plan(int argc, char **argv)
{
    struct wish wish = {0};

    if (!read_options(&wish, argc, argv))
        return USAGE;
    if (wish.help) {
        fputs(help, stdout);
        return DONE;
    }
    struct action action = {.kind = wish.patch ? ACTION_PATCH : ACTION_METHOD};
    const char *text = wish.patch ? wish.patch : wish.arguments;
    if (text && !read_arguments(text, wish.patch != NULL, &action.arguments))
        return USAGE;
    action.method = wish.method ? strdup(wish.method) : NULL;
    int status = load_and_plan(&wish, &action);
    action_deinit(&action);
    return status;
}
