#include "links/broker_thread.h"

#include "base/clock.h"
#include "base/log.h"
#include "links/broker_pace.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    ARRIVALS_MOST = 1024,
    EVENTS_MOST = 256, /* more than one session can tell: FLIGHTS, one SUBSCRIBE, ends */
    FLIGHTS = 16,      /* below the 20 that mosquitto allows a client */
    OUTBOX_MOST = 10000,
    OUTBOX_BYTES_MOST = 8 << 20,
    STORED_LIMIT_S = 30,
    CLOSE_LIMIT_MS = 500,
};
#define CONNECT_LIMIT_US   INT64_C(60000000)
#define SUBSCRIBE_LIMIT_US INT64_C(30000000)
#define FLUSH_LIMIT_US     INT64_C(250000)
#define LEAVE_LIMIT_US     INT64_C(150000)
#define SHORT_SESSION_US   INT64_C(5000000)

enum session_state {
    SESSION_CONNECTING,
    SESSION_SUBSCRIBING,
    SESSION_UP,
    SESSION_FLUSHING, /* asked to stop: what waits goes out, the will last */
    SESSION_LEAVING,
    SESSION_ENDED,
};

struct broker_thread {
    struct broker_thread_settings settings;
    struct queue *arrivals; /* Paho -> loop */
    struct queue *events;   /* Paho, loop -> thread */
    struct outbox *outbox;  /* loop, Paho -> thread */
    int news_fd;
    pthread_t thread;

    /* the thread's own */
    struct mqtt *mqtt;
    enum session_state state;
    int64_t until_us, connected_us; /* of this state; connected_us -1: never */
    size_t subscribed;
    struct {
        struct outgoing *message; /* NULL: free */
        int token;
    } flights[FLIGHTS];
    size_t flying;
    bool stop;
    struct mqtt_event end; /* why the last session ended */
    struct pace pace;

    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    bool done, abandoned;
    uint64_t ticket, stored; /* the last one given out; the last one that is safe */
    bool connected;
    int64_t since_us;
    uint64_t sent;
    char text[160];
};

/* --- on Paho's threads --- */

static void wait_until_stored(struct broker_thread *thread, uint64_t ticket)
{
    struct timespec limit;
    int r = 0;

    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += STORED_LIMIT_S;
    pthread_mutex_lock(&thread->lock);
    while (thread->stored != ticket && r == 0)
        r = pthread_cond_timedwait(&thread->changed, &thread->lock, &limit);
    pthread_mutex_unlock(&thread->lock);
    if (r != 0)
        log_error("broker: a message was not stored within %d s and is acknowledged unstored",
                  STORED_LIMIT_S);
}

static void refuse_unread(struct broker_thread *thread, struct arrival *arrival)
{
    struct outgoing *answer = NULL;
    struct refusal refusal;

    refusal_set(&refusal, CODE_QUEUE_FULL, "more calls wait than this gateway takes");
    if (arrival_refuse(&answer, thread->settings.root, thread->settings.gateway_id, arrival,
                       &refusal) == 0 &&
        answer)
        broker_thread_give(thread, answer);
    arrival_free(arrival);
}

static void on_arrival(void *ctx, struct arrival *arrival)
{
    struct broker_thread *thread = ctx;
    uint64_t ticket = 0;

    if (arrival_waits(arrival, thread->settings.root)) {
        pthread_mutex_lock(&thread->lock);
        ticket = arrival->ticket = ++thread->ticket;
        pthread_mutex_unlock(&thread->lock);
    }
    if (queue_give(thread->arrivals, arrival) != 0)
        refuse_unread(thread, arrival);
    else if (ticket)
        wait_until_stored(thread, ticket);
}

/* --- on the broker thread --- */

static uint32_t random_number(void)
{
    uint32_t number;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
        number = (uint32_t)clock_boot_us() * UINT32_C(2654435761); /* early after power on */
    return number;
}

