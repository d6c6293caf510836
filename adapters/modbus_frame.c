#include "adapters/modbus_frame.h"

#include <assert.h>
#include <string.h>

static uint8_t high(unsigned word)
{
    return (uint8_t)(word >> 8 & 0xFF);
}

static uint8_t low(unsigned word)
{
    return (uint8_t)(word & 0xFF);
}

static void put_byte(struct exchange *exchange, unsigned byte)
{
    assert(exchange->length < sizeof(exchange->request));
    exchange->request[exchange->length++] = low(byte);
}

static void put_word(struct exchange *exchange, unsigned word)
{
    put_byte(exchange, high(word));
    put_byte(exchange, low(word));
}

static void put_registers(struct exchange *exchange, const struct operation *operation)
{
    put_byte(exchange, 2U * operation->count);
    for (unsigned i = 0; i < operation->count; i++)
        put_word(exchange, operation->words[i]);
}

/* Eight bits to a byte, the first one lowest (6.11). */
static void put_bits(struct exchange *exchange, const struct operation *operation)
{
    unsigned byte = 0;

    put_byte(exchange, (operation->count + 7U) / 8);
    for (unsigned i = 0; i < operation->count; i++) {
        if (operation->words[i])
            byte |= 1U << i % 8;
        if (i % 8 == 7 || i + 1U == operation->count) {
            put_byte(exchange, byte);
            byte = 0;
        }
    }
}

static bool is_bits(enum table table)
{
    return table == TABLE_COIL || table == TABLE_DISCRETE;
}

static unsigned read_function(enum table table)
{
    switch (table) {
    case TABLE_COIL:
        return MODBUS_READ_COILS;
    case TABLE_DISCRETE:
        return MODBUS_READ_DISCRETES;
    case TABLE_INPUT:
        return MODBUS_READ_INPUTS;
    case TABLE_HOLDING:
        break;
    }
    return MODBUS_READ_HOLDINGS;
}

static unsigned write_function(const struct operation *operation)
{
    if (operation->function)
        return operation->function;
    if (operation->table == TABLE_COIL)
        return operation->count == 1 ? MODBUS_WRITE_COIL : MODBUS_WRITE_COILS;
    return operation->count == 1 ? MODBUS_WRITE_REGISTER : MODBUS_WRITE_REGISTERS;
}

static const char *refuse_mask(const struct operation *operation)
{
    if (operation->table != TABLE_HOLDING)
        return "only holding registers have a mask";
    if (operation->function && operation->function != MODBUS_MASK_WRITE &&
        operation->function != MODBUS_WRITE_REGISTER &&
        operation->function != MODBUS_WRITE_REGISTERS)
        return "this function does not write a register";
    return NULL;
}

static const char *refuse_write(const struct operation *operation)
{
    bool one = operation->function == MODBUS_WRITE_COIL ||
               operation->function == MODBUS_WRITE_REGISTER;
    bool for_coils =
        operation->function == MODBUS_WRITE_COIL || operation->function == MODBUS_WRITE_COILS;
    bool for_registers = operation->function == MODBUS_WRITE_REGISTER ||
                         operation->function == MODBUS_WRITE_REGISTERS;

    if (operation->table != TABLE_COIL && operation->table != TABLE_HOLDING)
        return "only coils and holding registers can be written";
    if (operation->count > ADAPTER_WRITE_MAX && operation->table == TABLE_HOLDING)
        return "more than 123 registers in one write";
    if (operation->function && !for_coils && !for_registers)
        return "this function does not write";
    if (operation->function && for_coils != (operation->table == TABLE_COIL))
        return "this function writes another table";
    if (one && operation->count > 1)
        return "this function writes one value only";
    return NULL;
}

const char *operation_refuse(bool serial, const struct operation *operation)
{
    if (serial &&
        (operation->unit > 247 || (operation->unit == 0 && operation->kind != OPERATION_WRITE)))
        return "a serial bus has units 1 to 247, and 0 for a write to all";
    if (operation->kind == OPERATION_MASK)
        return refuse_mask(operation);
    if (operation->count == 0 || operation->count > ADAPTER_WORDS_MAX)
        return "the count must be 1 to 125";
    if (operation->address + operation->count > 0x10000)
        return "addresses end at 65535";
    if (operation->kind == OPERATION_WRITE)
        return refuse_write(operation);
    if (operation->kind == OPERATION_READ)
        return NULL;
    if (operation->table != TABLE_HOLDING || operation->count > MODBUS_WRITE_READ_MAX)
        return "function 23 writes 1 to 121 holding registers";
    if (operation->read_count == 0 || operation->read_count > ADAPTER_WORDS_MAX)
        return "function 23 reads 1 to 125 registers";
    if (operation->read_address + operation->read_count > 0x10000)
        return "addresses end at 65535";
    return NULL;
}

static void build_read(struct exchange *exchange, const struct operation *operation)
{
    unsigned bytes =
        is_bits(operation->table) ? (operation->count + 7U) / 8 : 2U * operation->count;

    put_byte(exchange, read_function(operation->table));
    put_word(exchange, operation->address);
    put_word(exchange, operation->count);
    exchange->reply_length = (uint16_t)(3 + bytes);
}

static void build_write(struct exchange *exchange, const struct operation *operation)
{
    unsigned function = write_function(operation);

    put_byte(exchange, function);
    put_word(exchange, operation->address);
    if (function == MODBUS_WRITE_COIL) {
        put_word(exchange, operation->words[0] ? 0xFF00 : 0);
    } else if (function == MODBUS_WRITE_REGISTER) {
        put_word(exchange, operation->words[0]);
    } else {
        put_word(exchange, operation->count);
        if (function == MODBUS_WRITE_COILS)
            put_bits(exchange, operation);
        else
            put_registers(exchange, operation);
    }
    exchange->reply_length = 6;
}

