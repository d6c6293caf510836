/* Which patches were taken, which are refused whole, and what is remembered of them by link. */
#include "jobs/engine_private.h"

bool patch_is_old(const struct engine *engine, const struct request *request, size_t device)
{
    const struct device_state *state = &engine->devices[device];

    if (request->action.kind != ACTION_PATCH || request->origin.link != LINK_BROKER)
        return false;
    if (request->has_version)
        return request->version <= state->twin.applied_version;
    return request->retained && state->last_patch &&
           json_equal(state->last_patch, request->action.arguments);
}

void patch_remember(struct engine *engine, const struct request *request, size_t device)
{
    struct device_state *state = &engine->devices[device];

    if (request->action.kind == ACTION_PATCH && request->origin.link == LINK_IOTHUB)
        twin_take_hub(&state->twin, request->version, request->document);
    if (request->action.kind != ACTION_PATCH || request->origin.link != LINK_BROKER)
        return;
    if (request->has_version)
        state->twin.applied_version = request->version;
    json_decref(state->last_patch);
    state->last_patch = json_deep_copy(request->action.arguments);
}

/* Taken, and then refused before it began: when it comes again it is new. */
void patch_forget(struct engine *engine, const struct request *request, size_t device)
{
    struct device_state *state = &engine->devices[device];

    if (request->action.kind != ACTION_PATCH || request->origin.link != LINK_BROKER)
        return;
    if (request->has_version && state->twin.applied_version == request->version)
        state->twin.applied_version = request->version - 1;
    json_decref(state->last_patch);
    state->last_patch = NULL;
    if (engine->takes)
        keep_twin(engine, device);
}

char *patch_objection(const struct request *request)
{
    const struct action *action = &request->action;
    char *why = NULL;

    if (action->kind != ACTION_PATCH)
        return NULL;
    if (action->arguments && !json_is_null(action->arguments))
        why = twin_refuses(action->arguments, false);
    if (!why && action->tags)
        why = twin_refuses(action->tags, true);
    return why;
}

/* Nobody waits for the answer to a patch of IoT Hub, so its refusal is told where a success
   would be. What was refused for good is not asked again; what could not be taken now is. */
void patch_refuse(struct engine *engine, const struct request *request, size_t device,
                  enum code code, const char *text, struct moment now)
{
    if (request->origin.link != LINK_IOTHUB || request->action.kind != ACTION_PATCH ||
        device == SITE_NONE || engine->stopping)
        return;
    if (code != CODE_QUEUE_FULL && code != CODE_STORE_UNAVAILABLE)
        patch_remember(engine, request, device);
    patch_refused(engine, request, device, code, text, now);
}

int64_t engine_hub_version(const struct engine *engine, size_t index, const json_t **desired)
{
    const struct twin *twin = &engine->devices[index].twin;

    *desired = twin->hub_desired;
    return twin->hub_version;
}
