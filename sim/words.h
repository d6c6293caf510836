/*
 * Words: how a number lies in registers. The simulator's own, so that it does not agree with
 * the gateway's codec by using it; pure.
 */
#ifndef JOBGATE_SIM_WORDS_H
#define JOBGATE_SIM_WORDS_H

#include <stddef.h>
#include <stdint.h>

enum { SIM_WORDS_MAX = 4 };

enum sim_number { SIM_WHOLE, SIM_DECIMAL, SIM_FLOAT32, SIM_FLOAT64 };

struct sim_layout {
    enum sim_number number; /* SIM_DECIMAL: four bits a digit (BCD) */
    size_t words;           /* 1 to SIM_WORDS_MAX */
    const uint8_t *order;   /* which byte of the big-endian value is byte i on the wire */
};

/* A whole number, for every layout; negative ones in two's complement. */
void sim_words_whole(const struct sim_layout *layout, int64_t value, uint16_t *words);

/* A real number; rounded to the nearest where the layout holds whole ones. */
void sim_words_real(const struct sim_layout *layout, double value, uint16_t *words);

#endif
