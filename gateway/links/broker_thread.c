#include "links/broker_thread.h"

#include "base/clock.h"
#include "base/log.h"
#include "links/broker_pace.h"
#include "links/broker_subscribe.h"
#include "links/broker_topics.h"
#include "links/link_end.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define ASK_PAUSE_US INT64_C(60000000)

enum {
    ARRIVALS_MOST = 1024,
    EVENTS_MOST = 256, /* more than one session can tell: the flights, one SUBSCRIBE, ends */
    STORED_LIMIT_S = 30,
    CLOSE_LIMIT_MS = 420,
    WATCHED_MOST = 64,
    ASKED_MOST = 65536, /* more than any site's devices */
};

struct broker_thread {
    struct broker_thread_settings settings;
    struct queue *arrivals; /* Paho -> loop */
    struct queue *events;   /* Paho, loop -> thread */
    struct outbox *outbox;  /* loop, Paho -> thread */
    struct queue *asked;    /* loop -> thread: filters to be subscribed once more */
    int news_fd;

    struct session session; /* the thread's own, like the next */
    struct pace pace;
    int64_t again_us; /* not before: the loop is asked to report what was dropped */

    struct link_end end;     /* its lock guards the rest */
    uint64_t ticket, stored; /* the last one given out; the last one that is safe */
    uint64_t connected;      /* the session that is up, 0: none */
    char *watched[WATCHED_MOST];
    size_t watched_count;
    struct filter_change *changes; /* that the session has not taken, the oldest first */
    uint64_t change, changed;      /* the last one given; the last one granted */
    int64_t since_us;
    uint64_t sent;
    bool lacks; /* the broker lacks what was dropped */
    char text[160];
};

/* --- on Paho's threads --- */

static void wait_until_stored(struct broker_thread *thread, uint64_t ticket)
{
    struct timespec limit;
    int r = 0;

    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += STORED_LIMIT_S;
    pthread_mutex_lock(&thread->end.lock);
    while (thread->stored != ticket && r == 0)
        r = pthread_cond_timedwait(&thread->end.changed, &thread->end.lock, &limit);
    pthread_mutex_unlock(&thread->end.lock);
    if (r != 0)
        log_error("broker: a message was not stored within %d s and is acknowledged unstored",
                  STORED_LIMIT_S);
}

/* Whom nobody can tell to come again is let in when there is room: the broker waits so long. */
static bool give_later(struct broker_thread *thread, struct arrival *arrival)
{
    struct timespec limit;
    bool given;
    int r = 0;

    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += STORED_LIMIT_S;
    pthread_mutex_lock(&thread->end.lock);
    while (!(given = queue_give(thread->arrivals, arrival) == 0) && r == 0)
        r = pthread_cond_timedwait(&thread->end.changed, &thread->end.lock, &limit);
    pthread_mutex_unlock(&thread->end.lock);
    return given;
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
        pthread_mutex_lock(&thread->end.lock);
        ticket = arrival->ticket = ++thread->ticket;
        pthread_mutex_unlock(&thread->end.lock);
    }
    bool retained = arrival->retained; /* finite, and nobody sends it again */
    if (queue_give(thread->arrivals, arrival) == 0) {
        if (ticket)
            wait_until_stored(thread, ticket);
    } else if (!retained || !give_later(thread, arrival)) {
        refuse_unread(thread, arrival);
    }
}

/* --- on the broker thread --- */

static uint32_t random_number(void)
{
    uint32_t number;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
        number = (uint32_t)clock_boot_us() * UINT32_C(2654435761); /* early after power on */
    return number;
}

static void say(struct broker_thread *thread, uint64_t connected, const char *text)
{
    pthread_mutex_lock(&thread->end.lock);
    if ((connected != 0) != (thread->connected != 0))
        thread->since_us = clock_boot_us();
    thread->connected = connected;
    snprintf(thread->text, sizeof(thread->text), "%s", text);
    pthread_mutex_unlock(&thread->end.lock);
}

static void wake_loop(struct broker_thread *thread)
{
    uint64_t one = 1;

    if (write(thread->news_fd, &one, sizeof(one)) < 0)
        log_error("broker: cannot wake the loop: %s", strerror(errno));
}

static void on_changed(void *ctx)
{
    struct broker_thread *thread = ctx;

    pthread_mutex_lock(&thread->end.lock);
    thread->changed = thread->session.change;
    pthread_mutex_unlock(&thread->end.lock);
    wake_loop(thread);
}

static struct filter_change *next_change(void *ctx)
{
    struct broker_thread *thread = ctx;
    struct filter_change *change;

