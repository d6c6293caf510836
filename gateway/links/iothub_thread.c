#include "links/iothub_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "links/iothub_assigned.h"
#include "links/iothub_topics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)

enum { NEWS_MOST = 8192, OUT_MOST = 8192, CLOSE_LIMIT_MS = 2000, SLOTS_SPARE = 64 };

void hub_news_free(struct hub_news *news)
{
    if (news)
        arrival_free(news->arrival);
    free(news);
}

/* --- on Paho's threads --- */

static void give_out(struct hub_thread *thread, struct hub_out *out)
{
    if (out && queue_give(thread->out, out) != 0) {
        log_error("iothub: more waits to be sent than the link keeps (%d); dropped", OUT_MOST);
        outgoing_free(out->message);
        free(out);
    }
}

static void refuse_unread(struct hub_thread *thread, size_t device, uint32_t generation,
                          struct arrival *arrival)
{
    static const char body[] =
        "{\"error\":{\"code\":\"QueueFull\",\"description\":\"more messages wait than this "
        "gateway takes\"}}";
    struct hub_topic topic;

    hub_topic_read(&topic, arrival->topic);
    if (topic.kind == HUB_TOPIC_METHOD)
        hub_thread_send(
            thread, device, generation,
            outgoing_new(OUTGOING_ANSWER,
                         hub_topic_method_answer(code_status(CODE_QUEUE_FULL), topic.rid),
                         strdup(body), false));
    arrival_free(arrival);
}

static bool is_method(const struct arrival *arrival)
{
    return strncmp(arrival->topic, "$iothub/methods/", strlen("$iothub/methods/")) == 0;
}

static void on_arrival(void *ctx, struct arrival *arrival)
{
    struct hub_thread *thread = ctx;
    size_t device = hub_session_device(arrival->session);
    uint32_t generation = (uint32_t)(arrival->session >> 32);
    struct hub_news *news;

    if (strncmp(arrival->topic, "$dps/", strlen("$dps/")) == 0) {
        if (queue_give(thread->registrations, arrival) != 0)
            arrival_free(arrival);
        return;
    }
    pthread_mutex_lock(&thread->end.lock);
    thread->status.received++;
    thread->calls[device] += is_method(arrival);
    uint64_t roster = thread->taken;
    pthread_mutex_unlock(&thread->end.lock);
    news = calloc(1, sizeof(*news));
    if (news)
        *news = (struct hub_news){HUB_NEWS_MESSAGE, device, generation, arrival, roster};
    if (!news || queue_give(thread->news, news) != 0) {
        free(news);
        refuse_unread(thread, device, generation, arrival);
    }
}

static void thread_free(struct hub_thread *thread)
{
    struct mqtt_event *event;
    struct arrival *arrival;
    struct hub_news *news;
    struct hub_out *out;

    for (size_t i = 0; thread->identities && i < thread->slot_count; i++)
        hub_identity_deinit(&thread->identities[i]);
    hub_roster_free(thread->next);
    while (thread->events && (event = queue_take(thread->events)))
        free(event);
    while (thread->registrations && (arrival = queue_take(thread->registrations)))
        arrival_free(arrival);
    while (thread->news && (news = queue_take(thread->news)))
        hub_news_free(news);
    while (thread->out && (out = queue_take(thread->out))) {
        outgoing_free(out->message);
        free(out);
    }
    link_end_deinit(&thread->end);
    queue_free(thread->events);
    queue_free(thread->registrations);
    queue_free(thread->news);
    queue_free(thread->out);
    free(thread->identities);
    free(thread->slots);
    free(thread->untold);
    free(thread->calls);
    hub_keys_free(thread->settings.keys);
    free(thread);
}

static void *thread_main(void *arg)
{
    struct hub_thread *thread = arg;

    hub_connections_run(thread);
    if (link_end_done(&thread->end))
        thread_free(thread);
    return NULL;
}

/* --- on the main loop --- */

static int open_queues(struct hub_thread *thread)
{
    int r = queue_new(&thread->news, NEWS_MOST);

    if (r == 0) /* more than all sessions can tell at once */
        r = queue_new(&thread->events, 8 * thread->slot_count + 64);
    if (r == 0)
        r = queue_new(&thread->registrations, thread->slot_count + 64);
    if (r == 0)
        r = queue_new(&thread->out, OUT_MOST);
    return r;
}

