#include "commands/check_show.h"

#include "site/raw.h"
#include "site/value.h"

#include <stdlib.h>

/* Sets a key where the value could be made; what could not is null, and told by the caller's
   shape, never by a missing comma. */
static void set(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value ? value : json_null());
}

static json_t *problems_json(const struct problems *problems)
{
    json_t *list = json_array();

    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];

        (void)json_array_append_new(
            list, json_pack("{s:s, s:i, s:s, s:s}", "file", problem->file, "line",
                            (int)problem->line, "severity",
                            problem->warning ? "warning" : "error", "text", problem->text));
    }
    return list;
}

static json_t *line_json(const struct line_config *line)
{
    json_t *object =
        json_pack("{s:s, s:s}", "name", line->name, "adapter", line->adapter->name);
    char mode[8];

    if (line->adapter->serial) {
        snprintf(mode, sizeof(mode), "%u%c%u", line->settings.data_bits, line->settings.parity,
                 line->settings.stop_bits);
        set(object, "port", json_string(line->port));
        set(object, "baud", json_integer(line->settings.baud));
        set(object, "mode", json_string(mode));
        set(object, "rs485", json_boolean(line->settings.rs485));
    } else {
        set(object, "host", json_string(line->host));
        set(object, "port", json_integer(line->settings.tcp_port));
    }
    set(object, "timeout_ms", json_real((double)line->timeout_us / 1000));
    set(object, "retries", json_integer(line->retries));
    set(object, "gap_ms", json_real((double)line->gap_us / 1000));
    return object;
}

static json_t *device_json(const struct site *site, const struct device *device)
{
    return json_pack("{s:s, s:s, s:i, s:s, s:O}", "id", device->id, "line",
                     site->lines[device->line].name, "unit", (int)device->unit, "profile",
                     site->profiles[device->profile].name, "tags", device->tags);
}

static json_t *values_json(const struct point *point)
{
    json_t *object = json_object();

    for (size_t i = 0; i < point->value_count; i++)
        set(object, point->values[i].name, json_integer(point->values[i].raw));
    return object;
}

static json_t *point_json(const struct point *point)
{
    char where[64];
    json_t *object;

    point_where(point, where, sizeof(where));
    object = json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:b, s:b, s:s, s:b, s:s}", "name",
                       point->name, "where", where, "table", table_name(point->table),
                       "address", (int)point->address, "count", (int)point->count, "type",
                       point_type_name(point->type), "readable", (int)point->readable,
                       "writable", (int)point->writable, "kind",
                       point->kind == POINT_TRIGGER ? "trigger" : "state", "verify",
                       (int)point->verify, "property", point->property);
    if (point->bit_count)
        set(object, "bits", json_pack("[i, i]", (int)point->bit_low, (int)point->bit_count));
    if (point->scaled) {
        set(object, "scale", json_real(point->scale));
        set(object, "offset", json_real(point->offset));
    }
    if (point->unit)
        set(object, "unit", json_string(point->unit));
    if (point->has_min)
        set(object, "min", json_real(point->min));
    if (point->has_max)
        set(object, "max", json_real(point->max));
    if (point->value_count)
        set(object, "values", values_json(point));
    if (point->poll_ms)
        set(object, "poll", json_real((double)point->poll_ms / 1000));
    return object;
}

static json_t *step_json(const struct profile *profile, const struct step *step)
{
    static const char *const names[] = {[STEP_WRITE] = "write",
                                        [STEP_PULSE] = "pulse",
                                        [STEP_WAIT] = "wait",
                                        [STEP_EXPECT] = "expect",
                                        [STEP_READ] = "read"};
    json_t *object = json_object(), *list = step->kind == STEP_READ ? json_array() : NULL;

    for (size_t i = 0; i < step->point_count; i++)
        (void)json_array_append_new(list, json_string(profile->points[step->points[i]].name));
    if (step->kind == STEP_READ)
        set(object, "read", list);
    else if (step->kind == STEP_WAIT)
        set(object, "wait", json_real((double)step->duration_ms / 1000));
    else
        set(object, names[step->kind], json_string(profile->points[step->point].name));
    if (step->value)
        set(object, "value", json_incref(step->value));
    if (step->arg)
        set(object, "arg", json_string(step->arg));
    if (step->fallback)
        set(object, "default", json_incref(step->fallback));
    if (step->has_min)
        set(object, "min", json_real(step->min));
    if (step->has_max)
        set(object, "max", json_real(step->max));
    if (step->kind == STEP_PULSE)
        set(object, "seconds", json_real((double)step->duration_ms / 1000));
    if (step->kind == STEP_EXPECT)
        set(object, "within", json_real((double)step->within_ms / 1000));
    return object;
}

static json_t *method_json(const struct profile *profile, const struct method *method)
{
    json_t *steps = json_array();

    for (size_t i = 0; i < method->step_count; i++)
        (void)json_array_append_new(steps, step_json(profile, &method->steps[i]));
    return json_pack("{s:s, s:s?, s:b, s:s, s:o}", "name", method->name, "title", method->title,
                     "repeatable", (int)method->repeatable, "on_failure",
                     method->restore ? "restore" : "stop", "steps", steps);
}

static json_t *profile_json(const struct profile *profile)
{
    json_t *points = json_array(), *methods = json_array();

    for (size_t i = 0; i < profile->point_count; i++)
        (void)json_array_append_new(points, point_json(&profile->points[i]));
    for (size_t i = 0; i < profile->method_count; i++)
        (void)json_array_append_new(methods, method_json(profile, &profile->methods[i]));
    return json_pack("{s:s, s:s?, s:s, s:i, s:i, s:o, s:o}", "name", profile->name, "title",
                     profile->title, "file", profile->place.file, "max_read",
                     (int)profile->max_read, "max_write", (int)profile->max_write, "points",
                     points, "methods", methods);
}

json_t *check_show_json(const struct site *site, const struct problems *problems)
{
    json_t *root = json_object();
    json_t *lines = json_array(), *devices = json_array(), *profiles = json_array();

    set(root, "valid", json_boolean(site != NULL));
    set(root, "problems", problems_json(problems));
    for (size_t i = 0; site && i < site->line_count; i++)
        (void)json_array_append_new(lines, line_json(&site->lines[i]));
    for (size_t i = 0; site && i < site->device_count; i++)
        (void)json_array_append_new(devices, device_json(site, &site->devices[i]));
    for (size_t i = 0; site && i < site->profile_count; i++)
        (void)json_array_append_new(profiles, profile_json(&site->profiles[i]));
    if (!site) {
        json_decref(lines);
        json_decref(devices);
        json_decref(profiles);
        return root;
    }
    set(root, "gateway", json_string(site->id));
    set(root, "lines", lines);
    set(root, "devices", devices);
    set(root, "profiles", profiles);
    return root;
}
