#include "commands/scan_show.h"
#include "commands/grid.h"
#include "commands/scan_time.h"
#include "commands/scan_wish.h"

#include <stdlib.h>
#include <string.h>

/* For the lines meanwhile: whose unit it is. */
static const char *owner_of(const struct scan_subject *subject, unsigned unit)
{
    if (!subject->site)
        return "";
    return subject->devices[unit] ? subject->devices[unit]->id : "not in the site";
}

static const char *device_of(const struct scan_subject *subject, unsigned unit)
{
    const struct device *device = subject->devices[unit];

    return device ? device->id : NULL;
}

/* "2.3 s", "1 min 12 s" */
static void seconds_text(double seconds, char *text, size_t size)
{
    if (seconds < 60)
        snprintf(text, size, "%.1f s", seconds);
    else
        snprintf(text, size, "%d min %d s", (int)seconds / 60, (int)seconds % 60);
}

/* --- before --- */

static void show_units(const struct scan *scan, FILE *to)
{
    bool units[SCAN_UNITS];

    for (unsigned unit = 0; unit < SCAN_UNITS; unit++)
        units[unit] = scan->asks[unit].wanted;
    units_print(units, to);
}

/* What the further settings take, where all have to be tried. */
static double further_s(const struct scan *scan)
{
    int64_t sum_us = 0;

    for (size_t i = 1; i < scan->try_count; i++)
        sum_us += scan_time_of(scan, &scan->tries[i].way, !scan->all).silent_us;
    return (double)sum_us / 1e6;
}

void scan_show_begin(const struct scan_subject *subject, const struct terminal *terminal)
{
    const struct scan *scan = subject->scan;
    const struct line_config *line = subject->line;
    struct scan_time time = scan_time_of(scan, &scan->tries[0].way, false);
    char way[40] = "", least[40], silent[40], further[40];

    if (line->adapter->serial)
        way_text(&scan->tries[0].way, way, sizeof(way));
    seconds_text((double)time.least_us / 1e6, least, sizeof(least));
    seconds_text((double)time.silent_us / 1e6, silent, sizeof(silent));
    seconds_text(further_s(scan), further, sizeof(further));
    fprintf(terminal->to, "%s%s%s  ", terminal_tone(terminal, TONE_HEAD), line->name,
            terminal_end(terminal));
    if (line->adapter->serial)
        fprintf(terminal->to, "%s, %s\n", line->settings.port, way);
    else
        fprintf(terminal->to, "%s port %u\n", line->settings.host, line->settings.tcp_port);
    fputs("Asking units ", terminal->to);
    show_units(scan, terminal->to);
    fprintf(terminal->to, ": at least %s on the wire, some %s with the silent ones.\n", least,
            silent);
    if (scan->try_count > 1 && !scan->all)
        fprintf(terminal->to,
                "If nobody does, %zu other settings are tried, up to %s. Ctrl-C ends it.\n",
                scan->try_count - 1, further);
    else if (scan->try_count > 1)
        fprintf(terminal->to, "Then at %zu other settings, up to %s. Ctrl-C ends it.\n",
                scan->try_count - 1, further);
    fflush(terminal->to);
}

/* --- meanwhile --- */

static void says_text(const struct scan_subject *subject, unsigned number,
                      const struct scan_unit *unit, char *text, size_t size)
{
    const struct operation *probe = &subject->scan->asks[number].probe;

    if (unit->garbled || unit->doubled || unit->absent || (unit->answered && *unit->text))
        snprintf(text, size, "%s",
                 unit->doubled ? "two answers, one after the other" : unit->text);
    else if (unit->answered && unit->exception)
        snprintf(text, size, "exception %d, %s", unit->exception,
                 adapter_exception_words((unsigned)unit->exception));
    else if (unit->answered)
        snprintf(text, size, "%s %u = %u", table_name(probe->table), probe->address,
                 unit->word);
    else
        text[0] = '\0';
}

