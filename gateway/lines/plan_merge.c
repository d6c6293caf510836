#include "lines/plan_build.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_bit_table(enum table table)
{
    return table == TABLE_COIL || table == TABLE_DISCRETE;
}

uint8_t plan_write_function(const struct profile *profile, const struct point *point)
{
    uint8_t one = point->table == TABLE_COIL ? 5 : 6,
            many = point->table == TABLE_COIL ? 15 : 16;

    if (point->bit_count > 0 && profile_has_function(profile, FUNCTION_MASK))
        return FUNCTION_MASK;
    if (point->write_with || !profile->functions)
        return point->write_with;
    if (profile_has_function(profile, one) == profile_has_function(profile, many))
        return 0;
    return profile_has_function(profile, one) ? one : many;
}

static bool is_single(uint8_t function)
{
    return function == 5 || function == 6;
}

/* Registers, or bits, in one write. */
static unsigned write_most(const struct profile *profile, enum table table)
{
    if (table == TABLE_COIL)
        return profile->max_write == 1 ? 1 : ADAPTER_WORDS_MAX;
    return profile->max_write && profile->max_write < ADAPTER_WRITE_MAX ? profile->max_write
                                                                        : ADAPTER_WRITE_MAX;
}

static unsigned read_most(const struct profile *profile, enum table table)
{
    if (is_bit_table(table))
        return profile->max_read == 1 ? 1 : ADAPTER_WORDS_MAX;
    return profile->max_read && profile->max_read < ADAPTER_WORDS_MAX ? profile->max_read
                                                                      : ADAPTER_WORDS_MAX;
}

static bool verifies(const struct point *point, enum step_class class)
{
    return class == CLASS_STATE && point->kind == POINT_STATE && point->verify &&
           point->readable;
}

static struct operation read_operation(enum table table, uint16_t address, uint16_t count)
{
    return (struct operation){
        .kind = OPERATION_READ, .table = table, .address = address, .count = count};
}

/* --- steps --- */

static int add_item(struct plan_step *step, const struct point *point, size_t index,
                    uint16_t first, size_t result, const uint16_t *words)
{
    struct plan_item *items =
        reallocarray(step->items, step->item_count + 1, sizeof(*step->items));
    if (!items)
        return -ENOMEM;
    step->items = items;
    struct plan_item *item = &items[step->item_count];
    *item = (struct plan_item){.point = index,
                               .offset = (uint16_t)(point->address - first),
                               .count = point->count,
                               .result = result};
    if (words) {
        item->words = malloc(point->count * sizeof(*words));
        if (!item->words)
            return -ENOMEM;
        memcpy(item->words, words, point->count * sizeof(*words));
    }
    step->item_count++;
    return 0;
}

static void mask_operation(struct operation *operation, const struct profile *profile,
                           const struct want *wants, size_t count)
{
    uint16_t mask = 0;

    operation->kind = OPERATION_MASK;
    operation->function = plan_write_function(profile, &profile->points[wants[0].point]);
    operation->count = 1;
    for (size_t i = 0; i < count; i++) {
        uint16_t bits = value_mask(&profile->points[wants[i].point]);
        mask |= bits;
        operation->or_mask |= wants[i].words[0] & bits;
    }
    operation->and_mask = (uint16_t)~mask;
}

static void words_operation(struct operation *operation, const struct profile *profile,
                            const struct want *wants, size_t count)
{
    operation->kind = OPERATION_WRITE;
    operation->count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct point *point = &profile->points[wants[i].point];
        uint8_t function = plan_write_function(profile, point);
        if (function)
            operation->function = function;
        memcpy(operation->words + operation->count, wants[i].words,
               point->count * sizeof(*wants[i].words));
        operation->count = (uint16_t)(operation->count + point->count);
    }
    if (operation->count > 1 && is_single(operation->function)) /* a pulse stays one frame */
        operation->function = 0;
}

