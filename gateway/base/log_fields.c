#include "base/log_fields.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *word, *field;
} kinds[LOG_FIELDS] = {
    {"line ", "JOBGATE_LINE"}, {"device ", "JOBGATE_DEVICE"}, {"job ", "JOBGATE_JOB"}};

/* Ids may have a ':' inside, not at their end. */
static size_t id_length(const char *text)
{
    size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789._:-");

    while (length > 0 && strchr(":.", text[length - 1]))
        length--;
    return length;
}

static bool has_field(size_t count, char fields[LOG_FIELDS][LOG_FIELD_SIZE], const char *field)
{
    for (size_t i = 0; i < count; i++) {
        if (strncmp(fields[i], field, strlen(field)) == 0)
            return true;
    }
    return false;
}

size_t log_fields_of(const char *message, char fields[LOG_FIELDS][LOG_FIELD_SIZE])
{
    size_t count = 0;

    for (const char *at = message; at && count < LOG_FIELDS;) {
        for (size_t i = 0; i < LOG_FIELDS; i++) {
            size_t skip = strlen(kinds[i].word);
            size_t length = strncmp(at, kinds[i].word, skip) == 0 ? id_length(at + skip) : 0;

            if (length == 0 || length > 128 || has_field(count, fields, kinds[i].field))
                continue;
            snprintf(fields[count++], LOG_FIELD_SIZE, "%s=%.*s", kinds[i].field, (int)length,
                     at + skip);
            break;
        }
        at = strstr(at, ": ");
        at = at ? at + 2 : NULL;
    }
    return count;
}
