#include "commands/commands.h"
#include "commands/device_call.h"

static const char help[] =
    "Usage: jobgate read DEVICE [POINT...]\n"
    "\n"
    "Reads points of a device, all readable ones where none is named.\n"
    "\n"
    "  --config FILE   the site (/etc/jobgate/jobgate.conf)\n"
    "  --socket PATH   the gateway's socket (/run/jobgate/jobgate.sock)\n"
    "  --json          print the answer as JSON\n"
    "\n"
    "Where no gateway runs, the command opens the device's line itself.\n"
    "\n"
    "Example:\n"
    "  jobgate read floor3-room-07 temperature setpoint\n";

int command_read(int argc, char **argv)
{
    struct options options;
    int status = options_read(&options, argc, argv, NULL, 1, -1, help);
    struct device_call call = {.action.kind = ACTION_READ};

    if (status != OPTIONS_GO_ON)
        return status;
    call.device_id = options.names[0];
    call.action.arguments = json_array();
    for (int i = 1; i < options.count; i++)
        if (json_array_append_new(call.action.arguments, json_string(options.names[i])) < 0) {
            complain(&options, "a point's name is not UTF-8");
            action_deinit(&call.action);
            return EXIT_WRONG;
        }
    return device_call_run(&options, &call);
}
