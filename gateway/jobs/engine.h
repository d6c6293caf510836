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
#include "store/history.h"
#include "store/store.h"
#include "twins/twin.h"

struct engine;

struct engine_settings {
    const struct site *site; /* must outlive the engine */
    const char *version;
    uint64_t boot; /* part of the names of single calls: call-<boot>-<n> */
    const char
        *boot_id; /* of the machine's boot; NULL: records are not written for a restart */
    bool outbox;  /* ends are told until engine_delivered() says that they have arrived */
    bool history; /* what is over leaves memory: looks come out for the store's history */
};

int engine_new(struct engine **ret, const struct engine_settings *settings, struct moment now);
void engine_free(struct engine *engine);

/* --- after a restart, before any event --- */
/* What the store recalls, record by record; the record stays the caller's. Then jobs go on. */
void engine_recall(struct engine *engine, const struct record *record);
int engine_resume(struct engine *engine, struct moment now); /* 0 or negative errno */
/* The newest time that the store has seen on a clock that was trusted; 0: none. */
int64_t engine_newest_ms(const struct engine *engine);

/* --- events; ownership of the argument goes to the engine --- */
void engine_request(struct engine *engine, struct request *request, struct moment now);
/* The device that the work is for: its index may be another than when the work went out. */
size_t engine_device_of(const struct engine *engine, size_t line, const struct work *work);
void engine_answer(struct engine *engine, size_t line, struct work *work, struct moment now);
void engine_line_state(struct engine *engine, size_t line, bool up, const char *why,
                       struct moment now);
void engine_safe(struct engine *engine, uint64_t number, struct moment now);
void engine_tick(struct engine *engine, struct moment now);
/* A report with a number, or an answer with a job's id, has arrived: it is told no more. */
void engine_delivered(struct engine *engine, const struct delivery *delivery);
/* Another living gateway names the device as its own, or none does any more (NULL): then tasks
   on it are refused (DeviceClaimedTwice) and it is left alone. `first`: it did so before this
   gateway told its own states; else both did, and the one whose id comes first keeps it. True:
   the device was left alone until now, and its retained desired patch was perhaps refused. */
bool engine_claim(struct engine *engine, size_t device, const char *gateway, bool first,
                  struct moment now);
/* The broker begins to say who has which device: what came over it waits, until all is known,
   or ten seconds. */
void engine_await_claims(struct engine *engine, struct moment now);
void engine_claims_known(struct engine *engine, struct moment now);
/* The broker still has this gateway's share of a job, with the status "queued" to "cancelled":
   memory, where the store has lost its own. */
void engine_share(struct engine *engine, const char *job_id, const char *status,
                  struct moment now);
void engine_looked(struct engine *engine, struct look *look, struct moment now);
/* The store takes new work, or why not. */
void engine_store_state(struct engine *engine, bool takes, const char *why);

/* --- another site, in place of the one that runs --- */
/* Nothing new begins on the devices that `site` removes, moves or gives another make; tasks
   that have begun there go on to their end. The site must live until it is taken over or given
   up (NULL, or another one). 0 or -ENOMEM. */
int engine_prepare(struct engine *engine, const struct site *site);
/* Has all that was begun there ended, and is nothing out at a line whose wire changes? Asked
   again after each event. What cannot end since its line is down is given up after a minute. */
bool engine_is_prepared(struct engine *engine, struct moment now);
/* The devices that are waited for, "room-3, room-7"; false: none. */
bool engine_waits_for(const struct engine *engine, char *text, size_t size);
/* Takes the prepared site over; the old one is not looked at again. Tasks go by their device's
   id: those of a device that is gone end with UnknownDevice. Lines go by their name; one that
   has another wire is unknown until engine_line_state(). 0; or -ENOMEM and nothing changed. */
