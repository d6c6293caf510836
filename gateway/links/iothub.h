/*
 * IoT Hub link: every device behind the gateway is a device of the hub (docs/iot-hub.md).
 *
 * Called on the main loop only. Inside, one link thread owns one MQTT connection for each
 * device; it and Paho's callbacks share nothing with the loop but bounded queues.
 *
 * iothub_take() gives requests that are checked for form; what is refused for its form is
 * answered by the link itself, and so is 202 where a method's own waits are longer than the
 * caller's patience.
 */
#ifndef JOBGATE_LINKS_IOTHUB_H
#define JOBGATE_LINKS_IOTHUB_H

#include "jobs/engine.h"

struct hub_keys;
struct iothub;

struct iothub_status {
    size_t devices, connected, flapping; /* flapping: thrown off again and again, left alone */
    uint64_t received, sent, refused;
    size_t open_calls;
    uint64_t telemetry_sent, telemetry_dropped; /* messages that the hub has; that had to go */
    size_t telemetry_waiting;
    bool clock_trusted;
    char text[200]; /* what went wrong last, for people; "" while all is well */
};

/* `site` must have an iothub and outlive the link; the engine says what was taken of the twins
   before. `keys` are taken, or NULL: then they are read here: negative errno and `why` when one
   cannot be. Connections are made, and made again, by the link. */
int iothub_open(struct iothub **ret, const struct site *site, const struct engine *engine,
                struct hub_keys *keys, char *why, size_t why_size);
/* Can the keys of `site` be read? 0, or negative errno and `why`. */
int iothub_check(const struct site *site, char *why, size_t why_size);
/* Another site with the same hub, which the engine goes by already; takes the keys. New devices
   connect, those that are gone disconnect, those whose keys are others connect anew; the rest
   stays as it is. 0; or negative errno, and nothing has changed: then the link is to be closed
   and opened anew. */
int iothub_reload(struct iothub *iothub, const struct site *site, const struct engine *engine,
                  struct hub_keys *keys);
/* Sites before the last reload are not looked at any more. */
bool iothub_has_settled(const struct iothub *iothub);
/* Disconnects: 250 connections take about 200 ms. Within 2 s in any case. */
void iothub_close(struct iothub *iothub);

/* Readable when iothub_take() has something to do; call it until it says NULL. */
int iothub_fd(const struct iothub *iothub);
struct request *iothub_take(struct iothub *iothub);

/* Answers to requests of this link, and the reported documents and states of all devices. The
   report stays the caller's. */
void iothub_report(struct iothub *iothub, const struct report *report);
void iothub_trust_clock(struct iothub *iothub); /* whatever the system says of it */
void iothub_status(const struct iothub *iothub, struct iothub_status *status);

#endif
