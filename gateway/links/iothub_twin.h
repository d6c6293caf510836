/*
 * Twin of the hub: one device's properties as the hub has them, kept in step with the
 * gateway's. Pure: what happened goes in with its time, what is to be sent comes out.
 *
 * Desired: the hub forgets notifications of devices that are away, so the whole document is
 * asked for after each connection, and whenever a $version is missing between two patches. What
 * it says beyond what was taken already becomes one patch. Over a restart the store remembers
 * what that was; where it forgot, the acknowledgements in the hub's reported properties tell.
 * Reported: what differs between the gateway's document and the hub's goes out as one patch;
 * the next waits for its answer and takes up all that changed meanwhile.
 */
#ifndef JOBGATE_LINKS_IOTHUB_TWIN_H
#define JOBGATE_LINKS_IOTHUB_TWIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "links/iothub_acks.h"

struct hub_twin {
    int64_t version;  /* desired $version that was taken last; -1: not known */
    json_t *desired;  /* the hub's document at that version, or NULL */
    json_t *reported; /* as the hub has it; NULL: not asked yet on this connection */
    json_t *wanted;   /* the gateway's document, or NULL */
    json_t *extra;    /* the member "jobgate", or NULL */
    json_t *ours;     /* all that we ever reported: only that may be deleted */
    json_t *refused;  /* a patch that the hub does not take; not sent again */
    json_t *sent;     /* the patch that is under way */
    bool up, must_get;
    int64_t missed; /* the newest $version of a notification that was not taken; 0: none */
    uint64_t get_rid, report_rid; /* under way; 0: none */
    int64_t until_us;             /* of what is under way */
    int64_t next_us;              /* not before */
    int64_t again_us;             /* ask for all again: a patch could not be taken */
    unsigned failures;            /* in a row */
};

void hub_twin_init(struct hub_twin *twin);
void hub_twin_deinit(struct hub_twin *twin);

void hub_twin_up(struct hub_twin *twin); /* connected and subscribed */
void hub_twin_down(struct hub_twin *twin);
/* Takes the reference: the whole reported document, or the member "jobgate". */
void hub_twin_want(struct hub_twin *twin, json_t *document);
void hub_twin_want_extra(struct hub_twin *twin, json_t *extra);
/* Before the first connection: what was taken before a restart. */
void hub_twin_recall(struct hub_twin *twin, int64_t version, const json_t *desired);
/* What was taken could not be done now, and is acknowledged so: asks again after a minute. */
void hub_twin_not_done(struct hub_twin *twin, int64_t now_us);

enum hub_twin_wants { HUB_WANTS_NOTHING, HUB_WANTS_GET, HUB_WANTS_REPORT };
/* What to send now, under `rid`; *body (new reference) for REPORT. */
enum hub_twin_wants hub_twin_next(struct hub_twin *twin, uint64_t rid, int64_t now_us,
                                  json_t **body);
int64_t hub_twin_wake_us(const struct hub_twin *twin); /* MOMENT_NEVER: nothing to wait for */

/* A notification, or an answer to `rid` (body borrowed, NULL: none). Returns a patch of desired
   properties for the engine (new reference), which is then twin->version, or NULL. */
json_t *hub_twin_notified(struct hub_twin *twin, int64_t version, const json_t *patch);
json_t *hub_twin_answered(struct hub_twin *twin, uint64_t rid, int status, const json_t *body,
                          int64_t now_us, uint32_t random);

#endif
