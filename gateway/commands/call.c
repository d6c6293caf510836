#include "commands/commands.h"
#include "commands/device_call.h"
#include "jobs/request.h"
#include "links/http_path.h"

#include <string.h>

static const char help[] =
    "Usage: jobgate call DEVICE METHOD [JSON]\n"
    "\n"
    "Calls a method of a device. The arguments are an object, or one value where the method\n"
    "takes one; what is no JSON is text.\n"
    "\n"
    "  --timeout S     seconds until the call is given up, 5 to 300 (30)\n"
    "  --config FILE   the site (/etc/jobgate/jobgate.conf)\n"
    "  --socket PATH   the gateway's socket (/run/jobgate/jobgate.sock)\n"
    "  --json          print the answer as JSON\n"
    "\n"
    "Where no gateway runs, the command opens the device's line itself.\n"
    "\n"
    "Example:\n"
    "  jobgate call floor3-room-07 setComfort '{\"setpoint\": 21.5}'\n";

enum { TIMEOUT_LEAST_S = 5, TIMEOUT_MOST_S = 300 };

static bool read_timeout(const struct options *options, const char *text, unsigned *seconds)
{
    size_t count;

    if (!text)
        return true;
    if (http_count_parse(&count, text, TIMEOUT_MOST_S + 1) == 0 && count >= TIMEOUT_LEAST_S &&
        count <= TIMEOUT_MOST_S) {
        *seconds = (unsigned)count;
        return true;
    }
    complain(options, "--timeout is a number from %d to %d", TIMEOUT_LEAST_S, TIMEOUT_MOST_S);
    return false;
}

/* What begins as an object or a list was meant to be one, and is no text. */
static bool is_whole(const struct options *options, const char *text)
{
    struct refusal refusal;
    json_t *value;

    if (text[0] != '{' && text[0] != '[')
        return true;
    if (request_read_json(&value, text, strlen(text), &refusal) == 0) {
        json_decref(value);
        return true;
    }
    complain(options, "%s", refusal.text);
    return false;
}

int command_call(int argc, char **argv)
{
    const char *timeout = NULL;
    const struct option_spec more[] = {{"timeout", &timeout, NULL}, {NULL, NULL, NULL}};
    struct options options;
    int status = options_read(&options, argc, argv, more, 2, 3, help);
    struct device_call call = {.action.kind = ACTION_METHOD};

    if (status != OPTIONS_GO_ON)
        return status;
    if (!read_timeout(&options, timeout, &call.timeout_s))
        return EXIT_WRONG;
    if (!id_is_method(options.names[1])) {
        complain(&options, "\"%s\" is no name of a method", options.names[1]);
        return EXIT_WRONG;
    }
    if (options.count == 3 && !is_whole(&options, options.names[2]))
        return EXIT_WRONG;
    call.device_id = options.names[0];
    call.action.method = strdup(options.names[1]);
    if (options.count == 3)
        call.action.arguments = value_of_text(options.names[2]);
    if (!call.action.method || (options.count == 3 && !call.action.arguments)) {
        complain(&options, "the arguments are not UTF-8");
        action_deinit(&call.action);
        return EXIT_WRONG;
    }
    return device_call_run(&options, &call);
}
