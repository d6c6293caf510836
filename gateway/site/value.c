#include "site/value.h"

#include "site/value_refuse.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TWO_TO_53       9007199254740992.0
#define TWO_TO_64       18446744073709551616.0
#define FLOAT32_TOO_BIG 0x1.ffffffp127 /* from here on float32 rounds to infinity */

enum { NUMBER_TEXT = 360 }; /* holds DBL_MAX with 15 decimals */

double value_of_raw(const struct point *point, struct raw raw)
{
    return point->scaled ? raw_double(raw) * point->scale + point->offset : raw_double(raw);
}

/* Below 0, 0, above 0: like the raw number's value - limit, without binary noise. */
static int limit_compare(const struct point *point, struct raw raw, double limit)
{
    if (!point->scaled)
        return raw_compare(raw, limit);
    double value = value_of_raw(point, raw);
    double noise = (fabs(value) + fabs(limit) + fabs(point->offset)) * 4 * DBL_EPSILON;
    if (fabs(value - limit) <= noise)
        return 0;
    return value < limit ? -1 : 1;
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
static bool is_digits(const json_t *value)
{
    const char *text = json_string_value(value);

    if (!text || json_string_length(value) != strlen(text))
        return false;
    text += *text == '-';
    return *text && strspn(text, "0123456789") == strlen(text);
}

static int raw_of_digits(const struct point *point, const json_t *value, struct raw *raw,
                         struct value_error *error)
{
    const char *text = json_string_value(value);
    bool negative = *text == '-';

    errno = 0;
    unsigned long long size = strtoull(text + negative, NULL, 10);
    if (errno == ERANGE)
        return refuse_type_limit(point, value, !negative, error);
    *raw = (struct raw){negative && size, size};
    return 0;
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
    if (is_64_bit(point) && is_digits(value))
        return raw_of_digits(point, value, raw, error);
    return refuse_type(point, value,
                       is_64_bit(point) ? "a whole number or a string of its digits"
                                        : "a whole number",
                       error);
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
        return refuse_too_big(point, value, error);
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
        value_say(
            error,
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
        snprintf(text, sizeof(text), "%.*f", point->decimals, value_of_raw(point, raw));
        double value = strtod(text, NULL);
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
        value_say(error, "%s: the device holds 0x%0*llX, which is no BCD number", point->name,
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
        double shorter = strtod(text, NULL);
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
        value_say(error, "%s: the device holds NaN, which is no number", point->name);
    else if (!isfinite(value))
        value_say(error, "%s: the device holds an infinite number", point->name);
    return json_real(value); /* NULL for both */
}

static json_t *decode_string(const struct point *point, const uint16_t *words,
                             struct value_error *error)
{
    char text[2 * ADAPTER_WORDS_MAX];
    size_t length = 0;

    for (size_t i = 0; i < point->count; i++) {
        char high = (char)(words[i] >> 8), low = (char)(words[i] & 0xFF);
        text[length++] = (char)(point->order[0] == 0 ? high : low);
        text[length++] = (char)(point->order[0] == 0 ? low : high);
    }
    json_t *value = json_stringn(text, strnlen(text, length));
    if (!value)
        value_say(error, "%s: the device holds a text that is not UTF-8", point->name);
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
