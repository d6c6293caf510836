/*
 * Outcome: how a task, and each point of it, ended. The names and numbers that the outside
 * sees and that the store keeps.
 */
#ifndef JOBGATE_JOBS_OUTCOME_H
#define JOBGATE_JOBS_OUTCOME_H

#include <stdint.h>

/* Stored by number and reported by name: add at the end, never renumber. The order is also the
   order of badness: where a point is written twice in one task, the higher one wins. */
enum result {
    RESULT_VERIFIED = 0,  /* read back and equal */
    RESULT_UNCHANGED = 1, /* it already held the value */
    RESULT_WRITTEN = 2,   /* accepted; cannot or shall not be read back */
    RESULT_ADJUSTED = 3,  /* equal within the tolerance */
    RESULT_NOT_SENT = 4,
    RESULT_MISMATCH = 5,
    RESULT_REFUSED = 6, /* a Modbus exception, or by the plan */
    RESULT_NO_ANSWER = 7,
    RESULT_UNKNOWN = 8, /* it may have happened, and nothing can tell */
    RESULT_COUNT
};

/* Stored by number and reported by name: add at the end, never renumber. */
enum code {
    CODE_NONE = 0,
    CODE_BAD_REQUEST = 1,
    CODE_OUT_OF_RANGE = 2,
    CODE_UNKNOWN_DEVICE = 3,
    CODE_UNKNOWN_METHOD = 4,
    CODE_UNKNOWN_POINT = 5,
    CODE_NOT_WRITABLE = 6,
    CODE_NOT_READABLE = 7,
    CODE_VERIFY_MISMATCH = 8,
    CODE_OVERRIDDEN = 9,
    CODE_SUPERSEDED = 10,
    CODE_DEVICE_CLAIMED_TWICE = 11,
    CODE_INTERRUPTED = 12,
    CODE_EXPECTATION_FAILED = 13,
    CODE_RETAINED = 14,
    CODE_STORE_UNAVAILABLE = 15,
    CODE_QUEUE_FULL = 16,
    CODE_EXPIRED = 17,
    CODE_CANCELED = 18,
    CODE_DEVICE_EXCEPTION = 19,
    CODE_BAD_REPLY = 20,
    CODE_LINE_DOWN = 21,
    CODE_DEVICE_TIMEOUT = 22,
    CODE_OUTCOME_UNKNOWN = 23,
    CODE_JOB_ID_IN_USE = 24,   /* a second, different document under a known job id: 409 */
    CODE_JOB_NOT_FOUND = 25,   /* cancel of an unknown job: 404 */
    CODE_JOB_ENDED = 26,       /* cancel of a job that is over: 405 */
    CODE_FORBIDDEN = 27,       /* this link may not ask for that: 403 */
    CODE_GATEWAY_TIMEOUT = 28, /* "GatewayTimeout", 504: a call's own time ended while it ran */
    CODE_COUNT
};

const char *result_name(enum result result);
const char *code_name(enum code code); /* "DeviceTimeout" */
int code_status(enum code code);       /* 504; 200 for CODE_NONE */
/* JSON, {"code":"DeviceTimeout","description":"..."}; malloc'ed, or NULL: no memory, or the
   sentence is no UTF-8. */
char *code_text(enum code code, const char *description);
enum code code_find(const char *name); /* CODE_NONE: no such name */

#endif
