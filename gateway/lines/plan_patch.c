#include "lines/plan_build.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 512 };

/* The writes of a patch while it is read. */
struct wants {
    struct want *items;
    size_t count;
};

int want_set(struct want *want, const struct profile *profile, size_t point,
             const json_t *value, struct value_error *error)
{
    const struct point *at = &profile->points[point];

    *want = (struct want){.point = point,
                          .class = at->kind == POINT_TRIGGER ? CLASS_TRIGGER : CLASS_STATE,
                          .repeatable = at->kind != POINT_TRIGGER};
    return value_encode(at, value, want->words, error);
}

const char *value_error_code(int value_error)
{
    return value_error == VALUE_E_RANGE ? "OutOfRange" : "BadRequest";
}

static int refuse_property(struct build *build, const char *path, int status, const char *code,
                           const char *text)
{
    struct plan *plan = build->plan;
    struct plan_refusal *refusals =
        reallocarray(plan->refusals, plan->refusal_count + 1, sizeof(*refusals));
    if (!refusals)
        return -ENOMEM;
    plan->refusals = refusals;
    struct plan_refusal *refusal = &refusals[plan->refusal_count];
    *refusal = (struct plan_refusal){strdup(path), status, code, strdup(text)};
    plan->refusal_count++;
    return refusal->name && refusal->text ? 0 : -ENOMEM;
}

static int remove_property(struct build *build, const char *path)
{
    struct plan *plan = build->plan;
    char **removed = reallocarray(plan->removed, plan->removed_count + 1, sizeof(*removed));
    if (!removed)
        return -ENOMEM;
    plan->removed = removed;
    removed[plan->removed_count] = strdup(path);
    return removed[plan->removed_count++] ? 0 : -ENOMEM;
}

static size_t point_of_property(const struct profile *profile, const char *path)
{
    for (size_t i = 0; i < profile->point_count; i++) {
        if (strcmp(profile->points[i].property, path) == 0)
            return i;
    }
    return SITE_NONE;
}

static int patch_point(struct build *build, struct wants *wants, const char *path, size_t point,
                       const json_t *value)
{
    const struct point *at = &build->profile->points[point];
    struct want *want = &wants->items[wants->count];
    struct value_error error;

    if (!at->writable) {
        snprintf(error.text, sizeof(error.text), "%s cannot be written", at->name);
        return refuse_property(build, path, 405, "NotWritable", error.text);
    }
    int r = want_set(want, build->profile, point, value, &error);
    if (r > 0)
        return refuse_property(build, path, 400, value_error_code(r), error.text);
    r = build_result(build, point, &want->result);
    wants->count++;
    return r;
}

static int patch_unknown(struct build *build, const char *path)
{
    struct names names = {.count = 0};
    char text[240], advice[110];

    for (size_t i = 0; i < build->profile->point_count; i++)
        names_add(&names, build->profile->points[i].property);
    snprintf(text, sizeof(text), "%.60s has no property \"%.50s\"; %s", build->profile->name,
             path, names_advice(&names, path, advice, sizeof(advice)));
    text_clip(text);
    return refuse_property(build, path, 404, "UnknownPoint", text);
}

/* Goes no deeper than the profile's own paths do. */
static int patch_object(struct build *build, struct wants *wants, const char *above,
                        json_t *object)
{
    const char *key;
    json_t *value;
    int r = 0;

    json_object_foreach(object, key, value)
    {
        char path[PATH_SIZE];
        if (key[0] == '$')
            continue;
        int n = snprintf(path, sizeof(path), "%s%s%s", above, *above ? "." : "", key);
        bool known = n > 0 && (size_t)n < sizeof(path) && !strchr(key, '.');
        text_clip(path);
        size_t point = known ? point_of_property(build->profile, path) : SITE_NONE;
        if (json_is_null(value))
            r = remove_property(build, path);
        else if (point != SITE_NONE)
            r = patch_point(build, wants, path, point, value);
        else if (known && json_is_object(value) && profile_has_below(build->profile, path))
            r = patch_object(build, wants, path, value);
        else
            r = patch_unknown(build, path);
        if (r != 0)
            return r;
    }
    return 0;
}

int build_patch(struct build *build)
{
    json_t *properties = build->action->arguments;
    struct wants wants = {0};

    if (properties && !json_is_object(properties) && !json_is_null(properties))
        return build_refuse(build, 400, "BadRequest",
                            "a twin patch is an object of properties");
    wants.items = calloc(build->profile->point_count + 1, sizeof(*wants.items));
    int r = wants.items ? patch_object(build, &wants, "", properties) : -ENOMEM;
    if (r == 0) {
        wants_sort(build->profile, wants.items, wants.count);
        r = build_writes(build, wants.items, wants.count);
    }
    free(wants.items);
    return r;
}

static int write_point(struct build *build, struct want *want, const char *name,
                       const json_t *value)
{
    size_t point = profile_point(build->profile, name);
    struct value_error error;

    if (point == SITE_NONE)
        return build_unknown_point(build, name);
    if (!build->profile->points[point].writable)
        return build_refuse(build, 405, "NotWritable", "%s cannot be written", name);
    int r = want_set(want, build->profile, point, value, &error);
    if (r > 0)
        return build_refuse(build, 400, value_error_code(r), "%s", error.text);
    return build_result(build, point, &want->result);
}

int build_write(struct build *build)
{
    json_t *points = build->action->arguments, *value;
    const char *name;
    size_t count = 0;
    int r = 0;

    if (points && !json_is_object(points) && !json_is_null(points))
        return build_refuse(build, 400, "BadRequest",
                            "points to write are an object of values");
    struct want *wants = calloc(json_object_size(points) + 1, sizeof(*wants));
    if (!wants)
        return -ENOMEM;
    json_object_foreach(points, name, value)
    {
        r = write_point(build, &wants[count++], name, value);
        if (r != 0)
            break;
    }
    if (r == 0) {
        wants_sort(build->profile, wants, count);
        r = build_writes(build, wants, count);
    }
    free(wants);
    return r;
}
