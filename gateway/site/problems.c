#include "site/problems.h"

#include "base/text.h"

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
    if (!has_room(problems) || vasprintf(&problem.text, format, args) < 0) {
        problems->dropped++;
        return;
    }
    problem.file = strdup(place.file ? place.file : "jobgate");
    if (!problem.file) {
        free(problem.text);
        return;
    }
    text_make_printable(problem.text);
    text_make_printable(problem.file);
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
    if (problems->dropped)
        fprintf(to, "%zu more are not shown; mend these first\n", problems->dropped);
}
