/* What ends a run before its last step: cancel, expiry, a line that is down, the end of all. */
#include "jobs/run_private.h"

/* Has the present step begun to have an effect? What has is brought to its end. */
static bool step_may_stop(const struct run *run)
{
    const struct plan_step *step = run_step(run);

    if (run->out || !step || step->kind == PLAN_RETURN)
        return false;
    switch (run->phase) {
    case PHASE_START:
    case PHASE_PROBE:
    case PHASE_COMPARE:
    case PHASE_INTENT:
    case PHASE_READ:
    case PHASE_EXPECT:
    case PHASE_WAIT:
        return true;
    case PHASE_WRITE:
        return run->tries == 0 && !run->reached && !run->rewritten;
    case PHASE_VERIFY:
    case PHASE_DOUBT:
    case PHASE_RETURN:
    case PHASE_RESTORE:
    case PHASE_OVER:
        break;
    }
    return false;
}

void run_stop_step(struct run *run, struct moment now)
{
    if (!run->stopping || !step_may_stop(run))
        return;
    run_leave_out(run, &run->plan->steps[run->step], run->part ? run->item : 0);
    run_advance(run, now);
}

void run_stop(struct run *run, const struct stop *stop, struct moment now)
{
    if (run->phase == PHASE_OVER || run->stopping)
        return;
    run->stopping = true;
    run->stop = *stop;
    run_stop_step(run, now);
}

bool run_pays_back(const struct run *run)
{
    const struct plan_step *step = run_step(run);

    return run->phase == PHASE_RESTORE || (step && step->kind == PLAN_RETURN);
}

/* What is true of the present step's points when nothing more comes from the device. */
static enum result result_so_far(const struct run *run)
{
    if (run->phase == PHASE_VERIFY && !run->doubted && !run->cast)
        return RESULT_WRITTEN;
    return run->reached ||
                   (run->out && (run->phase == PHASE_WRITE || run->phase == PHASE_START))
               ? RESULT_UNKNOWN
               : RESULT_NOT_SENT;
}

void run_line_down(struct run *run, const char *why, struct moment now)
{
    enum result result = result_so_far(run);

    if (run->phase == PHASE_OVER || run_pays_back(run))
        return;
    run_fail(run, result == RESULT_NOT_SENT ? CODE_LINE_DOWN : CODE_DEVICE_TIMEOUT, result, why,
             now);
}

void run_abandon(struct run *run, const char *why, struct moment now)
{
    if (run->phase == PHASE_OVER)
        return;
    run->stopping = true;
    if (!run->stop.after)
        run->stop = (struct stop){.code = CODE_CANCELED, .before = why, .after = why};
    if (!run_pays_back(run)) {
        run_interrupt(run);
        run_step_results(run, result_so_far(run), run->code, run->text);
    }
    if (run->owed)
        run_owe(run, why);
    run->owed = run->out = false;
    if (run->phase != PHASE_RESTORE)
        run_advance(run, now);
    run->phase = PHASE_OVER;
}
