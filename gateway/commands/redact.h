/*
 * Redact: texts without secrets.
 *
 * Knows the contents of every key file that a site names, and what keys look like where they do
 * not belong.
 */
#ifndef JOBGATE_COMMANDS_REDACT_H
#define JOBGATE_COMMANDS_REDACT_H

#include "site/site.h"

struct redact;

struct redact *redact_new(const struct site *site); /* NULL: no memory. `site` may be NULL */
void redact_free(struct redact *redact);
/* A copy without secrets, "[removed]" in their place; NULL: no memory. `foreign`: the text was
   written by hand, and what only looks like a key goes too. */
char *redact_text(const struct redact *redact, const char *text, bool foreign);

#endif
