#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Set once before any thread exists; process-wide like stderr itself. */
static enum log_level log_most = LOG_LEVEL_INFO;
static bool log_for_journal;

void log_open(enum log_level most)
{
    log_most = most;
    log_for_journal = getenv("JOURNAL_STREAM") != NULL;
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARNING:
        return "warning";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        return "debug";
    }
    return "?";
}

static void write_line(enum log_level level, const char *format, va_list args)
{
    char text[1024];

    if (level > log_most)
        return;
    vsnprintf(text, sizeof(text), format, args);
    if (log_for_journal)
        fprintf(stderr, "<%d>%s\n", (int)level, text);
    else
        fprintf(stderr, "%s: %s\n", level_name(level), text);
}

#define LOG_FUNCTION(name, level)                                                              \
    void name(const char *format, ...)                                                         \
    {                                                                                          \
        va_list args;                                                                          \
                                                                                               \
        va_start(args, format);                                                                \
        write_line(level, format, args);                                                       \
        va_end(args);                                                                          \
    }

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

bool log_wants_debug(void)
{
    return log_most >= LOG_LEVEL_DEBUG;
}