static bool asks_for_function(const struct plan_step *step, const struct profile *profile)
{
    for (size_t i = 0; i < step->item_count; i++) {
        if (profile->points[step->items[i].point].write_with)
            return true;
    }
    return false;
}

/* With function 23 the write and its read-back are one transaction, where nothing has to settle
   between them and no point asks for another function. */
static void join_readback(struct plan_step *step, const struct profile *profile)
{
    struct operation *operation = &step->operation;

    if (operation->kind != OPERATION_WRITE || operation->table != TABLE_HOLDING ||
        asks_for_function(step, profile) || !step->verify || step->settle_ms > 0 ||
        operation->count > WRITE_READ_MAX ||
        operation->count > read_most(profile, TABLE_HOLDING) ||
        !profile_has_function(profile, FUNCTION_WRITE_READ))
        return;
    operation->kind = OPERATION_WRITE_READ;
    operation->function = FUNCTION_WRITE_READ;
    operation->read_address = operation->address;
    operation->read_count = operation->count;
}

int step_write(struct plan_step *step, const struct profile *profile, const struct want *wants,
               size_t count)
{
    const struct point *first = &profile->points[wants[0].point];
    bool readable = true, broadcast = true;

    step->kind = PLAN_WRITE;
    step->class = wants[0].class;
    step->method_step = wants[0].method_step;
    step->repeatable = wants[0].repeatable;
    step->verify = verifies(first, step->class);
    step->if_different = first->if_different && first->readable;
    step->settle_ms = step->verify_within_ms = 0;
    for (size_t i = 0; i < count; i++) {
        const struct point *point = &profile->points[wants[i].point];
        if (add_item(step, point, wants[i].point, first->address, wants[i].result,
                     wants[i].words) != 0) {
            plan_step_deinit(step);
            return -ENOMEM;
        }
        readable = readable && point->readable;
        broadcast = broadcast && point->broadcast;
        if (point->settle_ms > step->settle_ms)
            step->settle_ms = point->settle_ms;
        if (point->verify_within_ms > step->verify_within_ms)
            step->verify_within_ms = point->verify_within_ms;
    }
    step->operation = (struct operation){.table = first->table, .address = first->address};
    if (first->bit_count)
        mask_operation(&step->operation, profile, wants, count);
    else
        words_operation(&step->operation, profile, wants, count);
    step->readback =
        read_operation(first->table, first->address, readable ? step->operation.count : 0);
    join_readback(step, profile);
    step->broadcast = broadcast && step->verify && !step->if_different &&
                      step->operation.kind != OPERATION_MASK;
    return 0;
}

int step_read(struct plan_step *step, const struct profile *profile, size_t point,
              const uint16_t *wanted)
{
    const struct point *at = &profile->points[point];

    if (add_item(step, at, point, at->address, 0, wanted) != 0)
        return -ENOMEM;
    step->operation = read_operation(at->table, at->address, at->count);
    return 0;
}

/* --- writes --- */

static bool overlaps(const struct profile *profile, const struct want *wants, size_t count,
                     uint16_t mask)
{
    for (size_t i = 0; i < count; i++) {
        if (value_mask(&profile->points[wants[i].point]) & mask)
            return true;
    }
    return false;
}

/* May `next` go out in the frame of the `count` wants before it? */
static bool joins(const struct profile *profile, const struct want *wants, size_t count,
                  const struct want *next)
{
    const struct point *first = &profile->points[wants[0].point];
    const struct point *last = &profile->points[wants[count - 1].point];
    const struct point *point = &profile->points[next->point];
    uint8_t a = plan_write_function(profile, last), b = plan_write_function(profile, point);

    if (next->class != CLASS_STATE || wants[0].class != CLASS_STATE ||
        next->repeatable != wants[0].repeatable || point->table != first->table)
        return false;
    if (!last->join || !point->join || last->readable != point->readable ||
        verifies(last, CLASS_STATE) != verifies(point, CLASS_STATE))
        return false;
    if (last->if_different ||
        point->if_different) /* what wears out is written for itself alone */
        return false;
    if (last->bit_count || point->bit_count)
        return last->bit_count && point->bit_count && last->address == point->address &&
               !overlaps(profile, wants, count, value_mask(point));
    unsigned words = (unsigned)(point->address + point->count - first->address);
    return point->address == last->address + last->count && !is_single(a) && !is_single(b) &&
           words <= write_most(profile, point->table);
}

