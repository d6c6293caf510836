#include "commands/sim.h"

#include "commands/sim_cast.h"
#include "site/problems.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status { DONE = 0, USAGE = 2, UNREACHABLE = 3 };

enum { FAULTS_MAX = 1024, PROFILE_DIRS_MAX = 16 };

/* One thing wrong with one device, as told on the command line. */
struct fault {
    int option;
    const char *id; /* of the device; BAUD: the line's name */
    double number;
};

struct wish {
    struct sim_settings settings;
    const char *config;
    const char *profile_dirs[PROFILE_DIRS_MAX + 1];
    size_t profile_dir_count;
    int reboot_ms;
    struct fault faults[FAULTS_MAX];
    size_t fault_count;
    bool help;
};

enum option_code {
    DIR = 1,
    CONFIG,
    PROFILES,
    DEAD,
    SLOW,
    DROP,
    CORRUPT,
    EXCEPTION,
    DOUBLE,
    BAUD,
    DUMP,
    LENIENT,
    TURNAROUND,
    REBOOT,
    SEED,
    HELP,
};

static const struct option options[] = {
    {"dir", required_argument, NULL, DIR},
    {"config", required_argument, NULL, CONFIG},
    {"profiles", required_argument, NULL, PROFILES},
    {"dead", required_argument, NULL, DEAD},
    {"slow", required_argument, NULL, SLOW},
    {"drop", required_argument, NULL, DROP},
    {"corrupt", required_argument, NULL, CORRUPT},
    {"exception", required_argument, NULL, EXCEPTION},
    {"double", required_argument, NULL, DOUBLE},
    {"baud", required_argument, NULL, BAUD},
    {"dump", required_argument, NULL, DUMP},
    {"lenient", no_argument, NULL, LENIENT},
    {"turnaround", required_argument, NULL, TURNAROUND},
    {"reboot", required_argument, NULL, REBOOT},
    {"seed", required_argument, NULL, SEED},
    {"help", no_argument, NULL, HELP},
    {0},
};

static const char help[] =
    "Usage: jobgate sim --dir DIR [OPTION...]\n"
    "Plays every device of a site. Serial lines are pseudo-terminals DIR/<line>, paced to "
    "their\n"
    "baud rate; DIR/lines.json says where all lines are. Prints `ready` when they are open, "
    "and\n"
    "runs until SIGTERM or SIGINT.\n"
    "\n"
    "  --dir DIR              where the lines appear; made if missing\n"
    "  --config FILE          the site (/etc/jobgate/jobgate.conf)\n"
    "  --profiles DIR         one more folder of profiles; may be given again\n"
    "  --dead ID              this device hears and says nothing\n"
    "  --slow ID=MS           this one thinks so much longer\n"
    "  --exception ID=CODE    this one answers every request with the exception (1 to 255)\n"
    "  --double ID[=MS]       a second device has the same unit and answers into the first "
    "one's\n"
    "                         answer, or so much later\n"
    "  --baud LINE=BAUD       the devices of the line have another speed than the site says\n"
    "  --drop PERCENT         so many requests or answers are lost, half of each\n"
    "  --corrupt PERCENT      so many answers on serial lines have a wrong byte\n"
    "  --turnaround MS        between the silence after a request and the answer (5)\n"
    "  --reboot MS            how long a restarted device is silent (3000, or half of what\n"
    "                         its method allows)\n"
    "  --lenient              hear requests that come before 3.5 characters of silence\n"
    "  --dump FILE            what the devices saw and hold, as JSON, on SIGUSR1 and at the "
    "end\n"
    "  --seed NUMBER          of what --drop and --corrupt choose (1)\n"
    "  --help                 this text\n"
    "\n"
    "Example: a floor with a dead controller, played for a gateway\n"
    "  jobgate sim --config site.conf --dir /tmp/lines --dead floor3-room-07 --dump "
    "/tmp/seen.json &\n"
    "  jobgate run --config site.conf --lines /tmp/lines\n";

