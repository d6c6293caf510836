#include "lines/poll_plan.h"

#include <errno.h>
#include <stdlib.h>

static const struct point *point_at(const struct profile *profile, const struct poll_item *item)
{
    return &profile->points[item->point];
}

static unsigned end_of(const struct point *point)
{
    return (unsigned)point->address + point->count;
}

static int by_place(const void *a, const void *b, void *ctx)
{
    const struct profile *profile = ctx;
    const struct point *left = point_at(profile, a), *right = point_at(profile, b);

    if (left->poll_ms != right->poll_ms)
        return left->poll_ms < right->poll_ms ? -1 : 1;
    if (left->table != right->table)
        return left->table < right->table ? -1 : 1;
    if (left->address != right->address)
        return left->address < right->address ? -1 : 1;
    return 0;
}

static bool is_bits(enum table table)
{
    return table == TABLE_COIL || table == TABLE_DISCRETE;
}

static unsigned most_at_once(const struct profile *profile, enum table table)
{
    if (is_bits(table) || profile->max_read == 0 || profile->max_read > ADAPTER_WORDS_MAX)
        return ADAPTER_WORDS_MAX;
    return profile->max_read;
}

/* `from` and `end` are those of the block so far. */
static bool fits(const struct profile *profile, const struct point *first, unsigned end,
                 const struct point *next)
{
    unsigned hole = is_bits(next->table) ? POLL_HOLE_BITS : POLL_HOLE_REGISTERS;
    unsigned new_end = end_of(next) > end ? end_of(next) : end;

    return next->poll_ms == first->poll_ms && next->table == first->table && next->join &&
           first->join && next->address <= end + hole &&
           new_end - first->address <= most_at_once(profile, next->table);
}

static void make_blocks(struct poll_plan *plan, const struct profile *profile)
{
    unsigned end = 0;

    for (size_t i = 0; i < plan->item_count; i++) {
        const struct point *point = point_at(profile, &plan->items[i]);
        struct poll_block *block =
            plan->block_count > 0 ? &plan->blocks[plan->block_count - 1] : NULL;

        plan->items[i].first_word = plan->word_count;
        plan->word_count += point->count;
        if (block && fits(profile, point_at(profile, &plan->items[block->first]), end, point)) {
            block->count++;
            if (end_of(point) > end)
                end = end_of(point);
            continue;
        }
        plan->blocks[plan->block_count++] =
            (struct poll_block){.poll_ms = point->poll_ms, .first = i, .count = 1};
        end = end_of(point);
    }
}

int poll_plan_init(struct poll_plan *plan, const struct profile *profile)
{
    *plan = (struct poll_plan){0};
    for (size_t i = 0; i < profile->point_count; i++)
        plan->item_count += profile->points[i].poll_ms > 0 && profile->points[i].readable;
    if (plan->item_count == 0)
        return 0;
    plan->items = calloc(plan->item_count, sizeof(*plan->items));
    plan->blocks = calloc(plan->item_count, sizeof(*plan->blocks));
    if (!plan->items || !plan->blocks) {
        poll_plan_deinit(plan);
        return -ENOMEM;
    }
    size_t count = 0;
    for (size_t i = 0; i < profile->point_count; i++) {
        if (profile->points[i].poll_ms > 0 && profile->points[i].readable)
            plan->items[count++].point = i;
    }
    /* qsort_r does not write to what ctx points to, and neither does by_place. */
    qsort_r(plan->items, count, sizeof(*plan->items), by_place, (void *)(uintptr_t)profile);
    make_blocks(plan, profile);
    return 0;
}

void poll_plan_deinit(struct poll_plan *plan)
{
    free(plan->items);
    free(plan->blocks);
    *plan = (struct poll_plan){0};
}

/* How many items from there on one read of that level takes, and where it ends. */
static size_t take(const struct poll_plan *plan, const struct profile *profile, size_t first,
                   size_t last, enum poll_level level, unsigned *end)
{
    size_t count = 1;

    *end = end_of(point_at(profile, &plan->items[first]));
    while (level != POLL_POINTS && first + count < last) {
        const struct point *next = point_at(profile, &plan->items[first + count]);

        if (level == POLL_RUNS && next->address > *end)
            break;
        if (end_of(next) > *end)
            *end = end_of(next);
        count++;
    }
    return count;
}

bool poll_plan_read(const struct poll_plan *plan, const struct profile *profile, size_t block,
                    enum poll_level level, size_t nth, struct poll_read *ret)
{
    size_t at = plan->blocks[block].first, last = at + plan->blocks[block].count;

    for (; at < last; nth--) {
        unsigned end;
        size_t count = take(plan, profile, at, last, level, &end);

        if (nth == 0) {
            const struct point *first = point_at(profile, &plan->items[at]);

            *ret = (struct poll_read){.table = first->table,
                                      .address = first->address,
                                      .count = (uint16_t)(end - first->address),
                                      .first = at,
                                      .item_count = count};
            return true;
        }
        at += count;
    }
    return false;
}

enum poll_level poll_plan_lower(const struct poll_plan *plan, const struct profile *profile,
                                size_t block, enum poll_level level)
{
    struct poll_read read;

    if (level == POLL_WHOLE && poll_plan_read(plan, profile, block, POLL_RUNS, 1, &read))
        return POLL_RUNS;
    return POLL_POINTS;
}
