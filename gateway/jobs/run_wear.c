/* A run and the points whose memory wears: what counts as a write, and what is one too many. */
#include "jobs/run_private.h"
#include "jobs/timetext.h"

#include <stdio.h>

static const struct point *limited(const struct run *run, size_t index)
{
    const struct point *point = run_point(run, index);

    return point->max_writes_per_day > 0 ? point : NULL;
}

/* A value that goes register by register is one write, unless a part is sent again. */
static bool begins_value(const struct run *run, const struct plan_step *step)
{
    return step->operation.address == run_point(run, step->items[0].point)->address;
}

const struct point *run_wears(const struct run *run)
{
    const struct plan_step *step = run_step(run);

    switch (run->phase) {
    case PHASE_WRITE:
        return begins_value(run, step) || run->tries > 0 ? limited(run, step->items[0].point)
                                                         : NULL;
    case PHASE_RETURN:
        return limited(run, step->items[0].point);
    case PHASE_RESTORE:
        return run->restore_left > 0
                   ? limited(run, run->plan->results[run->restore_left - 1].point)
                   : NULL;
    case PHASE_START:
    case PHASE_PROBE:
    case PHASE_COMPARE:
    case PHASE_INTENT:
    case PHASE_VERIFY:
    case PHASE_READ:
    case PHASE_EXPECT:
    case PHASE_WAIT:
    case PHASE_OVER:
    case PHASE_DOUBT:
        break;
    }
    return NULL;
}

static uint32_t left_of(const struct facts *facts, const struct point *point)
{
    uint32_t used = facts->wears ? wears_used(facts->wears, point->name, facts->wear_us) : 0;

    return used < point->max_writes_per_day ? point->max_writes_per_day - used : 0;
}

static void put_duration(char *text, size_t size, int64_t us)
{
    int64_t minutes = us / 60000000 + 1;

    if (minutes < 60)
        snprintf(text, size, "%lld min", (long long)minutes);
    else
        snprintf(text, size, "%lld h %02lld min", (long long)(minutes / 60),
                 (long long)(minutes % 60));
}

/* What is used up, when some of it is free again, and what helps. */
static void sentence_worn(const struct run *run, const struct facts *facts,
                          const struct point *point, struct moment now, char *text, size_t size)
{
    int64_t free_us =
        facts->wears ? wears_free_us(facts->wears, point->name, facts->wear_us) : 0;
    char when[64], at[TIMETEXT_SIZE + 8] = "";
    uint32_t left = left_of(facts, point);

    if (free_us == 0) {
        snprintf(text, size,
                 "%.60s may be written %u times a day (max_writes_per_day) and this asks for "
                 "more at once: write it less often, or raise the limit in profile %.40s",
                 point->name, point->max_writes_per_day, run_profile(run)->name);
        return;
    }
    put_duration(when, sizeof(when), free_us);
    if (now.trusted) {
        char stamp[TIMETEXT_SIZE];

        timetext_format(stamp, now.wall_ms + free_us / 1000);
        snprintf(at, sizeof(at), " (%s)", stamp);
    }
    snprintf(
        text, size,
        "%.60s may be written %u times a day (max_writes_per_day) and %u of them are left; "
        "more in %s%s; write it less often, or raise the limit in profile %.40s",
        point->name, point->max_writes_per_day, left, when, at, run_profile(run)->name);
}

/* A pulse begins only where its return fits as well. */
static const struct point *worn_of_step(const struct run *run, const struct facts *facts)
{
    const struct plan_step *step = run_step(run);
    const struct point *point = limited(run, step->items[0].point);
    uint32_t needs = step->class == CLASS_PULSE ? 2 : 1;

    return point && left_of(facts, point) < needs ? point : NULL;
}

bool run_is_worn(const struct run *run, const struct facts *facts)
{
    const struct plan_step *step = run_step(run);

    return step && step->kind == PLAN_WRITE && limited(run, step->items[0].point) &&
           left_of(facts, run_point(run, step->items[0].point)) == 0;
}

bool run_refuse_worn(struct run *run, const struct facts *facts, struct moment now)
{
    const struct point *point = worn_of_step(run, facts);
    char text[300];

    if (!point)
        return false;
    sentence_worn(run, facts, point, now, text, sizeof(text));
    run_fail(run, CODE_NOT_WRITABLE, run->reached ? RESULT_UNKNOWN : RESULT_NOT_SENT, text,
             now);
    return true;
}

/* Writes of the point that the plan's steps want, without repeats. */
static uint32_t needs(const struct run *run, size_t point)
{
    uint32_t count = 0;

    for (size_t i = 0; i < run->plan->step_count; i++) {
        const struct plan_step *step = &run->plan->steps[i];

        if (step->kind == PLAN_RETURN && step->items[0].point == point)
            count++;
        if (step->kind == PLAN_WRITE && step->items[0].point == point)
            count += begins_value(run, step);
    }
    return count;
}

bool run_may_wear(const struct run *run, const struct facts *facts, struct moment now,
                  char *text, size_t size)
{
    for (size_t i = 0; i < run->plan->result_count; i++) {
        const struct point *point = limited(run, run->plan->results[i].point);

        if (!point || needs(run, run->plan->results[i].point) <= left_of(facts, point))
            continue;
        sentence_worn(run, facts, point, now, text, size);
        return false;
    }
    return true;
}

void run_counted(struct run *run, uint64_t number)
{
    run->counted = number;
}
