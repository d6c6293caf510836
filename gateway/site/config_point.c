/*
 * Points: one named value of a device, as its profile writes it.
 */
#include "site/config.h"
#include "site/raw.h"
#include "site/value.h"

#include <stdlib.h>
#include <string.h>

enum { VALUES_MOST = 1000 };

#define POINT(name, type, ...)                                                                 \
    {                                                                                          \
#name, type, offsetof(struct point, name), __VA_ARGS__                                 \
    }

static const struct key point_keys[] = {
    {.name = "holding"},
    {.name = "input"},
    {.name = "coil"},
    {.name = "discrete"},
    {.name = "reference"},
    {.name = "type"},
    {.name = "length"},
    {.name = "order"},
    {.name = "bits"},
    POINT(scale, KEY_NUMBER, -1e15, 1e15),
    POINT(offset, KEY_NUMBER, -1e15, 1e15),
    POINT(unit, KEY_TEXT, 0, 0),
    {.name = "values"},
    POINT(min, KEY_NUMBER, -1e300, 1e300),
    POINT(max, KEY_NUMBER, -1e300, 1e300),
    {.name = "access"},
    {.name = "kind"},
    {.name = "verify"},
    {"settle", KEY_SECONDS_AS_MS, offsetof(struct point, settle_ms), 0, 3600},
    {"verify_within", KEY_SECONDS_AS_MS, offsetof(struct point, verify_within_ms), 0, 3600},
    {.name = "tolerance"},
    {.name = "write_with"},
    POINT(if_different, KEY_FLAG, 0, 0),
    {.name = "max_writes_per_day"},
    POINT(broadcast, KEY_FLAG, 0, 0),
    POINT(join, KEY_FLAG, 0, 0),
    {"poll", KEY_SECONDS_AS_MS, offsetof(struct point, poll_ms), 0.1, 86400},
    POINT(deadband, KEY_NUMBER, 0, 1e300),
    POINT(property, KEY_TEXT, 0, 0),
};

static const uint16_t type_registers[] = {
    [POINT_BOOL] = 1,    [POINT_INT16] = 1, [POINT_UINT16] = 1, [POINT_INT32] = 2,
    [POINT_UINT32] = 2,  [POINT_INT64] = 4, [POINT_UINT64] = 4, [POINT_FLOAT32] = 2,
    [POINT_FLOAT64] = 4, [POINT_BCD16] = 1, [POINT_BCD32] = 2,  [POINT_STRING] = 0,
};

static bool is_bit(const struct point *point)
{
    return point->table == TABLE_COIL || point->table == TABLE_DISCRETE;
}

static void read_type(struct reader *reader, const struct setting *setting, struct point *point)
{
    struct names names = {.count = 0};
    char advice[200];

    if (!setting_is(reader, setting, SETTING_TEXT, "text such as \"int16\""))
        return;
    for (size_t i = 0; i < COUNT_OF(type_registers); i++) {
        const char *name = point_type_name((enum point_type)i);

        if (strcmp(name, setting->text) == 0) {
            point->type = (enum point_type)i;
            return;
        }
        names_add(&names, name);
    }
    report(reader, setting->place, "unknown type \"%.40s\"; %s", setting->text,
           names_advice(&names, setting->text, advice, sizeof(advice)));
}

static void read_size(struct reader *reader, const struct setting *group, struct point *point)
{
    const struct setting *length = setting_find(group, "length");
    int64_t registers;

    point->count = is_bit(point) ? 1 : type_registers[point->type];
    if (point->type == POINT_STRING && !is_bit(point)) {
        point->count = 1;
        if (!length)
            report(reader, point->place,
                   "a string needs its length; write length = 8 for 8 registers (16 bytes)");
        else if (setting_integer(reader, length, 1, ADAPTER_WORDS_MAX, &registers))
            point->count = (uint16_t)registers;
    } else if (length) {
        report(reader, length->place, "length is for strings; %s has %u register%s, remove it",
               point_type_name(point->type), point->count, point->count == 1 ? "" : "s");
    }
    if (point->address + point->count > 65536)
        report(reader, point->place, "its %u registers end beyond 65535; is the address right?",
               point->count);
}

/* Letters in wire order, A the most significant byte. The bytes of a register stay together:
   no device tears them apart, a typing error does. */
static bool order_is_good(const char *text, size_t size)
{
    unsigned seen = 0;

    if (strlen(text) != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned byte = (unsigned)(text[i] - 'A');

        if (text[i] < 'A' || byte >= size || (seen & 1u << byte))
            return false;
        seen |= 1u << byte;
        if (i % 2 && byte / 2 != (unsigned)(text[i - 1] - 'A') / 2)
            return false;
    }
    return true;
}