static void say(struct broker_thread *thread, bool connected, const char *text)
{
    pthread_mutex_lock(&thread->lock);
    if (connected != thread->connected)
        thread->since_us = clock_boot_us();
    thread->connected = connected;
    snprintf(thread->text, sizeof(thread->text), "%s", text);
    pthread_mutex_unlock(&thread->lock);
}

static void enter(struct broker_thread *thread, enum session_state state, int64_t limit_us)
{
    thread->state = state;
    thread->until_us = limit_us == MOMENT_NEVER ? MOMENT_NEVER : clock_boot_us() + limit_us;
}

static void end(struct broker_thread *thread, const char *text)
{
    thread->end = (struct mqtt_event){.kind = MQTT_ENDED};
    snprintf(thread->end.text, sizeof(thread->end.text), "%s", text);
    thread->state = SESSION_ENDED;
}

/* An event, or NULL: it is time, or the outbox has something that can be sent. */
static struct mqtt_event *next_event(struct broker_thread *thread, int64_t until_us, bool sends)
{
    struct pollfd waits[2] = {
        {.fd = queue_fd(thread->events), .events = POLLIN},
        {.fd = outbox_fd(thread->outbox), .events = POLLIN},
    };
    struct mqtt_event *event = queue_take(thread->events);
    int64_t left_us = until_us == MOMENT_NEVER ? 0 : until_us - clock_boot_us();
    struct timespec left = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};

    if (event || left_us < 0)
        return event;
    ppoll(waits, sends ? 2 : 1, until_us == MOMENT_NEVER ? NULL : &left, NULL);
    return queue_take(thread->events);
}

static void fly(struct broker_thread *thread, struct outgoing *message)
{
    size_t i = 0;
    int r;

    while (thread->flights[i].message)
        i++;
    assert(i < FLIGHTS);
    r = mqtt_publish(thread->mqtt, message, &thread->flights[i].token);
    if (r == MQTT_E_UNFIT) {
        log_warning("broker: an answer to a topic that is no UTF-8 was dropped");
        outgoing_free(message);
    } else if (r < 0) {
        outbox_put_back(thread->outbox, message);
        end(thread, "a message could not be sent");
    } else {
        thread->flights[i].message = message;
        thread->flying++;
    }
}

static bool may_send(const struct broker_thread *thread)
{
    return (thread->state == SESSION_UP || thread->state == SESSION_FLUSHING) &&
           thread->flying < FLIGHTS;
}

static void send_what_fits(struct broker_thread *thread)
{
    struct outgoing *message;

    while (may_send(thread) && (message = outbox_take(thread->outbox)))
        fly(thread, message);
}

static void land(struct broker_thread *thread, const struct mqtt_event *event)
{
    for (size_t i = 0; i < FLIGHTS; i++) {
        struct outgoing *message = thread->flights[i].message;

        if (!message || thread->flights[i].token != event->token)
            continue;
        if (event->kind == MQTT_REFUSED)
            log_warning("broker: %s was not taken: %s", message->topic, event->text);
        pthread_mutex_lock(&thread->lock);
        thread->sent += event->kind == MQTT_DELIVERED;
        pthread_mutex_unlock(&thread->lock);
        outgoing_free(message);
        thread->flights[i].message = NULL;
        thread->flying--;
    }
}

/* Without an acknowledgement nobody knows: sent again, as QoS 1 allows. */
static void bring_back(struct broker_thread *thread)
{
    for (size_t i = 0; i < FLIGHTS; i++) {
        if (thread->flights[i].message)
            outbox_put_back(thread->outbox, thread->flights[i].message);
        thread->flights[i].message = NULL;
    }
    thread->flying = 0;
}

static void come_up(struct broker_thread *thread)
{
    size_t dropped = outbox_dropped(thread->outbox);
    uint64_t one = 1;

    if (dropped > 0)
        log_error("broker: %zu messages were dropped while it was away", dropped);
    log_info("broker: connected to %s", thread->settings.mqtt.uri);
    enter(thread, SESSION_UP, MOMENT_NEVER);
    say(thread, true, "");
    if (write(thread->news_fd, &one, sizeof(one)) < 0)
        log_error("broker: cannot wake the loop: %s", strerror(errno));
}

