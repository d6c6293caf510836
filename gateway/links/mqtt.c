#include "links/mqtt.h"

#include "links/hurry.h"

#include <MQTTAsync.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QOS = 1,
    CONNECT_LIMIT_S = 20,
    GRANTED_MOST = 2,
    GATHERED_MOST = 8 /* messages that have arrived before the link thread is woken for them */
};

struct mqtt {
    MQTTAsync client;
    struct mqtt_settings settings; /* the strings are the owner's, and outlive us */
    size_t filters;                /* in the SUBSCRIBE that is under way; one at a time */
    atomic_int under_way;          /* messages of which Paho will tell that they have arrived */
    char tls_error[120];           /* written and read under Paho's lock only */
};

/* --- what Paho tells; on its threads, under its lock --- */

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

static int on_tls_error(const char *text, size_t size, void *ctx)
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

static void on_connected(void *ctx, MQTTAsync_successData *ok)
{
    (void)ok;
    hurry(ctx);
    tell(ctx, &(struct mqtt_event){.kind = MQTT_CONNECTED});
}

static void on_connected5(void *ctx, MQTTAsync_successData5 *ok)
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

static void on_connect_failure(void *ctx, MQTTAsync_failureData *failure)
{
    const char *refusal = failure ? connack_text(failure->code) : NULL;

    tell_failure(ctx, refusal ? failure->code : 0, refusal, failure ? failure->message : NULL);
}

static void on_connect_failure5(void *ctx, MQTTAsync_failureData5 *failure)
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

static void on_lost(void *ctx, char *cause)
{
    tell_end_of(ctx, (struct mqtt_event){.wordless = true}, "the connection was lost", cause);
}

