#include "commands/grid.h"

#include "base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2, LAST_LEAST = 24 };

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
    text_make_printable(cell->text);
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
    /* Where next to nothing is left the terminal's own wrapping reads better. */
    if (terminal->width >= used + LAST_LEAST && used + widths[last] > terminal->width)
        widths[last] = terminal->width - used;
}

static void print_toned(const struct terminal *terminal, enum tone tone, const char *text,
                        size_t size)
{
    fprintf(terminal->to, "%s%.*s%s", terminal_tone(terminal, tone), (int)size, text,
            tone == TONE_PLAIN ? "" : terminal_end(terminal));
}

/* Bytes of the text that go on one line: to the last space that fits, or as many as fit. */
static size_t line_of(const char *text, size_t width)
{
    size_t size = text_cut(text, width);

    if (text[size] == '\0')
        return size;
    for (size_t space = size; space > 0; space--)
        if (text[space] == ' ')
            return space;
    return size;
}

/* What does not fit goes on below, under its own column: a reason is never cut. */
static void print_last(const struct terminal *terminal, size_t indent, size_t width,
                       enum tone tone, const char *text)
{
    for (;;) {
        size_t size = line_of(text, width);

        print_toned(terminal, tone, text, size);
        text += size + strspn(text + size, " ");
        if (*text == '\0')
            break;
        fprintf(terminal->to, "\n%*s", (int)indent, "");
    }
    fputc('\n', terminal->to);
}

static void print_line(const struct grid *grid, const struct terminal *terminal,
                       const size_t *widths, const struct cell *cells)
{
    size_t last = grid->columns - 1, indent = 0;

    for (size_t column = 0; column < last; column++) {
        const char *text = cells[column].text ? cells[column].text : "";
        int pad = (int)(widths[column] - text_width(text));

        if (grid->right[column])
            fprintf(terminal->to, "%*s", pad, "");
        print_toned(terminal, cells[column].tone, text, strlen(text));
        fprintf(terminal->to, "%*s", (grid->right[column] ? 0 : pad) + GAP, "");
        indent += widths[column] + GAP;
    }
    print_last(terminal, indent, widths[last], cells[last].tone,
               cells[last].text ? cells[last].text : "");
}

static void print_heads(const struct grid *grid, const struct terminal *terminal,
                        const size_t *widths)
{
    struct cell cells[GRID_COLUMNS_MOST];
    char heads[GRID_COLUMNS_MOST][32];

    for (size_t column = 0; column < grid->columns; column++) {
        snprintf(heads[column], sizeof(heads[column]), "%s", grid->heads[column]);
        cells[column] = (struct cell){.text = heads[column], .tone = TONE_HEAD};
    }
    print_line(grid, terminal, widths, cells);
}

void grid_print(const struct grid *grid, const struct terminal *terminal)
{
    size_t widths[GRID_COLUMNS_MOST];

    if (grid->failed)
        return;
    measure(grid, terminal, widths);
    print_heads(grid, terminal, widths);
    for (size_t row = 0; row < grid->rows; row++)
        print_line(grid, terminal, widths, &grid->cells[row * grid->columns]);
}
