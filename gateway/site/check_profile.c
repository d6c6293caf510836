/*
 * What must fit together within one profile: limits and types, places and neighbours, points
 * and the functions that serve them.
 */
#include "site/config.h"
#include "site/raw.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_bit(const struct point *point)
{
    return point->table == TABLE_COIL || point->table == TABLE_DISCRETE;
}

static void about_point(struct reader *reader, const struct point *point)
{
    reader_about(reader, "point \"%.80s\": ", point->name);
}

/* ---- values ---- */

static void check_limit(struct reader *reader, const struct point *point, const char *which,
                        double limit)
{
    double number = round((limit - point->offset) / point->scale);
    struct raw least, most;

    if (!raw_is_whole(point)) {
        if (point->type == POINT_FLOAT32 && fabs(number) > 3.4028234663852886e38)
            report(reader, point->place, "%s %.15g is more than a float32 can hold; correct it",
                   which, limit);
        return;
    }
    raw_limits(point, &least, &most);
    if (raw_compare(least, number) <= 0 && raw_compare(most, number) >= 0)
        return;
    report(reader, point->place,
           "%s %.15g is raw %.15g, which %s%s cannot hold; raw %.15g to %.15g is possible",
           which, limit, number, point->bit_count ? "a bit field of " : "",
           point_type_name(point->type), raw_double(least), raw_double(most));
}

static void check_limits(struct reader *reader, const struct point *point)
{
    bool plain = is_bit(point) || point->type == POINT_BOOL || point->type == POINT_STRING;

    if (plain && (point->has_min || point->has_max || point->scaled)) {
        report(reader, point->place, "%s has no meaning for a %s; remove it",
               point->scaled    ? "scale or offset"
               : point->has_min ? "min"
                                : "max",
               point_type_name(point->type));
        return;
    }
    if (point->value_count && (point->has_min || point->has_max || point->scaled)) {
        report(reader, point->place,
               "%s stands beside values; a point has named values or a number, remove one",
               point->scaled    ? "scale or offset"
               : point->has_min ? "min"
                                : "max");
        return;
    }
    if (point->has_min && point->has_max && point->min > point->max) {
        report(reader, point->place, "min %.15g is above max %.15g; exchange them", point->min,
               point->max);
        return;
    }
    if (point->has_min)
        check_limit(reader, point, "min", point->min);
    if (point->has_max)
        check_limit(reader, point, "max", point->max);
}

static void check_values(struct reader *reader, const struct point *point)
{
    struct raw least, most;

    if (point->value_count == 0)
        return;
    if (!raw_is_whole(point)) {
        report(reader, point->place, "values names whole numbers, which %s has not; remove it",
               point_type_name(point->type));
        return;
    }
    raw_limits(point, &least, &most);
    for (size_t i = 0; i < point->value_count; i++) {
        struct raw raw = raw_of(point->values[i].raw);

        if (raw_order(raw, least) < 0 || raw_order(raw, most) > 0)
            report(reader, point->place,
                   "the value %s = %lld does not fit %s%s; raw %.15g to %.15g is possible",
                   point->values[i].name, (long long)point->values[i].raw,
                   point->bit_count ? "the bit field of " : "", point_type_name(point->type),
                   raw_double(least), raw_double(most));
    }
}

/* ---- the wire ---- */

static bool has(const struct profile *profile, unsigned code)
{
    return profile->functions == 0 || profile_has_function(profile, code);
}

static void check_reading(struct reader *reader, const struct profile *profile,
                          const struct point *point)
{
    static const struct {
        unsigned code;
        const char *words;
    } reads[] = {
        [TABLE_COIL] = {1, "read coils"},
        [TABLE_DISCRETE] = {2, "read discrete inputs"},
        [TABLE_INPUT] = {4, "read input registers"},
        [TABLE_HOLDING] = {3, "read holding registers"},
    };

    if (!point->readable)
        return;
    if (!has(profile, reads[point->table].code))
        report(reader, point->place,
               "reading it needs function %u (%s), which functions does not list; add %u",
               reads[point->table].code, reads[point->table].words, reads[point->table].code);
    if (!is_bit(point) && point->count > profile->max_read)
        report(
            reader, point->place,
            "its %u registers are read in one request, but max_read is %u; raise max_read or "
            "shorten the point",
            point->count, profile->max_read);
}

