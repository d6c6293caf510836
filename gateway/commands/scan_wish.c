#include "commands/scan_wish.h"

#include <stdlib.h>
#include <string.h>

enum { LIST_MOST = 8 };

#define SAY(why, size, ...) snprintf(why, size, __VA_ARGS__)

/* --- units --- */

static bool unit_exists(const struct adapter *adapter, unsigned long unit)
{
    return (unit >= adapter->unit_least && unit <= adapter->unit_most) ||
           (adapter->unit_also && unit == adapter->unit_also);
}

/* "7" or "1-31", up to a comma or the end; *at moves behind it. */
static bool take_range(const char **at, unsigned long *first, unsigned long *last)
{
    char *end;

    if (**at < '0' || **at > '9')
        return false;
    *first = *last = strtoul(*at, &end, 10);
    if (*end == '-') {
        if (end[1] < '0' || end[1] > '9')
            return false;
        *last = strtoul(end + 1, &end, 10);
    }
    *at = end;
    return *end == '\0' || *end == ',';
}

bool wish_units(bool units[SCAN_UNITS], const char *text, const struct adapter *adapter,
                char *why, size_t size)
{
    const char *at = text ? text : "1-247";

    memset(units, 0, SCAN_UNITS * sizeof(*units));
    for (;;) {
        unsigned long first, last;

        if (!take_range(&at, &first, &last)) {
            SAY(why, size, "--units \"%.60s\": write numbers and ranges, such as 1-31,40",
                text);
            return false;
        }
        if (first > last) {
            SAY(why, size, "--units: %lu-%lu runs backwards; write %lu-%lu", first, last, last,
                first);
            return false;
        }
        if (!unit_exists(adapter, first) || !unit_exists(adapter, last)) {
            SAY(why, size, "--units: there is no unit %lu; units are %u to %u",
                unit_exists(adapter, first) ? last : first, adapter->unit_least,
                adapter->unit_most);
            return false;
        }
        for (unsigned long unit = first; unit <= last; unit++)
            units[unit] = unit_exists(adapter, unit);
        if (*at == '\0')
            return true;
        at++;
    }
}

unsigned units_print(const bool units[SCAN_UNITS], FILE *to)
{
    unsigned count = 0;

    for (unsigned unit = 0; unit < SCAN_UNITS; unit++) {
        unsigned last = unit;

        if (!units[unit])
            continue;
        while (last + 1 < SCAN_UNITS && units[last + 1])
            last++;
        fprintf(to, count ? ",%u" : "%u", unit);
        if (last > unit)
            fprintf(to, "-%u", last);
        count += last - unit + 1;
        unit = last;
    }
    return count;
}

/* --- ways --- */

struct format {
    char parity;
    uint8_t stop_bits;
};

/* 0: it names none. */
static char parity_of(char letter)
{
    switch (letter) {
    case 'N':
    case 'n':
        return 'N';
    case 'E':
    case 'e':
        return 'E';
    case 'O':
    case 'o':
        return 'O';
    default:
        return 0;
    }
}

/* "E", "e" or "8E1". The letter alone has the line's own stop bits where its parity is the
   line's, else one: a device with two hears one that has more pause than it needs. */
static bool read_format(const char *text, size_t length, const struct adapter_settings *own,
                        struct format *format)
{
    const char *letter = length == 3 ? text + 1 : text;

    *format = (struct format){.parity = parity_of(*letter), .stop_bits = 1};
    if (format->parity == 0)
        return false;
    if (format->parity == own->parity)
        format->stop_bits = own->stop_bits;
    if (length == 1)
        return true;
    if (length != 3 || text[0] != '8' || (text[2] != '1' && text[2] != '2'))
        return false;
    format->stop_bits = (uint8_t)(text[2] - '0');
    return true;
}

