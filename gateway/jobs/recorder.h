/*
 * Recorder: the last frames of each device, for who looks for a fault afterwards.
 *
 * The gateway tells it what passes by; it decides nothing. Main loop only. It keeps little and
 * forgets the oldest: what a device said an hour ago is the log's business.
 */
#ifndef JOBGATE_JOBS_RECORDER_H
#define JOBGATE_JOBS_RECORDER_H

#include "adapters/adapter.h"

#include <jansson.h>
#include <stdint.h>

enum { RECORDER_EXCHANGES = 4, RECORDER_BYTES = 40 };

struct recorder;

struct recorder *recorder_new(void); /* NULL: no memory */
void recorder_free(struct recorder *recorder);
/* `device` is its place in the site, `id` its name: after a change of the site another device
   may have the place. Without memory nothing is kept. */
void recorder_keep(struct recorder *recorder, size_t device, const char *id,
                   const struct answer *answer, int64_t wall_ms);
/* {"<id>": [{"at", "request", "reply", "ms", "result", "text"}, ...]}, the oldest first; frames
   in hex, "..." behind one that was longer than RECORDER_BYTES. `id` NULL: all. NULL: no
   memory. */
json_t *recorder_json(const struct recorder *recorder, const char *id);

#endif
