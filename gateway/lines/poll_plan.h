/*
 * Poll plan: how the polled points of a profile are read in the fewest frames. Pure; one for
 * each profile, shared by its devices.
 *
 * Points of one table and one interval that lie close together are a block, read whole. A
 * device may refuse the registers between them: then the block is read in runs without holes,
 * and if it refuses these too, point by point. Which of the three is kept for each device.
 */
#ifndef JOBGATE_LINES_POLL_PLAN_H
#define JOBGATE_LINES_POLL_PLAN_H

#include "site/site.h"

enum poll_level { POLL_WHOLE = 0, POLL_RUNS = 1, POLL_POINTS = 2 };

struct poll_item {
    size_t point;      /* index in the profile */
    size_t first_word; /* where its words are kept among those of a device */
};

struct poll_block {
    uint32_t poll_ms;
    size_t first, count; /* of the items */
};

struct poll_plan {
    struct poll_item *items; /* sorted: block after block, ascending addresses */
    size_t item_count, word_count;
    struct poll_block *blocks;
    size_t block_count;
};

/* One frame's worth: the items' words stand at point.address - address in the answer. */
struct poll_read {
    enum table table;
    uint16_t address, count;
    size_t first, item_count;
};

/* Registers nobody wants that are read to spare a frame: a request, its answer, two silences
   and the usual 5 ms of a device take the time of some 29 characters, a register that of 2, a
   bit that of an eighth. */
enum { POLL_HOLE_REGISTERS = 12, POLL_HOLE_BITS = 120 };

/* 0, or -ENOMEM. A profile without polled points has a plan without blocks. */
int poll_plan_init(struct poll_plan *plan, const struct profile *profile);
void poll_plan_deinit(struct poll_plan *plan);

/* The nth read of a block at that level; false: there are no more. */
bool poll_plan_read(const struct poll_plan *plan, const struct profile *profile, size_t block,
                    enum poll_level level, size_t nth, struct poll_read *ret);
/* Is the level below any different for this block? */
enum poll_level poll_plan_lower(const struct poll_plan *plan, const struct profile *profile,
                                size_t block, enum poll_level level);

#endif
