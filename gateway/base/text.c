#include "base/text.h"

#include <stdarg.h>
#include <stdbool.h>
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

size_t text_character(const char *text, size_t left)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t length = at[0] < 0x80   ? 1
                    : at[0] < 0xC2 ? 0
                    : at[0] < 0xE0 ? 2
                    : at[0] < 0xF0 ? 3
                                   : 4;

    if (length == 0 || length > left || at[0] > 0xF4)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    }
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) ||
        (at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F))
        return 0;
    return length;
}

bool text_is_utf8(const char *text)
{
    size_t left = strlen(text), length;

    for (; left > 0; text += length, left -= length) {
        length = text_character(text, left);
        if (length == 0)
            return false;
    }
    return true;
}

void text_clip(char *text)
{
    size_t length = strlen(text), start = length;

    while (start > 0 && length - start < 4 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (needed > 1 && length - start + 1 < needed)
        text[start - 1] = '\0';
}

/* Controls of all kinds, and what begins a new line: a terminal obeys C1, too (0x9B is ESC [).
 */
static bool is_control(const char *text, size_t length)
{
    return (unsigned char)*text < 0x20 || *text == 0x7F ||
           (length == 2 && (unsigned char)text[0] == 0xC2 && (unsigned char)text[1] < 0xA0) ||
           strncmp(text, "\xE2\x80\xA8", 3) == 0 || strncmp(text, "\xE2\x80\xA9", 3) == 0;
}

void text_make_printable(char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        size_t length = text_character(text, left);

        if (length == 0 || is_control(text, length))
            memset(text, '?', length ? length : 1);
        length = length ? length : 1;
        text += length;
        left -= length;
    }
}
