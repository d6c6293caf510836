/* The register operation that a run wants next. */
#include "jobs/run_private.h"
#include "lines/probe.h"

#include <string.h>

void run_back_operation(const struct profile *profile, size_t index, const uint16_t *words,
                        struct operation *operation)
{
    const struct point *point = &profile->points[index];

    *operation = (struct operation){.kind = OPERATION_WRITE,
                                    .table = point->table,
                                    .address = point->address,
                                    .count = point->count,
                                    .function = plan_write_function(profile, point)};
    if (point->bit_count > 0) {
        uint16_t mask = (uint16_t)(((1u << point->bit_count) - 1) << point->bit_low);

        operation->kind = OPERATION_MASK;
        operation->and_mask = (uint16_t)~mask;
        operation->or_mask = words[0] & mask;
        return;
    }
    memcpy(operation->words, words, point->count * sizeof(*words));
}

static void back_operation(const struct run *run, size_t point, struct operation *operation)
{
    run_back_operation(run_profile(run), point, reading_words(&run->before[point]), operation);
}

/* The next written point whose value before is known; false when nothing is left to restore. */
static bool restore_operation(struct run *run, struct operation *operation)
{
    for (; run->restore_left > 0; run->restore_left--) {
        const struct point_result *result = &run->results[run->restore_left - 1];
        size_t point = run->plan->results[run->restore_left - 1].point;

        if (result->result == RESULT_NOT_SENT || result->result == RESULT_UNCHANGED ||
            result->result == RESULT_REFUSED || result->code == CODE_OVERRIDDEN ||
            !run->before || !run->before[point].known)
            continue;
        back_operation(run, point, operation);
        return true;
    }
    return false;
}

static bool return_operation(struct run *run, struct operation *operation)
{
    const struct plan_step *step = run_step(run);

    if (step->item_count == 0 || !run->before || !run->before[step->items[0].point].known)
        return false;
    back_operation(run, step->items[0].point, operation);
    return true;
}

bool run_operation(struct run *run, struct operation *operation)
{
    const struct plan_step *step = run_step(run);

    switch (run->phase) {
    case PHASE_PROBE:
        return probe_operation(run_profile(run), operation);
    case PHASE_COMPARE:
    case PHASE_VERIFY:
    case PHASE_DOUBT:
        *operation = step->readback;
        return true;
    case PHASE_WRITE:
    case PHASE_READ:
    case PHASE_EXPECT:
        *operation = step->operation;
        return true;
    case PHASE_RETURN:
        return return_operation(run, operation);
    case PHASE_RESTORE:
        return restore_operation(run, operation);
    case PHASE_START:
    case PHASE_INTENT:
    case PHASE_WAIT:
    case PHASE_OVER:
        break;
    }
    return false;
}
