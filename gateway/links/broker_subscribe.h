/*
 * Subscribing: what a session of the broker link listens to, from the first filter to what is
 * asked for while it is up. Part of the broker thread, and called on it alone.
 */
#ifndef JOBGATE_LINKS_BROKER_SUBSCRIBE_H
#define JOBGATE_LINKS_BROKER_SUBSCRIBE_H

#include "links/broker_session.h"

void subscribe_reset(struct session *session); /* before it connects */
void subscribe_begin(struct session *session); /* it is connected */
void subscribe_more(struct session *session);  /* what is asked for since it is up */
/* The broker has answered; when nothing is left the session comes up. */
void subscribe_granted(struct session *session, const struct mqtt_event *event);

#endif
