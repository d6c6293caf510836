/*
 * End of a link's thread: the loop asks for it by MQTT_STOP and waits within a limit. A thread
 * that has not ended by then is left to itself and frees all that is its own.
 *
 * The lock is the link's own too: it may guard what else thread and loop share, and `changed`
 * may be waited on for that.
 */
#ifndef JOBGATE_LINKS_LINK_END_H
#define JOBGATE_LINKS_LINK_END_H

#include "base/queue.h"

#include <pthread.h>
#include <stdbool.h>

struct link_end {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* waits by CLOCK_MONOTONIC */
    bool done, abandoned;
};

int link_end_init(struct link_end *end); /* 0 or negative errno */
void link_end_deinit(struct link_end *end);
/* On the thread, its work is done. True: nobody waits any more, it frees itself. */
bool link_end_done(struct link_end *end);
/* On the loop. True: it has ended and was joined; the caller frees it. */
bool link_end_wait(struct link_end *end, struct queue *events, int limit_ms);

#endif