int build_writes(struct build *build, const struct want *wants, size_t count)
{
    for (size_t done = 0, n; done < count; done += n) {
        for (n = 1;
             done + n < count && joins(build->profile, wants + done, n, wants + done + n);)
            n++;
        struct plan_step *step = build_step(build, PLAN_WRITE, wants[done].method_step);
        if (!step || step_write(step, build->profile, wants + done, n) != 0)
            return -ENOMEM;
    }
    return 0;
}

static bool stands_after(const struct point *a, const struct point *b)
{
    if (a->table != b->table)
        return a->table > b->table;
    return a->address > b->address;
}

/* By insertion: stable, and a patch is short. */
void wants_sort(const struct profile *profile, struct want *wants, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct want moved = wants[i];
        size_t to = i;
        for (; to > 0 && stands_after(&profile->points[wants[to - 1].point],
                                      &profile->points[moved.point]);
             to--)
            wants[to] = wants[to - 1];
        wants[to] = moved;
    }
}

/* --- reads --- */

static void points_sort(const struct profile *profile, size_t *points, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        size_t moved = points[i], to = i;
        for (;
             to > 0 && stands_after(&profile->points[points[to - 1]], &profile->points[moved]);
             to--)
            points[to] = points[to - 1];
        points[to] = moved;
    }
}

static unsigned end_of(const struct point *point)
{
    return (unsigned)point->address + point->count;
}

/* May the point be read by the frame that reads from `first` up to `end`? Holes are not read:
   what the sheet leaves out may be refused. */
static bool reads_on(const struct profile *profile, const struct point *first, bool join,
                     unsigned end, const struct point *point)
{
    unsigned all = end_of(point) > end ? end_of(point) : end;

    return join && point->join && point->table == first->table && point->address <= end &&
           all - first->address <= read_most(profile, point->table);
}

static int read_sorted(struct build *build, enum plan_step_kind kind, size_t method_step,
                       const size_t *points, size_t count)
{
    const struct profile *profile = build->profile;

    for (size_t i = 0; i < count;) {
        const struct point *first = &profile->points[points[i]];
        struct plan_step *step = build_step(build, kind, method_step);
        unsigned end = end_of(first);
        bool join = true;

        if (!step)
            return -ENOMEM;
        for (; i < count; i++) {
            const struct point *point = &profile->points[points[i]];
            size_t result = 0;
            if (step->item_count > 0 && !reads_on(profile, first, join, end, point))
                break;
            if (kind == PLAN_READ && build_read(build, points[i], &result) != 0)
                return -ENOMEM;
            if (add_item(step, point, points[i], first->address, result, NULL) != 0)
                return -ENOMEM;
            end = end_of(point) > end ? end_of(point) : end;
            join = join && point->join;
        }
        step->operation =
            read_operation(first->table, first->address, (uint16_t)(end - first->address));
    }
    return 0;
}

int build_reads(struct build *build, enum plan_step_kind kind, size_t method_step,
                const size_t *points, size_t count)
{
    size_t *sorted = calloc(count + 1, sizeof(*sorted)), kept = 0, result;
    int r = sorted ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < count; i++) {
        bool again = false;
        for (size_t k = 0; k < kept; k++)
            again |= sorted[k] == points[i];
        if (!again)
            sorted[kept++] = points[i];
        if (kind == PLAN_READ) /* the answer keeps the order that was asked for */
            r = build_read(build, points[i], &result);
    }
    if (r == 0) {
        points_sort(build->profile, sorted, kept);
        r = read_sorted(build, kind, method_step, sorted, kept);
    }
    free(sorted);
    return r;
}
