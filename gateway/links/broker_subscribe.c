#include "links/broker_subscribe.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

#define SUBSCRIBE_LIMIT_US INT64_C(30000000)

/* Each filter twice: of a single one that is refused MQTT 3.1.1 tells no more than that it
   failed (mqtt.c), and that would be the end of the session. */
static void watch_more(struct session *session)
{
    char *filter = session->watched(session->ctx, session->watching);
    char *both[2] = {filter, filter};

    if (!filter || session->asking)
        return;
    session->watching++;
    session->asking = true;
    session->until_us = clock_boot_us() + SUBSCRIBE_LIMIT_US;
    if (mqtt_subscribe(session->mqtt, both, 2) < 0)
        session_end(session, "the subscriptions could not be sent");
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
    session->asking = session->again = true;
    session->until_us = clock_boot_us() + SUBSCRIBE_LIMIT_US;
    if (mqtt_subscribe(session->mqtt, filters, count) < 0)
        session_end(session, "the subscriptions could not be sent");
    while (--count > 0)
        free(filters[count]);
}

/* The broker keeps subscriptions over connections, also those of devices that are gone. */
static void clear_stale(struct session *session)
{
    const struct broker_thread_settings *settings = session->settings;

    for (size_t i = 0; !session->cleared && i < settings->stale_count; i += MQTT_FILTERS) {
        size_t left = settings->stale_count - i;

        if (mqtt_unsubscribe(session->mqtt, settings->stale + i,
                             left < MQTT_FILTERS ? left : MQTT_FILTERS) < 0)
            return; /* with the next connection */
    }
    session->cleared = true;
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

void subscribe_granted(struct session *session, const struct mqtt_event *event)
{
    const char *first = session->again ? "of what devices shall be, once more"
                        : session->asking
                            ? session->watched(session->ctx, session->watching - 1)
                            : session->settings->filters[session->batch + event->first];

    if (event->refused > 0)
        log_error("broker: %zu subscriptions were not granted, the first is %s", event->refused,
                  first);
    if (!session->asking) {
        subscribe_rest(session);
        return;
    }
    session->asking = session->again = false;
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
    session->batch = session->subscribed = session->watching = 0;
    session->asking = session->again = false;
    session_forget_asked(session); /* all is subscribed anew */
}