static void on_server_disconnect(void *ctx, MQTTProperties *properties,
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

static void on_disconnected(void *ctx, MQTTAsync_successData *ok)
{
    (void)ok;
    tell_end(ctx, "disconnected", NULL);
}

static void on_disconnected5(void *ctx, MQTTAsync_successData5 *ok)
{
    (void)ok;
    tell_end(ctx, "disconnected", NULL);
}

static void on_disconnect_failure(void *ctx, MQTTAsync_failureData *failure)
{
    (void)failure;
    tell_end(ctx, "disconnected", NULL);
}

static void on_disconnect_failure5(void *ctx, MQTTAsync_failureData5 *failure)
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
static void on_subscribed(void *ctx, MQTTAsync_successData *ok)
{
    struct mqtt_event event = {.kind = MQTT_SUBSCRIBED};
    struct mqtt *mqtt = ctx;

    for (size_t i = 0; ok && i < mqtt->filters; i++)
        count_code(&event, i, mqtt->filters == 1 ? ok->alt.qos : ok->alt.qosList[i]);
    tell(mqtt, &event);
}

static void on_subscribed5(void *ctx, MQTTAsync_successData5 *ok)
{
    struct mqtt_event event = {.kind = MQTT_SUBSCRIBED};

    for (int i = 0; ok && i < ok->alt.sub.reasonCodeCount; i++)
        count_code(&event, (size_t)i, (int)ok->alt.sub.reasonCodes[i]);
    tell(ctx, &event);
}

static void on_subscribe_failure(void *ctx, MQTTAsync_failureData *failure)
{
    tell_end(ctx, "the broker refused the subscriptions", failure ? failure->message : NULL);
}

static void on_subscribe_failure5(void *ctx, MQTTAsync_failureData5 *failure)
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

static void on_delivered(void *ctx, MQTTAsync_successData *ok)
{
    tell_delivered(ctx, ok->token);
}

static void on_delivered5(void *ctx, MQTTAsync_successData5 *ok)
{
    tell_delivered(ctx, ok->token);
}

/* MQTT 3.1.1 has no refusal of a message: this is the end of the connection, told elsewhere. */
static void on_publish_failure(void *ctx, MQTTAsync_failureData *failure)
{
    (void)ctx;
    (void)failure;
}

static void on_publish_failure5(void *ctx, MQTTAsync_failureData5 *failure)
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
static int on_message(void *ctx, char *topic, int topic_size, MQTTAsync_message *message)
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

/* --- what the link thread asks --- */

static int add_number(MQTTProperties *properties, enum MQTTPropertyCodes code, unsigned number)
{
    MQTTProperty property = {.identifier = code};

    property.value.integer4 = number;
    return MQTTProperties_add(properties, &property);
}

static MQTTAsync_SSLOptions tls_options(struct mqtt *mqtt)
{
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;

    tls.struct_version = 5;
    tls.enableServerCertAuth = 1;
    tls.verify = 1; /* the host name; off unless asked for */
    tls.trustStore = mqtt->settings.ca_file;
    tls.disableDefaultTrustStore = mqtt->settings.ca_file != NULL;
    tls.keyStore = mqtt->settings.cert_file;
    tls.privateKey = mqtt->settings.key_file;
    tls.privateKeyPassword = ""; /* else OpenSSL asks at the terminal for one */
    tls.ssl_error_cb = on_tls_error;
    tls.ssl_error_context = mqtt;
    return tls;
}

static MQTTAsync_willOptions will_options(const struct mqtt_settings *settings)
{
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;

    will.topicName = settings->will_topic;
    will.message = settings->will_body;
    will.retained = 1;
    will.qos = QOS;
    return will;
}

static int connect_now(struct mqtt *mqtt)
{
    const struct mqtt_settings *settings = &mqtt->settings;
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions options5 = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_SSLOptions tls = tls_options(mqtt);
    MQTTAsync_willOptions will = will_options(settings);
    MQTTProperties properties = MQTTProperties_initializer;
    int rc;

    if (settings->protocol == 5) {
        options = options5;
        options.onSuccess5 = on_connected5;
        options.onFailure5 = on_connect_failure5;
        add_number(&properties, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL,
                   settings->session_expiry_s);
        options.connectProperties = &properties;
        options.cleanstart = 0;
    } else {
        options.onSuccess = on_connected;
        options.onFailure = on_connect_failure;
        options.MQTTVersion = MQTTVERSION_3_1_1;
        options.cleansession = settings->clean;
    }
    options.context = mqtt;
    options.keepAliveInterval = (int)settings->keepalive_s;
    options.connectTimeout = CONNECT_LIMIT_S;
    options.automaticReconnect = 0;
    options.username = settings->username;
    options.binarypwd.data = settings->password;
    options.binarypwd.len = (int)settings->password_size;
    options.will = settings->will_topic ? &will : NULL;
    options.ssl = settings->tls ? &tls : NULL;
    rc = MQTTAsync_connect(mqtt->client, &options);
    MQTTProperties_free(&properties);
    return rc;
}

int mqtt_open(struct mqtt **ret, const struct mqtt_settings *settings, char *why,
              size_t why_size)
{
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
    struct mqtt *mqtt = calloc(1, sizeof(*mqtt));
    int rc;

    if (!mqtt)
        return -ENOMEM;
    mqtt->settings = *settings;
    options.MQTTVersion = settings->protocol == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    rc = MQTTAsync_createWithOptions(&mqtt->client, settings->uri, settings->client_id,
                                     MQTTCLIENT_PERSISTENCE_NONE, NULL, &options);
    if (rc != MQTTASYNC_SUCCESS)
        goto fail_mqtt;
    rc = MQTTAsync_setCallbacks(mqtt->client, mqtt, on_lost, on_message, NULL);
    if (rc == MQTTASYNC_SUCCESS && settings->protocol == 5)
        rc = MQTTAsync_setDisconnected(mqtt->client, mqtt, on_server_disconnect);
    if (rc == MQTTASYNC_SUCCESS)
        rc = connect_now(mqtt);
    if (rc != MQTTASYNC_SUCCESS)
        goto fail_client;
    *ret = mqtt;
    return 0;

fail_client:
    MQTTAsync_destroy(&mqtt->client);
fail_mqtt:
    snprintf(why, why_size, "%s", MQTTAsync_strerror(rc));
    free(mqtt);
    return -EIO;
}

static MQTTAsync_responseOptions response_options(struct mqtt *mqtt,
                                                  MQTTAsync_onSuccess *success,
                                                  MQTTAsync_onSuccess5 *success5,
                                                  MQTTAsync_onFailure *failure,
                                                  MQTTAsync_onFailure5 *failure5)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    bool five = mqtt->settings.protocol == 5; /* Paho refuses both kinds at once */

    options.context = mqtt;
    options.onSuccess = five ? NULL : success;
    options.onFailure = five ? NULL : failure;
    options.onSuccess5 = five ? success5 : NULL;
    options.onFailure5 = five ? failure5 : NULL;
    return options;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);

    return length >= tail && strcmp(text + length - tail, end) == 0;
}

