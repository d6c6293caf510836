#include "jobs/run.h"
#include "site/value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A trigger goes only to a device that has answered within this time. */
#define HEARD_LATELY_US (60 * INT64_C(1000000))
/* Between two read-backs of a value that does not hold yet. */
#define VERIFY_PAUSE_US INT64_C(100000)
/* A busy device (exceptions 5 and 6) is left alone for a moment. */
#define BUSY_PAUSE_US INT64_C(200000)
#define REST_LEAST_US INT64_C(20000)
#define REST_MOST_US  INT64_C(500000)

/* What an answer means for the one who asked. */
enum trouble {
    TROUBLE_NONE,
    TROUBLE_UNSENT,  /* as if it had not been tried */
    TROUBLE_REFUSED, /* final, nothing happened */
    TROUBLE_BUSY,    /* nothing happened, worth another try */
    TROUBLE_MAYBE,   /* an exception that leaves the effect open */
    TROUBLE_SILENT,
    TROUBLE_GARBLED,
    TROUBLE_DOWN,
};

static enum trouble trouble_of(const struct answer *answer)
{
    switch (answer->result) {
    case ANSWER_DONE:
        return TROUBLE_NONE;
    case ANSWER_EXCEPTION:
        if (answer->exception == 6 || answer->exception == 10)
            return TROUBLE_BUSY;
        if (answer->exception == 4 || answer->exception == 5 || answer->exception == 11)
            return TROUBLE_MAYBE;
        return TROUBLE_REFUSED;
    case ANSWER_SILENT:
        return TROUBLE_SILENT;
    case ANSWER_BAD_REPLY:
        return TROUBLE_GARBLED;
    case ANSWER_LINE_DOWN:
        return TROUBLE_DOWN;
    case ANSWER_NOT_SENT:
        return TROUBLE_UNSENT;
    }
    return TROUBLE_UNSENT;
}

static enum code trouble_code(enum trouble trouble)
{
    switch (trouble) {
    case TROUBLE_NONE:
    case TROUBLE_UNSENT:
        return CODE_NONE;
    case TROUBLE_REFUSED:
    case TROUBLE_BUSY:
    case TROUBLE_MAYBE:
        return CODE_DEVICE_EXCEPTION;
    case TROUBLE_SILENT:
        return CODE_DEVICE_TIMEOUT;
    case TROUBLE_GARBLED:
        return CODE_BAD_REPLY;
    case TROUBLE_DOWN:
        return CODE_LINE_DOWN;
    }
    return CODE_NONE;
}

/* What is said of a written point when its write came to this trouble for good. */
static enum result trouble_result(enum trouble trouble, bool reached)
{
    switch (trouble) {
    case TROUBLE_NONE:
        return RESULT_WRITTEN;
    case TROUBLE_REFUSED:
    case TROUBLE_BUSY:
        return RESULT_REFUSED;
    case TROUBLE_SILENT:
        return RESULT_NO_ANSWER;
    case TROUBLE_MAYBE:
    case TROUBLE_GARBLED:
        return RESULT_UNKNOWN;
    case TROUBLE_UNSENT:
    case TROUBLE_DOWN:
        return reached ? RESULT_UNKNOWN : RESULT_NOT_SENT;
    }
    return RESULT_UNKNOWN;
}

static const struct profile *profile_of(const struct run *run)
{
    return &run->site->profiles[run->plan->profile];
}

static const struct point *point_of(const struct run *run, size_t point)
{
    return &profile_of(run)->points[point];
}

const struct plan_step *run_step(const struct run *run)
{
    if (run->phase == PHASE_OVER || run->step >= run->plan->step_count)
        return NULL;
    return run->split ? &run->part : &run->plan->steps[run->step];
}

static const uint16_t *reading_words(const struct reading *reading)
{
    return reading->long_words ? reading->long_words : reading->words;
}

