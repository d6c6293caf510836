/* The work of the hub's thread; everything here runs on it. */
#include "links/iothub_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "links/iothub_assigned.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define SECOND_US        INT64_C(1000000)
#define LOOK_US          (30 * SECOND_US) /* at the clock, at the least */
#define CLOCK_JUMP_MS    INT64_C(60000)
#define RETRY_NEWS_US    INT64_C(100000)
#define SHORT_SESSION_US (30 * SECOND_US)
#define TELL_PAUSE_US    (60 * SECOND_US)
#define LEAVE_ALL_US     INT64_C(300000)

enum { TELL_MOST = 5 };

uint32_t hub_random(void)
{
    uint32_t number;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
        number = (uint32_t)clock_boot_us() * UINT32_C(2654435761); /* early after power on */
    return number;
}

static const char *id_of(const struct hub_identity *identity)
{
    return identity->id ? identity->id : "a device that is gone";
}

/* Some troubles a minute in full, the others as a number: a hub that goes takes all with it. */
static void tell_trouble(struct hub_thread *thread, const struct hub_identity *identity,
                         const char *why)
{
    int64_t now_us = clock_boot_us();

    if (now_us >= thread->tell_us) {
        if (thread->untold_troubles > 0)
            log_warning("iothub: %u more connections failed or ended", thread->untold_troubles);
        thread->told = thread->untold_troubles = 0;
        thread->tell_us = now_us + TELL_PAUSE_US;
    }
    if (thread->told++ < TELL_MOST)
        log_warning("iothub: %s is not connected: %s", id_of(identity), why);
    else
        thread->untold_troubles++;
}

static void say(struct hub_thread *thread, const char *text)
{
    pthread_mutex_lock(&thread->end.lock);
    thread->status.connected = thread->up;
    thread->status.flapping = thread->flapping;
    thread->status.clock_trusted = thread->trusted;
    if (text)
        snprintf(thread->status.text, sizeof(thread->status.text), "%s", text);
    pthread_mutex_unlock(&thread->end.lock);
}

static bool tell_loop(struct hub_thread *thread, const struct hub_identity *identity,
                      enum hub_news_kind kind)
{
    struct hub_news *news = calloc(1, sizeof(*news));

    if (!news)
        return false;
    *news = (struct hub_news){.kind = kind,
                              .device = identity->device,
                              .generation = identity->generation,
                              .roster = thread->roster};
    if (queue_give(thread->news, news) == 0)
        return true;
    free(news);
    return false;
}

static void come_up(struct hub_thread *thread, struct hub_identity *identity)
{
    size_t wanted = 0; /* the others' devices are away */

    for (size_t i = 0; i < thread->count; i++)
        wanted += thread->identities[i].wanted;
    thread->up++;
    thread->untold[identity->device] = true;
    if (thread->up == wanted && !thread->all_told) {
        thread->all_told = true;
        log_info("iothub: all %zu devices are connected", wanted);
    }
    say(thread, thread->up == wanted ? "" : NULL);
}

/* Another client of this id, as far as MQTT 3.1.1 lets it be seen: cut off soon after it was
   connected, again and again. */
static bool is_flapping(struct hub_identity *identity, int64_t lasted_us, int64_t now_us)
{
    return lasted_us >= 0 && lasted_us < SHORT_SESSION_US &&
           pace_gives_way(&identity->pace, now_us);
}

static void plan_next(struct hub_thread *thread, struct hub_identity *identity, bool was_up,
                      bool left, const char *why)
{
    int64_t now_us = clock_boot_us();
    int64_t lasted_us = was_up ? now_us - identity->connected_us : -1;
    char text[200];

    if (left || !why[0]) { /* by our own will: to renew the token, or registered */
        identity->next_us = now_us;
        return;
    }
    identity->next_us = now_us + pace_next(&identity->pace, lasted_us, hub_random());
    snprintf(text, sizeof(text), "%.80s: %.100s", id_of(identity), why);
    if (is_flapping(identity, lasted_us, now_us)) {
        identity->next_us = now_us + PACE_GIVE_WAY_US;
        thread->flapping++;
        identity->resting = true;
        log_error("iothub: %s is cut off again and again; does a second gateway use its "
                  "identity? It is left alone for %d minutes",
                  id_of(identity), (int)(PACE_GIVE_WAY_US / 60000000));
    } else {
        tell_trouble(thread, identity, why);
    }
    thread->all_told = false;
    say(thread, text);
}

static void keep_assigned(struct hub_thread *thread)
{
    int r = hub_assigned_keep(thread->identities, thread->slots, thread->settings.site);

    if (r < 0)
        log_warning("iothub: what DPS assigned could not be kept in %s: %s",
                    thread->settings.site->state, strerror(-r));
}

