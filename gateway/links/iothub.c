#include "links/iothub_link.h"

#include "base/log.h"
#include "base/trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define SECOND_US INT64_C(1000000)
#define PROBE_US  (30 * SECOND_US)

/* Sends what is due and sets the timer to what comes next. */
static void send_due(struct iothub *iothub)
{
    int64_t now_us = clock_boot_us(), wake_us = twins_send(iothub, now_us);
    int64_t values_us = values_send(iothub, now_us);
    struct itimerspec when = {{0, 0}, {0, 0}};

    if (values_us < wake_us)
        wake_us = values_us;

    for (size_t i = 0; i < iothub->site->device_count; i++) {
        if (iothub->devices[i].offline && iothub->devices[i].probe_us < wake_us)
            wake_us = iothub->devices[i].probe_us;
    }
    if (wake_us != MOMENT_NEVER) {
        int64_t left_us = wake_us > now_us ? wake_us - now_us : 1;

        when.it_value = (struct timespec){.tv_sec = (time_t)(left_us / SECOND_US),
                                          .tv_nsec = (long)(left_us % SECOND_US * 1000)};
    }
    timerfd_settime(iothub->timer_fd, 0, &when, NULL);
}

/* --- what comes --- */

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
    calls_keep(iothub, call, request);
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

static struct request *take_message(struct iothub *iothub, const struct hub_news *news)
{
    struct hub_topic topic;

    hub_topic_read(&topic, news->arrival->topic);
    switch (topic.kind) {
    case HUB_TOPIC_METHOD:
        return calls_method(iothub, news, &topic);
    case HUB_TOPIC_TWIN_ANSWER:
    case HUB_TOPIC_DESIRED:
        return twins_message(iothub, news, &topic);
    case HUB_TOPIC_REGISTRATION:
    case HUB_TOPIC_OTHER:
        break;
    }
    return NULL;
}

/* The index of the device that it is about; SITE_NONE: one that is gone. */
static size_t index_of(const struct iothub *iothub, const struct hub_news *news)
{
    const struct hub_slot *slot = &iothub->slots[news->device];

    return news->roster >= slot->since ? slot->index : SITE_NONE;
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
        values_down(iothub, news->device);
        break;
    case HUB_NEWS_DELIVERED:
        if (news->generation == device->generation)
            values_delivered(iothub, news->device);
        return NULL;
    case HUB_NEWS_MESSAGE:
        return take_message(iothub, news);
    }
    twins_plan(iothub, news->device);
    return NULL;
}

struct request *iothub_take(struct iothub *iothub)
{
    struct request *request = NULL;
    struct hub_news *news;
    uint64_t times;

    while (!request && (news = hub_thread_take(iothub->thread))) {
        news->device = index_of(iothub, news);
        if (news->device != SITE_NONE)
            request = take_news(iothub, news);
        hub_news_free(news);
    }
    if (!request)
        request = next_probe(iothub);
    if (!request) {
        if (read(iothub->timer_fd, &times, sizeof(times)) < 0 && errno != EAGAIN)
            log_error("iothub: the timer: %s", strerror(errno));
        send_due(iothub);
    }
    return request;
}

/* --- what goes --- */

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
    hub_thread_want(iothub->thread, device->slot, !offline);
}

void iothub_report(struct iothub *iothub, const struct report *report)
{
    size_t device =
        report->device_id ? site_device(iothub->site, report->device_id) : SITE_NONE;

    if (report->kind == REPORT_ANSWER && report->origin.link == LINK_IOTHUB)
        calls_answer(iothub, report);
    else if (report->kind == REPORT_REPORTED && device != SITE_NONE)
        twins_reported(iothub, device, report);
    else if (report->kind == REPORT_STATE && device != SITE_NONE)
        take_state(iothub, device, report->body);
    else if (report->kind == REPORT_VALUES && device != SITE_NONE)
        values_report(iothub, device, report);
    else
        return;
    send_due(iothub);
}

void iothub_trust_clock(struct iothub *iothub)
{
    hub_thread_trust_clock(iothub->thread);
}

