#include "jobs/run_private.h"
#include "lines/probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A trigger goes only to a device that has answered within this time. */
#define HEARD_LATELY_US (60 * INT64_C(1000000))

const struct profile *run_profile(const struct run *run)
{
    return &run->site->profiles[run->plan->profile];
}

const struct point *run_point(const struct run *run, size_t point)
{
    return &run_profile(run)->points[point];
}

const struct plan_step *run_step(const struct run *run)
{
    if (run->phase == PHASE_OVER || run->step >= run->plan->step_count)
        return NULL;
    return run->part ? run->part : &run->plan->steps[run->step];
}

const uint16_t *reading_words(const struct reading *reading)
{
    return reading->long_words ? reading->long_words : reading->words;
}

void reading_set(struct reading *reading, const uint16_t *words, uint16_t count)
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

void reading_keep(struct reading *reading, const struct plan_item *item,
                  const struct answer *answer)
{
    if (item->offset + item->count <= answer->count)
        reading_set(reading, answer->words + item->offset, item->count);
}

void run_know_before(struct run *run, size_t point, const uint16_t *words, uint16_t count)
{
    if (run->before && run->before[point].known)
        reading_set(&run->before[point], words, count);
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
        run->before = calloc(run_profile(run)->point_count + 1, sizeof(*run->before));
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
    if (run->part)
        plan_step_deinit(run->part);
    free(run->part);
    run->part = NULL;
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
    for (size_t i = 0; run->before && i < run_profile(run)->point_count; i++)
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

/* Points written twice in one task carry the worst that happened to them. */
static void settle(struct run *run)
{
    const struct plan_step *step = run_step(run);

    if (!step || step->kind != PLAN_WRITE)
        return;
    for (size_t i = 0; i < step->item_count; i++) {
        struct point_result *result = &run->results[step->items[i].result];

        if (result->result < result->worst)
            result->result = result->worst;
        result->worst = result->result;
    }
}

void run_leave_out(struct run *run, const struct plan_step *step, size_t item)
{
    if (run->stopping && step->kind != PLAN_RETURN)
        run_interrupt(run);
    for (; step->kind == PLAN_WRITE && item < step->item_count; item++) {
        struct point_result *result = &run->results[step->items[item].result];

        if (result->result < RESULT_NOT_SENT)
            result->result = RESULT_NOT_SENT;
        if (run->stopping && result->result == RESULT_NOT_SENT && result->code == CODE_NONE)
            result_set(result, run->reached ? RESULT_UNKNOWN : RESULT_NOT_SENT,
                       run->begun ? CODE_INTERRUPTED : run->stop.code,
                       run->begun ? run->stop.after : run->stop.before);
    }
}

void run_advance(struct run *run, struct moment now)
{
    unsplit(run);
    run->tries = 0;
    run->rewritten = run->heard = run->reached = run->doubted = run->cast = false;
    run->intent = run->counted = 0;
    run->due_us = now.boot_us;
    run->phase = PHASE_START;
    for (run->step++; run->step < run->plan->step_count; run->step++) {
        const struct plan_step *step = &run->plan->steps[run->step];

        if (may_begin(run, step))
            return;
        run_leave_out(run, step, 0);
    }
    finish(run, now);
}

int run_split(struct run *run, size_t step, size_t item)
{
    run->part = calloc(1, sizeof(*run->part));
    if (run->part && plan_step_split(run->part, run->site, run->plan, step, item) == 0)
        return 0;
    free(run->part);
    run->part = NULL;
    return -ENOMEM;
}

void run_split_next(struct run *run, struct moment now)
{
    const struct plan_step *whole = &run->plan->steps[run->step];
    size_t item = run->part ? run->item + 1 : 0;

    unsplit(run);
    if (item < whole->item_count && (item == 0 || may_begin(run, whole)) &&
        run_split(run, run->step, item) < 0)
        run_set_error(run, CODE_STORE_UNAVAILABLE, "the gateway is out of memory");
    if (!run->part) {
        run_leave_out(run, whole, item);
        run_advance(run, now);
        return;
    }
    run->item = item;
    run->tries = 0;
    run->counted = 0;
    run->rewritten = run->reached = run->doubted = false;
    run->due_us = now.boot_us;
    run->phase = PHASE_WRITE;
}

void run_step_done(struct run *run, struct moment now)
{
    settle(run);
    if (run->part)
        run_split_next(run, now);
    else
        run_advance(run, now);
}

void run_set_error(struct run *run, enum code code, const char *text)
{
    if (run->code != CODE_NONE)
        return;
    run->code = code;
    snprintf(run->text, sizeof(run->text), "%s", text);
}

void run_interrupt(struct run *run)
{
    char text[sizeof(run->text)];

    if (run->code != CODE_NONE)
        return;
    if (!run->begun) {
        run_set_error(run, run->stop.code, run->stop.before);
        return;
    }
    sentence_stopped(text, sizeof(text), run);
    run_set_error(run, CODE_INTERRUPTED, text);
}

bool run_heard_lately(const struct facts *facts, struct moment now)
{
    return facts->heard_us > now.boot_us - HEARD_LATELY_US;
}

void run_count_try(struct run *run)
{
    if (run->attempts < run->tries + 1)
        run->attempts = run->tries + 1;
}

void result_set(struct point_result *result, enum result value, enum code code,
                const char *text)
{
    result->result = value;
    result->code = code;
    free(result->text);
    result->text = text && *text ? strdup(text) : NULL;
}

void run_step_results(struct run *run, enum result value, enum code code, const char *text)
{
    const struct plan_step *step = run_step(run);

    if (step->kind != PLAN_WRITE)
        return;
    for (size_t i = 0; i < step->item_count; i++)
        result_set(&run->results[step->items[i].result], value, code, text);
}

/* A device that is out of reach fails what is left of a patch as well, unsent. */
static void fail_rest(struct run *run, enum code code, const char *text)
{
    for (size_t i = 0; i < run->plan->result_count; i++) {
        struct point_result *result = &run->results[i];

        if (result->result == RESULT_NOT_SENT && result->code == CODE_NONE)
            result_set(result, RESULT_NOT_SENT, code, text);
    }
    run->step = run->plan->step_count - 1;
}

void run_leave(struct run *run, struct moment now)
{
    if (run->plan->kind == ACTION_PATCH) {
        run_step_done(run, now);
        return;
    }
    settle(run);
    if (run->part)
        run_leave_out(run, &run->plan->steps[run->step], run->item + 1);
    run_advance(run, now);
}

void run_fail(struct run *run, enum code code, enum result result, const char *text,
              struct moment now)
{
    bool out_of_reach = code == CODE_DEVICE_TIMEOUT || code == CODE_LINE_DOWN;

    run_step_results(run, result, code, text);
    run_set_error(run, code, text);
    if (run->plan->kind == ACTION_PATCH && out_of_reach) {
        fail_rest(run, code, text);
        run_advance(run, now);
        return;
    }
    run_leave(run, now);
}

/* --- what it wants --- */

static void start_write(struct run *run, const struct facts *facts, struct moment now)
{
    const struct plan_step *step = run_step(run);
    struct operation probe;
    bool heard = run_heard_lately(facts, now) && !facts->known_dead;

    if (run_refuse_worn(run, facts, now))
        return;
    if (step->class != CLASS_STATE && !heard && probe_operation(run_profile(run), &probe))
        run->phase = PHASE_PROBE;
    else if (step->if_different)
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
            run_advance(run, now);
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
        /* A device that has spoken is asked a last time when the time is over. */
        if (run->phase == PHASE_EXPECT && run->tries > 0 && !run->heard &&
            now.boot_us >= run->until_us) {
            run_expectation_failed(run, now);
            continue;
        }
        if (run->phase == PHASE_WRITE && run->counted == 0 && run_wears(run) &&
            run_is_worn(run, facts) && run_refuse_worn(run, facts, now))
            continue;
        if (run_operation(run, operation)) {
            if (run_wears(run) && run->counted == 0)
                return WANTS_COUNT;
            if (run->counted > facts->safe)
                return WANTS_SAFE;
            operation->unit = run->site->devices[run->device].unit;
            run->out = true;
            return WANTS_WORK;
        }
        if (run->phase == PHASE_RESTORE) {
            finish(run, now);
            continue;
        }
        if (run->owed)
            run_owe(run, "the value before is not known");
        run_advance(run, now);
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
