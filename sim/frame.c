#include "sim/frame.h"

#include <stdbool.h>
#include <string.h>

uint16_t sim_frame_checksum(const uint8_t *bytes, size_t count)
{
    unsigned sum = 0xffff;

    for (size_t i = 0; i < count; i++) {
        sum ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            sum = sum & 1 ? (sum >> 1) ^ 0xa001 : sum >> 1;
    }
    return (uint16_t)sum;
}

size_t sim_frame_build(uint8_t frame[static SIM_FRAME_MAX], uint8_t unit, const uint8_t *pdu,
                       size_t count)
{
    uint16_t sum;

    frame[0] = unit;
    memcpy(frame + 1, pdu, count);
    sum = sim_frame_checksum(frame, count + 1);
    frame[count + 1] = (uint8_t)(sum & 0xff);
    frame[count + 2] = (uint8_t)(sum >> 8);
    return count + 3;
}

size_t sim_frame_length(const uint8_t *bytes, size_t count)
{
    if (count < 2)
        return SIM_FRAME_MIN;
    switch (bytes[1]) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        return 8;
    case 15:
    case 16:
        return 9 + (size_t)(count > 6 ? bytes[6] : 0);
    case 22:
        return 10;
    case 23:
        return 13 + (size_t)(count > 10 ? bytes[10] : 0);
    default:
        return 0;
    }
}

static bool is_whole(const uint8_t *bytes, size_t length)
{
    uint16_t sum = sim_frame_checksum(bytes, length - 2);

    return bytes[length - 2] == (sum & 0xff) && bytes[length - 1] == sum >> 8;
}

long sim_frame_find(const uint8_t *bytes, size_t count, size_t from, size_t *length)
{
    for (size_t at = from; at + SIM_FRAME_MIN <= count; at++) {
        size_t need = sim_frame_length(bytes + at, count - at);

        if (need == 0 || need > SIM_FRAME_MAX || need > count - at ||
            !is_whole(bytes + at, need))
            continue;
        *length = need;
        return (long)at;
    }
    return -1;
}

int64_t sim_frame_time_ns(size_t characters, unsigned baud, unsigned char_bits)
{
    return (int64_t)characters * char_bits * 1000000000 / baud;
}

int64_t sim_frame_silence_ns(unsigned baud, unsigned char_bits)
{
    if (baud > 19200)
        return 1750000;
    return sim_frame_time_ns(7, baud, char_bits) / 2;
}
