#include "base/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

char *text_join(const char *first, ...)
{
    size_t length = 0;
    va_list parts;
    char *text, *end;

    va_start(parts, first);
    for (const char *part = first; part; part = va_arg(parts, const char *))
        length += strlen(part);
    va_end(parts);
    text = end = malloc(length + 1);
    if (!text)
        return NULL;
    va_start(parts, first);
    for (const char *part = first; part; part = va_arg(parts, const char *))
        end = stpcpy(end, part);
    va_end(parts);
    *end = '\0';
    return text;
}
