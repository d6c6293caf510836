/* What a method, a write or a read has seen of a property that is reported: else the reported
   document would go on to tell what the device held before. */
#include "jobs/engine_private.h"
#include "site/value.h"

#include <string.h>

static bool is_seen(const struct point_result *result)
{
    switch (result->result) {
    case RESULT_VERIFIED:
    case RESULT_ADJUSTED:
    case RESULT_UNCHANGED:
    case RESULT_MISMATCH:
        return result->holds.known && !result->restored && !result->owed;
    case RESULT_WRITTEN:
    case RESULT_REFUSED:
    case RESULT_NO_ANSWER:
    case RESULT_UNKNOWN:
    case RESULT_NOT_SENT:
    case RESULT_COUNT:
        break;
    }
    return false;
}

/* The step's reading of one of its points, or NULL. */
static const struct reading *reading_of(const struct run *run, const struct plan_step *step,
                                        const struct plan_item *item)
{
    if (step->kind == PLAN_READ)
        return run->reads[item->result].known ? &run->reads[item->result] : NULL;
    if (step->kind == PLAN_WRITE && is_seen(&run->results[item->result]))
        return &run->results[item->result].holds;
    return NULL;
}

static bool tell(struct engine *engine, const struct task *task, const struct point *point,
                 const struct reading *reading)
{
    const struct twin *twin = &engine->devices[task->device].twin;
    const json_t *told = twin_known_value(twin, point->property);
    struct value_error error;
    json_t *value;
    bool moved;

    /* Only what is reported already; what is polled corrects itself, by its deadband. */
    if (!told || point->poll_ms > 0)
        return false;
    value = value_decode(point, reading_words(reading), &error);
    moved = value && !json_equal(told, value);
    if (moved)
        poll_tell(engine, task->device, point, value, engine->devices[task->device].heard_ms);
    json_decref(value);
    return moved;
}

bool seen_tell(struct engine *engine, const struct task *task)
{
    const struct run *run = task->run;
    const struct plan *plan = run->plan;
    const struct profile *profile = &run->site->profiles[plan->profile];
    bool moved = false;

    if (!engine->devices[task->device].twin.reported)
        return false;
    for (size_t i = 0; i < plan->step_count; i++) { /* in their order: the last one holds */
        const struct plan_step *step = &plan->steps[i];

        for (size_t k = 0; k < step->item_count; k++) {
            const struct reading *reading = reading_of(run, step, &step->items[k]);

            if (reading)
                moved |= tell(engine, task, &profile->points[step->items[k].point], reading);
        }
    }
    return moved;
}
