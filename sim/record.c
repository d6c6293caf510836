/* What the devices saw, as JSON: the dump. */
#include "sim/record.h"

#include <stdio.h>

static const char *const table_names[] = {
    [SIM_COIL] = "coil",
    [SIM_DISCRETE] = "discrete",
    [SIM_INPUT] = "input",
    [SIM_HOLDING] = "holding",
};

static json_t *tell_write(const struct sim_write *write)
{
    json_t *values = json_array();

    for (uint16_t i = 0; i < write->count; i++)
        json_array_append_new(values, json_integer(write->values[i]));
    return json_pack("{s:I, s:i, s:s, s:i, s:o}", "ms", (json_int_t)(write->at_ns / 1000000),
                     "function", write->function, "table", table_names[write->table], "address",
                     write->address, "values", values);
}

static json_t *tell_writes(const struct sim_device *device)
{
    json_t *writes = json_array();
    uint64_t kept =
        device->write_count < SIM_WRITES_KEPT ? device->write_count : SIM_WRITES_KEPT;

    for (uint64_t n = device->write_count - kept; n < device->write_count; n++)
        json_array_append_new(writes, tell_write(&device->writes[n % SIM_WRITES_KEPT]));
    return writes;
}

static json_t *tell_bank(const struct sim_bank *bank)
{
    json_t *registers = json_object();
    char address[8];

    for (size_t i = 0; i < bank->count; i++) {
        snprintf(address, sizeof(address), "%u", (unsigned)bank->cells[i].address);
        json_object_set_new(registers, address, json_integer(bank->cells[i].value));
    }
    return registers;
}

static json_t *tell_device(const struct sim_device *device, const struct sim_line *line)
{
    json_t *told = json_pack("{s:s, s:i, s:I, s:I, s:o, s:I}", "line", line->name, "unit",
                             (int)device->unit->unit, "requests", (json_int_t)device->requests,
                             "written", (json_int_t)device->write_count, "writes",
                             tell_writes(device), "reboots", (json_int_t)device->reboots);

    for (enum sim_table table = SIM_COIL; table < SIM_TABLES; table++)
        json_object_set_new(told, table_names[table], tell_bank(&device->banks[table]));
    return told;
}

static json_t *tell_line(const struct sim_group *group)
{
    const struct {
        const char *name;
        json_int_t value;
    } counts[] = {
        {"frames", (json_int_t)group->frames},
        {"broken_silence", (json_int_t)group->broken_silence},
        {"collisions", (json_int_t)group->collisions},
        {"garbage", (json_int_t)group->garbage},
        {"lost", (json_int_t)group->lost},
        {"corrupted", (json_int_t)group->corrupted},
        {"busy_us", group->busy_ns / 1000},
        {"first_us", group->first_ns / 1000},
        {"last_us", group->last_ns / 1000},
    };
    json_t *told = json_object();

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        json_object_set_new(told, counts[i].name, json_integer(counts[i].value));
    return told;
}

void sim_record_add(json_t *lines, json_t *devices, struct sim_group *group)
{
    json_object_set_new(lines, group->line->name, tell_line(group));
    for (size_t i = 0; i < group->count; i++) {
        sim_device_settle(group->devices[i], sim_group_now(group));
        json_object_set_new(devices, group->devices[i]->unit->id,
                            tell_device(group->devices[i], group->line));
    }
}
