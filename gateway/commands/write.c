#include "commands/commands.h"
#include "commands/device_call.h"

#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: jobgate write DEVICE POINT=VALUE...\n"
    "\n"
    "Writes points of a device and reads them back. All are checked before one is written.\n"
    "A value is JSON if it parses (21.5, true), else text (auto).\n"
    "\n"
    "  --config FILE   the site (/etc/jobgate/jobgate.conf)\n"
    "  --socket PATH   the gateway's socket (/run/jobgate/jobgate.sock)\n"
    "  --json          print the answer as JSON\n"
    "\n"
    "Where no gateway runs, the command opens the device's line itself.\n"
    "\n"
    "Example:\n"
    "  jobgate write floor3-room-07 setpoint=21.5 mode=auto\n";

/* Says what is wrong with one POINT=VALUE; NULL where it was added. */
static const char *add(json_t *points, const char *text)
{
    const char *equals = strchr(text, '=');
    char *name;
    const char *wrong = NULL;

    if (!equals || equals == text)
        return "is not POINT=VALUE";
    name = strndup(text, (size_t)(equals - text));
    if (!name || json_object_get(points, name))
        wrong = "names a point twice";
    else if (json_object_set_new(points, name, value_of_text(equals + 1)) < 0)
        wrong = "is not UTF-8";
    free(name);
    return wrong;
}

int command_write(int argc, char **argv)
{
    struct options options;
    int status = options_read(&options, argc, argv, NULL, 2, -1, help);
    struct device_call call = {.action.kind = ACTION_WRITE};

    if (status != OPTIONS_GO_ON)
        return status;
    call.device_id = options.names[0];
    call.action.arguments = json_object();
    for (int i = 1; i < options.count; i++) {
        const char *wrong = add(call.action.arguments, options.names[i]);

        if (!wrong)
            continue;
        complain(&options, "\"%s\" %s", options.names[i], wrong);
        action_deinit(&call.action);
        return EXIT_WRONG;
    }
    return device_call_run(&options, &call);
}
