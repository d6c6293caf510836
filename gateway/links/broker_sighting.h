/*
 * Sighting: what the broker tells of itself and of other gateways, as opposed to requests: who
 * names a device as its own, whether that gateway lives, what is retained of a job's share, and
 * the echo of what this gateway sent to itself. Pure; any thread.
 *
 * Anybody may publish there. What is not exactly what a gateway would say is no sighting.
 */
#ifndef JOBGATE_LINKS_BROKER_SIGHTING_H
#define JOBGATE_LINKS_BROKER_SIGHTING_H

#include "links/broker_message.h"

enum { SIGHTING_ID_SIZE = 129 };

enum sighting_kind {
    SIGHTING_NONE,
    SIGHTING_STATE,   /* `device` is named by gateway `id`; "": by none but this one */
    SIGHTING_GATEWAY, /* gateway `id` is online, or not; never this one */
    SIGHTING_SHARE,   /* retained: our own share of job `id` has the status `status` */
    SIGHTING_ECHO,    /* number `echo` came back */
};

struct sighting {
    enum sighting_kind kind;
    size_t device; /* STATE: index in the site */
    char id[SIGHTING_ID_SIZE];
    bool online;        /* GATEWAY */
    const char *status; /* SHARE: static, "queued" to "cancelled" */
    uint64_t echo;
};

/* `any` is true for a topic of this kind, whatever its payload says: it is no request. */
struct sighting sighting_read(const struct site *site, const struct arrival *arrival,
                              bool *any);

#endif
