#include "links/iothub_identity.h"

#include "base/clock.h"
#include "base/text.h"
#include "links/iothub_topics.h"
#include "links/sas.h"
#include "site/value.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_LIMIT_US  INT64_C(60000000)
#define ANSWER_LIMIT_US   INT64_C(30000000)
#define REGISTER_LIMIT_US INT64_C(120000000)
#define LEAVE_LIMIT_US    INT64_C(2000000)
#define POLL_PAUSE_US     INT64_C(2000000) /* where DPS names none */

#define HUB_VERSION "2021-04-12"
#define DPS_VERSION "2019-03-31"

enum {
    KEEPALIVE_S = 180, /* the hub waits 1.5 times that, and at most 1767 s */
    DPS_TOKEN_S = 3600,
    CONNACK_BAD_PASSWORD = 4, /* MQTT 3.1.1, 3.2.2.3 */
    CONNACK_NOT_AUTHORIZED = 5,
    REFUSALS_MOST = 3, /* then the hub does not know us any more, and DPS is asked again */
};

void hub_identity_init(struct hub_identity *identity, size_t device)
{
    *identity = (struct hub_identity){.device = device,
                                      .index = device,
                                      .wanted = true,
                                      .connected_us = -1,
                                      .renew_us = MOMENT_NEVER,
                                      .renew_latest_us = MOMENT_NEVER,
                                      .pace = {.longest_us = INT64_C(300000000)}};
}

void hub_identity_deinit(struct hub_identity *identity)
{
    hub_identity_close(identity);
    free(identity->hub);
    free(identity->name);
}

uint64_t hub_identity_session(const struct hub_identity *identity)
{
    return (uint64_t)identity->generation << 32 | identity->device;
}

static void enter(struct hub_identity *identity, enum hub_state state, int64_t until_us)
{
    identity->state = state;
    identity->until_us = until_us;
}

/* --- how to introduce oneself --- */

static char *text_of(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    return text;
}

static bool name_hub(struct hub_identity *identity, const struct hub_means *means,
                     char **resource)
{
    const struct iothub_config *config = means->site->iothub;
    const char *host = identity->hub ? identity->hub : config->host;
    const char *id = identity->name ? identity->name : means->site->devices[identity->index].id;

    identity->uri = text_of("ssl://%s:%u", host, (unsigned)config->port);
    identity->client_id = strdup(id);
    identity->username =
        text_of("%s/%s/?api-version=" HUB_VERSION "&DeviceClientType=jobgate%%2F%s", host, id,
                JOBGATE_VERSION);
    *resource = text_of("%s/devices/%s", host, id);
    return identity->uri && identity->client_id && identity->username && *resource;
}

static bool name_dps(struct hub_identity *identity, const struct hub_means *means,
                     char **resource)
{
    const struct iothub_config *config = means->site->iothub;
    bool has_port = strchr(config->dps_endpoint, ':') != NULL;

    identity->uri = has_port
                        ? text_of("ssl://%s", config->dps_endpoint)
                        : text_of("ssl://%s:%u", config->dps_endpoint, (unsigned)config->port);
    identity->client_id = hub_registration_id(means->site->devices[identity->index].id);
    if (!identity->client_id)
        return false;
    identity->username =
        text_of("%s/registrations/%s/api-version=" DPS_VERSION "&ClientVersion=jobgate%%2F%s",
                config->dps_scope, identity->client_id, JOBGATE_VERSION);
    *resource = text_of("%s/registrations/%s", config->dps_scope, identity->client_id);
    return identity->uri && identity->username && *resource;
}

/* Renewed by a new connection at about 80 % of its life, not all identities at once; at 95 % at
   the latest, where a call is under way. */
static void plan_renewal(struct hub_identity *identity, int64_t ends_s, struct moment now,
                         uint32_t random)
{
    int64_t life_us = (ends_s * 1000 - now.wall_ms) * 1000;

    identity->renew_us =
        now.boot_us + life_us * 3 / 4 + (int64_t)((uint64_t)(life_us / 10) * random >> 32);
    identity->renew_latest_us = now.boot_us + life_us * 19 / 20;
}

bool hub_identity_connect(struct hub_identity *identity, struct hub_means *means,
                          struct moment now, uint32_t random, char *why, size_t why_size)
{
    const struct iothub_config *config = means->site->iothub;
    struct mqtt_settings settings = {.protocol = 4,
                                     .keepalive_s = KEEPALIVE_S,
                                     .tls = true,
                                     .ca_file = config->ca_file,
                                     .clean = true,
                                     .events = means->events,
                                     .arrived = means->arrived,
                                     .ctx = means->ctx};
    unsigned life_s = config->token_life_s;
    char *resource = NULL;
    bool good;
    int r = -1;

