#include "sim/words.h"

#include <string.h>

/* The lowest two bytes of `bits` for each word, most significant first, then in wire order. */
static void lay(const struct sim_layout *layout, uint64_t bits, uint16_t *words)
{
    size_t size = 2 * layout->words;
    uint8_t wire[2 * SIM_WORDS_MAX] = {0};

    for (size_t i = 0; i < size; i++) {
        size_t from = layout->order[i] % size;
        wire[i] = (uint8_t)(bits >> 8 * (size - 1 - from) & 0xff);
    }
    for (size_t i = 0; i < layout->words; i++)
        words[i] = (uint16_t)(wire[2 * i] << 8 | wire[2 * i + 1]);
}

static uint64_t decimal(int64_t value)
{
    uint64_t digits = 0;

    for (unsigned shift = 0; shift < 64 && value > 0; shift += 4, value /= 10)
        digits |= (uint64_t)(value % 10) << shift;
    return digits;
}

void sim_words_whole(const struct sim_layout *layout, int64_t value, uint16_t *words)
{
    if (layout->number == SIM_FLOAT32 || layout->number == SIM_FLOAT64)
        sim_words_real(layout, (double)value, words);
    else
        lay(layout, layout->number == SIM_DECIMAL ? decimal(value) : (uint64_t)value, words);
}

void sim_words_real(const struct sim_layout *layout, double value, uint16_t *words)
{
    uint64_t bits = 0;
    uint32_t half;
    float narrow = (float)value;

    switch (layout->number) {
    case SIM_FLOAT32:
        memcpy(&half, &narrow, sizeof(half));
        bits = half;
        break;
    case SIM_FLOAT64:
        memcpy(&bits, &value, sizeof(bits));
        break;
    case SIM_WHOLE:
    case SIM_DECIMAL:
        if (!(value > -9e18 && value < 9e18))
            value = 0; /* no number that these registers can hold */
        sim_words_whole(layout, (int64_t)(value < 0 ? value - 0.5 : value + 0.5), words);
        return;
    }
    lay(layout, bits, words);
}
