#include "site/value.h"
#include "site/raw.h"

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TWO_TO_53       9007199254740992.0
#define TWO_TO_64       18446744073709551616.0
#define FLOAT32_TOO_BIG 0x1.ffffffp127 /* from here on float32 rounds to infinity */

enum { SHOWN_MOST = 48, NUMBER_TEXT = 360 }; /* the latter holds DBL_MAX with 15 decimals */

void utf8_clip(char *text)
{
    size_t length = strlen(text), start = length;

    while (start > 0 && length - start < 4 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (needed > 1 && length - start + 1 < needed)
        text[start - 1] = '\0';
}

__attribute__((format(printf, 2, 3))) static void say(struct value_error *error,
                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    utf8_clip(error->text);
}

/* Reads decimal text that printf made; never a foreign locale's. */
static double number_from(const char *text)
{
    return strtod(text, NULL);
}

uint8_t value_decimals(double number)
{
    char text[NUMBER_TEXT];
    uint8_t decimals = 0;

    for (; decimals < 15; decimals++) {
        snprintf(text, sizeof(text), "%.*f", decimals, number);
        if (number_from(text) == number)
            break;
    }
    return decimals;
}

/* A number for people: with the point's decimals where they tell it all. */
static void number_text(const struct point *point, double number, char text[SHOWN_MOST])
{
    if (fabs(number) < 1e15) {
        snprintf(text, SHOWN_MOST, "%.*f", point->scaled ? point->decimals : 0, number);
        if (number_from(text) == number)
            return;
    }
    snprintf(text, SHOWN_MOST, "%.15g", number);
}

/* What was sent, for people: short, printable. */
static void value_text(const struct point *point, const json_t *value, char text[SHOWN_MOST])
{
    if (json_is_real(value)) {
        number_text(point, json_real_value(value), text);
        return;
    }
    char *dump = json_text(value);
    snprintf(text, SHOWN_MOST, "%s", dump ? dump : "it");
    utf8_clip(text);
    free(dump);
}

static const char *unit_text(const struct point *point)
{
    return point->unit ? point->unit : "";
}

static const char *space_before_unit(const struct point *point)
{
    return point->unit && point->unit[0] ? " " : "";
}

static int refuse_type(const struct point *point, const json_t *value, const char *wanted,
                       struct value_error *error)
{
    char shown[SHOWN_MOST];
    value_text(point, value, shown);
    say(error, "%s: %s is not %s", point->name, shown, wanted);
    return VALUE_E_TYPE;
}

static double engineering(const struct point *point, struct raw raw)
{
    return point->scaled ? raw_double(raw) * point->scale + point->offset : raw_double(raw);
}

/* Below 0, 0, above 0: like the raw number's value - limit, without binary noise. */
static int limit_compare(const struct point *point, struct raw raw, double limit)
{
    if (!point->scaled)
        return raw_compare(raw, limit);
    double value = engineering(point, raw);
    double noise = (fabs(value) + fabs(limit) + fabs(point->offset)) * 4 * DBL_EPSILON;
    if (fabs(value - limit) <= noise)
        return 0;
    return value < limit ? -1 : 1;
}

static int refuse_limit(const struct point *point, const json_t *value, const char *how,
                        double limit, struct value_error *error)
{
    char shown[SHOWN_MOST], bound[SHOWN_MOST];
    value_text(point, value, shown);
    number_text(point, limit, bound);
    say(error, "%s: %s is %s %s%s%s", point->name, shown, how, bound, space_before_unit(point),
        unit_text(point));
    return VALUE_E_RANGE;
}

/* Outside what the type can hold, told in the value's own unit. */
static int refuse_type_limit(const struct point *point, const json_t *value, bool above,
                             struct value_error *error)
{
    struct raw least, most;
    char shown[SHOWN_MOST], bound[SHOWN_MOST], field[32] = "";

    raw_limits(point, &least, &most);
    /* a negative scale turns the type's ends around */
    struct raw end = above == !(point->scaled && point->scale < 0) ? most : least;
    value_text(point, value, shown);
    if (point->scaled)
        number_text(point, engineering(point, end), bound);
    else
        snprintf(bound, sizeof(bound), "%s%llu", end.negative ? "-" : "",
                 (unsigned long long)end.size);
    if (point->bit_count)
        snprintf(field, sizeof(field), "%u bits of ", point->bit_count);
    say(error, "%s: %s is %s %s%s%s, the %s that %s%s can hold", point->name, shown,
        above ? "above" : "below", bound, space_before_unit(point), unit_text(point),
        above ? "most" : "least", field, point_type_name(point->type));
    return VALUE_E_RANGE;
}

static int check_raw(const struct point *point, const json_t *value, struct raw raw,
                     struct value_error *error)
{
    struct raw least, most;

    raw_limits(point, &least, &most);
    bool turned = point->scaled && point->scale < 0;
    if (raw_order(raw, least) < 0)
        return refuse_type_limit(point, value, turned, error);
    if (raw_order(raw, most) > 0)
        return refuse_type_limit(point, value, !turned, error);
    if (point->has_min && limit_compare(point, raw, point->min) < 0)
        return refuse_limit(point, value, "below min", point->min, error);
    if (point->has_max && limit_compare(point, raw, point->max) > 0)
        return refuse_limit(point, value, "above max", point->max, error);
    return 0;
}

/* (value - offset) / scale, rounded half away from zero. false: beyond any raw number. */
static bool unscale(const struct point *point, double value, struct raw *raw)
{
    double quotient = (value - point->offset) / point->scale;
    if (!isfinite(quotient))
        return false;

    /* 21.45 / 0.1 is 214.49999999999997 in binary: what is this near to a half is one. */
    double size = fabs(quotient), whole = floor(size);
    double noise = (fabs(value) + fabs(point->offset)) / fabs(point->scale) * 4 * DBL_EPSILON;
    if (size - whole >= 0.5 - (noise < 0.25 ? noise : 0.0))
        whole += 1.0;
    if (whole >= TWO_TO_64)
        return false;
    *raw = (struct raw){quotient < 0 && whole > 0, (uint64_t)whole};
    return true;
}

/* "-9007199254740993" and nothing else. */
static bool raw_of_digits(const char *text, struct raw *raw)
{
    bool negative = *text == '-';
    const char *digits = text + negative;

    if (!*digits || strspn(digits, "0123456789") != strlen(digits))
        return false;
    errno = 0;
    unsigned long long size = strtoull(digits, NULL, 10);
    if (errno == ERANGE)
        return false;
    *raw = (struct raw){negative && size, size};
    return true;
}

static bool is_64_bit(const struct point *point)
{
    return point->type == POINT_INT64 || point->type == POINT_UINT64;
}

static int raw_of_whole(const struct point *point, const json_t *value, struct raw *raw,
                        struct value_error *error)
{
    if (json_is_integer(value)) {
        *raw = raw_of(json_integer_value(value));
        return 0;
    }
    if (json_is_real(value)) {
        double number = json_real_value(value);
        if (number != floor(number))
            return refuse_type(point, value, "a whole number", error);
        if (fabs(number) >= TWO_TO_64)
            return refuse_type_limit(point, value, number > 0, error);
        if (fabs(number) > TWO_TO_53 && is_64_bit(point))
            return refuse_type(point, value,
                               "exact beyond 2^53; send such a number as a string of digits",
                               error);
        *raw = (struct raw){number < 0, (uint64_t)fabs(number)};
        return 0;
    }
    if (is_64_bit(point) && json_is_string(value) &&
        json_string_length(value) == strlen(json_string_value(value)) &&
        raw_of_digits(json_string_value(value), raw))
        return 0;
    return refuse_type(point, value,
                       is_64_bit(point) ? "a whole number or a string of its digits"
                                        : "a whole number",
                       error);
}

static int refuse_name(const struct point *point, const json_t *value, int code,
                       struct value_error *error)
{
    char names[120] = "", shown[SHOWN_MOST];
    size_t used = 0;

    for (size_t i = 0; i < point->value_count && used < sizeof(names) - 1; i++) {
        int n = snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
                         point->values[i].name);
        used += n > 0 ? (size_t)n : 0;
    }
    utf8_clip(names);
    value_text(point, value, shown);
    say(error, "%s: %s is not one of %s%s", point->name, shown, names,
        used >= sizeof(names) ? "..." : "");
    return code;
}

