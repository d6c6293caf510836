/*
 * Spurned: retained calls that were refused, for who clears them. MQTT 3.1.1 does not say that
 * an empty message clears what was retained: it looks like a call without arguments, and
 * nothing may move because somebody tidied up. MQTT 5 says so (as_published in mqtt.h).
 *
 * On the main loop. Kept in memory: after a restart what lies retained comes, and is refused,
 * again.
 */
#ifndef JOBGATE_LINKS_BROKER_SPURNED_H
#define JOBGATE_LINKS_BROKER_SPURNED_H

#include "links/broker_message.h"

enum { SPURNED_MOST = 64 };

struct spurned {
    char *topics[SPURNED_MOST]; /* a ring */
    size_t next;
};

/* arrival_read(), but for the message that clears a call that was refused: that is nothing. */
int spurned_read(struct spurned *spurned, struct request **request, struct outgoing **answer,
                 const struct site *site, struct arrival *arrival);
void spurned_deinit(struct spurned *spurned);

#endif
