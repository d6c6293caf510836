#include "links/iothub_telemetry.h"

#include "base/clock.h"
#include "jobs/timetext.h"
#include "links/sas.h"
#include "site/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SECOND_US INT64_C(1000000)
#define LINGER_US SECOND_US         /* of a sample: what else is read now joins it */
#define QUIET_US  (900 * SECOND_US) /* then values are sent though none moved */
#define FLIGHT_US (120 * SECOND_US) /* then it is sent again */

void hub_telemetry_init(struct hub_telemetry *telemetry)
{
    *telemetry = (struct hub_telemetry){.sent_us = -1, .moved_us = INT64_MIN};
}

static void sample_free(struct hub_sample *sample)
{
    if (sample)
        json_decref(sample->values);
    free(sample);
}

void hub_telemetry_deinit(struct hub_telemetry *telemetry)
{
    struct hub_sample *next;

    sample_free(telemetry->open);
    for (struct hub_sample *sample = telemetry->first; sample; sample = next) {
        next = sample->next;
        sample_free(sample);
    }
    hub_telemetry_init(telemetry);
}

static void remove_at(struct hub_telemetry *telemetry, struct hub_sample **at)
{
    struct hub_sample *sample = *at;

    *at = sample->next;
    if (telemetry->last == sample)
        telemetry->last = at == &telemetry->first ? NULL : telemetry->first;
    telemetry->count--;
    telemetry->bytes -= sample->bytes;
    sample_free(sample);
}

/* The oldest that is not under way goes; the newest stays, whatever its size. */
static void make_room(struct hub_telemetry *telemetry)
{
    while (telemetry->count > 1 &&
           (telemetry->count > HUB_SAMPLES_MOST ||
            telemetry->bytes - telemetry->last->bytes > HUB_SAMPLES_BYTES_MOST)) {
        struct hub_sample **at =
            telemetry->sent_us < 0 ? &telemetry->first : &telemetry->first->next;

        if (*at == telemetry->last)
            return;
        remove_at(telemetry, at);
        telemetry->dropped++;
    }
}

static void keep(struct hub_telemetry *telemetry, struct hub_sample *sample)
{
    if (telemetry->last)
        telemetry->last->next = sample;
    else
        telemetry->first = sample;
    telemetry->last = sample;
    telemetry->count++;
    telemetry->bytes += sample->bytes;
    make_room(telemetry);
}

/* Nothing moved, nor was it quiet for long: nobody needs it. */
static bool is_idle(const struct hub_telemetry *telemetry, const struct hub_sample *sample)
{
    return !sample->moved && telemetry->moved_us != INT64_MIN &&
           sample->time_us - telemetry->moved_us < QUIET_US;
}

static void close_sample(struct hub_telemetry *telemetry, int64_t now_us)
{
    struct hub_sample *sample = telemetry->open;

    if (!sample || now_us - sample->time_us < LINGER_US)
        return;
    telemetry->open = NULL;
    if (is_idle(telemetry, sample)) {
        sample_free(sample);
        return;
    }
    telemetry->moved_us = sample->time_us;
    sample->bytes = json_dumpb(sample->values, NULL, 0, JSON_COMPACT);
    if (sample->bytes <= HUB_SAMPLE_BYTES_MOST) {
        keep(telemetry, sample);
        return;
    }
    telemetry->dropped++;
    sample_free(sample);
}

void hub_telemetry_add(struct hub_telemetry *telemetry, json_t *values, bool moved,
                       int64_t now_us, uint64_t *number)
{
    close_sample(telemetry, now_us);
    if (!telemetry->open) {
        telemetry->open = calloc(1, sizeof(*telemetry->open));
        if (!telemetry->open) {
            telemetry->dropped++;
            json_decref(values);
            return;
        }
        *telemetry->open = (struct hub_sample){
            .values = json_object(), .time_us = now_us, .number = ++*number};
    }
    telemetry->open->moved |= moved;
    json_object_update(telemetry->open->values, values);
    json_decref(values);
}

const struct hub_sample *hub_telemetry_next(struct hub_telemetry *telemetry, int64_t now_us)
{
    close_sample(telemetry, now_us);
    if (!telemetry->first ||
        (telemetry->sent_us >= 0 && now_us - telemetry->sent_us < FLIGHT_US))
        return NULL;
    telemetry->sent_us = now_us;
    return telemetry->first;
}

int64_t hub_telemetry_wake_us(const struct hub_telemetry *telemetry)
{
    const struct hub_sample *open = telemetry->open;

    if (telemetry->sent_us >= 0)
        return telemetry->sent_us + FLIGHT_US;
    if (telemetry->first)
        return telemetry->first->time_us;
    return open && !is_idle(telemetry, open) ? open->time_us + LINGER_US : MOMENT_NEVER;
}

int64_t hub_telemetry_delivered(struct hub_telemetry *telemetry, int64_t now_us)
{
    int64_t took_us = now_us - telemetry->sent_us;

    if (telemetry->sent_us < 0)
        return -1;
    telemetry->sent_us = -1;
    remove_at(telemetry, &telemetry->first);
    return took_us;
}

bool hub_telemetry_down(struct hub_telemetry *telemetry)
{
    bool was = telemetry->sent_us >= 0;

    telemetry->sent_us = -1;
    return was;
}

char *hub_telemetry_bag(uint32_t name, const struct hub_sample *sample, int64_t wall_ms)
{
    char time[TIMETEXT_SIZE], *text, *encoded;

    timetext_format(time, wall_ms);
    encoded = percent_encode(time);
    if (!encoded || asprintf(&text,
                             "%%24.ct=application%%2Fjson&%%24.ce=utf-8&%%24.mid=%08" PRIx32
                             "-%" PRIu64 "&%%24.ctime=%s",
                             name, sample->number, encoded) < 0)
        text = NULL;
    free(encoded);
    return text;
}

char *hub_telemetry_body(const struct hub_sample *sample, int64_t wall_ms)
{
    char time[TIMETEXT_SIZE], *text;
    json_t *body;

    timetext_format(time, wall_ms);
    body = json_pack("{s:s,s:O}", "time", time, "values", sample->values);
    text = body ? json_text(body) : NULL;
    json_decref(body);
    return text;
}
