/*
 * Reading: a site is read and checked on a thread of its own, with what its links need of
 * files. A card may be slow or hang, and a large site takes its time: the loop goes on
 * meanwhile.
 *
 * The loop begins a reading, takes the draft when the descriptor is readable, and ends it. The
 * thread looks at nothing that the loop has.
 */
#ifndef JOBGATE_READING_H
#define JOBGATE_READING_H

#include "links/api.h"
#include "site/problems.h"

struct reading;

/* What was read. */
struct draft {
    struct site *site;                 /* NULL: it cannot be used */
    struct api_keys *api_keys;         /* of this site; NULL: it has no HTTPS */
    struct hub_keys *hub_keys;         /* ... no IoT Hub; or the links have taken them */
    struct broker_means *broker_means; /* ... no broker; likewise */
    struct problems problems;
    int result;         /* 0, SITE_E_PROBLEMS, or negative errno */
    struct draft *next; /* of those that have run and are still looked at */
};

/* The texts of `source` must live as long as the process. 0, or negative errno. */
int reading_begin(struct reading **ret, const struct site_source *source);
int reading_fd(const struct reading *reading);
struct draft *reading_take(struct reading *reading); /* once; NULL: not yet. The caller's */
/* A thread that does not end within 200 ms hangs in the disk: it is left to itself, and what it
   reads is dropped. */
void reading_end(struct reading *reading); /* NULL is fine */
void draft_free(struct draft *draft);      /* NULL is fine */

#endif