    pthread_mutex_lock(&thread->end.lock);
    change = thread->changes;
    if (change)
        thread->changes = change->next;
    pthread_mutex_unlock(&thread->end.lock);
    return change;
}

static void on_up(void *ctx)
{
    struct broker_thread *thread = ctx;
    size_t dropped = outbox_dropped(thread->outbox);

    if (dropped > 0)
        log_error("broker: %zu messages were dropped while it was away", dropped);
    log_info("broker: connected to %s", thread->settings.mqtt.uri);
    say(thread, thread->session.number, "");
    on_changed(thread);
}

static void on_down(void *ctx, const char *why)
{
    say(ctx, 0, why);
}

static char *watched(void *ctx, size_t number)
{
    struct broker_thread *thread = ctx;
    char *filter;

    pthread_mutex_lock(&thread->end.lock);
    filter = number < thread->watched_count ? thread->watched[number] : NULL;
    pthread_mutex_unlock(&thread->end.lock);
    return filter; /* it stays as long as the thread does */
}

/* A broker that was so slow that something was dropped has come round: what it retains is no
   longer what is. Where all of it never fits, that is not tried again and again. */
static bool shall_make_good(struct broker_thread *thread)
{
    if (clock_boot_us() < thread->again_us || !outbox_lacks(thread->outbox))
        return false;
    log_error("broker: %zu messages were dropped while it was slow; values and states are sent "
              "anew",
              outbox_dropped(thread->outbox));
    thread->again_us = clock_boot_us() + ASK_PAUSE_US;
    return true;
}

static void on_sent(void *ctx)
{
    struct broker_thread *thread = ctx;
    bool lacks = shall_make_good(thread);

    pthread_mutex_lock(&thread->end.lock);
    thread->sent++;
    thread->lacks |= lacks;
    pthread_mutex_unlock(&thread->end.lock);
    if (lacks)
        wake_loop(thread);
}

static int64_t next_pause(struct broker_thread *thread, bool *told)
{
    int64_t now_us = clock_boot_us();
    int64_t lasted_us = session_lasted_us(&thread->session);
    int64_t pause_us = pace_next(&thread->pace, lasted_us, random_number());

    if (session_was_taken_over(&thread->session) && pace_gives_way(&thread->pace, now_us)) {
        log_error(
            "broker: another client takes over as %s again and again; is a second gateway "
            "called %s? This one leaves for %d minutes",
            thread->settings.mqtt.client_id, thread->settings.gateway_id,
            (int)(PACE_GIVE_WAY_US / 60000000));
        say(thread, 0, "another client has this gateway's client id");
        *told = true;
        return PACE_GIVE_WAY_US;
    }
    if (lasted_us >= 0 || !*told) /* then once until it is connected again */
        log_warning("broker: not connected to %s: %s", thread->settings.mqtt.uri,
                    thread->session.end.text);
    say(thread, 0, thread->session.end.text);
    *told = true;
    return pause_us;
}

void broker_thread_free(struct broker_thread *thread)
{
    struct arrival *arrival;

    while ((arrival = queue_take(thread->arrivals)))
        arrival_free(arrival);
    session_forget_events(&thread->session);
    subscribe_reset(&thread->session);
    link_end_deinit(&thread->end);
    close(thread->news_fd);
    outbox_free(thread->outbox);
    queue_free(thread->asked);
    queue_free(thread->events);
    queue_free(thread->arrivals);
    for (size_t i = 0; i < thread->watched_count; i++)
        free(thread->watched[i]);
    broker_thread_settings_deinit(&thread->settings);
    free(thread);
}

static void *thread_main(void *arg)
{
    struct broker_thread *thread = arg;
    bool told = false;

    while (!thread->session.stop) {
        session_run(&thread->session);
        if (!thread->session.stop)
            session_pause(&thread->session, next_pause(thread, &told));
    }
    if (link_end_done(&thread->end))
        broker_thread_free(thread);
    return NULL;
}

