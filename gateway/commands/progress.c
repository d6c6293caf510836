#include "commands/progress.h"

#include <string.h>

enum { BAR_LEAST = 8, BAR_MOST = 40, TEXT_ROOM = 56 };

static int member(const json_t *statistics, const char *name)
{
    return (int)json_integer_value(json_object_get(statistics, name));
}

void progress_read(struct progress *progress, const json_t *job)
{
    const json_t *statistics = json_object_get(job, "deviceJobStatistics");
    const char *status = json_string_value(json_object_get(job, "status"));

    if (status)
        snprintf(progress->status, sizeof(progress->status), "%s", status);
    if (!statistics)
        return;
    progress->devices = member(statistics, "deviceCount");
    progress->succeeded = member(statistics, "succeededCount");
    progress->failed = member(statistics, "failedCount");
    progress->running = member(statistics, "runningCount");
    progress->pending = member(statistics, "pendingCount");
}

void progress_count(struct progress *progress, bool failed)
{
    if (progress->running > 0)
        progress->running--;
    else if (progress->pending > 0)
        progress->pending--;
    else
        return; /* the statistics had it already */
    if (failed)
        progress->failed++;
    else
        progress->succeeded++;
}

bool progress_is_over(const struct progress *progress)
{
    return strcmp(progress->status, "completed") == 0 ||
           strcmp(progress->status, "failed") == 0 ||
           strcmp(progress->status, "cancelled") == 0;
}

static size_t bar_width(size_t columns)
{
    if (columns < TEXT_ROOM + BAR_LEAST)
        return BAR_LEAST;
    return columns - TEXT_ROOM < BAR_MOST ? columns - TEXT_ROOM : BAR_MOST;
}

/* How much of the bar `part` of `whole` takes. */
static size_t share_of(int part, int whole, size_t width)
{
    return whole > 0 ? (size_t)part * width / (size_t)whole : 0;
}

static size_t fill(char *to, const char *piece, size_t count)
{
    size_t size = strlen(piece);

    for (size_t i = 0; i < count; i++)
        memcpy(to + i * size, piece, size);
    to[count * size] = '\0';
    return count * size;
}

void progress_bar(const struct terminal *terminal, int good, int bad, int whole,
                  char text[PROGRESS_BAR_MOST])
{
    size_t width = bar_width(terminal->width);
    size_t full = share_of(good + bad, whole, width), red = share_of(bad, whole, width);
    char good_bar[4 * BAR_MOST], bad_bar[4 * BAR_MOST], rest_bar[4 * BAR_MOST];

    if (bad > 0 && red == 0 && full > 0)
        red = 1; /* one failure in a thousand is still to be seen */
    fill(good_bar, "█", full - red);
    fill(bad_bar, "█", red);
    fill(rest_bar, "░", width - full);
    snprintf(text, PROGRESS_BAR_MOST, "%s%s%s%s%s%s%s%s", terminal_tone(terminal, TONE_GOOD),
             good_bar, terminal_tone(terminal, TONE_BAD), bad_bar, terminal_end(terminal),
             terminal_tone(terminal, TONE_DIM), rest_bar, terminal_end(terminal));
}

void progress_line(const struct progress *progress, const struct terminal *terminal,
                   int64_t seconds, char text[PROGRESS_LINE_MOST])
{
    char bar[PROGRESS_BAR_MOST];

    progress_bar(terminal, progress->succeeded, progress->failed, progress->devices, bar);
    snprintf(text, PROGRESS_LINE_MOST,
             "%s  %d of %d  %s%d ok%s  %s%d failed%s  %d running  %lld s", bar,
             progress->succeeded + progress->failed, progress->devices,
             terminal_tone(terminal, TONE_GOOD), progress->succeeded, terminal_end(terminal),
             terminal_tone(terminal, progress->failed ? TONE_BAD : TONE_DIM), progress->failed,
             terminal_end(terminal), progress->running, (long long)seconds);
}

void progress_summary(const struct progress *progress, double seconds, char *text, size_t size)
{
    char time[40] = "";

    if (seconds >= 0)
        snprintf(time, sizeof(time), ", %.1f s", seconds);
    if (progress->devices == 0)
        snprintf(text, size, "no device matched; the job is %s%s", progress->status, time);
    else
        snprintf(text, size, "%d device%s: %d completed, %d failed%s%s%s", progress->devices,
                 progress->devices == 1 ? "" : "s", progress->succeeded, progress->failed,
                 strcmp(progress->status, "completed") == 0 ? "" : "; the job is ",
                 strcmp(progress->status, "completed") == 0 ? "" : progress->status, time);
}
