/* What a scan found, in the words of a site. */
#include "commands/scan_show.h"
#include "commands/scan_wish.h"

#include <stdlib.h>
#include <string.h>

/* The make that the line has most of. */
static const char *usual_profile(const struct scan_subject *subject)
{
    const struct site *site = subject->site;
    const char *best = NULL;
    unsigned most = 0;

    for (size_t i = 0; site && i < site->profile_count; i++) {
        unsigned count = 0;

        for (unsigned unit = 0; unit < SCAN_UNITS; unit++)
            count += subject->devices[unit] && subject->devices[unit]->profile == i;
        if (count > most) {
            most = count;
            best = site->profiles[i].name;
        }
    }
    return best;
}

/* The keys that differ of a line that the site has; else a whole one. */
bool scan_config_line(const struct scan_subject *subject, FILE *to)
{
    const struct scan *scan = subject->scan;
    const struct scan_way *way = &scan->tries[scan->chosen].way;
    const struct line_config *line = subject->line;
    struct scan_sum sum;

    scan_sum(scan, &scan->tries[scan->chosen], &sum);
    if (!scan_found_any(&sum) || sum.noisy)
        return false;
    if (subject->site) {
        if (way_is(way, &line->settings))
            return false;
        fprintf(to, "baud = %u; mode = \"8%c%u\";", way->baud, way->parity, way->stop_bits);
        return true;
    }
    fprintf(to, "{ name = \"%s\"; adapter = \"%s\"; ", line->name, line->adapter->name);
    if (line->adapter->serial)
        fprintf(to, "port = \"%s\"; baud = %u; mode = \"8%c%u\"; }", line->settings.port,
                way->baud, way->parity, way->stop_bits);
    else
        fprintf(to, "host = \"%s\"; port = %u; }", line->settings.host,
                line->settings.tcp_port);
    return true;
}

/* Units that answer and are in no site; an endpoint that answers for all of them is one. */
static unsigned strange_units(const struct scan_subject *subject, const struct scan_try *one,
                              bool units[SCAN_UNITS], unsigned *first, unsigned *last)
{
    struct scan_sum sum;
    unsigned count = 0;

    scan_sum(subject->scan, one, &sum);
    for (unsigned unit = 0; unit < SCAN_UNITS; unit++) {
        units[unit] = subject->scan->asks[unit].wanted && !subject->scan->asks[unit].expected &&
                      scan_result_of(&one->units[unit]) == SCAN_ANSWERS &&
                      !(sum.everyone && (count > 0 || sum.site > 0));
        if (!units[unit])
            continue;
        if (count++ == 0)
            *first = unit;
        *last = unit;
    }
    return count;
}

bool scan_config_devices(const struct scan_subject *subject, FILE *to)
{
    const struct scan_try *one = &subject->scan->tries[subject->scan->chosen];
    const char *name = subject->line->name, *profile = usual_profile(subject);
    unsigned first = 0, last = 0;
    bool units[SCAN_UNITS];
    unsigned count = strange_units(subject, one, units, &first, &last);

    if (count == 0)
        return false;
    if (count == 1) {
        fprintf(to, "{ id = \"%s-unit-%u\"; line = \"%s\"; unit = %u; ", name, first, name,
                first);
    } else {
        fprintf(to, "{ id = \"%s-unit-%s\"; line = \"%s\"; units = \"", name,
                last > 99  ? "###"
                : last > 9 ? "##"
                           : "#",
                name);
        units_print(units, to);
        fputs("\"; ", to);
    }
    fprintf(to, "profile = \"%s\"; }", profile ? profile : "?");
    return true;
}

bool scan_is_well(const struct scan_subject *subject)
{
    const struct scan *scan = subject->scan;
    const struct scan_try *one = &scan->tries[scan->chosen];
    struct scan_sum sum;

    scan_sum(scan, one, &sum);
    return !scan->stopped && !scan->down && !sum.noisy && sum.garbled + sum.doubled == 0 &&
           sum.site_well == sum.site && sum.site_well + sum.strange > 0 &&
           (!subject->site || way_is(&one->way, &subject->line->settings));
}