static void check_write_with(struct reader *reader, const struct profile *profile,
                             const struct point *point)
{
    bool coil_code = point->write_with == 5 || point->write_with == 15;

    if (point->write_with == 0)
        return;
    if (!point->writable)
        report(reader, point->place, "write_with is given for a read-only point; remove it");
    else if (coil_code != is_bit(point))
        report(reader, point->place,
               "write_with = %u writes %s, but the point is a %s; write %s", point->write_with,
               coil_code ? "coils" : "registers",
               point->table == TABLE_COIL ? "coil" : "holding register",
               is_bit(point) ? "5 or 15" : "6 or 16");
    else if (point->write_with == 6 && point->count > 1)
        report(reader, point->place,
               "write_with = 6 writes one register, but %s has %u; write 16",
               point_type_name(point->type), point->count);
    else if (!has(profile, point->write_with))
        report(reader, point->place,
               "write_with = %u is a function that functions does not list; add it there",
               point->write_with);
}

static void check_writing(struct reader *reader, const struct profile *profile,
                          const struct point *point)
{
    bool served;

    check_write_with(reader, profile, point);
    if (!point->writable || point->table == TABLE_INPUT || point->table == TABLE_DISCRETE)
        return;
    if (is_bit(point))
        served = has(profile, 5) || has(profile, 15);
    else
        served = has(profile, 16) || (point->count == 1 && has(profile, 6)) ||
                 (point->bit_count && has(profile, 22));
    if (!served)
        report(reader, point->place,
               "writing it needs function %s, which functions does not list; add one, or write "
               "access = \"r\"",
               is_bit(point)      ? "5 or 15"
               : point->count > 1 ? "16"
                                  : "6 or 16");
    if (point->bit_count && !point->readable && !profile_has_function(profile, 22))
        report(reader, point->place,
               "a bit field that cannot be read can be written by function 22 only; add 22 to "
               "functions if the device has it, or write access = \"rw\"");
    if (!is_bit(point) && point->count > profile->max_write)
        report(reader, point->place,
               "its %u registers are written in one request, but max_write is %u; raise "
               "max_write or shorten the point",
               point->count, profile->max_write);
    if (point->max_writes_per_day && !point->if_different)
        report(reader, point->place,
               "max_writes_per_day goes with if_different; write if_different = true");
    if (point->if_different && (!point->readable || point->kind == POINT_TRIGGER))
        report(reader, point->place,
               "if_different reads first, which a %s does not allow; remove it",
               point->readable ? "trigger" : "write-only point");
}

/* Nobody answers a broadcast: only what can be read back is known to have arrived. */
static void check_broadcast(struct reader *reader, const struct profile *profile,
                            const struct point *point)
{
    bool many = is_bit(point) ? has(profile, 15) : has(profile, 16);
    bool one = point->count == 1 && (is_bit(point) ? has(profile, 5) : has(profile, 6));

    if (!point->broadcast)
        return;
    if (!point->writable)
        report(reader, point->place, "broadcast is given for a read-only point; remove it");
    else if (point->kind == POINT_TRIGGER || !point->readable || !point->verify)
        report(reader, point->place,
               "broadcast needs a state that is read back, since nobody answers one; %s",
               point->kind == POINT_TRIGGER ? "remove it from the trigger"
               : !point->readable           ? "write access = \"rw\", or remove it"
                                            : "remove verify = false, or broadcast");
    else if (point->if_different)
        report(reader, point->place,
               "broadcast writes to all devices and if_different reads each of them first; "
               "remove one of the two");
    else if (point->bit_count)
        report(
            reader, point->place,
            "a bit field is written by changing the device's own register, which a broadcast "
            "cannot; remove broadcast");
    else if (point->write_with == 6 && point->count > 1)
        return; /* said with write_with */
    else if (!one && !many)
        report(reader, point->place,
               "a broadcast of it needs function %s, which functions does not list; add it, or "
               "remove broadcast",
               is_bit(point)      ? "5 or 15"
               : point->count > 1 ? "16"
                                  : "6 or 16");
}

static void check_polling(struct reader *reader, const struct point *point)
{
    if (!point->readable && point->poll_ms)
        report(reader, point->place,
               "poll is given for a point that cannot be read; remove it, or write access = "
               "\"rw\"");
    if (point->deadband > 0 && (is_bit(point) || point->type == POINT_BOOL ||
                                point->type == POINT_STRING || point->value_count))
        report(reader, point->place, "deadband is for numbers; remove it");
}

/* ---- places ---- */

