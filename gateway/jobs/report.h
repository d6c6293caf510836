/*
 * Report: something that the outside is told. Made by the engine, released when what it says is
 * safe in the store, handed by the gateway to the links, freed by the gateway.
 *
 * The body is the JSON text that every link sends as it is.
 */
#ifndef JOBGATE_JOBS_REPORT_H
#define JOBGATE_JOBS_REPORT_H

#include "jobs/request.h"

enum report_kind {
    REPORT_ANSWER =
        0, /* to origin: `status`, `body` is the payload ({"error":...} where refused).
              For a CALL of a method that is the method's answer; for JOB and CANCEL the
              job as the hub's clients know it; for READ and WRITE as a method's. */
    REPORT_STORED =
        1, /* to origin: what the message asked for is safe; it may be acknowledged.
              Comes exactly once for every request that had a ticket, also when refused */
    REPORT_OUTCOME = 2, /* a task of `job_id` on `device_id` ended: its record (section 6) */
    REPORT_SHARE = 3, /* job `job_id`: this gateway's share; body "" clears the retained one */
    REPORT_REPORTED = 4, /* the whole reported document of `device_id`; "" clears */
    REPORT_STATE = 5,   /* online, offline, unknown: state document of `device_id`; "" clears */
    REPORT_GATEWAY = 6, /* the gateway's own birth document */
    REPORT_PROGRESS =
        7, /* for watchers only: a task of `job_id` on `device_id` began or went on */
    REPORT_VALUES = 8, /* what a poll of `device_id` read, by point; only where a link sends
                          telemetry */
};

struct report {
    enum report_kind kind;
    uint64_t after;            /* released when the store is safe up to this number */
    struct origin origin;      /* ANSWER, STORED: moved out of the request */
    enum request_kind answers; /* ANSWER: what kind of request it was */
    enum code code;            /* ANSWER, OUTCOME: CODE_NONE, or why not */
    int status;                /* ANSWER */
    char *job_id, *device_id;  /* ANSWER: of a call at the broker, whose answer must arrive */
    char *method;     /* ANSWER of a method call of IoT Hub, or NULL; then device_id is set */
    char *request_id; /* ... and as in the request, or NULL */
    bool late;        /* ... and the caller has had an answer already: his time had ended */
    json_t *hub_acks; /* REPORTED: of its acknowledgements those to IoT Hub, with the hub's own
                         $version (struct twin), or NULL */
    char *body;       /* JSON text, never NULL */
    bool call; /* OUTCOME: of a single call, whose caller has had the answer; not for the broker
                */
    uint64_t number; /* OUTCOME, SHARE: of the record that it tells; 0: nobody needs to say that
                        it has arrived */
    bool again;      /* made by engine_tell_untold(): for the broker alone */
    bool claimed;    /* REPORTED, STATE: another gateway has the device; not for the broker */
    bool retain;     /* SHARE: a job that selected no device is not retained */
    bool moved;      /* VALUES: some value is new, or moved by its deadband */
    int64_t when_us; /* VALUES: when they were read, boot clock */
    struct report *next;
};

void report_free(struct report *report);

/* That a report has arrived where it shall: its place, without its text. In one piece of
   memory. */
struct delivery {
    enum report_kind kind; /* ANSWER, OUTCOME or SHARE */
    uint64_t number;       /* the report's; ANSWER: not looked at */
    const char *job_id, *device_id;
    char ids[]; /* both of them */
};

/* Does somebody need to know when it has arrived? */
bool report_must_arrive(const struct report *report);
/* NULL: no memory. */
struct delivery *delivery_of(const struct report *report);
void delivery_free(struct delivery *delivery); /* NULL is fine */

#endif