static void end_connection(struct hub_thread *thread, struct hub_identity *identity,
                           const char *why)
{
    bool left = identity->state == HUB_LEAVING, registered = identity->registering;
    bool was_up = !identity->registering && identity->connected_us >= 0;
    bool counted = identity->state == HUB_UP;
    char text[160];

    snprintf(text, sizeof(text), "%s", why);
    hub_identity_close(identity);
    if (thread->stop) /* the site may go before we have */
        return;
    thread->up -= counted;
    if (identity->retired)
        return;
    if (was_up)
        thread->untold[identity->device] = true;
    if (registered && identity->hub)
        keep_assigned(thread);
    plan_next(thread, identity, was_up, left, text);
}

static void take_step(struct hub_thread *thread, struct hub_identity *identity,
                      enum hub_step step, const char *why)
{
    if (step == HUB_STEP_UP)
        come_up(thread, identity);
    else if (step == HUB_STEP_OVER)
        end_connection(thread, identity, why);
}

static struct hub_identity *identity_of(struct hub_thread *thread, uint64_t session)
{
    struct hub_identity *identity = &thread->identities[hub_session_device(session)];

    return identity->mqtt && hub_identity_session(identity) == session ? identity : NULL;
}

static void take_events(struct hub_thread *thread)
{
    struct mqtt_event *event;
    struct arrival *arrival;
    char why[200] = "";

    while ((event = queue_take(thread->events))) {
        struct hub_identity *identity = event->kind == MQTT_STOP || event->kind == MQTT_WAKE
                                            ? NULL
                                            : identity_of(thread, event->session);

        thread->stop |= event->kind == MQTT_STOP;
        if (identity && event->kind == MQTT_DELIVERED) /* untold: the loop's own limit helps */
            tell_loop(thread, identity, HUB_NEWS_DELIVERED);
        else if (identity)
            take_step(thread, identity,
                      hub_identity_event(identity, &thread->means, event, clock_boot_us(), why,
                                         sizeof(why)),
                      why);
        free(event);
    }
    while ((arrival = queue_take(thread->registrations))) {
        struct hub_identity *identity = identity_of(thread, arrival->session);

        if (identity)
            take_step(thread, identity,
                      hub_identity_registration(identity, &thread->means, arrival,
                                                clock_boot_us(), why, sizeof(why)),
                      why);
        arrival_free(arrival);
    }
}

void hub_leave(struct hub_thread *thread, struct hub_identity *identity)
{
    if (identity->state == HUB_UP) {
        thread->up--;
        hub_identity_leave(identity, clock_boot_us());
    } else if (identity->state != HUB_AWAY && identity->state != HUB_LEAVING) {
        hub_identity_close(identity);
        identity->next_us = clock_boot_us();
    }
}

/* A wall clock that is set makes tokens end at another time than was meant. */
static void look_at_clock(struct hub_thread *thread, struct moment now)
{
    int64_t offset_ms = now.wall_ms - now.boot_us / 1000;
    int64_t jump_ms = offset_ms - thread->clock_offset_ms;

    if (!thread->trusted && now.boot_us >= thread->trust_look_us) {
        thread->trust_look_us = now.boot_us + SECOND_US;
        thread->trusted =
            thread->settings.site->clock_trust || atomic_load(&thread->trust) ||
            (now.wall_ms >= thread->settings.newest_ms && thread->settings.clock_is_trusted());
        say(thread, thread->trusted ? ""
                                    : "the clock is not set yet; without the time no token "
                                      "can be made");
    }
    if (jump_ms < CLOCK_JUMP_MS && jump_ms > -CLOCK_JUMP_MS)
        return;
    thread->clock_offset_ms = offset_ms;
    for (size_t i = 0; i < thread->count; i++) {
        struct hub_identity *identity = &thread->identities[i];

        if (identity->renew_us != MOMENT_NEVER)
            identity->renew_us = identity->renew_latest_us =
                now.boot_us + (int64_t)((uint64_t)(10 * SECOND_US) * hub_random() >> 32);
    }
}

/* Its token ends soon, or its device is away; not while a call waits for its answer. */
static bool should_leave(struct hub_thread *thread, const struct hub_identity *identity,
                         int64_t now_us)
{
    bool busy;

    if (identity->retired) /* and who calls it is told by the hub */
        return true;
    if (!identity->wanted && identity->state != HUB_UP)
        return true;
    if (identity->state != HUB_UP || (identity->wanted && now_us < identity->renew_us))
        return false;
    pthread_mutex_lock(&thread->end.lock);
    busy = thread->calls[identity->device] > 0;
    pthread_mutex_unlock(&thread->end.lock);
    return !busy || now_us >= identity->renew_latest_us;
}

/* Who has waited longest comes first; one at a time, at the rate of the site. */
static struct hub_identity *next_to_connect(struct hub_thread *thread)
{
    struct hub_identity *first = NULL;

    for (size_t i = 0; thread->trusted && i < thread->count; i++) {
        struct hub_identity *identity = &thread->identities[i];

        if (identity->state == HUB_AWAY && identity->wanted &&
            (!first || identity->next_us < first->next_us))
            first = identity;
    }
    return first;
}