int engine_reload(struct engine *engine, struct moment now);
/* As in the settings, for ends that come from now on. */
void engine_set_outbox(struct engine *engine, bool outbox);
/* Whether anybody looks at REPORT_PROGRESS; at first nobody does, and none is made. */
void engine_set_watched(struct engine *engine, bool watched);

/* --- effects; the caller owns what it takes --- */
/* Operations that are out at a line at a time: one works, one waits in its slot. */
enum { ENGINE_LINE_ROOM = 2 };
/* NULL: nothing to do now. To be asked only while fewer than ENGINE_LINE_ROOM are out. */
struct work *engine_next_work(struct engine *engine, size_t line, struct moment now);
/* A call, or a task, waits while a lesser operation lies in the line's slot: that one is to be
 * taken back.
 */
bool engine_wants_recall(struct engine *engine, size_t line, struct moment now);
/* ... and was; it is asked for again later. */
void engine_recalled(struct engine *engine, size_t line, struct work *work, struct moment now);
struct record *engine_take_record(struct engine *engine);
/* Somebody waits until it is safe up to here, so that the store shall hurry; 0: nobody anew.
 * What is not awaited may gather company: an outcome, while others are about to follow it on
 * its line. */
uint64_t engine_take_awaited(struct engine *engine);
struct report *engine_take_report(struct engine *engine);
/* Makes reports of what is safe, above number `after` and not known to have arrived, the oldest
   first, ENGINE_AGAIN at most: before all other reports, each with `again`. False: there is
   nothing. After a restart whoever delivers asks for all of it, from 0. */
enum { ENGINE_AGAIN = 512 };
bool engine_tell_untold(struct engine *engine, uint64_t after);
/* To be carried to the history, and answered back: what is to be purged, or told again. */
struct look *engine_take_look(struct engine *engine);
/* Boot clock; MOMENT_NEVER: no timer. */
int64_t engine_wake_us(const struct engine *engine, struct moment now);
/* Pause: nothing new goes to the lines; what was accepted goes on after the next start. */
void engine_pause(struct engine *engine, struct moment now);
/* Stop, where nothing survives: what has not begun ends cancelled, what has begun ends at its
   next step, pulses are paid back. The gateway goes on until engine_is_idle(), or as long as it
   can wait. */
void engine_stop(struct engine *engine, struct moment now);
bool engine_is_idle(const struct engine *engine); /* no task waits or runs */
/* After a stop, when the lines are closed and have handed back all: ends what is left, and says
   of each what is known. */
void engine_abandon(struct engine *engine, struct moment now);

/* --- what others may see; borrowed until the next event, JSON as new references --- */
/* JobResponse as the hub's clients know it, and this gateway's share; NULL: no such job in
   memory. Lists, records and what has left memory: search.h. */
json_t *engine_job_json(const struct engine *engine, const char *job_id);
json_t *engine_share_json(const struct engine *engine, const char *job_id);
/* GET /devices: all (an array), or one (an object; NULL: no such device). */
json_t *engine_devices_json(struct engine *engine, const char *device_id);
/* The hub's twin document, or NULL: no such device. */
json_t *engine_twin_json(struct engine *engine, const char *device_id);
/* How much of a line's time its polls ask for; above 100 they come late, all by one share. */
unsigned engine_poll_percent(const struct engine *engine, size_t line);
bool engine_is_overloaded(const struct engine *engine, size_t line);
/* What was taken of IoT Hub's desired properties of device `index`: its $version (0: nothing)
   and the document at it (borrowed, or NULL). */
int64_t engine_hub_version(const struct engine *engine, size_t index, const json_t **desired);
/* Lines, devices, jobs, store. */
json_t *engine_status_json(struct engine *engine, struct moment now);

/* Everything that the broker should find retained, again: after a connection. Comes out as
   reports (birth, states, reported documents, shares of jobs that are not over). */
void engine_report_all(struct engine *engine, struct moment now);
/* The same of one device. */
void engine_report_device(struct engine *engine, size_t device, struct moment now);

#endif
