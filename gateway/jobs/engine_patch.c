/* Twin patches: desired properties taken, superseded, and acknowledged one by one. */
#include "jobs/engine_private.h"
#include "jobs/metadata.h"
#include "site/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tags of a patch stand on those of the file. */
static int take_tags(struct engine *engine, size_t device, const json_t *tags)
{
    struct twin *twin = &engine->devices[device].twin;

    if (!twin->tags)
        twin->tags = json_deep_copy(engine->site->devices[device].tags);
    return twin_patch_tags(twin, tags);
}

int patch_take(struct engine *engine, struct task *task)
{
    const struct action *action = &task->job->request->action;
    struct twin *twin = &engine->devices[task->device].twin;
    int r = 0;

    if (action->tags)
        r = take_tags(engine, task->device, action->tags);
    if (r == 0 && json_object_size(action->arguments) > 0) { /* tags alone: no new version */
        r = twin_patch_desired(twin, action->arguments);
        metadata_patch(&twin->desired_times, twin->desired, action->arguments, task->changed_ms,
                       twin->desired_version);
    }
    /* Acknowledged by the number that the broker's back end knows, where it gave one. IoT Hub's
       own number stands beside the gateway's, for the hub alone. */
    const struct request *request = task->job->request;
    bool own = request->has_version && request->origin.link == LINK_BROKER;
    task->version = own ? request->version : twin->desired_version;
    return r;
}

/* Has a later patch named this property? One that waits in the device's queue, or one that went
   ahead, as single calls do: then the document holds another value than this patch gave it. */
static bool superseded(const struct engine *engine, const struct task *task,
                       const char *property)
{
    const struct device_state *state = &engine->devices[task->device];
    const json_t *wanted = twin_find(task->job->request->action.arguments, property);

    if (wanted && !json_equal(twin_find(state->twin.desired, property), wanted))
        return true;
    for (const struct task *later = state->first; later; later = later->next) {
        const struct action *action = &later->job->request->action;

        if (later != task && later->job->order > task->job->order &&
            action->kind == ACTION_PATCH && twin_find(action->arguments, property))
            return true;
    }
    return false;
}

static void drop_path(json_t *object, const char *path)
{
    const char *dot = strchr(path, '.');

    if (!dot) {
        json_object_del(object, path);
        return;
    }
    char name[256];
    snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
    drop_path(json_object_get(object, name), dot + 1);
}

static int add_superseded(struct plan *plan, const char *property)
{
    struct plan_refusal *grown =
        realloc(plan->refusals, (plan->refusal_count + 1) * sizeof(*plan->refusals));

    if (!grown)
        return -ENOMEM;
    plan->refusals = grown;
    plan->refusals[plan->refusal_count++] = (struct plan_refusal){
        .name = strdup(property),
        .status = code_status(CODE_SUPERSEDED),
        .code = code_name(CODE_SUPERSEDED),
        .text = strdup("a newer desired value came before this one was written")};
    return 0;
}

struct plan *patch_plan_without(const struct engine *engine, const struct task *task,
                                const struct plan *plan, const json_t *names)
{
    struct action action = {.kind = ACTION_PATCH,
                            .arguments = json_deep_copy(task->job->request->action.arguments)};
    struct plan_error error;
    struct plan *own = NULL;
    json_t *name;
    size_t i;

    json_array_foreach(names, i, name) drop_path(action.arguments, json_string_value(name));
    if (plan_new(&own, engine->site, plan->profile, &action, &error) == 0) {
        json_array_foreach(names, i, name) add_superseded(own, json_string_value(name));
    }
    json_decref(action.arguments);
    return own;
}

struct plan *patch_without_superseded(struct engine *engine, struct task *task,
                                      const struct plan *plan)
{
    const struct profile *profile = &engine->site->profiles[plan->profile];
    struct plan *own = NULL;

    json_t *names = json_array();
    for (size_t i = 0; i < plan->result_count; i++) {
        const char *property = profile->points[plan->results[i].point].property;

        if (superseded(engine, task, property))
            json_array_append_new(names, json_string(property));
    }
    if (json_array_size(names) > 0)
        own = patch_plan_without(engine, task, plan, names);
    json_decref(names);
    return own;
}

