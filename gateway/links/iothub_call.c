#include "links/iothub_call.h"

#include "jobs/timetext.h"
#include "links/iothub_topics.h"
#include "twins/twin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_HEAD "id:" /* of the key of a call that its caller named */

enum { ANSWER_MOST = 128 * 1024, LAST_PAYLOAD_MOST = 4096 };

void hub_call_free(struct hub_call *call)
{
    if (!call)
        return;
    for (size_t i = 0; i < call->caller_count; i++)
        free(call->callers[i].rid);
    free(call->method);
    free(call->request_id);
    free(call->key);
    free(call);
}

static const struct method *method_of(const struct site *site, size_t device, const char *name)
{
    const struct profile *profile = &site->profiles[site->devices[device].profile];
    size_t index = profile_method(profile, name);

    return index == SITE_NONE ? NULL : &profile->methods[index];
}

static bool has_argument(const struct method *method, const char *name)
{
    for (size_t i = 0; method && i < method->step_count; i++) {
        if (method->steps[i].arg && strcmp(method->steps[i].arg, name) == 0)
            return true;
    }
    return false;
}

/* Callers who want to be known when they repeat themselves say so in the arguments: the hub
   gives each repeat a $rid of its own. */
static int take_request_id(struct hub_call *call, const struct method *method,
                           json_t *arguments, struct refusal *refusal)
{
    const json_t *id = json_object_get(arguments, "requestId");
    const char *text = json_string_value(id);

    if (!id || has_argument(method, "requestId"))
        return 0;
    if (!text || !id_is_short(text)) {
        refusal_set(refusal, CODE_BAD_REQUEST,
                    "requestId is a text of letters, digits and . _ : -, up to 64");
        return REQUEST_E_REFUSED;
    }
    call->request_id = strdup(text);
    json_object_del(arguments, "requestId");
    return call->request_id ? 0 : -ENOMEM;
}

static char *key_of(const struct hub_call *call, const char *rid, uint32_t generation)
{
    char *key;
    int size = call->request_id ? asprintf(&key, ID_HEAD "%s", call->request_id)
                                : asprintf(&key, "rid:%" PRIu32 ":%s", generation, rid);

    return size < 0 ? NULL : key;
}

static int fill(struct request *request, struct hub_call *call, const struct site *site,
                const char *rid, uint32_t generation)
{
    call->key = key_of(call, rid, generation);
    call->callers[0] = (struct hub_caller){generation, strdup(rid)};
    call->caller_count = 1;
    request->device_id = strdup(site->devices[call->device].id);
    request->request_id = call->key ? strdup(call->key) : NULL;
    request->repeat_s = call->request_id ? HUB_REPEAT_ID_S : HUB_REPEAT_RID_S;
    request->timeout_s = site->iothub->method_timeout_s;
    return request->device_id && request->request_id && call->callers[0].rid &&
                   request->action.method && call->method
               ? 0
               : -ENOMEM;
}

int hub_call_read(struct request **request, struct hub_call **call, const struct site *site,
                  size_t device, uint32_t generation, const char *method, const char *rid,
                  const struct arrival *arrival, struct refusal *refusal)
{
    struct request *made = NULL;
    struct hub_call *kept = NULL;
    json_t *arguments;
    int r;

    if (!id_is_method(method)) {
        refusal_set(refusal, CODE_BAD_REQUEST, "'%.100s' is no name of a method", method);
        return REQUEST_E_REFUSED;
    }
    r = request_read_json(&arguments, arrival->payload, arrival->size, refusal);
    if (r != 0)
        return r;
    made = request_new(REQUEST_CALL, LINK_IOTHUB);
    kept = calloc(1, sizeof(*kept));
    r = -ENOMEM;
    if (!made || !kept) {
        json_decref(arguments);
        goto fail;
    }
    made->action.kind = ACTION_METHOD;
    made->action.arguments = arguments;
    made->action.method = strdup(method);
    kept->device = device;
    kept->method = strdup(method);
    r = take_request_id(kept, method_of(site, device, method), arguments, refusal);
    if (r == 0)
        r = fill(made, kept, site, rid, generation);
    if (r != 0)
        goto fail;
    *request = made;
    *call = kept;
    return 0;

fail:
    request_free(made);
    hub_call_free(kept);
    return r;
}

bool hub_call_is_long(const struct site *site, size_t device, const struct action *action,
                      int64_t *waits_us)
{
    struct plan_error error;
    struct plan *plan;

    if (plan_new(&plan, site, site->devices[device].profile, action, &error) != 0)
        return false; /* the engine says what is wrong with it */
    *waits_us = plan->waits_us;
    plan_free(plan);
    return *waits_us > (int64_t)site->iothub->method_timeout_s * 1000000;
}

/* --- answers --- */

struct outgoing *hub_call_answer(const char *rid, int status, const char *body)
{
    static const char too_long[] =
        "{\"error\":{\"code\":\"BadReply\",\"description\":\"the answer has more than 128 KB, "
        "which IoT Hub does not carry\"}}";
    const char *text = strlen(body) > ANSWER_MOST ? too_long : body[0] ? body : "null";

    return outgoing_new(OUTGOING_ANSWER, hub_topic_method_answer(status, rid), strdup(text),
                        false);
}

struct outgoing *hub_call_refusal(const char *rid, const struct refusal *refusal)
{
    json_t *body = json_pack("{s:{s:s,s:s}}", "error", "code", code_name(refusal->code),
                             "description", refusal->text);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct outgoing *answer =
        text ? hub_call_answer(rid, code_status(refusal->code), text) : NULL;

    free(text);
    json_decref(body);
    return answer;
}

/* The payload goes along where the hub's rules for reported properties let it. */
static void add_payload(json_t *last, const char *body)
{
    json_t *payload = strlen(body) <= LAST_PAYLOAD_MOST ? json_loads(body, 0, NULL) : NULL;
    char *why = payload ? twin_refuses(payload, false) : NULL;

    if (payload && !why)
        json_object_set(last, "payload", payload);
    free(why);
    json_decref(payload);
}

json_t *hub_call_last(const struct report *report, int64_t wall_ms)
{
    const char *id = report->request_id;
    bool given = id && strncmp(id, ID_HEAD, strlen(ID_HEAD)) == 0;
    char ended[TIMETEXT_SIZE];
    json_t *last;

    timetext_format(ended, wall_ms);
    last = json_pack("{s:s,s:s*,s:i,s:s}", "method", report->method, "requestId",
                     given ? id + strlen(ID_HEAD) : NULL, "status", report->status, "endTime",
                     ended);
    if (last)
        add_payload(last, report->body);
    return last;
}
