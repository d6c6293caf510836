/* jobgate run: the gateway itself. */
#include "base/log.h"
#include "commands/commands.h"
#include "gateway.h"
#include "links/links_check.h"
#include "site/problems.h"

#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { PROFILE_DIRS_MOST = 16 };

struct run_options {
    struct site_source source;
    const char *profile_dirs[PROFILE_DIRS_MOST + 1];
    const char *socket, *state;
    bool debug;
};

static const char help[] =
    "Usage: jobgate run [--config FILE] [--profiles DIR]... [--lines DIR] [--socket PATH] "
    "[--state DIR] [--debug]\n"
    "\n"
    "The gateway: takes jobs, calls and twin patches, writes them to the devices of the site\n"
    "and reports what became of every single one. systemd starts it as jobgate.service.\n"
    "\n"
    "  --config FILE     the site (default /etc/jobgate/jobgate.conf)\n"
    "  --profiles DIR    one more folder of profiles; may be given again\n"
    "  --lines DIR       ports and endpoints from a simulator's DIR/lines.json\n"
    "  --socket PATH     the API's unix socket, instead of the site's\n"
    "  --state DIR       where jobs survive a restart, instead of the site's gateway.state\n"
    "  --debug           log every frame\n"
    "\n"
    "Exit status: 0 stopped by SIGTERM or SIGINT, 2 wrong use or a site with problems,\n"
    "3 a port of its own could not be opened, or the system refused what it needs.\n"
    "\n"
    "Example: jobgate run --config conf/demo/jobgate.conf --lines /tmp/floor\n";

/* 0: go on; else the exit status plus one. */
static int read_options(struct run_options *options, int argc, char **argv)
{
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'}, {"profiles", required_argument, NULL, 'p'},
        {"lines", required_argument, NULL, 'l'},  {"socket", required_argument, NULL, 's'},
        {"state", required_argument, NULL, 'S'},  {"debug", no_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},         {0}};
    size_t dirs = 0;
    int option;

    optind = 1;
    while ((option = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        switch (option) {
        case 'c':
            options->source.config = optarg;
            break;
        case 'p':
            if (dirs == PROFILE_DIRS_MOST) {
                fprintf(stderr, "jobgate run: more than %d --profiles\n", PROFILE_DIRS_MOST);
                return 3;
            }
            options->profile_dirs[dirs++] = optarg;
            break;
        case 'l':
            options->source.lines_dir = optarg;
            break;
        case 's':
            options->socket = optarg;
            break;
        case 'S':
            options->state = optarg;
            break;
        case 'd':
            options->debug = true;
            break;
        case 'h':
            fputs(help, stdout);
            return 1;
        default:
            fputs("Try 'jobgate run --help'.\n", stderr);
            return 3;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "jobgate run: what is \"%s\"? Try 'jobgate run --help'.\n",
                argv[optind]);
        return 3;
    }
    options->source.profile_dirs = options->profile_dirs;
    return 0;
}

static int run_site(const struct run_options *options, struct site *site)
{
    struct gateway_settings settings = {.site = site,
                                        .source = &options->source,
                                        .links = true,
                                        .socket = options->socket,
                                        .state = options->state,
                                        .only_line = SITE_NONE};
    struct gateway *gateway;
    char why[300];

    if (gateway_open(&gateway, &settings, why, sizeof(why)) < 0) {
        log_error("jobgate cannot start: %s", why);
        return 3;
    }
    log_info("jobgate %s: gateway %s, %zu lines, %zu devices", JOBGATE_VERSION, site->id,
             site->line_count, site->device_count);
    gateway_run(gateway);
    gateway_close(gateway);
    log_info("jobgate stopped");
    return 0;
}

/* Key material is in this process: no core file may hold it, also where cores are piped to a
   program, which heeds no limit; and no other process of our user may look into it.
   LeakSanitizer is such a process. What we keep is not for everybody. */
static void keep_to_ourselves(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
#ifndef __SANITIZE_ADDRESS__
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
    umask(027);
}

/* What is freed is joined with what is free beside it at once. Else it lies in small pieces
   until something large is asked for (an operation is), which then pays for joining them all,
   and the holes of a large job stay. */
static void keep_memory_whole(void)
{
    mallopt(M_MXFAST, 0);
}

int command_run(int argc, char **argv)
{
    struct run_options options = {0};
    struct problems problems = {0};
    struct site *site = NULL;
    int stop = read_options(&options, argc, argv);

    if (stop)
        return stop - 1;
    keep_to_ourselves();
    keep_memory_whole();
    log_open(options.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    int r = site_load(&site, &options.source, &problems);
    if (r == 0)
        links_check(site, &problems);
    problems_print(&problems, stderr);
    bool good = r == 0 && problems.errors == 0;
    problems_deinit(&problems);
    if (!good) {
        site_free(site);
        if (r < 0)
            log_error("the site could not be read: %s", strerror(-r));
        return r < 0 ? 3 : 2; /* 2 is the site's fault, and is not tried again */
    }
    int status = run_site(&options, site);
    site_free(site);
    return status;
}