/* What became of one property, in the order of the patch. */
struct property_end {
    const char *path;
    int status;
    enum code code;
    const char *text;
    const struct point_result *result; /* NULL: it never came to the wire */
    const struct point *point;
};

static size_t ends_of(const struct task *task, struct property_end *ends)
{
    const struct plan *plan = task->run->plan;
    const struct profile *profile = &task->run->site->profiles[plan->profile];
    size_t count = 0;

    for (size_t i = 0; i < plan->result_count; i++) {
        const struct point_result *result = &task->run->results[i];
        const struct point *point = &profile->points[plan->results[i].point];
        enum code code = result->code;

        if (result->result == RESULT_NOT_SENT && code == CODE_NONE)
            code = task->run->code != CODE_NONE ? task->run->code : CODE_INTERRUPTED;
        ends[count++] =
            (struct property_end){.path = point->property,
                                  .status = code_status(code),
                                  .code = code,
                                  .text = result->text ? result->text : task->run->text,
                                  .result = result,
                                  .point = point};
    }
    for (size_t i = 0; i < plan->refusal_count; i++)
        ends[count++] = (struct property_end){.path = plan->refusals[i].name,
                                              .status = plan->refusals[i].status,
                                              .code = code_find(plan->refusals[i].code),
                                              .text = plan->refusals[i].text};
    return count;
}

/* Where a property stands in the patch as it was sent: *place counts the names before it. A
   failed record names the first. */
static bool find_place(const json_t *patch, const char *path, size_t *place)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)patch, key, value)
    {
        size_t length = strlen(key);
        bool starts = strncmp(path, key, length) == 0;

        if (starts && path[length] == '\0')
            return true;
        ++*place;
        if (starts && path[length] == '.' && find_place(value, path + length + 1, place))
            return true;
    }
    return false;
}

/* Most sentences about a value begin with its name already. */
static void blame(const char *path, const char *why, char *text, size_t size)
{
    size_t length = strlen(path);
    bool named = strncmp(why, path, length) == 0 && (why[length] == ':' || why[length] == ' ');

    if (named)
        snprintf(text, size, "%s", why);
    else
        snprintf(text, size, "%s: %s", path, why);
}

char *patch_payload(const struct task *task, enum code *code, char *text, size_t size)
{
    const struct plan *plan = task->run->plan;
    const json_t *patch = task->job->request->action.arguments;
    struct property_end *ends =
        calloc(plan->result_count + plan->refusal_count + 1, sizeof(*ends));
    size_t count = ends ? ends_of(task, ends) : 0, failed = 0, first = SIZE_MAX;

    *code = ends ? CODE_NONE : CODE_STORE_UNAVAILABLE;
    snprintf(text, size, "%s", "");
    for (size_t i = 0; i < count; i++) {
        if (ends[i].code == CODE_NONE)
            continue;
        size_t place = 0;
        find_place(patch, ends[i].path, &place);
        failed++;
        if (place < first) {
            first = place;
            *code = ends[i].code;
            blame(ends[i].path, ends[i].text, text, size);
        }
    }
    if (failed > 0 && count > 1) {
        char counted[400];

        snprintf(counted, sizeof(counted), "%zu of %zu properties failed; %.300s", failed,
                 count, text);
        snprintf(text, size, "%s", counted);
    }
    free(ends);

    return run_payload_with(task->run, *code, text);
}

/* What was refused has left it as it was; what may have been obeyed, nobody knows. */
static const json_t *left_value(const struct twin *twin, const char *path, enum code code,
                                const struct point_result *result)
{
    bool may_have = code == CODE_OUTCOME_UNKNOWN || code == CODE_INTERRUPTED;
    bool refused =
        !result || result->result == RESULT_NOT_SENT || result->result == RESULT_REFUSED;

    return refused && !may_have ? twin_known_value(twin, path) : NULL;
}