static void read_order(struct reader *reader, const struct setting *setting,
                       struct point *point)
{
    static const char *const examples[] = {
        [1] = "\"AB\" or \"BA\"",
        [2] = "\"ABCD\", \"CDAB\", \"BADC\" or \"DCBA\"",
        [4] = "\"ABCDEFGH\", \"GHEFCDAB\", \"BADCFEHG\" or \"HGFEDCBA\"",
    };
    size_t registers = point->type == POINT_STRING ? 1 : point->count;

    for (uint8_t i = 0; i < 8; i++)
        point->order[i] = i;
    if (!setting || !setting_is(reader, setting, SETTING_TEXT, "letters such as \"CDAB\""))
        return;
    if (is_bit(point)) {
        report(reader, setting->place, "order has no meaning for a %s; remove it",
               table_name(point->table));
    } else if (!order_is_good(setting->text, 2 * registers)) {
        report(reader, setting->place, "order is \"%.20s\", which does not fit %s; write %s",
               setting->text, point_type_name(point->type), examples[registers]);
    } else {
        for (size_t i = 0; i < 2 * registers; i++)
            point->order[i] = (uint8_t)(setting->text[i] - 'A');
    }
}

static void read_bits(struct reader *reader, const struct setting *setting, struct point *point)
{
    int64_t low, count;

    if (setting->kind != SETTING_LIST &&
        !setting_is(reader, setting, SETTING_ARRAY, "an array [ LOWEST, COUNT ]"))
        return;
    if (setting->count != 2) {
        report(reader, setting->place,
               "bits has %zu entries; write [ lowest bit, count ], such as "
               "[ 4, 3 ]",
               setting->count);
        return;
    }
    if (!setting_integer(reader, &setting->items[0], -1000, 1000, &low) ||
        !setting_integer(reader, &setting->items[1], -1000, 1000, &count))
        return;
    if (low < 0 || count < 1 || low + count > 16) {
        report(
            reader, setting->place,
            "bits [ %lld, %lld ] do not lie in a register; its bits are 0 to 15, and the count "
            "is at least 1",
            (long long)low, (long long)count);
        return;
    }
    if (is_bit(point) || point->count != 1 || point->type == POINT_STRING) {
        report(reader, setting->place, "bits is for points in one register; %s",
               is_bit(point) ? "a coil or discrete input is one bit already"
                             : "write type = \"uint16\", or leave bits out");
        return;
    }
    if (point->type == POINT_BOOL && count != 1) {
        report(reader, setting->place, "a bool is one bit; write [ %lld, 1 ]", (long long)low);
        return;
    }
    point->bit_low = (uint8_t)low;
    point->bit_count = (uint8_t)count;
}

static void read_values(struct reader *reader, const struct setting *group, struct point *point)
{
    if (!setting_is(reader, group, SETTING_GROUP, "a group such as { off = 0; on = 1; }"))
        return;
    if (group->count == 0 || group->count > VALUES_MOST) {
        report(reader, group->place, "%zu named values; write 1 to %d", group->count,
               VALUES_MOST);
        return;
    }
    point->values = reader_items(reader, group->count, sizeof(*point->values));
    if (!point->values)
        return;
    for (size_t i = 0; i < group->count; i++) {
        const struct setting *setting = &group->items[i];
        struct named_value value = {.raw = 0};

        if (!setting_integer(reader, setting, INT64_MIN, INT64_MAX, &value.raw))
            continue;
        for (size_t k = 0; k < point->value_count; k++) {
            if (point->values[k].raw == value.raw)
                report(reader, setting->place, "%s and %s are both %lld; a number has one name",
                       point->values[k].name, setting->name, (long long)value.raw);
        }
        value.name = reader_text(reader, setting->name);
        if (value.name)
            point->values[point->value_count++] = value;
    }
}

static void read_access(struct reader *reader, const struct setting *group, struct point *point)
{
    const struct setting *access = setting_find(group, "access");
    const struct setting *kind = setting_find(group, "kind");
    bool inputs = point->table == TABLE_INPUT || point->table == TABLE_DISCRETE;

    point->readable = true;
    point->writable = !inputs;
    if (access && setting_is(reader, access, SETTING_TEXT, "\"r\", \"w\" or \"rw\"")) {
        if (strcmp(access->text, "r") != 0 && strcmp(access->text, "w") != 0 &&
            strcmp(access->text, "rw") != 0)
            report(reader, access->place,
                   "access is \"%.20s\"; it must be \"r\", \"w\" or \"rw\"", access->text);
        else if (inputs && strchr(access->text, 'w'))
            report(reader, access->place,
                   "access is \"%s\", but no %s can be written; write "
                   "\"r\", or use %s",
                   access->text, table_name(point->table),
                   point->table == TABLE_INPUT ? "holding" : "coil");
        point->readable = strchr(access->text, 'r') != NULL;
        point->writable = strchr(access->text, 'w') != NULL;
    }
    point->kind = point->readable ? POINT_STATE : POINT_TRIGGER;
    if (kind && setting_is(reader, kind, SETTING_TEXT, "\"state\" or \"trigger\"")) {
        if (strcmp(kind->text, "state") != 0 && strcmp(kind->text, "trigger") != 0)
            report(reader, kind->place,
                   "kind is \"%.20s\"; it must be \"state\" or \"trigger\"", kind->text);
        else if (!point->writable)
            report(reader, kind->place,
                   "kind says what a write is, but the point is read-only; "
                   "remove it");
        point->kind = strcmp(kind->text, "trigger") == 0 ? POINT_TRIGGER : POINT_STATE;
    }
}

