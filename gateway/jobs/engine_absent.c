/* Devices that the site does not have: what is kept of them comes back with them, whether a
   reload or a restart brings them. Nothing is told of them meanwhile. */
#include "base/log.h"
#include "jobs/engine_private.h"

#include <stdlib.h>
#include <string.h>

/* Where it is, or would be, in the order of their ids. */
static size_t place_of(const struct engine *engine, const char *id, bool *there)
{
    size_t low = 0, high = engine->absent_count;

    *there = false;
    while (low < high && !*there) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(engine->absent[middle]->id, id);

        *there = order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return *there ? high : low;
}

struct absent *absent_of(struct engine *engine, const char *id)
{
    bool there;
    size_t at = place_of(engine, id, &there);

    if (there)
        return engine->absent[at];
    struct absent *absent = calloc(1, sizeof(*absent));
    struct absent **grown =
        reallocarray(engine->absent, engine->absent_count + 1, sizeof(struct absent *));
    if (!absent || !grown || !(absent->id = strdup(id)))
        abort();
    twin_init(&absent->twin);
    memmove(grown + at + 1, grown + at, (engine->absent_count - at) * sizeof(struct absent *));
    grown[at] = absent;
    engine->absent = grown;
    engine->absent_count++;
    return absent;
}

static void absent_free(struct absent *absent)
{
    twin_deinit(&absent->twin);
    wears_deinit(&absent->wears);
    json_decref(absent->file_tags);
    json_decref(absent->last_patch);
    json_decref(absent->owed);
    free(absent->last_outcome);
    free(absent->line);
    free(absent->id);
    free(absent);
}

void absent_leave(struct engine *engine, size_t device)
{
    const struct device *config = &engine->site->devices[device];
    struct device_state *state = &engine->devices[device];
    struct absent *absent = absent_of(engine, config->id);

    if (state->polled_moved)
        polled_keep_one(engine, device);
    absent->twin = state->twin;
    absent->file_tags = absent->twin.tags ? json_deep_copy(config->tags) : NULL;
    absent->last_patch = state->last_patch;
    absent->owed = state->owed;
    absent->line = strdup(engine->site->lines[config->line].name);
    absent->unit = config->unit;
    absent->last_outcome = state->last_outcome;
    absent->twin_number = state->twin_number;
    absent->wears = state->wears;
    twin_init(&state->twin);
    state->last_patch = state->owed = NULL;
    state->last_outcome = NULL;
    state->wears = (struct wears){0};
}

/* What is owed to a device is owed to the one at that place, as far as that is known. */
static void take_debts(struct absent *absent, const struct site *site,
                       const struct device *config)
{
    const char *line = site->lines[config->line].name;

    if (!absent->owed || !absent->line ||
        (strcmp(absent->line, line) == 0 && absent->unit == config->unit))
        return;
    log_warning("device %s: what is owed to it is given up: it is at another place now",
                config->id);
    json_decref(absent->owed);
    absent->owed = NULL;
}

void absent_return(struct engine *engine, const struct site *site, size_t device,
                   struct device_state *state)
{
    const struct device *config = &site->devices[device];
    bool there;
    size_t at = place_of(engine, config->id, &there);

    twin_init(&state->twin);
    if (!there)
        return;
    struct absent *absent = engine->absent[at];
    take_debts(absent, site, config);
    state->twin = absent->twin;
    state->last_patch = absent->last_patch;
    state->owed = absent->owed;
    state->last_outcome = absent->last_outcome;
    state->twin_number = absent->twin_number;
    state->wears = absent->wears;
    twin_init(&absent->twin);
    absent->last_patch = absent->owed = NULL;
    absent->last_outcome = NULL;
    absent->wears = (struct wears){0};
    state->tags_moved =
        absent->file_tags && twin_follow_file(&state->twin, absent->file_tags, config->tags);
    absent_free(absent);
    memmove(engine->absent + at, engine->absent + at + 1,
            (--engine->absent_count - at) * sizeof(struct absent *));
}

void absent_close(struct engine *engine)
{
    for (size_t i = 0; i < engine->absent_count; i++)
        absent_free(engine->absent[i]);
    free(engine->absent);
}
