#include "links/iothub_twin.h"

#include "base/clock.h"
#include "twins/twin.h"

#include <string.h>

#define ANSWER_LIMIT_US INT64_C(60000000)
#define SECOND_US       INT64_C(1000000)
#define LONGEST_US      (64 * SECOND_US)
#define NOT_DONE_US     (60 * SECOND_US)

enum { STATUS_OK = 200, STATUS_BAD = 400, STATUS_TOO_MANY = 429, AC_GOOD = 200 };

#define EACH(object) (json_t *)(uintptr_t)(object)

/* --- differences --- */

/* 21 and 21.0 are one number to everybody but the parser. */
static bool same(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b) && !(json_is_integer(a) && json_is_integer(b)))
        return !(json_number_value(a) < json_number_value(b)) &&
               !(json_number_value(a) > json_number_value(b));
    return json_equal(EACH(a), EACH(b));
}

static void add_changes(json_t *patch, const json_t *have, const json_t *want,
                        const json_t *may_go)
{
    const char *key;
    json_t *value;

    json_object_foreach(EACH(want), key, value)
    {
        const json_t *old = json_object_get(have, key);

        if (json_is_object(value) && json_is_object(old)) {
            json_t *inner = hub_difference(old, value, json_object_get(may_go, key));

            if (json_object_size(inner) > 0)
                json_object_set(patch, key, inner);
            json_decref(inner);
        } else if (old ? !same(old, value) : !json_is_null(value)) {
            json_object_set_new(patch, key, json_deep_copy(value));
        }
    }
}

json_t *hub_difference(const json_t *have, const json_t *want, const json_t *may_go)
{
    json_t *patch = json_object();
    const char *key;
    json_t *value;

    add_changes(patch, have, want, may_go);
    json_object_foreach(EACH(have), key, value)
    {
        if (!json_object_get(want, key) && json_object_get(may_go, key))
            json_object_set_new(patch, key, json_null());
    }
    return patch;
}

/* --- what the acknowledgements tell --- */

static bool is_ack(const json_t *value)
{
    return json_is_integer(json_object_get(value, "ac")) &&
           json_is_integer(json_object_get(value, "av"));
}

static int64_t newest_ack(const json_t *reported)
{
    int64_t newest = 0;
    const char *key;
    json_t *value;

    json_object_foreach(EACH(reported), key, value)
    {
        int64_t version = is_ack(value) ? json_integer_value(json_object_get(value, "av"))
                                        : newest_ack(value);

        if (version > newest)
            newest = version;
    }
    return newest;
}

/* What of `desired` is not acknowledged as held. `latest`: no newer version than the newest
   acknowledgement's exists, so what was acknowledged as failed was handled too. */
static json_t *not_held(const json_t *desired, const json_t *reported, bool latest)
{
    json_t *patch = json_object();
    const char *key;
    json_t *value;

    json_object_foreach(EACH(desired), key, value)
    {
        const json_t *ack = json_object_get(reported, key);

        if (json_is_object(value) && !is_ack(ack)) {
            json_t *inner = not_held(value, ack, latest);

            if (json_object_size(inner) > 0)
                json_object_set(patch, key, inner);
            json_decref(inner);
        } else if (!is_ack(ack) ||
                   (!latest && (json_integer_value(json_object_get(ack, "ac")) != AC_GOOD ||
                                !same(json_object_get(ack, "value"), value)))) {
            json_object_set(patch, key, value);
        }
    }
    return patch;
}

/* Acknowledgements of properties that are no longer desired may go. */
static void release_stale(json_t *ours, const json_t *desired, const json_t *reported)
{
    const char *key;
    json_t *value;

    json_object_foreach(EACH(reported), key, value)
    {
        if (is_ack(value) && !json_object_get(desired, key))
            json_object_set(ours, key, value);
    }
}

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
    *twin = (struct hub_twin){.version = -1, .ours = json_object()};
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
    twin->version = -1;
    set(&twin->desired, NULL);
    twin->must_get = twin->up;
    twin->next_us = now_us + NOT_DONE_US;
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
    if (twin->must_get) {
        twin->must_get = false;
        twin->get_rid = rid;
        twin->until_us = now_us + ANSWER_LIMIT_US;
        return HUB_WANTS_GET;
    }
    return twin->reported ? begin_report(twin, rid, now_us, body) : HUB_WANTS_NOTHING;
}

int64_t hub_twin_wake_us(const struct hub_twin *twin)
{
    json_t *patch;
    bool differs;

    if (!twin->up)
        return MOMENT_NEVER;
    if (twin->get_rid || twin->report_rid)
        return twin->until_us;
    if (twin->must_get)
        return twin->next_us;
    if (!twin->reported)
        return MOMENT_NEVER;
    patch = reported_patch(twin);
    differs =
        json_object_size(patch) > 0 && !(twin->refused && json_equal(twin->refused, patch));
    json_decref(patch);
    return differs ? twin->next_us : MOMENT_NEVER;
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

static json_t *take_document(struct hub_twin *twin, const json_t *document)
{
    const json_t *section = json_object_get(document, "desired");
    int64_t version = json_integer_value(json_object_get(section, "$version"));
    json_t *desired = own_members(section), *patch = NULL;
    bool recreated = version < twin->version;

    set(&twin->reported, own_members(json_object_get(document, "reported")));
    if (recreated) /* somebody deleted the identity and made it anew */
        set(&twin->desired, NULL);
    if (version > twin->version && twin->desired) {
        patch = hub_difference(twin->desired, desired, twin->desired);
    } else if (version != twin->version) {
        patch = not_held(desired, twin->reported, newest_ack(twin->reported) == version);
        release_stale(twin->ours, desired, twin->reported);
    }
    twin->version = version;
    set(&twin->desired, desired);
    twin->must_get = twin->missed > version;
    twin->missed = 0;
    if (patch && json_object_size(patch) == 0) {
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

static void report_done(struct hub_twin *twin, int status, int64_t now_us, uint32_t random)
{
    json_t *sent = twin->sent;

    twin->report_rid = 0;
    twin->sent = NULL;
    if (status >= STATUS_OK && status < 300) {
        twin_merge(twin->reported, sent);
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