static void read_verify(struct reader *reader, const struct setting *group, struct point *point)
{
    const struct setting *verify = setting_find(group, "verify");

    point->verify = point->kind == POINT_STATE && point->readable && point->writable;
    if (!verify || !setting_is(reader, verify, SETTING_BOOL, "true or false, without quotes"))
        return;
    if (verify->truth && !point->verify)
        report(reader, verify->place, "verify is true for %s; remove it",
               point->kind == POINT_TRIGGER ? "a trigger, which cannot be read back"
               : point->writable            ? "a point that cannot be read"
                                            : "a point that cannot be written");
    point->verify = point->verify && verify->truth;
}

static void read_numbers(struct reader *reader, const struct setting *group,
                         struct point *point)
{
    const struct setting *setting;
    int64_t number;

    if ((setting = setting_find(group, "tolerance")) &&
        setting_integer(reader, setting, 0, 65535, &number))
        point->tolerance = (uint32_t)number;
    if ((setting = setting_find(group, "max_writes_per_day")) &&
        setting_integer(reader, setting, 1, 86400, &number))
        point->max_writes_per_day = (uint32_t)number;
    if ((setting = setting_find(group, "write_with")) &&
        setting_integer(reader, setting, 1, 127, &number)) {
        if (number != 5 && number != 6 && number != 15 && number != 16)
            report(reader, setting->place,
                   "write_with is %lld; it must be 5 or 15 for a coil, 6 or 16 for a register",
                   (long long)number);
        else
            point->write_with = (uint8_t)number;
    }
    point->scaled = setting_find(group, "scale") || setting_find(group, "offset");
    if (point->scale == 0.0) {
        report(reader, setting_find(group, "scale")->place,
               "scale is 0, which makes every value the same; write the factor, such as 0.1");
        point->scale = 1.0;
    }
    point->has_min = setting_find(group, "min") != NULL;
    point->has_max = setting_find(group, "max") != NULL;
    point->decimals = value_decimals(point->scale);
    if (value_decimals(point->offset) > point->decimals)
        point->decimals = value_decimals(point->offset);
}

static bool property_is_good(const char *path)
{
    if (strlen(path) > 200)
        return false;
    for (;;) {
        size_t length = strcspn(path, ".");

        if (length == 0 || strcspn(path, "$ #/") < length || (unsigned char)*path < 0x20)
            return false;
        if (path[length] == '\0')
            return true;
        path += length + 1;
    }
}

void read_point(struct reader *reader, const struct setting *group, enum numbering numbering,
                struct point *point)
{
    const struct setting *setting;

    *point = (struct point){
        .place = group->place, .scale = 1.0, .join = true, .verify_within_ms = 1000};
    point->name = reader_text(reader, group->name);
    reader_about(reader, "point \"%.80s\": ", group->name);
    if (!point->name || !setting_is(reader, group, SETTING_GROUP, "a group { holding = 100; }"))
        return;
    group_read(reader, group, point_keys, COUNT_OF(point_keys), point);
    read_register(reader, group, numbering, point);
    point->type = is_bit(point) ? POINT_BOOL : POINT_UINT16;
    if ((setting = setting_find(group, "type")))
        read_type(reader, setting, point);
    if (is_bit(point) && point->type != POINT_BOOL) {
        report(reader, setting->place, "type is \"%s\", but a %s is a bool; remove it",
               point_type_name(point->type), table_name(point->table));
        point->type = POINT_BOOL;
    }
    read_size(reader, group, point);
    read_order(reader, setting_find(group, "order"), point);
    if ((setting = setting_find(group, "bits")))
        read_bits(reader, setting, point);
    if ((setting = setting_find(group, "values")))
        read_values(reader, setting, point);
    read_access(reader, group, point);
    read_verify(reader, group, point);
    read_numbers(reader, group, point);
    warn_of_idle_keys(reader, group, point);
    if (!point->property)
        point->property = reader_text(reader, group->name);
    else if (!property_is_good(point->property))
        report(
            reader, setting_find(group, "property")->place,
            "property is \"%.80s\"; write names with dots between, such as \"hvac.setpoint\", "
            "without $, # and blanks",
            point->property);
}
