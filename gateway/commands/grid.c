#include "commands/grid.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2, LAST_LEAST = 12 };

void grid_init(struct grid *grid, const char *const *heads)
{
    *grid = (struct grid){0};
    for (; *heads; heads++) {
        assert(grid->columns < GRID_COLUMNS_MOST);
        grid->right[grid->columns] = **heads == '>';
        grid->heads[grid->columns++] = *heads + (**heads == '>');
    }
}

void grid_deinit(struct grid *grid)
{
    for (size_t i = 0; i < grid->rows * grid->columns; i++)
        free(grid->cells[i].text);
    free(grid->cells);
}

void grid_row(struct grid *grid)
{
    if (grid->rows == grid->room) {
        size_t room = grid->room ? 2 * grid->room : 32;
        struct cell *cells =
            reallocarray(grid->cells, room, grid->columns * sizeof(*grid->cells));

        if (!cells) {
            grid->failed = true;
            return;
        }
        grid->cells = cells;
        grid->room = room;
    }
    memset(&grid->cells[grid->rows * grid->columns], 0, grid->columns * sizeof(*grid->cells));
    grid->rows++;
}

void grid_cell(struct grid *grid, size_t column, enum tone tone, const char *format, ...)
{
    struct cell *cell;
    va_list args;
    int size;

    if (grid->failed || grid->rows == 0)
        return;
    cell = &grid->cells[(grid->rows - 1) * grid->columns + column];
    free(cell->text);
    cell->tone = tone;
    va_start(args, format);
    size = vasprintf(&cell->text, format, args);
    va_end(args);
    if (size < 0) {
        cell->text = NULL;
        grid->failed = true;
        return;
    }
    for (char *each = cell->text; *each; each++)
        if ((unsigned char)*each < ' ' || *each == 0x7F)
            *each = '?';
}

static const char *cell_text(const struct grid *grid, size_t row, size_t column)
{
    const char *text = grid->cells[row * grid->columns + column].text;

    return text ? text : "";
}

static void measure(const struct grid *grid, const struct terminal *terminal, size_t *widths)
{
    size_t last = grid->columns - 1, used = 0;

    for (size_t column = 0; column < grid->columns; column++) {
        widths[column] = text_width(grid->heads[column]);
        for (size_t row = 0; row < grid->rows; row++) {
            size_t width = text_width(cell_text(grid, row, column));

            if (width > widths[column])
                widths[column] = width;
        }
        if (column < last)
            used += widths[column] + GAP;
    }
    if (terminal->width == 0 || used + widths[last] <= terminal->width)
        return;
    widths[last] = terminal->width > used + LAST_LEAST ? terminal->width - used : LAST_LEAST;
}

static void print_cell(const struct grid *grid, const struct terminal *terminal, size_t column,
                       size_t width, enum tone tone, const char *text)
{
    size_t has = text_width(text);
    size_t pad = has < width ? width - has : 0;
    bool last = column == grid->columns - 1;

    if (grid->right[column])
        fprintf(terminal->to, "%*s", (int)pad, "");
    fputs(terminal_tone(terminal, tone), terminal->to);
    if (has > width)
        fprintf(terminal->to, "%.*s…", (int)text_cut(text, width - 1), text);
    else
        fputs(text, terminal->to);
    if (tone != TONE_PLAIN)
        fputs(terminal_end(terminal), terminal->to);
    if (!grid->right[column] && !last)
        fprintf(terminal->to, "%*s", (int)pad, "");
    fprintf(terminal->to, "%*s", last ? 0 : GAP, "");
}

void grid_print(const struct grid *grid, const struct terminal *terminal)
{
    size_t widths[GRID_COLUMNS_MOST];

    if (grid->failed)
        return;
    measure(grid, terminal, widths);
    for (size_t column = 0; column < grid->columns; column++)
        print_cell(grid, terminal, column, widths[column], TONE_HEAD, grid->heads[column]);
    fputc('\n', terminal->to);
    for (size_t row = 0; row < grid->rows; row++) {
        for (size_t column = 0; column < grid->columns; column++)
            print_cell(grid, terminal, column, widths[column],
                       grid->cells[row * grid->columns + column].tone,
                       cell_text(grid, row, column));
        fputc('\n', terminal->to);
    }
}
