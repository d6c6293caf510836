#include "links/iothub.h"

#include "base/log.h"
#include "base/trust.h"
#include "links/iothub_call.h"
#include "links/iothub_thread.h"
#include "links/iothub_topics.h"
#include "links/iothub_twin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SECOND_US INT64_C(1000000)
#define PROBE_US  (30 * SECOND_US)

enum {
    CALLS_MOST = 4096,
    TWIN_RATE = 20, /* questions and reports a second, all devices together: the smallest hub
                       takes 50 from all its devices */
};

struct hub_device {
    struct hub_twin twin;
    int64_t due_us;      /* when the twin has something to send; MOMENT_NEVER */
    uint32_t generation; /* of the connection; 0: none */
    bool offline;        /* the line says so, and so it is disconnected */
    int64_t probe_us;    /* offline: when the device is asked again whether it is back */
};

struct iothub {
    const struct site *site;
    struct hub_thread *thread;
    struct hub_device *devices;
    struct hub_call *calls; /* the newest first */
    size_t call_count;
    uint64_t ticket, rid, refused;
    int fd, timer_fd;     /* epoll over news and the timer */
    int64_t twin_next_us; /* the rate lets the next one go */
};

/* --- sending --- */

static uint32_t random_number(void)
{
    uint32_t number;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
        number = (uint32_t)clock_boot_us() * UINT32_C(2654435761);
    return number;
}

static void plan_twin(struct iothub *iothub, size_t device)
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
        text = json_dumps(body, JSON_COMPACT);
        message =
            outgoing_new(OUTGOING_REPORTED, hub_topic_twin_report(++iothub->rid), text, false);
        break;
    }
    json_decref(body);
    if (message) {
        hub_thread_send(iothub->thread, index, device->generation, message);
        iothub->twin_next_us =
            (iothub->twin_next_us > now_us - SECOND_US ? iothub->twin_next_us
                                                       : now_us - SECOND_US) +
            SECOND_US / TWIN_RATE;
    }
    plan_twin(iothub, index);
}

/* A second's worth may go at once, then as the rate lets. */
static void send_twins(struct iothub *iothub)
{
    int64_t now_us = clock_boot_us(), wake_us = MOMENT_NEVER;
    struct itimerspec when = {{0, 0}, {0, 0}};

    for (size_t i = 0; i < iothub->site->device_count; i++) {
        struct hub_device *device = &iothub->devices[i];

        if (device->due_us <= now_us && iothub->twin_next_us <= now_us)
            send_twin(iothub, i);
        if (device->due_us < wake_us)
            wake_us = device->due_us;
    }
    if (wake_us < iothub->twin_next_us)
        wake_us = iothub->twin_next_us;
    for (size_t i = 0; i < iothub->site->device_count; i++) {
        if (iothub->devices[i].offline && iothub->devices[i].probe_us < wake_us)
            wake_us = iothub->devices[i].probe_us;
    }
    if (wake_us != MOMENT_NEVER) {
        int64_t left_us = wake_us > now_us ? wake_us - now_us : 1;

        when.it_value = (struct timespec){.tv_sec = left_us / SECOND_US,
                                          .tv_nsec = left_us % SECOND_US * 1000};
    }
    timerfd_settime(iothub->timer_fd, 0, &when, NULL);
}

/* --- open calls --- */

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

static void keep_call(struct iothub *iothub, struct hub_call *call, struct request *request)
{
    request->origin.ticket = call->ticket = ++iothub->ticket;
    call->next = iothub->calls;
    iothub->calls = call;
    iothub->call_count++;
}

static struct hub_call *take_call(struct iothub *iothub, uint64_t ticket)
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
    hub_thread_send(iothub->thread, device, caller->generation,
                    hub_call_answer(caller->rid, status, body));
}

/* --- what comes --- */

