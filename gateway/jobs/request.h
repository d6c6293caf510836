/*
 * Request: what a message asked for, checked for form by the link that took it.
 *
 * A request is a value on the heap with one owner: a link makes it, the gateway gives it to the
 * engine, which frees it. It remembers which link to answer and where.
 */
#ifndef JOBGATE_JOBS_REQUEST_H
#define JOBGATE_JOBS_REQUEST_H

#include "base/clock.h"
#include "jobs/outcome.h"
#include "lines/plan.h"

struct condition;

enum link_kind {
    LINK_NONE = 0,
    LINK_BROKER = 1,
    LINK_API = 2,
    LINK_IOTHUB = 3,
    LINK_COMMAND = 4
};

/* Which link to answer, and where. The engine carries it and looks only at `link`. */
struct origin {
    enum link_kind link;
    uint64_t ticket;   /* the link's own name for the exchange that waits; 0: none */
    char *topic;       /* broker: where the answer goes; NULL: nobody listens */
    void *correlation; /* broker: MQTT 5 correlation data */
    size_t correlation_size;
};

enum request_kind {
    REQUEST_CALL,   /* one action on one device: a job of one task, urgent */
    REQUEST_JOB,    /* one action on the devices that a condition selects */
    REQUEST_CANCEL, /* of a job */
};

struct request {
    enum request_kind kind;
    struct origin origin;
    struct action action;
    char *device_id;  /* CALL */
    char *request_id; /* CALL: the caller's name for it, or NULL. With the device and the method
                         it is the key by which a repeat is known */
    unsigned repeat_s;  /* how long a repeat is known: 86400 for a request id; 0: no key */
    unsigned timeout_s; /* CALL: the call's own time */
    bool dup; /* broker, MQTT 5 without request id: DUP is set, so a call with equal response
                 topic and correlation data may be this one */
    bool has_version; /* PATCH from a link: `$version` */
    int64_t version;
    bool retained; /* PATCH, JOB: it was a retained copy */

    char *job_id;                /* JOB, CANCEL */
    char *query;                 /* JOB: the condition as sent */
    struct condition *condition; /* JOB: parsed */
    json_t *document; /* JOB: {"cloudToDeviceMethod":{...}} or {"updateTwin":{...}}, to echo.
                         PATCH of IoT Hub: its whole desired document at `version` */
    uint64_t fingerprint; /* JOB: of the document as it matters; equal for an equal document */
    bool has_start;
    int64_t start_ms; /* JOB: wall clock */
    unsigned max_execution_s;
    unsigned method_timeout_s; /* JOB: responseTimeoutInSeconds, or 0 */
};

struct request *request_new(enum request_kind kind, enum link_kind link);
void request_free(struct request *request); /* NULL is fine */
void origin_deinit(struct origin *origin);

/* A request as JSON for the store (new reference), and back: 0, -EBADMSG when it cannot be
   read, or -ENOMEM. */
json_t *request_keep(const struct request *request);
int request_recall(struct request **ret, const json_t *kept, const char *job_id);

/* What is wrong with a message; the answer that it gets. */
/* What is wrong with the form, for those who tell it apart. */
enum fault {
    FAULT_VALUE = 0, /* something is there, and not as it must be */
    FAULT_FORMAT,    /* no JSON at all */
    FAULT_MISSING,   /* something is not there */
    FAULT_TYPE,      /* a type of job that nobody knows */
    FAULT_ETAG,      /* a job for one state of a twin alone */
};

struct refusal {
    enum code code;
    enum fault fault;
    char text[300];
};

enum { REQUEST_E_REFUSED = 1 };

/* Cuts the text to fit and makes it valid UTF-8 in one line, whatever a message brought in. */
__attribute__((format(printf, 3, 4))) void refusal_set(struct refusal *refusal, enum code code,
                                                       const char *format, ...);

/* A job document (interfaces of the hub, both spellings of every type): fills a new request of
   kind JOB. `job_id` is from the topic or path and wins; a different one inside is refused.
   0, REQUEST_E_REFUSED with `refusal`, or negative errno. */
int request_read_job(struct request **ret, enum link_kind link, const char *job_id,
                     const char *text, size_t size, struct refusal *refusal);

enum { REQUEST_JSON_MOST = 128 * 1024 };
/* JSON as every link reads it: any value, UTF-8, duplicate keys refused, depth and size bounded
   (64 levels, 128 KB). Empty text is JSON null. 0, REQUEST_E_REFUSED or negative errno. */
int request_read_json(json_t **ret, const char *text, size_t size, struct refusal *refusal);

bool id_is_device(const char *text); /* [A-Za-z0-9._:-]{1,128} */
bool id_is_short(const char *text);  /* the same, 1 to 64: job and request ids */
bool id_is_method(const char *text); /* [A-Za-z0-9_.*~-]{1,100} */

#endif
