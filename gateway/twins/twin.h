/*
 * Twin: desired and reported properties, tags and versions of one device. The document is the
 * gateway's own. Values on the main loop; kept small until somebody uses it: a device without
 * a property of its own costs a few words.
 *
 * Merge rules are IoT Hub's: members merge recursively, null deletes, anything else replaces.
 */
#ifndef JOBGATE_TWINS_TWIN_H
#define JOBGATE_TWINS_TWIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct twin {
    json_t *desired;  /* object or NULL while empty */
    json_t *reported; /* object or NULL while empty: {value,ac,av,ad} of written properties,
                         bare polled ones */
    json_t *desired_times,
        *reported_times; /* when each was set, for whoever tells it; or NULL */
    json_t *tags;        /* tags set by patches, merged over the file's; NULL: none */
    int64_t desired_version, reported_version,
        tags_version;        /* 1 at first, + 1 for each change */
    int64_t applied_version; /* broker: last $version applied; 0: none */
    int64_t hub_version;     /* IoT Hub: last $version taken; 0: none */
    json_t *hub_desired;     /* its document at that version, or NULL */
    json_t *hub_acks; /* dotted paths that are acknowledged to it, with its own $version; others
                         were set by somebody else. Or NULL */
};

void twin_init(struct twin *twin);
void twin_deinit(struct twin *twin);

/* Sizes and key rules of the hub (32 KB a section, 8 KB tags, depth 10, keys without control
   characters, '.', '$' and space). NULL when fine, else a sentence (malloc'ed). */
char *twin_refuses(const json_t *patch, bool tags);

int twin_patch_desired(struct twin *twin,
                       const json_t *patch); /* 0 or negative errno; new $version */
int twin_patch_tags(struct twin *twin, const json_t *patch); /* no new version for no change */
/* A copy of a section without what its sender may not set ($version, $metadata): 0 or -ENOMEM.
 */
int twin_without_system(json_t **ret, const json_t *section);
/* Tags of the file were `was` and are `is`: those that changed there win over what a patch made
   of them, the others stay. True: some did. */
bool twin_follow_file(struct twin *twin, const json_t *was, const json_t *is);
/* Acknowledges one desired property: path is dotted; value may be NULL (not known). */
int twin_acknowledge(struct twin *twin, const char *path, const json_t *value, int ac,
                     int64_t av, const char *ad);
/* What is reported of a property, acknowledged or polled; borrowed, NULL: nothing. */
const json_t *twin_known_value(const struct twin *twin, const char *path);
int twin_report(struct twin *twin, const char *path,
                const json_t *value); /* a polled value, bare */
int twin_forget(struct twin *twin,
                const char *path); /* desired null: the acknowledgement goes */

/* A patch of IoT Hub was taken: its $version, and the hub's whole document at it. */
void twin_take_hub(struct twin *twin, int64_t version, const json_t *desired);
/* What is acknowledged at `path` goes back to this $version of the hub; 0: to no one. */
void twin_acknowledge_hub(struct twin *twin, const char *path, int64_t version);

/* Bytes as the hub counts them; SIZE_MAX where it breaks a rule of the hub's. */
size_t twin_weight(const json_t *section);
/* May a property have this name (without '.', '$', space and control characters)? */
bool twin_name_is_good(const char *name);
/* A dotted path in a nested object; borrowed, NULL when absent. */
json_t *twin_find(const json_t *object, const char *path);
/* RFC 7396-like merge as the hub does it. */
int twin_merge(json_t *into, const json_t *patch);

#endif
