/*
 * Modbus frame: the bytes of requests and replies, what they mean and what they cost. Pure.
 *
 * An exchange is one request and the reply that fits it, both as unit, function and data; the
 * checksum of a serial frame and the header of a TCP one are around it ("framed").
 * Numbers: Modbus Application Protocol 1.1b3, section 6; Modbus over Serial Line 1.02, 2.5.1.1;
 * Modbus Messaging on TCP/IP 1.0b, 3.1.3.
 */
#ifndef JOBGATE_ADAPTERS_MODBUS_FRAME_H
#define JOBGATE_ADAPTERS_MODBUS_FRAME_H

#include "adapters/adapter.h"

enum {
    MODBUS_READ_COILS = 1,
    MODBUS_READ_DISCRETES = 2,
    MODBUS_READ_HOLDINGS = 3,
    MODBUS_READ_INPUTS = 4,
    MODBUS_WRITE_COIL = 5,
    MODBUS_WRITE_REGISTER = 6,
    MODBUS_WRITE_COILS = 15,
    MODBUS_WRITE_REGISTERS = 16,
    MODBUS_MASK_WRITE = 22,
    MODBUS_WRITE_READ = 23,
    MODBUS_EXCEPTION = 0x80,     /* added to the function of a request that was refused */
    MODBUS_WRITE_READ_MAX = 121, /* registers that function 23 writes (6.17) */
    MODBUS_PLAIN_MAX = 254,      /* unit, function and data */
    RTU_AROUND = 2,              /* bytes of the checksum */
    TCP_AROUND = 6,              /* bytes of the header before the unit */
    TCP_MOST = 260,
};

struct exchange {
    bool serial;
    bool writes;
    uint16_t length; /* of `request` */
    uint8_t request[MODBUS_PLAIN_MAX];
    uint16_t reply_length; /* of the reply that fits */
};

/* NULL; or why the protocol has no such request. */
const char *operation_refuse(bool serial, const struct operation *operation);

/* Of an operation that is not refused. A MASK without function 22 is two exchanges: build them
   from mask_read() and mask_write(). */
void exchange_build(struct exchange *ret, bool serial, const struct operation *operation);
bool mask_needs_two(const struct operation *operation);
struct operation mask_read(const struct operation *operation);
struct operation mask_write(const struct operation *operation, uint16_t before);

void exchange_frame(const struct exchange *exchange,
                    struct frame *ret);                       /* the request, framed */
size_t exchange_reply_bytes(const struct exchange *exchange); /* of the fitting reply, framed */
uint16_t rtu_checksum(const uint8_t *bytes, size_t count);

enum found_kind {
    FOUND_NOTHING, /* no byte, or the beginning of something: more must come */
    FOUND_GARBAGE, /* bytes that are no frame, and not the beginning of one either */
    FOUND_REPLY,   /* a whole frame of the unit that was asked, checksum right */
};

struct found {
    size_t skip;      /* bytes before it: frames of other units, noise */
    size_t length;    /* FOUND_REPLY: framed */
    uint16_t foreign; /* whole frames of other units among what is skipped */
    uint8_t foreign_unit;
};

/* Looks for the reply of `exchange` in what the line has said since the request. */
enum found_kind exchange_find(const struct exchange *exchange, const uint8_t *bytes,
                              size_t count, struct found *ret);

/* Compares every byte of a reply (unit, function, data) with its request; fills result,
   exception, count, words and text of `answer`. */
void exchange_judge(const struct exchange *exchange, const uint8_t *reply, size_t length,
                    struct answer *answer);

/* The speed of a line: one character (11 bits with parity or two stop bits), and 3.5 of them.
 */
struct pace {
    int64_t character_ns;
    int64_t silence_us;
};

struct pace pace_of(bool serial, const struct adapter_settings *settings);
int64_t pace_us(struct pace pace, size_t bytes); /* rounded up */

void exchange_cost(bool serial, const struct adapter_settings *settings,
                   const struct operation *operation, struct frame_cost *cost);

#endif
