/* The words that the forms of the report share. */
#include "base/text.h"
#include "commands/payload.h"
#include "commands/survey_show.h"
#include "site/value.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

int survey_number(const json_t *object, const char *name)
{
    return (int)json_integer_value(json_object_get(object, name));
}

enum tone survey_tone(const char *word)
{
    if (strcmp(word, "online") == 0 || strcmp(word, "up") == 0 || strcmp(word, "read") == 0)
        return TONE_GOOD;
    if (strcmp(word, "offline") == 0 || strcmp(word, "down") == 0 ||
        strcmp(word, "failed") == 0)
        return TONE_BAD;
    return TONE_DIM;
}

__attribute__((format(printf, 3, 4))) static void add(char *text, size_t size,
                                                      const char *format, ...)
{
    size_t used = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + used, size - used, format, args);
    va_end(args);
    text_clip(text);
}

void survey_sum_text(const json_t *report, char *text, size_t size)
{
    const json_t *counts = json_object_get(report, "counts");
    int devices = survey_number(counts, "devices"),
        failed = survey_number(counts, "devicesFailed");
    int never = survey_number(counts, "pointsNeverRead");

    text[0] = '\0';
    add(text, size, "%d of %d device%s well; ", devices - failed, devices,
        devices == 1 ? "" : "s");
    add(text, size, "%d of %d points read", survey_number(counts, "pointsRead"),
        survey_number(counts, "points"));
    if (survey_number(counts, "pointsFailed"))
        add(text, size, ", %d failed", survey_number(counts, "pointsFailed"));
    if (never)
        add(text, size, ", %d never read (write-only)", never);
    if (survey_number(counts, "linesDown"))
        add(text, size, "; %d line%s down", survey_number(counts, "linesDown"),
            survey_number(counts, "linesDown") == 1 ? "" : "s");
}

static void add_tags(const json_t *tags, const char *prefix, char *text, size_t size)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)tags, key, value)
    {
        char name[120], one[120];

        snprintf(name, sizeof(name), "%s%s", prefix, key);
        if (json_is_object(value)) {
            add(name, sizeof(name), ".");
            add_tags(value, name, text, size);
            continue;
        }
        value_text(value, one, sizeof(one));
        add(text, size, "%s%s = %s", *text ? ", " : "", name, one);
    }
}

void survey_tags_text(const json_t *tags, char *text, size_t size)
{
    text[0] = '\0';
    add_tags(tags, "", text, size);
}

void survey_line_text(const json_t *line, char *text, size_t size)
{
    text[0] = '\0';
    if (json_object_get(line, "port"))
        add(text, size, "%s, %d %s", text_of(line, "port"), survey_number(line, "baud"),
            text_of(line, "mode"));
    else
        add(text, size, "%s port %d", text_of(line, "host"), survey_number(line, "tcpPort"));
}

void survey_clock_text(const json_t *report, char *text, size_t size)
{
    bool trusted = json_is_true(json_object_get(report, "clockTrusted"));

    text[0] = '\0';
    add(text, size, "%.10s %.8s UTC, ", text_of(report, "made"),
        strlen(text_of(report, "made")) > 11 ? text_of(report, "made") + 11 : "");
    add(text, size, "%s", trusted ? "the clock is trusted" : "the clock is not trusted");
    if (!trusted && *text_of(report, "clockDoubt"))
        add(text, size, ": %s", text_of(report, "clockDoubt"));
}

void survey_error_text(const json_t *object, char *text, size_t size)
{
    const json_t *error = json_object_get(object, "error");

    text[0] = '\0';
    if (error)
        add(text, size, "%s: %s", text_of(error, "code"), text_of(error, "description"));
}

bool survey_result_text(const json_t *device, char *text, size_t size)
{
    const json_t *points = json_object_get(device, "points");
    unsigned read = 0, readable = 0;

    survey_error_text(device, text, size);
    if (*text)
        return false;
    for (size_t i = 0; i < json_array_size(points); i++) {
        const char *result = text_of(json_array_get(points, i), "result");

        read += strcmp(result, "read") == 0;
        readable += strcmp(result, "never read") != 0;
    }
    if (readable > 0)
        add(text, size, "%u of %u points", read, readable);
    else
        add(text, size, "nothing of it can be read");
    return read == readable;
}