static void reading_set(struct reading *reading, const uint16_t *words, uint16_t count)
{
    free(reading->long_words);
    reading->long_words = NULL;
    reading->known = false;
    reading->count = count;
    if (count > sizeof(reading->words) / sizeof(reading->words[0])) {
        reading->long_words = malloc(count * sizeof(*words));
        if (!reading->long_words)
            return; /* a value that we cannot keep is a value that we do not know */
        memcpy(reading->long_words, words, count * sizeof(*words));
    } else {
        memcpy(reading->words, words, count * sizeof(*words));
    }
    reading->known = true;
}

int run_init(struct run *run, const struct site *site, const struct plan *plan, size_t device,
             struct moment now)
{
    *run = (struct run){.site = site, .plan = plan, .device = device};
    run->due_us = run->answered_us = now.boot_us;
    run->phase = plan->step_count > 0 ? PHASE_START : PHASE_OVER;

    bool keeps_before = false;
    for (size_t i = 0; i < plan->step_count; i++)
        keeps_before |= plan->steps[i].kind == PLAN_BEFORE;

    run->results = calloc(plan->result_count + 1, sizeof(*run->results));
    run->reads = calloc(plan->read_count + 1, sizeof(*run->reads));
    if (keeps_before)
        run->before = calloc(profile_of(run)->point_count + 1, sizeof(*run->before));
    if (!run->results || !run->reads || (keeps_before && !run->before)) {
        run_deinit(run);
        return -ENOMEM;
    }
    for (size_t i = 0; i < plan->result_count; i++)
        run->results[i].result = RESULT_NOT_SENT;
    return 0;
}

static void unsplit(struct run *run)
{
    if (run->split)
        plan_step_deinit(&run->part);
    run->split = false;
    run->item = 0;
}

void run_deinit(struct run *run)
{
    unsplit(run);
    for (size_t i = 0; run->results && i < run->plan->result_count; i++) {
        free(run->results[i].text);
        free(run->results[i].wrote.long_words);
        free(run->results[i].holds.long_words);
    }
    for (size_t i = 0; run->reads && i < run->plan->read_count; i++)
        free(run->reads[i].long_words);
    for (size_t i = 0; run->before && i < profile_of(run)->point_count; i++)
        free(run->before[i].long_words);
    free(run->results);
    free(run->reads);
    free(run->before);
    *run = (struct run){.phase = PHASE_OVER};
}

/* --- moving from step to step --- */

static bool may_begin(const struct run *run, const struct plan_step *step)
{
    if (step->kind == PLAN_RETURN)
        return run->owed;
    if (run->stopping)
        return false;
    return run->code == CODE_NONE || run->plan->kind == ACTION_PATCH;
}

static void finish(struct run *run, struct moment now)
{
    bool restore = run->plan->restore && run->code != CODE_NONE && run->phase != PHASE_RESTORE;

    run->tries = 0;
    run->due_us = now.boot_us;
    run->phase = restore ? PHASE_RESTORE : PHASE_OVER;
    run->restore_left = run->plan->result_count;
}

static void interrupted(struct run *run);

static void advance(struct run *run, struct moment now)
{
    unsplit(run);
    run->tries = 0;
    run->rewritten = run->heard = false;
    run->intent = 0;
    run->due_us = now.boot_us;
    run->phase = PHASE_START;
    for (run->step++; run->step < run->plan->step_count; run->step++) {
        if (may_begin(run, &run->plan->steps[run->step]))
            return;
        if (run->stopping)
            interrupted(run);
    }
    finish(run, now);
}

/* The step's points one after the other, so that each result is true. */
static void split_next(struct run *run, struct moment now)
{
    size_t item = run->split ? run->item + 1 : 0;

    if (run->split)
        plan_step_deinit(&run->part);
    run->split = false;
    if (item >= run->plan->steps[run->step].item_count ||
        (item > 0 && !may_begin(run, &run->plan->steps[run->step])) ||
        plan_step_split(&run->part, run->site, run->plan, run->step, item) != 0) {
        advance(run, now);
        return;
    }
    run->split = true;
    run->item = item;
    run->tries = 0;
    run->rewritten = false;
    run->due_us = now.boot_us;
    run->phase = PHASE_WRITE;
}

static void step_done(struct run *run, struct moment now)
{
    if (run->split)
        split_next(run, now);
    else
        advance(run, now);
}

