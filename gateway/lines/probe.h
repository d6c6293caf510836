/*
 * Probe: the smallest harmless read of a device, to learn whether it is there at all. Pure.
 */
#ifndef JOBGATE_LINES_PROBE_H
#define JOBGATE_LINES_PROBE_H

#include "site/site.h"

/* False: the profile has no point at all. The unit is left to the caller. */
bool probe_operation(const struct profile *profile, struct operation *operation);

#endif
