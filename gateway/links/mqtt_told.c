/* What Paho tells of a connection; on its threads, under its lock. */
#include "links/mqtt_private.h"

#include "links/hurry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GRANTED_MOST = 2,
    GATHERED_MOST = 8 /* messages that have arrived before the link thread is woken for them */
};

static void tell_with(struct mqtt *mqtt, const struct mqtt_event *event, size_t enough)
{
    struct mqtt_event *copy = malloc(sizeof(*copy));

    if (!copy)
        return; /* the link thread's own time limits bring it on */
    *copy = *event;
    copy->session = mqtt->settings.session;
    if (queue_gather(mqtt->settings.events, copy, enough) != 0)
        free(copy);
}

static void tell(struct mqtt *mqtt, const struct mqtt_event *event)
{
    tell_with(mqtt, event, 1);
}

static void tell_end_of(struct mqtt *mqtt, struct mqtt_event event, const char *text,
                        const char *more)
{
    event.kind = MQTT_ENDED;
    snprintf(event.text, sizeof(event.text), "%s%s%s", text, more && more[0] ? ": " : "",
             more ? more : "");
    event.text[strcspn(event.text, "\n")] = '\0';
    tell(mqtt, &event);
}

static void tell_end(struct mqtt *mqtt, const char *text, const char *more)
{
    tell_end_of(mqtt, (struct mqtt_event){0}, text, more);
}

int mqtt_on_tls_error(const char *text, size_t size, void *ctx)
{
    struct mqtt *mqtt = ctx;
    const char *reason = text;

    (void)size;
    /* "thread:error:code:library:function:REASON:file:line:detail" (ERR_print_errors_cb(3)) */
    for (int i = 0; i < 5 && reason; i++)
        reason = strchr(reason, ':') ? strchr(reason, ':') + 1 : NULL;
    if (reason)
        snprintf(mqtt->tls_error, sizeof(mqtt->tls_error), "%.*s", (int)strcspn(reason, ":\n"),
                 reason);
    return 1;
}

static void hurry(const struct mqtt *mqtt)
{
    const char *colon = strrchr(mqtt->settings.uri, ':');

    if (colon)
        hurry_connections((uint16_t)strtoul(colon + 1, NULL, 10));
}

void mqtt_on_connected(void *ctx, MQTTAsync_successData *ok)
{
    (void)ok;
    hurry(ctx);
    tell(ctx, &(struct mqtt_event){.kind = MQTT_CONNECTED});
}

void mqtt_on_connected5(void *ctx, MQTTAsync_successData5 *ok)
{
    (void)ok;
    hurry(ctx);
    tell(ctx, &(struct mqtt_event){.kind = MQTT_CONNECTED});
}

/* CONNACK codes of MQTT 3.1.1, section 3.2.2.3. */
static const char *connack_text(int code)
{
    static const char *const texts[] = {
        NULL,
        "the broker refuses MQTT 3.1.1",
        "the broker refuses this client id",
        "the broker is not available",
        "the broker refuses this user name or password",
        "the broker does not let this client in",
    };

    return code > 0 && (size_t)code < sizeof(texts) / sizeof(texts[0]) ? texts[code] : NULL;
}

/* Paho says little: a wrong name in the certificate sounds like a silent host. */
static void tell_failure(struct mqtt *mqtt, int connack, const char *refusal,
                         const char *message)
{
    const char *more = mqtt->tls_error;

    if (!refusal && mqtt->settings.tls && !more[0])
        more = "nobody answers, or the certificate is for another host name";
    if (refusal)
        tell_end_of(mqtt, (struct mqtt_event){.connack = connack}, refusal, NULL);
    else
        tell_end(mqtt, message ? message : "no connection", more);
}

void mqtt_on_connect_failure(void *ctx, MQTTAsync_failureData *failure)
{
    const char *refusal = failure ? connack_text(failure->code) : NULL;

    tell_failure(ctx, refusal ? failure->code : 0, refusal, failure ? failure->message : NULL);
}