/* The first trouble names the task's error; a stop only counts where steps were left out. */
static void set_error(struct run *run, enum code code, const char *text)
{
    if (run->code != CODE_NONE)
        return;
    run->code = code;
    snprintf(run->text, sizeof(run->text), "%s", text);
}

/* A step is left out because of a stop, whose sentence stands in run->text already. */
static void interrupted(struct run *run)
{
    if (run->plan->steps[run->step].kind != PLAN_RETURN && run->code == CODE_NONE)
        run->code = CODE_INTERRUPTED;
}

static void set_result(struct point_result *result, enum result value, enum code code,
                       const char *text)
{
    result->result = value;
    result->code = code;
    free(result->text);
    result->text = text && *text ? strdup(text) : NULL;
}

static void step_results(struct run *run, enum result value, enum code code, const char *text)
{
    const struct plan_step *step = run_step(run);

    if (step->kind != PLAN_WRITE)
        return;
    for (size_t i = 0; i < step->item_count; i++)
        set_result(&run->results[step->items[i].result], value, code, text);
}

/* A device that is out of reach fails what is left of a patch as well, unsent. */
static void fail_rest(struct run *run, enum code code, const char *text)
{
    for (size_t i = 0; i < run->plan->result_count; i++) {
        struct point_result *result = &run->results[i];

        if (result->result == RESULT_NOT_SENT && result->code == CODE_NONE)
            set_result(result, RESULT_NOT_SENT, code, text);
    }
    run->step = run->plan->step_count - 1;
}

static void fail(struct run *run, enum code code, enum result result, const char *text,
                 struct moment now)
{
    bool out_of_reach = code == CODE_DEVICE_TIMEOUT || code == CODE_LINE_DOWN;

    step_results(run, result, code, text);
    set_error(run, code, text);
    if (run->plan->kind == ACTION_PATCH && out_of_reach)
        fail_rest(run, code, text);
    if (run->plan->kind == ACTION_PATCH && !out_of_reach)
        step_done(run, now);
    else
        advance(run, now);
}

/* --- what it wants --- */

/* The smallest harmless read of the device, to learn whether it is there at all. */
static bool probe_operation(const struct run *run, struct operation *operation)
{
    const struct profile *profile = profile_of(run);
    const struct point *best = NULL;

    for (size_t i = 0; i < profile->point_count; i++) {
        const struct point *point = &profile->points[i];

        if (point->readable && point->kind == POINT_STATE &&
            (!best || point->count < best->count))
            best = point;
    }
    if (!best)
        return false;
    *operation = (struct operation){.kind = OPERATION_READ,
                                    .table = best->table,
                                    .address = best->address,
                                    .count = best->count};
    return true;
}

static void start_write(struct run *run, const struct facts *facts, struct moment now)
{
    const struct plan_step *step = run_step(run);
    struct operation probe;
    bool heard = facts->heard_us > now.boot_us - HEARD_LATELY_US;

    if (step->class != CLASS_STATE && !heard && probe_operation(run, &probe))
        run->phase = PHASE_PROBE;
    else if (step->if_different && run->phase != PHASE_COMPARE)
        run->phase = PHASE_COMPARE;
    else if (step->class != CLASS_STATE)
        run->phase = PHASE_INTENT;
    else
        run->phase = PHASE_WRITE;
}

static void start_step(struct run *run, const struct facts *facts, struct moment now)
{
    const struct plan_step *step = run_step(run);

    switch (step->kind) {
    case PLAN_WRITE:
        start_write(run, facts, now);
        return;
    case PLAN_READ:
    case PLAN_BEFORE:
        run->phase = PHASE_READ;
        return;
    case PLAN_EXPECT:
        run->phase = PHASE_EXPECT;
        run->until_us = now.boot_us + (int64_t)step->within_ms * 1000;
        return;
    case PLAN_WAIT:
        run->phase = PHASE_WAIT;
        run->due_us = run->answered_us + (int64_t)step->wait_ms * 1000;
        return;
    case PLAN_RETURN:
        run->phase = PHASE_RETURN;
        return;
    }
}

