/*
 * Would the links open? What stands in the files that a site names: keys, certificates, tokens.
 * The site's own check says whether they are there and who may read them.
 */
#ifndef JOBGATE_LINKS_LINKS_CHECK_H
#define JOBGATE_LINKS_LINKS_CHECK_H

#include "site/problems.h"

/* Adds a problem for each file that a link would refuse. Files that this user may not read, and
   credentials outside the service, are passed over: the site's check has warned of them. */
void links_check(const struct site *site, struct problems *problems);

#endif
