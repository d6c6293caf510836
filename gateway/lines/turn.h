/*
 * Turn: which kind of work a line does next. Lower ranks go first, and each of the others gets
 * its turn after it was passed over a number of times, so that nothing starves. Plain value,
 * pure; one for each line.
 */
#ifndef JOBGATE_LINES_TURN_H
#define JOBGATE_LINES_TURN_H

#include <stdbool.h>

/* Repeats and devices that do not answer come late, so that the live are done in the time of
   the live; polls give way to all that somebody waits for. */
enum rank {
    RANK_URGENT = 0,   /* a single call */
    RANK_STEP = 1,     /* of a job's task */
    RANK_READBACK = 2, /* of a value just written, or an expectation */
    RANK_REPEAT = 3,
    RANK_DEAD = 4, /* a task of a device that is known to be silent */
    RANK_POLL = 5,
    RANK_PROBE = 6, /* is a silent device back? */
    RANK_COUNT
};

struct turn {
    unsigned passed[RANK_COUNT]; /* how often it had work and another went first */
};

/* Bit n of `ready`: rank n has work. RANK_COUNT: none has. */
enum rank turn_next(const struct turn *turn, unsigned ready);
void turn_took(struct turn *turn, unsigned ready, enum rank taken);

#endif
