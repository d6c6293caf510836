#include "sim/device.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum exception { NONE = 0, ILLEGAL_FUNCTION = 1, ILLEGAL_ADDRESS = 2, ILLEGAL_VALUE = 3 };

enum { EVERY_FUNCTION = 0x7e | 1 << 15 | 1 << 16 | 1 << 22 | 1 << 23 };

struct request {
    struct sim_device *device;
    int64_t now;
    enum sim_table table;
    const uint8_t *pdu;
    size_t count;
    uint8_t *reply; /* its function code is already there */
    size_t reply_count;
};

static uint16_t word(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void put_word(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)(value & 0xff);
}

static int by_address(const void *left, const void *right)
{
    const struct sim_cell *a = left, *b = right;

    return (a->address > b->address) - (a->address < b->address);
}

/* The cells first .. first + count - 1, or NULL where one of them does not exist. */
static struct sim_cell *cells(const struct sim_device *device, enum sim_table table,
                              unsigned first, unsigned count)
{
    const struct sim_bank *bank = &device->banks[table];
    struct sim_cell key = {.address = (uint16_t)first};
    struct sim_cell *found;
    size_t index;

    if (bank->count == 0 || first + count > 0x10000)
        return NULL;
    found = bsearch(&key, bank->cells, bank->count, sizeof(key), by_address);
    if (!found)
        return NULL;
    index = (size_t)(found - bank->cells);
    if (index + count > bank->count || found[count - 1].address != first + count - 1)
        return NULL;
    return found;
}

static void change_registers(struct sim_device *device, const struct sim_reaction *reaction,
                             bool over)
{
    for (size_t i = 0; i < reaction->change_count; i++) {
        const struct sim_change *change = &reaction->changes[i];
        struct sim_cell *cell = cells(device, change->table, change->address, 1);
        uint16_t mask = change->mask ? change->mask : 0xffff;
        uint16_t value = over ? change->after : change->during;

        if (cell)
            cell->value = (uint16_t)((cell->value & ~mask) | (value & mask));
    }
}

static void react(struct request *request, struct sim_cell *cell)
{
    struct sim_device *device = request->device;
    uint16_t written = cell->value;
    bool silent = false;

    for (size_t i = 0; i < device->unit->reaction_count; i++) {
        const struct sim_reaction *reaction = &device->unit->reactions[i];
        int64_t ends = request->now + 1 + (int64_t)reaction->silent_ms * 1000000;

        if (reaction->table != request->table || reaction->address != cell->address ||
            ((written ^ reaction->value) & reaction->mask) != 0)
            continue;
        cell->value &= (uint16_t)~reaction->clears;
        change_registers(device, reaction, false);
        device->reaction_ends[i] = ends;
        silent = silent || reaction->silent_ms > 0;
        if (reaction->silent_ms > 0 && ends > device->silent_until)
            device->silent_until = ends;
    }
    device->reboots += silent;
}

/* Remembers the write and lets the device react. The cells hold the new values already. */
static void wrote(struct request *request, struct sim_cell *first, uint16_t count)
{
    struct sim_device *device = request->device;
    struct sim_write *write = &device->writes[device->write_count % SIM_WRITES_KEPT];

    free(write->values);
    *write = (struct sim_write){.at_ns = request->now,
                                .function = request->pdu[0],
                                .table = request->table,
                                .address = first->address,
                                .values = calloc(count, sizeof(*write->values))};
    for (uint16_t i = 0; write->values && i < count; i++, write->count++)
        write->values[i] = first[i].value;
    device->write_count++;
    for (uint16_t i = 0; i < count; i++)
        react(request, &first[i]);
}

static void echo(struct request *request, size_t count)
{
    memcpy(request->reply, request->pdu, count);
    request->reply_count = count;
}

static unsigned max_read(const struct request *request)
{
    unsigned limit = request->device->unit->max_read;

    return limit ? limit : 125;
}

static unsigned max_write(const struct request *request, unsigned protocol)
{
    unsigned limit = request->device->unit->max_write;

    return limit && limit < protocol ? limit : protocol;
}

static enum exception read_bits(struct request *request)
{
    unsigned count;
    const struct sim_cell *from;

    if (request->count != 5)
        return ILLEGAL_VALUE;
    count = word(request->pdu + 3);
    if (count < 1 || count > 2000)
        return ILLEGAL_VALUE;
    from = cells(request->device, request->table, word(request->pdu + 1), count);
    if (!from)
        return ILLEGAL_ADDRESS;
    request->reply[1] = (uint8_t)((count + 7) / 8);
    request->reply_count = 2 + (size_t)request->reply[1];
    memset(request->reply + 2, 0, request->reply[1]);
    for (unsigned i = 0; i < count; i++)
        if (from[i].value)
            request->reply[2 + i / 8] |= (uint8_t)(1 << i % 8);
    return NONE;
}

