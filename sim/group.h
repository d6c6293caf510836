/*
 * Group: the devices of one line, its luck, and what was counted on it.
 *
 * The line's thread and the one that asks for the record share it, so each of them holds `lock`
 * while it touches anything here or a device. Time is nanoseconds since the simulator's start.
 */
#ifndef JOBGATE_SIM_GROUP_H
#define JOBGATE_SIM_GROUP_H

#include "sim/device.h"

#include <pthread.h>

struct sim_group {
    const struct sim_line *line;
    const struct sim_settings *settings;
    struct timespec start;
    pthread_mutex_t lock; /* guards the rest */
    struct sim_device **devices;
    size_t count;
    uint64_t luck;
    uint64_t frames;         /* requests, for whomever */
    uint64_t broken_silence; /* of these, begun before t35 was over */
    uint64_t collisions;     /* of these, begun while an answer was on the wire */
    uint64_t garbage;        /* characters that belong to no request */
    uint64_t lost;           /* requests and answers dropped on purpose */
    uint64_t corrupted;
    int64_t busy_ns;  /* sum of the transactions, as sim.h defines their time */
    int64_t first_ns; /* begin of the first frame */
    int64_t last_ns;  /* end of the last one */
};

int sim_group_init(struct sim_group *group, const struct sim_settings *settings, size_t line,
                   const struct timespec *start);
void sim_group_deinit(struct sim_group *group);

int64_t sim_group_now(const struct sim_group *group); /* needs no lock */

/* The device's place in the group, -1: nobody has this number. */
long sim_group_find(const struct sim_group *group, unsigned unit);

/* One request to one device, with the line's losses; 0: no answer. */
size_t sim_group_ask(struct sim_group *group, size_t device, int64_t now, const uint8_t *pdu,
                     size_t count, uint8_t reply[static SIM_PDU_MAX]);

/* A broadcast: every device that lives obeys, nobody answers. */
void sim_group_tell_all(struct sim_group *group, int64_t now, const uint8_t *pdu, size_t count);

/* Changes one byte, where the line's luck says so. */
void sim_group_corrupt(struct sim_group *group, uint8_t *bytes, size_t count);

#endif
