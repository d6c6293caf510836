/* Whatever the hub delivers: the first line is the topic with its properties, the rest the
   payload. A call becomes a request or a refusal, and a twin that lives through all of it asks
   and reports only in the hub's own form. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/links_site.h"
#include "base/clock.h"
#include "jobs/request.h"
#include "links/iothub_call.h"
#include "links/iothub_topics.h"
#include "links/iothub_twin.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void feed(struct hub_twin *twin, const struct hub_topic *topic, const json_t *body)
{
    json_t *patch = NULL, *report;

    if (topic->kind == HUB_TOPIC_TWIN_ANSWER)
        patch = hub_twin_answered(twin, 1, topic->status, body, 0, UINT32_MAX);
    else if (topic->kind == HUB_TOPIC_DESIRED && json_is_object(body))
        patch = hub_twin_notified(twin, topic->version, body);
    assert(!patch || json_is_object(patch));
    json_decref(patch);
    if (hub_twin_next(twin, 1, INT64_C(1000000000), &report) == HUB_WANTS_REPORT)
        assert(json_object_size(report) > 0);
    json_decref(report);
    assert(hub_twin_wake_us(twin) > 0);
}

static void call(const struct hub_topic *topic, const char *payload, size_t size)
{
    struct arrival arrival = {.payload = calloc(1, size + 1), .size = size};
    struct profile profile = {.name = NULL};
    struct iothub_config config = {.method_timeout_s = 30};
    struct request *request = NULL;
    struct hub_call *made = NULL;
    struct refusal refusal;
    struct links_site of;
    int r;

    assert(arrival.payload);
    memcpy(arrival.payload, payload, size);
    links_site_fill(&of);
    of.site.iothub = &config;
    of.site.profiles = &profile;
    of.site.profile_count = 1;
    r = hub_call_read(&request, &made, &of.site, 0, 7, topic->method, topic->rid, &arrival,
                      &refusal);
    assert(r == 0 || (r == REQUEST_E_REFUSED && refusal.text[0]));
    if (r == 0) {
        assert(request->action.method && strcmp(made->callers[0].rid, topic->rid) == 0);
        assert(!made->request_id || id_is_short(made->request_id));
    } else {
        struct outgoing *answer = hub_call_refusal(topic->rid, &refusal);

        assert(answer && answer->body[0] == '{');
        outgoing_free(answer);
    }
    request_free(request);
    hub_call_free(made);
    free(arrival.payload);
}

/* What a device has to report, in whatever shape. */
static void address(const json_t *body)
{
    bool cut;

    if (json_is_object(body))
        json_decref(acks_for_hub(json_deep_copy(body), body, &cut));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const uint8_t *line = size > 0 ? memchr(bytes, '\n', size) : NULL;
    size_t topic_size = line ? (size_t)(line - bytes) : size;
    size_t rest = line ? size - topic_size - 1 : 0;
    char *text = malloc(topic_size + 1), *answer;
    struct refusal refusal;
    struct hub_topic topic;
    struct hub_twin twin;
    json_t *body = NULL, *report;

    assert(text);
    if (topic_size > 0)
        memcpy(text, bytes, topic_size);
    text[topic_size] = '\0';
    hub_topic_read(&topic, text);
    assert(topic.rid && (topic.kind != HUB_TOPIC_METHOD || topic.method[0]));
    answer = hub_topic_method_answer(200, topic.rid);
    assert(answer);
    free(answer);
    if (topic.kind == HUB_TOPIC_METHOD)
        call(&topic, line ? (const char *)line + 1 : "", rest);
    if (rest > 0 && request_read_json(&body, (const char *)line + 1, rest, &refusal) != 0)
        body = NULL;
    hub_twin_init(&twin);
    hub_twin_up(&twin);
    hub_twin_want(
        &twin, json_pack("{s:i,s:{s:i,s:i,s:i}}", "a", 1, "b", "value", 1, "ac", 200, "av", 2));
    assert(hub_twin_next(&twin, 1, 0, &report) == HUB_WANTS_GET);
    feed(&twin, &topic, body);
    feed(&twin, &topic, body);
    address(body);
    hub_twin_deinit(&twin);
    json_decref(body);
    free(text);
    return 0;
}
