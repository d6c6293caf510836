/*
 * The engine in a world made by hand: a site of lines and devices, a wire that plays the
 * devices in simulated time, and a store that is safe some milliseconds later. After every
 * event the statistics of every job are added up, and an engine that wants to be woken again
 * and again without anything happening fails the test.
 */
#ifndef TESTS_UNIT_FIXTURE_ENGINE_H
#define TESTS_UNIT_FIXTURE_ENGINE_H

#include "fixture_profile.h"
#include "jobs/engine.h"
#include "jobs/query.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECONDS INT64_C(1000000)

enum { WORLD_SETPOINT, WORLD_MODE, WORLD_CONTROL, WORLD_STATE };
enum { WORLD_REPORTS = 40000, WORLD_JOBS = 64 };

struct world_device {
    char id[32]; /* first; a site's devices borrow it */
    bool dead;
    bool mute;         /* obeys, and its answers are lost */
    bool deaf;         /* accepts writes and keeps its values */
    bool aloof;        /* does not hear what is sent to all */
    uint8_t exception; /* of every write */
    uint16_t missing;  /* reads over this register are refused; 0: none */
    int64_t reboot_us; /* how long a write to "control" makes it silent */
    int64_t silent_until_us;
    uint16_t setpoint, mode, state;
    unsigned triggers, operations, writes;
    int64_t first_us, last_us; /* of its operations, boot clock */
};

struct world_line {
    struct work *out[ENGINE_LINE_ROOM];
    size_t whose[ENGINE_LINE_ROOM]; /* index in world.devices, whatever the site's is */
    int64_t starts_us[ENGINE_LINE_ROOM], ends_us[ENGINE_LINE_ROOM];
    unsigned count;
    bool up;
};

struct world {
    struct fixture fixture;
    struct site *site; /* the fixture's */
    struct engine *engine;
    struct moment now;
    struct world_device *devices;
    struct world_line *lines;
    int64_t takes_us;   /* an exchange */
    int64_t thinks_us;  /* of that, the device */
    int64_t store_us;   /* how late the store is */
    int64_t company_us; /* ... and how long it gathers what nobody waits for */
    bool store_stalls;
    uint64_t kept, safe;
    int64_t safe_us;             /* when `kept` is safe */
    struct record *records[256]; /* the last ones */
    size_t record_count;
    bool must_tell; /* set before world_open(): an outbox beside the shelf */
    bool shelves;   /* set before world_open(): what is over leaves memory */
    bool survives;  /* set before world_open(): records are all kept, for world_cut() */
    struct record **log;
    size_t log_count, log_size;
    unsigned boots;
    uint64_t cut_keeps; /* world_cut(): of what was given, so much was safe and not yet said */
    struct site *site_after; /* world_cut(): the one that comes back, once; NULL: the same */
    bool asks_itself;        /* world_cut(): the test asks for what is untold */
    bool other_boot; /* world_cut(): the machine was started again, not only the gateway */
    void (*report)(struct world *world, const struct report *report); /* sees each, or NULL */
    void (*keeps)(struct world *world, const struct record *record);  /* sees each, or NULL */
    void (*obeyed)(struct world *world, size_t device, const struct operation *operation);
    struct report *reports[WORLD_REPORTS];
    int64_t reported_us[WORLD_REPORTS];
    size_t report_count;
    char *jobs[WORLD_JOBS];
    size_t job_count;
    uint64_t frames;    /* operations that were begun */
    size_t order[4096]; /* devices in the order of their operations */
    unsigned broadcasts;
};

/* Devices "d0", "d1" ... spread evenly over lines "line0" ... ; profile as the enum above. */
void world_init(struct world *world, size_t devices, size_t lines);
void world_deinit(struct world *world);
/* Opens the engine; lines come up unless told otherwise. */
void world_open(struct world *world);
void world_line(struct world *world, size_t line, bool up, const char *why);

/* The power goes and comes back at once: what was not safe is gone. `obeyed`: so was the frame
   that was on the wire. */
void world_cut(struct world *world, bool obeyed);
/* ... and comes back on an empty disk. */
void world_forget(struct world *world);

/* What the last such report told has arrived. */
void world_delivered(struct world *world, enum report_kind kind, const char *job_id,
                     const char *device_id);

/* Everything that happens in the next so many microseconds. */
void world_run(struct world *world, int64_t us);
/* Until no task waits or runs and everything is safe; how long it took. Fails after an hour. */
int64_t world_finish(struct world *world);

/* A method step by step: reboot is trigger, wait, expect. */
void world_method_reboot(struct world *world, uint32_t wait_ms, uint32_t within_ms);
void world_method_write(struct world *world);

void world_job(struct world *world, enum link_kind link, const char *id, const char *json);
/* A method job on all that match the condition. */
void world_go(struct world *world, const char *id, const char *condition);
void world_patch_job(struct world *world, const char *id, const char *desired);
void world_cancel(struct world *world, enum link_kind link, const char *id);
struct request *world_request_call(const char *device, const char *arguments);
struct request *world_request_patch(const char *device, const char *desired);
void world_give(struct world *world, struct request *request);
void world_call(struct world *world, const char *device);

/* The last (or only) report of a kind about this job and device, NULL: any; NULL: none. */
const struct report *world_last(const struct world *world, enum report_kind kind,
                                const char *job_id, const char *device_id);
size_t world_count(const struct world *world, enum report_kind kind, const char *job_id,
                   const char *device_id);
/* What a dotted path of a report's body holds, as text. */
const char *world_said(const struct report *report, const char *path);
const char *world_job_said(const struct world *world, const char *id, const char *path);

#endif
