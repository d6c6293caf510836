#include "store/store_batch.h"

#include <stdlib.h>
#include <string.h>

bool batch_add(struct batch *batch, struct record *record)
{
    if (batch->count == batch->size) {
        size_t size = batch->size ? batch->size * 2 : 64;
        struct record **records = reallocarray(batch->records, size, sizeof(struct record *));

        if (!records)
            return false;
        batch->records = records;
        batch->size = size;
    }
    batch->records[batch->count++] = record;
    batch->given++;
    batch->last = record->number;
    return true;
}

/* --- settling --- */

/* What a record says something about; the journal is what a run leaves from step to step. */
enum topic {
    TOPIC_NONE, /* always written */
    TOPIC_HANDED,
    TOPIC_JOURNAL,
    TOPIC_OUTCOME,
    TOPIC_STATUS,
    TOPIC_TASKS,
    TOPIC_TWIN,
    TOPIC_CLOCK,
    TOPIC_POLLED,
    TOPIC_WEAR,
};

static enum topic topic_of(enum record_kind kind)
{
    switch (kind) {
    case RECORD_HANDED:
        return TOPIC_HANDED;
    case RECORD_INTENT:
    case RECORD_DONE:
        return TOPIC_JOURNAL;
    case RECORD_OUTCOME:
        return TOPIC_OUTCOME;
    case RECORD_STATUS:
        return TOPIC_STATUS;
    case RECORD_TASKS:
        return TOPIC_TASKS;
    case RECORD_TWIN:
        return TOPIC_TWIN;
    case RECORD_CLOCK:
        return TOPIC_CLOCK;
    case RECORD_POLLED:
        return TOPIC_POLLED;
    case RECORD_WEAR:
        return TOPIC_WEAR;
    case RECORD_JOB:
    case RECORD_CANCEL:
    case RECORD_FORGET:
    case RECORD_TOLD:
    case RECORD_KNOWN:
    case RECORD_SHARED:
    case RECORD_SHELVED:
    case RECORD_PURGE:
    case RECORD_UNCLEARED:
        break;
    }
    return TOPIC_NONE;
}

/* Records that were seen, from the last one backwards. */
struct seen {
    const struct record **slots; /* open addressing */
    size_t mask;
};

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; text && *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u; /* FNV-1a */
    return hash;
}

/* Where a record of this topic about the same stands, or would. */
static const struct record **slot_of(const struct seen *seen, enum topic topic,
                                     const struct record *about)
{
    uint64_t hash = hash_text(14695981039346656037u ^ (uint64_t)topic, about->job_id);
    size_t at = (size_t)(hash_text(hash * 1099511628211u, about->device_id) & seen->mask);

    while (seen->slots[at] && (topic_of(seen->slots[at]->kind) != topic ||
                               !same(seen->slots[at]->job_id, about->job_id) ||
                               !same(seen->slots[at]->device_id, about->device_id)))
        at = (at + 1) & seen->mask;
    return &seen->slots[at];
}

/* Does a later one say more of the same? Else it is remembered. */
static bool is_replaced(const struct seen *seen, const struct record *record)
{
    enum topic topic = topic_of(record->kind);

    if (topic == TOPIC_NONE)
        return false;
    if ((topic == TOPIC_HANDED || topic == TOPIC_JOURNAL) &&
        *slot_of(seen, TOPIC_OUTCOME, record))
        return true;
    const struct record **slot = slot_of(seen, topic, record);
    if (*slot)
        return true;
    *slot = record;
    return false;
}

void batch_settle(struct batch *batch)
{
    struct seen seen = {.mask = 64};
    size_t first = batch->count;

    while (seen.mask < batch->count * 2)
        seen.mask *= 2;
    seen.slots = calloc(seen.mask, sizeof(*seen.slots));
    if (!seen.slots)
        return; /* then all of it is written */
    seen.mask--;
    for (size_t i = batch->count; i-- > 0;) {
        struct record *record = batch->records[i];

        if (is_replaced(&seen, record))
            record_free(record);
        else
            batch->records[--first] = record;
    }
    batch->count -= first;
    memmove(batch->records, batch->records + first, batch->count * sizeof(*batch->records));
    free(seen.slots);
}

void batch_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        record_free(batch->records[i]);
    batch->count = batch->given = 0;
}

void batch_deinit(struct batch *batch)
{
    batch_clear(batch);
    free(batch->records);
    *batch = (struct batch){0};
}