__attribute__((format(printf, 1, 2))) static bool complain(const char *format, ...)
{
    va_list arguments;

    fputs("jobgate sim: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return false;
}

static bool read_number(const char *option, const char *text, double least, double most,
                        double *number)
{
    char *end;
    double value;

    errno = 0;
    value = strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(value >= least && value <= most))
        return complain("--%s: \"%s\" is no number from %g to %g", option, text, least, most);
    *number = value;
    return true;
}

static bool read_seed(const char *text, uint64_t *seed)
{
    char *end;

    errno = 0;
    *seed = strtoull(text, &end, 0);
    if (end == text || *end != '\0' || errno != 0 || text[0] == '-')
        return complain("--seed: \"%s\" is no whole number", text);
    return true;
}

/* ID or ID=NUMBER; cuts the text at the equals sign. */
static bool add_fault(struct wish *wish, const struct option *option, char *text)
{
    struct fault *fault = &wish->faults[wish->fault_count];
    char *equals = strrchr(text, '=');
    bool is_code = option->val == EXCEPTION, is_baud = option->val == BAUD;

    if (wish->fault_count == FAULTS_MAX)
        return complain("more than %d faults", FAULTS_MAX);
    *fault = (struct fault){.option = option->val, .id = text};
    if (option->val != DEAD && (equals || option->val != DOUBLE)) {
        if (!equals)
            return complain("--%s: \"%s\" should be %s", option->name, text,
                            is_baud   ? "LINE=BAUD"
                            : is_code ? "ID=CODE"
                                      : "ID=MS");
        *equals = '\0';
        if (!read_number(option->name, equals + 1, is_code || is_baud ? 1 : 0,
                         is_code ? 255 : 3600000, &fault->number))
            return false;
        if ((is_code || is_baud) && fault->number != floor(fault->number))
            return complain("--%s: \"%s\" is no whole number", option->name, equals + 1);
    }
    wish->fault_count++;
    return true;
}

static bool add_profiles(struct wish *wish, const char *dir)
{
    if (wish->profile_dir_count == PROFILE_DIRS_MAX)
        return complain("more than %d folders of profiles", PROFILE_DIRS_MAX);
    wish->profile_dirs[wish->profile_dir_count++] = dir;
    return true;
}

static bool take_number(struct wish *wish, const struct option *option, const char *text)
{
    bool percent = option->val == DROP || option->val == CORRUPT;
    double number;

    if (!read_number(option->name, text, 0, percent ? 100 : 3600000, &number))
        return false;
    switch (option->val) {
    case DROP:
        wish->settings.drop_percent = number;
        break;
    case CORRUPT:
        wish->settings.corrupt_percent = number;
        break;
    case TURNAROUND:
        wish->settings.turnaround_us = (unsigned)(number * 1000);
        break;
    default:
        wish->reboot_ms = (int)number;
        break;
    }
    return true;
}

static bool take_option(struct wish *wish, const struct option *option, char *text)
{
    switch ((enum option_code)option->val) {
    case DIR:
        wish->settings.dir = text;
        return true;
    case CONFIG:
        wish->config = text;
        return true;
    case PROFILES:
        return add_profiles(wish, text);
    case DEAD:
    case SLOW:
    case EXCEPTION:
    case DOUBLE:
    case BAUD:
        return add_fault(wish, option, text);
    case DROP:
    case CORRUPT:
    case TURNAROUND:
    case REBOOT:
        return take_number(wish, option, text);
    case DUMP:
        wish->settings.dump = text;
        return true;
    case LENIENT:
        wish->settings.lenient = true;
        return true;
    case SEED:
        return read_seed(text, &wish->settings.seed);
    case HELP:
        wish->help = true;
        return true;
    }
    return false;
}

/* It is written at the end: too late to hear that it cannot be. */
static bool can_dump(const char *file)
{
    const char *slash = file ? strrchr(file, '/') : NULL;
    char *folder = !slash          ? strdup(".")
                   : slash == file ? strdup("/")
                                   : strndup(file, (size_t)(slash - file));
    bool can = !file || (folder && access(folder, W_OK) == 0);

    if (!can)
        complain("--dump: nothing can be written into %s: %s", folder ? folder : "?",
                 strerror(errno));
    free(folder);
    return can;
}

