/*
 * Value: the codec between a point's engineering value in JSON and its raw words on the wire.
 * Pure; any thread.
 *
 * raw = round_half_away((value - offset) / scale); the range is checked on the raw number.
 * Binary noise in the decimals does not count: 21.45 at scale 0.1 is 214.5 and so 215.
 *
 * Booleans for coils, discretes and bool; names only where the point has `values`; whole
 * numbers for unscaled integers (21.0 is one); 64-bit integers also as a string of digits, and
 * read as one beyond 2^53. Floats and strings have no named values. Registers are big-endian on
 * the wire (Modbus Application Protocol 4.2); a value of several registers follows the point's
 * byte order.
 */
#ifndef JOBGATE_SITE_VALUE_H
#define JOBGATE_SITE_VALUE_H

#include "site/site.h"

enum {
    VALUE_E_TYPE = 1,  /* not a value of this kind at all: BadRequest */
    VALUE_E_RANGE = 2, /* outside min/max, the type, or the named values: OutOfRange */
};

struct value_error {
    char text[200]; /* "setpoint: 35.0 is above max 30.0 degC"; always whole UTF-8 */
};

/* `words` holds point->count entries (bits: 0 or 1). Of a bit field the word holds the field
   already shifted in place, the other bits zero: value_mask() says which. */
int value_encode(const struct point *point, const json_t *value, uint16_t *words,
                 struct value_error *error);
/* A new reference; NULL when the words are no value (a bad BCD digit, a NaN, no UTF-8), then
   `error` says why. */
json_t *value_decode(const struct point *point, const uint16_t *words,
                     struct value_error *error);

/* The bits that belong to the point in its (single) register: 0xFFFF for a whole one. */
uint16_t value_mask(const struct point *point);
/* Do two readings stand for the same raw value, bits outside the field ignored? */
bool value_same(const struct point *point, const uint16_t *a, const uint16_t *b);
/* ... or do they differ by at most point->tolerance raw steps (numbers only)? */
bool value_close(const struct point *point, const uint16_t *a, const uint16_t *b);
/* Is the value in words within [min, max], as `expect` with min/max asks? */
bool value_within(const struct point *point, const uint16_t *words, bool has_min, double min,
                  bool has_max, double max);

/* How many decimals a scale or an offset has, at most 15: 0.05 has 2. For point.decimals, which
   is the greater of the two. */
uint8_t value_decimals(double number);

/* JSON as jobgate sends it: compact, keys in order, each real with 15 significant digits, or as
   many more as it takes to be read as the same number. malloc'ed. */
char *json_text(const json_t *value);

#endif
