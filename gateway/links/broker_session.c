#include "links/broker_subscribe.h"

#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECT_LIMIT_US INT64_C(60000000)
#define FLUSH_LIMIT_US   INT64_C(250000)
#define LEAVE_LIMIT_US   INT64_C(150000)

enum { CAREFUL_AFTER = 3, TRIES_MOST = 3 };

void session_enter(struct session *session, enum session_state state, int64_t limit_us)
{
    session->state = state;
    session->until_us = limit_us == MOMENT_NEVER ? MOMENT_NEVER : clock_boot_us() + limit_us;
}

void session_end(struct session *session, const char *text)
{
    session->end = (struct mqtt_event){.kind = MQTT_ENDED};
    snprintf(session->end.text, sizeof(session->end.text), "%s", text);
    session->state = SESSION_ENDED;
}

/* An event, or NULL: it is time, or something waits that can be sent or asked. */
static struct mqtt_event *next_event(struct session *session, int64_t until_us, bool sends)
{
    bool asks = session->state == SESSION_UP && !session->asking;
    struct pollfd waits[3] = {
        {.fd = queue_fd(session->events), .events = POLLIN},
        {.fd = asks ? queue_fd(session->asked) : -1, .events = POLLIN},
        {.fd = outbox_fd(session->outbox), .events = POLLIN},
    };
    struct mqtt_event *event = queue_take(session->events);
    int64_t left_us = until_us == MOMENT_NEVER ? 0 : until_us - clock_boot_us();
    struct timespec left = {.tv_sec = (time_t)(left_us / 1000000),
                            .tv_nsec = (long)(left_us % 1000000 * 1000)};

    if (event || left_us < 0)
        return event;
    if (session->flying == 0)
        outbox_show_landed(session->outbox);
    ppoll(waits, sends ? 3 : 2, until_us == MOMENT_NEVER ? NULL : &left, NULL);
    return queue_take(session->events);
}

static void fly(struct session *session, struct outgoing *message)
{
    size_t i = 0;
    int r;

    while (session->flights[i].message)
        i++;
    assert(i < SESSION_FLIGHTS);
    r = mqtt_publish(session->mqtt, message, &session->flights[i].token);
    if (r == MQTT_E_UNFIT) {
        log_warning("broker: an answer to a topic that is no UTF-8 was dropped");
        outbox_drop(session->outbox, message);
    } else if (r < 0) {
        outbox_put_back(session->outbox, message);
        session_end(session, "a message could not be sent");
    } else {
        session->flights[i].message = message;
        session->flying++;
        session->offline |= message == session->last;
    }
}

/* After some short sessions one message at a time, for a while: it may be one of them. */
static bool may_send(const struct session *session)
{
    bool careful = session->shorts >= CAREFUL_AFTER &&
                   clock_boot_us() - session->connected_us < SESSION_SHORT_US;

    if (session->state == SESSION_UP && ((session->asking && session->asking != ASKING_ADDED) ||
                                         session->watched(session->ctx, session->watching)))
        return false; /* what is sent later shall find us listening */
    return (session->state == SESSION_UP || session->state == SESSION_FLUSHING) &&
           session->flying < (careful ? 1 : SESSION_FLIGHTS);
}

static void send_what_fits(struct session *session)
{
    struct outgoing *message;

    while (may_send(session) && (message = outbox_take(session->outbox)))
        fly(session, message);
}

static void land(struct session *session, const struct mqtt_event *event)
{
    for (size_t i = 0; i < SESSION_FLIGHTS; i++) {
        struct outgoing *message = session->flights[i].message;

        if (!message || session->flights[i].token != event->token)
            continue;
        if (event->kind == MQTT_REFUSED)
            log_warning("broker: %s was not taken: %s", message->topic, event->text);
        if (event->kind == MQTT_DELIVERED) {
            session->sent(session->ctx);
            outbox_land(session->outbox, message);
        } else {
            outbox_drop(session->outbox, message);
        }
        session->flights[i].message = NULL;
        session->flying--;
    }
}

/* A message that was alone under way each time that the broker threw us off: it is to blame,
   and would block all others for ever. */
static bool is_to_blame(const struct session *session, struct outgoing *message)
{
    return session->flying == 1 && !session->end.taken_over &&
           session_lasted_us(session) < SESSION_SHORT_US && ++message->tries >= TRIES_MOST;
}

/* Without an acknowledgement nobody knows: sent again, as QoS 1 allows. */
static void bring_back(struct session *session)
{
    for (size_t i = 0; i < SESSION_FLIGHTS; i++) {
        struct outgoing *message = session->flights[i].message;

        session->flights[i].message = NULL;
        if (message && is_to_blame(session, message)) {
            log_error(
                "broker: dropped %s of %zu bytes, at which the broker ended the connection "
                "%d times",
                message->topic, strlen(message->body), TRIES_MOST);
            outbox_drop(session->outbox, message);
        } else if (message) {
            outbox_put_back(session->outbox, message);
        }
    }
    session->flying = 0;
}

void session_come_up(struct session *session)
{
    session_enter(session, SESSION_UP, MOMENT_NEVER);
    session->up(session->ctx);
}