static void connect_due(struct hub_thread *thread, struct moment now)
{
    struct hub_identity *identity = next_to_connect(thread);
    int64_t pause_us = SECOND_US / thread->settings.site->iothub->connect_per_s;
    char why[160];

    if (!identity || identity->next_us > now.boot_us || thread->next_connect_us > now.boot_us)
        return;
    thread->flapping -= identity->resting;
    identity->resting = false;
    pthread_mutex_lock(&thread->end.lock);
    thread->calls[identity->device] =
        0; /* not later: a call may come before we know we are up */
    pthread_mutex_unlock(&thread->end.lock);
    thread->next_connect_us =
        now.boot_us + pause_us / 2 + (int64_t)((uint64_t)pause_us * hub_random() >> 32);
    if (!hub_identity_connect(identity, &thread->means, now, hub_random(), why, sizeof(why)))
        end_connection(thread, identity, why);
}

/* When to look at its token again: a call that is under way may put it off until the latest. */
static int64_t renewal_us(const struct hub_identity *identity, int64_t now_us)
{
    int64_t look_us = now_us + SECOND_US;

    if (identity->renew_us > now_us)
        return identity->renew_us;
    return identity->renew_latest_us < look_us ? identity->renew_latest_us : look_us;
}

static int64_t serve_identities(struct hub_thread *thread, struct moment now)
{
    int64_t wake_us = now.boot_us + LOOK_US;
    const struct hub_identity *next;
    char why[200];

    for (size_t i = 0; i < thread->count; i++) {
        struct hub_identity *identity = &thread->identities[i];

        take_step(thread, identity,
                  hub_identity_time(identity, &thread->means, now.boot_us, why, sizeof(why)),
                  why);
        if (should_leave(thread, identity, now.boot_us))
            hub_leave(thread, identity);
        if (identity->retired && identity->state == HUB_AWAY)
            hub_vacate(thread, identity);
        if (thread->untold[i] &&
            tell_loop(thread, identity,
                      identity->state == HUB_UP ? HUB_NEWS_UP : HUB_NEWS_DOWN))
            thread->untold[i] = false;
        if (thread->untold[i])
            wake_us = now.boot_us + RETRY_NEWS_US;
        if (identity->state != HUB_AWAY && identity->until_us < wake_us)
            wake_us = identity->until_us;
        if (identity->state == HUB_REGISTERING && identity->rid == 0 &&
            identity->next_us < wake_us)
            wake_us = identity->next_us;
        if (identity->state == HUB_UP && renewal_us(identity, now.boot_us) < wake_us)
            wake_us = renewal_us(identity, now.boot_us);
    }
    connect_due(thread, now);
    next = next_to_connect(thread);
    if (next && next->next_us < wake_us && thread->next_connect_us < wake_us)
        wake_us =
            next->next_us > thread->next_connect_us ? next->next_us : thread->next_connect_us;
    if (!thread->trusted && thread->trust_look_us < wake_us)
        wake_us = thread->trust_look_us;
    return wake_us;
}

static void wait_until(struct hub_thread *thread, int64_t wake_us)
{
    struct pollfd waits[] = {{.fd = queue_fd(thread->events), .events = POLLIN},
                             {.fd = queue_fd(thread->registrations), .events = POLLIN},
                             {.fd = queue_fd(thread->out), .events = POLLIN}};
    int64_t left_us = wake_us - clock_boot_us();
    struct timespec left;

    if (left_us < 0)
        left_us = 0;
    left = (struct timespec){.tv_sec = (time_t)(left_us / SECOND_US),
                             .tv_nsec = (long)(left_us % SECOND_US * 1000)};
    ppoll(waits, sizeof(waits) / sizeof(waits[0]), &left, NULL);
}

/* Everybody says good-bye; who does not manage in time is just gone. */
static void leave_all(struct hub_thread *thread)
{
    int64_t until_us = clock_boot_us() + LEAVE_ALL_US;
    size_t left;

    hub_send_all(thread);
    for (size_t i = 0; i < thread->count; i++) {
        hub_leave(thread, &thread->identities[i]);
        thread->identities[i].wanted = false;
    }
    do {
        left = 0;
        take_events(thread);
        for (size_t i = 0; i < thread->count; i++)
            left += thread->identities[i].state != HUB_AWAY;
        if (left > 0)
            wait_until(thread, until_us);
    } while (left > 0 && clock_boot_us() < until_us);
}

void hub_connections_run(struct hub_thread *thread)
{
    while (!thread->stop) {
        struct moment now = clock_now(thread->trusted);

        look_at_clock(thread, now);
        wait_until(thread, serve_identities(thread, now));
        take_events(thread);
        hub_take_roster(thread);
        hub_send_all(thread);
    }
    leave_all(thread);
    for (size_t i = 0; i < thread->count; i++)
        hub_identity_close(&thread->identities[i]);
}