    identity->registering = config->dps_endpoint && !identity->hub;
    identity->generation++;
    good = identity->registering ? name_dps(identity, means, &resource)
                                 : name_hub(identity, means, &resource);
    if (identity->registering)
        life_s = DPS_TOKEN_S;
    if (good && hub_keys_has_tokens(means->keys)) {
        int64_t ends_s = now.wall_ms / 1000 + life_s;

        settings.password =
            hub_keys_token(means->keys, identity->index, resource,
                           identity->registering ? "registration" : NULL, ends_s);
        settings.password_size = settings.password ? strlen(settings.password) : 0;
        good = settings.password != NULL;
        plan_renewal(identity, ends_s, now, random);
    }
    settings.cert_file = (char *)(uintptr_t)hub_keys_cert_file(means->keys, identity->index);
    settings.key_file = (char *)(uintptr_t)hub_keys_key_file(means->keys, identity->index);
    settings.uri = identity->uri;
    settings.client_id = identity->client_id;
    settings.username = identity->username;
    settings.at_most_once = !identity->registering;
    settings.session = hub_identity_session(identity);
    identity->connected_us = -1;
    snprintf(why, why_size, "out of memory");
    if (good)
        r = mqtt_open(&identity->mqtt, &settings, why, why_size);
    free(resource);
    if (settings.password) { /* Paho has its own copy by now */
        OPENSSL_cleanse(settings.password, settings.password_size);
        free(settings.password);
    }
    enter(identity, HUB_CONNECTING, now.boot_us + CONNECT_LIMIT_US);
    if (r < 0)
        hub_identity_close(identity);
    return r == 0;
}

/* --- registration (DPS) --- */

static enum hub_step over(char *why, size_t why_size, const char *text)
{
    snprintf(why, why_size, "%s", text);
    return HUB_STEP_OVER;
}

static enum hub_step ask_registration(struct hub_identity *identity, struct hub_means *means,
                                      char *why, size_t why_size)
{
    struct outgoing *message;
    char *topic, *body;
    int token, r;

    identity->rid = ++means->rid;
    if (identity->operation) {
        topic = hub_topic_registration_status(identity->rid, identity->operation);
        body = strdup(" ");
    } else {
        topic = hub_topic_register(identity->rid);
        body = text_of("{\"registrationId\":\"%s\"}", identity->client_id);
    }
    message = outgoing_new(OUTGOING_STATE, topic, body, false);
    r = message ? mqtt_publish(identity->mqtt, message, &token) : -1;
    outgoing_free(message);
    return r == 0 ? HUB_STEP_NONE : over(why, why_size, "the registration could not be sent");
}

/* What DPS names becomes part of addresses and topics, and a word of the file of assignments.
 */
static bool is_name(const char *text)
{
    size_t size = text ? strlen(text) : 0;

    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~' || strchr("/\"\\", text[i]))
            return false;
    }
    return size > 0 && size < 256;
}

/* "assigned" ends this connection well; the next one is to the hub. */
static enum hub_step take_assigned(struct hub_identity *identity, const json_t *state,
                                   char *why, size_t why_size)
{
    const char *hub = json_string_value(json_object_get(state, "assignedHub"));
    const char *name = json_string_value(json_object_get(state, "deviceId"));

    if (!is_name(hub) || !is_name(name))
        return over(why, why_size, "DPS assigned the device to no hub");
    free(identity->hub);
    free(identity->name);
    identity->hub = strdup(hub);
    identity->name = strdup(name);
    identity->refusals = 0;
    return over(why, why_size, "");
}

static enum hub_step take_registration(struct hub_identity *identity, const json_t *body,
                                       char *why, size_t why_size)
{
    const json_t *state = json_object_get(body, "registrationState");
    const char *status = json_string_value(json_object_get(body, "status"));
    const char *message = json_string_value(json_object_get(state, "errorMessage"));
    const char *operation = json_string_value(json_object_get(body, "operationId"));

    if (status && strcmp(status, "assigned") == 0)
        return take_assigned(identity, state, why, why_size);
    if (status && strcmp(status, "assigning") != 0 && strcmp(status, "unassigned") != 0) {
        char word[21];

        snprintf(word, sizeof(word), "%s", status);
        text_clip(word);
        snprintf(why, why_size, "DPS: the registration is %s%s%.80s", word, message ? ": " : "",
                 message ? message : "");
        text_clip(why);
        return HUB_STEP_OVER;
    }
    if (operation && !identity->operation)
        identity->operation = strdup(operation);
    return HUB_STEP_NONE;
}

enum hub_step hub_identity_registration(struct hub_identity *identity, struct hub_means *means,
                                        struct arrival *arrival, int64_t now_us, char *why,
                                        size_t why_size)
{
    struct hub_topic topic;
    struct refusal refusal;
    json_t *body = NULL;
    enum hub_step step = HUB_STEP_NONE;

    (void)means;
    hub_topic_read(&topic, arrival->topic);
    if (identity->state != HUB_REGISTERING || topic.kind != HUB_TOPIC_REGISTRATION ||
        hub_rid_read(topic.rid) != identity->rid || identity->rid == 0)
        return HUB_STEP_NONE;
    identity->rid = 0;
    identity->next_us = now_us + (topic.retry_after_s > 0 && topic.retry_after_s < 3600
                                      ? topic.retry_after_s * 1000000
                                      : POLL_PAUSE_US);
    if (topic.status >= 300 && topic.status != 429 && topic.status < 500) {
        snprintf(why, why_size, "DPS refuses the registration (%d)", topic.status);
        return HUB_STEP_OVER;
    }
    if (topic.status < 300 &&
        request_read_json(&body, arrival->payload, arrival->size, &refusal) == 0)
        step = take_registration(identity, body, why, why_size);
    json_decref(body);
    return step;
}