static size_t read_formats(struct format *formats, const char *text,
                           const struct adapter_settings *own)
{
    size_t count = 0;

    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ",");

        if (count == LIST_MOST || !read_format(at, length, own, &formats[count]))
            return 0;
        count++;
        at += length;
        if (*at == '\0')
            return count;
    }
}

static size_t read_bauds(unsigned *bauds, const char *text)
{
    size_t count = 0;

    for (const char *at = text;; at++) {
        char *end;
        unsigned long baud;

        if (count == LIST_MOST || *at < '1' || *at > '9')
            return 0;
        baud = strtoul(at, &end, 10);
        if (baud > 10000000 || (*end != '\0' && *end != ','))
            return 0;
        bauds[count++] = (unsigned)baud;
        at = end;
        if (*at == '\0')
            return count;
    }
}

static size_t add_way(struct scan_way *ways, size_t count, unsigned baud, struct format format)
{
    for (size_t i = 0; i < count; i++)
        if (ways[i].baud == baud && ways[i].parity == format.parity &&
            ways[i].stop_bits == format.stop_bits)
            return count;
    if (count < SCAN_WAYS_MOST)
        ways[count++] = (struct scan_way){baud, format.parity, format.stop_bits};
    return count;
}

static bool lists(const unsigned *bauds, size_t count, unsigned baud)
{
    for (size_t i = 0; i < count; i++)
        if (bauds[i] == baud)
            return true;
    return false;
}

static bool lists_format(const struct format *formats, size_t count, struct format format)
{
    for (size_t i = 0; i < count; i++)
        if (formats[i].parity == format.parity && formats[i].stop_bits == format.stop_bits)
            return true;
    return false;
}

static size_t mix(struct scan_way *ways, const struct adapter_settings *own,
                  const unsigned *bauds, size_t baud_count, const struct format *formats,
                  size_t format_count)
{
    struct format first = {own->parity, own->stop_bits};
    size_t count = 0;
    bool own_format = lists_format(formats, format_count, first);

    if (own_format && lists(bauds, baud_count, own->baud))
        count = add_way(ways, count, own->baud, first);
    for (size_t b = 0; own_format && b < baud_count; b++)
        count = add_way(ways, count, bauds[b], first);
    for (size_t f = 0; f < format_count; f++) {
        if (lists(bauds, baud_count, own->baud))
            count = add_way(ways, count, own->baud, formats[f]);
        for (size_t b = 0; b < baud_count; b++)
            count = add_way(ways, count, bauds[b], formats[f]);
    }
    return count;
}

size_t wish_ways(struct scan_way ways[SCAN_WAYS_MOST], const struct adapter_settings *own,
                 const char *bauds, const char *parities, char *why, size_t size)
{
    unsigned speeds[LIST_MOST] = {own->baud, 9600, 19200, 38400, 115200, 57600, 4800};
    struct format formats[LIST_MOST] = {
        {own->parity, own->stop_bits}, {'E', 1}, {'N', 1}, {'O', 1}};
    size_t speed_count = 7, format_count = 4;

    if (bauds && strcmp(bauds, "all") != 0)
        speed_count = read_bauds(speeds, bauds);
    if (parities && strcmp(parities, "all") != 0)
        format_count = read_formats(formats, parities, own);
    if (speed_count == 0)
        SAY(why, size, "--baud \"%.60s\": write speeds such as 9600,19200, or all", bauds);
    else if (format_count == 0)
        SAY(why, size, "--parity \"%.60s\": write E, N or O, such as E,N, or 8N2, or all",
            parities);
    else
        return mix(ways, own, speeds, speed_count, formats, format_count);
    return 0;
}

void way_text(const struct scan_way *way, char *text, size_t size)
{
    snprintf(text, size, "%u 8%c%u", way->baud, way->parity, way->stop_bits);
}

bool way_is(const struct scan_way *way, const struct adapter_settings *settings)
{
    return way->baud == 0 || (way->baud == settings->baud && way->parity == settings->parity &&
                              way->stop_bits == settings->stop_bits);
}
