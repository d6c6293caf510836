/* Twins of the hub's devices: what is asked and reported, and what their patches become. */
#include "links/iothub_link.h"

#include "base/log.h"
#include "base/text.h"
#include "links/iothub_private.h"
#include "site/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

enum {
    TWIN_RATE = 20, /* questions and reports a second, all devices together: the smallest hub
                       takes 50 from all its devices */
};

void twins_plan(struct iothub *iothub, size_t device)
{
    iothub->devices[device].due_us = hub_twin_wake_us(&iothub->devices[device].twin);
}

static void send_twin(struct iothub *iothub, size_t index)
{
    struct hub_device *device = &iothub->devices[index];
    int64_t now_us = clock_boot_us();
    struct outgoing *message = NULL;
    char *text = NULL;
    json_t *body;

    switch (hub_twin_next(&device->twin, iothub->rid + 1, now_us, &body)) {
    case HUB_WANTS_NOTHING:
        break;
    case HUB_WANTS_GET:
        message =
            outgoing_new(OUTGOING_STATE, hub_topic_twin_get(++iothub->rid), strdup(" "), false);
        break;
    case HUB_WANTS_REPORT:
        text = json_text(body);
        message =
            outgoing_new(OUTGOING_REPORTED, hub_topic_twin_report(++iothub->rid), text, false);
        break;
    }
    json_decref(body);
    if (message) {
        hub_thread_send(iothub->thread, device->slot, device->generation, message);
        iothub->twin_next_us =
            (iothub->twin_next_us > now_us - SECOND_US ? iothub->twin_next_us
                                                       : now_us - SECOND_US) +
            SECOND_US / TWIN_RATE;
    }
    twins_plan(iothub, index);
}

/* A second's worth may go at once, then as the rate lets. */
int64_t twins_send(struct iothub *iothub, int64_t now_us)
{
    int64_t wake_us = MOMENT_NEVER;

    for (size_t i = 0; i < iothub->site->device_count; i++) {
        struct hub_device *device = &iothub->devices[i];

        if (device->due_us <= now_us && iothub->twin_next_us <= now_us)
            send_twin(iothub, i);
        if (device->due_us < wake_us)
            wake_us = device->due_us;
    }
    return wake_us < iothub->twin_next_us ? iothub->twin_next_us : wake_us;
}

/* A patch of desired properties, as one more request. */
static struct request *patch_request(struct iothub *iothub, size_t device, json_t *patch)
{
    struct request *request = patch ? request_new(REQUEST_CALL, LINK_IOTHUB) : NULL;
    struct hub_call *call = patch ? calloc(1, sizeof(*call)) : NULL;

    if (!request || !call)
        goto fail;
    request->action.kind = ACTION_PATCH;
    request->action.arguments = patch;
    request->device_id = strdup(iothub->site->devices[device].id);
    request->timeout_s = iothub->site->iothub->method_timeout_s;
    request->has_version = true;
    request->version = iothub->devices[device].twin.version;
    request->document = json_deep_copy(iothub->devices[device].twin.desired);
    if (!request->device_id || !request->document)
        goto fail_filled;
    call->device = device;
    call->patch = true;
    calls_keep(iothub, call, request);
    return request;

fail:
    json_decref(patch);
fail_filled:
    if (patch)
        hub_twin_not_done(&iothub->devices[device].twin, clock_boot_us());
    request_free(request);
    free(call);
    return NULL;
}

static json_t *read_body(const struct arrival *arrival)
{
    struct refusal refusal;
    json_t *body = NULL;

    if (request_read_json(&body, arrival->payload, arrival->size, &refusal) != 0)
        return NULL;
    return body;
}

static void log_refused_report(struct iothub *iothub, size_t device, int status,
                               const struct arrival *arrival)
{
    if (status >= 400 && status < 500 && status != 429)
        log_warning("iothub: the hub refuses reported properties of %s (%d): %.200s",
                    iothub->site->devices[device].id, status,
                    text_is_utf8(arrival->payload) ? arrival->payload : "");
}

static const char *unread_text(enum hub_unread unread)
{
    switch (unread) {
    case UNREAD_NONE:
        break;
    case UNREAD_LARGE:
        return "has more than 128 KB of text";
    case UNREAD_ODD:
        return "is no document that can be read";
    }
    return "is read";
}