static int raw_of_name(const struct point *point, const json_t *value, struct raw *raw,
                       struct value_error *error)
{
    if (!json_is_string(value))
        return refuse_name(point, value, VALUE_E_TYPE, error);
    for (size_t i = 0; i < point->value_count; i++) {
        if (strcmp(point->values[i].name, json_string_value(value)) == 0) {
            *raw = raw_of(point->values[i].raw);
            return 0;
        }
    }
    return refuse_name(point, value, VALUE_E_RANGE, error);
}

static int encode_whole(const struct point *point, const json_t *value, uint16_t *words,
                        struct value_error *error)
{
    struct raw raw = {false, 0};
    int r = 0;

    if (point->value_count > 0) {
        r = raw_of_name(point, value, &raw, error);
    } else if (raw_is_coil(point) || point->type == POINT_BOOL) {
        if (!json_is_boolean(value))
            return refuse_type(point, value, "true or false", error);
        raw.size = json_is_true(value);
    } else if (point->scaled) {
        if (!json_is_number(value))
            return refuse_type(point, value, "a number", error);
        if (!unscale(point, json_number_value(value), &raw))
            return refuse_type_limit(point, value, json_number_value(value) > 0, error);
    } else {
        r = raw_of_whole(point, value, &raw, error);
    }
    if (r == 0)
        r = check_raw(point, value, raw, error);
    if (r == 0)
        raw_encode(point, raw, words);
    return r;
}

