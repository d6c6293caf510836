#include "base/clock.h"
#include "commands/commands.h"
#include "commands/fetch.h"
#include "commands/grid.h"
#include "commands/payload.h"
#include "jobs/condition.h"
#include "jobs/timetext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: jobgate devices [--where CONDITION]\n"
    "\n"
    "Lists the gateway's devices with their state, the time of their last answer, and how "
    "what\n"
    "was last asked of them ended.\n"
    "\n"
    "  --where COND    only those that the condition selects, as in a job\n"
    "  --config FILE   the site (/etc/jobgate/jobgate.conf)\n"
    "  --socket PATH   the gateway's socket (/run/jobgate/jobgate.sock)\n"
    "  --json          print the devices as JSON\n"
    "\n"
    "Example:\n"
    "  jobgate devices --where \"tags.building = 43 AND tags.floor = 3\"\n";

static enum tone tone_of_state(const char *state)
{
    if (strcmp(state, "online") == 0)
        return TONE_GOOD;
    return strcmp(state, "offline") == 0 ? TONE_BAD : TONE_DIM;
}

/* "2030-01-15T22:00:01.500Z" to the second, without the date where it is today's. */
static void print_time(struct grid *grid, size_t column, const char *text)
{
    char now[TIMETEXT_SIZE];

    timetext_format(now, clock_wall_ms());
    if (strlen(text) < 19 || text[10] != 'T')
        grid_cell(grid, column, TONE_PLAIN, "%s", text);
    else if (strncmp(text, now, 10) == 0)
        grid_cell(grid, column, TONE_PLAIN, "%.8s", text + 11);
    else
        grid_cell(grid, column, TONE_PLAIN, "%.10s %.8s", text, text + 11);
}

/* A record; what went wrong by its code alone, job show has the sentence. */
static void print_outcome(struct grid *grid, size_t column, const json_t *outcome)
{
    const json_t *error = json_object_get(outcome, "error");

    if (error)
        grid_cell(grid, column, TONE_BAD, "%s", text_of(error, "code"));
    else
        grid_cell(grid, column, TONE_GOOD, "%s", text_of(outcome, "status"));
}

/* With what a pulse or a restore could not write back yet. */
static void print_state(struct grid *grid, size_t column, const json_t *own)
{
    const char *state = text_of(own, "state");
    const json_t *owed = json_object_get(own, "owed");

    if (json_object_get(own, "claimedBy"))
        grid_cell(grid, column, TONE_BAD, "claimed by %s", text_of(own, "claimedBy"));
    else if (json_array_size(owed) > 0)
        grid_cell(grid, column, TONE_BAD, "%s, owes %s", state,
                  text_of(json_array_get(owed, 0), "point"));
    else
        grid_cell(grid, column, tone_of_state(state), "%s", state);
}

static bool any_wears(const json_t *devices)
{
    const json_t *device;
    size_t i;

    json_array_foreach(devices, i, device)
    {
        if (json_object_get(json_object_get(device, "jobgate"), "writesToday"))
            return true;
    }
    return false;
}

/* "setpoint 3/10, mode 0/4": of the points that wear, what was written and may be. */
static void print_wear(struct grid *grid, size_t column, const json_t *points)
{
    char text[200] = "";
    size_t used = 0;
    const char *name;
    json_t *point;

    json_object_foreach((json_t *)(uintptr_t)points, name, point)
    {
        int n =
            snprintf(text + used, sizeof(text) - used,
                     "%s%s %" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT, used ? ", " : "",
                     name, json_integer_value(json_object_get(point, "written")),
                     json_integer_value(json_object_get(point, "most")));

        if (n < 0 || (size_t)n >= sizeof(text) - used)
            break;
        used += (size_t)n;
    }
    grid_cell(grid, column, TONE_PLAIN, "%s", text);
}

static void print_devices(json_t *devices)
{
    struct terminal terminal = terminal_of(stdout);
    const char *wear = any_wears(devices) ? "WRITES TODAY" : NULL;
    struct grid grid;
    json_t *device;
    size_t i;

    grid_init(&grid, (const char *const[]){"DEVICE", "LINE", ">UNIT", "PROFILE", "STATE",
                                           "LAST CONTACT (UTC)", "LAST OUTCOME", wear, NULL});
    json_array_foreach(devices, i, device)
    {
        const json_t *own = json_object_get(device, "jobgate");

        grid_row(&grid);
        grid_cell(&grid, 0, TONE_PLAIN, "%s", text_of(device, "deviceId"));
        grid_cell(&grid, 1, TONE_PLAIN, "%s", text_of(own, "line"));
        grid_cell(&grid, 2, TONE_PLAIN, "%d",
                  (int)json_integer_value(json_object_get(own, "unit")));
        grid_cell(&grid, 3, TONE_PLAIN, "%s", text_of(own, "profile"));
        print_state(&grid, 4, own);
        print_time(&grid, 5, text_of(own, "lastContact"));
        print_outcome(&grid, 6, json_object_get(own, "lastOutcome"));
        if (wear)
            print_wear(&grid, 7, json_object_get(own, "writesToday"));
    }
    grid_print(&grid, &terminal);
    grid_deinit(&grid);
}

/* Of all devices those that a query selected, in the order of the site. */
static json_t *chosen(json_t *devices, json_t *twins)
{
    json_t *ids = json_object(), *list = json_array(), *each;
    size_t i;

    json_array_foreach(twins, i, each)
        json_object_set_new(ids, text_of(each, "deviceId"), json_true());
    json_array_foreach(devices, i, each)
    {
        if (json_object_get(ids, text_of(each, "deviceId")))
            json_array_append(list, each);
    }
    json_decref(ids);
    return list;
}

/* The gateway would count the position of a fault in the whole query. */
static int check_condition(const struct options *options, const char *where)
{
    struct condition *condition = NULL;
    struct condition_error error;
    int r = condition_parse(&condition, where, &error);

    condition_free(condition);
    if (r == CONDITION_E_SYNTAX)
        complain(options, "--where %zu:%zu: %s", error.line, error.column, error.text);
    return r == CONDITION_E_SYNTAX ? EXIT_WRONG : EXIT_DONE;
}

static int choose(const struct client *client, const struct options *options, const char *where,
                  json_t **devices)
{
    json_t *twins = NULL, *list;
    char *query;
    int status = check_condition(options, where);

    if (status != EXIT_DONE)
        return status;
    if (asprintf(&query, "SELECT * FROM devices WHERE %s", where) < 0)
        return EXIT_UNREACHABLE;
    status = fetch_query(client, options, query, &twins);
    free(query);
    if (status != EXIT_DONE)
        return status;
    list = chosen(*devices, twins);
    json_decref(twins);
    json_decref(*devices);
    *devices = list;
    return EXIT_DONE;
}

int command_devices(int argc, char **argv)
{
    const char *where = NULL;
    const struct option_spec more[] = {{"where", &where, NULL}, {NULL, NULL, NULL}};
    struct options options;
    int status = options_read(&options, argc, argv, more, 0, 0, help);
    json_t *devices = NULL;
    struct client client;
    int r;

    if (status != OPTIONS_GO_ON)
        return status;
    r = client_init(&client, &options);
    if (r != 0)
        return client_complain(&client, &options, r);
    status = fetch(&client, &options, "GET", "/devices", NULL, &devices);
    if (status == EXIT_DONE && where)
        status = choose(&client, &options, where, &devices);
    if (status == EXIT_DONE && options.json)
        print_json(json_incref(devices));
    else if (status == EXIT_DONE)
        print_devices(devices);
    json_decref(devices);
    return status;
}