void mqtt_on_connect_failure5(void *ctx, MQTTAsync_failureData5 *failure)
{
    int code =
        failure ? failure->code : 0; /* the reason of a CONNACK is in either of the two */

    if (failure && code < MQTTREASONCODE_UNSPECIFIED_ERROR)
        code = failure->reasonCode;
    tell_failure(ctx, 0,
                 code >= MQTTREASONCODE_UNSPECIFIED_ERROR
                     ? MQTTReasonCode_toString((enum MQTTReasonCodes)code)
                     : NULL,
                 failure ? failure->message : NULL);
}

void mqtt_on_lost(void *ctx, char *cause)
{
    tell_end_of(ctx, (struct mqtt_event){.wordless = true}, "the connection was lost", cause);
}

void mqtt_on_server_disconnect(void *ctx, MQTTProperties *properties,
                               enum MQTTReasonCodes reason)
{
    struct mqtt_event event = {.kind = MQTT_ENDED,
                               .taken_over = reason == MQTTREASONCODE_SESSION_TAKEN_OVER};
    const char *text = MQTTReasonCode_toString(reason);

    (void)properties;
    snprintf(event.text, sizeof(event.text), "the broker ended the connection: %s",
             text ? text : "no reason given");
    tell(ctx, &event);
}

void mqtt_on_disconnected(void *ctx, MQTTAsync_successData *ok)
{
    (void)ok;
    tell_end(ctx, "disconnected", NULL);
}

void mqtt_on_disconnected5(void *ctx, MQTTAsync_successData5 *ok)
{
    (void)ok;
    tell_end(ctx, "disconnected", NULL);
}

void mqtt_on_disconnect_failure(void *ctx, MQTTAsync_failureData *failure)
{
    (void)failure;
    tell_end(ctx, "disconnected", NULL);
}

void mqtt_on_disconnect_failure5(void *ctx, MQTTAsync_failureData5 *failure)
{
    (void)failure;
    tell_end(ctx, "disconnected", NULL);
}

static void count_code(struct mqtt_event *event, size_t filter, int code)
{
    if (code >= 0 && code <= GRANTED_MOST)
        return;
    if (event->refused++ == 0)
        event->first = filter;
}

/* The codes of single filters arrive only here; a refused one is no failure of the whole. */
void mqtt_on_subscribed(void *ctx, MQTTAsync_successData *ok)
{
    struct mqtt_event event = {.kind = MQTT_SUBSCRIBED};
    struct mqtt *mqtt = ctx;

    for (size_t i = 0; ok && i < mqtt->filters; i++)
        count_code(&event, i, mqtt->filters == 1 ? ok->alt.qos : ok->alt.qosList[i]);
    tell(mqtt, &event);
}

void mqtt_on_subscribed5(void *ctx, MQTTAsync_successData5 *ok)
{
    struct mqtt_event event = {.kind = MQTT_SUBSCRIBED};

    for (int i = 0; ok && i < ok->alt.sub.reasonCodeCount; i++)
        count_code(&event, (size_t)i, (int)ok->alt.sub.reasonCodes[i]);
    tell(ctx, &event);
}

void mqtt_on_subscribe_failure(void *ctx, MQTTAsync_failureData *failure)
{
    tell_end(ctx, "the broker refused the subscriptions", failure ? failure->message : NULL);
}

void mqtt_on_subscribe_failure5(void *ctx, MQTTAsync_failureData5 *failure)
{
    tell_end(ctx, "the broker refused the subscriptions",
             failure ? MQTTReasonCode_toString(failure->reasonCode) : NULL);
}

