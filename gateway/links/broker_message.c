#include "links/broker_message.h"

#include "links/broker_topics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { REPEAT_S = 24 * 60 * 60 };

void arrival_free(struct arrival *arrival)
{
    if (!arrival)
        return;
    free(arrival->topic);
    free(arrival->payload);
    free(arrival->response_topic);
    free(arrival->correlation);
    free(arrival);
}

bool arrival_waits(const struct arrival *arrival, const char *root)
{
    struct topic topic;
    bool waits = false;
    char *text = strdup(arrival->topic);

    if (!text)
        return false; /* nothing of it will be kept either */
    topic_read(&topic, root, text);
    switch (topic.kind) {
    case TOPIC_DESIRED:
        waits = !arrival->retained && arrival->size > 0;
        break;
    case TOPIC_JOB: /* what is retained comes again with the next connection */
        waits = !arrival->retained && arrival->size > 0;
        break;
    case TOPIC_CANCEL:
        waits = true;
        break;
    case TOPIC_METHOD:
    case TOPIC_STATE:
    case TOPIC_GATEWAY:
    case TOPIC_SHARE:
    case TOPIC_ECHO:
    case TOPIC_OTHER:
        break;
    }
    free(text);
    return waits;
}

static char *text_of(json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    return text;
}

/* Where the answer to a method goes: the MQTT 5 response topic, else results/<requestId>. */
static char *answer_topic(const char *root, const struct topic *topic,
                          const struct arrival *arrival, bool *answerable)
{
    *answerable = true;
    if (arrival->response_topic && topic_is_publishable(arrival->response_topic))
        return strdup(arrival->response_topic);
    *answerable = topic->request_id != NULL;
    return topic_result(root, topic->device_id, topic->request_id);
}

static int refuse(struct outgoing **answer, const char *root, const char *gateway_id,
                  const struct topic *topic, struct arrival *arrival,
                  const struct refusal *refusal)
{
    json_t *error =
        json_pack("{s:s,s:s}", "code", code_name(refusal->code), "description", refusal->text);
    struct outgoing *message = NULL;
    bool answerable;

    switch (topic->kind) {
    case TOPIC_METHOD:
    case TOPIC_DESIRED:
        message = outgoing_new(
            OUTGOING_ANSWER, answer_topic(root, topic, arrival, &answerable),
            text_of(json_pack("{s:i,s:{s:o}}", "status", code_status(refusal->code), "payload",
                              "error", error)),
            false);
        break;
    case TOPIC_JOB: /* not retained: it must not cover the true share of a job of this name */
        message = outgoing_new(
            OUTGOING_SHARE, topic_share(root, topic->job_id, gateway_id),
            text_of(json_pack("{s:s,s:s,s:s,s:o}", "gatewayId", gateway_id, "jobId",
                              topic->job_id, "status", "failed", "error", error)),
            false);
        break;
    case TOPIC_CANCEL:
        message = outgoing_new(OUTGOING_SHARE, topic_share(root, topic->job_id, gateway_id),
                               text_of(json_pack("{s:s,s:s,s:o}", "gatewayId", gateway_id,
                                                 "jobId", topic->job_id, "refused", error)),
                               false);
        break;
    case TOPIC_STATE:
    case TOPIC_GATEWAY:
    case TOPIC_SHARE:
    case TOPIC_ECHO:
    case TOPIC_OTHER:
        json_decref(error);
        return 0;
    }
    if (!message)
        return -ENOMEM;
    if (arrival->response_topic && strcmp(message->topic, arrival->response_topic) == 0) {
        message->correlation = arrival->correlation;
        message->correlation_size = arrival->correlation_size;
        arrival->correlation = NULL;
    }
    *answer = message;
    return 0;
}

#define REFUSE(refusal, code, ...)                                                             \
    (refusal_set(refusal, code, __VA_ARGS__), (int)REQUEST_E_REFUSED)

static unsigned call_time(const struct site *site, const struct arrival *arrival)
{
    if (!arrival->has_expiry)
        return site->broker->method_timeout_s;
    return arrival->expiry_s > 0 ? arrival->expiry_s : 1;
}

static int read_method(struct request **ret, const struct site *site, const struct topic *topic,
                       struct arrival *arrival, struct refusal *refusal)
{
    struct request *request;
    bool answerable;
    char *to = answer_topic(site->broker->root, topic, arrival, &answerable);
    json_t *arguments;
    int r;

    if (!to)
        return -ENOMEM;
    if (arrival->retained)
        r = REFUSE(refusal, CODE_RETAINED,
                   "a retained method call is not run; send it with retain off");
    else if (topic->wrong)
        r = REFUSE(refusal, CODE_BAD_REQUEST, "%s", topic->wrong);
    else if (!answerable)
        r = REFUSE(refusal, CODE_BAD_REQUEST,
                   "the call says not where its answer goes; give an MQTT 5 response topic, or "
                   "methods/%s/<requestId>",
                   topic->method);
    else if (!site->broker->methods)
        r = REFUSE(refusal, CODE_FORBIDDEN,
                   "this gateway takes no method calls from its broker");
    else
        r = request_read_json(&arguments, arrival->payload, arrival->size, refusal);
    if (r != 0) {
        free(to);
        return r;
    }
    request = request_new(REQUEST_CALL, LINK_BROKER);
    if (!request) {
        json_decref(arguments);
        free(to);
        return -ENOMEM;
    }
    request->origin.topic = to;
    if (arrival->response_topic && strcmp(to, arrival->response_topic) == 0) {
        request->origin.correlation = arrival->correlation;
        request->origin.correlation_size = arrival->correlation_size;
        arrival->correlation = NULL;
        request->dup = arrival->dup && request->origin.correlation;
    }
    request->action.kind = ACTION_METHOD;
    request->action.arguments = arguments;
    request->action.method = strdup(topic->method);
    request->device_id = strdup(topic->device_id);
    request->timeout_s = call_time(site, arrival);
    if (topic->request_id) {
        request->request_id = strdup(topic->request_id);
        request->repeat_s = REPEAT_S;
    }
    *ret = request;
    return request->action.method && request->device_id &&
                   (request->request_id || !topic->request_id)
               ? 0
               : -ENOMEM;
}