static void give_words(struct request *request, const struct sim_cell *from, unsigned count)
{
    request->reply[1] = (uint8_t)(2 * count);
    for (unsigned i = 0; i < count; i++)
        put_word(request->reply + 2 + 2 * (size_t)i, from[i].value);
    request->reply_count = 2 + 2 * (size_t)count;
}

static enum exception read_words(struct request *request)
{
    unsigned count;
    const struct sim_cell *from;

    if (request->count != 5)
        return ILLEGAL_VALUE;
    count = word(request->pdu + 3);
    if (count < 1 || count > max_read(request))
        return ILLEGAL_VALUE;
    from = cells(request->device, request->table, word(request->pdu + 1), count);
    if (!from)
        return ILLEGAL_ADDRESS;
    give_words(request, from, count);
    return NONE;
}

static enum exception write_coil(struct request *request)
{
    struct sim_cell *cell;
    uint16_t value;

    if (request->count != 5)
        return ILLEGAL_VALUE;
    value = word(request->pdu + 3);
    if (value != 0x0000 && value != 0xff00)
        return ILLEGAL_VALUE;
    cell = cells(request->device, SIM_COIL, word(request->pdu + 1), 1);
    if (!cell)
        return ILLEGAL_ADDRESS;
    cell->value = value != 0;
    wrote(request, cell, 1);
    echo(request, 5);
    return NONE;
}

static enum exception write_word(struct request *request)
{
    struct sim_cell *cell;

    if (request->count != 5)
        return ILLEGAL_VALUE;
    cell = cells(request->device, SIM_HOLDING, word(request->pdu + 1), 1);
    if (!cell)
        return ILLEGAL_ADDRESS;
    cell->value = word(request->pdu + 3);
    wrote(request, cell, 1);
    echo(request, 5);
    return NONE;
}

static enum exception write_coils(struct request *request)
{
    struct sim_cell *to;
    unsigned count;

    if (request->count < 7)
        return ILLEGAL_VALUE;
    count = word(request->pdu + 3);
    if (count < 1 || count > 1968 || request->pdu[5] != (count + 7) / 8 ||
        request->count != 6 + (size_t)request->pdu[5])
        return ILLEGAL_VALUE;
    to = cells(request->device, SIM_COIL, word(request->pdu + 1), count);
    if (!to)
        return ILLEGAL_ADDRESS;
    for (unsigned i = 0; i < count; i++)
        to[i].value = request->pdu[6 + i / 8] >> i % 8 & 1;
    wrote(request, to, (uint16_t)count);
    echo(request, 5);
    return NONE;
}

static enum exception write_words(struct request *request)
{
    struct sim_cell *to;
    unsigned count;

    if (request->count < 8)
        return ILLEGAL_VALUE;
    count = word(request->pdu + 3);
    if (count < 1 || count > max_write(request, 123) || request->pdu[5] != 2 * count ||
        request->count != 6 + 2 * (size_t)count)
        return ILLEGAL_VALUE;
    to = cells(request->device, SIM_HOLDING, word(request->pdu + 1), count);
    if (!to)
        return ILLEGAL_ADDRESS;
    for (unsigned i = 0; i < count; i++)
        to[i].value = word(request->pdu + 6 + 2 * (size_t)i);
    wrote(request, to, (uint16_t)count);
    echo(request, 5);
    return NONE;
}

static enum exception mask_word(struct request *request)
{
    struct sim_cell *cell;
    uint16_t keep, set;

    if (request->count != 7)
        return ILLEGAL_VALUE;
    cell = cells(request->device, SIM_HOLDING, word(request->pdu + 1), 1);
    if (!cell)
        return ILLEGAL_ADDRESS;
    keep = word(request->pdu + 3);
    set = word(request->pdu + 5);
    cell->value = (uint16_t)((cell->value & keep) | (set & ~keep));
    wrote(request, cell, 1);
    echo(request, 7);
    return NONE;
}

/* The write comes before the read (6.17), so the answer shows what the write did. */
static enum exception write_and_read(struct request *request)
{
    const struct sim_cell *from;
    struct sim_cell *to;
    unsigned reads, writes;

