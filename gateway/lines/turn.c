#include "lines/turn.h"

/* So often a rank is passed over at most. A job's step waits for at most three calls in a row;
   a poll may cost the rest a fortieth of the line, a silent device one time-out in a hundred
   operations. */
static const unsigned patience[RANK_COUNT] = {
    [RANK_URGENT] = 0, [RANK_STEP] = 3,  [RANK_READBACK] = 32, [RANK_REPEAT] = 48,
    [RANK_DEAD] = 100, [RANK_POLL] = 40, [RANK_PROBE] = 100,
};

enum rank turn_next(const struct turn *turn, unsigned ready)
{
    enum rank first = RANK_COUNT;

    for (enum rank rank = RANK_URGENT; rank < RANK_COUNT; rank++) {
        if (!(ready & 1u << rank))
            continue;
        if (first == RANK_COUNT)
            first = rank;
        else if (turn->passed[rank] >= patience[rank])
            return rank;
    }
    return first;
}

void turn_took(struct turn *turn, unsigned ready, enum rank taken)
{
    for (enum rank rank = RANK_URGENT; rank < RANK_COUNT; rank++) {
        if (rank == taken || !(ready & 1u << rank))
            turn->passed[rank] = 0;
        else if (rank > taken)
            turn->passed[rank]++;
    }
}
