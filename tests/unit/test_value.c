#include "base/text.h"
#include "fixture_point.h"
#include "site/raw.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct value_error error;
static uint16_t words[ADAPTER_WORDS_MAX];

/* Encodes JSON text. */
static int encode(const struct point *point, const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    error.text[0] = '\0';
    int r = value_encode(point, value, words, &error);
    json_decref(value);
    if (r != 0)
        assert_non_null(strstr(error.text, point->name));
    return r;
}

/* Decodes `words` and compares the JSON text. */
static void assert_holds(const struct point *point, const char *text)
{
    json_t *value = value_decode(point, words, &error);
    assert_non_null(value);
    char *got = json_text(value);
    assert_string_equal(got, text);
    free(got);
    json_decref(value);
}

static void assert_round(const struct point *point, const char *text)
{
    if (encode(point, text) != 0)
        fail_msg("%s", error.text);
    assert_holds(point, text);
}

static void assert_refused(const struct point *point, const char *text, int code,
                           const char *why)
{
    assert_int_equal(encode(point, text), code);
    assert_string_equal(error.text, why);
}

/* --- orders: what a device that counts its bytes so must see --- */

static void every_order_has_its_bytes_on_the_wire(void **state)
{
    static const struct {
        enum point_type type;
        const char *order, *value;
        uint16_t words[4];
    } golden[] = {
        {POINT_UINT16, "AB", "4660", {0x1234}},
        {POINT_UINT16, "BA", "4660", {0x3412}},
        {POINT_INT16, "BA", "-2", {0xFEFF}},
        {POINT_BCD16, "AB", "1234", {0x1234}},
        {POINT_BCD16, "BA", "1234", {0x3412}},
        {POINT_UINT32, "ABCD", "16909060", {0x0102, 0x0304}},
        {POINT_UINT32, "CDAB", "16909060", {0x0304, 0x0102}},
        {POINT_UINT32, "BADC", "16909060", {0x0201, 0x0403}},
        {POINT_UINT32, "DCBA", "16909060", {0x0403, 0x0201}},
        {POINT_FLOAT32, "ABCD", "123.5", {0x42F7, 0x0000}},
        {POINT_FLOAT32, "CDAB", "123.5", {0x0000, 0x42F7}},
        {POINT_FLOAT32, "BADC", "123.5", {0xF742, 0x0000}},
        {POINT_FLOAT32, "DCBA", "123.5", {0x0000, 0xF742}},
        {POINT_BCD32, "CDAB", "12345678", {0x5678, 0x1234}},
        {POINT_INT32, "CDAB", "-2", {0xFFFE, 0xFFFF}},
        {POINT_UINT64, "ABCDEFGH", "\"72623859790382856\"", {0x0102, 0x0304, 0x0506, 0x0708}},
        {POINT_UINT64, "GHEFCDAB", "\"72623859790382856\"", {0x0708, 0x0506, 0x0304, 0x0102}},
        {POINT_UINT64, "BADCFEHG", "\"72623859790382856\"", {0x0201, 0x0403, 0x0605, 0x0807}},
        {POINT_UINT64, "HGFEDCBA", "\"72623859790382856\"", {0x0807, 0x0605, 0x0403, 0x0201}},
        {POINT_FLOAT64, "ABCDEFGH", "1.5", {0x3FF8, 0, 0, 0}},
        {POINT_FLOAT64, "HGFEDCBA", "1.5", {0, 0, 0, 0xF83F}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(golden) / sizeof(*golden); i++) {
        struct point point = point_of("p", golden[i].type, 0);
        point_order(&point, golden[i].order);
        assert_round(&point, golden[i].value);
        assert_memory_equal(words, golden[i].words, 2 * (size_t)point.count);
    }
}

/* --- whole numbers --- */

static void each_type_takes_its_ends_and_nothing_beyond(void **state)
{
    static const struct {
        enum point_type type;
        const char *least, *most, *below, *above;
    } ends[] = {
        {POINT_INT16, "-32768", "32767", "-32769", "32768"},
        {POINT_UINT16, "0", "65535", "-1", "65536"},
        {POINT_INT32, "-2147483648", "2147483647", "-2147483649", "2147483648"},
        {POINT_UINT32, "0", "4294967295", "-1", "4294967296"},
        {POINT_INT64, "\"-9223372036854775808\"", "\"9223372036854775807\"",
         "\"-9223372036854775809\"", "\"9223372036854775808\""},
        {POINT_UINT64, "0", "\"18446744073709551615\"", "-1", "1e300"},
        {POINT_BCD16, "0", "9999", "-1", "10000"},
        {POINT_BCD32, "0", "99999999", "-1", "100000000"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        struct point point = point_of("p", ends[i].type, 0);
        assert_round(&point, ends[i].least);
        assert_round(&point, ends[i].most);
        assert_int_equal(encode(&point, ends[i].below), VALUE_E_RANGE);
        assert_int_equal(encode(&point, ends[i].above), VALUE_E_RANGE);
    }
}

static void integers_beyond_2_53_are_strings_of_digits(void **state)
{
    struct point point = point_of("energy", POINT_INT64, 0);
    (void)state;
    assert_round(&point, "9007199254740992");
    assert_round(&point, "-9007199254740992");
    assert_round(&point, "\"9007199254740993\"");
    assert_round(&point, "\"-9007199254740993\"");
    assert_int_equal(encode(&point, "9007199254740993"), 0); /* exact in this JSON */
    assert_holds(&point, "\"9007199254740993\"");
    assert_int_equal(encode(&point, "\"7\""), 0);
    assert_holds(&point, "7");
    assert_refused(
        &point, "1e16", VALUE_E_TYPE,
        "energy: 1e+16 is not exact beyond 2^53; send such a number as a string of digits");
    assert_int_equal(encode(&point, "\"12x\""), VALUE_E_TYPE);
    assert_int_equal(encode(&point, "\"\""), VALUE_E_TYPE);
    assert_int_equal(encode(&point, "\"-\""), VALUE_E_TYPE);
    assert_int_equal(encode(&point, "\" 1\""), VALUE_E_TYPE);
    assert_int_equal(encode(&point, "\"99999999999999999999\""), VALUE_E_RANGE);
    assert_int_equal(encode(&point, "\"-99999999999999999999\""), VALUE_E_RANGE);
    struct point small = point_of("small", POINT_INT32, 0);
    assert_int_equal(encode(&small, "\"7\""), VALUE_E_TYPE);
}

static void a_real_without_fraction_is_taken_for_an_integer(void **state)
{
    struct point point = point_of("count", POINT_INT16, 0);
    (void)state;
    assert_int_equal(encode(&point, "21.0"), 0);
    assert_holds(&point, "21");
    assert_int_equal(encode(&point, "-0.0"), 0);
    assert_int_equal(words[0], 0);
    assert_refused(&point, "21.5", VALUE_E_TYPE, "count: 21.5 is not a whole number");
}

static void booleans_are_for_bits_only(void **state)
{
    struct point coil = point_of("occupied", POINT_BOOL, 0),
                 number = point_of("n", POINT_UINT16, 0), reg = point_of("flag", POINT_BOOL, 0);
    (void)state;
    coil.table = TABLE_COIL;
    assert_round(&coil, "true");
    assert_int_equal(words[0], 1);
    assert_round(&coil, "false");
    assert_refused(&coil, "1", VALUE_E_TYPE, "occupied: 1 is not true or false");
    assert_refused(&number, "true", VALUE_E_TYPE, "n: true is not a whole number");
    assert_round(&reg, "true");
    reg.bit_low = 3;
    reg.bit_count = 1;
    assert_round(&reg, "true");
    assert_int_equal(words[0], 8);
    assert_refused(&number, "null", VALUE_E_TYPE, "n: null is not a whole number");
    assert_refused(&number, "{\"a\":[1]}", VALUE_E_TYPE,
                   "n: {\"a\":[1]} is not a whole number");
}

static void a_bit_field_stands_in_its_place(void **state)
{
    struct point point = point_of("fanSpeed", POINT_UINT16, 102);
    (void)state;
    point.bit_low = 4;
    point.bit_count = 3;
    assert_round(&point, "5");
    assert_int_equal(words[0], 0x50);
    assert_int_equal(value_mask(&point), 0x70);
    assert_refused(&point, "8", VALUE_E_RANGE,
                   "fanSpeed: 8 is above 7, the most that 3 bits of uint16 can hold");
    point_order(&point, "BA");
    assert_round(&point, "5");
    assert_int_equal(words[0], 0x5000);
    assert_int_equal(value_mask(&point), 0x7000);
    point.type = POINT_INT16;
    assert_round(&point, "-4");
    assert_int_equal(encode(&point, "4"), VALUE_E_RANGE);
    point.bit_low = 0;
    point.bit_count = 16;
    assert_round(&point, "-32768");
    assert_int_equal(value_mask(&point), 0xFFFF);
}

/* --- scaling --- */

static void halves_are_rounded_away_from_zero_in_decimal(void **state)
{
    static const struct {
        double scale, offset;
        const char *value;
        int raw;
    } cases[] = {
        {0.1, 0, "21.45", 215},    {0.1, 0, "-21.45", -215},   {0.1, 0, "21.449", 214},
        {0.1, 0, "0.05", 1},       {0.1, 0, "-0.05", -1},      {0.1, 0, "0.0499", 0},
        {0.01, 0, "1.005", 101},   {0.01, 0, "1.115", 112},    {0.5, 0, "0.25", 1},
        {10, 0, "25", 3},          {10, 0, "-25", -3},         {10, 0, "24.9", 2},
        {0.1, -40, "-40", 0},      {0.1, -40, "0.05", 401},    {-0.1, 0, "21.45", -215},
        {0.1, 273.15, "273.2", 1}, {0.0625, 0, "1.03125", 17},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct point point = point_of("p", POINT_INT16, 0);
        point_scale(&point, cases[i].scale, cases[i].offset);
        assert_int_equal(encode(&point, cases[i].value), 0);
        assert_int_equal((int16_t)words[0], cases[i].raw);
    }
}

static void a_scaled_number_has_the_decimals_of_its_scale(void **state)
{
    struct point point = point_of("setpoint", POINT_INT16, 0);
    (void)state;
    point_scale(&point, 0.1, 0);
    assert_round(&point, "21.5");
    words[0] = 3;
    assert_holds(&point, "0.3");
    assert_int_equal(encode(&point, "21"), 0);
    assert_holds(&point, "21.0");
    point_scale(&point, 10, 0);
    assert_round(&point, "50");
    point_scale(&point, 0.05, 0.001);
    assert_int_equal(point.decimals, 3);
    words[0] = 1;
    assert_holds(&point, "0.051");
}

static void limits_name_point_value_limit_and_unit(void **state)
{
    struct point point = point_of("setpoint", POINT_INT16, 0);
    (void)state;
    point_scale(&point, 0.1, 0);
    point.unit = (char *)(uintptr_t) "degC";
    point.has_min = point.has_max = true;
    point.min = 10.0;
    point.max = 30.0;
    assert_refused(&point, "35", VALUE_E_RANGE, "setpoint: 35 is above max 30.0 degC");
    assert_refused(&point, "35.0", VALUE_E_RANGE, "setpoint: 35.0 is above max 30.0 degC");
    assert_refused(&point, "9.9", VALUE_E_RANGE, "setpoint: 9.9 is below min 10.0 degC");
    assert_refused(&point, "30.05", VALUE_E_RANGE, "setpoint: 30.05 is above max 30.0 degC");
    assert_int_equal(encode(&point, "30.04"), 0); /* the range is that of the raw number */
    assert_int_equal(words[0], 300);
    point.has_min = point.has_max = false;
    assert_refused(&point, "4000.0", VALUE_E_RANGE,
                   "setpoint: 4000.0 is above 3276.7 degC, the most that int16 can hold");
    assert_refused(&point, "1e300", VALUE_E_RANGE,
                   "setpoint: 1e+300 is above 3276.7 degC, the most that int16 can hold");
    assert_refused(&point, "\"21\"", VALUE_E_TYPE, "setpoint: \"21\" is not a number");
    point.scale = -0.1;
    assert_refused(&point, "4000", VALUE_E_RANGE,
                   "setpoint: 4000 is above 3276.8 degC, the most that int16 can hold");
    assert_refused(&point, "-1e308", VALUE_E_RANGE,
                   "setpoint: -1e+308 is below -3276.7 degC, the least that int16 can hold");
}

static void limits_of_64_bits_are_exact(void **state)
{
    struct point point = point_of("p", POINT_UINT64, 0);
    (void)state;
    point.has_max = true;
    point.max = 9007199254740992.0;
    assert_int_equal(encode(&point, "\"9007199254740992\""), 0);
    assert_int_equal(encode(&point, "\"9007199254740993\""), VALUE_E_RANGE);
}

/* --- named values --- */

static void a_point_with_values_takes_names_only(void **state)
{
    struct named_value names[] = {{(char *)(uintptr_t) "off", 0},
                                  {(char *)(uintptr_t) "heat", 1},
                                  {(char *)(uintptr_t) "cool", 2}};
    struct point point = point_of("mode", POINT_UINT16, 101);
    (void)state;
    point.values = names;
    point.value_count = 3;
    assert_round(&point, "\"cool\"");
    assert_refused(&point, "2", VALUE_E_TYPE, "mode: 2 is not one of off, heat, cool");
    assert_refused(&point, "\"dry\"", VALUE_E_RANGE,
                   "mode: \"dry\" is not one of off, heat, cool");
    words[0] = 7;
    assert_holds(&point, "7");
    point.table = TABLE_COIL;
    point.type = POINT_BOOL;
    assert_round(&point, "\"heat\"");
    assert_int_equal(encode(&point, "\"cool\""), VALUE_E_RANGE);
}

/* --- floats, BCD, strings --- */

static void a_float32_is_read_as_its_shortest_decimal(void **state)
{
    struct point point = point_of("flow", POINT_FLOAT32, 0);
    (void)state;
    assert_round(&point, "0.1");
    assert_round(&point, "21.7");
    assert_round(&point, "16777216.0");
    assert_round(&point, "-0.0");
    assert_int_equal(words[0], 0x8000);
    assert_round(&point, "3.4028235e38");
    assert_round(&point, "-3.4028235e38");
    assert_round(&point, "1e-45"); /* the least denormal */
    assert_int_equal(words[1], 1);
    assert_refused(&point, "3.5e38", VALUE_E_RANGE,
                   "flow: 3.5e+38 is more than float32 can hold");
    assert_refused(&point, "-1e300", VALUE_E_RANGE,
                   "flow: -1e+300 is more than float32 can hold");
    point_scale(&point, 0.1, 0);
    assert_round(&point, "3.14159");
}

static void a_float64_keeps_its_ends(void **state)
{
    struct point point = point_of("p", POINT_FLOAT64, 0);
    (void)state;
    json_t *value = json_real(DBL_MAX);
    assert_int_equal(value_encode(&point, value, words, &error), 0);
    json_t *back = value_decode(&point, words, &error);
    assert_true(json_equal(value, back));
    json_decref(value);
    json_decref(back);
    point_scale(&point, 1e-10, 0);
    assert_refused(&point, "1e300", VALUE_E_RANGE, "p: 1e+300 is more than float64 can hold");
}

static void a_real_is_told_with_the_digits_that_it_takes(void **state)
{
    static const char *const texts[] = {
        "[21.3,0.1,-2.5e-7,1e300,[1,\"3.1415926535897931\"]]", /* 15 do */
        "{\"a\":3.141592653589793,\"b\":[0.1,true],\"c\":\"say \\\"0.30000000000000004\"}",
        "[0.30000000000000004,1234567890123456.0,-1.0000000000000002]",
        "3.141592653589793",
    };
    (void)state;

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        json_t *value = json_loads(texts[i], JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        char *text = json_text(value);
        assert_string_equal(text, texts[i]);
        free(text);
        json_decref(value);
    }
}

static void nan_and_infinity_are_no_values(void **state)
{
    struct point point = point_of("flow", POINT_FLOAT32, 0);
    (void)state;
    words[0] = 0x7FC0;
    words[1] = 0;
    assert_null(value_decode(&point, words, &error));
    assert_string_equal(error.text, "flow: the device holds NaN, which is no number");
    assert_false(value_within(&point, words, true, -1e9, true, 1e9));
    words[0] = 0xFF80;
    assert_null(value_decode(&point, words, &error));
    assert_string_equal(error.text, "flow: the device holds an infinite number");
}

static void a_bad_bcd_digit_is_no_value(void **state)
{
    struct point point = point_of("meter", POINT_BCD16, 0);
    (void)state;
    words[0] = 0x12A4;
    assert_null(value_decode(&point, words, &error));
    assert_string_equal(error.text, "meter: the device holds 0x12A4, which is no BCD number");
    assert_false(value_within(&point, words, false, 0, false, 0));
}

static void a_string_is_padded_and_cut_at_the_first_nul(void **state)
{
    struct point point = point_of("label", POINT_STRING, 0);
    (void)state;
    assert_round(&point, "\"Büro 1\"");
    assert_int_equal(words[3], '1' << 8);
    assert_round(&point, "\"12345678\"");
    assert_round(&point, "\"\"");
    point_order(&point, "BA");
    assert_round(&point, "\"AB\"");
    assert_int_equal(words[0], 0x4241);
    assert_refused(
        &point, "\"123456789\"", VALUE_E_RANGE,
        "label: a text of 9 bytes is above 8 bytes, the most that 4 registers can hold");
    assert_refused(&point, "5", VALUE_E_TYPE, "label: 5 is not a text");
    point_order(&point, "AB");
    words[0] = 0xC328;
    assert_null(value_decode(&point, words, &error));
    words[0] = 0x4100; /* what stands behind the NUL does not count */
    words[1] = 0xFFFF;
    assert_holds(&point, "\"A\"");
}

static void a_text_is_cut_between_characters(void **state)
{
    char text[] = "20 \xC2\xB0", euro[] = "1 \xE2\x82", whole[] = "1 \xE2\x82\xAC",
         ascii[] = "ab";
    (void)state;
    text_clip(text);
    assert_string_equal(text, "20 \xC2\xB0");
    text[4] = '\0';
    text_clip(text);
    assert_string_equal(text, "20 ");
    text_clip(euro);
    assert_string_equal(euro, "1 ");
    text_clip(whole);
    assert_string_equal(whole, "1 \xE2\x82\xAC");
    text_clip(ascii);
    assert_string_equal(ascii, "ab");
    text_clip(ascii + 2);
}

/* --- comparing --- */

static void readings_are_the_same_outside_the_field(void **state)
{
    struct point point = point_of("fan", POINT_UINT16, 0);
    uint16_t a = 0xFF5F, b = 0x0050, c = 0x0040;
    (void)state;
    point.bit_low = 4;
    point.bit_count = 3;
    assert_true(value_same(&point, &a, &b));
    assert_false(value_same(&point, &a, &c));
    assert_false(value_close(&point, &a, &c));
    point.tolerance = 1;
    assert_true(value_close(&point, &a, &c));
}

static void tolerance_counts_raw_steps(void **state)
{
    struct point point = point_of("p", POINT_INT16, 0);
    uint16_t a = 0xFFFF, b = 1, least = 0x8000, most = 0x7FFF;
    (void)state;
    point.tolerance = 2;
    assert_true(value_close(&point, &a, &b)); /* -1 and 1 */
    point.tolerance = 1;
    assert_false(value_close(&point, &a, &b));
    assert_false(value_close(&point, &least, &most));
    struct point real = point_of("f", POINT_FLOAT32, 0);
    uint16_t zero[2] = {0, 0}, minus[2] = {0x8000, 0}, next[2] = {0, 1};
    assert_false(value_same(&real, zero, minus));
    assert_true(value_close(&real, zero, minus));
    assert_false(value_close(&real, zero, next));
    real.tolerance = 1;
    assert_true(value_close(&real, minus, next));
}

static void within_compares_engineering_values(void **state)
{
    struct point point = point_of("p", POINT_INT16, 0);
    (void)state;
    point_scale(&point, 0.1, 0);
    words[0] = 215;
    assert_true(value_within(&point, words, true, 21.5, true, 21.5));
    assert_false(value_within(&point, words, true, 21.6, false, 0));
    assert_false(value_within(&point, words, false, 0, true, 21.4));
    struct point real = point_of("f", POINT_FLOAT32, 0);
    encode(&real, "21.7");
    assert_true(value_within(&real, words, true, 21.7, true, 21.7));
}

static void whole_numbers_compare_exactly_with_doubles(void **state)
{
    (void)state;
    struct raw big = {false, UINT64_MAX}, least = {true, UINT64_C(1) << 63};
    assert_true(raw_compare(big, 18446744073709551616.0) < 0);
    assert_true(raw_compare(big, 18446744073709549568.0) > 0);
    assert_int_equal(raw_compare(least, -9223372036854775808.0), 0);
    assert_true(raw_compare(least, -9223372036854777856.0) > 0);
    assert_true(raw_compare((struct raw){false, 1}, 1.5) < 0);
    assert_true(raw_compare((struct raw){true, 1}, -1.5) > 0);
    assert_true(raw_compare((struct raw){false, 0}, -0.5) > 0);
    assert_int_equal(raw_compare((struct raw){false, 0}, -0.0), 0);
    assert_true(raw_distance(big, least) == UINT64_MAX);
}

static void decimals_are_those_of_the_text(void **state)
{
    (void)state;
    assert_int_equal(value_decimals(1), 0);
    assert_int_equal(value_decimals(10), 0);
    assert_int_equal(value_decimals(0.1), 1);
    assert_int_equal(value_decimals(0.05), 2);
    assert_int_equal(value_decimals(-0.0625), 4);
    assert_int_equal(value_decimals(273.15), 2);
    assert_int_equal(value_decimals(1e-7), 7);
    assert_int_equal(value_decimals(1.0 / 3), 15);
    assert_int_equal(value_decimals(1e300), 0);
}

/* --- decode(encode(x)) = x --- */

static uint64_t seed = UINT64_C(0x9E3779B97F4A7C15);

static uint64_t any(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Any words of the type: they are decoded, encoded again, and must be the same words, and the
   same JSON text. */
static void check_round(const struct point *point)
{
    uint16_t before[4], after[4];
    struct raw raw, least, most;

    raw_limits(point, &least, &most);
    do {
        uint64_t bits = any() >> any() % 64;
        raw = (struct raw){least.negative && bits && any() % 2, bits};
        if (point->scaled && raw.size > UINT64_C(1) << 40)
            raw.size >>= 24; /* a double holds no more with decimals */
    } while (raw_order(raw, least) < 0 || raw_order(raw, most) > 0);
    raw_encode(point, raw, before);

    json_t *value = value_decode(point, before, &error);
    assert_non_null(value);
    if (value_encode(point, value, after, &error) != 0)
        fail_msg("%s", error.text);
    assert_memory_equal(before, after, 2 * (size_t)point->count);

    char *text = json_text(value);
    json_t *parsed = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(parsed);
    assert_int_equal(value_encode(point, parsed, after, &error), 0);
    assert_true(value_same(point, before, after));
    assert_true(value_close(point, before, after));
    free(text);
    json_decref(parsed);
    json_decref(value);
}

static void whole_numbers_come_back_in_all_types_orders_scales_and_bits(void **state)
{
    static const enum point_type types[] = {POINT_INT16,  POINT_UINT16, POINT_INT32,
                                            POINT_UINT32, POINT_INT64,  POINT_UINT64,
                                            POINT_BCD16,  POINT_BCD32};
    static const char *const orders[3][4] = {{"AB", "BA", "AB", "BA"},
                                             {"ABCD", "CDAB", "BADC", "DCBA"},
                                             {"ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA"}};
    static const double scales[] = {0, 1, 0.1, 0.01, 0.001, 0.05, 0.25, 0.0625, 10, -0.1, 0.3};
    static const double offsets[] = {0, -40, 273.15, 0.5};
    (void)state;
    for (size_t t = 0; t < sizeof(types) / sizeof(*types); t++) {
        for (size_t i = 0; i < 4 * 11 * 4 * 4; i++) {
            struct point point = point_of("p", types[t], 0);
            point_order(&point, orders[point.count / 2][i % 4]);
            if (scales[i / 4 % 11] != 0)
                point_scale(&point, scales[i / 4 % 11], offsets[i / 44 % 4]);
            if (point.count == 1 && i / 176) {
                point.bit_count = (uint8_t)(1 + any() % 16);
                point.bit_low = (uint8_t)(any() % (17 - point.bit_count));
            }
            for (size_t n = 0; n < 12; n++)
                check_round(&point);
        }
    }
}

static void floats_come_back_in_all_orders(void **state)
{
    static const char *const orders[] = {"ABCD", "CDAB", "BADC", "DCBA"};
    (void)state;
    for (size_t i = 0; i < 8000; i++) {
        struct point point = point_of("f", i % 2 ? POINT_FLOAT32 : POINT_FLOAT64, 0);
        uint16_t before[4], after[4];
        if (i % 2)
            point_order(&point, orders[i / 2 % 4]);
        if (i % 3 == 0)
            point_scale(&point, 0.1, 0);
        for (size_t w = 0; w < 4; w++)
            before[w] = (uint16_t)any();
        json_t *value = value_decode(&point, before, &error);
        if (!value)
            continue; /* NaN */
        if (value_encode(&point, value, after, &error) != 0)
            fail_msg("%s", error.text);
        point.tolerance = point.scaled ? 2 : 0; /* a double times 0.1 and back */
        bool lossy = point.scaled && fabs(json_real_value(value)) < DBL_MIN; /* subnormal */
        if (!lossy && !value_close(&point, before, after))
            fail_msg("case %zu: %.17g", i, json_real_value(value));
        json_decref(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_has_its_bytes_on_the_wire),
        cmocka_unit_test(each_type_takes_its_ends_and_nothing_beyond),
        cmocka_unit_test(integers_beyond_2_53_are_strings_of_digits),
        cmocka_unit_test(a_real_without_fraction_is_taken_for_an_integer),
        cmocka_unit_test(booleans_are_for_bits_only),
        cmocka_unit_test(a_bit_field_stands_in_its_place),
        cmocka_unit_test(halves_are_rounded_away_from_zero_in_decimal),
        cmocka_unit_test(a_scaled_number_has_the_decimals_of_its_scale),
        cmocka_unit_test(limits_name_point_value_limit_and_unit),
        cmocka_unit_test(limits_of_64_bits_are_exact),
        cmocka_unit_test(a_point_with_values_takes_names_only),
        cmocka_unit_test(a_float32_is_read_as_its_shortest_decimal),
        cmocka_unit_test(a_float64_keeps_its_ends),
        cmocka_unit_test(a_real_is_told_with_the_digits_that_it_takes),
        cmocka_unit_test(nan_and_infinity_are_no_values),
        cmocka_unit_test(a_bad_bcd_digit_is_no_value),
        cmocka_unit_test(a_string_is_padded_and_cut_at_the_first_nul),
        cmocka_unit_test(a_text_is_cut_between_characters),
        cmocka_unit_test(readings_are_the_same_outside_the_field),
        cmocka_unit_test(tolerance_counts_raw_steps),
        cmocka_unit_test(within_compares_engineering_values),
        cmocka_unit_test(whole_numbers_compare_exactly_with_doubles),
        cmocka_unit_test(decimals_are_those_of_the_text),
        cmocka_unit_test(whole_numbers_come_back_in_all_types_orders_scales_and_bits),
        cmocka_unit_test(floats_come_back_in_all_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
