#include "jobs/tally.h"
#include "links/api_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_LEAST_S = 5, CALL_MOST_S = 300 }; /* the hub's limits of responseTimeoutInSeconds */

static bool find_device(struct exchange *exchange)
{
    if (site_device(exchange->api->settings.site, exchange->names[0]) != SITE_NONE)
        return true;
    exchange_refuse(exchange, 404, "DeviceNotFound", "no device %s on this gateway",
                    exchange->names[0]);
    return false;
}

/* All of them, or the first `top`, as some of the hub's clients ask. */
void get_devices(struct exchange *exchange)
{
    const char *top = http_target_parameter(&exchange->target, "top");
    size_t most = SIZE_MAX;
    json_t *devices;

    if (top && *top && http_count_parse(&most, top, API_DEVICES_MOST) != 0) {
        exchange_refuse(exchange, 400, "ArgumentInvalid", "top is a number from 1 to %d",
                        API_DEVICES_MOST);
        return;
    }
    devices = engine_devices_json(exchange->api->settings.engine, NULL);
    while (json_array_size(devices) > most)
        json_array_remove(devices, json_array_size(devices) - 1);
    exchange_send_json(exchange, 200, devices);
}

void get_device(struct exchange *exchange)
{
    if (find_device(exchange))
        exchange_send_json(
            exchange, 200,
            engine_devices_json(exchange->api->settings.engine, exchange->names[0]));
}

void get_statistics(struct exchange *exchange)
{
    json_int_t count = (json_int_t)exchange->api->settings.site->device_count;

    exchange_send_json(exchange, 200,
                       json_pack("{s:I,s:I,s:i}", "totalDeviceCount", count,
                                 "enabledDeviceCount", count, "disabledDeviceCount", 0));
}

void exchange_send_twin(struct exchange *exchange, const char *device_id)
{
    json_t *twin = engine_twin_json(exchange->api->settings.engine, device_id);
    const char *etag = json_string_value(json_object_get(twin, "etag"));
    char text[40];

    if (!twin) {
        exchange_refuse_code(exchange, CODE_UNKNOWN_DEVICE, "no such device any more");
        return;
    }
    snprintf(text, sizeof(text), "\"%.32s\"", etag ? etag : "");
    exchange_header(exchange, "ETag", text);
    exchange_send_json(exchange, 200, twin);
}

void get_twin(struct exchange *exchange)
{
    if (find_device(exchange))
        exchange_send_twin(exchange, exchange->names[0]);
}

/* Takes arguments; NULL without memory. */
static struct request *call_new(struct exchange *exchange, enum action_kind kind,
                                json_t *arguments)
{
    struct request *request = request_new(REQUEST_CALL, LINK_API);

    if (request) {
        request->device_id = strdup(exchange->names[0]);
        request->timeout_s = API_CALL_S;
        request->action.kind = kind;
        request->action.arguments = arguments;
        if (request->device_id)
            return request;
        request->action.arguments = NULL;
    }
    request_free(request);
    json_decref(arguments);
    return NULL;
}

static void ask(struct exchange *exchange, enum waiting waiting, struct request *request)
{
    if (request)
        exchange_ask(exchange, waiting, request);
    else
        exchange_refuse_memory(exchange);
}

/* If-Match is the etag that the caller has seen: another one, and somebody else was first. */
static bool etag_matches(struct exchange *exchange)
{
    const char *wanted = exchange_asked(exchange, "If-Match");
    json_t *twin;
    bool matches;

    if (!wanted)
        return true;
    twin = engine_twin_json(exchange->api->settings.engine, exchange->names[0]);
    matches = twin && json_is_string(json_object_get(twin, "etag")) &&
              http_tag_matches(wanted, json_string_value(json_object_get(twin, "etag")));
    json_decref(twin);
    if (!matches)
        exchange_refuse(exchange, 412, "PreconditionFailed", "the twin has another etag");
    return matches;
}

static bool section_refused(struct exchange *exchange, const json_t *section, const char *name)
{
    char *why;

    if (!section)
        return false;
    if (!json_is_object(section)) {
        exchange_refuse(exchange, 400, "ArgumentInvalid", "%s is an object", name);
        return true;
    }
    why = twin_refuses(section, strcmp(name, "tags") == 0);
    if (!why)
        return false;
    exchange_refuse(exchange, 400, "ArgumentInvalid", "%s: %s", name, why);
    free(why);
    return true;
}

/* Without what a client sends back that has read the whole twin. */
static struct request *patch_new(struct exchange *exchange, const json_t *tags,
                                 const json_t *desired)
{
    json_t *arguments = NULL;
    struct request *request;

    if (desired && twin_without_system(&arguments, desired) < 0)
        return NULL;
    request = call_new(exchange, ACTION_PATCH, arguments ? arguments : json_object());
    if (request && tags && twin_without_system(&request->action.tags, tags) < 0) {
        request_free(request);
        request = NULL;
    }
    return request;
}

static void patch(struct exchange *exchange, json_t *tags, json_t *desired)
{
    struct request *request = NULL;

    if (section_refused(exchange, tags, "tags") ||
        section_refused(exchange, desired, "properties.desired") || !etag_matches(exchange))
        return;
    exchange->device_id = strdup(exchange->names[0]);
    if (exchange->device_id)
        request = patch_new(exchange, tags, desired);
    ask(exchange, WAITING_PATCH, request);
}

