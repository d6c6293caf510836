/* The status page for people, and what it shows of a device beyond the hub's documents. */
#include "links/api_page.h"
#include "lines/plan_show.h"
#include "links/api_internal.h"

#include <stdlib.h>
#include <string.h>

/* Nothing from elsewhere, nothing inline, and nobody puts it into a frame. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

void get_page(struct exchange *exchange)
{
    const char *name = exchange->names[0] ? exchange->names[0] : "index.html";

    for (const struct page_file *file = page_files; file->name; file++) {
        if (strcmp(file->name, name) != 0)
            continue;
        exchange_header(exchange, "Content-Security-Policy", policy);
        exchange_header(exchange, "Referrer-Policy", "no-referrer");
        exchange_send_bytes(exchange, file->type, file->bytes, file->size);
        return;
    }
    exchange_refuse(exchange, 404, "NotFound", "no such file");
}

/* --- a device --- */

static void put_limits(json_t *object, const struct point *point)
{
    json_t *names;

    if (point->unit)
        json_object_set_new(object, "unit", json_string(point->unit));
    if (point->has_min)
        json_object_set_new(object, "min", json_real(point->min));
    if (point->has_max)
        json_object_set_new(object, "max", json_real(point->max));
    if (point->value_count == 0)
        return;
    names = json_array();
    for (size_t i = 0; i < point->value_count; i++)
        json_array_append_new(names, json_string(point->values[i].name));
    json_object_set_new(object, "values", names);
}

/* With the value that was seen last: acknowledged ones carry it inside. */
static json_t *point_json(const struct point *point, const json_t *reported)
{
    json_t *object =
        json_pack("{s:s,s:s,s:b,s:b}", "name", point->name, "property", point->property,
                  "readable", (int)point->readable, "writable", (int)point->writable);
    json_t *value = twin_find(reported, point->property);
    json_t *inner = json_object_get(value, "ac") ? json_object_get(value, "value") : value;

    put_limits(object, point);
    if (inner)
        json_object_set(object, "value", inner);
    return object;
}

static bool has_argument(const json_t *arguments, const char *name)
{
    size_t i;
    json_t *each;

    json_array_foreach(arguments, i, each)
    {
        if (strcmp(json_string_value(json_object_get(each, "name")), name) == 0)
            return true;
    }
    return false;
}

static json_t *method_json(const struct profile *profile, const struct method *method)
{
    json_t *arguments = json_array();

    for (size_t i = 0; i < method->step_count; i++) {
        const struct step *step = &method->steps[i];
        json_t *argument;

        if (!step->arg || has_argument(arguments, step->arg))
            continue;
        argument = json_pack("{s:s,s:s}", "name", step->arg, "point",
                             profile->points[step->point].name);
        put_limits(argument, &profile->points[step->point]);
        if (step->fallback)
            json_object_set(argument, "default", step->fallback);
        json_array_append_new(arguments, argument);
    }
    return json_pack("{s:s,s:s?,s:b,s:o}", "name", method->name, "title", method->title,
                     "repeatable", (int)method->repeatable, "arguments", arguments);
}

/* The hub's device document, its points with their last values, and its methods. */
void get_detail(struct exchange *exchange)
{
    const struct site *site = exchange->api->settings.site;
    struct engine *engine = exchange->api->settings.engine;
    json_t *device = engine_devices_json(engine, exchange->names[0]);
    json_t *twin = device ? engine_twin_json(engine, exchange->names[0]) : NULL;
    json_t *points = json_array(), *methods = json_array();

    if (device && twin) {
        size_t index = site_device(site, exchange->names[0]);
        const struct profile *profile = &site->profiles[site->devices[index].profile];
        const json_t *reported =
            json_object_get(json_object_get(twin, "properties"), "reported");

        for (size_t i = 0; i < profile->point_count; i++)
            json_array_append_new(points, point_json(&profile->points[i], reported));
        for (size_t i = 0; i < profile->method_count; i++)
            json_array_append_new(methods, method_json(profile, &profile->methods[i]));
        json_object_set(device, "points", points);
        json_object_set(device, "methods", methods);
        exchange_send_json(exchange, 200, json_incref(device));
    } else {
        exchange_refuse(exchange, 404, "DeviceNotFound", "no device %s on this gateway",
                        exchange->names[0]);
    }
    json_decref(points);
    json_decref(methods);
    json_decref(twin);
    json_decref(device);
}

/* --- a plan --- */

/* {"methodName", "payload"}, {"desired"} or {"write"}; false: none of them. */
static bool read_action(struct action *action, const json_t *body)
{
    const char *method = json_string_value(json_object_get(body, "methodName"));
    json_t *desired = json_object_get(body, "desired"),
           *values = json_object_get(body, "write");

    *action = (struct action){.kind = ACTION_METHOD};
    if (method) {
        action->method = strdup(method);
        action->arguments = json_incref(json_object_get(body, "payload"));
        return action->method;
    }
    action->kind = json_is_object(desired) ? ACTION_PATCH : ACTION_WRITE;
    action->arguments = json_incref(json_is_object(desired) ? desired : values);
    return json_is_object(action->arguments);
}

static void send_plan(struct exchange *exchange, const struct action *action)
{
    const struct site *site = exchange->api->settings.site;
    const struct device *device = &site->devices[site_device(site, exchange->names[0])];
    struct plan_error error = {0};
    struct plan *plan;
    int r = plan_new(&plan, site, device->profile, action, &error);

    if (r < 0) {
        exchange_refuse_memory(exchange);
    } else if (r == PLAN_E_REFUSED) {
        exchange_refuse(exchange, 400, "ArgumentInvalid", "%s: %s", error.code, error.text);
    } else {
        struct plan_view view = {site, device, plan};

        exchange_send_json(exchange, 200, plan_show_json(&view));
        plan_free(plan);
    }
}

/* What a call would send, and how long that takes; sends nothing. */
void post_plan(struct exchange *exchange)
{
    struct action action;
    json_t *body;

    if (site_device(exchange->api->settings.site, exchange->names[0]) == SITE_NONE) {
        exchange_refuse(exchange, 404, "DeviceNotFound", "no device %s on this gateway",
                        exchange->names[0]);
        return;
    }
    if (!exchange_read_json(exchange, &body))
        return;
    if (read_action(&action, body))
        send_plan(exchange, &action);
    else
        exchange_refuse(exchange, 400, "ArgumentInvalid",
                        "methodName with payload, desired, or write is wanted");
    action_deinit(&action);
    json_decref(body);
}
