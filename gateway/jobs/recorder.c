#include "jobs/recorder.h"
#include "jobs/tally.h"
#include "jobs/timetext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kept_frame {
    uint16_t length; /* of the whole frame */
    uint8_t bytes[RECORDER_BYTES];
};

struct exchange_kept {
    int64_t wall_ms;
    uint32_t took_us;
    uint8_t result;
    struct kept_frame request, reply;
    char text[48];
};

struct device_record {
    char *id;
    unsigned count; /* that were ever kept */
    struct exchange_kept ring[RECORDER_EXCHANGES];
};

struct recorder {
    struct device_record **devices; /* NULL: never asked */
    size_t size;
};

struct recorder *recorder_new(void)
{
    return calloc(1, sizeof(struct recorder));
}

static void record_clear(struct device_record *record)
{
    if (record)
        free(record->id);
    free(record);
}

void recorder_free(struct recorder *recorder)
{
    if (!recorder)
        return;
    for (size_t i = 0; i < recorder->size; i++)
        record_clear(recorder->devices[i]);
    free(recorder->devices);
    free(recorder);
}

static bool make_room(struct recorder *recorder, size_t size)
{
    struct device_record **grown;

    if (size <= recorder->size)
        return true;
    grown = realloc(recorder->devices, size * sizeof(struct device_record *));
    if (!grown)
        return false;
    memset(grown + recorder->size, 0, (size - recorder->size) * sizeof(struct device_record *));
    recorder->devices = grown;
    recorder->size = size;
    return true;
}

static struct device_record *record_of(struct recorder *recorder, size_t device, const char *id)
{
    struct device_record *record;

    if (!make_room(recorder, device + 1))
        return NULL;
    record = recorder->devices[device];
    if (record && strcmp(record->id, id) == 0)
        return record;
    record_clear(record);
    record = recorder->devices[device] = calloc(1, sizeof(*record));
    if (record && !(record->id = strdup(id))) {
        free(record);
        record = recorder->devices[device] = NULL;
    }
    return record;
}

static struct kept_frame kept(const struct frame *frame)
{
    struct kept_frame ret = {.length = (uint16_t)frame->length};
    size_t size = frame->length < RECORDER_BYTES ? frame->length : RECORDER_BYTES;

    memcpy(ret.bytes, frame->bytes, size);
    return ret;
}

void recorder_keep(struct recorder *recorder, size_t device, const char *id,
                   const struct answer *answer, int64_t wall_ms)
{
    struct device_record *record = record_of(recorder, device, id);
    struct exchange_kept *exchange;

    if (!record)
        return;
    exchange = &record->ring[record->count++ % RECORDER_EXCHANGES];
    *exchange =
        (struct exchange_kept){.wall_ms = wall_ms,
                               .took_us = (uint32_t)(answer->ended_us - answer->started_us),
                               .result = (uint8_t)answer->result,
                               .request = kept(&answer->request),
                               .reply = kept(&answer->reply)};
    snprintf(exchange->text, sizeof(exchange->text), "%.47s", answer->text);
}

static json_t *hex(const struct kept_frame *frame)
{
    char text[RECORDER_BYTES * 3 + 4] = "";
    size_t used = 0;

    for (size_t i = 0; i < frame->length && i < RECORDER_BYTES; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%02X", i ? " " : "",
                                 frame->bytes[i]);
    if (frame->length > RECORDER_BYTES)
        snprintf(text + used, sizeof(text) - used, "...");
    return json_string(text);
}

static json_t *record_json(const struct device_record *record)
{
    unsigned first =
        record->count > RECORDER_EXCHANGES ? record->count - RECORDER_EXCHANGES : 0;
    json_t *list = json_array();

    for (unsigned i = first; i < record->count; i++) {
        const struct exchange_kept *each = &record->ring[i % RECORDER_EXCHANGES];
        char at[TIMETEXT_SIZE];

        timetext_format(at, each->wall_ms);
        json_array_append_new(list,
                              json_pack("{s:s, s:o, s:o, s:f, s:s, s:s}", "at", at, "request",
                                        hex(&each->request), "reply", hex(&each->reply), "ms",
                                        each->took_us / 1000.0, "result",
                                        tally_result_name(each->result), "text", each->text));
    }
    return list;
}

json_t *recorder_json(const struct recorder *recorder, const char *id)
{
    json_t *all = json_object();

    for (size_t i = 0; all && i < recorder->size; i++) {
        const struct device_record *record = recorder->devices[i];

        if (record && (!id || strcmp(record->id, id) == 0))
            json_object_set_new(all, record->id, record_json(record));
    }
    return all;
}