struct sections {
    json_t *tags, *desired; /* borrowed; NULL: not given */
};

/* Both sections, or one of them; false: it is answered. */
static bool read_sections(struct exchange *exchange, json_t *body, struct sections *sections)
{
    *sections = (struct sections){0};
    if (json_is_object(body) && json_object_size(body) == 0) { /* nothing, and well said */
        if (etag_matches(exchange))
            exchange_send_twin(exchange, exchange->names[0]);
        return false;
    }
    if (json_is_object(body)) {
        sections->tags = json_object_get(body, "tags");
        sections->desired = json_object_get(json_object_get(body, "properties"), "desired");
    }
    if (sections->tags || sections->desired)
        return true;
    exchange_refuse(exchange, 400, "ArgumentInvalid",
                    "tags or properties.desired are wanted; \"desired\" alone stands in "
                    "\"properties\"");
    return false;
}

void patch_twin(struct exchange *exchange)
{
    struct sections sections;
    json_t *body;

    if (!find_device(exchange) || !exchange_read_json(exchange, &body))
        return;
    if (read_sections(exchange, body, &sections))
        patch(exchange, sections.tags, sections.desired);
    json_decref(body);
}

/* What is there and not wanted goes: the patch by which `now` becomes `wanted`. */
static void add_deletions(json_t *wanted, const json_t *now)
{
    const char *name;
    json_t *each;

    json_object_foreach((json_t *)(uintptr_t)now, name, each)
    {
        json_t *other = json_object_get(wanted, name);

        if (!other && name[0] != '$')
            json_object_set_new(wanted, name, json_null());
        else if (json_is_object(other) && json_is_object(each))
            add_deletions(other, each);
    }
}

/* PUT replaces the sections that it has. Nothing happens between this look and the patch. */
void put_twin(struct exchange *exchange)
{
    struct sections sections;
    json_t *body, *twin;

    if (!find_device(exchange) || !exchange_read_json(exchange, &body))
        return;
    if (read_sections(exchange, body, &sections)) {
        twin = engine_twin_json(exchange->api->settings.engine, exchange->names[0]);
        if (json_is_object(sections.tags))
            add_deletions(sections.tags, json_object_get(twin, "tags"));
        if (json_is_object(sections.desired))
            add_deletions(sections.desired,
                          json_object_get(json_object_get(twin, "properties"), "desired"));
        json_decref(twin);
        patch(exchange, sections.tags, sections.desired);
    }
    json_decref(body);
}

static bool read_seconds(struct exchange *exchange, const json_t *body, const char *name,
                         int least, unsigned *seconds)
{
    const json_t *value = json_object_get(body, name);

    if (!value || json_is_null(value))
        return true;
    if (json_is_integer(value) && json_integer_value(value) >= least &&
        json_integer_value(value) <= CALL_MOST_S) {
        *seconds = (unsigned)json_integer_value(value);
        return true;
    }
    exchange_refuse(exchange, 400, "ArgumentInvalid", "%s is a number from %d to %d", name,
                    least, CALL_MOST_S);
    return false;
}

static void call(struct exchange *exchange, const json_t *body)
{
    const char *method = json_string_value(json_object_get(body, "methodName"));
    unsigned timeout_s = API_CALL_S, connect_s = 0;
    struct request *request;

    if (!method) {
        exchange_refuse(exchange, 400, "ArgumentNull", "methodName is missing");
        return;
    }
    if (!id_is_method(method)) {
        exchange_refuse(exchange, 400, "ArgumentInvalid",
                        "a method's name has 1 to 100 of A-Z a-z 0-9 _ . * ~ -");
        return;
    }
    if (!read_seconds(exchange, body, "responseTimeoutInSeconds", CALL_LEAST_S, &timeout_s) ||
        !read_seconds(exchange, body, "connectTimeoutInSeconds", 0, &connect_s))
        return;
    request = call_new(exchange, ACTION_METHOD, json_incref(json_object_get(body, "payload")));
    if (request) {
        request->timeout_s = timeout_s;
        request->action.method = strdup(method);
        if (!request->action.method) {
            request_free(request);
            request = NULL;
        }
    }
    ask(exchange, WAITING_CALL, request);
}

void post_method(struct exchange *exchange)
{
    json_t *body;

    if (!find_device(exchange) || !exchange_read_json(exchange, &body))
        return;
    call(exchange, body);
    json_decref(body);
}

void post_read(struct exchange *exchange)
{
    json_t *body, *points;

    if (!find_device(exchange) || !exchange_read_json(exchange, &body))
        return;
    points = json_object_get(body, "points");
    if ((json_is_object(body) || json_is_null(body)) && (!points || json_is_array(points)))
        ask(exchange, WAITING_CALL, call_new(exchange, ACTION_READ, json_incref(points)));
    else
        exchange_refuse(exchange, 400, "ArgumentInvalid",
                        "{\"points\": [\"<point>\", ...]} is wanted, or nothing for all");
    json_decref(body);
}

void post_write(struct exchange *exchange)
{
    json_t *body;

    if (!find_device(exchange) || !exchange_read_json(exchange, &body))
        return;
    if (json_is_object(body) && json_object_size(body) > 0)
        ask(exchange, WAITING_CALL, call_new(exchange, ACTION_WRITE, json_incref(body)));
    else
        exchange_refuse(exchange, 400, "ArgumentInvalid",
                        "{\"<point>\": value, ...} is wanted");
    json_decref(body);
}