/* --- on the main loop --- */

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
    r = outbox_new(&thread->outbox, settings->outbox_bytes);
    if (r < 0)
        goto fail_events;
    r = queue_new(&thread->asked, ASKED_MOST);
    if (r < 0)
        goto fail_outbox;
    thread->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (thread->news_fd < 0) {
        r = -errno;
        goto fail_asked;
    }
    r = link_end_init(&thread->end);
    if (r < 0)
        goto fail_news;
    thread->settings = *settings;
    thread->settings.mqtt.events = thread->events;
    thread->settings.mqtt.arrived = on_arrival;
    thread->settings.mqtt.ctx = thread;
    thread->session = (struct session){.settings = &thread->settings,
                                       .events = thread->events,
                                       .outbox = thread->outbox,
                                       .asked = thread->asked,
                                       .up = on_up,
                                       .down = on_down,
                                       .watched = watched,
                                       .next_change = next_change,
                                       .changed = on_changed,
                                       .sent = on_sent,
                                       .ctx = thread};
    thread->since_us = clock_boot_us();
    thread->ticket = (uint64_t)thread->since_us; /* none that a link before a reload gave */
    snprintf(thread->text, sizeof(thread->text), "connecting");
    r = -pthread_create(&thread->end.thread, NULL, thread_main, thread);
    if (r < 0)
        goto fail_lock;
    *ret = thread;
    return 0;

fail_lock:
    link_end_deinit(&thread->end);
fail_news:
    close(thread->news_fd);
fail_asked:
    queue_free(thread->asked);
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

bool broker_thread_stop(struct broker_thread *thread)
{
    return link_end_wait(&thread->end, thread->events, CLOSE_LIMIT_MS);
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
    struct arrival *arrival = queue_take(thread->arrivals);

    pthread_mutex_lock(&thread->end.lock);
    if (arrival)
        pthread_cond_broadcast(&thread->end.changed);
    pthread_mutex_unlock(&thread->end.lock);
    return arrival;
}

bool broker_thread_give(struct broker_thread *thread, struct outgoing *message)
{
    if (outbox_give(thread->outbox, message) == 0)
        return true;
    outgoing_free(message);
    return false;
}

struct outbox *broker_thread_outbox(struct broker_thread *thread)
{
    return thread->outbox;
}

void broker_thread_stored(struct broker_thread *thread, uint64_t ticket)
{
    pthread_mutex_lock(&thread->end.lock);
    thread->stored = ticket;
    pthread_cond_broadcast(&thread->end.changed);
    pthread_mutex_unlock(&thread->end.lock);
}

static void wake_thread(struct broker_thread *thread)
{
    struct mqtt_event *wake = calloc(1, sizeof(*wake));

    if (wake)
        wake->kind = MQTT_WAKE;
    if (wake && queue_give(thread->events, wake) != 0)
        free(wake);
}

bool broker_thread_watch(struct broker_thread *thread, char *filter)
{
    bool fits;

    pthread_mutex_lock(&thread->end.lock);
    fits = filter && thread->watched_count < WATCHED_MOST;
    if (fits)
        thread->watched[thread->watched_count++] = filter;
    pthread_mutex_unlock(&thread->end.lock);
    if (!fits)
        free(filter);
    wake_thread(thread);
    return fits;
}

uint64_t broker_thread_change(struct broker_thread *thread, struct filter_change *change)
{
    struct filter_change **end = &thread->changes;
    uint64_t number;

    pthread_mutex_lock(&thread->end.lock);
    while (*end)
        end = &(*end)->next;
    *end = change;
    number = change->number = ++thread->change;
    pthread_mutex_unlock(&thread->end.lock);
    wake_thread(thread);
    return number;
}

uint64_t broker_thread_changed(struct broker_thread *thread)
{
    uint64_t changed;

    pthread_mutex_lock(&thread->end.lock);
    changed = thread->connected ? thread->changed : 0;
    pthread_mutex_unlock(&thread->end.lock);
    return changed;
}

bool broker_thread_ask(struct broker_thread *thread, char *filter)
{
    if (filter && queue_give(thread->asked, filter) == 0)
        return true;
    free(filter);
    return false;
}

bool broker_thread_lacks(struct broker_thread *thread)
{
    bool lacks;

    pthread_mutex_lock(&thread->end.lock);
    lacks = thread->lacks;
    thread->lacks = false;
    pthread_mutex_unlock(&thread->end.lock);
    return lacks;
}

uint64_t broker_thread_session(struct broker_thread *thread)
{
    uint64_t connected;

    pthread_mutex_lock(&thread->end.lock);
    connected = thread->connected;
    pthread_mutex_unlock(&thread->end.lock);
    return connected;
}

void broker_thread_status(struct broker_thread *thread, struct broker_status *status)
{
    pthread_mutex_lock(&thread->end.lock);
    status->connected = thread->connected != 0;
    status->since_us = thread->since_us;
    status->sent = thread->sent;
    snprintf(status->text, sizeof(status->text), "%s", thread->text);
    pthread_mutex_unlock(&thread->end.lock);
    outbox_state(thread->outbox, &status->outbox);
}
