/*
 * Direct: a command's request without a running gateway. The command is a gateway for a moment:
 * the same engine, plan, line and adapter, with the device's own line open and no links.
 */
#ifndef JOBGATE_COMMANDS_DIRECT_H
#define JOBGATE_COMMANDS_DIRECT_H

#include "jobs/request.h"

enum {
    DIRECT_E_SITE = 1, /* the site has problems; they are on stderr: exit 2 */
    DIRECT_E_LINE = 2, /* the line cannot be opened, `why` says it (held by pid ...): exit 3 */
};

struct direct_answer {
    int status;    /* as a method's answer */
    char *body;    /* payload, JSON text; the caller frees it */
    char line[64]; /* the line that was opened, to be told to the person */
    char why[240];
};

/* Runs one CALL request (ownership goes along) to its end. 0, DIRECT_E_*, or negative errno. */
int direct_run(const struct site_source *source, struct request *request,
               struct direct_answer *answer);

#endif
