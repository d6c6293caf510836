/* What an answer means for the step that asked. */
#include "jobs/run_private.h"

#include <stdio.h>

static void answer_read(struct run *run, const struct facts *facts, const struct answer *answer,
                        struct moment now)
{
    const struct plan_step *step = run_step(run);

    if (trouble_of(answer) != TROUBLE_NONE) {
        run_again_or_fail(run, facts, answer, RESULT_NOT_SENT, now);
        return;
    }
    if (run->attempts == 0)
        run->attempts = 1;
    for (size_t i = 0; i < step->item_count; i++) {
        const struct plan_item *item = &step->items[i];

        if (step->kind == PLAN_READ)
            reading_keep(&run->reads[item->result], item, answer);
        else if (run->before)
            reading_keep(&run->before[item->point], item, answer);
    }
    run_advance(run, now);
}

void run_expectation_failed(struct run *run, struct moment now)
{
    const struct plan_step *step = run_step(run);
    const struct point *point = run_point(run, step->items[0].point);
    char text[200];

    if (run->heard)
        snprintf(text, sizeof(text), "%s did not come to the expected value within %.1f s",
                 point->name, step->within_ms / 1000.0);
    else
        snprintf(text, sizeof(text), "%s could not be read within %.1f s, the device is silent",
                 point->name, step->within_ms / 1000.0);
    run_fail(run, CODE_EXPECTATION_FAILED, RESULT_UNKNOWN, text, now);
}

static bool expectation_holds(const struct run *run, const struct answer *answer)
{
    const struct plan_step *step = run_step(run);
    const struct plan_item *item = &step->items[0];
    const struct point *point = run_point(run, item->point);

    if (item->offset + item->count > answer->count)
        return false;
    const uint16_t *words = answer->words + item->offset;
    if (step->has_value)
        return value_same(point, words,
                          item->count <= 4 ? item->words
                                           : step->operation.words + item->offset);
    return value_within(point, words, step->has_min, step->min, step->has_max, step->max);
}

/* Silence is neither failure nor ill health here: a device that reboots is silent. */
static void answer_expect(struct run *run, const struct answer *answer, struct moment now)
{
    const struct plan_step *step = run_step(run);

    if (trouble_of(answer) == TROUBLE_UNSENT)
        return;
    run->tries++;
    if (answer->result == ANSWER_DONE) {
        run->heard = true;
        if (run->attempts == 0)
            run->attempts = 1;
        if (expectation_holds(run, answer)) {
            run_advance(run, now);
            return;
        }
    }
    if (answer->result == ANSWER_EXCEPTION)
        run->heard = true;
    int64_t pause = (int64_t)(step->every_ms ? step->every_ms : 1000) * 1000;
    run->due_us = now.boot_us + pause < run->until_us ? now.boot_us + pause : run->until_us;
    if (now.boot_us >= run->until_us)
        run_expectation_failed(run, now);
}

static void answer_return(struct run *run, const struct facts *facts,
                          const struct answer *answer, struct moment now)
{
    const struct plan_step *step = run_step(run);
    struct point_result *result = &run->results[run->plan->steps[run->step].items[0].result];

    if (trouble_of(answer) != TROUBLE_NONE) {
        run_again_or_fail(run, facts, answer, RESULT_UNKNOWN, now);
        if (run_step(run) != step)
            result_set(result, RESULT_UNKNOWN, CODE_OUTCOME_UNKNOWN,
                       "the value before could not be written back");
        return;
    }
    run->owed = false;
    result->restored = true;
    run_advance(run, now);
}

static void answer_restore(struct run *run, const struct facts *facts,
                           const struct answer *answer, struct moment now)
{
    struct point_result *result = &run->results[run->restore_left - 1];

    if (trouble_of(answer) == TROUBLE_UNSENT)
        return;
    if (answer->result != ANSWER_DONE && answer->result != ANSWER_EXCEPTION &&
        ++run->tries < facts->tries && answer->result != ANSWER_LINE_DOWN) {
        run->due_us = now.boot_us + REST_LEAST_US;
        return;
    }
    result->restored = answer->result == ANSWER_DONE;
    run->tries = 0;
    run->restore_left--;
}

void run_answer(struct run *run, const struct facts *facts, const struct answer *answer,
                struct moment now)
{
    if (answer->result == ANSWER_NOT_SENT)
        return;
    if (answer->result != ANSWER_LINE_DOWN || answer->reached)
        run->begun = true;
    run->answered_us = answer->ended_us > 0 ? answer->ended_us : now.boot_us;

    switch (run->phase) {
    case PHASE_PROBE:
        if (trouble_of(answer) == TROUBLE_NONE || answer->result == ANSWER_EXCEPTION) {
            run->tries = 0;
            run->phase = PHASE_START; /* it has answered just now */
        } else {
            run_again_or_fail(run, facts, answer, RESULT_NOT_SENT, now);
        }
        return;
    case PHASE_COMPARE:
        run_answer_compare(run, facts, answer, now);
        return;
    case PHASE_WRITE:
        run_answer_write(run, facts, answer, now);
        return;
    case PHASE_VERIFY:
        run_answer_verify(run, facts, answer, now);
        return;
    case PHASE_READ:
        answer_read(run, facts, answer, now);
        return;
    case PHASE_EXPECT:
        answer_expect(run, answer, now);
        return;
    case PHASE_RETURN:
        answer_return(run, facts, answer, now);
        return;
    case PHASE_RESTORE:
        answer_restore(run, facts, answer, now);
        return;
    case PHASE_START:
    case PHASE_INTENT:
    case PHASE_WAIT:
    case PHASE_OVER:
        return; /* nothing was asked */
    }
}
