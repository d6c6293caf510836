/*
 * Topics of the broker link (docs/mqtt.md): what a topic means, and how one is spelled.
 * Pure; any thread.
 *
 * Subscribed are, for each device of the site, `methods/#`, `desired` and `state`, all jobs and
 * what this gateway retained of them, and its own echo. So requests for another gateway's
 * devices do not arrive; what a broker still delivers from an older subscription is no topic of
 * ours and is dropped.
 */
#ifndef JOBGATE_LINKS_BROKER_TOPICS_H
#define JOBGATE_LINKS_BROKER_TOPICS_H

#include "site/site.h"

enum topic_kind {
    TOPIC_OTHER, /* nothing of ours */
    TOPIC_METHOD,
    TOPIC_DESIRED,
    TOPIC_JOB,
    TOPIC_CANCEL,
    TOPIC_STATE,   /* of a device, from whoever has it */
    TOPIC_GATEWAY, /* birth and will of a gateway */
    TOPIC_SHARE,   /* of a gateway in a job */
    TOPIC_ECHO,    /* from a gateway to itself */
};

struct topic {
    enum topic_kind kind;
    const char *device_id;  /* METHOD, DESIRED, STATE: not checked against a site */
    const char *method;     /* METHOD */
    const char *request_id; /* METHOD: or NULL */
    const char *job_id;     /* JOB, CANCEL, SHARE: one level, not checked to be an id */
    const char *gateway_id; /* GATEWAY, SHARE, ECHO: any gateway's */
    const char *wrong;      /* METHOD: why it cannot be answered under its own name, or NULL */
};

/* Cuts `text` into its levels; *ret borrows from it. */
void topic_read(struct topic *ret, const char *root, char *text);
/* Is it results/-, where nobody waits for an answer, and only what went wrong is told? */
bool topic_is_complaint(const char *text);
/* May an answer be published there? A peer chose it: a wrong one would end our connection. */
bool topic_is_publishable(const char *text);

/* malloc'ed; NULL: no memory. */
char *topic_result(const char *root, const char *device_id,
                   const char *request_id); /* NULL id: "-" */
char *topic_device(const char *root, const char *device_id,
                   const char *what); /* reported, state */
char *topic_share(const char *root, const char *job_id, const char *gateway_id);
char *topic_outcome(const char *root, const char *job_id, const char *device_id);
char *topic_gateway(const char *root, const char *gateway_id);
char *topic_echo(const char *root, const char *gateway_id);

/* How the filter of a device's calls ends. */
#define TOPIC_METHODS "methods/#"

/* The filters to subscribe for a site. */
int topic_filters(char ***ret, size_t *count, const char *root, const struct site *site);
/* Those of devices that `old` has and `site` has not. */
int topic_stale_filters(char ***ret, size_t *count, const char *root, const struct site *old,
                        const struct site *site);
void topic_filters_free(char **filters, size_t count);

#endif