bool scan_show_unit(const struct scan_subject *subject, unsigned number, char *text,
                    size_t size)
{
    const struct scan *scan = subject->scan;
    const struct scan_try *one = &scan->tries[scan->now];
    const struct scan_unit *unit = &one->units[number];
    const char *owner = owner_of(subject, number);
    char way[40] = "", says[160];
    int used;

    if (unit->answered + unit->garbled == 0)
        return false;
    if (one->way.baud && (scan->now > 0 || scan->all))
        way_text(&one->way, way, sizeof(way));
    says_text(subject, number, unit, says, sizeof(says));
    used = snprintf(text, size, "unit %u%s%s%s%s", number, *way ? " at " : "", way,
                    *owner ? ", " : "", owner);
    if (used > 0 && (size_t)used < size && unit->answered)
        used += snprintf(text + used, size - (size_t)used, ": answers in %.1f ms",
                         (double)unit->took_us / 1000);
    if (used > 0 && (size_t)used < size && *says)
        snprintf(text + used, size - (size_t)used, "%s %s", unit->answered ? "," : ":", says);
    return true;
}

/* --- afterwards --- */

static enum tone tone_of(enum scan_result result, bool expected)
{
    switch (result) {
    case SCAN_ANSWERS:
        return expected ? TONE_GOOD : TONE_WARN;
    case SCAN_SILENT:
    case SCAN_GARBLED:
    case SCAN_DOUBLE:
        return TONE_BAD;
    case SCAN_NOT_ASKED:
        break;
    }
    return TONE_DIM;
}

static bool is_shown(const struct scan *scan, const struct scan_try *one, unsigned unit)
{
    const struct scan_ask *ask = &scan->asks[unit];
    enum scan_result result = scan_result_of(&one->units[unit]);

    return ask->wanted &&
           (ask->expected || (result != SCAN_SILENT && result != SCAN_NOT_ASKED));
}

static void add_row(const struct scan_subject *subject, const struct scan_try *one,
                    unsigned number, struct grid *grid)
{
    const struct scan_unit *unit = &one->units[number];
    const char *device = device_of(subject, number);
    enum scan_result result = scan_result_of(unit);
    char says[160];

    says_text(subject, number, unit, says, sizeof(says));
    grid_row(grid);
    grid_cell(grid, 0, TONE_PLAIN, "%u", number);
    grid_cell(grid, 1, device ? TONE_PLAIN : TONE_WARN, "%s",
              device          ? device
              : subject->site ? "not in the site"
                              : "");
    grid_cell(grid, 2, tone_of(result, device != NULL), "%s", scan_result_name(result));
    if (unit->answered)
        grid_cell(grid, 3, TONE_PLAIN, "%.1f ms", (double)unit->took_us / 1000);
    grid_cell(grid, 4, TONE_PLAIN, "%s", says);
}

/* An endpoint that answers for everybody would fill the window with itself. */
static void show_table(const struct scan_subject *subject, const struct scan_try *one,
                       const struct terminal *terminal)
{
    struct scan_sum sum;
    struct grid grid;

    scan_sum(subject->scan, one, &sum);
    if (one->way.baud && (subject->scan->now > 0 || subject->scan->all)) {
        char way[40];

        way_text(&one->way, way, sizeof(way));
        fprintf(terminal->to, "\nAt %s:\n", way);
    } else {
        fputc('\n', terminal->to);
    }
    grid_init(&grid,
              (const char *const[]){">UNIT", "DEVICE", "RESULT", ">ANSWER", "SAYS", NULL});
    for (unsigned unit = 0, strange = 0; unit < SCAN_UNITS; unit++) {
        if (!is_shown(subject->scan, one, unit))
            continue;
        if (!subject->scan->asks[unit].expected && sum.everyone && strange++ > 0)
            continue;
        add_row(subject, one, unit, &grid);
    }
    if (grid.rows > 0)
        grid_print(&grid, terminal);
    else
        fputs("No unit answered.\n", terminal->to);
    grid_deinit(&grid);
}

void scan_show_end(const struct scan_subject *subject, const struct terminal *terminal)
{
    const struct scan *scan = subject->scan;
    struct scan_sum sum;

    for (size_t i = 0; i < scan->try_count; i++) {
        const struct scan_try *one = &scan->tries[i];

        scan_sum(scan, one, &sum);
        if (i == scan->chosen || scan_found_any(&sum))
            show_table(subject, one, terminal);
    }
    scan_show_advice(subject, terminal);
}
