/* What a technician may do about what a scan found. */
#include "commands/scan_show.h"
#include "commands/scan_wish.h"

#include <stdarg.h>
#include <stdlib.h>

enum { NAMED_MOST = 8 };

static const struct scan_try *chosen(const struct scan_subject *subject)
{
    return &subject->scan->tries[subject->scan->chosen];
}

__attribute__((format(printf, 4, 5))) static void
sum_part(FILE *to, bool *first, unsigned count, const char *format, ...)
{
    va_list args;

    if (count == 0)
        return;
    fputs(*first ? "" : ", ", to);
    *first = false;
    va_start(args, format);
    vfprintf(to, format, args);
    va_end(args);
}

/* "29 of 31 devices of the site answer, 1 silent, 1 garbled; 1 unit is not in the site; 12.3 s"
 */
static void show_sum(const struct scan_subject *subject, const struct scan_sum *sum,
                     const struct terminal *terminal)
{
    FILE *to = terminal->to;
    bool first = true;

    fprintf(to, "\n%s", terminal_tone(terminal, scan_is_well(subject) ? TONE_GOOD : TONE_BAD));
    if (sum->site > 0)
        sum_part(to, &first, 1, "%u of %u device%s of the site answer%s", sum->site_well,
                 sum->site, sum->site == 1 ? "" : "s", sum->site == 1 ? "s" : "");
    sum_part(to, &first, sum->site_silent, "%u silent", sum->site_silent);
    sum_part(to, &first, sum->garbled, "%u garbled", sum->garbled);
    sum_part(to, &first, sum->doubled, "%u with two devices", sum->doubled);
    sum_part(to, &first, sum->site_left, "%u not asked", sum->site_left);
    if (subject->site)
        sum_part(to, &first, sum->strange, "%u unit%s not in the site", sum->strange,
                 sum->strange == 1 ? "" : "s");
    else
        sum_part(to, &first, 1, "%u unit%s answer%s", sum->strange,
                 sum->strange == 1 ? "" : "s", sum->strange == 1 ? "s" : "");
    sum_part(to, &first, sum->site == 0 && first, "nobody answers");
    fprintf(to, "%s  (%.1f s)\n", terminal_end(terminal), subject->seconds);
}

/* --- cures --- */

static void name_units(const struct scan_subject *subject, enum scan_result result,
                       bool expected_only, FILE *to)
{
    const struct scan_try *one = chosen(subject);
    unsigned named = 0, left = 0;

    for (unsigned unit = 0; unit < SCAN_UNITS; unit++) {
        if (!subject->scan->asks[unit].wanted ||
            (expected_only && !subject->scan->asks[unit].expected) ||
            scan_result_of(&one->units[unit]) != result)
            continue;
        if (named == NAMED_MOST) {
            left++;
            continue;
        }
        fputs(named++ ? ", " : "", to);
        if (subject->devices[unit])
            fprintf(to, "%s (unit %u)", subject->devices[unit]->id, unit);
        else
            fprintf(to, "unit %u", unit);
    }
    if (left > 0)
        fprintf(to, " and %u more", left);
}

static void print_units(const struct scan_subject *subject, enum scan_result result,
                        bool strange_only, FILE *to)
{
    bool units[SCAN_UNITS];

    for (unsigned unit = 0; unit < SCAN_UNITS; unit++)
        units[unit] = subject->scan->asks[unit].wanted &&
                      !(strange_only && subject->scan->asks[unit].expected) &&
                      scan_result_of(&chosen(subject)->units[unit]) == result;
    units_print(units, to);
}

/* Silent here, and found at other settings: those are its own. */
static void show_elsewhere(const struct scan_subject *subject, unsigned unit, FILE *to)
{
    const struct scan *scan = subject->scan;
    char there[40], here[40];

    for (size_t i = 0; i < scan->try_count; i++) {
        if (i == scan->chosen || scan_result_of(&scan->tries[i].units[unit]) != SCAN_ANSWERS)
            continue;
        way_text(&scan->tries[i].way, there, sizeof(there));
        way_text(&chosen(subject)->way, here, sizeof(here));
        fprintf(to, "  - %s (unit %u) answers at %s: set it to %s.\n",
                subject->devices[unit]->id, unit, there, here);
        return;
    }
}

