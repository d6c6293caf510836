/* What an answer means to a write, and to the reads that belong to it. */
#include "jobs/run_private.h"

#include <stdio.h>

/* Between two read-backs of a value that does not hold yet. */
#define VERIFY_PAUSE_US INT64_C(100000)

static void doubt(struct run *run, const struct answer *answer, struct moment now)
{
    const struct plan_step *step = run_step(run);
    char trouble[240], text[300];

    sentence_trouble(trouble, sizeof(trouble), run->site, run->device, &step->operation, answer,
                     1, run->waited_least_us, run->waited_most_us);
    snprintf(text, sizeof(text),
             "sent once and never again, nothing can tell whether it was obeyed: %.220s",
             trouble);
    run_count_try(run);
    run_fail(run, CODE_OUTCOME_UNKNOWN, RESULT_UNKNOWN, text, now);
}

static enum result compare(const struct point *point, const struct point_result *result)
{
    const uint16_t *holds = reading_words(&result->holds),
                   *wrote = reading_words(&result->wrote);

    if (!result->holds.known || !result->wrote.known)
        return RESULT_MISMATCH;
    if (value_same(point, holds, wrote))
        return RESULT_VERIFIED;
    return value_close(point, holds, wrote) ? RESULT_ADJUSTED : RESULT_MISMATCH;
}

/* What the step's points hold. True when all of them hold what was written. */
static bool take_readback(struct run *run, const struct answer *answer, struct moment now)
{
    const struct plan_step *step = run_step(run);
    bool all = true;

    for (size_t i = 0; i < step->item_count; i++) {
        struct point_result *result = &run->results[step->items[i].result];

        result->holds.known = false;
        reading_keep(&result->holds, &step->items[i], answer);
        result->at_ms = now.wall_ms;
        result->result = compare(run_point(run, step->items[i].point), result);
        all &= result->result != RESULT_MISMATCH;
    }
    return all;
}

static void mismatch(struct run *run, struct moment now)
{
    const struct plan_step *step = run_step(run);
    char text[200];

    for (size_t i = 0; i < step->item_count; i++) {
        struct point_result *result = &run->results[step->items[i].result];

        if (result->result != RESULT_MISMATCH)
            continue;
        snprintf(text, sizeof(text), "%s reads back another value than was written",
                 run_point(run, step->items[i].point)->name);
        result_set(result, RESULT_MISMATCH, CODE_VERIFY_MISMATCH, text);
        run_set_error(run, CODE_VERIFY_MISMATCH, text);
    }
    run_leave(run, now);
}

static void verify_words(struct run *run, const struct facts *facts,
                         const struct answer *answer, struct moment now)
{
    const struct plan_step *step = run_step(run);

    if (take_readback(run, answer, now)) {
        run_step_done(run, now);
        return;
    }
    run->tries = 0;
    if (now.boot_us < run->until_us) {
        run->phase = PHASE_VERIFY;
        run->due_us = now.boot_us + VERIFY_PAUSE_US;
    } else if (!run->rewritten && step->class == CLASS_STATE && !run->stopping &&
               !run_is_worn(run, facts)) {
        run->rewritten = true;
        run->phase = PHASE_WRITE;
    } else {
        mismatch(run, now);
    }
}

static void keep_wrote(struct run *run)
{
    const struct plan_step *step = run_step(run);

    for (size_t i = 0; i < step->item_count; i++)
        reading_set(&run->results[step->items[i].result].wrote, step->items[i].words,
                    step->items[i].count);
}

static void written(struct run *run, const struct facts *facts, const struct answer *answer,
                    struct moment now)
{
    const struct plan_step *step = run_step(run);

    run_count_try(run);
    run_step_results(run, RESULT_WRITTEN, CODE_NONE, NULL);
    keep_wrote(run);
    if (step->class == CLASS_PULSE)
        run->owed = true;
    run->tries = 0;
    if (!step->verify) {
        run_step_done(run, now);
        return;
    }
    run->until_us = now.boot_us + (int64_t)(step->settle_ms + step->verify_within_ms) * 1000;
    if (step->operation.kind == OPERATION_WRITE_READ) {
        verify_words(run, facts, answer, now);
        return;
    }
    run->phase = PHASE_VERIFY;
    run->due_us = now.boot_us + (int64_t)step->settle_ms * 1000;
}

/* The device did not say whether it wrote, but it spoke, or did so lately: one that writes into
   slow memory may be silent meanwhile. What it holds now can tell. */
static bool read_back_doubt(struct run *run, const struct facts *facts,
                            const struct answer *answer, enum trouble trouble,
                            struct moment now)
{
    const struct plan_step *step = run_step(run);
    char text[300];

    if (step->class != CLASS_STATE || step->readback.count == 0 ||
        run->tries + 1 < facts->tries || facts->known_dead ||
        (trouble != TROUBLE_MAYBE && trouble != TROUBLE_GARBLED &&
         !(trouble == TROUBLE_SILENT && run_heard_lately(facts, now))))
        return false;
    run->tries++;
    if (run->attempts < run->tries)
        run->attempts = run->tries;
    sentence_trouble(text, sizeof(text), run->site, run->device, &step->operation, answer,
                     run->tries, run->waited_least_us, run->waited_most_us);
    run_step_results(run, RESULT_UNKNOWN, trouble_code(trouble, true), text);
    keep_wrote(run);
    run->doubted = true;
    run->tries = 0;
    run->phase = PHASE_VERIFY;
    run->due_us = now.boot_us + VERIFY_PAUSE_US;
    return true;
}

