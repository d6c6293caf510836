#include "jobs/recorder.h"
#include "jobs/tally.h"
#include "jobs/timetext.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_SIZE = 48 };

/* As large as what it holds: most frames have eight bytes, and there are thousands of devices.
 */
struct exchange_kept {
    int64_t wall_ms;
    uint32_t took_us;
    uint16_t request, reply; /* lengths of the whole frames */
    uint8_t result;
    uint8_t data[]; /* what is kept of the request, of the reply, and the text with its end */
};

struct device_record {
    unsigned count; /* that were ever kept */
    struct exchange_kept *ring[RECORDER_EXCHANGES];
    char id[];
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
    for (size_t i = 0; record && i < RECORDER_EXCHANGES; i++)
        free(record->ring[i]);
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
    record = recorder->devices[device] = calloc(1, sizeof(*record) + strlen(id) + 1);
    if (record)
        memcpy(record->id, id, strlen(id) + 1);
    return record;
}

static size_t kept(size_t length)
{
    return length < RECORDER_BYTES ? length : RECORDER_BYTES;
}

void recorder_keep(struct recorder *recorder, size_t device, const char *id,
                   const struct answer *answer, int64_t wall_ms)
{
    struct device_record *record = record_of(recorder, device, id);
    size_t request = kept(answer->request.length), reply = kept(answer->reply.length);
    size_t text = strnlen(answer->text, TEXT_SIZE - 1);

    if (!record)
        return;
    struct exchange_kept **place = &record->ring[record->count % RECORDER_EXCHANGES];
    struct exchange_kept *exchange =
        realloc(*place, offsetof(struct exchange_kept, data) + request + reply + text + 1);

    if (!exchange)
        return;
    *place = exchange;
    record->count++;
    exchange->wall_ms = wall_ms;
    exchange->took_us = (uint32_t)(answer->ended_us - answer->started_us);
    exchange->result = (uint8_t)answer->result;
    exchange->request = answer->request.length;
    exchange->reply = answer->reply.length;
    memcpy(exchange->data, answer->request.bytes, request);
    memcpy(exchange->data + request, answer->reply.bytes, reply);
    memcpy(exchange->data + request + reply, answer->text, text);
    exchange->data[request + reply + text] = '\0';
}

static json_t *hex(const uint8_t *bytes, size_t length)
{
    char text[RECORDER_BYTES * 3 + 4] = "";
    size_t used = 0;

    for (size_t i = 0; i < kept(length); i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%02X", i ? " " : "",
                                 bytes[i]);
    if (length > RECORDER_BYTES)
        snprintf(text + used, sizeof(text) - used, "...");
    return json_string(text);
}

static json_t *record_json(const struct device_record *record)
{
    unsigned first =
        record->count > RECORDER_EXCHANGES ? record->count - RECORDER_EXCHANGES : 0;
    json_t *list = json_array();

    for (unsigned i = first; i < record->count; i++) {
        const struct exchange_kept *each = record->ring[i % RECORDER_EXCHANGES];
        const uint8_t *reply = each->data + kept(each->request);
        const char *text = (const char *)reply + kept(each->reply);
        char at[TIMETEXT_SIZE];

        timetext_format(at, each->wall_ms);
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:f, s:s, s:s}", "at", at,
                                              "request", hex(each->data, each->request),
                                              "reply", hex(reply, each->reply), "ms",
                                              each->took_us / 1000.0, "result",
                                              tally_result_name(each->result), "text", text));
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