static uint64_t float_bits(const struct point *point, double raw)
{
    uint64_t wide;
    uint32_t narrow;

    if (point->type == POINT_FLOAT64) {
        memcpy(&wide, &raw, sizeof(wide));
        return wide;
    }
    float single = (float)raw;
    memcpy(&narrow, &single, sizeof(narrow));
    return narrow;
}

static double float_of_bits(const struct point *point, uint64_t bits)
{
    uint32_t narrow = (uint32_t)bits;
    double wide;
    float single;

    if (point->type == POINT_FLOAT64) {
        memcpy(&wide, &bits, sizeof(wide));
        return wide;
    }
    memcpy(&single, &narrow, sizeof(single));
    return single;
}

static double float_raw(const struct point *point, double value)
{
    return point->scaled ? (value - point->offset) / point->scale : value;
}

static bool float_fits(const struct point *point, double raw)
{
    return isfinite(raw) && (point->type == POINT_FLOAT64 || fabs(raw) < FLOAT32_TOO_BIG);
}

static int encode_float(const struct point *point, const json_t *value, uint16_t *words,
                        struct value_error *error)
{
    if (!json_is_number(value))
        return refuse_type(point, value, "a number", error);
    double number = json_number_value(value);
    if (point->has_min && number < point->min)
        return refuse_limit(point, value, "below min", point->min, error);
    if (point->has_max && number > point->max)
        return refuse_limit(point, value, "above max", point->max, error);
    if (!float_fits(point, float_raw(point, number))) {
        char shown[SHOWN_MOST];
        value_text(point, value, shown);
        say(error, "%s: %s is more than %s can hold", point->name, shown,
            point_type_name(point->type));
        return VALUE_E_RANGE;
    }
    raw_pack(point, float_bits(point, float_raw(point, number)), words);
    return 0;
}

static int encode_string(const struct point *point, const json_t *value, uint16_t *words,
                         struct value_error *error)
{
    if (!json_is_string(value))
        return refuse_type(point, value, "a text", error);
    const char *text = json_string_value(value);
    size_t length = json_string_length(value), room = 2 * (size_t)point->count;
    if (strlen(text) != length)
        return refuse_type(point, value, "a text without NUL", error);
    if (length > room) {
        say(error,
            "%s: a text of %zu bytes is above %zu bytes, the most that %u registers can hold",
            point->name, length, room, point->count);
        return VALUE_E_RANGE;
    }
    for (size_t i = 0; i < point->count; i++) {
        unsigned first = 2 * i < length ? (unsigned char)text[2 * i] : 0;
        unsigned second = 2 * i + 1 < length ? (unsigned char)text[2 * i + 1] : 0;
        words[i] = (uint16_t)(point->order[0] == 0 ? first << 8 | second : second << 8 | first);
    }
    return 0;
}

int value_encode(const struct point *point, const json_t *value, uint16_t *words,
                 struct value_error *error)
{
    if (raw_is_whole(point))
        return encode_whole(point, value, words, error);
    if (point->type == POINT_STRING)
        return encode_string(point, value, words, error);
    return encode_float(point, value, words, error);
}

static json_t *decode_raw(const struct point *point, struct raw raw)
{
    char text[NUMBER_TEXT];

    if (point->scaled) {
        snprintf(text, sizeof(text), "%.*f", point->decimals, engineering(point, raw));
        double value = number_from(text);
        if (point->decimals == 0 && fabs(value) <= TWO_TO_53)
            return json_integer((json_int_t)value);
        return json_real(value);
    }
    if (raw.size <= (uint64_t)TWO_TO_53)
        return json_integer(raw.negative ? -(json_int_t)raw.size : (json_int_t)raw.size);
    snprintf(text, sizeof(text), "%s%llu", raw.negative ? "-" : "",
             (unsigned long long)raw.size);
    return json_string(text);
}

static json_t *decode_whole(const struct point *point, const uint16_t *words,
                            struct value_error *error)
{
    struct raw raw;

