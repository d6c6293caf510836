#include "twins/twin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Limits of IoT Hub's twins: sizes of a section, of a string, of a key, and the depth. */
enum {
    DESIRED_MOST = 32768,
    TAGS_MOST = 8192,
    STRING_MOST = 4096,
    KEY_MOST = 1024,
    DEPTH_MOST = 10
};

void twin_init(struct twin *twin)
{
    *twin = (struct twin){.desired_version = 1, .reported_version = 1, .tags_version = 1};
}

void twin_deinit(struct twin *twin)
{
    json_decref(twin->desired);
    json_decref(twin->reported);
    json_decref(twin->desired_times);
    json_decref(twin->reported_times);
    json_decref(twin->tags);
    json_decref(twin->hub_desired);
    json_decref(twin->hub_acks);
    *twin = (struct twin){0};
}

struct weight {
    size_t bytes;
    bool in_list;
    char why[160];
};

static bool key_is_bad(const char *key)
{
    for (const char *c = key; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == '.' || *c == ' ' || *c == '$')
            return true;
    }
    return strlen(key) > KEY_MOST || !*key;
}

/* Counts as the hub does: keys and strings by bytes, numbers 8, booleans 4; what a twin's
   section has at its top for itself ($version, $metadata), nothing. */
static bool weigh(const json_t *value, unsigned depth, struct weight *weight)
{
    const char *key;
    json_t *member;

    if (weight->in_list && json_is_null(value)) { /* nothing there can be deleted by it */
        snprintf(weight->why, sizeof(weight->why), "a null stands in a list");
        return false;
    }
    if (depth > DEPTH_MOST) {
        snprintf(weight->why, sizeof(weight->why), "it is nested deeper than %d", DEPTH_MOST);
        return false;
    }
    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
        {
            if (key[0] == '$' && depth == 0)
                continue;
            if (key_is_bad(key)) {
                snprintf(weight->why, sizeof(weight->why),
                         "the name \"%.80s\" is empty, too long or has a '.', '$', space or "
                         "control character",
                         key);
                return false;
            }
            weight->bytes += strlen(key);
            if (!weigh(member, depth + 1, weight))
                return false;
        }
    } else if (json_is_array(value)) {
        bool outer = weight->in_list;
        size_t i;

        weight->in_list = true;
        json_array_foreach(value, i, member)
        {
            if (!weigh(member, depth + 1, weight))
                return false;
        }
        weight->in_list = outer;
    } else if (json_is_string(value)) {
        weight->bytes += json_string_length(value);
        if (json_string_length(value) > STRING_MOST) {
            snprintf(weight->why, sizeof(weight->why), "a string is longer than %d bytes",
                     STRING_MOST);
            return false;
        }
    } else {
        weight->bytes += json_is_number(value) ? 8 : 4;
    }
    return true;
}

char *twin_refuses(const json_t *patch, bool tags)
{
    struct weight weight = {0};
    size_t most = tags ? TAGS_MOST : DESIRED_MOST;
    char *text = NULL;

    if (!json_is_object(patch))
        return strdup("a patch is a JSON object");
    if (weigh(patch, 0, &weight) && weight.bytes > most)
        snprintf(weight.why, sizeof(weight.why), "it has %zu bytes, the most is %zu",
                 weight.bytes, most);
    if (!weight.why[0])
        return NULL;
    if (asprintf(&text, "the %s cannot be taken: %s", tags ? "tags" : "properties",
                 weight.why) < 0)
        return NULL;
    return text;
}

int twin_without_system(json_t **ret, const json_t *section)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)section);
    const char *name;
    json_t *value;
    void *next;

    if (!copy)
        return -ENOMEM;
    json_object_foreach_safe(copy, next, name, value) if (name[0] == '$')
        json_object_del(copy, name);
    *ret = copy;
    return 0;
}

int twin_merge(json_t *into, const json_t *patch)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)patch, key, value)
    {
        json_t *old = json_object_get(into, key);
        int r;

        if (json_is_null(value)) {
            json_object_del(into, key);
            continue;
        }
        if (json_is_object(value)) {
            /* An object is merged even into nothing, so that its own nulls never stay. */
            if (!json_is_object(old) && json_object_set_new(into, key, json_object()) != 0)
                return -ENOMEM;
            r = twin_merge(json_object_get(into, key), value);
        } else {
            r = json_object_set_new(into, key, json_deep_copy(value)) == 0 ? 0 : -ENOMEM;
        }
        if (r < 0)
            return r;
    }
    return 0;
}

static int merge_section(json_t **section, const json_t *patch)
{
    if (!*section)
        *section = json_object();
    return *section ? twin_merge(*section, patch) : -ENOMEM;
}

