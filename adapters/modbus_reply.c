/*
 * What a line said after a request: where the reply is in it, and whether it fits. Pure.
 *
 * libmodbus 3.1.6 takes what comes for the reply: it compares no echoed address or value, waits
 * for bytes that a stray byte in front made it expect, and leaves the rest for the next
 * request. So the reply is looked for here, by unit and checksum, and each byte of it is
 * compared.
 */
#include "adapters/modbus_frame.h"

#include <stdio.h>
#include <string.h>

enum { RTU_LEAST = 5 }; /* an exception: unit, function, code, checksum */

/* How long a serial reply is that begins so, checksum included; 0: none begins so. */
static size_t rtu_length(const uint8_t *bytes, size_t count)
{
    size_t length;

    if (count < 3)
        return RTU_LEAST;
    if (bytes[1] & MODBUS_EXCEPTION)
        return RTU_LEAST;
    switch (bytes[1]) {
    case MODBUS_READ_COILS:
    case MODBUS_READ_DISCRETES:
    case MODBUS_READ_HOLDINGS:
    case MODBUS_READ_INPUTS:
    case MODBUS_WRITE_READ:
        length = 3U + bytes[2] + RTU_AROUND;
        return length <= MODBUS_PLAIN_MAX + RTU_AROUND ? length : 0;
    case MODBUS_WRITE_COIL:
    case MODBUS_WRITE_REGISTER:
    case MODBUS_WRITE_COILS:
    case MODBUS_WRITE_REGISTERS:
        return 6 + RTU_AROUND;
    case MODBUS_MASK_WRITE:
        return 8 + RTU_AROUND;
    default:
        return 0;
    }
}

static bool rtu_whole(const uint8_t *bytes, size_t count, size_t *length)
{
    *length = rtu_length(bytes, count);
    if (*length == 0 || *length > count)
        return false;
    unsigned sum = bytes[*length - 2] | bytes[*length - 1] << 8;

    return rtu_checksum(bytes, *length - RTU_AROUND) == sum;
}

/* Is this the beginning of a frame whose end has not come? A direction switch may leave zero
   bytes in front, and no unit is 0. */
static bool rtu_begun(const uint8_t *bytes, size_t count)
{
    while (count > 0 && bytes[0] == 0) {
        bytes++;
        count--;
    }
    return count == 0 || rtu_length(bytes, count) > count;
}

static enum found_kind rtu_find(const struct exchange *exchange, const uint8_t *bytes,
                                size_t count, struct found *ret)
{
    size_t rest = 0; /* after the last whole frame */

    for (size_t at = 0; at + RTU_LEAST <= count;) {
        size_t length;

        if (!rtu_whole(bytes + at, count - at, &length)) {
            at++;
        } else if (bytes[at] == exchange->request[0]) {
            ret->skip = at;
            ret->length = length;
            return FOUND_REPLY;
        } else {
            ret->foreign++;
            ret->foreign_unit = bytes[at];
            at += length;
            rest = at;
        }
    }
    ret->skip = rest;
    return rtu_begun(bytes + rest, count - rest) ? FOUND_NOTHING : FOUND_GARBAGE;
}

/* All requests carry transaction 0 and there is no second one on its way, so any other header
   means that the stream is out of step. */
static enum found_kind tcp_find(const struct exchange *exchange, const uint8_t *bytes,
                                size_t count, struct found *ret)
{
    static const uint8_t head[4] = {0};

    if (memcmp(bytes, head, count < sizeof(head) ? count : sizeof(head)) != 0)
        return FOUND_GARBAGE;
    if (count < TCP_AROUND)
        return FOUND_NOTHING;
    size_t length = (size_t)(bytes[4] << 8 | bytes[5]);

    if (length < 3 || length > MODBUS_PLAIN_MAX)
        return FOUND_GARBAGE;
    if (count < TCP_AROUND + length)
        return FOUND_NOTHING;
    if (bytes[TCP_AROUND] != exchange->request[0]) {
        ret->foreign = 1;
        ret->foreign_unit = bytes[TCP_AROUND];
        return FOUND_GARBAGE;
    }
    ret->length = TCP_AROUND + length;
    return FOUND_REPLY;
}

enum found_kind exchange_find(const struct exchange *exchange, const uint8_t *bytes,
                              size_t count, struct found *ret)
{
    *ret = (struct found){0};
    return exchange->serial ? rtu_find(exchange, bytes, count, ret)
                            : tcp_find(exchange, bytes, count, ret);
}

static unsigned word_at(const uint8_t *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

#define SAY(answer, ...) snprintf((answer)->text, sizeof((answer)->text), __VA_ARGS__)

static void take_values(const struct exchange *exchange, const uint8_t *reply,
                        struct answer *answer)
{
    const uint8_t *values = reply + 3;
    bool bits = reply[1] == MODBUS_READ_COILS || reply[1] == MODBUS_READ_DISCRETES;
    unsigned count = word_at(exchange->request + 4);

    for (unsigned i = 0; i < count; i++)
        answer->words[i] = (uint16_t)(bits ? values[i / 8] >> i % 8 & 1
                                           : (int)word_at(values + (size_t)2 * i));
    answer->count = (uint16_t)count;
    answer->result = ANSWER_DONE;
}

static bool has_values(unsigned function)
{
    return function <= MODBUS_READ_INPUTS || function == MODBUS_WRITE_READ;
}

/* Functions 5, 6, 15 and 16 repeat the first six bytes of the request, 22 all of it. */
static void compare_echo(const struct exchange *exchange, const uint8_t *reply, size_t length,
                         struct answer *answer)
{
    const uint8_t *request = exchange->request;

    if (length != exchange->reply_length)
        SAY(answer, "%zu bytes in answer to function %u, which takes %u", length, request[1],
            (unsigned)exchange->reply_length);
    else if (word_at(reply + 2) != word_at(request + 2))
        SAY(answer, "the answer names address %u, asked was %u", word_at(reply + 2),
            word_at(request + 2));
    else if (memcmp(reply, request, length) != 0)
        SAY(answer, "the answer echoes 0x%04X, sent was 0x%04X", word_at(reply + length - 2),
            word_at(request + length - 2));
    else
        answer->result = ANSWER_DONE;
}

void exchange_judge(const struct exchange *exchange, const uint8_t *reply, size_t length,
                    struct answer *answer)
{
    const uint8_t *request = exchange->request;

    answer->result = ANSWER_BAD_REPLY;
    if (length < 3) {
        SAY(answer, "an answer of %zu bytes", length);
    } else if (reply[0] != request[0]) {
        SAY(answer, "unit %u answered, asked was unit %u", reply[0], request[0]);
    } else if (reply[1] == (request[1] | MODBUS_EXCEPTION) && length == 3) {
        answer->result = ANSWER_EXCEPTION;
        answer->exception = reply[2];
        SAY(answer, "exception %u, %s", reply[2], adapter_exception_words(reply[2]));
    } else if (reply[1] != request[1]) {
        SAY(answer, "function %u in the answer, asked was %u", reply[1], request[1]);
    } else if (!has_values(request[1])) {
        compare_echo(exchange, reply, length, answer);
    } else if (length != exchange->reply_length || reply[2] != length - 3) {
        SAY(answer, "the answer holds %u bytes of values, asked were %u", reply[2],
            exchange->reply_length - 3U);
    } else {
        take_values(exchange, reply, answer);
    }
}
