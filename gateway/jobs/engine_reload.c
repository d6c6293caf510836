/* Another site is prepared: what it changes comes to rest, everything else goes on. Then
   nothing that has begun looks at the old site, and the new one can take its place
   (engine_reload_take.c).
 */
#include "jobs/engine_private.h"
#include "site/same.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A pulse is paid back when its line is up again; a reload waits no longer than this for it. */
#define PAY_BACK_PATIENCE_US (60 * INT64_C(1000000))

void reload_free(struct reload *reload)
{
    if (!reload)
        return;
    free(reload->device_to);
    free(reload->device_from);
    free(reload->changed);
    free(reload->line_to);
    free(reload->line_from);
    free(reload->rewired);
    free(reload->profile_to);
    free(reload);
}

static size_t *indexes(size_t count)
{
    size_t *made = calloc(count + 1, sizeof(*made));

    for (size_t i = 0; made && i < count; i++)
        made[i] = SITE_NONE;
    return made;
}

static struct reload *reload_new(const struct site *old, const struct site *site)
{
    struct reload *reload = calloc(1, sizeof(*reload));

    if (!reload)
        return NULL;
    *reload = (struct reload){.site = site,
                              .device_to = indexes(old->device_count),
                              .device_from = indexes(site->device_count),
                              .changed = calloc(old->device_count + 1, sizeof(bool)),
                              .line_to = indexes(old->line_count),
                              .line_from = indexes(site->line_count),
                              .rewired = calloc(old->line_count + 1, sizeof(bool)),
                              .profile_to = indexes(old->profile_count)};
    if (reload->device_to && reload->device_from && reload->changed && reload->line_to &&
        reload->line_from && reload->rewired && reload->profile_to)
        return reload;
    reload_free(reload);
    return NULL;
}

static void match_lines(struct reload *reload, const struct site *old)
{
    const struct site *site = reload->site;

    for (size_t i = 0; i < old->line_count; i++) {
        reload->rewired[i] = true;
        for (size_t k = 0; k < site->line_count; k++) {
            if (strcmp(old->lines[i].name, site->lines[k].name) != 0)
                continue;
            reload->line_to[i] = k;
            reload->line_from[k] = i;
            reload->rewired[i] = !same_wire(&old->lines[i], &site->lines[k]);
        }
    }
}

static void match_profiles(struct reload *reload, const struct site *old)
{
    const struct site *site = reload->site;

    for (size_t i = 0; i < old->profile_count; i++) {
        for (size_t k = 0; k < site->profile_count; k++) {
            if (same_profile(&old->profiles[i], &site->profiles[k]))
                reload->profile_to[i] = k;
        }
    }
}

static void match_devices(struct reload *reload, const struct site *old)
{
    const struct site *site = reload->site;

    for (size_t i = 0; i < old->device_count; i++) {
        const struct device *was = &old->devices[i];
        size_t to = site_device(site, was->id);

        reload->changed[i] = true;
        if (to == SITE_NONE)
            continue;
        const struct device *is = &site->devices[to];
        reload->device_to[i] = to;
        reload->device_from[to] = i;
        reload->changed[i] = reload->line_to[was->line] != is->line || was->unit != is->unit ||
                             reload->profile_to[was->profile] != is->profile;
    }
}

static void let_go(struct engine *engine)
{
    for (size_t i = 0; i < engine->site->device_count; i++)
        engine->devices[i].held = false;
    for (size_t i = 0; i < engine->site->line_count; i++) {
        engine->lines[i].held = false;
        engine->lines[i].wake_us = 0;
    }
    reload_free(engine->reload);
    engine->reload = NULL;
}

int engine_prepare(struct engine *engine, const struct site *site)
{
    struct reload *reload = site ? reload_new(engine->site, site) : NULL;

    if (site && !reload)
        return -ENOMEM;
    let_go(engine);
    if (!reload)
        return 0;
    match_lines(reload, engine->site);
    match_profiles(reload, engine->site);
    match_devices(reload, engine->site);
    for (size_t i = 0; i < engine->site->device_count; i++)
        engine->devices[i].held = reload->changed[i];
    engine->reload = reload;
    return 0;
}

static bool is_at_rest(const struct device_state *state)
{
    return !state->held || (!state->running && !state->out);
}

/* A line that is down does not come back for a reload's sake. */
static void give_up(struct engine *engine, size_t device, struct moment now)
{
    static const char why[] = "the line was down when the site was changed around it";
    struct device_state *state = &engine->devices[device];
    const struct line_state *line = &engine->lines[engine->site->devices[device].line];

    if (is_at_rest(state) || state->out || !line->known || line->up ||
        now.boot_us < line->down_us + PAY_BACK_PATIENCE_US)
        return;
    run_abandon(state->running->run, why, now);
    task_end(engine, state->running, now);
}

bool engine_is_prepared(struct engine *engine, struct moment now)
{
    bool rests = true;

    for (size_t i = 0; i < engine->site->device_count; i++) {
        give_up(engine, i, now);
        rests &= is_at_rest(&engine->devices[i]);
    }
    if (!rests)
        return false;
    /* Only now, since what had to end may have needed the wire. */
    for (size_t i = 0; i < engine->site->line_count; i++) {
        engine->lines[i].held = engine->reload->rewired[i];
        rests &= !engine->lines[i].held || engine->lines[i].out == 0;
    }
    return rests;
}

bool engine_waits_for(const struct engine *engine, char *text, size_t size)
{
    enum { NAMED_MOST = 5 };
    size_t count = 0;
    int used = 0;

    snprintf(text, size, "%s", "");
    for (size_t i = 0; i < engine->site->device_count; i++) {
        if (is_at_rest(&engine->devices[i]))
            continue;
        if (count++ < NAMED_MOST && (size_t)used < size)
            used += snprintf(text + used, size - (size_t)used, "%s%.60s", count > 1 ? ", " : "",
                             engine->site->devices[i].id);
    }
    if (count > NAMED_MOST && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, " and %zu more", count - NAMED_MOST);
    return count > 0;
}
