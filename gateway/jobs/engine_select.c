/* A device as a document that conditions ask about, without building that document. */
#include "jobs/engine_private.h"

#include <string.h>

const json_t *device_tags(const struct engine *engine, size_t device)
{
    const struct twin *twin = &engine->devices[device].twin;

    return twin->tags ? twin->tags : engine->site->devices[device].tags;
}

static struct condition_value number(double value)
{
    return (struct condition_value){.type = CONDITION_NUMBER, .number = value};
}

static struct condition_value properties(const struct twin *twin,
                                         const struct condition_path *path)
{
    static const struct condition_value undefined = {.type = CONDITION_UNDEFINED};
    const struct condition_segment *at = path->segments;

    if (path->count < 2 || !at[1].name)
        return undefined;
    bool desired = strcmp(at[1].name, "desired") == 0;
    if (!desired && strcmp(at[1].name, "reported") != 0)
        return undefined;
    if (path->count == 3 && at[2].name && strcmp(at[2].name, "$version") == 0)
        return number((double)(desired ? twin->desired_version : twin->reported_version));
    const json_t *section = desired ? twin->desired : twin->reported;
    if (!section)
        return undefined;
    return desired ? condition_value_at(section, path, 2)
                   : condition_value_reported(section, path);
}

struct condition_value select_lookup(void *ctx, const struct condition_path *path)
{
    struct select *select = ctx;
    const struct device_state *state = &select->engine->devices[select->device];
    const char *root = path->segments[0].name;

    if (!root)
        return condition_value_string(NULL);
    if (strcmp(root, "tags") == 0)
        return condition_value_at(device_tags(select->engine, select->device), path, 1);
    if (strcmp(root, "properties") == 0)
        return properties(&state->twin, path);
    return identity_lookup(select, path);
}
