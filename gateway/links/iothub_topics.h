/*
 * Topics of IoT Hub and of its registration service (DPS), read and written. Pure.
 *
 *   $iothub/methods/POST/<method>/?$rid=<rid>            a call; answered at
 *   $iothub/methods/res/<status>/?$rid=<rid>
 *   $iothub/twin/GET/?$rid=<rid>                         asked and answered at
 *   $iothub/twin/PATCH/properties/reported/?$rid=<rid>
 *   $iothub/twin/res/<status>/?$rid=<rid>[&$version=<n>]
 *   $iothub/twin/PATCH/properties/desired/?$version=<n>  a change
 *   $dps/registrations/res/<status>/?$rid=<rid>[&retry-after=<s>]
 *
 * A <rid> is the other side's own text and goes back to the letter. Fields after '?' may come
 * in any order, others beside them.
 */
#ifndef JOBGATE_LINKS_IOTHUB_TOPICS_H
#define JOBGATE_LINKS_IOTHUB_TOPICS_H

#include <stdint.h>

enum hub_topic_kind {
    HUB_TOPIC_METHOD,
    HUB_TOPIC_TWIN_ANSWER,
    HUB_TOPIC_DESIRED,
    HUB_TOPIC_REGISTRATION, /* an answer of the registration service */
    HUB_TOPIC_OTHER,
};

/* The texts point into the topic that was read. */
struct hub_topic {
    enum hub_topic_kind kind;
    const char *method;    /* METHOD */
    const char *rid;       /* METHOD and answers: never NULL, maybe empty */
    int status;            /* answers */
    int64_t version;       /* -1: not said */
    int64_t retry_after_s; /* -1: not said */
};

void hub_topic_read(struct hub_topic *ret, char *text); /* cuts the text */

/* By malloc; NULL: out of memory. */
char *hub_topic_method_answer(int status, const char *rid);
char *hub_topic_twin_get(uint64_t rid);
char *hub_topic_twin_report(uint64_t rid);
char *hub_topic_register(uint64_t rid);
char *hub_topic_registration_status(uint64_t rid, const char *operation_id);
/* The number that one of the four above carries; 0: none of ours. */
uint64_t hub_rid_read(const char *rid);

extern const char *const hub_filters[3]; /* what a device subscribes to */
extern const char *const hub_registration_filter;

#endif
