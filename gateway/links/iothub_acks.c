#include "links/iothub_acks.h"

#include "jobs/outcome.h"
#include "twins/twin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { AC_GOOD = 200, AC_NOT_ASKED = 203, REPORTED_MOST = 32768 };

/* What the hub takes as a number. */
#define INTEGER_MOST INT64_C(4503599627370495)

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

/* The gateway could not take it at all, when it came. */
static bool was_not_taken(const json_t *ack)
{
    json_int_t ac = json_integer_value(json_object_get(ack, "ac"));

    return is_ack(ack) &&
           (ac == code_status(CODE_QUEUE_FULL) || ac == code_status(CODE_STORE_UNAVAILABLE));
}

int64_t acks_newest(const json_t *reported)
{
    int64_t newest = 0;
    const char *key;
    json_t *value;

    json_object_foreach(EACH(reported), key, value)
    {
        int64_t version = is_ack(value) ? json_integer_value(json_object_get(value, "av"))
                                        : acks_newest(value);

        if (version > newest)
            newest = version;
    }
    return newest;
}

json_t *acks_not_held(const json_t *desired, const json_t *reported, bool latest)
{
    json_t *patch = json_object();
    const char *key;
    json_t *value;

    json_object_foreach(EACH(desired), key, value)
    {
        const json_t *ack = json_object_get(reported, key);

        if (json_is_object(value) && !is_ack(ack)) {
            json_t *inner = acks_not_held(value, ack, latest);

            if (json_object_size(inner) > 0)
                json_object_set(patch, key, inner);
            json_decref(inner);
        } else if (!is_ack(ack) || was_not_taken(ack) ||
                   (!latest && (json_integer_value(json_object_get(ack, "ac")) != AC_GOOD ||
                                !same(json_object_get(ack, "value"), value)))) {
            json_object_set(patch, key, value);
        }
    }
    return patch;
}

void acks_release_stale(json_t *ours, const json_t *desired, const json_t *reported)
{
    const char *key;
    json_t *value;

    json_object_foreach(EACH(reported), key, value)
    {
        if (is_ack(value) && !json_object_get(desired, key))
            json_object_set(ours, key, value);
    }
}

json_t *acks_not_taken(const json_t *desired, const json_t *reported)
{
    json_t *patch = json_object();
    const char *key;
    json_t *value;

    json_object_foreach(EACH(desired), key, value)
    {
        const json_t *ack = json_object_get(reported, key);

        if (was_not_taken(ack)) {
            json_object_set(patch, key, value);
        } else if (json_is_object(value) && json_is_object(ack) && !is_ack(ack)) {
            json_t *inner = acks_not_taken(value, ack);

            if (json_object_size(inner) > 0)
                json_object_set(patch, key, inner);
            json_decref(inner);
        }
    }
    return patch;
}

/* --- in the hub's terms --- */

static void set_number(json_t *ack, const char *key, int64_t number)
{
    json_object_set_new(ack, key, json_integer(number));
}

static void address(json_t *ack, const json_t *version)
{
    const char *ad = json_string_value(json_object_get(ack, "ad"));
    char text[400];

    if (version) {
        json_object_set(ack, "av", EACH(version));
        return;
    }
    set_number(ack, "av", 0);
    if (json_integer_value(json_object_get(ack, "ac")) == AC_GOOD)
        set_number(ack, "ac", AC_NOT_ASKED);
    snprintf(text, sizeof(text), "not asked by the hub: %s", ad ? ad : "");
    json_object_set_new(ack, "ad", json_string(text));
}

static void address_all(json_t *document, const char *prefix, const json_t *of_hub)
{
    const char *key;
    json_t *value;

    json_object_foreach(document, key, value)
    {
        char path[512];

        snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", key);
        if (is_ack(value))
            address(value, json_object_get(of_hub, path));
        else if (json_is_object(value))
            address_all(value, path, of_hub);
    }
}

static void make_fit(json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        int64_t number = json_integer_value(value);
        char text[24];

        if (json_is_object(value)) {
            make_fit(value);
        } else if (number > INTEGER_MOST || number < -INTEGER_MOST - 1) {
            snprintf(text, sizeof(text), "%" PRId64, number);
            json_object_set_new(object, key, json_string(text));
        }
    }
}

/* Those that the profile does not know, or their sentences only. */
static void drop_unknown(json_t *object, bool whole)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(object, next, key, value)
    {
        bool unknown = is_ack(value) && json_integer_value(json_object_get(value, "ac")) ==
                                            code_status(CODE_UNKNOWN_POINT);

        if (unknown && whole)
            json_object_del(object, key);
        else if (unknown)
            json_object_del(value, "ad");
        else if (json_is_object(value) && !is_ack(value))
            drop_unknown(value, whole);
    }
}

json_t *acks_for_hub(json_t *document, const json_t *of_hub, bool *cut)
{
    address_all(document, "", of_hub);
    make_fit(document);
    *cut = false;
    if (twin_weight(document) > REPORTED_MOST)
        drop_unknown(document, false);
    if (twin_weight(document) > REPORTED_MOST) {
        drop_unknown(document, true);
        *cut = true;
    }
    return document;
}