static void fill(struct hub_thread *thread, const struct hub_thread_settings *settings)
{
    int64_t now_us = clock_boot_us();

    thread->settings = *settings;
    thread->means = (struct hub_means){.site = settings->site,
                                       .keys = settings->keys,
                                       .events = thread->events,
                                       .arrived = on_arrival,
                                       .ctx = thread};
    thread->clock_offset_ms = clock_wall_ms() - now_us / 1000;
    /* After a power cut many gateways come back in the same second. */
    thread->next_connect_us = now_us + (int64_t)((uint64_t)SECOND_US * hub_random() >> 32);
    for (size_t i = 0; i < thread->slot_count; i++) {
        bool used = i < thread->count;

        hub_identity_init(&thread->identities[i], i);
        thread->identities[i].next_us = now_us;
        thread->identities[i].wanted = used;
        if (!used)
            continue;
        thread->identities[i].id = settings->site->devices[i].id;
        thread->slots[i] = i;
    }
    if (settings->site->iothub->dps_endpoint)
        hub_assigned_load(thread->identities, thread->slots, settings->site);
    thread->status.devices = thread->count;
    snprintf(thread->status.text, sizeof(thread->status.text), "connecting");
}

int hub_thread_open(struct hub_thread **ret, const struct hub_thread_settings *settings)
{
    struct hub_thread *thread = calloc(1, sizeof(*thread));
    int r;

    if (!thread)
        return -ENOMEM;
    r = link_end_init(&thread->end);
    if (r < 0) {
        free(thread);
        return r;
    }
    thread->count = settings->site->device_count;
    thread->slot_count = 2 * thread->count + SLOTS_SPARE;
    thread->identities = calloc(thread->slot_count, sizeof(*thread->identities));
    thread->slots = calloc(thread->count + 1, sizeof(*thread->slots));
    thread->untold = calloc(thread->slot_count, sizeof(*thread->untold));
    thread->calls = calloc(thread->slot_count, sizeof(*thread->calls));
    r = thread->identities && thread->slots && thread->untold && thread->calls
            ? open_queues(thread)
            : -ENOMEM;
    if (r == 0) {
        fill(thread, settings);
        r = -pthread_create(&thread->end.thread, NULL, thread_main, thread);
    }
    if (r < 0) {
        thread->settings.keys = NULL; /* still the caller's */
        thread_free(thread);
        return r;
    }
    *ret = thread;
    return 0;
}

void hub_thread_close(struct hub_thread *thread)
{
    if (link_end_wait(&thread->end, thread->events, CLOSE_LIMIT_MS))
        thread_free(thread);
}

void hub_roster_free(struct hub_roster *roster)
{
    if (!roster)
        return;
    hub_keys_free(roster->keys);
    free(roster->slots);
    free(roster->indexes);
    free(roster);
}

size_t hub_thread_slots(const struct hub_thread *thread)
{
    return thread->slot_count;
}

uint64_t hub_thread_change(struct hub_thread *thread, struct hub_roster *roster)
{
    struct mqtt_event *wake = calloc(1, sizeof(*wake));
    struct hub_roster *before;

    roster->number = ++thread->given;
    pthread_mutex_lock(&thread->end.lock);
    before = thread->next;
    thread->next = roster;
    pthread_mutex_unlock(&thread->end.lock);
    hub_roster_free(before); /* each of them is whole */
    if (wake)
        wake->kind = MQTT_WAKE;
    if (wake && queue_give(thread->events, wake) != 0)
        free(wake);
    return thread->given;
}

uint64_t hub_thread_taken(struct hub_thread *thread)
{
    uint64_t taken;

    pthread_mutex_lock(&thread->end.lock);
    taken = thread->taken;
    pthread_mutex_unlock(&thread->end.lock);
    return taken;
}

int hub_thread_fd(const struct hub_thread *thread)
{
    return queue_fd(thread->news);
}

struct hub_news *hub_thread_take(struct hub_thread *thread)
{
    return queue_take(thread->news);
}

static void give_message(struct hub_thread *thread, const struct hub_out *what)
{
    struct hub_out *out = what->message ? malloc(sizeof(*out)) : NULL;

    if (!out) {
        outgoing_free(what->message);
        return;
    }
    *out = *what;
    give_out(thread, out);
}

void hub_thread_send(struct hub_thread *thread, size_t device, uint32_t generation,
                     struct outgoing *message)
{
    give_message(thread, &(struct hub_out){
                             .device = device, .generation = generation, .message = message});
}

void hub_thread_send_telemetry(struct hub_thread *thread, size_t device, uint32_t generation,
                               struct outgoing *message)
{
    give_message(thread, &(struct hub_out){.device = device,
                                           .generation = generation,
                                           .message = message,
                                           .telemetry = true});
}

void hub_thread_want(struct hub_thread *thread, size_t device, bool wanted)
{
    struct hub_out *out = calloc(1, sizeof(*out));

    if (!out)
        return;
    *out = (struct hub_out){.device = device, .roster = thread->given, .wanted = wanted};
    give_out(thread, out);
}

void hub_thread_trust_clock(struct hub_thread *thread)
{
    atomic_store(&thread->trust, true);
}

void hub_thread_status(struct hub_thread *thread, struct iothub_status *status)
{
    pthread_mutex_lock(&thread->end.lock);
    *status = thread->status;
    pthread_mutex_unlock(&thread->end.lock);
}