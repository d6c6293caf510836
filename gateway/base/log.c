#include "base/log.h"
#include "base/log_fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION /* the message says what it is about */
#include <systemd/sd-journal.h>

/* Set once before any thread exists; process-wide like stderr itself. */
static enum log_level log_most = LOG_LEVEL_INFO;
static bool log_for_journal;

/* The variable is inherited by those whose output goes elsewhere, too (systemd.exec(5)). */
static bool is_journal(int fd)
{
    const char *said = getenv("JOURNAL_STREAM");
    char text[64];
    struct stat found;

    if (!said || fstat(fd, &found) < 0)
        return false;
    snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)found.st_dev,
             (unsigned long long)found.st_ino);
    return strcmp(said, text) == 0;
}

void log_open(enum log_level most)
{
    log_most = most;
    log_for_journal = is_journal(STDERR_FILENO);
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

static struct iovec piece(char *text)
{
    return (struct iovec){.iov_base = text, .iov_len = strlen(text)};
}

/* False: the journal does not take it. */
static bool tell_journal(enum log_level level, char *text)
{
    char message[1100], priority[16], fields[LOG_FIELDS][LOG_FIELD_SIZE];
    char name[] = "SYSLOG_IDENTIFIER=jobgate";
    size_t count = log_fields_of(text, fields);
    struct iovec pieces[3 + LOG_FIELDS];

    snprintf(message, sizeof(message), "MESSAGE=%s", text);
    snprintf(priority, sizeof(priority), "PRIORITY=%d", (int)level);
    pieces[0] = piece(message);
    pieces[1] = piece(priority);
    pieces[2] = piece(name);
    for (size_t i = 0; i < count; i++)
        pieces[3 + i] = piece(fields[i]);
    return sd_journal_sendv(pieces, (int)(3 + count)) == 0;
}

static void write_line(enum log_level level, const char *format, va_list args)
{
    char text[1024];

    if (level > log_most)
        return;
    vsnprintf(text, sizeof(text), format, args);
    if (log_for_journal && tell_journal(level, text))
        return;
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
