/* Polling: what a line reads on its own account when it has nothing better to do, and which of
   the values are told. A device's polls pause while it has a task. */
#include "jobs/engine_private.h"
#include "jobs/metadata.h"
#include "site/value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A poll that was not answered is tried again soon, until the device counts as silent. */
#define SILENT_PAUSE_US INT64_C(1000000)

static const struct profile *profile_of(const struct engine *engine, size_t device)
{
    return &engine->site->profiles[engine->site->devices[device].profile];
}

static const struct poll_plan *plan_of(const struct engine *engine, size_t device)
{
    return &engine->poll_plans[engine->site->devices[device].profile];
}

static int64_t interval_us(const struct poll_block *block)
{
    return (int64_t)block->poll_ms * 1000;
}

/* The first polls of a line are spread over their interval, so that they do not all come at
   once at the start and in every round after it. */
int poll_open(const struct poll_plan *plan, struct device_state *state, size_t nth, size_t of,
              struct moment now)
{
    if (plan->block_count == 0)
        return 0;
    state->polls = calloc(plan->block_count, sizeof(*state->polls));
    state->words = calloc(plan->word_count + plan->item_count, sizeof(*state->words));
    if (!state->polls || !state->words)
        return -ENOMEM;
    for (size_t i = 0; i < plan->block_count; i++)
        state->polls[i].due_us =
            now.boot_us + interval_us(&plan->blocks[i]) * (int64_t)nth / (int64_t)of;
    return 0;
}

int polls_open(struct engine *engine, struct moment now)
{
    engine->poll_plans = calloc(engine->site->profile_count + 1, sizeof(*engine->poll_plans));
    if (!engine->poll_plans)
        return -ENOMEM;
    for (size_t i = 0; i < engine->site->profile_count; i++) {
        if (poll_plan_init(&engine->poll_plans[i], &engine->site->profiles[i]) < 0)
            return -ENOMEM;
    }
    for (size_t i = 0; i < engine->site->line_count; i++) {
        const struct line_state *line = &engine->lines[i];

        for (size_t k = 0; k < line->device_count; k++) {
            size_t device = line->devices[k];

            if (poll_open(plan_of(engine, device), &engine->devices[device], k,
                          line->device_count, now) < 0)
                return -ENOMEM;
        }
        overload_open(engine, i);
    }
    return 0;
}

void polls_close(struct engine *engine)
{
    for (size_t i = 0; engine->poll_plans && i < engine->site->profile_count; i++)
        poll_plan_deinit(&engine->poll_plans[i]);
    for (size_t i = 0; engine->devices && i < engine->site->device_count; i++) {
        free(engine->devices[i].polls);
        free(engine->devices[i].words);
    }
    free(engine->poll_plans);
}

/* The block that is due first, and how late it is in thousandths of its interval: where a line
   was asked for more than it carries, all grow late by the same share. */
static size_t first_due(const struct engine *engine, size_t device)
{
    const struct poll_plan *plan = plan_of(engine, device);
    const struct poll_state *polls = engine->devices[device].polls;
    size_t first = 0;

    for (size_t i = 1; i < plan->block_count; i++) {
        if (polls[i].due_us < polls[first].due_us)
            first = i;
    }
    return first;
}

enum rank poll_due(const struct engine *engine, size_t device, struct moment now,
                   uint64_t *turn, int64_t *when)
{
    const struct device_state *state = &engine->devices[device];

    if (!state->polls)
        return RANK_COUNT;
    size_t block = first_due(engine, device);
    int64_t due_us = state->polls[block].due_us;

    if (due_us < state->learned.unanswered.until_us)
        due_us = state->learned.unanswered.until_us;
    *when = due_us > now.boot_us ? due_us : 0;
    *turn = UINT64_MAX;
    if (*when == 0)
        *turn -= (uint64_t)((now.boot_us - state->polls[block].due_us) * 1000 /
                            interval_us(&plan_of(engine, device)->blocks[block]));
    return RANK_POLL;
}

static bool read_of(const struct engine *engine, size_t device, size_t block,
                    struct poll_read *read)
{
    const struct poll_state *poll = &engine->devices[device].polls[block];

    return poll_plan_read(plan_of(engine, device), profile_of(engine, device), block,
                          (enum poll_level)poll->level, poll->nth, read);
}

bool poll_work(struct engine *engine, size_t device, struct work *work)
{
    struct device_state *state = &engine->devices[device];
    struct health_bounds bounds = device_bounds(engine, device);
    struct poll_read read;

    state->polled = first_due(engine, device);
    if (!read_of(engine, device, state->polled, &read))
        return false;
    work->operation = (struct operation){.kind = OPERATION_READ,
                                         .table = read.table,
                                         .address = read.address,
                                         .count = read.count};
    work->limits.timeout_us = health_timeout_us(device_slowest_us(engine, device), &bounds,
                                                state->silent, device_tries(engine, device));
    return true;
}

