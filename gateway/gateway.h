/*
 * Gateway: the one owner. Wires engine, lines, store and links to the loop and to each other.
 *
 * Everything here runs on one thread, the main loop. Lines, the broker link and the store have
 * threads of their own and are reached by their queues only.
 */
#ifndef JOBGATE_GATEWAY_H
#define JOBGATE_GATEWAY_H

#include "jobs/report.h"

struct gateway;

struct gateway_settings {
    const struct site *site;          /* must outlive the gateway */
    const struct site_source *source; /* where it was read, for SIGHUP; NULL: never again */
    bool links; /* broker and API; without them only gateway_request() brings requests */
    const char *socket; /* of the API; NULL: as the site says */
    const char *state;  /* folder of the store; NULL: as the site says. Without links nothing
                           is kept */
    size_t only_line;   /* opens this line alone; SITE_NONE: all */
    /* Answers of requests that came by gateway_request(), and changes of a line's state. */
    void (*report)(void *ctx, const struct report *report);
    void (*line_state)(void *ctx, size_t line, bool up, const char *why);
    /* What the wire said, each time; or NULL. */
    void (*answer)(void *ctx, size_t device, const struct answer *answer);
    void *ctx;
};

/* 0, or negative errno and `why` says what is in the way. */
int gateway_open(struct gateway **ret, const struct gateway_settings *settings, char *why,
                 size_t why_size);
void gateway_request(struct gateway *gateway, struct request *request);
/* Runs until gateway_stop(), SIGTERM or SIGINT. */
void gateway_run(struct gateway *gateway);
void gateway_stop(struct gateway *gateway);
void gateway_close(struct gateway *gateway);

#endif
