#include "links/iothub_twin.h"

#include "base/clock.h"
#include "links/iothub_acks.h"
#include "twins/twin.h"

#include <string.h>

#define ANSWER_LIMIT_US INT64_C(60000000)
#define SECOND_US       INT64_C(1000000)
#define LONGEST_US      (64 * SECOND_US)
#define NOT_DONE_US     (60 * SECOND_US)

enum { STATUS_OK = 200, STATUS_BAD = 400, STATUS_TOO_MANY = 429 };

#define EACH(object) (json_t *)(uintptr_t)(object)

/* Without the hub's own members, and without the marks of components, which are no property. */
static json_t *own_members(const json_t *section)
{
    json_t *copy = json_object();
    const char *key;
    json_t *value;

    json_object_foreach(EACH(section), key, value)
    {
        if (key[0] == '$' || strcmp(key, "__t") == 0)
            continue;
        json_object_set_new(copy, key,
                            json_is_object(value) ? own_members(value) : json_deep_copy(value));
    }
    return copy;
}

/* --- life --- */

void hub_twin_init(struct hub_twin *twin)
{
    *twin = (struct hub_twin){.version = -1, .again_us = MOMENT_NEVER, .ours = json_object()};
}

void hub_twin_deinit(struct hub_twin *twin)
{
    json_decref(twin->desired);
    json_decref(twin->reported);
    json_decref(twin->wanted);
    json_decref(twin->extra);
    json_decref(twin->ours);
    json_decref(twin->refused);
    json_decref(twin->sent);
    *twin = (struct hub_twin){.version = -1};
}

static void set(json_t **place, json_t *value)
{
    json_decref(*place);
    *place = value;
}

void hub_twin_up(struct hub_twin *twin)
{
    hub_twin_down(twin);
    twin->up = true;
    twin->must_get = true;
}

void hub_twin_down(struct hub_twin *twin)
{
    twin->up = false;
    twin->must_get = false;
    twin->get_rid = twin->report_rid = 0;
    twin->missed = 0;
    twin->next_us = 0;
    twin->again_us = MOMENT_NEVER;
    twin->failures = 0;
    set(&twin->reported, NULL);
    set(&twin->sent, NULL);
}

void hub_twin_want(struct hub_twin *twin, json_t *document)
{
    set(&twin->wanted, document);
    twin_merge(twin->ours, document);
}

void hub_twin_want_extra(struct hub_twin *twin, json_t *extra)
{
    json_t *ours = json_object();

    set(&twin->extra, extra);
    json_object_set(ours, "jobgate", extra);
    twin_merge(twin->ours, ours);
    json_decref(ours);
}

void hub_twin_not_done(struct hub_twin *twin, int64_t now_us)
{
    if (twin->up)
        twin->again_us = now_us + NOT_DONE_US;
}

void hub_twin_recall(struct hub_twin *twin, int64_t version, const json_t *desired)
{
    twin->version = version;
    set(&twin->desired, desired ? json_deep_copy(desired) : json_object());
}

/* --- what to send --- */

static json_t *reported_patch(const struct hub_twin *twin)
{
    json_t *want = twin->wanted ? json_copy(twin->wanted) : json_object();
    json_t *kept = json_object_get(twin->reported, "jobgate");
    json_t *patch;

    if (twin->extra)
        json_object_set(want, "jobgate", twin->extra);
    else if (kept)
        json_object_set(want, "jobgate", kept);
    patch = hub_difference(twin->reported, want, twin->ours);
    json_decref(want);
    return patch;
}

static enum hub_twin_wants begin_report(struct hub_twin *twin, uint64_t rid, int64_t now_us,
                                        json_t **body)
{
    json_t *patch = reported_patch(twin);

    if (json_object_size(patch) == 0 || (twin->refused && json_equal(twin->refused, patch))) {
        json_decref(patch);
        return HUB_WANTS_NOTHING;
    }
    twin->report_rid = rid;
    twin->until_us = now_us + ANSWER_LIMIT_US;
    twin->sent = patch;
    *body = json_incref(patch);
    return HUB_WANTS_REPORT;
}

enum hub_twin_wants hub_twin_next(struct hub_twin *twin, uint64_t rid, int64_t now_us,
                                  json_t **body)
{
    bool waits = twin->get_rid || twin->report_rid;

    *body = NULL;
    if (!twin->up || now_us < twin->next_us || (waits && now_us < twin->until_us))
        return HUB_WANTS_NOTHING;
    if (waits) { /* the answer never came */
        twin->must_get |= twin->get_rid != 0;
        twin->get_rid = twin->report_rid = 0;
        set(&twin->sent, NULL);
    }
    if (now_us >= twin->again_us) {
        twin->must_get = true;
        twin->again_us = MOMENT_NEVER;
    }
    if (twin->must_get) {
        twin->must_get = false;
        twin->get_rid = rid;
        twin->until_us = now_us + ANSWER_LIMIT_US;
        return HUB_WANTS_GET;
    }
    return twin->reported ? begin_report(twin, rid, now_us, body) : HUB_WANTS_NOTHING;
}

