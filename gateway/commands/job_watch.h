/*
 * Job watch: follows a job to its end, then shows what it came to.
 */
#ifndef JOBGATE_COMMANDS_JOB_WATCH_H
#define JOBGATE_COMMANDS_JOB_WATCH_H

#include "commands/fetch.h"

/* The exit status: EXIT_FAILED when a device failed or the job did. */
int job_watch(const struct client *client, const struct options *options, const char *job_id);
/* The job's head, its outcomes and the sum of them, as far as they are there. */
int job_show(const struct client *client, const struct options *options, const char *job_id);

#endif