static void refuse(struct iothub *iothub, const struct hub_news *news, const char *rid,
                   const struct refusal *refusal)
{
    iothub->refused++;
    hub_thread_send(iothub->thread, news->device, news->generation,
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
    keep_call(iothub, call, request);
    return request;
}

static struct request *take_method(struct iothub *iothub, const struct hub_news *news,
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
    if (!request->device_id)
        goto fail_filled;
    call->device = device;
    call->patch = true;
    keep_call(iothub, call, request);
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

/* Nobody can call a device that is disconnected, so the link itself asks whether it is back. */
static struct request *probe_request(struct iothub *iothub, size_t index)
{
    const struct device *device = &iothub->site->devices[index];
    const struct profile *profile = &iothub->site->profiles[device->profile];
    struct request *request;
    struct hub_call *call;
    size_t point = 0;

    iothub->devices[index].probe_us = clock_boot_us() + PROBE_US;
    while (point < profile->point_count && !profile->points[point].readable)
        point++;
    if (point == profile->point_count)
        return NULL;
    request = request_new(REQUEST_CALL, LINK_IOTHUB);
    call = calloc(1, sizeof(*call));
    if (request && call) {
        request->action.kind = ACTION_READ;
        request->action.arguments = json_pack("[s]", profile->points[point].name);
        request->device_id = strdup(device->id);
        request->timeout_s = iothub->site->iothub->method_timeout_s;
    }
    if (!call || !request || !request->device_id || !request->action.arguments) {
        request_free(request);
        free(call);
        return NULL;
    }
    call->device = index;
    call->probe = true;
    keep_call(iothub, call, request);
    return request;
}

static struct request *next_probe(struct iothub *iothub)
{
    int64_t now_us = clock_boot_us();
    struct request *request = NULL;

    for (size_t i = 0; !request && i < iothub->site->device_count; i++) {
        if (iothub->devices[i].offline && iothub->devices[i].probe_us <= now_us)
            request = probe_request(iothub, i);
    }
    return request;
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

static struct request *take_twin(struct iothub *iothub, const struct hub_news *news,
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
        patch = hub_twin_answered(&device->twin, hub_rid_read(topic->rid), topic->status, body,
                                  clock_boot_us(), random_number());
    } else if (json_is_object(body)) {
        if (json_is_integer(json_object_get(body, "$version")))
            version = json_integer_value(json_object_get(body, "$version"));
        patch = hub_twin_notified(&device->twin, version, body);
    } else { /* it cannot be read as a patch: perhaps as part of the whole */
        hub_twin_notified(&device->twin, INT64_MAX / 2, NULL);
    }
    json_decref(body);
    plan_twin(iothub, news->device);
    return patch ? patch_request(iothub, news->device, patch) : NULL;
}

static struct request *take_message(struct iothub *iothub, const struct hub_news *news)
{
    struct hub_topic topic;

    hub_topic_read(&topic, news->arrival->topic);
    switch (topic.kind) {
    case HUB_TOPIC_METHOD:
        return take_method(iothub, news, &topic);
    case HUB_TOPIC_TWIN_ANSWER:
    case HUB_TOPIC_DESIRED:
        return take_twin(iothub, news, &topic);
    case HUB_TOPIC_REGISTRATION:
    case HUB_TOPIC_OTHER:
        break;
    }
    return NULL;
}

static struct request *take_news(struct iothub *iothub, const struct hub_news *news)
{
    struct hub_device *device = &iothub->devices[news->device];

    switch (news->kind) {
    case HUB_NEWS_UP:
        device->generation = news->generation;
        hub_twin_up(&device->twin);
        break;
    case HUB_NEWS_DOWN:
        device->generation = 0;
        hub_twin_down(&device->twin);
        break;
    case HUB_NEWS_MESSAGE:
        return take_message(iothub, news);
    }
    plan_twin(iothub, news->device);
    return NULL;
}

struct request *iothub_take(struct iothub *iothub)
{
    struct request *request = NULL;
    struct hub_news *news;
    uint64_t times;

    while (!request && (news = hub_thread_take(iothub->thread))) {
        request = take_news(iothub, news);
        hub_news_free(news);
    }
    if (!request)
        request = next_probe(iothub);
    if (!request) {
        if (read(iothub->timer_fd, &times, sizeof(times)) < 0 && errno != EAGAIN)
            log_error("iothub: the timer: %s", strerror(errno));
        send_twins(iothub);
    }
    return request;
}

/* --- what goes --- */

/* Those who asked on a connection that is gone were told by the hub that it was lost. */
static void answer_call(struct iothub *iothub, struct hub_call *call,
                        const struct report *report)
{
    struct hub_device *device = &iothub->devices[call->device];
    bool heard = false;

    for (size_t i = 0; !call->early && i < call->caller_count; i++) {
        if (device->generation != 0 && call->callers[i].generation < device->generation)
            continue;
        answer(iothub, call->device, &call->callers[i], report->status, report->body);
        heard |= device->generation != 0;
    }
    if (heard)
        return;
    json_t *last = hub_call_last(call, report->status, report->body, clock_wall_ms());
    json_t *extra = last ? json_pack("{s:o}", "lastMethod", last) : NULL;
    if (extra)
        hub_twin_want_extra(&device->twin, extra);
    plan_twin(iothub, call->device);
}

static void take_answer(struct iothub *iothub, const struct report *report)
{
    struct hub_call *call = take_call(iothub, report->origin.ticket);

    if (!call)
        return;
    if (!call->patch && !call->probe) {
        answer_call(iothub, call, report);
    } else if (call->patch &&
               (report->code == CODE_QUEUE_FULL || report->code == CODE_STORE_UNAVAILABLE)) {
        log_warning("iothub: a desired patch of %s waits: %s",
                    iothub->site->devices[call->device].id, code_name(report->code));
        hub_twin_not_done(&iothub->devices[call->device].twin, clock_boot_us());
        plan_twin(iothub, call->device);
    }
    hub_call_free(call);
}

static void take_state(struct iothub *iothub, size_t index, const char *body)
{
    struct hub_device *device = &iothub->devices[index];
    json_t *state = json_loads(body, 0, NULL);
    const char *name = json_string_value(json_object_get(state, "state"));
    bool offline = name && strcmp(name, "offline") == 0;

    json_decref(state);
    if (offline == device->offline || !iothub->site->iothub->disconnect_offline)
        return;
    device->offline = offline;
    device->probe_us = clock_boot_us() + PROBE_US;
    hub_thread_want(iothub->thread, index, !offline);
}

static void take_reported(struct iothub *iothub, size_t device, const char *body)
{
    json_t *document = json_loads(body[0] ? body : "{}", 0, NULL);

    if (document)
        hub_twin_want(&iothub->devices[device].twin, document);
    plan_twin(iothub, device);
}

void iothub_report(struct iothub *iothub, const struct report *report)
{
    size_t device =
        report->device_id ? site_device(iothub->site, report->device_id) : SITE_NONE;

    if (report->kind == REPORT_ANSWER && report->origin.link == LINK_IOTHUB)
        take_answer(iothub, report);
    else if (report->kind == REPORT_REPORTED && device != SITE_NONE)
        take_reported(iothub, device, report->body);
    else if (report->kind == REPORT_STATE && device != SITE_NONE)
        take_state(iothub, device, report->body);
    else
        return;
    send_twins(iothub);
}

void iothub_status(const struct iothub *iothub, struct iothub_status *status)
{
    hub_thread_status(iothub->thread, status);
    status->refused = iothub->refused;
    status->open_calls = iothub->call_count;
}

/* --- opening and closing --- */

static int watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_thread(struct iothub *iothub, char *why, size_t why_size)
{
    struct hub_thread_settings settings = {.site = iothub->site,
                                           .clock_is_trusted = clock_is_trusted};
    int r = hub_keys_open(&settings.keys, iothub->site, why, why_size);

    if (r < 0)
        return r;
    r = hub_thread_open(&iothub->thread, &settings);
    if (r < 0)
        hub_keys_free(settings.keys);
    return r;
}

int iothub_open(struct iothub **ret, const struct site *site, char *why, size_t why_size)
{
    struct iothub *iothub = calloc(1, sizeof(*iothub));
    int r = 0;

    why[0] = '\0';
    if (!iothub)
        return -ENOMEM;
    iothub->site = site;
    iothub->devices = calloc(site->device_count + 1, sizeof(*iothub->devices));
    iothub->fd = epoll_create1(EPOLL_CLOEXEC);
    iothub->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (!iothub->devices)
        r = -ENOMEM;
    else if (iothub->fd < 0 || iothub->timer_fd < 0)
        r = -errno;
    for (size_t i = 0; iothub->devices && i < site->device_count; i++) {
        hub_twin_init(&iothub->devices[i].twin);
        iothub->devices[i].due_us = MOMENT_NEVER;
    }
    if (r == 0)
        r = watch(iothub->fd, iothub->timer_fd);
    if (r == 0)
        r = open_thread(iothub, why, why_size);
    if (r == 0)
        r = watch(iothub->fd, hub_thread_fd(iothub->thread));
    if (r < 0) {
        if (!why[0])
            snprintf(why, why_size, "%s", strerror(-r));
        iothub_close(iothub);
        return r;
    }
    *ret = iothub;
    return 0;
}

void iothub_close(struct iothub *iothub)
{
    if (!iothub)
        return;
    if (iothub->thread)
        hub_thread_close(iothub->thread);
    while (iothub->calls)
        hub_call_free(take_call(iothub, iothub->calls->ticket));
    for (size_t i = 0; iothub->devices && i < iothub->site->device_count; i++)
        hub_twin_deinit(&iothub->devices[i].twin);
    if (iothub->fd >= 0)
        close(iothub->fd);
    if (iothub->timer_fd >= 0)
        close(iothub->timer_fd);
    free(iothub->devices);
    free(iothub);
}

int iothub_fd(const struct iothub *iothub)
{
    return iothub->fd;
}