static void subscribe_more(struct broker_thread *thread)
{
    size_t count = thread->settings.filter_count - thread->subscribed;

    if (count == 0) {
        come_up(thread);
        return;
    }
    if (count > MQTT_FILTERS)
        count = MQTT_FILTERS;
    enter(thread, SESSION_SUBSCRIBING, SUBSCRIBE_LIMIT_US);
    if (mqtt_subscribe(thread->mqtt, thread->settings.filters + thread->subscribed, count) < 0)
        end(thread, "the subscriptions could not be sent");
    thread->subscribed += count;
}

static void take_subscribed(struct broker_thread *thread, const struct mqtt_event *event)
{
    size_t before = (thread->subscribed - 1) / MQTT_FILTERS * MQTT_FILTERS;

    if (event->refused > 0)
        log_error("broker: %zu subscriptions were not granted, the first is %s", event->refused,
                  thread->settings.filters[before + event->first]);
    subscribe_more(thread);
}

static void begin_stop(struct broker_thread *thread)
{
    const struct mqtt_settings *settings = &thread->settings.mqtt;
    struct outgoing *last;

    thread->stop = true;
    if (thread->state != SESSION_UP) {
        end(thread, "stopped");
        return;
    }
    last = outgoing_new(OUTGOING_STATE, strdup(settings->will_topic),
                        strdup(settings->will_body), true);
    if (last)
        outbox_give(thread->outbox, last);
    enter(thread, SESSION_FLUSHING, FLUSH_LIMIT_US);
}

static void leave(struct broker_thread *thread)
{
    enter(thread, SESSION_LEAVING, LEAVE_LIMIT_US);
    if (mqtt_disconnect(thread->mqtt, LEAVE_LIMIT_US / 1000) < 0)
        end(thread, "disconnected");
}

static void take_event(struct broker_thread *thread, const struct mqtt_event *event)
{
    switch (event->kind) {
    case MQTT_CONNECTED:
        thread->connected_us = clock_boot_us();
        subscribe_more(thread);
        break;
    case MQTT_SUBSCRIBED:
        take_subscribed(thread, event);
        break;
    case MQTT_DELIVERED:
    case MQTT_REFUSED:
        land(thread, event);
        break;
    case MQTT_ENDED:
        thread->end = *event;
        thread->state = SESSION_ENDED;
        break;
    case MQTT_STOP:
        begin_stop(thread);
        break;
    }
}

static void time_is_up(struct broker_thread *thread)
{
    switch (thread->state) {
    case SESSION_CONNECTING:
        end(thread, "no connection in time");
        break;
    case SESSION_SUBSCRIBING:
        end(thread, "the broker did not answer the subscriptions");
        break;
    case SESSION_FLUSHING:
        leave(thread);
        break;
    case SESSION_LEAVING:
    case SESSION_UP:
    case SESSION_ENDED:
        end(thread, "disconnected");
        break;
    }
}

static void serve(struct broker_thread *thread)
{
    while (thread->state != SESSION_ENDED) {
        struct mqtt_event *event;

        send_what_fits(thread);
        if (thread->state == SESSION_FLUSHING && thread->flying == 0)
            leave(thread);
        event = next_event(thread, thread->until_us, may_send(thread));
        if (event)
            take_event(thread, event);
        else if (clock_boot_us() >= thread->until_us)
            time_is_up(thread);
        free(event);
    }
}

/* Nothing of an ended session may be taken for the next one's. */
static void forget_events(struct broker_thread *thread)
{
    struct mqtt_event *event;

    while ((event = queue_take(thread->events))) {
        thread->stop |= event->kind == MQTT_STOP;
        thread->end.taken_over |= event->taken_over; /* may come behind "connection lost" */
        free(event);
    }
}

