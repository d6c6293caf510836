/* Points made by hand, as a checked profile would hold them. */
#ifndef TESTS_UNIT_FIXTURE_POINT_H
#define TESTS_UNIT_FIXTURE_POINT_H

#include "site/value.h"

#include <string.h>

static inline void point_order(struct point *point, const char *letters)
{
    for (size_t i = 0; letters[i]; i++)
        point->order[i] = (uint8_t)(letters[i] - 'A');
}

/* A readable, verified state in holding registers, big-endian. */
static inline struct point point_of(const char *name, enum point_type type, uint16_t address)
{
    static const uint8_t counts[] = {
        [POINT_BOOL] = 1,    [POINT_INT16] = 1, [POINT_UINT16] = 1, [POINT_INT32] = 2,
        [POINT_UINT32] = 2,  [POINT_INT64] = 4, [POINT_UINT64] = 4, [POINT_FLOAT32] = 2,
        [POINT_FLOAT64] = 4, [POINT_BCD16] = 1, [POINT_BCD32] = 2,  [POINT_STRING] = 4,
    };
    struct point point = {
        .name = (char *)(uintptr_t)name,
        .property = (char *)(uintptr_t)name,
        .table = TABLE_HOLDING,
        .address = address,
        .count = counts[type],
        .type = type,
        .scale = 1.0,
        .readable = true,
        .writable = true,
        .verify = true,
        .verify_within_ms = 1000,
        .join = true,
    };
    point_order(&point, "ABCDEFGH");
    return point;
}

static inline void point_scale(struct point *point, double scale, double offset)
{
    uint8_t a = value_decimals(scale), b = value_decimals(offset);
    point->scaled = true;
    point->scale = scale;
    point->offset = offset;
    point->decimals = a > b ? a : b;
}

#endif