/* Writes what the point held before. */
static void back_operation(const struct run *run, size_t point_index,
                           struct operation *operation)
{
    const struct point *point = point_of(run, point_index);
    const uint16_t *words = reading_words(&run->before[point_index]);

    *operation = (struct operation){.kind = OPERATION_WRITE,
                                    .table = point->table,
                                    .address = point->address,
                                    .count = point->count,
                                    .function = point->write_with};
    if (point->bit_count > 0) {
        uint16_t mask = (uint16_t)(((1u << point->bit_count) - 1) << point->bit_low);

        operation->kind = OPERATION_MASK;
        operation->function = profile_has_function(profile_of(run), 22) ? 22 : 0;
        operation->and_mask = (uint16_t)~mask;
        operation->or_mask = words[0] & mask;
        return;
    }
    memcpy(operation->words, words, point->count * sizeof(*words));
}

/* The next written point whose value before is known; false when nothing is left to restore. */
static bool restore_operation(struct run *run, struct operation *operation)
{
    for (; run->restore_left > 0; run->restore_left--) {
        const struct point_result *result = &run->results[run->restore_left - 1];
        size_t point = run->plan->results[run->restore_left - 1].point;

        if (result->result == RESULT_NOT_SENT || result->result == RESULT_UNCHANGED ||
            result->result == RESULT_REFUSED || !run->before || !run->before[point].known)
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

static bool phase_operation(struct run *run, struct operation *operation)
{
    const struct plan_step *step = run_step(run);

    switch (run->phase) {
    case PHASE_PROBE:
        return probe_operation(run, operation);
    case PHASE_COMPARE:
    case PHASE_VERIFY:
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

static void expectation_failed(struct run *run, struct moment now);

enum wants run_next(struct run *run, const struct facts *facts, struct moment now,
                    struct operation *operation)
{
    while (run->phase != PHASE_OVER) {
        if (run->due_us > now.boot_us)
            return WANTS_TIME;
        if (run->phase == PHASE_START) {
            start_step(run, facts, now);
            continue;
        }
        if (run->phase == PHASE_WAIT) {
            advance(run, now);
            continue;
        }
        if (run->phase == PHASE_INTENT) {
            if (run->intent == 0)
                return WANTS_INTENT;
            if (run->intent > facts->safe)
                return WANTS_SAFE;
            run->phase = PHASE_WRITE;
            continue;
        }
        if (run->phase == PHASE_EXPECT && run->tries > 0 && now.boot_us >= run->until_us) {
            expectation_failed(run, now);
            continue;
        }
        if (phase_operation(run, operation)) {
            operation->unit = run->site->devices[run->device].unit;
            return WANTS_WORK;
        }
        if (run->phase == PHASE_RESTORE)
            finish(run, now);
        else
            advance(run, now);
    }
    return WANTS_NOTHING;
}

void run_intended(struct run *run, uint64_t number)
{
    run->intent = number;
}

bool run_is_repeat(const struct run *run)
{
    return run->tries > 0 && run->phase != PHASE_EXPECT;
}

bool run_is_readback(const struct run *run)
{
    return run->phase == PHASE_VERIFY;
}

/* --- what an answer means --- */

static void keep_words(struct reading *reading, const struct plan_item *item,
                       const struct answer *answer)
{
    if (item->offset + item->count <= answer->count)
        reading_set(reading, answer->words + item->offset, item->count);
}

/* Another try after a rest, in which a late answer may come and be dropped; or the end. */
static void again_or_fail(struct run *run, const struct facts *facts,
                          const struct answer *answer, enum result result, struct moment now)
{
    enum trouble trouble = trouble_of(answer);
    unsigned allowed = facts->known_dead ? 1 : facts->tries;
    int64_t rest = facts->timeout_us / 4;
    char text[300];

    if (trouble == TROUBLE_DOWN && !facts->urgent) {
        run->due_us =
            now.boot_us; /* the engine holds it back until the line is up, or too late */
        return;
    }
    run->tries++;
    if (run->tries > run->attempts)
        run->attempts = run->tries;
    if (trouble != TROUBLE_REFUSED && trouble != TROUBLE_DOWN && run->tries < allowed) {
        if (trouble == TROUBLE_BUSY || trouble == TROUBLE_MAYBE)
            rest = BUSY_PAUSE_US;
        run->due_us = now.boot_us + (rest < REST_LEAST_US  ? REST_LEAST_US
                                     : rest > REST_MOST_US ? REST_MOST_US
                                                           : rest);
        return;
    }
    struct operation operation = {0};
    phase_operation(run, &operation);
    operation.unit = run->site->devices[run->device].unit;
    sentence_trouble(text, sizeof(text), run->site, run->device, &operation, answer, run->tries,
                     facts->timeout_us);
    fail(run, trouble_code(trouble), result, text, now);
}

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
    fail(run, CODE_OUTCOME_UNKNOWN, RESULT_UNKNOWN, text, now);
}

static void verify_words(struct run *run, const struct answer *answer, struct moment now)
{
    const struct plan_step *step = run_step(run);
    bool all = true;

    for (size_t i = 0; i < step->item_count; i++) {
        const struct plan_item *item = &step->items[i];
        struct point_result *result = &run->results[item->result];
        const struct point *point = point_of(run, item->point);

        keep_words(&result->holds, item, answer);
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
        step_done(run, now);
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
                 point_of(run, step->items[0].point)->name);
        for (size_t i = 0; i < step->item_count; i++) {
            struct point_result *result = &run->results[step->items[i].result];
            if (result->result == RESULT_MISMATCH) {
                snprintf(text, sizeof(text), "%s reads back another value than was written",
                         point_of(run, step->items[i].point)->name);
                set_result(result, RESULT_MISMATCH, CODE_VERIFY_MISMATCH, text);
            }
        }
        set_error(run, CODE_VERIFY_MISMATCH, text);
        if (run->plan->kind == ACTION_PATCH)
            step_done(run, now);
        else
            advance(run, now);
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

        set_result(result, RESULT_WRITTEN, CODE_NONE, NULL);
        reading_set(&result->wrote,
                    item->count <= 4 ? item->words : step->operation.words + item->offset,
                    item->count);
    }
    if (step->class == CLASS_PULSE)
        run->owed = true;
    run->tries = 0;
    if (!step->verify) {
        step_done(run, now);
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

static void answer_write(struct run *run, const struct facts *facts,
                         const struct answer *answer, struct moment now)
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
        split_next(run, now);
        return;
    }
    bool open = answer->reached && trouble != TROUBLE_REFUSED && trouble != TROUBLE_BUSY;
    if (open && step->class != CLASS_STATE && !step->repeatable) {
        doubt(run, facts, answer, now);
        return;
    }
    if (trouble == TROUBLE_REFUSED || trouble == TROUBLE_BUSY)
        run->owed = false;
    again_or_fail(run, facts, answer, trouble_result(trouble, answer->reached), now);
}

static void answer_verify(struct run *run, const struct facts *facts,
                          const struct answer *answer, struct moment now)
{
    if (trouble_of(answer) == TROUBLE_NONE)
        verify_words(run, answer, now);
    else
        again_or_fail(run, facts, answer, RESULT_WRITTEN, now);
}

static void answer_compare(struct run *run, const struct facts *facts,
                           const struct answer *answer, struct moment now)
{
    const struct plan_step *step = run_step(run);
    bool same = true;

    if (trouble_of(answer) != TROUBLE_NONE) {
        again_or_fail(run, facts, answer, RESULT_NOT_SENT, now);
        return;
    }
    for (size_t i = 0; i < step->item_count; i++) {
        const struct plan_item *item = &step->items[i];
        const uint16_t *wanted =
            item->count <= 4 ? item->words : step->operation.words + item->offset;

        same &= item->offset + item->count <= answer->count &&
                value_same(point_of(run, item->point), answer->words + item->offset, wanted);
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

        set_result(result, RESULT_UNCHANGED, CODE_NONE, NULL);
        keep_words(&result->holds, &step->items[i], answer);
        result->at_ms = now.wall_ms;
    }
    step_done(run, now);
}

static void answer_read(struct run *run, const struct facts *facts, const struct answer *answer,
                        struct moment now)
{
    const struct plan_step *step = run_step(run);

    if (trouble_of(answer) != TROUBLE_NONE) {
        again_or_fail(run, facts, answer, RESULT_NOT_SENT, now);
        return;
    }
    if (run->attempts == 0)
        run->attempts = 1;
    for (size_t i = 0; i < step->item_count; i++) {
        const struct plan_item *item = &step->items[i];

        if (step->kind == PLAN_READ)
            keep_words(&run->reads[item->result], item, answer);
        else if (run->before)
            keep_words(&run->before[item->point], item, answer);
    }
    advance(run, now);
}

static void expectation_failed(struct run *run, struct moment now)
{
    const struct plan_step *step = run_step(run);
    const struct point *point = point_of(run, step->items[0].point);
    char text[200];

    if (run->heard)
        snprintf(text, sizeof(text), "%s did not come to the expected value within %.1f s",
                 point->name, step->within_ms / 1000.0);
    else
        snprintf(text, sizeof(text), "%s could not be read within %.1f s, the device is silent",
                 point->name, step->within_ms / 1000.0);
    fail(run, CODE_EXPECTATION_FAILED, RESULT_UNKNOWN, text, now);
}

static bool expectation_holds(const struct run *run, const struct answer *answer)
{
    const struct plan_step *step = run_step(run);
    const struct plan_item *item = &step->items[0];
    const struct point *point = point_of(run, item->point);

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
            advance(run, now);
            return;
        }
    }
    if (answer->result == ANSWER_EXCEPTION)
        run->heard = true;
    int64_t pause = (int64_t)(step->every_ms ? step->every_ms : 1000) * 1000;
    run->due_us = now.boot_us + pause < run->until_us ? now.boot_us + pause : run->until_us;
    if (now.boot_us >= run->until_us)
        expectation_failed(run, now);
}

