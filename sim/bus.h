/*
 * Bus: a serial line's frames in time; pure, the pseudo-terminal is in pty.c.
 *
 * What a master wrote is put in as it was read, with the time; answers come out, whole, at the
 * moment their last character would be over. A late answer (a slow device) is delivered whole
 * even if a request ran into it: that is the dangerous case for a master. The caller holds the
 * group's lock.
 */
#ifndef JOBGATE_SIM_BUS_H
#define JOBGATE_SIM_BUS_H

#include "sim/group.h"

struct sim_answer {
    int64_t begins_ns; /* its first character on the wire */
    int64_t ends_ns;   /* its last one is over */
    size_t count;      /* 0: this device is not about to answer */
    uint8_t frame[SIM_FRAME_MAX];
};

struct sim_bus {
    struct sim_group *group;
    int64_t silence_ns;
    int64_t quiet_from_ns;      /* end of the last frame, the silence begins here */
    struct sim_answer *waiting; /* one for each device of the group, then one for its double */
    int64_t first_ns;           /* when the first byte of `bytes` came */
    int64_t last_ns;            /* when the last one came */
    size_t count;
    uint8_t bytes[2 * SIM_FRAME_MAX];
};

int sim_bus_init(struct sim_bus *bus, struct sim_group *group);
void sim_bus_deinit(struct sim_bus *bus);

void sim_bus_hear(struct sim_bus *bus, const uint8_t *bytes, size_t count, int64_t now);

/* When there is something to do without a new byte; INT64_MAX: never. */
int64_t sim_bus_next(const struct sim_bus *bus);

/* An answer that is due, and its length; 0: none. Also gives up what never became a request. */
size_t sim_bus_speak(struct sim_bus *bus, int64_t now, uint8_t frame[static SIM_FRAME_MAX]);

#endif
