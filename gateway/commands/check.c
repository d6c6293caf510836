#include "commands/check_show.h"
#include "commands/commands.h"
#include "links/links_check.h"
#include "site/value.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status { DONE = 0, WRONG = 2 };

enum { PROFILE_DIRS_MOST = 16 };

enum option_code { CONFIG = 1, PROFILES, JSON, HELP };

static const struct option options[] = {
    {"config", required_argument, NULL, CONFIG},
    {"profiles", required_argument, NULL, PROFILES},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, HELP},
    {0},
};

static const char help[] =
    "Usage: jobgate check [OPTION...]\n"
    "Is this site right? Prints every problem as FILE:LINE: what is wrong; what would be "
    "right.\n"
    "Of a site without problems it prints the lines, the devices and the register map of each\n"
    "profile. Opens no line and changes nothing.\n"
    "\n"
    "  --config FILE    the site (/etc/jobgate/jobgate.conf); its own profiles stand in\n"
    "                   profiles.d beside it\n"
    "  --profiles DIR   one more folder of profiles; may be given again\n"
    "  --json           the same as JSON\n"
    "  --help           this text\n"
    "\n"
    "Exit status: 0 the site is right (warnings do not count), 2 it has problems.\n"
    "\n"
    "Example: look at a site before it is installed\n"
    "  jobgate check --config ./jobgate.conf --profiles ./profiles\n";

struct wish {
    const char *config;
    const char *profile_dirs[PROFILE_DIRS_MOST + 1];
    size_t profile_dir_count;
    bool json, help;
};

static bool complain(const char *text)
{
    fprintf(stderr, "jobgate check: %s\n", text);
    return false;
}

static bool read_options(struct wish *wish, int argc, char **argv)
{
    int code;

    optind = 0; /* from the start, also when this is not the first command of the process */
    while ((code = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (code) {
        case CONFIG:
            wish->config = optarg;
            break;
        case PROFILES:
            if (wish->profile_dir_count == PROFILE_DIRS_MOST)
                return complain("--profiles: at most 16 folders");
            wish->profile_dirs[wish->profile_dir_count++] = optarg;
            break;
        case JSON:
            wish->json = true;
            break;
        case HELP:
        case 'h':
            wish->help = true;
            return true;
        default:
            return complain("see --help");
        }
    }
    return optind == argc || complain("no more words are understood; see --help");
}

static bool wants_colour(void)
{
    const char *refused = getenv("NO_COLOR"), *kind = getenv("TERM");

    return isatty(STDOUT_FILENO) && !(refused && *refused) && kind && strcmp(kind, "dumb") != 0;
}

static void show_json(const struct site *site, struct problems *problems)
{
    json_t *json;
    char *text;

    problems_sort(problems);
    json = check_show_json(site, problems);
    text = json ? json_text(json) : NULL;
    puts(text ? text : "null");
    free(text);
    json_decref(json);
}

int command_check(int argc, char **argv)
{
    struct wish wish = {.config = NULL};
    struct problems problems = {0};
    struct site *site = NULL;
    int r;

    if (!read_options(&wish, argc, argv))
        return WRONG;
    if (wish.help) {
        fputs(help, stdout);
        return DONE;
    }
    r = site_load(
        &site, &(struct site_source){.config = wish.config, .profile_dirs = wish.profile_dirs},
        &problems);
    if (r < 0)
        complain(strerror(-r));
    if (r == 0)
        links_check(site, &problems);
    if (r == 0 && problems.errors > 0) {
        site_free(site);
        site = NULL;
        r = SITE_E_PROBLEMS;
    }
    if (wish.json)
        show_json(site, &problems);
    else
        problems_print(&problems, stderr);
    if (r == 0 && !wish.json)
        check_show(site, stdout, wants_colour());
    problems_deinit(&problems);
    site_free(site);
    return r == 0 ? DONE : WRONG;
}