/* What the device holds after it. */
static json_t *held_value(const struct twin *twin, const struct property_end *end)
{
    struct value_error error;

    if (!end->result || !end->result->holds.known)
        return json_incref(
            (json_t *)(uintptr_t)left_value(twin, end->path, end->code, end->result));
    const struct reading *holds = &end->result->holds;
    return value_decode(end->point, holds->long_words ? holds->long_words : holds->words,
                        &error);
}

static const char *sentence_of(const struct property_end *end)
{
    return end->code == CODE_NONE ? result_name(end->result->result) : end->text;
}

/* How all properties of a patch ended, where none came to the wire. */
struct patch_end {
    struct twin *twin;
    const struct profile *profile;
    const struct request *request;
    enum code code;
    int64_t version;
    const char *text;
    int64_t now_ms;
};

/* The hub's own number of what is acknowledged; 0: it was not the hub's. */
static int64_t hub_version(const struct request *request)
{
    return request->origin.link == LINK_IOTHUB && request->has_version ? request->version : 0;
}

static void forget(struct twin *twin, const char *path)
{
    twin_forget(twin, path);
    metadata_forget(twin->reported_times, path);
    twin_acknowledge_hub(twin, path, 0);
}

/* No deeper than the profile's own paths go, and no name that a twin may not have. */
static void acknowledge_all(const struct patch_end *end, const json_t *patch,
                            const char *prefix)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)patch, key, value)
    {
        char path[512];
        int n = snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", key);

        if (!twin_name_is_good(key) || n < 0 || (size_t)n >= sizeof(path))
            continue;
        if (json_is_null(value)) {
            forget(end->twin, path);
        } else if (json_is_object(value) && profile_has_below(end->profile, path)) {
            acknowledge_all(end, value, path);
        } else {
            twin_acknowledge(end->twin, path, left_value(end->twin, path, end->code, NULL),
                             code_status(end->code), end->version, end->text);
            metadata_set(&end->twin->reported_times, path, end->now_ms, 0);
            twin_acknowledge_hub(end->twin, path, hub_version(end->request));
        }
    }
}

void patch_refused(struct engine *engine, const struct request *request, size_t device,
                   enum code code, const char *text, struct moment now)
{
    struct twin *twin = &engine->devices[device].twin;
    struct patch_end end = {.twin = twin,
                            .profile =
                                &engine->site->profiles[engine->site->devices[device].profile],
                            .request = request,
                            .code = code,
                            .version = twin->desired_version,
                            .text = text,
                            .now_ms = now.wall_ms};
    int64_t before = twin->reported_version;

    acknowledge_all(&end, request->action.arguments, "");
    if (twin->reported_version == before)
        return;
    if (engine->takes)
        keep_twin(engine, device);
    reported_changed(engine, device, now);
}

bool patch_acknowledge(struct engine *engine, struct task *task, const char *text,
                       struct moment now)
{
    struct twin *twin = &engine->devices[task->device].twin;
    int64_t before = twin->reported_version;

    if (!task->run) {
        struct patch_end end = {
            .twin = twin,
            .profile = &engine->site->profiles[engine->site->devices[task->device].profile],
            .request = task->job->request,
            .code = task->code,
            .version = task->version,
            .text = text,
            .now_ms = now.wall_ms};

        acknowledge_all(&end, task->job->request->action.arguments, "");
        return twin->reported_version != before;
    }
    const struct plan *plan = task->run->plan;
    struct property_end *ends =
        calloc(plan->result_count + plan->refusal_count + 1, sizeof(*ends));
    size_t count = ends ? ends_of(task, ends) : 0;
    for (size_t i = 0; i < count; i++) {
        json_t *value = held_value(twin, &ends[i]);

        if (ends[i].code != CODE_SUPERSEDED) { /* the newer one acknowledges it */
            twin_acknowledge(twin, ends[i].path, value, ends[i].status, task->version,
                             sentence_of(&ends[i]));
            metadata_set(&twin->reported_times, ends[i].path, now.wall_ms, 0);
            twin_acknowledge_hub(twin, ends[i].path, hub_version(task->job->request));
        }
        json_decref(value);
    }
    free(ends);
    for (size_t i = 0; i < plan->removed_count; i++)
        forget(twin, plan->removed[i]);
    return twin->reported_version != before;
}