struct places {
    const struct point **items;
    size_t count;
};

static int by_place(const void *a, const void *b)
{
    const struct point *one = *(const struct point *const *)a;
    const struct point *other = *(const struct point *const *)b;

    if (one->table != other->table)
        return one->table < other->table ? -1 : 1;
    if (one->address != other->address)
        return one->address < other->address ? -1 : 1;
    return one < other ? -1 : one > other;
}

/* The same registers under two names are a choice; a part of them is a mistake. */
static bool overlap_in_part(const struct point *a, const struct point *b)
{
    unsigned end_a = a->bit_low + a->bit_count, end_b = b->bit_low + b->bit_count;

    if (a->address != b->address || a->count != b->count)
        return true;
    if (a->bit_count == 0 || b->bit_count == 0 || end_a <= b->bit_low || end_b <= a->bit_low)
        return false;
    return a->bit_low != b->bit_low || a->bit_count != b->bit_count;
}

static void say_overlap(struct reader *reader, const struct point *one,
                        const struct point *other)
{
    const struct point *later = one->place.line > other->place.line ? one : other;
    const struct point *first = later == one ? other : one;
    char where[64];

    point_where(first, where, sizeof(where));
    about_point(reader, later);
    if (one->bit_count && other->bit_count && one->address == other->address)
        report(
            reader, later->place,
            "its bits overlap in part with those of \"%s\" ([ %u, %u ], line %u); correct one "
            "of them",
            first->name, first->bit_low, first->bit_count, first->place.line);
    else
        report(
            reader, later->place,
            "overlaps in part with \"%s\" (%s, %u register%s, line %u); correct an address or "
            "a type",
            first->name, where, first->count, first->count == 1 ? "" : "s", first->place.line);
}

static void check_overlaps(struct reader *reader, const struct profile *profile)
{
    const struct point **places = reader_items(reader, profile->point_count, sizeof(*places));

    if (!places)
        return;
    for (size_t i = 0; i < profile->point_count; i++)
        places[i] = &profile->points[i];
    qsort(places, profile->point_count, sizeof(*places), by_place);
    for (size_t i = 0; i < profile->point_count; i++) {
        const struct point *point = places[i];

        for (size_t k = i + 1; k < profile->point_count; k++) {
            if (places[k]->table != point->table ||
                places[k]->address >= point->address + point->count)
                break;
            if (overlap_in_part(point, places[k]))
                say_overlap(reader, point, places[k]);
        }
    }
    free(places);
}

/* ---- the twin ---- */

static int by_property(const void *a, const void *b)
{
    const struct point *one = *(const struct point *const *)a;
    const struct point *other = *(const struct point *const *)b;

    return strcmp(one->property, other->property);
}

/* Two points on one property, or one inside the value of the other. */
static void check_properties(struct reader *reader, const struct profile *profile)
{
    const struct point **sorted = reader_items(reader, profile->point_count, sizeof(*sorted));
    size_t count = 0;

    if (!sorted)
        return;
    for (size_t i = 0; i < profile->point_count; i++) {
        if (profile->points[i].property)
            sorted[count++] = &profile->points[i];
    }
    qsort(sorted, count, sizeof(*sorted), by_property);
    for (size_t i = 0; i + 1 < count; i++) {
        const char *shorter = sorted[i]->property;
        size_t length = strlen(shorter);

        for (size_t k = i + 1; k < count; k++) {
            const char *longer = sorted[k]->property;

            if (strncmp(shorter, longer, length) != 0)
                break;
            if (longer[length] != '\0' && longer[length] != '.')
                continue;
            about_point(reader, sorted[k]);
            report(reader, sorted[k]->place,
                   "its property \"%s\" is %s that of \"%s\"; give it another property", longer,
                   longer[length] ? "inside" : "also", sorted[i]->name);
        }
    }
    free(sorted);
}

void check_profile(struct reader *reader, const struct profile *profile)
{
    for (size_t i = 0; i < profile->point_count; i++) {
        const struct point *point = &profile->points[i];

        if (!point->name || point->count == 0) /* no group: said where it was read */
            continue;
        about_point(reader, point);
        check_limits(reader, point);
        check_values(reader, point);
        check_reading(reader, profile, point);
        check_writing(reader, profile, point);
        check_broadcast(reader, profile, point);
        check_polling(reader, point);
    }
    check_overlaps(reader, profile);
    check_properties(reader, profile);
    reader->about[0] = '\0';
}