/* Waking a thread costs more than what it does here, so not for each while more are to come. */
static void tell_delivered(struct mqtt *mqtt, int token)
{
    bool last = atomic_fetch_sub(&mqtt->under_way, 1) <= 1;

    tell_with(mqtt, &(struct mqtt_event){.kind = MQTT_DELIVERED, .token = token},
              last ? 1 : GATHERED_MOST);
}

void mqtt_on_delivered(void *ctx, MQTTAsync_successData *ok)
{
    tell_delivered(ctx, ok->token);
}

void mqtt_on_delivered5(void *ctx, MQTTAsync_successData5 *ok)
{
    tell_delivered(ctx, ok->token);
}

/* MQTT 3.1.1 has no refusal of a message: this is the end of the connection, told elsewhere. */
void mqtt_on_publish_failure(void *ctx, MQTTAsync_failureData *failure)
{
    (void)ctx;
    (void)failure;
}

void mqtt_on_publish_failure5(void *ctx, MQTTAsync_failureData5 *failure)
{
    struct mqtt_event event = {.kind = MQTT_REFUSED, .token = failure->token};
    struct mqtt *mqtt = ctx;
    const char *text;

    atomic_fetch_sub(&mqtt->under_way, 1);
    if (failure->reasonCode < MQTTREASONCODE_UNSPECIFIED_ERROR)
        return;
    text = MQTTReasonCode_toString(failure->reasonCode);
    snprintf(event.text, sizeof(event.text), "%s", text ? text : "no reason given");
    tell(mqtt, &event);
}

static char *copy_text(const char *bytes, size_t size)
{
    char *copy = malloc(size + 1);

    if (copy) {
        if (size > 0)
            memcpy(copy, bytes, size);
        copy[size] = '\0';
    }
    return copy;
}

static bool copy_properties(struct arrival *arrival, MQTTProperties *from)
{
    MQTTProperty *property;

    if (MQTTProperties_hasProperty(from, MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL)) {
        arrival->has_expiry = true;
        arrival->expiry_s = (uint32_t)MQTTProperties_getNumericValue(
            from, MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL);
    }
    property = MQTTProperties_getProperty(from, MQTTPROPERTY_CODE_RESPONSE_TOPIC);
    if (property) {
        arrival->response_topic =
            copy_text(property->value.data.data, (size_t)property->value.data.len);
        if (!arrival->response_topic)
            return false;
    }
    property = MQTTProperties_getProperty(from, MQTTPROPERTY_CODE_CORRELATION_DATA);
    if (property) {
        arrival->correlation_size = (size_t)property->value.data.len;
        arrival->correlation = copy_text(property->value.data.data, arrival->correlation_size);
        if (!arrival->correlation)
            return false;
    }
    return true;
}

static struct arrival *arrival_of(const char *topic, MQTTAsync_message *message)
{
    struct arrival *arrival = calloc(1, sizeof(*arrival));

    if (!arrival)
        return NULL;
    arrival->topic = strdup(topic);
    arrival->size = (size_t)message->payloadlen;
    arrival->payload = copy_text(message->payload, arrival->size);
    arrival->retained = message->retained != 0;
    arrival->dup = message->dup != 0;
    if (!arrival->topic || !arrival->payload ||
        !copy_properties(arrival, &message->properties)) {
        arrival_free(arrival);
        return NULL;
    }
    return arrival;
}

/* The acknowledgement leaves when this returns, whatever it returns; 0 only makes it come again
   at the next packet. */
int mqtt_on_message(void *ctx, char *topic, int topic_size, MQTTAsync_message *message)
{
    struct mqtt *mqtt = ctx;
    /* No topic of ours holds a NUL. Without one the size is 0 or right, as Paho pleases. */
    bool whole = topic_size == 0 || strlen(topic) == (size_t)topic_size;
    struct arrival *arrival = whole ? arrival_of(topic, message) : NULL;

    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    if (arrival)
        arrival->session = mqtt->settings.session;
    if (arrival)
        mqtt->settings.arrived(mqtt->settings.ctx, arrival);
    return 1;
}
