/* A run on paper: what the store keeps of it from step to step, and how it goes on after a
   restart, deciding about what is in doubt step by step. */
#include "jobs/run_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A site may be edited between two starts: then the step numbers mean something else. */
static json_int_t fingerprint(const struct run *run)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    const struct plan *plan = run->plan;

    for (size_t i = 0; i < plan->step_count; i++) {
        const struct plan_step *step = &plan->steps[i];
        const uint64_t parts[] = {(uint64_t)step->kind,
                                  (uint64_t)step->class,
                                  (uint64_t)step->operation.kind,
                                  (uint64_t)step->operation.table,
                                  step->operation.address,
                                  step->operation.count,
                                  step->item_count,
                                  step->wait_ms};

        for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++)
            hash = (hash ^ parts[k]) * 1099511628211u;
    }
    return (json_int_t)(hash >> 12);
}

/* --- keeping --- */

static json_t *words_json(const struct reading *reading)
{
    if (!reading->known)
        return json_null();
    json_t *words = json_array();
    for (size_t i = 0; i < reading->count; i++)
        json_array_append_new(words, json_integer(reading_words(reading)[i]));
    return words;
}

static json_t *readings_json(const struct reading *readings, size_t count)
{
    json_t *object = json_object();
    char name[24];

    for (size_t i = 0; readings && i < count; i++) {
        if (!readings[i].known)
            continue;
        snprintf(name, sizeof(name), "%zu", i);
        json_object_set_new(object, name, words_json(&readings[i]));
    }
    return object;
}

static json_t *result_json(const struct point_result *result)
{
    return json_pack("{s:i, s:i, s:s*, s:o, s:o, s:I, s:b, s:b, s:i}", "result",
                     (int)result->result, "code", (int)result->code, "text", result->text,
                     "wrote", words_json(&result->wrote), "holds", words_json(&result->holds),
                     "at", (json_int_t)result->at_ms, "restored", (int)result->restored, "owed",
                     (int)result->owed, "worst", (int)result->worst);
}

char *run_journal(const struct run *run)
{
    json_t *results = json_array(), *kept;

    for (size_t i = 0; i < run->plan->result_count; i++)
        json_array_append_new(results, result_json(&run->results[i]));
    kept = json_pack(
        "{s:I, s:I, s:I, s:b, s:i, s:I, s:b, s:b, s:I, s:i, s:s, s:o, s:o, s:o}", "plan",
        fingerprint(run), "step", (json_int_t)run->step, "item", (json_int_t)run->item, "split",
        run->part ? 1 : 0, "phase", (int)run->phase, "attempts", (json_int_t)run->attempts,
        "begun", (int)run->begun, "owed", (int)run->owed, "restoreLeft",
        (json_int_t)run->restore_left, "code", (int)run->code, "text", run->text, "results",
        results, "reads", readings_json(run->reads, run->plan->read_count), "before",
        readings_json(run->before, run_profile(run)->point_count));
    char *text = kept ? json_text(kept) : NULL;
    json_decref(kept);
    return text;
}

/* --- recalling --- */