static void answer_return(struct run *run, const struct facts *facts,
                          const struct answer *answer, struct moment now)
{
    const struct plan_step *step = run_step(run);
    struct point_result *result = &run->results[run->plan->steps[run->step].items[0].result];

    if (trouble_of(answer) != TROUBLE_NONE) {
        again_or_fail(run, facts, answer, RESULT_UNKNOWN, now);
        if (run_step(run) != step)
            set_result(result, RESULT_UNKNOWN, CODE_OUTCOME_UNKNOWN,
                       "the value before could not be written back");
        return;
    }
    run->owed = false;
    result->restored = true;
    advance(run, now);
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
            again_or_fail(run, facts, answer, RESULT_NOT_SENT, now);
        }
        return;
    case PHASE_COMPARE:
        answer_compare(run, facts, answer, now);
        return;
    case PHASE_WRITE:
        answer_write(run, facts, answer, now);
        return;
    case PHASE_VERIFY:
        answer_verify(run, facts, answer, now);
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

void run_stop(struct run *run, const char *text, struct moment now)
{
    if (run->phase == PHASE_OVER || run->stopping)
        return;
    run->stopping = true;
    if (run->code == CODE_NONE)
        snprintf(run->text, sizeof(run->text), "%s", text);
    /* What is between two frames ends now; a frame that is out, or its read-back, ends first.
     */
    if (run->phase == PHASE_WAIT || run->phase == PHASE_EXPECT || run->phase == PHASE_INTENT ||
        run->phase == PHASE_START) {
        if (run_step(run)->kind != PLAN_RETURN) {
            set_error(run, CODE_INTERRUPTED, text);
            advance(run, now);
        }
    }
}

void run_line_down(struct run *run, const char *why, struct moment now)
{
    if (run->phase == PHASE_OVER)
        return;
    if (run->phase == PHASE_RESTORE) {
        run->phase = PHASE_OVER;
        return;
    }
    bool acked = run->phase == PHASE_VERIFY;
    fail(run, CODE_LINE_DOWN, acked ? RESULT_WRITTEN : RESULT_NOT_SENT, why, now);
    if (run->phase == PHASE_START && run_step(run) && run_step(run)->kind == PLAN_RETURN)
        run->phase = PHASE_OVER;
}