int twin_patch_desired(struct twin *twin, const json_t *patch)
{
    int r = merge_section(&twin->desired, patch);

    if (r == 0)
        twin->desired_version++;
    return r;
}

int twin_patch_tags(struct twin *twin, const json_t *patch)
{
    json_t *before = json_deep_copy(twin->tags);
    int r = merge_section(&twin->tags, patch);

    if (r == 0 && !json_equal(before, twin->tags))
        twin->tags_version++;
    json_decref(before);
    return r;
}

static void follow(json_t *tags, const json_t *was, const json_t *is)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)was, key, value)
    {
        if (!json_object_get(is, key))
            json_object_del(tags, key);
    }
    json_object_foreach((json_t *)(uintptr_t)is, key, value)
    {
        json_t *before = json_object_get(was, key), *own = json_object_get(tags, key);

        if (json_is_object(before) && json_is_object(value) && json_is_object(own))
            follow(own, before, value);
        else if (!before || !json_equal(before, value))
            json_object_set_new(tags, key, json_deep_copy(value));
    }
}

bool twin_follow_file(struct twin *twin, const json_t *was, const json_t *is)
{
    json_t *tags;

    if (!twin->tags || json_equal((json_t *)(uintptr_t)was, (json_t *)(uintptr_t)is))
        return false;
    tags = json_deep_copy(twin->tags); /* others may look at the old ones */
    if (tags)
        follow(tags, was, is);
    json_decref(twin->tags);
    twin->tags = tags;
    twin->tags_version++;
    return true;
}

/* Sets (or with NULL deletes) the value at a dotted path, making the objects between. */
static int set_path(json_t **section, const char *path, json_t *value)
{
    char name[256];
    json_t *at;

    if (!*section)
        *section = json_object();
    at = *section;
    for (const char *dot; at && (dot = strchr(path, '.')); path = dot + 1) {
        snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
        json_t *next = json_object_get(at, name);

        if (!json_is_object(next)) {
            if (!value)
                return 0;
            json_object_set_new(at, name, json_object());
            next = json_object_get(at, name);
        }
        at = next;
    }
    if (!at) {
        json_decref(value);
        return -ENOMEM;
    }
    if (!value) {
        json_object_del(at, path);
        return 0;
    }
    return json_object_set_new(at, path, value) == 0 ? 0 : -ENOMEM;
}

int twin_acknowledge(struct twin *twin, const char *path, const json_t *value, int ac,
                     int64_t av, const char *ad)
{
    json_t *ack = json_object();

    if (!ack)
        return -ENOMEM;
    json_object_set_new(ack, "value", value ? json_deep_copy(value) : json_null());
    json_object_set_new(ack, "ac", json_integer(ac));
    json_object_set_new(ack, "av", json_integer(av));
    json_object_set_new(ack, "ad", json_string(ad));
    twin->reported_version++;
    return set_path(&twin->reported, path, ack);
}

int twin_report(struct twin *twin, const char *path, const json_t *value)
{
    twin->reported_version++;
    return set_path(&twin->reported, path, json_deep_copy(value));
}

int twin_forget(struct twin *twin, const char *path)
{
    if (!twin->reported)
        return 0;
    twin->reported_version++;
    return set_path(&twin->reported, path, NULL);
}

const json_t *twin_known_value(const struct twin *twin, const char *path)
{
    const json_t *reported = twin->reported ? twin_find(twin->reported, path) : NULL;

    return json_is_object(reported) ? json_object_get(reported, "value") : reported;
}

size_t twin_weight(const json_t *section)
{
    struct weight weight = {0};

    return weigh(section, 0, &weight) ? weight.bytes : SIZE_MAX;
}

void twin_take_hub(struct twin *twin, int64_t version, const json_t *desired)
{
    twin->hub_version = version;
    json_decref(twin->hub_desired);
    twin->hub_desired = desired ? json_deep_copy(desired) : NULL;
}

void twin_acknowledge_hub(struct twin *twin, const char *path, int64_t version)
{
    if (!twin->hub_acks && version != 0)
        twin->hub_acks = json_object();
    if (version != 0)
        json_object_set_new(twin->hub_acks, path, json_integer(version));
    else if (twin->hub_acks)
        json_object_del(twin->hub_acks, path);
}

bool twin_name_is_good(const char *name)
{
    return name[0] != '$' && !key_is_bad(name);
}

json_t *twin_find(const json_t *object, const char *path)
{
    char name[256];

    for (const char *dot; object && (dot = strchr(path, '.')); path = dot + 1) {
        snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
        object = json_object_get(object, name);
    }
    return json_object_get(object, path);
}
