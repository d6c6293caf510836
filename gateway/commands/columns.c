#include "commands/columns.h"

#include <string.h>

enum { INDENT = 2, GAP = 2 };

/* Characters, not bytes: units may be °C. */
static size_t width_of(const char *text, size_t length)
{
    size_t width = 0;

    for (size_t i = 0; i < length; i++)
        width += ((unsigned char)text[i] & 0xC0) != 0x80;
    return width;
}

/* The next cell of a row, up to a tab; false at the row's end. */
static bool take_cell(const char **at, const char **cell, size_t *length)
{
    if (!*at)
        return false;
    *cell = *at;
    *length = strcspn(*at, "\t\n");
    *at = (*at)[*length] == '\t' ? *at + *length + 1 : NULL;
    return true;
}

static const char *next_row(const char *row)
{
    const char *end = strchr(row, '\n');

    return end && end[1] ? end + 1 : NULL;
}

/* Widths of the columns; 0 where only the head has text. */
static void measure(const char *rows, size_t *widths)
{
    bool used[COLUMNS_MOST] = {false};

    for (const char *row = rows; row; row = next_row(row)) {
        const char *at = row, *cell;
        size_t length;

        for (size_t c = 0; c < COLUMNS_MOST && take_cell(&at, &cell, &length); c++) {
            size_t width = width_of(cell, length);

            widths[c] = width > widths[c] ? width : widths[c];
            used[c] = used[c] || (row != rows && width > 0);
        }
    }
    for (size_t c = 0; c < COLUMNS_MOST; c++)
        widths[c] = used[c] ? widths[c] : 0;
}

static void print_row(const char *row, const size_t *widths, FILE *to)
{
    const char *at = row, *cell;
    size_t length,
        owed = INDENT; /* blanks before the next text, so that no line ends in some */

    for (size_t c = 0; c < COLUMNS_MOST && take_cell(&at, &cell, &length); c++) {
        if (widths[c] == 0)
            continue;
        if (length > 0) {
            fprintf(to, "%*s%.*s", (int)owed, "", (int)length, cell);
            owed = 0;
        }
        owed += widths[c] - width_of(cell, length) + GAP;
    }
}

void columns_print(const char *rows, FILE *to, bool bold)
{
    size_t widths[COLUMNS_MOST] = {0};

    measure(rows, widths);
    for (const char *row = rows; row && *row; row = next_row(row)) {
        fputs(bold && row == rows ? "\033[1m" : "", to);
        print_row(row, widths, to);
        fputs(bold && row == rows ? "\033[0m\n" : "\n", to);
    }
}
