/*
 * Engine: from request to outcome. Jobs, their tasks, the queues of the lines, the health of
 * devices: all that the gateway decides. Lives on the main loop, touches no clock, no port, no
 * disk and no socket, so that the same code runs on simulated ones.
 *
 * Events go in by calls, each with the moment at which it happened. Effects come out by the
 * take and next functions, in order:
 *
 *   engine_next_work()     what a line shall do next; the gateway asks while the line has room
 *   engine_take_record()   what the store must keep, numbered 1, 2, 3 ...
 *   engine_take_report()   what the outside is told; only what is safe already comes out
 *   engine_wake_us()       when to call engine_tick() next
 *
 * The store says engine_safe(n) later. Before a job is safe none of its frames leaves; before a
 * trigger's intent is safe its frame does not; before an outcome is safe it is not reported.
 */
#ifndef JOBGATE_JOBS_ENGINE_H
#define JOBGATE_JOBS_ENGINE_H

#include "jobs/report.h"
#include "lines/line.h"
#include "store/store.h"
#include "twins/twin.h"

struct engine;
struct query;

struct engine_settings {
    const struct site *site; /* must outlive the engine */
    const char *version;
    uint64_t boot; /* part of the names of single calls: call-<boot>-<n> */
};

int engine_new(struct engine **ret, const struct engine_settings *settings, struct moment now);
void engine_free(struct engine *engine);

/* --- events; ownership of the argument goes to the engine --- */
void engine_request(struct engine *engine, struct request *request, struct moment now);
void engine_answer(struct engine *engine, size_t line, struct work *work, struct moment now);
void engine_line_state(struct engine *engine, size_t line, bool up, const char *why,
                       struct moment now);
void engine_safe(struct engine *engine, uint64_t number, struct moment now);
void engine_tick(struct engine *engine, struct moment now);

/* --- effects; the caller owns what it takes --- */
struct work *engine_next_work(struct engine *engine, size_t line,
                              struct moment now); /* NULL: nothing to do now */
struct record *engine_take_record(struct engine *engine);
struct report *engine_take_report(struct engine *engine);
int64_t engine_wake_us(const struct engine *engine,
                       struct moment now); /* boot clock, MOMENT_NEVER: no timer */
/* Stop: nothing new begins; true once no task is between two steps of a pulse or restore. */
void engine_stop(struct engine *engine, struct moment now);
bool engine_is_idle(const struct engine *engine); /* no task waits or runs */

/* --- what others may see; borrowed until the next event, JSON as new references --- */
json_t *engine_job_json(const struct engine *engine,
                        const char *job_id); /* JobResponse, or NULL */
json_t *engine_share_json(const struct engine *engine, const char *job_id);
/* Newest first; type and status "" or NULL: any. `after` is the cursor of the page before or
   NULL; *next_cursor (malloc'ed) is NULL on the last page. */
json_t *engine_jobs_json(const struct engine *engine, const char *type, const char *status,
                         size_t most, const char *after, char **next_cursor);
/* Rows of `FROM devices.jobs` or `FROM devices`; pages as above. */
json_t *engine_query_json(struct engine *engine, const struct query *query, size_t most,
                          const char *after, char **next_cursor);
json_t *engine_devices_json(
    struct engine *engine,
    const char *device_id); /* GET /devices: all (array), or one (object; NULL: none) */
json_t *engine_twin_json(struct engine *engine,
                         const char *device_id); /* the hub's twin document, or NULL */
json_t *engine_status_json(struct engine *engine,
                           struct moment now); /* lines, devices, store numbers */

/* Everything that the broker should find retained, again: after a connection. Comes out as
   reports (states, reported documents, shares of jobs that are not over). */
void engine_report_all(struct engine *engine, struct moment now);

#endif