static bool has_news(const struct hub_twin *twin)
{
    json_t *patch = twin->reported ? reported_patch(twin) : NULL;
    bool differs =
        json_object_size(patch) > 0 && !(twin->refused && json_equal(twin->refused, patch));

    json_decref(patch);
    return differs;
}

int64_t hub_twin_wake_us(const struct hub_twin *twin)
{
    int64_t again_us = twin->again_us > twin->next_us ? twin->again_us : twin->next_us;

    if (!twin->up)
        return MOMENT_NEVER;
    if (twin->get_rid || twin->report_rid)
        return twin->until_us;
    return twin->must_get || has_news(twin) ? twin->next_us : again_us;
}

/* --- what came --- */

json_t *hub_twin_notified(struct hub_twin *twin, int64_t version, const json_t *patch)
{
    json_t *own;

    if (!twin->reported || twin->version < 0 || version > twin->version + 1) {
        /* The document that is asked for, or will be, holds it; or it is asked for once more.
         */
        if (version > twin->missed)
            twin->missed = version;
        twin->must_get |= twin->reported != NULL;
        return NULL;
    }
    if (version <= twin->version)
        return NULL;
    own = own_members(patch);
    twin->version = version;
    if (!twin->desired)
        twin->desired = json_object();
    twin_merge(twin->desired, own);
    return own;
}

static void add_not_taken(json_t *patch, const json_t *desired, const json_t *wanted)
{
    json_t *more = acks_not_taken(desired, wanted);

    json_object_update_recursive(patch, more);
    json_decref(more);
}

static json_t *take_document(struct hub_twin *twin, const json_t *document)
{
    const json_t *section = json_object_get(document, "desired");
    int64_t version = json_integer_value(json_object_get(section, "$version"));
    json_t *desired = own_members(section), *patch;
    bool fresh = twin->version < 0 || version < twin->version;

    set(&twin->reported, own_members(json_object_get(document, "reported")));
    patch = hub_difference(twin->desired, desired, twin->desired);
    if (fresh || (version == twin->version && json_object_size(patch) > 0)) {
        /* Nothing is known of it; or somebody deleted the identity and made it anew. */
        json_decref(patch);
        patch = acks_not_held(desired, twin->reported, acks_newest(twin->reported) == version);
        acks_release_stale(twin->ours, desired, twin->reported);
    }
    add_not_taken(patch, desired, twin->wanted);
    twin->version = version;
    set(&twin->desired, desired);
    twin->must_get = twin->missed > version;
    twin->missed = 0;
    if (json_object_size(patch) == 0) {
        json_decref(patch);
        patch = NULL;
    }
    return patch;
}

static void back_off(struct hub_twin *twin, int64_t now_us, uint32_t random)
{
    int64_t ceiling_us = 2 * SECOND_US;

    for (unsigned i = 0; i < twin->failures && ceiling_us < LONGEST_US; i++)
        ceiling_us *= 2;
    twin->failures++;
    twin->next_us = now_us + SECOND_US + (int64_t)((uint64_t)ceiling_us * random >> 32);
}

/* What was deleted is no longer ours to delete. */
static void prune(json_t *ours, const json_t *sent)
{
    const char *key;
    json_t *value;

    json_object_foreach(EACH(sent), key, value)
    {
        if (json_is_null(value))
            json_object_del(ours, key);
        else if (json_is_object(value))
            prune(json_object_get(ours, key), value);
    }
}

static void report_done(struct hub_twin *twin, int status, int64_t now_us, uint32_t random)
{
    json_t *sent = twin->sent;

    twin->report_rid = 0;
    twin->sent = NULL;
    if (status >= STATUS_OK && status < 300) {
        twin_merge(twin->reported, sent);
        prune(twin->ours, sent);
        twin->failures = 0;
        twin->next_us = now_us + SECOND_US;
        set(&twin->refused, NULL);
    } else if (status >= STATUS_BAD && status < 500 && status != STATUS_TOO_MANY) {
        set(&twin->refused, json_incref(sent)); /* it will not be better the next time */
    } else {
        back_off(twin, now_us, random);
    }
    json_decref(sent);
}

json_t *hub_twin_answered(struct hub_twin *twin, uint64_t rid, int status, const json_t *body,
                          int64_t now_us, uint32_t random)
{
    if (rid == 0 || !twin->up)
        return NULL;
    if (rid == twin->report_rid) {
        report_done(twin, status, now_us, random);
        return NULL;
    }
    if (rid != twin->get_rid)
        return NULL;
    twin->get_rid = 0;
    if (status == STATUS_OK && json_is_object(json_object_get(body, "desired"))) {
        twin->failures = 0;
        return take_document(twin, body);
    }
    twin->must_get = true;
    back_off(twin, now_us, random);
    return NULL;
}