static void begin_stop(struct session *session)
{
    const struct mqtt_settings *settings = &session->settings->mqtt;
    struct outgoing *last;

    session->stop = true;
    if (session->state != SESSION_UP) {
        session_end(session, "stopped");
        return;
    }
    last = outgoing_new(OUTGOING_STATE, strdup(settings->will_topic),
                        strdup(settings->will_body), true);
    if (last && outbox_give(session->outbox, last) == 0)
        session->last = last;
    else
        outgoing_free(last);
    session_enter(session, SESSION_FLUSHING, FLUSH_LIMIT_US);
}

/* Too much waits to go out before a stop; that the gateway is gone is said in any case. */
static void say_offline(struct session *session)
{
    const struct mqtt_settings *settings = &session->settings->mqtt;
    struct outgoing last = {
        .topic = settings->will_topic, .body = settings->will_body, .retain = true};
    int token;

    if (!session->offline && mqtt_publish(session->mqtt, &last, &token) != 0)
        log_warning("broker: it could not be told that this gateway stops");
}

static void leave(struct session *session)
{
    say_offline(session);
    session_enter(session, SESSION_LEAVING, LEAVE_LIMIT_US);
    if (mqtt_disconnect(session->mqtt, LEAVE_LIMIT_US / 1000) < 0)
        session_end(session, "disconnected");
}

static void take_event(struct session *session, const struct mqtt_event *event)
{
    switch (event->kind) {
    case MQTT_CONNECTED:
        session->connected_us = clock_boot_us();
        subscribe_begin(session);
        break;
    case MQTT_SUBSCRIBED:
        subscribe_granted(session, event);
        break;
    case MQTT_DELIVERED:
    case MQTT_REFUSED:
        land(session, event);
        break;
    case MQTT_ENDED:
        session->end = *event;
        session->state = SESSION_ENDED;
        break;
    case MQTT_STOP:
        begin_stop(session);
        break;
    case MQTT_WAKE:
        break;
    }
}

static void time_is_up(struct session *session)
{
    switch (session->state) {
    case SESSION_CONNECTING:
        session_end(session, "no connection in time");
        break;
    case SESSION_SUBSCRIBING:
        session_end(session, "the broker did not answer the subscriptions");
        break;
    case SESSION_FLUSHING:
        leave(session);
        break;
    case SESSION_UP:
        session_end(session, "the broker did not answer a subscription");
        break;
    case SESSION_LEAVING:
    case SESSION_ENDED:
        session_end(session, "disconnected");
        break;
    }
}

static void serve(struct session *session)
{
    while (session->state != SESSION_ENDED) {
        struct mqtt_event *event;

        subscribe_more(session);
        send_what_fits(session);
        if (session->state == SESSION_FLUSHING && session->flying == 0)
            leave(session);
        event = next_event(session, session->until_us, may_send(session));
        if (event)
            take_event(session, event);
        free(event);
        if (session->state != SESSION_ENDED && clock_boot_us() >= session->until_us)
            time_is_up(session);
    }
}

void session_forget_events(struct session *session)
{
    struct mqtt_event *event;

    while ((event = queue_take(session->events))) {
        session->stop |= event->kind == MQTT_STOP;
        /* What the broker says may come behind "connection lost". */
        session->end.taken_over |= event->taken_over;
        session->end.wordless &= event->kind != MQTT_ENDED || event->wordless;
        free(event);
    }
}

void session_run(struct session *session)
{
    struct mqtt_settings settings = session->settings->mqtt; /* the texts stay where they are */
    char why[120];

    settings.session = ++session->number;
    session->connected_us = -1;
    subscribe_reset(session);
    session_enter(session, SESSION_CONNECTING, CONNECT_LIMIT_US);
    if (mqtt_open(&session->mqtt, &settings, why, sizeof(why)) < 0) {
        session_end(session, why);
        session->ended_us = clock_boot_us();
        return;
    }
    serve(session);
    session->ended_us = clock_boot_us();
    session->down(session->ctx, session->end.text);
    session->idle = session->flying == 0;
    bring_back(session);
    outbox_show_landed(session->outbox);
    if (session_lasted_us(session) >= SESSION_SHORT_US)
        session->shorts = 0;
    else if (session_lasted_us(session) >= 0)
        session->shorts++;
    mqtt_close(session->mqtt);
    session->mqtt = NULL;
    session_forget_events(session);
}

/* Not every broker says that another client came with our id: mosquitto 2.0.11 only cuts us
   off. With a message under way that may be to blame (bring_back). MQTT 3.1.1 never says
   anything. */
bool session_was_taken_over(const struct session *session)
{
    int64_t lasted_us = session_lasted_us(session);
    bool cut_off =
        session->settings->mqtt.protocol != 5 || (session->end.wordless && session->idle);

    return session->end.taken_over ||
           (cut_off && lasted_us >= 0 && lasted_us < SESSION_SHORT_US);
}

int64_t session_lasted_us(const struct session *session)
{
    return session->connected_us < 0 ? -1 : session->ended_us - session->connected_us;
}

void session_pause(struct session *session, int64_t pause_us)
{
    int64_t until_us = clock_boot_us() + pause_us;

    while (!session->stop && clock_boot_us() < until_us) {
        struct mqtt_event *event = next_event(session, until_us, false);

        session->stop |= event && event->kind == MQTT_STOP;
        free(event);
    }
}
