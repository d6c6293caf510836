/*
 * The command line: which command, and what there is.
 */
#include "commands/commands.h"
#include "site/names.h"

#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *use;
};

static const struct command commands[] = {
    {"run", command_run, "the gateway"},
    {"check", command_check, "is this site right?"},
    {"sim", command_sim, "play every device of the site"},
    {"plan", command_plan, "the frames that a call would send"},
    {"scan", command_scan, "who answers on a line, and at which settings"},
    {"report", command_report, "every device, every point, what answered"},
    {"devices", command_devices, "the devices and their state"},
    {"read", command_read, "read points of a device"},
    {"write", command_write, "write points of a device"},
    {"call", command_call, "call a method of a device"},
    {"job", command_job, "submit, list, show, watch, cancel jobs"},
    {"clock", command_clock, "is the time of day trusted?"},
    {"reload", command_reload, "the running gateway reads its site again"},
    {"bundle", command_bundle, "what somebody far away needs to see, without keys"},
    {"cert", command_cert, "make a certificate for HTTPS"},
};

enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

static void print_help(FILE *to)
{
    fputs("Usage: jobgate COMMAND [ARGUMENTS]\n"
          "\n"
          "A gateway between MQTT, IoT Hub or HTTP and Modbus devices.\n"
          "\n",
          to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].use);
    fputs(
        "\n"
        "jobgate COMMAND --help tells more about each.\n"
        "Exit status: 0 done, 1 the request failed on a device, 2 wrong use or configuration,\n"
        "3 the gateway or a line cannot be reached.\n"
        "\n"
        "Example:\n"
        "  jobgate check --config /etc/jobgate/jobgate.conf\n",
        to);
}

static int refuse(const char *word)
{
    struct names names = {.count = 0};
    const char *meant;

    for (size_t i = 0; i < COMMANDS; i++)
        names_add(&names, commands[i].name);
    meant = names_near(&names, word);
    if (meant)
        fprintf(stderr, "jobgate: there is no command \"%s\"; is it \"%s\"?\n", word, meant);
    else
        fprintf(stderr, "jobgate: there is no command \"%s\"; see jobgate --help\n", word);
    return EXIT_WRONG;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;

    if (!word) {
        print_help(stderr);
        return EXIT_WRONG;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(word, "--version") == 0) {
        puts("jobgate " JOBGATE_VERSION);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(word, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return refuse(word);
}
