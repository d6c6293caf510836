/*
 * Pty: a serial line that others open under a stable name, and the thread that plays it.
 *
 * open and close belong to the owner; play runs in the line's own thread until `stop` (an
 * eventfd) is readable.
 */
#ifndef JOBGATE_SIM_PTY_H
#define JOBGATE_SIM_PTY_H

#include "sim/group.h"

struct sim_pty;

/* `link` becomes a symlink to the terminal, whatever was there. 0 or negative errno. */
int sim_pty_open(struct sim_pty **ret, struct sim_group *group, const char *link, int stop);
void sim_pty_play(struct sim_pty *pty);
void sim_pty_close(struct sim_pty *pty); /* removes the symlink if it is still its own */

#endif