/* `$version` is the patch's own number; other names with a $ are a twin's bookkeeping. */
static int read_version(struct request *request, json_t *patch, struct refusal *refusal)
{
    const json_t *version = json_object_get(patch, "$version");
    const char *name;
    json_t *value;
    void *next;

    if (version && (!json_is_integer(version) || json_integer_value(version) < 0))
        return REFUSE(refusal, CODE_BAD_REQUEST, "$version is not a whole number");
    request->has_version = version != NULL;
    request->version = json_integer_value(version);
    json_object_foreach_safe(patch, next, name, value) if (name[0] == '$')
        json_object_del(patch, name);
    return 0;
}

static int read_desired(struct request **ret, const struct site *site,
                        const struct topic *topic, struct arrival *arrival,
                        struct refusal *refusal)
{
    struct request *request;
    json_t *patch;
    int r = request_read_json(&patch, arrival->payload, arrival->size, refusal);

    if (r != 0)
        return r;
    if (!json_is_object(patch)) {
        json_decref(patch);
        return REFUSE(refusal, CODE_BAD_REQUEST, "desired properties are a JSON object");
    }
    *ret = request = request_new(REQUEST_CALL, LINK_BROKER);
    if (!request) {
        json_decref(patch);
        return -ENOMEM;
    }
    request->action.kind = ACTION_PATCH;
    request->action.arguments = patch;
    request->device_id = strdup(topic->device_id);
    request->origin.topic = topic_result(site->broker->root, topic->device_id, NULL);
    request->timeout_s = call_time(site, arrival);
    request->retained = arrival->retained;
    if (!request->device_id || !request->origin.topic)
        return -ENOMEM;
    return read_version(request, patch, refusal);
}

static int read_job(struct request **ret, const struct site *site, const struct topic *topic,
                    const struct arrival *arrival, struct refusal *refusal)
{
    int r = request_read_job(ret, LINK_BROKER, topic->job_id, arrival->payload, arrival->size,
                             refusal);

    if (r != 0)
        return r;
    (*ret)->retained = arrival->retained;
    (*ret)->origin.topic = topic_share(site->broker->root, topic->job_id, site->id);
    if (!(*ret)->origin.topic)
        return -ENOMEM;
    return 0;
}

static int read_cancel(struct request **ret, const struct site *site, const struct topic *topic,
                       struct refusal *refusal)
{
    if (!id_is_short(topic->job_id))
        return REFUSE(refusal, CODE_BAD_REQUEST,
                      "'%.64s' is no job id; letters, digits and . _ : - are, up to 64",
                      topic->job_id);
    *ret = request_new(REQUEST_CANCEL, LINK_BROKER);
    if (!*ret)
        return -ENOMEM;
    (*ret)->job_id = strdup(topic->job_id);
    (*ret)->origin.topic = topic_share(site->broker->root, topic->job_id, site->id);
    return (*ret)->job_id && (*ret)->origin.topic ? 0 : -ENOMEM;
}

int arrival_read(struct request **request, struct outgoing **answer, const struct site *site,
                 struct arrival *arrival)
{
    struct request *made = NULL;
    struct refusal refusal;
    struct topic topic;
    int r = 0;

    *request = NULL;
    *answer = NULL;
    topic_read(&topic, site->broker->root, arrival->topic);
    if (topic.device_id && site_device(site, topic.device_id) == SITE_NONE)
        return 0; /* an older subscription's: another gateway's, or nobody's */
    switch (topic.kind) {
    case TOPIC_METHOD:
        if (arrival->size > 0 || !arrival->retained) /* else a retained call was cleared */
            r = read_method(&made, site, &topic, arrival, &refusal);
        break;
    case TOPIC_DESIRED:
        if (arrival->size > 0) /* nothing: the retained patch was cleared */
            r = read_desired(&made, site, &topic, arrival, &refusal);
        break;
    case TOPIC_JOB:
        if (arrival->size > 0)
            r = read_job(&made, site, &topic, arrival, &refusal);
        break;
    case TOPIC_CANCEL:
        r = read_cancel(&made, site, &topic, &refusal);
        break;
    case TOPIC_STATE: /* no requests: broker_sighting.h */
    case TOPIC_GATEWAY:
    case TOPIC_SHARE:
    case TOPIC_ECHO:
    case TOPIC_OTHER:
        break;
    }
    if (r != 0) {
        request_free(made);
        return r < 0 ? r
                     : refuse(answer, site->broker->root, site->id, &topic, arrival, &refusal);
    }
    if (made)
        made->origin.ticket = arrival->ticket;
    *request = made;
    return 0;
}

int arrival_refuse(struct outgoing **answer, const char *root, const char *gateway_id,
                   struct arrival *arrival, const struct refusal *refusal)
{
    struct topic topic;

    *answer = NULL;
    topic_read(&topic, root, arrival->topic);
    return refuse(answer, root, gateway_id, &topic, arrival, refusal);
}
