/*
 * Telemetry of the hub: what polls of one device have read, until the hub has it. Pure: what
 * happened goes in with its time (boot clock), what is to be sent comes out.
 *
 * What is read within a second is one message. A message is made where some value moved, and
 * every quarter of an hour where none did. One is under way at a time; without a connection the
 * newest are kept, within bounds, and the others counted.
 */
#ifndef JOBGATE_LINKS_IOTHUB_TELEMETRY_H
#define JOBGATE_LINKS_IOTHUB_TELEMETRY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    HUB_SAMPLES_MOST = 64,             /* that wait, of one device */
    HUB_SAMPLES_BYTES_MOST = 16 << 10, /* ... as text, beside the newest one */
    HUB_SAMPLE_BYTES_MOST = 128 << 10, /* the hub takes 256 KB */
};

struct hub_sample {
    json_t *values; /* by point */
    int64_t time_us;
    uint64_t number; /* the same when it is sent again */
    size_t bytes;
    bool moved;
    struct hub_sample *next;
};

struct hub_telemetry {
    struct hub_sample *open;         /* more may still join it */
    struct hub_sample *first, *last; /* these wait, in the order of time */
    size_t count, bytes;
    int64_t sent_us;  /* the first is under way since; -1: it is not */
    int64_t moved_us; /* of the newest sample that was not idle; INT64_MIN: none */
    uint64_t dropped; /* samples that had to go */
};

void hub_telemetry_init(struct hub_telemetry *telemetry);
void hub_telemetry_deinit(struct hub_telemetry *telemetry);

/* Takes over `values`. `number` is that of the last sample made, and is raised for a new one.
 */
void hub_telemetry_add(struct hub_telemetry *telemetry, json_t *values, bool moved,
                       int64_t now_us, uint64_t *number);
/* The sample to be sent now, which is under way from then on; NULL: none. */
const struct hub_sample *hub_telemetry_next(struct hub_telemetry *telemetry, int64_t now_us);
int64_t hub_telemetry_wake_us(const struct hub_telemetry *telemetry);
/* The hub has it. How long that took; -1: nothing was under way. */
int64_t hub_telemetry_delivered(struct hub_telemetry *telemetry, int64_t now_us);
/* The connection is gone: it is sent again. True: something was under way. */
bool hub_telemetry_down(struct hub_telemetry *telemetry);

/* What the hub is sent: the property bag of the topic, and the body. By malloc; NULL: out of
   memory. `name` tells gateways and their lives apart. */
char *hub_telemetry_bag(uint32_t name, const struct hub_sample *sample, int64_t wall_ms);
char *hub_telemetry_body(const struct hub_sample *sample, int64_t wall_ms);

#endif
