/* What an answer means for the step that asked. */
#include "jobs/run_private.h"

#include "base/text.h"

#include <stdio.h>

/* A NaN or a bad BCD digit is no value: as if the device had not answered rightly. */
static bool is_no_value(const struct run *run, const struct answer *answer, char *text,
                        size_t size)
{
    const struct plan_step *step = run_step(run);
    struct value_error error = {"the reply is too short"};

    for (size_t i = 0; step->kind == PLAN_READ && i < step->item_count; i++) {
        const struct plan_item *item = &step->items[i];
        json_t *value = NULL;

        if (item->offset + item->count <= answer->count)
            value =
                value_decode(run_point(run, item->point), answer->words + item->offset, &error);
        json_decref(value);
        if (!value) {
            snprintf(text, size, "%.*s", (int)size - 1, error.text);
            text_clip(text);
            return true;
        }
    }
    return false;
}

static void answer_read(struct run *run, const struct facts *facts, const struct answer *answer,
                        struct moment now)
{
    const struct plan_step *step = run_step(run);
    struct answer bad = *answer;

    if (answer->result == ANSWER_DONE && is_no_value(run, answer, bad.text, sizeof(bad.text)))
        bad.result = ANSWER_BAD_REPLY;
    if (trouble_of(&bad) != TROUBLE_NONE) {
        run_again_or_fail(run, facts, &bad, RESULT_NOT_SENT, now);
        return;
    }
    run_count_try(run);
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
        return value_same(point, words, item->words);
    return value_within(point, words, step->has_min, step->min, step->has_max, step->max);
}

/* Silence is neither failure nor ill health here: a device that reboots is silent. */
static void answer_expect(struct run *run, const struct answer *answer, struct moment now)
{
    const struct plan_step *step = run_step(run);

    run->tries++;
    if (answer->result == ANSWER_DONE) {
        run->heard = true;
        if (run->attempts == 0)
            run->attempts = 1; /* looking again is no repeated try */
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

void run_owe(struct run *run, const char *why)
{
    char text[300];

    snprintf(text, sizeof(text), "the value before could not be written back: %.220s", why);
    for (size_t i = 0; i < run->plan->step_count; i++) {
        const struct plan_step *step = &run->plan->steps[i];
        struct point_result *result;

        if (step->kind != PLAN_RETURN || step->item_count == 0)
            continue;
        result = &run->results[step->items[0].result];
        if (result->result == RESULT_NOT_SENT || result->restored)
            continue;
        result_set(result, RESULT_UNKNOWN, CODE_OUTCOME_UNKNOWN, text);
        result->owed = true;
    }
    run_set_error(run, CODE_OUTCOME_UNKNOWN, text);
    run->owed = false;
}

/* An endless try would be a task without an outcome: after its tries the debt is told. */
static void answer_return(struct run *run, const struct facts *facts,
                          const struct answer *answer, struct moment now)
{
    const struct plan_step *step = run_step(run);

    if (trouble_of(answer) != TROUBLE_NONE) {
        unsigned tries = run->tries + 1;
        char text[240];
        bool last =
            trouble_of(answer) == TROUBLE_REFUSED || facts->known_dead || tries >= facts->tries;

        if (last) {
            sentence_trouble(text, sizeof(text), run->site, run->device, &step->operation,
                             answer, tries, run->waited_least_us, run->waited_most_us);
            run_owe(run, text);
        }
        run_again_or_fail(run, facts, answer, RESULT_UNKNOWN, now);
        return;
    }
    run->owed = false;
    run->results[step->items[0].result].restored = true;
    run_advance(run, now);
}

static void answer_restore(struct run *run, const struct facts *facts,
                           const struct answer *answer, struct moment now)
{
    enum trouble trouble = trouble_of(answer);

    if (trouble == TROUBLE_DOWN && answer->started_us == 0)
        return;
    if (trouble != TROUBLE_NONE && trouble != TROUBLE_REFUSED && ++run->tries < facts->tries) {
        run->due_us = now.boot_us + REST_LEAST_US;
        return;
    }
    run->results[run->restore_left - 1].restored = trouble == TROUBLE_NONE;
    run->results[run->restore_left - 1].owed = trouble != TROUBLE_NONE;
    run->tries = 0;
    run->restore_left--;
}

bool answer_is_the_devices(const struct answer *answer)
{
    return answer->result == ANSWER_DONE ||
           (answer->result == ANSWER_EXCEPTION && answer->exception != 10 &&
            answer->exception != 11);
}

static void answer_probe(struct run *run, const struct facts *facts,
                         const struct answer *answer, struct moment now)
{
    if (!answer_is_the_devices(answer)) {
        run_again_or_fail(run, facts, answer, run->reached ? RESULT_UNKNOWN : RESULT_NOT_SENT,
                          now);
        return;
    }
    run_count_try(run);
    run->tries = 0;
    run->phase = PHASE_START; /* it has answered just now */
}

static void answer_phase(struct run *run, const struct facts *facts,
                         const struct answer *answer, struct moment now)
{
    switch (run->phase) {
    case PHASE_PROBE:
        answer_probe(run, facts, answer, now);
        return;
    case PHASE_COMPARE:
        run_answer_compare(run, facts, answer, now);
        return;
    case PHASE_DOUBT:
        run_answer_doubt(run, facts, answer, now);
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

static void count_wait(struct run *run, int64_t timeout_us)
{
    if (run->tries == 0 || timeout_us < run->waited_least_us)
        run->waited_least_us = timeout_us;
    if (run->tries == 0 || timeout_us > run->waited_most_us)
        run->waited_most_us = timeout_us;
}

void run_answer(struct run *run, const struct facts *facts, const struct answer *answer,
                struct moment now)
{
    run->out = false;
    if (answer->started_us > 0 || answer->reached)
        run->counted = 0; /* the next frame is another one */
    if (answer->result != ANSWER_NOT_SENT) {
        count_wait(run, facts->timeout_us);
        if (answer->result != ANSWER_LINE_DOWN || answer->reached || answer->started_us > 0)
            run->begun = true;
        run->answered_us = answer->ended_us > 0 ? answer->ended_us : now.boot_us;
        answer_phase(run, facts, answer, now);
    }
    run_stop_step(run, now);
}