    if (!raw_decode(point, words, &raw)) {
        say(error, "%s: the device holds 0x%0*llX, which is no BCD number", point->name,
            4 * point->count, (unsigned long long)raw_unpack(point, words));
        return NULL;
    }
    for (size_t i = 0; i < point->value_count; i++) {
        if (raw_order(raw, raw_of(point->values[i].raw)) == 0)
            return json_string(point->values[i].name);
    }
    if (!point->value_count && (raw_is_coil(point) || point->type == POINT_BOOL))
        return json_boolean(raw.size);
    return decode_raw(point, raw);
}

/* The shortest decimal that is encoded as these bits. */
static double shortest(const struct point *point, uint64_t bits)
{
    double raw = float_of_bits(point, bits);
    double value = point->scaled ? raw * point->scale + point->offset : raw;
    char text[40];

    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        double shorter = number_from(text);
        if (float_fits(point, float_raw(point, shorter)) &&
            float_bits(point, float_raw(point, shorter)) == bits)
            return shorter;
    }
    return value;
}

static json_t *decode_float(const struct point *point, const uint16_t *words,
                            struct value_error *error)
{
    uint64_t bits = raw_unpack(point, words);
    double value = shortest(point, bits);

    if (isnan(value))
        say(error, "%s: the device holds NaN, which is no number", point->name);
    else if (!isfinite(value))
        say(error, "%s: the device holds an infinite number", point->name);
    return json_real(value); /* NULL for both */
}

static json_t *decode_string(const struct point *point, const uint16_t *words,
                             struct value_error *error)
{
    char text[2 * ADAPTER_WORDS_MAX];
    size_t length = 0;

    for (size_t i = 0; i < point->count; i++) {
        char high = (char)(words[i] >> 8), low = (char)(words[i] & 0xFF);
        text[length++] = point->order[0] == 0 ? high : low;
        text[length++] = point->order[0] == 0 ? low : high;
    }
    json_t *value = json_stringn(text, strnlen(text, length));
    if (!value)
        say(error, "%s: the device holds a text that is not UTF-8", point->name);
    return value;
}

json_t *value_decode(const struct point *point, const uint16_t *words,
                     struct value_error *error)
{
    if (raw_is_whole(point))
        return decode_whole(point, words, error);
    if (point->type == POINT_STRING)
        return decode_string(point, words, error);
    return decode_float(point, words, error);
}

uint16_t value_mask(const struct point *point)
{
    uint16_t mask = 0xFFFF;

    if (point->bit_count && point->count == 1)
        raw_pack(point, ((UINT64_C(1) << point->bit_count) - 1) << point->bit_low, &mask);
    return mask;
}

bool value_same(const struct point *point, const uint16_t *a, const uint16_t *b)
{
    uint16_t mask = value_mask(point);

    for (size_t i = 0; i < point->count; i++) {
        if ((a[i] & mask) != (b[i] & mask))
            return false;
    }
    return true;
}

/* Floats in their order: neighbours differ by one, and both zeros are the same. */
static struct raw float_rank(const struct point *point, const uint16_t *words)
{
    uint64_t bits = raw_unpack(point, words);
    uint64_t sign = UINT64_C(1) << (16 * point->count - 1);
    return (struct raw){(bits & sign) && (bits & ~sign), bits & ~sign};
}

bool value_close(const struct point *point, const uint16_t *a, const uint16_t *b)
{
    struct raw left, right;

    if (value_same(point, a, b))
        return true;
    if (point->type == POINT_STRING || point->type == POINT_BOOL || raw_is_coil(point))
        return false;
    if (raw_is_whole(point)) {
        if (!raw_decode(point, a, &left) || !raw_decode(point, b, &right))
            return false;
    } else {
        if (isnan(float_of_bits(point, raw_unpack(point, a))) ||
            isnan(float_of_bits(point, raw_unpack(point, b))))
            return false;
        left = float_rank(point, a);
        right = float_rank(point, b);
    }
    return raw_distance(left, right) <= point->tolerance;
}

bool value_within(const struct point *point, const uint16_t *words, bool has_min, double min,
                  bool has_max, double max)
{
    struct raw raw;

    if (raw_is_whole(point))
        return raw_decode(point, words, &raw) &&
               (!has_min || limit_compare(point, raw, min) >= 0) &&
               (!has_max || limit_compare(point, raw, max) <= 0);
    if (point->type == POINT_STRING)
        return false;
    double value = shortest(point, raw_unpack(point, words));
    return !isnan(value) && (!has_min || value >= min) && (!has_max || value <= max);
}

char *json_text(const json_t *value)
{
    return json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(15) | JSON_ENCODE_ANY);
}