static bool has_moved(const struct point *point, const uint16_t *words, const uint16_t *told,
                      const json_t *value)
{
    struct value_error error;

    if (value_same(point, words, told))
        return false;
    if (point->deadband <= 0 || !json_is_number(value))
        return true;
    json_t *before = value_decode(point, told, &error);
    double moved = fabs(json_number_value(value) - json_number_value(before));
    bool is_number = json_is_number(before);

    json_decref(before);
    /* 0.3 - 0.1 is a little less than 0.2. */
    return !is_number || moved >= point->deadband * (1 - 1e-9);
}

/* A property that was written keeps its acknowledgement beside the value. */
void poll_path(char path[POLL_PATH_SIZE], const struct twin *twin, const char *property)
{
    const json_t *reported = twin->reported ? twin_find(twin->reported, property) : NULL;

    snprintf(path, POLL_PATH_SIZE, "%s%s", property,
             json_object_get(reported, "ac") ? ".value" : "");
}

void poll_tell(struct engine *engine, size_t device, const struct point *point,
               const json_t *value, int64_t at_ms)
{
    struct twin *twin = &engine->devices[device].twin;
    char path[POLL_PATH_SIZE];

    poll_path(path, twin, point->property);
    twin_report(twin, path, value);
    metadata_set(&twin->reported_times, path, at_ms, 0);
}

/* What a device holds now; a number that is none (NaN) is left out. Into `all` too. */
static bool take_item(struct engine *engine, size_t device, const struct poll_read *read,
                      size_t index, const struct answer *answer, json_t *all)
{
    const struct poll_plan *plan = plan_of(engine, device);
    const struct poll_item *item = &plan->items[index];
    const struct point *point = &profile_of(engine, device)->points[item->point];
    const uint16_t *words = answer->words + (point->address - read->address);
    uint16_t *told = engine->devices[device].words + item->first_word;
    uint16_t *known = engine->devices[device].words + plan->word_count + index;
    struct value_error error;
    json_t *value = value_decode(point, words, &error);
    bool moved = value && (!*known || has_moved(point, words, told, value));

    if (moved) {
        poll_tell(engine, device, point, value, engine->devices[device].heard_ms);
        memcpy(told, words, point->count * sizeof(*told));
        *known = 1;
    }
    if (value && all)
        json_object_set(all, point->name, value);
    json_decref(value);
    return moved;
}

static void report_values(struct engine *engine, size_t device, json_t *values, bool moved,
                          struct moment now)
{
    struct report *report = engine_report(engine, REPORT_VALUES, 0, NULL,
                                          engine->site->devices[device].id, json_text(values));

    report->moved = moved;
    report->when_us = now.boot_us;
}

static void take_values(struct engine *engine, size_t device, const struct poll_read *read,
                        const struct answer *answer, struct moment now)
{
    const struct iothub_config *hub = engine->site->iothub;
    json_t *all = hub && hub->telemetry ? json_object() : NULL;
    bool moved = false;

    if (answer->count >= read->count) {
        for (size_t i = 0; i < read->item_count; i++)
            moved |= take_item(engine, device, read, read->first + i, answer, all);
    }
    if (moved) {
        reported_changed(engine, device, now);
        polled_moved(engine, device, now);
    }
    if (json_object_size(all) > 0)
        report_values(engine, device, all, moved, now);
    json_decref(all);
}

static void next_round(struct poll_state *poll, int64_t pause_us, struct moment now)
{
    poll->nth = 0;
    poll->due_us += pause_us;
    if (poll->due_us <= now.boot_us)
        poll->due_us = now.boot_us + pause_us;
}

/* Exceptions 2 and 3 of a joined read: some register in it does not exist, or it is too long.
 */
static bool is_refused(const struct answer *answer)
{
    return answer->result == ANSWER_EXCEPTION &&
           (answer->exception == 2 || answer->exception == 3);
}

void poll_answer(struct engine *engine, const struct work *work, struct moment now)
{
    struct device_state *state = &engine->devices[work->device];
    const struct poll_plan *plan = plan_of(engine, work->device);
    struct poll_state *poll = &state->polls[state->polled];
    const struct poll_block *block = &plan->blocks[state->polled];
    const struct answer *answer = &work->answer;
    struct poll_read read;

    if (answer->result == ANSWER_NOT_SENT || answer->result == ANSWER_LINE_DOWN ||
        !read_of(engine, work->device, state->polled, &read))
        return;
    if (answer->result == ANSWER_DONE && poll->nth == 0)
        overload_polled(engine, engine->site->devices[work->device].line,
                        answer->started_us - poll->due_us, interval_us(block), now);
    if (answer->result == ANSWER_DONE)
        take_values(engine, work->device, &read, answer, now);
    if (is_refused(answer) && poll->level < POLL_POINTS && read.item_count > 1) {
        poll->level = (uint8_t)poll_plan_lower(plan, profile_of(engine, work->device),
                                               state->polled, (enum poll_level)poll->level);
        poll->nth = 0;
        return;
    }
    if (answer->result == ANSWER_SILENT) {
        next_round(poll,
                   interval_us(block) < SILENT_PAUSE_US ? interval_us(block) : SILENT_PAUSE_US,
                   now);
        return;
    }
    poll->nth++;
    if (!read_of(engine, work->device, state->polled, &read))
        next_round(poll, interval_us(block), now);
}
