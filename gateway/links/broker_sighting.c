#include "links/broker_sighting.h"

#include "jobs/request.h"
#include "links/broker_topics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void set_id(struct sighting *ret, const char *id)
{
    snprintf(ret->id, sizeof(ret->id), "%s", id);
}

static bool is_one_of(const char *text, const char *const *words, const char **found)
{
    for (; text && *words; words++) {
        if (strcmp(text, *words) == 0) {
            *found = *words;
            return true;
        }
    }
    return false;
}

/* An object, or NULL. */
static json_t *read_object(const struct arrival *arrival)
{
    struct refusal refusal;
    json_t *json;

    if (request_read_json(&json, arrival->payload, arrival->size, &refusal) != 0)
        return NULL;
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

static void read_state(struct sighting *ret, const struct site *site, size_t device,
                       const struct arrival *arrival)
{
    static const char *const states[] = {"online", "offline", "unknown", NULL};
    json_t *body = arrival->size > 0 ? read_object(arrival) : NULL;
    const char *gateway = json_string_value(json_object_get(body, "gateway"));
    const char *state = json_string_value(json_object_get(body, "state")), *found;

    if (arrival->size == 0)
        gateway = site->id; /* cleared: nobody's */
    else if (!gateway || !id_is_device(gateway) || !is_one_of(state, states, &found))
        gateway = NULL;
    if (gateway) {
        ret->kind = SIGHTING_STATE;
        ret->device = device;
        set_id(ret, strcmp(gateway, site->id) == 0 ? "" : gateway);
    }
    json_decref(body);
}

static void read_gateway(struct sighting *ret, const char *id, const struct arrival *arrival)
{
    static const char *const states[] = {"online", "offline", NULL};
    json_t *body = arrival->size > 0 ? read_object(arrival) : NULL;
    const char *state = json_string_value(json_object_get(body, "state")), *found = states[1];

    if (arrival->size == 0 || is_one_of(state, states, &found)) {
        ret->kind = SIGHTING_GATEWAY;
        ret->online = found == states[0];
        set_id(ret, id);
    }
    json_decref(body);
}

static void read_share(struct sighting *ret, const char *job_id, const struct arrival *arrival)
{
    static const char *const statuses[] = {"queued", "scheduled", "running", "completed",
                                           "failed", "cancelled", NULL};
    json_t *body = arrival->retained && arrival->size > 0 && id_is_short(job_id)
                       ? read_object(arrival)
                       : NULL;
    const char *of = json_string_value(json_object_get(body, "jobId"));

    if (of && strcmp(of, job_id) == 0 &&
        is_one_of(json_string_value(json_object_get(body, "status")), statuses, &ret->status)) {
        ret->kind = SIGHTING_SHARE;
        set_id(ret, job_id);
    }
    json_decref(body);
}

static void read_echo(struct sighting *ret, const struct arrival *arrival)
{
    char *end;

    errno = 0;
    ret->echo = strtoull(arrival->payload, &end, 10);
    if (errno == 0 && end != arrival->payload && *end == '\0' && !arrival->retained)
        ret->kind = SIGHTING_ECHO;
}

struct sighting sighting_read(const struct site *site, const struct arrival *arrival, bool *any)
{
    struct sighting ret = {.kind = SIGHTING_NONE};
    char *text = strdup(arrival->topic);
    struct topic topic;
    size_t device;

    *any = false;
    if (!text)
        return ret;
    topic_read(&topic, site->broker->root, text);
    *any = topic.kind == TOPIC_STATE || topic.kind == TOPIC_GATEWAY ||
           topic.kind == TOPIC_SHARE || topic.kind == TOPIC_ECHO;
    bool own = topic.gateway_id && strcmp(topic.gateway_id, site->id) == 0;
    if (topic.kind == TOPIC_STATE) {
        device = site_device(site, topic.device_id);
        if (device != SITE_NONE)
            read_state(&ret, site, device, arrival);
    } else if (topic.kind == TOPIC_GATEWAY && !own) {
        read_gateway(&ret, topic.gateway_id, arrival);
    } else if (topic.kind == TOPIC_SHARE && own) {
        read_share(&ret, topic.job_id, arrival);
    } else if (topic.kind == TOPIC_ECHO && own) {
        read_echo(&ret, arrival);
    }
    free(text);
    return ret;
}
