/*
 * Private to the hub's link on the main loop: iothub.c (life, what comes and goes),
 * iothub_calls.c (calls that wait for their answer), iothub_twins.c (twins kept in step) and
 * iothub_values.c (telemetry).
 */
#ifndef JOBGATE_LINKS_IOTHUB_LINK_H
#define JOBGATE_LINKS_IOTHUB_LINK_H

#include "links/iothub.h"
#include "links/iothub_call.h"
#include "links/iothub_private.h"
#include "links/iothub_telemetry.h"
#include "links/iothub_thread.h"
#include "links/iothub_topics.h"
#include "links/iothub_twin.h"

/* Why the twin's document was not read; LARGE: REQUEST_JSON_MOST. */
enum hub_unread { UNREAD_NONE, UNREAD_LARGE, UNREAD_ODD };

struct hub_device {
    size_t slot; /* by which the thread knows it */
    struct hub_twin twin;
    struct hub_telemetry telemetry;
    int64_t due_us;      /* when the twin has something to send; MOMENT_NEVER */
    uint32_t generation; /* of the connection; 0: none */
    enum hub_unread unread;
    bool cut;         /* not all acknowledgements fit into the twin */
    bool offline;     /* the line says so, and so it is disconnected */
    int64_t probe_us; /* offline: when the device is asked again whether it is back */
};

/* The thread's name for a device. */
struct hub_slot {
    size_t index;   /* in the site, SITE_NONE: free */
    uint64_t since; /* the roster that brought it: what comes by one before is another's */
};

struct iothub {
    const struct site *site;
    struct hub_thread *thread;
    struct hub_device *devices;
    struct hub_slot *slots;
    size_t slot_next;       /* where a free one is looked for */
    uint64_t roster;        /* the last one that the thread was given */
    struct hub_call *calls; /* the newest first */
    size_t call_count;
    uint64_t ticket, rid, refused;
    int fd, timer_fd;     /* epoll over news and the timer */
    int64_t twin_next_us; /* the rate lets the next one go */

    uint32_t life; /* of this process, to name telemetry */
    uint64_t samples, telemetry_sent;
    int64_t values_next_us, values_pause_us;
    size_t values_turn;
};

/* iothub.c */
void hub_device_open(struct hub_device *device, const struct engine *engine, size_t index);
void hub_device_close(struct hub_device *device);

/* iothub_calls.c */
/* Their devices are others: `to` has the new index of each, SITE_NONE: nobody waits any more.
 */
void calls_move(struct iothub *iothub, const size_t *to);
/* Waits for the answer, under a new ticket that the request carries too; takes over `call`. */
void calls_keep(struct iothub *iothub, struct hub_call *call, struct request *request);
/* No longer waits, and is the caller's; NULL: there is none of this ticket. */
struct hub_call *calls_take(struct iothub *iothub, uint64_t ticket);
/* A call of the hub as a request, the caller's; NULL: it is refused, or repeats one that waits.
 */
struct request *calls_method(struct iothub *iothub, const struct hub_news *news,
                             const struct hub_topic *topic);
void calls_answer(struct iothub *iothub, const struct report *report);
void calls_close(struct iothub *iothub);

/* iothub_twins.c */
/* When the twin has to be looked at next may have changed. */
void twins_plan(struct iothub *iothub, size_t device);
/* Sends what the rate lets go. Returns when there may be more; MOMENT_NEVER. */
int64_t twins_send(struct iothub *iothub, int64_t now_us);
struct request *twins_message(struct iothub *iothub, const struct hub_news *news,
                              const struct hub_topic *topic);
void twins_reported(struct iothub *iothub, size_t device, const struct report *report);
void twins_not_done(struct iothub *iothub, size_t device, enum code code);
/* The text says which twin cannot be read, where nothing worse is told. */
void twins_tell(const struct iothub *iothub, struct iothub_status *status);

/* iothub_values.c */
void values_open(struct iothub *iothub);
/* Polled values, to be sent when the rate lets them go. */
void values_report(struct iothub *iothub, size_t index, const struct report *report);
/* The hub has the device's message that was under way; its connection is gone. */
void values_delivered(struct iothub *iothub, size_t index);
void values_down(struct iothub *iothub, size_t index);
int64_t values_send(struct iothub *iothub, int64_t now_us); /* as twins_send() */
void values_count(const struct iothub *iothub, struct iothub_status *status);

#endif
