/*
 * Names: the one that was meant by another.
 */
#include "site/names.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NAMES_MOST = sizeof(((struct names *)0)->items) / sizeof(char *) };

void names_add(struct names *names, const char *name)
{
    if (names->count < NAMES_MOST)
        names->items[names->count] = name;
    names->count++;
}

static size_t least_of(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Insertions, deletions, changes and swaps of neighbours between two names, case ignored. */
static size_t distance(const char *a, const char *b)
{
    enum { MOST = 40 };
    size_t rows[3][MOST + 1], length_a = strlen(a), length_b = strlen(b);

    if (length_a > MOST || length_b > MOST)
        return MOST;
    for (size_t j = 0; j <= length_b; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= length_a; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= length_b; j++) {
            int c = tolower((unsigned char)a[i - 1]), d = tolower((unsigned char)b[j - 1]);

            row[j] = least_of(above[j] + 1, row[j - 1] + 1, above[j - 1] + (c != d));
            if (i > 1 && j > 1 && c == tolower((unsigned char)b[j - 2]) &&
                d == tolower((unsigned char)a[i - 2]) && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
    }
    return rows[length_a % 3][length_b];
}

/* What other tools and the sheets call it: the second, where it is known, was meant. */
static const char *const words[][2] = {
    {"address", "holding"}, {"address", "unit"},     {"address", "host"},
    {"argument", "arg"},    {"args", "arg"},         {"baudrate", "baud"},
    {"bus", "line"},        {"byteorder", "order"},  {"byte_order", "order"},
    {"wordorder", "order"}, {"word_order", "order"}, {"swap", "order"},
    {"endian", "order"},    {"endianness", "order"}, {"databits", "mode"},
    {"data_bits", "mode"},  {"stopbits", "mode"},    {"stop_bits", "mode"},
    {"parity", "mode"},     {"datatype", "type"},    {"data_type", "type"},
    {"delay", "wait"},      {"sleep", "wait"},       {"description", "title"},
    {"label", "title"},     {"device", "port"},      {"tty", "port"},
    {"enum", "values"},     {"factor", "scale"},     {"multiplier", "scale"},
    {"gain", "scale"},      {"interval", "poll"},    {"hostname", "host"},
    {"ip", "host"},         {"minimum", "min"},      {"maximum", "max"},
    {"model", "profile"},   {"template", "profile"}, {"name", "id"},
    {"node", "unit"},       {"station", "unit"},     {"slave", "unit"},
    {"slave_id", "unit"},   {"unit_id", "unit"},     {"register", "holding"},
    {"readonly", "access"}, {"writable", "access"},  {"set", "write"},
    {"speed", "baud"},
};

static const char *by_word(const struct names *names, size_t kept, const char *wrong)
{
    for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++) {
        for (size_t i = 0; i < kept && strcasecmp(words[w][0], wrong) == 0; i++) {
            if (strcmp(names->items[i], words[w][1]) == 0)
                return names->items[i];
        }
    }
    return NULL;
}

/* One that the other begins with: timeout, timeout_ms. */
static const char *by_beginning(const struct names *names, size_t kept, const char *wrong)
{
    enum { LEAST = 3 };
    size_t length = strlen(wrong);

    for (size_t i = 0; i < kept; i++) {
        size_t known = strlen(names->items[i]), least = known < length ? known : length;

        if (least >= LEAST && strncasecmp(names->items[i], wrong, least) == 0 &&
            (known > length || !isalpha((unsigned char)wrong[least])))
            return names->items[i];
    }
    return NULL;
}

static size_t kept(const struct names *names)
{
    return names->count < NAMES_MOST ? names->count : NAMES_MOST;
}

const char *names_near(const struct names *names, const char *wrong)
{
    size_t best = strlen(wrong) / 3 < 2 ? 2 : strlen(wrong) / 3;
    const char *near = NULL;

    for (size_t i = 0; i < kept(names); i++) {
        size_t away = distance(names->items[i], wrong);

        if (away < best + !near && away < strlen(names->items[i])) {
            best = away;
            near = names->items[i];
        }
    }
    if (!near)
        near = by_beginning(names, kept(names), wrong);
    return near ? near : by_word(names, kept(names), wrong);
}

const char *names_advice(const struct names *names, const char *wrong, char *text, size_t size)
{
    const char *near = names_near(names, wrong);
    size_t used;

    if (near) {
        snprintf(text, size, "did you mean \"%s\"?", near);
        return text;
    }
    if (names->count == 0) {
        snprintf(text, size, "there is none");
        return text;
    }
    used = (size_t)snprintf(text, size, "known: ");
    for (size_t i = 0; i < kept(names) && used < size; i++) {
        if (used + strlen(names->items[i]) + 8 > size) {
            snprintf(text + used, size - used, " ...");
            break;
        }
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", names->items[i]);
    }
    return text;
}
