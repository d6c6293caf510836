/*
 * Message: what came from the broker, and what it means: a request for the engine, an answer
 * that the link gives itself because the form is wrong, or nothing. Pure; the reading happens
 * on the main loop, Paho's callback only copies.
 */
#ifndef JOBGATE_LINKS_BROKER_MESSAGE_H
#define JOBGATE_LINKS_BROKER_MESSAGE_H

#include "jobs/report.h"
#include "links/broker_outbox.h"

struct arrival {
    char *topic;
    char *payload; /* `size` bytes and a 0 behind */
    size_t size;
    bool retained, dup;
    bool has_expiry;
    uint32_t expiry_s; /* MQTT 5 message expiry interval */
    char *response_topic;
    void *correlation;
    size_t correlation_size;
    uint64_t session; /* of mqtt_settings */
    uint64_t ticket;  /* the acknowledgement that waits for it; 0: none */
};

void arrival_free(struct arrival *arrival);
/* Shall it be acknowledged only when it is stored? Jobs, cancels, live desired patches. */
bool arrival_waits(const struct arrival *arrival, const char *root);

/* Reads the arrival, cutting its topic. At most one of *request and *answer is set; the ticket
   goes along with the request. 0 or -ENOMEM. */
int arrival_read(struct request **request, struct outgoing **answer, const struct site *site,
                 struct arrival *arrival);
/* The answer that says no without a look inside; NULL when nobody would hear it. */
int arrival_refuse(struct outgoing **answer, const char *root, const char *gateway_id,
                   struct arrival *arrival, const struct refusal *refusal);

/* A report in the words of the broker, or NULL: nobody there hears of it. */
int outgoing_of_report(struct outgoing **ret, const struct site *site,
                       const struct report *report);

#endif
