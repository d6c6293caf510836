/*
 * When the properties of a twin's section were last set: what the hub tells as $metadata. A
 * value on the main loop: a flat object from dotted path to the milliseconds of wall time, or,
 * where properties have versions (desired), to [milliseconds, version]. NULL while empty. What
 * was set as a whole has one entry, which holds for all below it.
 *
 * Functions that add return 0 or -ENOMEM.
 */
#ifndef JOBGATE_JOBS_METADATA_H
#define JOBGATE_JOBS_METADATA_H

#include <jansson.h>
#include <stdint.h>

int metadata_set(json_t **times, const char *path, int64_t ms, int64_t version); /* 0: none */
/* Every value of a patch that the section has just taken. */
int metadata_patch(json_t **times, const json_t *section, const json_t *patch, int64_t ms,
                   int64_t version);
void metadata_forget(json_t *times, const char *path);

/* The section's tree, each node with $lastUpdated, and $lastUpdatedVersion where there is one;
   a node is as new as the newest below it, and one of which nothing is known has the hub's
   year 1. A new reference, NULL: no memory. Either argument may be NULL. */
json_t *metadata_tree(const json_t *section, const json_t *times);

#endif
