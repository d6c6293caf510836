#include "site/problems.h"

#include "site/config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROBLEMS_MOST = 1000
}; /* nobody reads further, and a bad file must not fill the memory */

void problems_deinit(struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->items[i].file);
        free(problems->items[i].text);
    }
    free(problems->items);
    *problems = (struct problems){0};
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

/* One line that any terminal and any JSON can show: a message quotes what stands in a file, and
   may cut it inside a character. */
static void make_printable(char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        size_t length = text_character(text, left);

        if (length == 0 || (unsigned char)*text < 0x20 || *text == 0x7F)
            *text = '?';
        length = length ? length : 1;
        text += length;
        left -= length;
    }
}

static bool has_room(struct problems *problems)
{
    struct problem *items;

    if (problems->count >= PROBLEMS_MOST)
        return false;
    if (problems->count & (problems->count - 1)) /* grown at each power of two */
        return true;
    items =
        realloc(problems->items, (problems->count ? problems->count * 2 : 1) * sizeof(*items));
    if (!items)
        return false;
    problems->items = items;
    return true;
}

static void add(struct problems *problems, struct place place, bool warning, const char *format,
                va_list args)
{
    struct problem problem = {.line = place.line, .warning = warning};

    if (!warning)
        problems->errors++; /* counted even where there is no room to keep it */
    if (!has_room(problems) || vasprintf(&problem.text, format, args) < 0)
        return;
    problem.file = strdup(place.file ? place.file : "jobgate");
    if (!problem.file) {
        free(problem.text);
        return;
    }
    make_printable(problem.text);
    make_printable(problem.file);
    problems->items[problems->count++] = problem;
}

void problem_add(struct problems *problems, struct place place, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(problems, place, false, format, args);
    va_end(args);
}

void warning_add(struct problems *problems, struct place place, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    add(problems, place, true, format, args);
    va_end(args);
}

static int by_place(const void *a, const void *b)
{
    const struct problem *one = a, *other = b;
    int order = strcmp(one->file, other->file);

    if (order)
        return order;
    if (one->line != other->line)
        return one->line < other->line ? -1 : 1;
    return strcmp(one->text, other->text);
}

void problems_sort(struct problems *problems)
{
    if (problems->count)
        qsort(problems->items, problems->count, sizeof(*problems->items), by_place);
}

void problems_print(struct problems *problems, FILE *to)
{
    problems_sort(problems);
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];

        fputs(problem->file, to);
        if (problem->line)
            fprintf(to, ":%u", problem->line);
        fprintf(to, ": %s%s\n", problem->warning ? "warning: " : "", problem->text);
    }
}