/* Told once for each cause; the twin itself asks again, with a pause that grows. */
static void judge_document(struct iothub *iothub, size_t index, const struct hub_topic *topic,
                           size_t size, const json_t *body)
{
    struct hub_device *device = &iothub->devices[index];
    uint64_t rid = hub_rid_read(topic->rid);
    enum hub_unread unread = UNREAD_NONE;

    if (rid == 0 || rid != device->twin.get_rid || topic->status != 200)
        return;
    if (!json_is_object(json_object_get(body, "desired")))
        unread = size > REQUEST_JSON_MOST ? UNREAD_LARGE : UNREAD_ODD;
    if (unread == device->unread)
        return;
    device->unread = unread;
    if (unread == UNREAD_NONE)
        log_info("iothub: the twin of %s can be read again", iothub->site->devices[index].id);
    else
        log_error(
            "iothub: the twin of %s %s: nothing of it is done, and nothing reported, until "
            "it is made smaller or right; it is asked for again every minute or so",
            iothub->site->devices[index].id, unread_text(unread));
}

void twins_tell(const struct iothub *iothub, struct iothub_status *status)
{
    const struct hub_device *first = NULL;
    size_t count = 0;

    for (size_t i = 0; i < iothub->site->device_count; i++) {
        if (iothub->devices[i].unread == UNREAD_NONE)
            continue;
        if (count++ == 0)
            first = &iothub->devices[i];
    }
    if (!first || status->text[0])
        return;
    size_t used = (size_t)snprintf(status->text, sizeof(status->text), "the twin of %.128s %s",
                                   iothub->site->devices[first - iothub->devices].id,
                                   unread_text(first->unread));
    if (count > 1 && used < sizeof(status->text))
        snprintf(status->text + used, sizeof(status->text) - used,
                 ", and %zu more cannot be read", count - 1);
}

struct request *twins_message(struct iothub *iothub, const struct hub_news *news,
                              const struct hub_topic *topic)
{
    struct hub_device *device = &iothub->devices[news->device];
    json_t *body, *patch = NULL;
    int64_t version = topic->version;

    if (news->generation != device->generation)
        return NULL; /* what is asked after the connection holds it */
    body = read_body(news->arrival);
    if (topic->kind == HUB_TOPIC_TWIN_ANSWER) {
        log_refused_report(iothub, news->device, topic->status, news->arrival);
        judge_document(iothub, news->device, topic, news->arrival->size, body);
        patch = hub_twin_answered(&device->twin, hub_rid_read(topic->rid), topic->status, body,
                                  clock_boot_us(), hub_random());
    } else if (json_is_object(body)) {
        if (json_is_integer(json_object_get(body, "$version")))
            version = json_integer_value(json_object_get(body, "$version"));
        patch = hub_twin_notified(&device->twin, version, body);
    } else { /* it cannot be read as a patch: perhaps as part of the whole */
        hub_twin_notified(&device->twin, INT64_MAX / 2, NULL);
    }
    json_decref(body);
    twins_plan(iothub, news->device);
    return patch ? patch_request(iothub, news->device, patch) : NULL;
}

void twins_reported(struct iothub *iothub, size_t device, const struct report *report)
{
    json_t *document = json_loads(report->body[0] ? report->body : "{}", 0, NULL);
    bool cut;

    if (!document)
        return;
    document = acks_for_hub(document, report->hub_acks, &cut);
    if (cut && !iothub->devices[device].cut)
        log_warning("iothub: %s has more to report than a twin of the hub takes; unknown "
                    "properties are not acknowledged",
                    iothub->site->devices[device].id);
    iothub->devices[device].cut = cut;
    hub_twin_want(&iothub->devices[device].twin, document);
    twins_plan(iothub, device);
}

void twins_not_done(struct iothub *iothub, size_t device, enum code code)
{
    log_warning("iothub: a desired patch of %s waits: %s", iothub->site->devices[device].id,
                code_name(code));
    hub_twin_not_done(&iothub->devices[device].twin, clock_boot_us());
    twins_plan(iothub, device);
}
