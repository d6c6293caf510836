/*
 * Flood: what comes from the broker with each new connection, because it lies retained there,
 * and when it is over. Part of the broker link; main loop only.
 *
 * No broker says when it has sent all. So this gateway sends a number to itself
 * (gateways/<id>/echo) when all is subscribed: a broker keeps the order of what it has for one
 * client, so what was retained has come when the number does. Until then the gateway publishes
 * no state, so that it covers nobody else's, and retained jobs wait for their retained shares.
 * A broker that gives no echo back is believed after a time.
 */
#ifndef JOBGATE_LINKS_BROKER_FLOOD_H
#define JOBGATE_LINKS_BROKER_FLOOD_H

#include "links/broker.h"
#include "links/broker_thread.h"

struct broker_flood;

/* 0 or negative errno; site and thread must outlive it. */
int flood_new(struct broker_flood **ret, const struct site *site, struct broker_thread *thread);
/* Another site. 0; or -ENOMEM, and nothing has changed. Of its new devices nothing is known
   until that change of the thread's filters is granted, and what lies retained there has come.
 */
int flood_reload(struct broker_flood *flood, const struct site *site);
void flood_await(struct broker_flood *flood, uint64_t change);
void flood_free(struct broker_flood *flood);    /* NULL is fine */
int flood_fd(const struct broker_flood *flood); /* readable when flood_tick() is due */

void flood_news(struct broker_flood *flood); /* the thread has some */
void flood_tick(struct broker_flood *flood);
/* True: it was no request, or it waits; then it is taken over. */
bool flood_takes(struct broker_flood *flood, struct arrival *arrival);
/* A job that has waited, when it need not any more; or NULL. */
struct arrival *flood_released(struct broker_flood *flood);
/* The next that the engine has to hear of; what it names is borrowed until the next call. */
bool flood_tells(struct broker_flood *flood, struct broker_news *news);
bool flood_is_over(struct broker_flood *flood); /* true once for each connection */
/* Is it over for the connection that is up? */
bool flood_has_ended(const struct broker_flood *flood);
/* ... and for this device, which a reload may just have brought? */
bool flood_knows(const struct broker_flood *flood, const char *device_id);

#endif