void iothub_status(const struct iothub *iothub, struct iothub_status *status)
{
    hub_thread_status(iothub->thread, status);
    status->refused = iothub->refused;
    status->open_calls = iothub->call_count;
    values_count(iothub, status);
    twins_tell(iothub, status);
}

/* --- opening and closing --- */

static int watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_slots(struct iothub *iothub)
{
    size_t count = hub_thread_slots(iothub->thread);

    iothub->slots = calloc(count, sizeof(*iothub->slots));
    if (!iothub->slots)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        bool used = i < iothub->site->device_count;

        iothub->slots[i].index = used ? i : SITE_NONE;
        if (used)
            iothub->devices[i].slot = i;
    }
    return 0;
}

/* Takes the keys, also when it fails. */
static int open_thread(struct iothub *iothub, const struct engine *engine,
                       struct hub_keys *keys, char *why, size_t why_size)
{
    struct hub_thread_settings settings = {.site = iothub->site,
                                           .keys = keys,
                                           .clock_is_trusted = clock_is_trusted,
                                           .newest_ms = engine_newest_ms(engine)};
    int r = keys ? 0 : hub_keys_open(&settings.keys, iothub->site, why, why_size);

    if (r < 0)
        return r;
    r = hub_thread_open(&iothub->thread, &settings);
    if (r < 0) {
        hub_keys_free(settings.keys);
        return r;
    }
    return open_slots(iothub);
}

void hub_device_close(struct hub_device *device)
{
    hub_twin_deinit(&device->twin);
    hub_telemetry_deinit(&device->telemetry);
}

void hub_device_open(struct hub_device *device, const struct engine *engine, size_t index)
{
    const json_t *desired;
    int64_t version = engine_hub_version(engine, index, &desired);

    hub_twin_init(&device->twin);
    hub_telemetry_init(&device->telemetry);
    if (version > 0)
        hub_twin_recall(&device->twin, version, desired);
    device->due_us = MOMENT_NEVER;
}

int iothub_open(struct iothub **ret, const struct site *site, const struct engine *engine,
                struct hub_keys *keys, char *why, size_t why_size)
{
    struct iothub *iothub = calloc(1, sizeof(*iothub));
    int r = 0;

    why[0] = '\0';
    if (!iothub) {
        hub_keys_free(keys);
        return -ENOMEM;
    }
    iothub->site = site;
    values_open(iothub);
    iothub->ticket = (uint64_t)clock_boot_us(); /* none that a link before a reload gave */
    iothub->devices = calloc(site->device_count + 1, sizeof(*iothub->devices));
    iothub->fd = epoll_create1(EPOLL_CLOEXEC);
    iothub->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (!iothub->devices)
        r = -ENOMEM;
    else if (iothub->fd < 0 || iothub->timer_fd < 0)
        r = -errno;
    for (size_t i = 0; iothub->devices && i < site->device_count; i++)
        hub_device_open(&iothub->devices[i], engine, i);
    if (r == 0)
        r = watch(iothub->fd, iothub->timer_fd);
    if (r == 0)
        r = open_thread(iothub, engine, keys, why, why_size);
    else
        hub_keys_free(keys);
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

int iothub_check(const struct site *site, char *why, size_t why_size)
{
    struct hub_keys *keys;
    int r;

    why[0] = '\0';
    r = hub_keys_open(&keys, site, why, why_size);
    if (r == 0)
        hub_keys_free(keys);
    else if (!why[0])
        snprintf(why, why_size, "%s", strerror(-r));
    return r;
}

void iothub_close(struct iothub *iothub)
{
    if (!iothub)
        return;
    if (iothub->thread)
        hub_thread_close(iothub->thread);
    calls_close(iothub);
    for (size_t i = 0; iothub->devices && i < iothub->site->device_count; i++)
        hub_device_close(&iothub->devices[i]);
    if (iothub->fd >= 0)
        close(iothub->fd);
    if (iothub->timer_fd >= 0)
        close(iothub->timer_fd);
    free(iothub->devices);
    free(iothub->slots);
    free(iothub);
}

int iothub_fd(const struct iothub *iothub)
{
    return iothub->fd;
}