static void cure_of_silent(const struct scan_subject *subject, const struct scan_sum *sum,
                           FILE *to)
{
    const struct scan *scan = subject->scan;

    fputs("\nSilent, although the site has it: ", to);
    name_units(subject, SCAN_SILENT, true, to);
    fputs("\n", to);
    if (!scan->adapter->serial) {
        fputs("  - Is the device's power on, and the bus behind the endpoint wired: A to A, B "
              "to B?\n"
              "  - Is its unit number the one of the site?\n"
              "  - Do the endpoint's baud rate and parity fit the device?\n",
              to);
        return;
    }
    for (unsigned unit = 0; unit < SCAN_UNITS; unit++)
        if (scan->asks[unit].wanted && scan->asks[unit].expected &&
            scan_result_of(&chosen(subject)->units[unit]) == SCAN_SILENT)
            show_elsewhere(subject, unit, to);
    fputs("  - Power and wiring of that device: A to A, B to B, the common ground, nothing "
          "loose.\n",
          to);
    fputs("  - Its unit number (switches, or a menu).", to);
    if (sum->strange > 0) {
        fprintf(to, " Unit%s ", sum->strange == 1 ? "" : "s");
        print_units(subject, SCAN_ANSWERS, true, to);
        fprintf(to, " answer%s and %s not in the site: is it there?",
                sum->strange == 1 ? "s" : "", sum->strange == 1 ? "is" : "are");
    }
    fputs("\n", to);
    if (!scan->all)
        fprintf(to,
                "  - Its baud rate and parity: jobgate scan %s --all finds who speaks "
                "otherwise.\n",
                subject->line->name);
}

static bool refuses(const struct scan_subject *subject, unsigned unit)
{
    return subject->scan->asks[unit].wanted && subject->scan->asks[unit].expected &&
           chosen(subject)->units[unit].exception != 0;
}

/* It is there, and does not have what its profile has. */
static void cure_of_refusing(const struct scan_subject *subject, FILE *to)
{
    unsigned count = 0;

    for (unsigned unit = 0; unit < SCAN_UNITS; unit++) {
        if (!refuses(subject, unit))
            continue;
        fprintf(to, "%s%s (unit %u)",
                count++ ? ", " : "\nThere, but refusing a register that the profile has: ",
                subject->devices[unit]->id, unit);
    }
    if (count > 0)
        fputs("\n  - Is it the make that the site says? jobgate report tries every point.\n",
              to);
}

static void cure_of_nobody(const struct scan_subject *subject, FILE *to)
{
    const struct scan *scan = subject->scan;

    if (!scan->adapter->serial) {
        fputs(
            "\nThe endpoint takes the connection, and nobody behind it answers.\n"
            "  - Its unit number: some devices want 255 or 0, jobgate scan ... --units 0-247\n"
            "  - A gateway to a bus: its baud rate, its parity, its wiring.\n",
            to);
        return;
    }
    fputs(
        "\nNobody answers.\n"
        "  - Is this the right port? ls -l /dev/serial/by-id\n"
        "  - A and B exchanged at the adapter: nothing breaks, exchange them and scan again.\n"
        "  - Power of the devices, the common ground, the cable's first metre.\n"
        "  - 120 ohm at both ends of the line, and nowhere else.\n",
        to);
    if (scan->try_count == 1 && !scan->stopped)
        fprintf(to, "  - Only one setting was tried; jobgate scan %s tries the usual ones.\n",
                subject->line->name);
}

