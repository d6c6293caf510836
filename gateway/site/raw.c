#include "site/raw.h"

#include <math.h>
#include <string.h>

#define TWO_TO_64 18446744073709551616.0

static const struct {
    const char *name;
    uint8_t bits; /* 0: as many as its registers have */
    bool is_signed, bcd;
} types[] = {
    [POINT_BOOL] = {"bool", 16, false, false},
    [POINT_INT16] = {"int16", 16, true, false},
    [POINT_UINT16] = {"uint16", 16, false, false},
    [POINT_INT32] = {"int32", 32, true, false},
    [POINT_UINT32] = {"uint32", 32, false, false},
    [POINT_INT64] = {"int64", 64, true, false},
    [POINT_UINT64] = {"uint64", 64, false, false},
    [POINT_FLOAT32] = {"float32", 32, false, false},
    [POINT_FLOAT64] = {"float64", 64, false, false},
    [POINT_BCD16] = {"bcd16", 16, false, true},
    [POINT_BCD32] = {"bcd32", 32, false, true},
    [POINT_STRING] = {"string", 0, false, false},
};

const char *point_type_name(enum point_type type)
{
    return types[type].name;
}

bool raw_is_coil(const struct point *point)
{
    return point->table == TABLE_COIL || point->table == TABLE_DISCRETE;
}

bool raw_is_whole(const struct point *point)
{
    return raw_is_coil(point) || (point->type != POINT_FLOAT32 &&
                                  point->type != POINT_FLOAT64 && point->type != POINT_STRING);
}

static unsigned width(const struct point *point)
{
    return point->bit_count ? point->bit_count : types[point->type].bits;
}

static uint64_t ones(unsigned count)
{
    return count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

/* The greatest BCD number in so many bits; the top digit may have fewer than four. */
static uint64_t bcd_most(unsigned bits)
{
    uint64_t ten = 1;
    for (unsigned i = 0; i < bits / 4; i++)
        ten *= 10;
    return ((UINT64_C(1) << bits % 4) - 1) * ten + ten - 1;
}

void raw_limits(const struct point *point, struct raw *least, struct raw *most)
{
    *least = (struct raw){false, 0};
    if (raw_is_coil(point) || point->type == POINT_BOOL) {
        *most = (struct raw){false, 1};
    } else if (types[point->type].bcd) {
        *most = (struct raw){false, bcd_most(width(point))};
    } else if (types[point->type].is_signed) {
        *most = (struct raw){false, ones(width(point) - 1)};
        *least = (struct raw){true, ones(width(point) - 1) + 1};
    } else {
        *most = (struct raw){false, ones(width(point))};
    }
}

struct raw raw_of(int64_t number)
{
    return (struct raw){number < 0, number < 0 ? ~(uint64_t)number + 1 : (uint64_t)number};
}

int raw_compare(struct raw raw, double number)
{
    if (raw.negative != (number < 0.0))
        return raw.negative ? -1 : 1;
    double size = fabs(number);
    int by_size = 0;
    if (size >= TWO_TO_64)
        by_size = -1;
    else if (raw.size != (uint64_t)size)
        by_size = raw.size < (uint64_t)size ? -1 : 1;
    else if (size > floor(size))
        by_size = -1;
    return raw.negative ? -by_size : by_size;
}

int raw_order(struct raw a, struct raw b)
{
    if (a.negative != b.negative)
        return a.negative ? -1 : 1;
    if (a.size == b.size)
        return 0;
    return (a.size < b.size) == a.negative ? 1 : -1;
}

double raw_double(struct raw raw)
{
    return raw.negative ? -(double)raw.size : (double)raw.size;
}

uint64_t raw_distance(struct raw a, struct raw b)
{
    if (a.negative == b.negative)
        return a.size > b.size ? a.size - b.size : b.size - a.size;
    return a.size > UINT64_MAX - b.size ? UINT64_MAX : a.size + b.size;
}

void raw_pack(const struct point *point, uint64_t bits, uint16_t *words)
{
    size_t size = 2 * (size_t)point->count;
    uint8_t value[8], wire[8] = {0};

    for (size_t i = 0; i < size; i++)
        value[i] = (uint8_t)(bits >> 8 * (size - 1 - i));
    for (size_t i = 0; i < size; i++)
        wire[i] = value[point->order[i] % size];
    for (size_t i = 0; i < point->count; i++)
        words[i] = (uint16_t)(wire[2 * i] << 8 | wire[2 * i + 1]);
}

uint64_t raw_unpack(const struct point *point, const uint16_t *words)
{
    size_t size = 2 * (size_t)point->count;
    uint8_t value[8] = {0};
    uint64_t bits = 0;

    for (size_t i = 0; i < size; i++)
        value[point->order[i] % size] = (uint8_t)(i % 2 ? words[i / 2] : words[i / 2] >> 8);
    for (size_t i = 0; i < size; i++)
        bits = bits << 8 | value[i];
    return bits;
}

static uint64_t bcd_of(uint64_t number)
{
    uint64_t bcd = 0;
    for (unsigned shift = 0; number; shift += 4, number /= 10)
        bcd |= number % 10 << shift;
    return bcd;
}

static bool number_of(uint64_t bcd, uint64_t *ret)
{
    uint64_t number = 0;
    for (int shift = 60; shift >= 0; shift -= 4) {
        if ((bcd >> shift & 15) > 9)
            return false;
        number = number * 10 + (bcd >> shift & 15);
    }
    *ret = number;
    return true;
}

void raw_encode(const struct point *point, struct raw raw, uint16_t *words)
{
    uint64_t bits = types[point->type].bcd ? bcd_of(raw.size) : raw.size;

    if (raw_is_coil(point)) {
        words[0] = raw.size != 0;
        return;
    }
    if (raw.negative)
        bits = ~bits + 1;
    raw_pack(point, (bits & ones(width(point))) << point->bit_low, words);
}

bool raw_decode(const struct point *point, const uint16_t *words, struct raw *raw)
{
    *raw = (struct raw){false, 0};
    if (raw_is_coil(point)) {
        raw->size = words[0] != 0;
        return true;
    }
    unsigned bits = width(point);
    raw->size = raw_unpack(point, words) >> point->bit_low & ones(bits);
    if (point->type == POINT_BOOL)
        raw->size = raw->size != 0;
    if (types[point->type].bcd)
        return number_of(raw->size, &raw->size);
    if (types[point->type].is_signed && raw->size >> (bits - 1)) {
        raw->negative = true;
        raw->size = (~raw->size + 1) & ones(bits);
    }
    return true;
}
