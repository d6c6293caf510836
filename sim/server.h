/*
 * Server: a Modbus TCP line on a loopback port of its own, several connections, many units.
 *
 * Source: Modbus Messaging on TCP/IP 1.0b. No pace but turnaround and slowness; a request for a
 * unit that is not there stays unanswered. The answers keep the request's transaction number.
 * open and close belong to the owner; play runs in the line's own thread until `stop` (an
 * eventfd) is readable.
 */
#ifndef JOBGATE_SIM_SERVER_H
#define JOBGATE_SIM_SERVER_H

#include "sim/group.h"

struct sim_server;

int sim_server_open(struct sim_server **ret, struct sim_group *group, int stop);
unsigned sim_server_port(const struct sim_server *server);
void sim_server_play(struct sim_server *server);
void sim_server_close(struct sim_server *server);

#endif
