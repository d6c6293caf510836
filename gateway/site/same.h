/*
 * Same: what of one site stands unchanged in another. Pure. Where in a file it stands does not
 * count.
 */
#ifndef JOBGATE_SITE_SAME_H
#define JOBGATE_SITE_SAME_H

#include "site/site.h"

/* The same wire: port and its parameters, or endpoint. Time-outs, retries and gaps do not
   count, they are asked for with each operation. */
bool same_wire(const struct line_config *a, const struct line_config *b);
bool same_profile(const struct profile *a, const struct profile *b);
bool same_broker(const struct broker_config *a, const struct broker_config *b); /* NULL: none */
bool same_iothub(const struct iothub_config *a, const struct iothub_config *b);
/* The same devices by id, in the same order. */
bool same_devices(const struct site *a, const struct site *b);
bool same_text(const char *a, const char *b); /* NULL is the same as NULL alone */

#endif
