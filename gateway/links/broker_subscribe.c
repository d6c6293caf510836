#include "links/broker_subscribe.h"

#include "base/clock.h"
#include "base/log.h"
#include "links/broker_topics.h"

#include <stdlib.h>

#define SUBSCRIBE_LIMIT_US INT64_C(30000000)

static void ask(struct session *session, enum session_asking what, char *const *filters,
                size_t count)
{
    session->asking = what;
    session->until_us = clock_boot_us() + SUBSCRIBE_LIMIT_US;
    if (mqtt_subscribe(session->mqtt, filters, count) < 0)
        session_end(session, "the subscriptions could not be sent");
}

/* Each filter twice: of a single one that is refused MQTT 3.1.1 tells no more than that it
   failed (mqtt.c), and that would be the end of the session. */
static void watch_more(struct session *session)
{
    char *filter = session->watched(session->ctx, session->watching);
    char *both[2] = {filter, filter};

    if (!filter || session->asking)
        return;
    session->watching++;
    ask(session, ASKING_WATCHED, both, 2);
}

/* Subscribed already: the broker sends once more what lies retained there. The echo goes along,
   so that it is never a single one; nothing is retained there. */
static void ask_again(struct session *session)
{
    char *filters[MQTT_FILTERS] = {session->settings->echo};
    size_t count = 1;

    if (session->asking)
        return;
    while (count < MQTT_FILTERS && (filters[count] = queue_take(session->asked)))
        count++;
    if (count == 1)
        return;
    ask(session, ASKING_AGAIN, filters, count);
    while (--count > 0)
        free(filters[count]);
}

/* The broker keeps subscriptions over connections, also those of devices that are gone. */
static void clear_stale(struct session *session)
{
    struct broker_thread_settings *settings = session->settings;

    for (size_t i = 0; i < settings->stale_count; i += MQTT_FILTERS) {
        size_t left = settings->stale_count - i;

        if (mqtt_unsubscribe(session->mqtt, settings->stale + i,
                             left < MQTT_FILTERS ? left : MQTT_FILTERS) < 0)
            return; /* with the next connection */
    }
    topic_filters_free(settings->stale, settings->stale_count);
    settings->stale = NULL;
    settings->stale_count = 0;
}

/* Without memory the broker keeps some subscription too many, whose messages are dropped. */
static void add_stale(struct broker_thread_settings *settings, struct filter_change *change)
{
    size_t count = settings->stale_count + change->removed_count;
    char **stale =
        change->removed_count > 0 ? realloc(settings->stale, count * sizeof(*stale)) : NULL;

    if (!stale)
        return;
    settings->stale = stale;
    while (settings->stale_count < count)
        stale[settings->stale_count++] = change->removed[--change->removed_count];
}

/* The filters of the settings are others from now on; the old ones leave with the change. */
static bool take_change(struct session *session)
{
    struct broker_thread_settings *settings = session->settings;
    struct filter_change *change = session->next_change(session->ctx);

    if (!change)
        return false;
    char **filters = settings->filters;
    size_t count = settings->filter_count;

    settings->filters = change->filters;
    settings->filter_count = change->count;
    change->filters = filters;
    change->count = count;
    add_stale(settings, change);
    session->change = change->number;
    session->changing = change;
    session->added = 0;
    return true;
}

static void end_change(struct session *session)
{
    filter_change_free(session->changing);
    session->changing = NULL;
}

/* Never a single one, as above: the echo goes along. */
static void ask_added(struct session *session)
{
    const struct filter_change *change = session->changing;
    char *filters[MQTT_FILTERS] = {session->settings->echo};
    size_t count = 1;

    while (count < MQTT_FILTERS && session->added < change->added_count)
        filters[count++] = change->added[session->added++];
    ask(session, ASKING_ADDED, filters, count);
}

static void change_more(struct session *session)
{
    while (!session->asking && session->state == SESSION_UP) {
        if (session->changing && session->added < session->changing->added_count) {
            ask_added(session);
            return;
        }
        if (session->changing) {
            end_change(session);
            session->changed(session->ctx);
        }
        if (!take_change(session))
            return;
        session->subscribed = session->batch = session->settings->filter_count;
        clear_stale(session);
    }
}

static void subscribe_rest(struct session *session)
{
    size_t count = session->settings->filter_count - session->subscribed;

    if (count == 0) {
        session_come_up(session);
        return;
    }
    if (count > MQTT_FILTERS)
        count = count == MQTT_FILTERS + 1 ? MQTT_FILTERS - 1 : MQTT_FILTERS; /* never one */
    session->batch = session->subscribed;
    session_enter(session, SESSION_SUBSCRIBING, SUBSCRIBE_LIMIT_US);
    if (mqtt_subscribe(session->mqtt, session->settings->filters + session->subscribed, count) <
        0)
        session_end(session, "the subscriptions could not be sent");
    session->subscribed += count;
}

static const char *first_refused(const struct session *session, const struct mqtt_event *event)
{
    switch (session->asking) {
    case ASKING_NOT:
        break;
    case ASKING_WATCHED:
        return session->watched(session->ctx, session->watching - 1);
    case ASKING_AGAIN:
        return "of what devices shall be, once more";
    case ASKING_ADDED:
        return "of a device that a reload brought";
    }
    return session->settings->filters[session->batch + event->first];
}

void subscribe_granted(struct session *session, const struct mqtt_event *event)
{
    if (event->refused > 0)
        log_error("broker: %zu subscriptions were not granted, the first is %s", event->refused,
                  first_refused(session, event));
    if (!session->asking) {
        subscribe_rest(session);
        return;
    }
    session->asking = ASKING_NOT;
    if (session->state == SESSION_UP)
        session->until_us = MOMENT_NEVER;
}

void subscribe_begin(struct session *session)
{
    clear_stale(session);
    subscribe_rest(session);
}

void subscribe_more(struct session *session)
{
    change_more(session);
    if (session->state == SESSION_UP)
        watch_more(session);
    if (session->state == SESSION_UP)
        ask_again(session);
}

void session_forget_asked(struct session *session)
{
    char *filter;

    while ((filter = queue_take(session->asked)))
        free(filter);
}

void subscribe_reset(struct session *session)
{
    do
        end_change(session);
    while (take_change(session));
    session->batch = session->subscribed = session->watching = 0;
    session->asking = ASKING_NOT;
    session_forget_asked(session); /* all is subscribed anew */
}
