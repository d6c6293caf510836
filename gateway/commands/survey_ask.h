/*
 * The two roads of a survey: through the gateway that runs, or, where none does, on the lines
 * themselves; all lines at once.
 */
#ifndef JOBGATE_COMMANDS_SURVEY_ASK_H
#define JOBGATE_COMMANDS_SURVEY_ASK_H

#include "commands/client.h"
#include "commands/survey.h"

struct survey_watch {
    void (*done)(void *ctx, size_t device); /* nothing more is asked of it; by one
                                               thread at a time */
    void *ctx;
};

/* EXIT_DONE; or the exit status, and it is said on stderr. */
int survey_through_gateway(struct survey *survey, const struct client *client,
                           const struct options *options, const struct survey_watch *watch);
/* 0; or negative errno and `why`. A line that cannot be opened is in the survey. */
int survey_on_lines(struct survey *survey, const struct survey_watch *watch, char *why,
                    size_t size);

#endif
