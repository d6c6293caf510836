/* A device as a document that conditions ask about, without building that document. */
#include "jobs/engine_private.h"
#include "jobs/metadata.h"

#include <stdio.h>
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

/* properties.<section>.$metadata.<property>.$lastUpdated; its text lives in `select`. */
static struct condition_value metadata(struct select *select, bool desired,
                                       const struct condition_path *path)
{
    const struct twin *twin = &select->engine->devices[select->device].twin;
    json_t *tree = metadata_tree(desired ? twin->desired : twin->reported,
                                 desired ? twin->desired_times : twin->reported_times);
    const json_t *node = tree;
    struct condition_value value = {.type = CONDITION_UNDEFINED};

    for (size_t i = 3; i < path->count; i++)
        node = path->segments[i].name ? json_object_get(node, path->segments[i].name) : NULL;
    if (json_is_integer(node))
        value = number((double)json_integer_value(node));
    if (json_is_string(node)) {
        char *text = select->updated[select->turn++ % 2];

        snprintf(text, TIMETEXT_SIZE, "%s", json_string_value(node));
        value = condition_value_string(text);
    }
    json_decref(tree);
    return value;
}

static struct condition_value properties(struct select *select,
                                         const struct condition_path *path)
{
    const struct twin *twin = &select->engine->devices[select->device].twin;
    static const struct condition_value undefined = {.type = CONDITION_UNDEFINED};
    const struct condition_segment *at = path->segments;

    if (path->count < 2 || !at[1].name)
        return undefined;
    bool desired = strcmp(at[1].name, "desired") == 0;
    if (!desired && strcmp(at[1].name, "reported") != 0)
        return undefined;
    if (path->count > 3 && at[2].name && strcmp(at[2].name, "$metadata") == 0)
        return metadata(select, desired, path);
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
    const char *root = path->segments[0].name;

    if (!root)
        return condition_value_string(NULL);
    if (strcmp(root, "tags") == 0)
        return condition_value_at(device_tags(select->engine, select->device), path, 1);
    if (strcmp(root, "properties") == 0)
        return properties(select, path);
    return identity_lookup(select, path);
}