static void cure_of_double(const struct scan_subject *subject, enum scan_result result,
                           FILE *to)
{
    fputs(result == SCAN_DOUBLE ? "\nTwo devices have this unit number: "
                                : "\nGarbled each time, so probably two devices with this unit "
                                  "number: ",
          to);
    name_units(subject, result, false, to);
    fprintf(to, "\n  - Take one of them off the line and scan again: jobgate scan %s --units ",
            subject->line->name);
    print_units(subject, result, false, to);
    fputs("\n", to);
    if (result == SCAN_GARBLED)
        fputs("  - Only one is there? Then its wiring: a loose contact, no termination, no "
              "ground.\n",
              to);
}

static void cure_of_noise(const struct scan_subject *subject, const struct scan_sum *sum,
                          FILE *to)
{
    if (chosen(subject)->babble)
        fputs("\nThe line is never silent: another master asks on it, or nothing holds it in "
              "between.\n",
              to);
    else
        fprintf(to, "\nFor %u of %u units bytes came that are no answer: noise, not silence.\n",
                sum->garbled, sum->asked);
    fputs("  - 120 ohm at both ends of the line and nowhere else, and the bias resistors at "
          "one place.\n"
          "  - The shield and the common ground; no stubs, no star.\n"
          "  - Another master on the line?\n"
          "  - The other devices' baud rate: what is sent at another one looks like noise.\n",
          to);
}

static void show_config(const struct scan_subject *subject, FILE *to)
{
    const char *file = subject->site ? subject->site->file : SITE_MAIN_FILE;
    char *text = NULL;
    size_t size = 0;
    FILE *lines = open_memstream(&text, &size);

    if (!lines)
        return;
    if (scan_config_line(subject, lines))
        fputc('\n', lines);
    long behind = ftell(lines);
    bool devices = scan_config_devices(subject, lines);

    if (fclose(lines) == 0 && behind > 0)
        fprintf(
            to,
            subject->site
                ? "\nThe line speaks otherwise than the site says; its keys in %s:\n    %.*s"
                : "\nFor lines = ( ) of %s:\n    %.*s",
            file, (int)behind, text);
    if (text && devices)
        fprintf(to, "\nFor devices = ( ) of %s; put in the make that it is:\n    %s\n", file,
                text + behind);
    free(text);
}

static void show_end_of_it(const struct scan_subject *subject, const struct scan_sum *sum,
                           FILE *to)
{
    const struct scan *scan = subject->scan;

    if (scan->down)
        fprintf(to, "\nIt ended before its time: %s\n", scan->why);
    else if (scan->stopped && sum->asked < sum->wanted)
        fprintf(to, "\nEnded by Ctrl-C: %u of %u units were asked.\n", sum->asked, sum->wanted);
    else if (scan->stopped)
        fputs("\nEnded by Ctrl-C before all that is silent was asked once more.\n", to);
    for (size_t i = 1; i < scan->try_count; i++)
        if (scan->tries[i].why[0] && scan->tries[i].asked == 0)
            fprintf(to, "\nNot tried: %s\n", scan->tries[i].why);
}

void scan_show_advice(const struct scan_subject *subject, const struct terminal *terminal)
{
    struct scan_sum sum;
    FILE *to = terminal->to;

    scan_sum(subject->scan, chosen(subject), &sum);
    show_sum(subject, &sum, terminal);
    show_end_of_it(subject, &sum, to);
    if (sum.noisy)
        cure_of_noise(subject, &sum, to);
    else if (!scan_found_any(&sum) && sum.asked > 0)
        cure_of_nobody(subject, to);
    else if (sum.site_silent > 0)
        cure_of_silent(subject, &sum, to);
    if (!sum.noisy && sum.doubled > 0)
        cure_of_double(subject, SCAN_DOUBLE, to);
    if (!sum.noisy && sum.garbled > 0)
        cure_of_double(subject, SCAN_GARBLED, to);
    cure_of_refusing(subject, to);
    if (sum.everyone)
        fputs("\nThe endpoint answers for every unit: it is one device that does not look at "
              "the number.\n",
              to);
    show_config(subject, to);
}
