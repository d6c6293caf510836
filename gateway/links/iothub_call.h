/*
 * Call of the hub: a direct method, from the message to the request and from the outcome to the
 * answer. Pure but for memory.
 */
#ifndef JOBGATE_LINKS_IOTHUB_CALL_H
#define JOBGATE_LINKS_IOTHUB_CALL_H

#include "links/broker_message.h"

enum { HUB_REPEAT_RID_S = 300, HUB_REPEAT_ID_S = 86400, HUB_CALLERS_MOST = 8 };

/* Who waits for the answer, by his connection and his own number on it. */
struct hub_caller {
    uint32_t generation;
    char *rid;
};

/* A call that the engine has and has not answered. */
struct hub_call {
    uint64_t ticket; /* the origin's */
    size_t device;
    bool patch;                /* no call: a desired patch */
    bool probe;                /* no call: is the device back? */
    bool early;                /* the caller has had 202 */
    char *method, *request_id; /* request_id: NULL where the caller gave none */
    char *key;                 /* the engine's for repeats */
    struct hub_caller callers[HUB_CALLERS_MOST];
    size_t caller_count;
    struct hub_call *next;
};
void hub_call_free(struct hub_call *call);

/* Reads the call: a request for the engine and what is to be remembered of it. The argument
   "requestId" of a method that has none of this name is taken out. 0, REQUEST_E_REFUSED with
   `refusal`, or -ENOMEM. */
int hub_call_read(struct request **request, struct hub_call **call, const struct site *site,
                  size_t device, uint32_t generation, const char *method, const char *rid,
                  const struct arrival *arrival, struct refusal *refusal);
/* Does the method wait longer by itself than the caller will? Then *waits_us says how long. */
bool hub_call_is_long(const struct site *site, size_t device, const struct action *action,
                      int64_t *waits_us);

/* The answer to one caller; NULL: out of memory. */
struct outgoing *hub_call_answer(const char *rid, int status, const char *body);
struct outgoing *hub_call_refusal(const char *rid, const struct refusal *refusal);
/* The member lastMethod of the reported "jobgate": how a call ended that nobody could be told.
   `report` is an answer of the engine's that names its method. */
json_t *hub_call_last(const struct report *report, int64_t wall_ms);

#endif