void run_answer_write(struct run *run, const struct facts *facts, const struct answer *answer,
                      struct moment now)
{
    const struct plan_step *step = run_step(run);
    enum trouble trouble = trouble_of(answer);
    bool whole = step->item_count > 1 && !run->part;

    if (trouble == TROUBLE_NONE) {
        written(run, facts, answer, now);
        return;
    }
    if (trouble == TROUBLE_REFUSED && whole &&
        (answer->exception == 2 || answer->exception == 3)) {
        run_count_try(run);
        run_split_next(run, now);
        return;
    }
    bool open = trouble == TROUBLE_SILENT || trouble == TROUBLE_GARBLED ||
                trouble == TROUBLE_MAYBE || (trouble == TROUBLE_DOWN && answer->reached);
    run->reached |= open;
    if (step->class == CLASS_PULSE && open)
        run->owed = true;
    if (open && step->class != CLASS_STATE && !step->repeatable) {
        doubt(run, answer, now);
        return;
    }
    if (!read_back_doubt(run, facts, answer, trouble, now))
        run_again_or_fail(run, facts, answer, trouble_result(trouble, run->reached), now);
}

/* The read-back decided nothing: what the write's own answers said stands. */
static void doubt_stays(struct run *run, struct moment now)
{
    const struct plan_step *step = run_step(run);
    const struct point_result *first = &run->results[step->items[0].result];
    enum code code = first->code;
    char text[300];

    snprintf(text, sizeof(text), "%s", first->text ? first->text : "");
    run_fail(run, code, code == CODE_DEVICE_TIMEOUT ? RESULT_NO_ANSWER : RESULT_UNKNOWN, text,
             now);
}

bool run_holds_all(const struct run *run, const struct answer *answer)
{
    const struct plan_step *step = run_step(run);

    for (size_t i = 0; i < step->item_count; i++) {
        const struct plan_item *item = &step->items[i];

        if (item->offset + item->count > answer->count ||
            !value_same(run_point(run, item->point), answer->words + item->offset, item->words))
            return false;
    }
    return true;
}

void run_broadcast(struct run *run, const struct answer *answer, struct moment now)
{
    const struct plan_step *step = run_step(run);

    run->out = false;
    run->reached |= answer->reached;
    if (answer->result != ANSWER_DONE) {
        run_stop_step(run, now);
        return;
    }
    run->begun = run->cast = true;
    run->answered_us = answer->ended_us;
    run_step_results(run, RESULT_UNKNOWN, CODE_NONE, NULL);
    keep_wrote(run);
    run->phase = PHASE_VERIFY;
    run->due_us = now.boot_us + (int64_t)step->settle_ms * 1000;
}

void run_broadcasts(struct run *run)
{
    run->out = true; /* as with a frame of its own: a stop waits for what becomes of it */
}

/* One that did not hear the broadcast is written to as if there had been none. */
static void answer_cast(struct run *run, const struct facts *facts, const struct answer *answer,
                        struct moment now)
{
    if (trouble_of(answer) != TROUBLE_NONE) {
        run_again_or_fail(run, facts, answer, RESULT_UNKNOWN, now);
        return;
    }
    run_count_try(run);
    run->tries = 0;
    run->cast = false;
    if (take_readback(run, answer, now)) {
        run_step_done(run, now);
        return;
    }
    run_step_results(run, RESULT_UNKNOWN, CODE_NONE, NULL);
    run->phase = PHASE_WRITE;
}

void run_answer_verify(struct run *run, const struct facts *facts, const struct answer *answer,
                       struct moment now)
{
    bool answered = trouble_of(answer) == TROUBLE_NONE;

    if (run->cast) {
        answer_cast(run, facts, answer, now);
        return;
    }
    if (run->doubted && (!answered || !run_holds_all(run, answer))) {
        doubt_stays(run, now);
    } else if (answered) {
        run_step_results(run, RESULT_WRITTEN, CODE_NONE, NULL);
        verify_words(run, facts, answer, now);
    } else {
        run_again_or_fail(run, facts, answer, RESULT_WRITTEN, now);
    }
}

void run_found(struct run *run, const struct answer *answer, enum result found,
               struct moment now)
{
    const struct plan_step *step = run_step(run);

    run_step_results(run, found, CODE_NONE, NULL);
    for (size_t i = 0; i < step->item_count; i++) {
        struct point_result *result = &run->results[step->items[i].result];

        reading_keep(&result->holds, &step->items[i], answer);
        result->at_ms = now.wall_ms;
    }
    run_step_done(run, now);
}

void run_answer_compare(struct run *run, const struct facts *facts, const struct answer *answer,
                        struct moment now)
{
    const struct plan_step *step = run_step(run);

    if (trouble_of(answer) != TROUBLE_NONE) {
        run_again_or_fail(run, facts, answer, run->reached ? RESULT_UNKNOWN : RESULT_NOT_SENT,
                          now);
        return;
    }
    run_count_try(run);
    run->tries = 0;
    if (!run_holds_all(run, answer)) {
        run->phase = step->class == CLASS_STATE ? PHASE_WRITE : PHASE_INTENT;
        return;
    }
    run_found(run, answer, RESULT_UNCHANGED, now);
}
