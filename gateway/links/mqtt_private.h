/*
 * One connection to a broker by Paho: what mqtt.c (what the link thread asks) and mqtt_told.c
 * (what Paho tells) share.
 *
 * Paho calls the functions on its own threads, under its lock: they copy what was told into an
 * event for the link thread, and wait for nobody. `ctx` is the struct mqtt.
 */
#ifndef JOBGATE_LINKS_MQTT_PRIVATE_H
#define JOBGATE_LINKS_MQTT_PRIVATE_H

#include "links/mqtt.h"

#include <MQTTAsync.h>
#include <stdatomic.h>
#include <stddef.h>

struct mqtt {
    MQTTAsync client;
    struct mqtt_settings settings; /* the strings are the owner's, and outlive us */
    size_t filters;                /* in the SUBSCRIBE that is under way; one at a time */
    atomic_int under_way;          /* messages of which Paho will tell that they have arrived */
    char tls_error[120];           /* written and read under Paho's lock only */
};

int mqtt_on_tls_error(const char *text, size_t size, void *ctx);
void mqtt_on_connected(void *ctx, MQTTAsync_successData *ok);
void mqtt_on_connected5(void *ctx, MQTTAsync_successData5 *ok);
void mqtt_on_connect_failure(void *ctx, MQTTAsync_failureData *failure);
void mqtt_on_connect_failure5(void *ctx, MQTTAsync_failureData5 *failure);
void mqtt_on_lost(void *ctx, char *cause);
void mqtt_on_server_disconnect(void *ctx, MQTTProperties *properties,
                               enum MQTTReasonCodes reason);
void mqtt_on_disconnected(void *ctx, MQTTAsync_successData *ok);
void mqtt_on_disconnected5(void *ctx, MQTTAsync_successData5 *ok);
void mqtt_on_disconnect_failure(void *ctx, MQTTAsync_failureData *failure);
void mqtt_on_disconnect_failure5(void *ctx, MQTTAsync_failureData5 *failure);
void mqtt_on_subscribed(void *ctx, MQTTAsync_successData *ok);
void mqtt_on_subscribed5(void *ctx, MQTTAsync_successData5 *ok);
void mqtt_on_subscribe_failure(void *ctx, MQTTAsync_failureData *failure);
void mqtt_on_subscribe_failure5(void *ctx, MQTTAsync_failureData5 *failure);
void mqtt_on_delivered(void *ctx, MQTTAsync_successData *ok);
void mqtt_on_delivered5(void *ctx, MQTTAsync_successData5 *ok);
void mqtt_on_publish_failure(void *ctx, MQTTAsync_failureData *failure);
void mqtt_on_publish_failure5(void *ctx, MQTTAsync_failureData5 *failure);
int mqtt_on_message(void *ctx, char *topic, int topic_size, MQTTAsync_message *message);

#endif
