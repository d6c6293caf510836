/* What an answer means to a write, and to the reads that belong to it. */
#include "jobs/run_private.h"

#include <stdio.h>

/* Between two read-backs of a value that does not hold yet. */
#define VERIFY_PAUSE_US INT64_C(100000)

static void doubt(struct run *run, const struct facts *facts, const struct answer *answer,
                  struct moment now)
{
    const struct plan_step *step = run_step(run);
    char trouble[240], text[300];

    sentence_trouble(trouble, sizeof(trouble), run->site, run->device, &step->operation, answer,
                     1, facts->timeout_us);
    snprintf(text, sizeof(text),
             "sent once and never again, nothing can tell whether it was obeyed: %.220s",
             trouble);
    run->attempts = run->attempts > 0 ? run->attempts : 1;
    run_fail(run, CODE_OUTCOME_UNKNOWN, RESULT_UNKNOWN, text, now);
}

static void verify_words(struct run *run, const struct answer *answer, struct moment now)
{
    const struct plan_step *step = run_step(run);
    bool all = true;

    for (size_t i = 0; i < step->item_count; i++) {
        const struct plan_item *item = &step->items[i];
        struct point_result *result = &run->results[item->result];
        const struct point *point = run_point(run, item->point);

        reading_keep(&result->holds, item, answer);
        result->at_ms = now.wall_ms;
        if (!result->holds.known || !result->wrote.known)
            result->result = RESULT_MISMATCH;
        else if (value_same(point, reading_words(&result->holds),
                            reading_words(&result->wrote)))
            result->result = RESULT_VERIFIED;
        else if (value_close(point, reading_words(&result->holds),
                             reading_words(&result->wrote)))
            result->result = RESULT_ADJUSTED;
        else
            result->result = RESULT_MISMATCH;
        all &= result->result != RESULT_MISMATCH;
    }
    if (all) {
        run_step_done(run, now);
        return;
    }
    run->tries = 0;
    if (now.boot_us < run->until_us) {
        run->phase = PHASE_VERIFY;
        run->due_us = now.boot_us + VERIFY_PAUSE_US;
    } else if (!run->rewritten && step->class == CLASS_STATE && !run->stopping) {
        run->rewritten = true;
        run->phase = PHASE_WRITE;
    } else {
        char text[200];
        snprintf(text, sizeof(text), "%s reads back another value than was written",
                 run_point(run, step->items[0].point)->name);
        for (size_t i = 0; i < step->item_count; i++) {
            struct point_result *result = &run->results[step->items[i].result];
            if (result->result == RESULT_MISMATCH) {
                snprintf(text, sizeof(text), "%s reads back another value than was written",
                         run_point(run, step->items[i].point)->name);
                result_set(result, RESULT_MISMATCH, CODE_VERIFY_MISMATCH, text);
            }
        }
        run_set_error(run, CODE_VERIFY_MISMATCH, text);
        if (run->plan->kind == ACTION_PATCH)
            run_step_done(run, now);
        else
            run_advance(run, now);
    }
}

static void written(struct run *run, const struct answer *answer, struct moment now)
{
    const struct plan_step *step = run_step(run);

    if (run->attempts == 0)
        run->attempts = 1;
    for (size_t i = 0; i < step->item_count; i++) {
        const struct plan_item *item = &step->items[i];
        struct point_result *result = &run->results[item->result];

        result_set(result, RESULT_WRITTEN, CODE_NONE, NULL);
        reading_set(&result->wrote,
                    item->count <= 4 ? item->words : step->operation.words + item->offset,
                    item->count);
    }
    if (step->class == CLASS_PULSE)
        run->owed = true;
    run->tries = 0;
    if (!step->verify) {
        run_step_done(run, now);
        return;
    }
    run->until_us = now.boot_us + (int64_t)(step->settle_ms + step->verify_within_ms) * 1000;
    if (step->operation.kind == OPERATION_WRITE_READ) {
        verify_words(run, answer, now);
        return;
    }
    run->phase = PHASE_VERIFY;
    run->due_us = now.boot_us + (int64_t)step->settle_ms * 1000;
}

void run_answer_write(struct run *run, const struct facts *facts, const struct answer *answer,
                      struct moment now)
{
    const struct plan_step *step = run_step(run);
    enum trouble trouble = trouble_of(answer);
    bool whole = step->item_count > 1 && !run->split;

    if (trouble == TROUBLE_UNSENT)
        return;
    if (step->class == CLASS_PULSE && answer->reached)
        run->owed = true;
    if (trouble == TROUBLE_NONE) {
        written(run, answer, now);
        return;
    }
    if (trouble == TROUBLE_REFUSED && whole &&
        (answer->exception == 2 || answer->exception == 3)) {
        run_split_next(run, now);
        return;
    }
    bool open = answer->reached && trouble != TROUBLE_REFUSED && trouble != TROUBLE_BUSY;
    if (open && step->class != CLASS_STATE && !step->repeatable) {
        doubt(run, facts, answer, now);
        return;
    }
    if (trouble == TROUBLE_REFUSED || trouble == TROUBLE_BUSY)
        run->owed = false;
    run_again_or_fail(run, facts, answer, trouble_result(trouble, answer->reached), now);
}

void run_answer_verify(struct run *run, const struct facts *facts, const struct answer *answer,
                       struct moment now)
{
    if (trouble_of(answer) == TROUBLE_NONE)
        verify_words(run, answer, now);
    else
        run_again_or_fail(run, facts, answer, RESULT_WRITTEN, now);
}

void run_answer_compare(struct run *run, const struct facts *facts, const struct answer *answer,
                        struct moment now)
{
    const struct plan_step *step = run_step(run);
    bool same = true;

    if (trouble_of(answer) != TROUBLE_NONE) {
        run_again_or_fail(run, facts, answer, RESULT_NOT_SENT, now);
        return;
    }
    for (size_t i = 0; i < step->item_count; i++) {
        const struct plan_item *item = &step->items[i];
        const uint16_t *wanted =
            item->count <= 4 ? item->words : step->operation.words + item->offset;

        same &= item->offset + item->count <= answer->count &&
                value_same(run_point(run, item->point), answer->words + item->offset, wanted);
    }
    if (run->attempts == 0)
        run->attempts = 1;
    run->tries = 0;
    if (!same) {
        run->phase = step->class == CLASS_STATE ? PHASE_WRITE : PHASE_INTENT;
        return;
    }
    for (size_t i = 0; i < step->item_count; i++) {
        struct point_result *result = &run->results[step->items[i].result];

        result_set(result, RESULT_UNCHANGED, CODE_NONE, NULL);
        reading_keep(&result->holds, &step->items[i], answer);
        result->at_ms = now.wall_ms;
    }
    run_step_done(run, now);
}
