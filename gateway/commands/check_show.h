/* Shows a site that was read: its lines, devices and register maps, for people or as JSON. */
#ifndef JOBGATE_COMMANDS_CHECK_SHOW_H
#define JOBGATE_COMMANDS_CHECK_SHOW_H

#include "site/problems.h"

#include <stdio.h>

void check_show(const struct site *site, FILE *to, bool bold);
/* `site` may be NULL: then there are problems only. NULL: no memory. */
json_t *check_show_json(const struct site *site, const struct problems *problems);

#endif
