/* Record: what the lines and devices saw, as JSON. The caller holds the group's lock. */
#ifndef JOBGATE_SIM_RECORD_H
#define JOBGATE_SIM_RECORD_H

#include "sim/group.h"

void sim_record_add(json_t *lines, json_t *devices, struct sim_group *group);

#endif
