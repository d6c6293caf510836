/* Any value for any point is refused with whole UTF-8, or is words that stand for it; and any
   words are no value, or a value that is taken again. */
#include <assert.h>

#include "../unit/fixture_point.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct point any_point(const uint8_t bytes[6])
{
    static const char *const orders[3][4] = {{"AB", "BA", "AB", "BA"},
                                             {"ABCD", "CDAB", "BADC", "DCBA"},
                                             {"ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA"}};
    static const double scales[] = {0.1, 0.05, 10, -0.1, 0.3, 1e-9, 1e9, 2.5};
    struct point point = point_of("p", (enum point_type)(bytes[0] % (POINT_STRING + 1)), 0);

    if (point.type != POINT_STRING)
        point_order(&point, orders[point.count / 2][bytes[1] % 4]);
    if (bytes[2] & 1)
        point_scale(&point, scales[bytes[2] / 2 % 8], bytes[2] & 16 ? -273.15 : 0);
    if (bytes[3] & 1 && point.count == 1) {
        point.bit_count = (uint8_t)(1 + bytes[3] / 2 % 16);
        point.bit_low = (uint8_t)(bytes[4] % (17 - point.bit_count));
    }
    point.has_max = bytes[5] & 1;
    point.max = bytes[5];
    return point;
}

static void decode_and_encode(const struct point *point, const uint16_t *words)
{
    uint16_t again[4] = {0};
    struct value_error error;
    json_t *value = value_decode(point, words, &error);

    if (!value)
        return;
    char *text = json_text(value);
    assert(text);
    free(text);
    (void)value_encode(point, value, again, &error);
    (void)value_close(point, words, again);
    (void)value_within(point, words, true, -1.5, true, 1e300);
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint16_t words[4] = {0};
    struct value_error error = {0};

    if (size < 6)
        return 0;
    struct point point = any_point(bytes);
    memcpy(words, bytes + 6, size - 6 < sizeof(words) ? size - 6 : sizeof(words));
    decode_and_encode(&point, words);

    json_t *value =
        json_loadb((const char *)bytes + 6, size - 6, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!value)
        return 0;
    if (value_encode(&point, value, words, &error) == 0) {
        json_t *back = value_decode(&point, words, &error);
        assert(back || point.type >= POINT_FLOAT32);
        json_decref(back);
    } else {
        json_t *text = json_string(error.text);
        assert(text && error.text[0]);
        json_decref(text);
    }
    json_decref(value);
    return 0;
}
