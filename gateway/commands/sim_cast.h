/*
 * Cast: the devices of a site as the simulator plays them.
 *
 * Every register of every point exists, with a value that the profile allows. What a device
 * does comes from its methods: a trigger that is followed by an `expect` is a restart (the
 * device is silent, and the expected value holds afterwards, not before), any other write
 * followed by one makes the expected value hold at once. An `expect` before any write holds
 * from the beginning. Values are laid out by the simulator's own words, never by the gateway's
 * codec. The cast points into the site, which must outlive it.
 */
#ifndef JOBGATE_COMMANDS_SIM_CAST_H
#define JOBGATE_COMMANDS_SIM_CAST_H

#include "sim/sim.h"
#include "site/site.h"

/* One make of device, shared by all of them. */
struct sim_role {
    struct sim_register *registers;
    size_t register_count;
    struct sim_reaction *reactions; /* each owns its changes */
    size_t reaction_count;
};

struct sim_cast {
    struct sim_line *lines;
    struct sim_unit *units; /* in the order of the site's devices */
    struct sim_role *roles; /* in the order of its profiles */
    size_t role_count;
};

/* How long a restart takes without being told: 3 s, or half of what its method allows. */
enum { SIM_CAST_REBOOT_MS = 3000, SIM_CAST_REBOOT_DEFAULT = -1 };

int sim_cast_init(struct sim_cast *cast, const struct site *site,
                  int reboot_ms); /* 0, -ENOMEM */
void sim_cast_deinit(struct sim_cast *cast);

#endif
