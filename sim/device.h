/*
 * Device: one simulated unit, its registers, what it does when written to, and what it saw.
 *
 * Pure: time comes in as nanoseconds since the simulator's start. Answers follow Modbus
 * Application Protocol 1.1b3, section 6: functions 1-6, 15, 16, 22, 23, exceptions 1, 2, 3.
 * Its fields are open to the record (record.c) and to nobody else.
 */
#ifndef JOBGATE_SIM_DEVICE_H
#define JOBGATE_SIM_DEVICE_H

#include "sim/frame.h"
#include "sim/sim.h"

enum { SIM_WRITES_KEPT = 256 };

struct sim_cell {
    uint16_t address;
    uint16_t value;
};

struct sim_bank {
    struct sim_cell *cells; /* by address, no address twice */
    size_t count;
};

struct sim_write {
    int64_t at_ns;
    uint8_t function;
    enum sim_table table;
    uint16_t address;
    uint16_t count;
    uint16_t *values;
};

struct sim_device {
    const struct sim_unit *unit;
    struct sim_bank banks[SIM_TABLES];
    int64_t *reaction_ends; /* one a reaction, 0: not going on */
    int64_t silent_until;
    uint64_t requests;
    uint64_t reboots;
    uint64_t write_count;                     /* ever; the kept ones are the last */
    struct sim_write writes[SIM_WRITES_KEPT]; /* number n at n % SIM_WRITES_KEPT */
};

int sim_device_new(struct sim_device **ret, const struct sim_unit *unit);
void sim_device_free(struct sim_device *device);

/* Carries out one request; returns the length of the answer's PDU, 0 where it says nothing. */
size_t sim_device_ask(struct sim_device *device, int64_t now, const uint8_t *pdu, size_t count,
                      uint8_t reply[static SIM_PDU_MAX]);

/* Ends the reactions whose time is over; asking does it too. */
void sim_device_settle(struct sim_device *device, int64_t now);

/* One register's value, -1 where it does not exist. */
long sim_device_value(const struct sim_device *device, enum sim_table table, uint16_t address);

#endif
