/* The engine's reports in the words of the broker. */
#include "links/broker_message.h"
#include "links/broker_topics.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    return text;
}

/* The payload is text already, with its numbers as they shall look. */
static char *call_body(const struct report *report)
{
    char *text;

    return asprintf(&text, "{\"status\":%d,\"payload\":%s}", report->status,
                    report->body[0] ? report->body : "null") < 0
               ? NULL
               : text;
}

/* {"error":{...}} of the engine, as a share that failed or as a cancel that was refused. */
static char *refused_body(const struct site *site, const struct report *report)
{
    json_t *body = json_loads(report->body, 0, NULL);
    json_t *error = json_object_get(body, "error");
    json_t *share;

    if (!json_is_object(body))
        return strdup(report->body);
    share = json_pack("{s:s,s:s*}", "gatewayId", site->id, "jobId", report->job_id);
    if (share && report->answers == REQUEST_JOB)
        json_object_set_new(share, "status", json_string("failed"));
    if (share && error)
        json_object_set(share, report->answers == REQUEST_JOB ? "error" : "refused", error);
    json_decref(body);
    return text_of(share);
}

static struct outgoing *answer(const struct site *site, const struct report *report)
{
    char *topic = strdup(report->origin.topic);
    struct outgoing *message;

    if (report->answers == REQUEST_CALL)
        message = outgoing_new(OUTGOING_ANSWER, topic, call_body(report), false);
    else if (report->code == CODE_JOB_ID_IN_USE)
        message = outgoing_new(OUTGOING_SHARE, topic, strdup(report->body), false);
    else
        message = outgoing_new(OUTGOING_SHARE, topic, refused_body(site, report), false);
    if (!message || !report->origin.correlation)
        return message;
    message->correlation = malloc(report->origin.correlation_size);
    if (!message->correlation) {
        outgoing_free(message);
        return NULL;
    }
    memcpy(message->correlation, report->origin.correlation, report->origin.correlation_size);
    message->correlation_size = report->origin.correlation_size;
    return message;
}

/* A method is answered in any case; of a job and a patch the share and the reported document
   tell what becomes, so only a refusal is. */
static bool is_heard(const struct report *report)
{
    const struct origin *origin = &report->origin;

    if (origin->link != LINK_BROKER || !origin->topic)
        return false;
    return report->code != CODE_NONE ||
           (report->answers == REQUEST_CALL && !topic_is_complaint(origin->topic));
}

int outgoing_of_report(struct outgoing **ret, const struct site *site,
                       const struct report *report)
{
    const char *root = site->broker->root;
    bool retain = report->retain || !report->body[0];
    struct outgoing *message = NULL;

    *ret = NULL;
    switch (report->kind) {
    case REPORT_ANSWER:
        if (!is_heard(report))
            return 0;
        message = answer(site, report);
        break;
    case REPORT_OUTCOME:
        if (report->call)
            return 0;
        message =
            outgoing_new(OUTGOING_KEPT, topic_outcome(root, report->job_id, report->device_id),
                         strdup(report->body), false);
        break;
    case REPORT_SHARE:
        message = outgoing_new(report->number > 0 ? OUTGOING_KEPT : OUTGOING_SHARE,
                               topic_share(root, report->job_id, site->id),
                               strdup(report->body), retain);
        break;
    case REPORT_REPORTED:
        message =
            outgoing_new(OUTGOING_REPORTED, topic_device(root, report->device_id, "reported"),
                         strdup(report->body), true);
        break;
    case REPORT_STATE:
        message = outgoing_new(OUTGOING_STATE, topic_device(root, report->device_id, "state"),
                               strdup(report->body), true);
        break;
    case REPORT_GATEWAY:
        message = outgoing_new(OUTGOING_STATE, topic_gateway(root, site->id),
                               strdup(report->body), true);
        break;
    case REPORT_STORED:
    case REPORT_PROGRESS:
    case REPORT_VALUES:
        return 0;
    }
    if (message && report_must_arrive(report)) {
        message->delivery = delivery_of(report);
        if (!message->delivery) {
            outgoing_free(message);
            return -ENOMEM;
        }
    }
    *ret = message;
    return message ? 0 : -ENOMEM;
}
