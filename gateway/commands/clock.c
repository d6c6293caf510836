#include "commands/commands.h"
#include "commands/fetch.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: jobgate clock [trust]\n"
    "\n"
    "Tells the gateway's time of day, and whether it is trusted. A small computer without a "
    "clock\n"
    "battery wakes up in the past: until its time is known to be right, scheduled jobs wait, "
    "no\n"
    "device is connected to IoT Hub, and HTTPS lets nobody in.\n"
    "\n"
    "  trust           you have looked at it, and it is right: it is trusted from now on\n"
    "  --config FILE   the site (/etc/jobgate/jobgate.conf)\n"
    "  --socket PATH   the gateway's socket (/run/jobgate/jobgate.sock)\n"
    "  --json          print the answer as JSON\n"
    "\n"
    "Example:\n"
    "  sudo date -s '2030-01-15 14:05' && jobgate clock trust\n";

static void print_clock(json_t *clock)
{
    const char *time = "?", *why = NULL;
    int trusted = 0;

    json_unpack(clock, "{s:s, s:b, s?s}", "time", &time, "trusted", &trusted, "why", &why);
    if (trusted)
        printf("%s, trusted\n", time);
    else
        printf("%s, not trusted: %s\n"
               "if the time is right: jobgate clock trust\n",
               time, why ? why : "it has just been set");
}

int command_clock(int argc, char **argv)
{
    struct options options;
    int status = options_read(&options, argc, argv, NULL, 0, 1, help);
    json_t *answer = NULL, *clock;
    struct client client;
    int r;

    if (status != OPTIONS_GO_ON)
        return status;
    if (options.count == 1 && strcmp(options.names[0], "trust") != 0) {
        complain(&options, "\"%s\" is not understood; is it \"trust\"?", options.names[0]);
        return EXIT_WRONG;
    }
    r = client_init(&client, &options);
    if (r != 0)
        return client_complain(&client, &options, r);
    if (options.count == 1) {
        status = fetch(&client, &options, "POST", "/jobgate/v1/clock/trust", NULL, &answer);
        json_decref(answer);
        answer = NULL;
        if (status != EXIT_DONE)
            return status;
    }
    status = fetch(&client, &options, "GET", "/jobgate/v1/status", NULL, &answer);
    clock = json_object_get(answer, "clock");
    if (status == EXIT_DONE && options.json)
        print_json(json_incref(clock));
    else if (status == EXIT_DONE)
        print_clock(clock);
    json_decref(answer);
    return status;
}