static void build_mask(struct exchange *exchange, const struct operation *operation)
{
    put_byte(exchange, MODBUS_MASK_WRITE);
    put_word(exchange, operation->address);
    put_word(exchange, operation->and_mask);
    put_word(exchange, operation->or_mask);
    exchange->reply_length = 8;
}

static void build_write_read(struct exchange *exchange, const struct operation *operation)
{
    put_byte(exchange, MODBUS_WRITE_READ);
    put_word(exchange, operation->read_address);
    put_word(exchange, operation->read_count);
    put_word(exchange, operation->address);
    put_word(exchange, operation->count);
    put_registers(exchange, operation);
    exchange->reply_length = (uint16_t)(3 + 2 * operation->read_count);
}

void exchange_build(struct exchange *ret, bool serial, const struct operation *operation)
{
    assert(!operation_refuse(serial, operation) && !mask_needs_two(operation));
    *ret = (struct exchange){.serial = serial, .writes = operation->kind != OPERATION_READ};
    put_byte(ret, operation->unit);
    switch (operation->kind) {
    case OPERATION_READ:
        build_read(ret, operation);
        break;
    case OPERATION_WRITE:
        build_write(ret, operation);
        break;
    case OPERATION_MASK:
        build_mask(ret, operation);
        break;
    case OPERATION_WRITE_READ:
        build_write_read(ret, operation);
        break;
    }
}

bool mask_needs_two(const struct operation *operation)
{
    return operation->kind == OPERATION_MASK && operation->function != MODBUS_MASK_WRITE;
}

struct operation mask_read(const struct operation *operation)
{
    return (struct operation){.kind = OPERATION_READ,
                              .table = operation->table,
                              .unit = operation->unit,
                              .address = operation->address,
                              .count = 1};
}

struct operation mask_write(const struct operation *operation, uint16_t before)
{
    unsigned value =
        (before & operation->and_mask) | (operation->or_mask & ~operation->and_mask);

    return (struct operation){.kind = OPERATION_WRITE,
                              .table = operation->table,
                              .unit = operation->unit,
                              .function = operation->function,
                              .address = operation->address,
                              .count = 1,
                              .words = {(uint16_t)(value & 0xFFFF)}};
}

uint16_t rtu_checksum(const uint8_t *bytes, size_t count)
{
    unsigned sum = 0xFFFF;

    for (size_t i = 0; i < count; i++) {
        sum ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            sum = sum & 1 ? sum >> 1 ^ 0xA001 : sum >> 1;
    }
    return (uint16_t)sum;
}

void exchange_frame(const struct exchange *exchange, struct frame *ret)
{
    uint8_t *at = ret->bytes;

    if (!exchange->serial) { /* transaction and protocol 0, then the length */
        memset(at, 0, 4);
        at[4] = high(exchange->length);
        at[5] = low(exchange->length);
        at += TCP_AROUND;
    }
    memcpy(at, exchange->request, exchange->length);
    at += exchange->length;
    if (exchange->serial) {
        unsigned sum = rtu_checksum(exchange->request, exchange->length);

        *at++ = low(sum);
        *at++ = high(sum);
    }
    ret->length = (uint16_t)(at - ret->bytes);
}

size_t exchange_reply_bytes(const struct exchange *exchange)
{
    return exchange->reply_length + (exchange->serial ? (size_t)RTU_AROUND : TCP_AROUND);
}

struct pace pace_of(bool serial, const struct adapter_settings *settings)
{
    int64_t bits = 1 + 8 + (settings->parity != 'N') + settings->stop_bits;

    if (!serial || settings->baud == 0)
        return (struct pace){0};
    int64_t character_ns = (bits * 1000000000 + settings->baud - 1) / settings->baud;

    return (struct pace){
        .character_ns = character_ns,
        .silence_us = settings->baud > 19200 ? 1750 : (character_ns * 7 / 2 + 999) / 1000};
}

int64_t pace_us(struct pace pace, size_t bytes)
{
    return ((int64_t)bytes * pace.character_ns + 999) / 1000;
}

static void add_cost(struct frame_cost *cost, struct pace pace, bool serial,
                     const struct operation *operation)
{
    struct exchange exchange;
    size_t nth = cost->count;

    exchange_build(&exchange, serial, operation);
    exchange_frame(&exchange, &cost->frames[nth]);
    cost->reply_bytes[nth] = exchange_reply_bytes(&exchange);
    cost->least_us += pace_us(pace, cost->frames[nth].length + cost->reply_bytes[nth]);
    cost->least_us += pace.silence_us * (nth ? 2 : 1); /* within it, and between the two */
    cost->count++;
}

void exchange_cost(bool serial, const struct adapter_settings *settings,
                   const struct operation *operation, struct frame_cost *cost)
{
    struct pace pace = pace_of(serial, settings);

    *cost = (struct frame_cost){0};
    if (operation_refuse(serial, operation))
        return;
    if (!mask_needs_two(operation)) {
        add_cost(cost, pace, serial, operation);
        return;
    }
    struct operation read = mask_read(operation);
    struct operation write = mask_write(operation, 0);

    write.words[0] = operation->or_mask;
    add_cost(cost, pace, serial, &read);
    add_cost(cost, pace, serial, &write);
}