/* getopt prints its own complaint about an option that it does not know. */
static bool read_options(struct wish *wish, int argc, char **argv)
{
    int index = -1;
    int code;

    optind = 1;
    while ((code = getopt_long(argc, argv, "h", options, &index)) != -1)
        if (code == 'h')
            wish->help = true;
        else if (code == '?' || !take_option(wish, &options[index], optarg))
            return false;
    if (wish->help)
        return true;
    if (optind < argc)
        return complain("\"%s\" is not an option", argv[optind]);
    if (!wish->settings.dir)
        return complain("--dir is missing; see jobgate sim --help");
    return can_dump(wish->settings.dump);
}

static bool set_speed(const struct fault *fault, const struct site *site, struct sim_cast *cast)
{
    for (size_t i = 0; i < site->line_count; i++) {
        if (strcmp(site->lines[i].name, fault->id) != 0)
            continue;
        if (!site->lines[i].adapter->serial)
            return complain("--baud: line \"%s\" is not serial", fault->id);
        cast->lines[i].baud = (unsigned)fault->number;
        cast->lines[i].only_baud = true;
        return true;
    }
    return complain("no line \"%s\" in %s", fault->id, site->file);
}

static bool set_double(const struct fault *fault, const struct site *site, size_t device,
                       struct sim_unit *unit)
{
    if (!site->lines[site->devices[device].line].adapter->serial)
        return complain("--double: the line of \"%s\" is not serial", fault->id);
    unit->doubled = true;
    unit->double_ms = (unsigned)fault->number;
    return true;
}

static bool apply_faults(const struct wish *wish, const struct site *site,
                         struct sim_cast *cast)
{
    for (size_t i = 0; i < wish->fault_count; i++) {
        const struct fault *fault = &wish->faults[i];
        size_t device = site_device(site, fault->id);

        if (fault->option == BAUD) {
            if (!set_speed(fault, site, cast))
                return false;
            continue;
        }
        if (device == SITE_NONE)
            return complain("no device \"%s\" in %s", fault->id, site->file);
        if (fault->option == DEAD)
            cast->units[device].dead = true;
        else if (fault->option == SLOW)
            cast->units[device].slow_ms = (unsigned)fault->number;
        else if (fault->option == DOUBLE &&
                 !set_double(fault, site, device, &cast->units[device]))
            return false;
        else if (fault->option == EXCEPTION)
            cast->units[device].exception = (int)fault->number;
    }
    return true;
}

static enum status play(struct wish *wish, const struct site *site)
{
    struct sim_cast cast;
    char problem[256];
    enum status status = USAGE;

    if (sim_cast_init(&cast, site, wish->reboot_ms) < 0) {
        complain("no memory");
        return UNREACHABLE;
    }
    if (apply_faults(wish, site, &cast)) {
        wish->settings.lines = cast.lines;
        wish->settings.line_count = site->line_count;
        wish->settings.units = cast.units;
        wish->settings.unit_count = site->device_count;
        status = DONE;
        if (sim_run(&wish->settings, problem, sizeof(problem)) < 0) {
            complain("%s", problem);
            status = UNREACHABLE;
        }
    }
    sim_cast_deinit(&cast);
    return status;
}

static enum status load_and_play(struct wish *wish)
{
    struct site_source source = {.config = wish->config, .profile_dirs = wish->profile_dirs};
    struct problems problems = {0};
    struct site *site = NULL;
    enum status status = USAGE;
    int r = site_load(&site, &source, &problems);

    problems_print(&problems, stderr);
    problems_deinit(&problems);
    if (r < 0)
        complain("%s", strerror(-r));
    if (r == 0) {
        status = play(wish, site);
        site_free(site);
    }
    return status;
}

int command_sim(int argc, char **argv)
{
    struct wish *wish = calloc(1, sizeof(*wish));
    enum status status = USAGE;

    if (!wish)
        return UNREACHABLE;
    wish->settings = (struct sim_settings){.turnaround_us = 5000, .seed = 1};
    wish->reboot_ms = SIM_CAST_REBOOT_DEFAULT;
    if (read_options(wish, argc, argv)) {
        if (wish->help)
            fputs(help, stdout);
        status = wish->help ? DONE : load_and_play(wish);
    }
    free(wish);
    return (int)status;
}
