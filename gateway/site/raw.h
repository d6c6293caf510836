/*
 * Raw: the whole number that stands in a point's registers, and its bytes on the wire.
 *
 * A raw number has a sign and a size, so that int64 and uint64 are both held exactly.
 * Registers are big-endian (Modbus Application Protocol 4.2); a value of several registers
 * follows the point's byte order. Pure; any thread.
 */
#ifndef JOBGATE_SITE_RAW_H
#define JOBGATE_SITE_RAW_H

#include "site/site.h"

struct raw {
    bool negative; /* never with size 0 */
    uint64_t size;
};

const char *point_type_name(enum point_type type); /* "int16", as in a profile */
bool raw_is_coil(const struct point *point);       /* one bit of a bit table */
bool raw_is_whole(const struct point *point);      /* neither a float nor a string */

/* The least and the most that type and bit field can hold. Whole numbers only. */
void raw_limits(const struct point *point, struct raw *least, struct raw *most);

struct raw raw_of(int64_t number);

/* Below 0, 0, above 0: like raw - number, exactly. */
int raw_compare(struct raw raw, double number);
int raw_order(struct raw a, struct raw b);
double raw_double(struct raw raw);
/* |a - b|, or UINT64_MAX where that is more */
uint64_t raw_distance(struct raw a, struct raw b);

/* The value's bits, shifted to its place, in wire order; and back. Up to 64 bits. */
void raw_pack(const struct point *point, uint64_t bits, uint16_t *words);
uint64_t raw_unpack(const struct point *point, const uint16_t *words);

/* The raw number must be within raw_limits(). */
void raw_encode(const struct point *point, struct raw raw, uint16_t *words);
/* false: a BCD digit above 9 */
bool raw_decode(const struct point *point, const uint16_t *words, struct raw *raw);

#endif
