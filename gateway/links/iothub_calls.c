/* Methods of the hub: calls that wait for their answer, and who hears it. */
#include "links/iothub_link.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

enum { CALLS_MOST = 4096 };

static struct hub_call *find_call(struct iothub *iothub, size_t device, const char *method,
                                  const char *key)
{
    for (struct hub_call *call = iothub->calls; call; call = call->next) {
        if (call->device == device && call->key && strcmp(call->key, key) == 0 &&
            strcmp(call->method, method) == 0)
            return call;
    }
    return NULL;
}

void calls_keep(struct iothub *iothub, struct hub_call *call, struct request *request)
{
    request->origin.ticket = call->ticket = ++iothub->ticket;
    call->next = iothub->calls;
    iothub->calls = call;
    iothub->call_count++;
}

struct hub_call *calls_take(struct iothub *iothub, uint64_t ticket)
{
    for (struct hub_call **at = &iothub->calls; *at; at = &(*at)->next) {
        struct hub_call *call = *at;

        if (call->ticket != ticket)
            continue;
        *at = call->next;
        iothub->call_count--;
        return call;
    }
    return NULL;
}

/* The same call again while the first one runs: both get its answer. */
static bool joins(struct hub_call *open, struct hub_call *call)
{
    struct hub_caller *caller = &call->callers[0];

    for (size_t i = 0; i < open->caller_count; i++) {
        if (open->callers[i].generation == caller->generation &&
            strcmp(open->callers[i].rid, caller->rid) == 0)
            return true;
    }
    if (open->caller_count == HUB_CALLERS_MOST)
        return false;
    open->callers[open->caller_count++] = *caller;
    call->caller_count = 0;
    return true;
}

static void answer(struct iothub *iothub, size_t device, const struct hub_caller *caller,
                   int status, const char *body)
{
    hub_thread_send(iothub->thread, iothub->devices[device].slot, caller->generation,
                    hub_call_answer(caller->rid, status, body));
}

static void refuse(struct iothub *iothub, const struct hub_news *news, const char *rid,
                   const struct refusal *refusal)
{
    iothub->refused++;
    hub_thread_send(iothub->thread, iothub->devices[news->device].slot, news->generation,
                    hub_call_refusal(rid, refusal));
}

static struct request *accept_call(struct iothub *iothub, struct hub_call *call,
                                   struct request *request)
{
    static const char accepted[] = "{\"accepted\":true}";
    int64_t waits_us;

    if (hub_call_is_long(iothub->site, call->device, &request->action, &waits_us)) {
        call->early = true;
        request->timeout_s += (unsigned)(waits_us / SECOND_US) + 1;
        answer(iothub, call->device, &call->callers[0], 202, accepted);
    }
    calls_keep(iothub, call, request);
    return request;
}

struct request *calls_method(struct iothub *iothub, const struct hub_news *news,
                             const struct hub_topic *topic)
{
    struct request *request = NULL;
    struct hub_call *call = NULL, *open;
    struct refusal refusal;
    int r = hub_call_read(&request, &call, iothub->site, news->device, news->generation,
                          topic->method, topic->rid, news->arrival, &refusal);

    if (r < 0)
        refusal_set(&refusal, CODE_STORE_UNAVAILABLE, "the gateway is out of memory");
    if (r == 0 && iothub->call_count >= CALLS_MOST) {
        r = REQUEST_E_REFUSED;
        refusal_set(&refusal, CODE_QUEUE_FULL, "more calls wait than this gateway takes");
    }
    open = r == 0 ? find_call(iothub, call->device, call->method, call->key) : NULL;
    if (open && !joins(open, call)) {
        r = REQUEST_E_REFUSED;
        refusal_set(&refusal, CODE_QUEUE_FULL,
                    "this call waits already, and was repeated often");
    }
    if (r == 0 && !open)
        return accept_call(iothub, call, request);
    if (r != 0)
        refuse(iothub, news, topic->rid, &refusal);
    else if (open->early && call->caller_count == 0)
        answer(iothub, open->device, &open->callers[open->caller_count - 1], 202,
               "{\"accepted\":true}");
    hub_call_free(call);
    request_free(request);
    return NULL;
}

/* Those who asked on a connection that is gone were told by the hub that it was lost. */
static bool answer_callers(struct iothub *iothub, const struct hub_call *call,
                           const struct report *report)
{
    const struct hub_device *device = &iothub->devices[call->device];
    bool heard = false;

    for (size_t i = 0; !call->early && i < call->caller_count; i++) {
        if (device->generation != 0 && call->callers[i].generation < device->generation)
            continue;
        answer(iothub, call->device, &call->callers[i], report->status, report->body);
        heard |= device->generation != 0;
    }
    return heard;
}

/* The end of a call whose caller cannot be told any more: he had 202 or 504, his connection was
   lost, or the gateway was restarted. */
static void keep_last(struct iothub *iothub, const struct report *report)
{
    size_t device = site_device(iothub->site, report->device_id);
    json_t *last = hub_call_last(report, clock_wall_ms());
    json_t *extra = last ? json_pack("{s:o}", "lastMethod", last) : NULL;

    if (extra && device != SITE_NONE) {
        hub_twin_want_extra(&iothub->devices[device].twin, extra);
        twins_plan(iothub, device);
    } else {
        json_decref(extra);
    }
}

void calls_answer(struct iothub *iothub, const struct report *report)
{
    struct hub_call *call = calls_take(iothub, report->origin.ticket);
    bool heard = call && !call->patch && !call->probe && answer_callers(iothub, call, report);

    if (report->method && !heard)
        keep_last(iothub, report);
    if (call && call->patch &&
        (report->code == CODE_QUEUE_FULL || report->code == CODE_STORE_UNAVAILABLE))
        twins_not_done(iothub, call->device, report->code);
    hub_call_free(call);
}

void calls_move(struct iothub *iothub, const size_t *to)
{
    struct hub_call **at = &iothub->calls;

    while (*at) {
        struct hub_call *call = *at;

        call->device = to[call->device];
        if (call->device != SITE_NONE) {
            at = &call->next;
            continue;
        }
        *at = call->next;
        iothub->call_count--;
        hub_call_free(call);
    }
}

void calls_close(struct iothub *iothub)
{
    while (iothub->calls)
        hub_call_free(calls_take(iothub, iothub->calls->ticket));
}
