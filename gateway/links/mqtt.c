/* What the link thread asks of Paho. What Paho tells: mqtt_told.c. */
#include "links/mqtt_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QOS = 1, CONNECT_LIMIT_S = 20 };

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
    tls.ssl_error_cb = mqtt_on_tls_error;
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
        options.onSuccess5 = mqtt_on_connected5;
        options.onFailure5 = mqtt_on_connect_failure5;
        add_number(&properties, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL,
                   settings->session_expiry_s);
        options.connectProperties = &properties;
        options.cleanstart = 0;
    } else {
        options.onSuccess = mqtt_on_connected;
        options.onFailure = mqtt_on_connect_failure;
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
    rc = MQTTAsync_setCallbacks(mqtt->client, mqtt, mqtt_on_lost, mqtt_on_message, NULL);
    if (rc == MQTTASYNC_SUCCESS && settings->protocol == 5)
        rc = MQTTAsync_setDisconnected(mqtt->client, mqtt, mqtt_on_server_disconnect);
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
    MQTTAsync_responseOptions options =
        response_options(mqtt, mqtt_on_subscribed, mqtt_on_subscribed5,
                         mqtt_on_subscribe_failure, mqtt_on_subscribe_failure5);
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
        response_options(mqtt, qos == 0 ? NULL : mqtt_on_delivered, mqtt_on_delivered5,
                         mqtt_on_publish_failure, mqtt_on_publish_failure5);
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
        options.onSuccess5 = mqtt_on_disconnected5;
        options.onFailure5 = mqtt_on_disconnect_failure5;
    } else {
        options.onSuccess = mqtt_on_disconnected;
        options.onFailure = mqtt_on_disconnect_failure;
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
