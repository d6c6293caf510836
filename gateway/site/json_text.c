/*
 * JSON as text: each real with the fewest digits that are read as the same number. 15 do for
 * all but a few 64-bit floats; jansson gives all of a document the same.
 */
#include "site/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 15, REAL_TEXT = 40 };

static bool needs_more(const json_t *value)
{
    char text[REAL_TEXT];
    json_t *each;
    const char *name;
    size_t i;

    if (json_is_real(value)) {
        snprintf(text, sizeof(text), "%.*g", DIGITS, json_real_value(value));
        return fabs(strtod(text, NULL) - json_real_value(value)) > 0;
    }
    json_array_foreach(value, i, each)
    {
        if (needs_more(each))
            return true;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, each)
    {
        if (needs_more(each))
            return true;
    }
    return false;
}

struct page {
    FILE *to;
    bool in_string;
};

/* jansson hands over token by token, a quote by itself, and a real with 17 digits whole. */
static int take_token(const char *token, size_t size, void *ctx)
{
    struct page *page = ctx;
    char text[REAL_TEXT], shorter[REAL_TEXT];
    double number;

    if (size == 1 && *token == '"')
        page->in_string = !page->in_string;
    if (page->in_string || size >= sizeof(text) || !memchr(token, '.', size) ||
        strspn(token, "-0123456789.e") < size) {
        fwrite(token, 1, size, page->to);
        return 0;
    }
    snprintf(text, sizeof(text), "%.*s", (int)size, token);
    number = strtod(text, NULL);
    for (int digits = DIGITS; digits < 17; digits++) {
        snprintf(shorter, sizeof(shorter), "%.*g", digits, number);
        if (strchr(shorter, '.') && !strchr(shorter, 'e') &&
            !(fabs(strtod(shorter, NULL) - number) > 0)) {
            fputs(shorter, page->to);
            return 0;
        }
    }
    fputs(text, page->to);
    return 0;
}

static char *exact_text(const json_t *value)
{
    struct page page = {.in_string = false};
    char *text = NULL;
    size_t size;

    page.to = open_memstream(&text, &size);
    if (!page.to)
        return NULL;
    if (json_dump_callback(value, take_token, &page, JSON_COMPACT | JSON_ENCODE_ANY) != 0 ||
        ferror(page.to)) {
        fclose(page.to);
        free(text);
        return NULL;
    }
    if (fclose(page.to) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

char *json_text(const json_t *value)
{
    if (value && needs_more(value))
        return exact_text(value);
    return json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS) | JSON_ENCODE_ANY);
}
