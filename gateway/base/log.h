/*
 * Log: one line for each event that an operator can act on.
 *
 * To the journal, with fields that say what it is about (log_fields.h), where
 * stderr leads there ($JOURNAL_STREAM); else to stderr with the level's name. Any thread may
 * call it. No secrets, no payloads above debug.
 */
#ifndef JOBGATE_BASE_LOG_H
#define JOBGATE_BASE_LOG_H

#include <stdbool.h>

enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

/* Lines above `most` are dropped. Called once, before any thread exists. */
void log_open(enum log_level most);

__attribute__((format(printf, 1, 2))) void log_error(const char *format,
                                                     ...); /* needs a person */
__attribute__((format(printf, 1, 2))) void log_warning(const char *format, ...); /* we coped */
__attribute__((format(printf, 1, 2))) void log_info(const char *format,
                                                    ...); /* life of daemon and jobs */
__attribute__((format(printf, 1, 2))) void log_debug(const char *format,
                                                     ...); /* frames in hex */
bool log_wants_debug(void);

#endif
