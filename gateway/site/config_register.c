/*
 * Registers: where a point stands, in the numbers of its vendor's sheet.
 */
#include "site/config.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum table table;
    unsigned least; /* five-digit references */
} tables[] = {
    {"holding", TABLE_HOLDING, 40001},
    {"input", TABLE_INPUT, 30001},
    {"coil", TABLE_COIL, 1},
    {"discrete", TABLE_DISCRETE, 10001},
};

/*
 * The vendor's number: a leading digit for the table, then 0001 to 9999 or 00001 to 65536. A
 * coil's leading 0 is lost in a number, so what begins with no 1, 3 or 4 is a coil.
 */
static bool split_reference(const char *text, enum table *table, uint32_t *address)
{
    size_t length = strlen(text);
    unsigned long number = strtoul(text, NULL, 10), least;
    bool digits = length > 0 && length <= 6 && strspn(text, "0123456789") == length;

    if (!digits || number == 0)
        return false;
    if (length < 5 || text[0] == '0' || (length == 5 && !strchr("134", text[0]))) {
        *table = TABLE_COIL;
        *address = (uint32_t)number - 1;
        return number <= 65536;
    }
    if (!strchr("134", text[0]))
        return false;
    *table = (enum table)(text[0] - '0');
    least = (unsigned long)*table * (length == 5 ? 10000 : 100000);
    *address = (uint32_t)(number - least) - 1;
    return number > least && number <= least + (length == 5 ? 9999 : 65536);
}

static void read_reference(struct reader *reader, const struct setting *setting,
                           struct point *point)
{
    char text[24];
    uint32_t address;

    if (setting->kind == SETTING_INT) {
        snprintf(text, sizeof(text), "%lld", (long long)setting->integer);
    } else if (setting->kind == SETTING_TEXT) {
        snprintf(text, sizeof(text), "%.20s", setting->text);
    } else {
        (void)setting_is(reader, setting, SETTING_TEXT, "a whole number such as 40101");
        return;
    }
    if (split_reference(text, &point->table, &address)) {
        point->address = (uint16_t)address;
        if (point->table == TABLE_COIL && strlen(text) == 5 && text[0] != '0')
            warn(reader, setting->place,
                 "reference = %s is coil %u; if that is meant write reference = \"0%s\", else "
                 "begin "
                 "it with 1, 3 or 4",
                 text, (unsigned)point->address, text);
    } else
        report(reader, setting->place,
               "reference \"%s\" exists in no table; coils are 1 to 9999 (065536), discrete "
               "inputs "
               "10001 to 19999 (165536), inputs 3xxxx, holding registers 4xxxx",
               text);
}

/* A table key's number, as this profile counts, to the address on the wire. */
static void read_address(struct reader *reader, const struct setting *setting, size_t table,
                         enum numbering numbering, struct point *point)
{
    const char *name = tables[table].name;
    uint32_t least = tables[table].least, address = 0;
    enum table found = TABLE_COIL;
    int64_t number;
    char text[24];

    if (!setting_integer(reader, setting, 0, 999999, &number))
        return;
    snprintf(text, sizeof(text), "%lld", (long long)number);
    if (numbering == NUMBERING_REFERENCE) {
        if (!split_reference(text, &found, &address) || found != point->table)
            report(
                reader, setting->place,
                "%s = %s is not as numbering = \"reference\" counts; write %u to %u, or %u to "
                "%u with six digits",
                name, text, least, least + 9998, (unsigned)point->table * 100000 + 1,
                (unsigned)point->table * 100000 + 65536);
        point->address = (uint16_t)address;
        return;
    }
    if (number > 65535 + (numbering == NUMBERING_ONE) ||
        (numbering == NUMBERING_ONE && !number)) {
        report(reader, setting->place, "%s = %s does not exist; numbering = \"%s\" counts %s",
               name, text, numbering == NUMBERING_ONE ? "one" : "pdu",
               numbering == NUMBERING_ONE ? "from 1 to 65536" : "from 0 to 65535");
        return;
    }
    point->address = (uint16_t)(number - (numbering == NUMBERING_ONE));
    if (least > 1 && number >= least && number <= least + 9998)
        warn(reader, setting->place,
             "%s = %s looks like a reference, but counts from %d here; if the sheet means "
             "register "
             "%u, write reference = %s",
             name, text, numbering == NUMBERING_ONE, (unsigned)(number - least), text);
}

void read_register(struct reader *reader, const struct setting *group, enum numbering numbering,
                   struct point *point)
{
    const struct setting *reference = setting_find(group, "reference"), *first = NULL;

    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        const struct setting *setting = setting_find(group, tables[i].name);

        if (!setting)
            continue;
        if (first || reference) {
            report(reader, setting->place,
                   "%s stands beside %s; a point has one place, keep one "
                   "of the two",
                   setting->name, first ? first->name : "reference");
            continue;
        }
        first = setting;
        point->table = tables[i].table;
        read_address(reader, setting, i, numbering, point);
    }
    if (reference)
        read_reference(reader, reference, point);
    else if (!first) {
        point->table = TABLE_HOLDING; /* so that nothing else is said of a coil */
        report(reader, group->place,
               "no table; write one of holding, input, coil, discrete with its address, or "
               "reference = 40101");
    }
}