static void run_session(struct broker_thread *thread)
{
    char why[120];

    thread->connected_us = -1;
    thread->subscribed = 0;
    enter(thread, SESSION_CONNECTING, CONNECT_LIMIT_US);
    if (mqtt_open(&thread->mqtt, &thread->settings.mqtt, why, sizeof(why)) < 0) {
        thread->mqtt = NULL;
        end(thread, why);
        return;
    }
    serve(thread);
    say(thread, false, thread->end.text);
    bring_back(thread);
    mqtt_close(thread->mqtt);
    thread->mqtt = NULL;
    forget_events(thread);
}

static int64_t next_pause(struct broker_thread *thread, bool *told)
{
    int64_t now_us = clock_boot_us();
    int64_t lasted_us = thread->connected_us < 0 ? -1 : now_us - thread->connected_us;
    bool taken_over = thread->end.taken_over;
    int64_t pause_us = pace_next(&thread->pace, lasted_us, random_number());

    if (thread->settings.mqtt.protocol != 5) /* 3.1.1 cannot say why it ends a connection */
        taken_over = lasted_us >= 0 && lasted_us < SHORT_SESSION_US;
    if (taken_over && pace_gives_way(&thread->pace, now_us)) {
        log_error(
            "broker: another client takes over as %s again and again; is a second gateway "
            "called %s? This one leaves for %d minutes",
            thread->settings.mqtt.client_id, thread->settings.gateway_id,
            (int)(PACE_GIVE_WAY_US / 60000000));
        say(thread, false, "another client has this gateway's client id");
        *told = true;
        return PACE_GIVE_WAY_US;
    }
    if (lasted_us >= 0 || !*told) /* then once until it is connected again */
        log_warning("broker: not connected to %s: %s", thread->settings.mqtt.uri,
                    thread->end.text);
    say(thread, false, thread->end.text);
    *told = true;
    return pause_us;
}

static void pause_for(struct broker_thread *thread, int64_t pause_us)
{
    int64_t until_us = clock_boot_us() + pause_us;

    while (!thread->stop && clock_boot_us() < until_us) {
        struct mqtt_event *event = next_event(thread, until_us, false);

        thread->stop |= event && event->kind == MQTT_STOP;
        free(event);
    }
}

static void thread_free(struct broker_thread *thread)
{
    struct arrival *arrival;

    while ((arrival = queue_take(thread->arrivals)))
        arrival_free(arrival);
    forget_events(thread);
    pthread_cond_destroy(&thread->changed);
    pthread_mutex_destroy(&thread->lock);
    close(thread->news_fd);
    outbox_free(thread->outbox);
    queue_free(thread->events);
    queue_free(thread->arrivals);
    broker_thread_settings_deinit(&thread->settings);
    free(thread);
}