/* --- a connection's life --- */

static enum hub_step subscribe(struct hub_identity *identity, int64_t now_us, char *why,
                               size_t why_size)
{
    char *filters[3];
    size_t count = 0;

    if (identity->registering)
        filters[count++] = (char *)(uintptr_t)hub_registration_filter;
    for (; !identity->registering && count < 3; count++)
        filters[count] = (char *)(uintptr_t)hub_filters[count];
    identity->connected_us = now_us;
    identity->refusals = 0;
    enter(identity, HUB_SUBSCRIBING, now_us + ANSWER_LIMIT_US);
    return mqtt_subscribe(identity->mqtt, filters, count) < 0
               ? over(why, why_size, "the subscriptions could not be sent")
               : HUB_STEP_NONE;
}

static enum hub_step subscribed(struct hub_identity *identity, struct hub_means *means,
                                const struct mqtt_event *event, int64_t now_us, char *why,
                                size_t why_size)
{
    if (event->refused > 0)
        return over(why, why_size, "the subscriptions were not granted");
    if (!identity->registering) {
        enter(identity, HUB_UP, MOMENT_NEVER);
        return HUB_STEP_UP;
    }
    enter(identity, HUB_REGISTERING, now_us + REGISTER_LIMIT_US);
    return ask_registration(identity, means, why, why_size);
}

static enum hub_step ended(struct hub_identity *identity, const struct mqtt_event *event,
                           char *why, size_t why_size)
{
    bool unknown =
        event->connack == CONNACK_BAD_PASSWORD || event->connack == CONNACK_NOT_AUTHORIZED;

    identity->refusals = unknown ? identity->refusals + 1 : 0;
    if (identity->hub && identity->refusals >= REFUSALS_MOST) {
        free(identity->hub);
        free(identity->name);
        identity->hub = identity->name = NULL;
        return over(why, why_size, "the assigned hub does not know the device any more");
    }
    return over(why, why_size, event->text);
}

enum hub_step hub_identity_event(struct hub_identity *identity, struct hub_means *means,
                                 const struct mqtt_event *event, int64_t now_us, char *why,
                                 size_t why_size)
{
    switch (event->kind) {
    case MQTT_CONNECTED:
        if (identity->state == HUB_CONNECTING)
            return subscribe(identity, now_us, why, why_size);
        break;
    case MQTT_SUBSCRIBED:
        if (identity->state == HUB_SUBSCRIBING)
            return subscribed(identity, means, event, now_us, why, why_size);
        break;
    case MQTT_ENDED:
        if (identity->mqtt)
            return ended(identity, event, why, why_size);
        break;
    case MQTT_DELIVERED:
    case MQTT_REFUSED:
    case MQTT_STOP:
    case MQTT_WAKE:
        break;
    }
    return HUB_STEP_NONE;
}

enum hub_step hub_identity_time(struct hub_identity *identity, struct hub_means *means,
                                int64_t now_us, char *why, size_t why_size)
{
    if (now_us >= identity->until_us) {
        switch (identity->state) {
        case HUB_CONNECTING:
            return over(why, why_size, "no connection in time");
        case HUB_SUBSCRIBING:
            return over(why, why_size, "the hub did not answer the subscriptions");
        case HUB_REGISTERING:
            return over(why, why_size, "DPS did not assign the device in time");
        case HUB_LEAVING:
            return over(why, why_size, "disconnected");
        case HUB_AWAY:
        case HUB_UP:
            break;
        }
    }
    if (identity->state == HUB_REGISTERING && identity->rid == 0 && now_us >= identity->next_us)
        return ask_registration(identity, means, why, why_size);
    return HUB_STEP_NONE;
}

void hub_identity_leave(struct hub_identity *identity, int64_t now_us)
{
    enter(identity, HUB_LEAVING, now_us + LEAVE_LIMIT_US);
    if (mqtt_disconnect(identity->mqtt, 0) < 0)
        identity->until_us = now_us;
}

void hub_identity_close(struct hub_identity *identity)
{
    mqtt_close(identity->mqtt);
    identity->mqtt = NULL;
    free(identity->uri);
    free(identity->username);
    free(identity->client_id);
    free(identity->operation);
    identity->uri = identity->username = identity->client_id = identity->operation = NULL;
    identity->rid = 0;
    identity->renew_us = identity->renew_latest_us = MOMENT_NEVER;
    enter(identity, HUB_AWAY, MOMENT_NEVER);
}