    if (request->count < 12)
        return ILLEGAL_VALUE;
    reads = word(request->pdu + 3);
    writes = word(request->pdu + 7);
    if (reads < 1 || reads > max_read(request) || writes < 1 ||
        writes > max_write(request, 121) || request->pdu[9] != 2 * writes ||
        request->count != 10 + 2 * (size_t)writes)
        return ILLEGAL_VALUE;
    from = cells(request->device, SIM_HOLDING, word(request->pdu + 1), reads);
    to = cells(request->device, SIM_HOLDING, word(request->pdu + 5), writes);
    if (!from || !to)
        return ILLEGAL_ADDRESS;
    for (unsigned i = 0; i < writes; i++)
        to[i].value = word(request->pdu + 10 + 2 * (size_t)i);
    wrote(request, to, (uint16_t)writes);
    give_words(request, from, reads);
    return NONE;
}

static const struct {
    uint8_t function;
    enum sim_table table;
    enum exception (*answer)(struct request *request);
} answers[] = {
    {1, SIM_COIL, read_bits},     {2, SIM_DISCRETE, read_bits},
    {3, SIM_HOLDING, read_words}, {4, SIM_INPUT, read_words},
    {5, SIM_COIL, write_coil},    {6, SIM_HOLDING, write_word},
    {15, SIM_COIL, write_coils},  {16, SIM_HOLDING, write_words},
    {22, SIM_HOLDING, mask_word}, {23, SIM_HOLDING, write_and_read},
};

static enum exception answer(struct request *request)
{
    uint8_t function = request->pdu[0];
    uint32_t has = request->device->unit->functions;

    if (request->device->unit->exception)
        return (enum exception)request->device->unit->exception;
    if (function > 31 || !((has ? has : EVERY_FUNCTION) >> function & 1))
        return ILLEGAL_FUNCTION;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        if (answers[i].function != function)
            continue;
        request->table = answers[i].table;
        return answers[i].answer(request);
    }
    return ILLEGAL_FUNCTION;
}

size_t sim_device_ask(struct sim_device *device, int64_t now, const uint8_t *pdu, size_t count,
                      uint8_t reply[static SIM_PDU_MAX])
{
    struct request request = {
        .device = device, .now = now, .pdu = pdu, .count = count, .reply = reply};
    enum exception exception;

    sim_device_settle(device, now);
    if (count == 0 || device->unit->dead || now < device->silent_until)
        return 0;
    device->requests++;
    reply[0] = pdu[0];
    exception = answer(&request);
    if (exception == NONE)
        return request.reply_count;
    reply[0] = (uint8_t)(pdu[0] | 0x80);
    reply[1] = (uint8_t)exception;
    return 2;
}

void sim_device_settle(struct sim_device *device, int64_t now)
{
    for (size_t i = 0; i < device->unit->reaction_count; i++) {
        const struct sim_reaction *reaction = &device->unit->reactions[i];

        if (device->reaction_ends[i] == 0 || device->reaction_ends[i] > now)
            continue;
        device->reaction_ends[i] = 0;
        change_registers(device, reaction, true);
    }
}

long sim_device_value(const struct sim_device *device, enum sim_table table, uint16_t address)
{
    const struct sim_cell *cell = cells(device, table, address, 1);

    return cell ? cell->value : -1;
}

static int fill_bank(struct sim_bank *bank, const struct sim_unit *unit, enum sim_table table)
{
    size_t kept = 0;

    bank->cells = calloc(unit->register_count + 1, sizeof(*bank->cells));
    if (!bank->cells)
        return -ENOMEM;
    for (size_t i = 0; i < unit->register_count; i++) {
        const struct sim_register *source = &unit->registers[i];
        if (source->table == table)
            bank->cells[bank->count++] = (struct sim_cell){source->address, source->value};
    }
    qsort(bank->cells, bank->count, sizeof(*bank->cells), by_address);
    for (size_t i = 0; i < bank->count; i++)
        if (kept == 0 || bank->cells[kept - 1].address != bank->cells[i].address)
            bank->cells[kept++] = bank->cells[i];
    bank->count = kept;
    return 0;
}

int sim_device_new(struct sim_device **ret, const struct sim_unit *unit)
{
    struct sim_device *device = calloc(1, sizeof(*device));

    if (!device)
        return -ENOMEM;
    device->unit = unit;
    device->reaction_ends = calloc(unit->reaction_count + 1, sizeof(*device->reaction_ends));
    if (!device->reaction_ends)
        goto fail;
    for (enum sim_table table = SIM_COIL; table < SIM_TABLES; table++)
        if (fill_bank(&device->banks[table], unit, table) < 0)
            goto fail;
    *ret = device;
    return 0;
fail:
    sim_device_free(device);
    return -ENOMEM;
}

void sim_device_free(struct sim_device *device)
{
    if (!device)
        return;
    for (size_t i = 0; i < SIM_WRITES_KEPT; i++)
        free(device->writes[i].values);
    for (size_t i = 0; i < SIM_TABLES; i++)
        free(device->banks[i].cells);
    free(device->reaction_ends);
    free(device);
}