static void *thread_main(void *arg)
{
    struct broker_thread *thread = arg;
    bool told = false, abandoned;

    while (!thread->stop) {
        run_session(thread);
        if (!thread->stop)
            pause_for(thread, next_pause(thread, &told));
    }
    pthread_mutex_lock(&thread->lock);
    thread->done = true;
    abandoned = thread->abandoned;
    pthread_cond_broadcast(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
    if (abandoned)
        thread_free(thread);
    return NULL;
}

/* --- on the main loop --- */

void broker_thread_settings_deinit(struct broker_thread_settings *settings)
{
    struct mqtt_settings *mqtt = &settings->mqtt;

    if (mqtt->password)
        explicit_bzero(mqtt->password, mqtt->password_size);
    free(mqtt->uri);
    free(mqtt->client_id);
    free(mqtt->username);
    free(mqtt->password);
    free(mqtt->ca_file);
    free(mqtt->cert_file);
    free(mqtt->key_file);
    free(mqtt->will_topic);
    free(mqtt->will_body);
    free(settings->root);
    free(settings->gateway_id);
    for (size_t i = 0; i < settings->filter_count; i++)
        free(settings->filters[i]);
    free(settings->filters);
}

static int open_lock(struct broker_thread *thread)
{
    pthread_condattr_t attributes;
    int r = pthread_mutex_init(&thread->lock, NULL);

    if (r != 0)
        return -r;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    r = pthread_cond_init(&thread->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (r != 0)
        pthread_mutex_destroy(&thread->lock);
    return -r;
}

int broker_thread_open(struct broker_thread **ret,
                       const struct broker_thread_settings *settings)
{
    struct broker_thread *thread = calloc(1, sizeof(*thread));
    int r;

    if (!thread)
        return -ENOMEM;
    r = queue_new(&thread->arrivals, ARRIVALS_MOST);
    if (r < 0)
        goto fail_thread;
    r = queue_new(&thread->events, EVENTS_MOST);
    if (r < 0)
        goto fail_arrivals;
    r = outbox_new(&thread->outbox, OUTBOX_MOST, OUTBOX_BYTES_MOST);
    if (r < 0)
        goto fail_events;
    thread->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (thread->news_fd < 0) {
        r = -errno;
        goto fail_outbox;
    }
    r = open_lock(thread);
    if (r < 0)
        goto fail_news;
    thread->settings = *settings;
    thread->settings.mqtt.events = thread->events;
    thread->settings.mqtt.arrived = on_arrival;
    thread->settings.mqtt.ctx = thread;
    thread->since_us = clock_boot_us();
    snprintf(thread->text, sizeof(thread->text), "connecting");
    r = -pthread_create(&thread->thread, NULL, thread_main, thread);
    if (r < 0)
        goto fail_lock;
    *ret = thread;
    return 0;

fail_lock:
    pthread_cond_destroy(&thread->changed);
    pthread_mutex_destroy(&thread->lock);
fail_news:
    close(thread->news_fd);
fail_outbox:
    outbox_free(thread->outbox);
fail_events:
    queue_free(thread->events);
fail_arrivals:
    queue_free(thread->arrivals);
fail_thread:
    free(thread);
    return r;
}

void broker_thread_close(struct broker_thread *thread)
{
    struct mqtt_event *stop = calloc(1, sizeof(*stop));
    struct timespec limit;
    bool done;
    int r = 0;

    if (stop)
        stop->kind = MQTT_STOP;
    if (stop && queue_give(thread->events, stop) != 0)
        free(stop);
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_nsec += CLOSE_LIMIT_MS * 1000000L;
    limit.tv_sec += limit.tv_nsec / 1000000000L;
    limit.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&thread->lock);
    while (!thread->done && r == 0)
        r = pthread_cond_timedwait(&thread->changed, &thread->lock, &limit);
    done = thread->done;
    thread->abandoned = !done;
    if (!done)
        pthread_detach(thread->thread); /* it frees all when it ends */
    pthread_mutex_unlock(&thread->lock);
    if (done) {
        pthread_join(thread->thread, NULL);
        thread_free(thread);
    }
}

int broker_thread_fd(const struct broker_thread *thread)
{
    return queue_fd(thread->arrivals);
}

int broker_thread_news_fd(const struct broker_thread *thread)
{
    return thread->news_fd;
}

struct arrival *broker_thread_take(struct broker_thread *thread)
{
    return queue_take(thread->arrivals);
}

void broker_thread_give(struct broker_thread *thread, struct outgoing *message)
{
    if (outbox_give(thread->outbox, message) > 0)
        log_error("broker: more waits than the link keeps (%d messages); the least precious "
                  "are dropped",
                  OUTBOX_MOST);
}

void broker_thread_stored(struct broker_thread *thread, uint64_t ticket)
{
    pthread_mutex_lock(&thread->lock);
    thread->stored = ticket;
    pthread_cond_broadcast(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
}

bool broker_thread_is_connected(struct broker_thread *thread)
{
    bool connected;

    pthread_mutex_lock(&thread->lock);
    connected = thread->connected;
    pthread_mutex_unlock(&thread->lock);
    return connected;
}

void broker_thread_status(struct broker_thread *thread, struct broker_status *status)
{
    pthread_mutex_lock(&thread->lock);
    status->connected = thread->connected;
    status->since_us = thread->since_us;
    status->sent = thread->sent;
    snprintf(status->text, sizeof(status->text), "%s", thread->text);
    pthread_mutex_unlock(&thread->lock);
    status->waiting = outbox_count(thread->outbox);
}
