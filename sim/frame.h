/*
 * Frame: Modbus RTU as seen by a device. Lengths, checksum, and time on the wire; pure.
 * Source: Modbus over Serial Line 1.02 (2.5.1), Modbus Application Protocol 1.1b3 (6).
 */
#ifndef JOBGATE_SIM_FRAME_H
#define JOBGATE_SIM_FRAME_H

#include <stddef.h>
#include <stdint.h>

enum {
    SIM_PDU_MAX = 253,
    SIM_FRAME_MAX = 256, /* unit, PDU, two bytes of checksum */
    SIM_FRAME_MIN = 4
};

/* Two bytes that the reader of a good frame finds at its end, the low one first on the wire. */
uint16_t sim_frame_checksum(const uint8_t *bytes, size_t count);

/* Writes unit, PDU and checksum; returns the number of characters. */
size_t sim_frame_build(uint8_t frame[static SIM_FRAME_MAX], uint8_t unit, const uint8_t *pdu,
                       size_t count);

/*
 * Characters of the request that begins here, from its function code and byte count; the least
 * possible while these are not there yet; 0 for a function of unknown shape.
 */
size_t sim_frame_length(const uint8_t *bytes, size_t count);

/* Where a whole request with a good checksum begins at or after `from`; -1: nowhere. */
long sim_frame_find(const uint8_t *bytes, size_t count, size_t from, size_t *length);

int64_t sim_frame_time_ns(size_t characters, unsigned baud, unsigned char_bits);
int64_t sim_frame_silence_ns(unsigned baud, unsigned char_bits); /* t35 */

#endif