static int64_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static bool flag(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static void recall_reading(struct reading *reading, const json_t *kept)
{
    uint16_t words[256];
    size_t count = json_array_size(kept);

    if (!json_is_array(kept) || count > sizeof(words) / sizeof(words[0]))
        return;
    for (size_t i = 0; i < count; i++)
        words[i] = (uint16_t)json_integer_value(json_array_get(kept, i));
    reading_set(reading, words, (uint16_t)count);
}

static void recall_readings(struct reading *readings, size_t count, const json_t *kept)
{
    const char *name;
    json_t *words;

    json_object_foreach((json_t *)(uintptr_t)kept, name, words)
    {
        size_t at = strtoul(name, NULL, 10);

        if (readings && at < count)
            recall_reading(&readings[at], words);
    }
}

static void recall_result(struct point_result *result, const json_t *kept)
{
    result_set(result, (enum result)number(kept, "result"), (enum code)number(kept, "code"),
               json_string_value(json_object_get(kept, "text")));
    recall_reading(&result->wrote, json_object_get(kept, "wrote"));
    recall_reading(&result->holds, json_object_get(kept, "holds"));
    result->at_ms = number(kept, "at");
    result->restored = flag(kept, "restored");
    result->owed = flag(kept, "owed");
    result->worst = (enum result)number(kept, "worst");
}

static int recall(struct run *run, const json_t *kept)
{
    const json_t *results = json_object_get(kept, "results");
    size_t step = (size_t)number(kept, "step"), item = (size_t)number(kept, "item");

    if (number(kept, "plan") != fingerprint(run) || step > run->plan->step_count ||
        json_array_size(results) != run->plan->result_count)
        return -ESTALE;
    run->step = step;
    run->attempts = (unsigned)number(kept, "attempts");
    run->begun = flag(kept, "begun");
    run->owed = flag(kept, "owed");
    run->restore_left = (size_t)number(kept, "restoreLeft");
    run->code = (enum code)number(kept, "code");
    snprintf(run->text, sizeof(run->text), "%s",
             json_string_value(json_object_get(kept, "text")));
    for (size_t i = 0; i < run->plan->result_count; i++)
        recall_result(&run->results[i], json_array_get(results, i));
    recall_readings(run->reads, run->plan->read_count, json_object_get(kept, "reads"));
    recall_readings(run->before, run_profile(run)->point_count,
                    json_object_get(kept, "before"));
    run->phase = PHASE_START;
    if (flag(kept, "split")) {
        if (run_split(run, step, item) < 0)
            return -ENOMEM;
        run->item = item;
        run->phase = PHASE_WRITE;
    }
    if (number(kept, "phase") == PHASE_RESTORE || step == run->plan->step_count)
        run->phase = PHASE_RESTORE;
    return 0;
}

/* --- in doubt --- */

/* Is it known what the step's points held before it began? */
static bool knows_before(const struct run *run)
{
    const struct plan_step *step = run_step(run);

    if (!step || step->kind != PLAN_WRITE || step->class != CLASS_STATE || !run->before ||
        step->readback.count == 0)
        return false;
    for (size_t i = 0; i < step->item_count; i++) {
        if (!run->before[step->items[i].point].known)
            return false;
    }
    return true;
}

/* Its frame may have left, and nothing says whether it was obeyed. A pulse is paid back. */
static void doubt(struct run *run, struct moment now)
{
    const struct plan_step *step = run_step(run);

    run->begun = true;
    if (step->class == CLASS_PULSE)
        run->owed = true;
    run_count_try(run);
    run_fail(run, CODE_OUTCOME_UNKNOWN, RESULT_UNKNOWN,
             "the gateway stopped while it was sent: nothing can tell whether it was obeyed, "
             "and it is never sent twice",
             now);
}

void run_maybe_begun(struct run *run)
{
    const struct plan_step *step = run_step(run);

    run->begun = true;
    run->reached |= step && step->kind == PLAN_WRITE && step->class == CLASS_STATE;
}

int run_resume(struct run *run, const char *journal, bool in_doubt, struct moment now)
{
    json_t *kept = json_loads(journal, 0, NULL);
    int r = kept ? recall(run, kept) : -EBADMSG;

    json_decref(kept);
    if (r < 0)
        return r;
    const struct plan_step *step = run_step(run);
    if (in_doubt && step && step->kind == PLAN_WRITE && step->class != CLASS_STATE &&
        !step->repeatable) {
        doubt(run, now);
    } else if (in_doubt && step && step->kind == PLAN_WRITE && step->class != CLASS_STATE) {
        run->begun = run->reached = true; /* it is sent again, if the device is there */
        run->owed |= step->class == CLASS_PULSE;
    } else if (run->phase != PHASE_RESTORE && knows_before(run)) {
        run->phase = PHASE_DOUBT;
    }
    return 0;
}

/* It holds the value: done. It holds what it held before: it was not written, so write. It
   holds neither: somebody else moved it since, and his value stays. */
void run_answer_doubt(struct run *run, const struct facts *facts, const struct answer *answer,
                      struct moment now)
{
    const struct plan_step *step = run_step(run);
    bool before = true;

    if (trouble_of(answer) != TROUBLE_NONE) {
        run_again_or_fail(run, facts, answer, RESULT_UNKNOWN, now);
        return;
    }
    run_count_try(run);
    run->tries = 0;
    if (run_holds_all(run, answer)) {
        run_found(run, answer, RESULT_VERIFIED, now);
        return;
    }
    for (size_t i = 0; i < step->item_count; i++) {
        const struct plan_item *item = &step->items[i];

        before &= item->offset + item->count <= answer->count &&
                  value_same(run_point(run, item->point), answer->words + item->offset,
                             reading_words(&run->before[item->point]));
    }
    if (before) {
        run->reached = false;
        run->phase = PHASE_WRITE;
        return;
    }
    for (size_t i = 0; i < step->item_count; i++)
        reading_keep(&run->results[step->items[i].result].holds, &step->items[i], answer);
    run_fail(
        run, CODE_OVERRIDDEN, RESULT_MISMATCH,
        "after an interruption it held neither the old nor the wanted value: somebody else "
        "moved it, and it was left alone",
        now);
}