int mqtt_subscribe(struct mqtt *mqtt, char *const *filters, size_t count)
{
    MQTTAsync_responseOptions options = response_options(
        mqtt, on_subscribed, on_subscribed5, on_subscribe_failure, on_subscribe_failure5);
    MQTTSubscribe_options each[MQTT_FILTERS];
    MQTTSubscribe_options plain = MQTTSubscribe_options_initializer;
    const char *echo = mqtt->settings.echo, *as_published = mqtt->settings.as_published;
    int qos[MQTT_FILTERS];

    for (size_t i = 0; i < count; i++) {
        qos[i] = mqtt->settings.at_most_once ? 0 : QOS;
        each[i] = plain;
        each[i].noLocal = echo && strcmp(filters[i], echo) != 0;
        each[i].retainAsPublished = as_published && ends_with(filters[i], as_published);
    }
    if (mqtt->settings.protocol == 5) {
        options.subscribeOptionsCount = (int)count;
        options.subscribeOptionsList = each;
    }
    mqtt->filters = count;
    return MQTTAsync_subscribeMany(mqtt->client, (int)count, filters, qos, &options) ==
                   MQTTASYNC_SUCCESS
               ? 0
               : -EIO;
}

static int publish(struct mqtt *mqtt, const struct outgoing *from, int qos, int *token)
{
    MQTTAsync_responseOptions options =
        response_options(mqtt, qos == 0 ? NULL : on_delivered, on_delivered5,
                         on_publish_failure, on_publish_failure5);
    MQTTAsync_message message = MQTTAsync_message_initializer;
    MQTTProperty correlation = {.identifier = MQTTPROPERTY_CODE_CORRELATION_DATA};
    int rc;

    message.payload = from->body;
    message.payloadlen = (int)strlen(from->body);
    message.qos = qos;
    message.retained = from->retain;
    if (from->correlation && mqtt->settings.protocol == 5) {
        correlation.value.data.data = from->correlation;
        correlation.value.data.len = (int)from->correlation_size;
        if (MQTTProperties_add(&message.properties, &correlation) != 0)
            return -ENOMEM;
    }
    bool told = options.onSuccess || options.onSuccess5;
    if (told) /* before it can arrive */
        atomic_fetch_add(&mqtt->under_way, 1);
    rc = MQTTAsync_sendMessage(mqtt->client, from->topic, &message, &options);
    if (told && rc != MQTTASYNC_SUCCESS)
        atomic_fetch_sub(&mqtt->under_way, 1);
    MQTTProperties_free(&message.properties);
    *token = options.token;
    if (rc == MQTTASYNC_BAD_UTF8_STRING)
        return MQTT_E_UNFIT;
    return rc == MQTTASYNC_SUCCESS ? 0 : -EIO;
}

int mqtt_unsubscribe(struct mqtt *mqtt, char *const *filters, size_t count)
{
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;

    return MQTTAsync_unsubscribeMany(mqtt->client, (int)count, filters, &options) ==
                   MQTTASYNC_SUCCESS
               ? 0
               : -EIO;
}

int mqtt_publish(struct mqtt *mqtt, const struct outgoing *message, int *token)
{
    return publish(mqtt, message, mqtt->settings.at_most_once ? 0 : QOS, token);
}

int mqtt_publish_surely(struct mqtt *mqtt, const struct outgoing *message, int *token)
{
    return publish(mqtt, message, QOS, token);
}

int mqtt_disconnect(struct mqtt *mqtt, int limit_ms)
{
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    MQTTAsync_disconnectOptions options5 = MQTTAsync_disconnectOptions_initializer5;

    if (mqtt->settings.protocol == 5) {
        options = options5;
        options.onSuccess5 = on_disconnected5;
        options.onFailure5 = on_disconnect_failure5;
    } else {
        options.onSuccess = on_disconnected;
        options.onFailure = on_disconnect_failure;
    }
    options.context = mqtt;
    options.timeout = limit_ms;
    return MQTTAsync_disconnect(mqtt->client, &options) == MQTTASYNC_SUCCESS ? 0 : -EIO;
}

void mqtt_close(struct mqtt *mqtt)
{
    if (!mqtt)
        return;
    MQTTAsync_destroy(&mqtt->client);
    free(mqtt);
}
