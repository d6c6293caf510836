/*
 * Progress: the one line that follows a job on a terminal.
 *
 *     [##########------]  12 of 31  11 ok  1 failed  4 running  12 s
 */
#ifndef JOBGATE_COMMANDS_PROGRESS_H
#define JOBGATE_COMMANDS_PROGRESS_H

#include "commands/terminal.h"

#include <jansson.h>
#include <stdint.h>

struct progress {
    char status[16]; /* of the job */
    int devices, succeeded, failed, running, pending;
};

enum { PROGRESS_LINE_MOST = 1024, PROGRESS_BAR_MOST = 640 };

/* From a job or its share: status and deviceJobStatistics. */
void progress_read(struct progress *progress, const json_t *job);
/* One more task ended. */
void progress_count(struct progress *progress, bool failed);
bool progress_is_over(const struct progress *progress);

/* The bar alone, coloured; as long as the window allows. */
void progress_bar(const struct terminal *terminal, int good, int bad, int whole,
                  char text[PROGRESS_BAR_MOST]);
void progress_line(const struct progress *progress, const struct terminal *terminal,
                   int64_t seconds, char text[PROGRESS_LINE_MOST]);

/* "31 devices: 29 completed, 2 failed, 12.4 s"; seconds below 0 are left out. */
void progress_summary(const struct progress *progress, double seconds, char *text, size_t size);

#endif
