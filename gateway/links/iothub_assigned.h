/*
 * Assigned: which hub DPS gave each device, kept in a file of the state folder, so that a
 * restart of the gateway is no registration of all its devices. The hub link's thread alone.
 *
 *   dps <endpoint> <scope>
 *   <device> <hub> <name at the hub>
 *
 * A file for another endpoint or scope is as good as none.
 */
#ifndef JOBGATE_LINKS_IOTHUB_ASSIGNED_H
#define JOBGATE_LINKS_IOTHUB_ASSIGNED_H

#include "links/iothub_identity.h"

/* Fills hub and name of those that it knows and that have none; `slots` has the identity of
   each device of the site. */
void hub_assigned_load(struct hub_identity *identities, const size_t *slots,
                       const struct site *site);
/* Negative errno: it could not be kept, and the next start registers again. */
int hub_assigned_keep(const struct hub_identity *identities, const size_t *slots,
                      const struct site *site);

#endif
