#include "jobs/metadata.h"

#include "jobs/timetext.h"
#include "twins/twin.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NEVER "0001-01-01T00:00:00Z"

enum { PATH_SIZE = 512 };

struct age {
    json_int_t ms, version; /* 0: not known */
};

static struct age age_of(const json_t *entry)
{
    if (json_is_integer(entry))
        return (struct age){.ms = json_integer_value(entry)};
    return (struct age){json_integer_value(json_array_get(entry, 0)),
                        json_integer_value(json_array_get(entry, 1))};
}

void metadata_forget(json_t *times, const char *path)
{
    json_object_del(times, path);
}

int metadata_set(json_t **times, const char *path, int64_t ms, int64_t version)
{
    json_t *entry = version == 0 ? json_integer((json_int_t)ms)
                                 : json_pack("[I, I]", (json_int_t)ms, (json_int_t)version);

    if (!*times)
        *times = json_object();
    return json_object_set_new(*times, path, entry) == 0 ? 0 : -ENOMEM;
}

/* False: too long for any property. */
static bool join(char path[PATH_SIZE], const char *above, const char *name)
{
    int size = snprintf(path, PATH_SIZE, "%s%s%s", above, *above ? "." : "", name);

    return size >= 0 && size < PATH_SIZE;
}

static int patch_below(json_t **times, const json_t *patch, const char *above, struct age age)
{
    const char *name;
    json_t *value;
    int r = 0;

    json_object_foreach((json_t *)(uintptr_t)patch, name, value)
    {
        char path[PATH_SIZE];

        if (r < 0 || !join(path, above, name))
            continue;
        if (json_is_null(value))
            metadata_forget(*times, path);
        else if (json_object_size(value) > 0)
            r = patch_below(times, value, path, age);
        else
            r = metadata_set(times, path, age.ms, age.version);
    }
    return r;
}

/* Nothing stays of what the section has no more. */
static void prune(json_t *times, const json_t *section)
{
    const char *path;
    json_t *entry;
    void *next;

    json_object_foreach_safe(times, next, path, entry) if (!twin_find(section, path))
        json_object_del(times, path);
}

int metadata_patch(json_t **times, const json_t *section, const json_t *patch, int64_t ms,
                   int64_t version)
{
    int r = patch_below(times, patch, "", (struct age){ms, version});

    prune(*times, section);
    return r;
}

static void put_age(json_t *node, struct age age)
{
    char text[TIMETEXT_SIZE] = NEVER;

    if (age.ms != 0)
        timetext_format(text, age.ms);
    json_object_set_new(node, "$lastUpdated", json_string(text));
    if (age.version != 0)
        json_object_set_new(node, "$lastUpdatedVersion", json_integer(age.version));
}

/* Of the newest below it, and of what is set here or above, which *age brings in. */
static json_t *tree_of(const json_t *value, const json_t *times, const char *path,
                       struct age *age)
{
    json_t *node = json_object(), *member, *below = json_object();
    const json_t *entry = json_object_get(times, path);
    struct age newest;
    const char *name;

    if (entry && age_of(entry).ms >= age->ms) /* an older one is of what was there before */
        *age = age_of(entry);
    newest = *age;
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        struct age its = *age;
        char its_path[PATH_SIZE];

        if (name[0] == '$' || !join(its_path, path, name))
            continue;
        json_object_set_new(below, name, tree_of(member, times, its_path, &its));
        if (its.ms >= newest.ms)
            newest = its;
    }
    *age = newest;
    put_age(node, newest);
    json_object_update(node, below);
    json_decref(below);
    return node;
}

json_t *metadata_tree(const json_t *section, const json_t *times)
{
    struct age age = {0};

    return tree_of(section, times, "", &age);
}
