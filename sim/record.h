/* Record: what the lines and devices saw, as JSON. The caller holds the group's lock. */
#pragma once

#include "sim/group.h"

void sim_record_add(json_t *lines, json_t *devices, struct sim_group *group);
