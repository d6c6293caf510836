/* Polled values on their way to the hub, all devices together at a bounded rate. */
#include "links/iothub_link.h"

#include <stdlib.h>

#define SECOND_US INT64_C(1000000)
#define LEAST_US                                                                               \
    (SECOND_US / 20) /* between two messages: the smallest hub takes 100 a second */
#define MOST_US SECOND_US
#define SLOW_US (2 * SECOND_US) /* an acknowledgement that takes so long is a hint */

void values_open(struct iothub *iothub)
{
    iothub->life = hub_random();
    iothub->values_pause_us = LEAST_US;
}

void values_report(struct iothub *iothub, size_t index, const struct report *report)
{
    json_t *values = json_loads(report->body, 0, NULL);

    if (values)
        hub_telemetry_add(&iothub->devices[index].telemetry, values, report->moved,
                          report->when_us, &iothub->samples);
}

/* A hub that throttles answers late or cuts the connection: then all go slower, for a while. */
static void slow_down(struct iothub *iothub)
{
    iothub->values_pause_us *= 2;
    if (iothub->values_pause_us > MOST_US)
        iothub->values_pause_us = MOST_US;
}

void values_delivered(struct iothub *iothub, size_t index)
{
    int64_t took_us =
        hub_telemetry_delivered(&iothub->devices[index].telemetry, clock_boot_us());

    if (took_us < 0)
        return;
    iothub->telemetry_sent++;
    if (took_us > SLOW_US)
        slow_down(iothub);
    else if (iothub->values_pause_us > LEAST_US)
        iothub->values_pause_us -= iothub->values_pause_us / 8;
}

void values_down(struct iothub *iothub, size_t index)
{
    if (hub_telemetry_down(&iothub->devices[index].telemetry))
        slow_down(iothub);
}

static void send_sample(struct iothub *iothub, size_t index, int64_t now_us)
{
    struct hub_device *device = &iothub->devices[index];
    const struct hub_sample *sample = hub_telemetry_next(&device->telemetry, now_us);
    int64_t wall_ms, earliest_us = now_us - SECOND_US; /* a second's worth may go at once */

    if (!sample)
        return;
    /* It may have been read before the time was known. */
    wall_ms = clock_wall_ms() - (now_us - sample->time_us) / 1000;
    hub_thread_send_telemetry(iothub->thread, device->slot, device->generation,
                              outgoing_new(OUTGOING_REPORTED,
                                           hub_telemetry_bag(iothub->life, sample, wall_ms),
                                           hub_telemetry_body(sample, wall_ms), false));
    if (iothub->values_next_us < earliest_us)
        iothub->values_next_us = earliest_us;
    iothub->values_next_us += iothub->values_pause_us;
    iothub->values_turn = index + 1;
}

/* In turn, so that the backlog of one does not hold up the others. */
int64_t values_send(struct iothub *iothub, int64_t now_us)
{
    size_t count = iothub->site->device_count, turn = iothub->values_turn;
    int64_t wake_us = MOMENT_NEVER, due_us;

    for (size_t i = 0; i < count; i++) {
        size_t index = (turn + i) % count;
        struct hub_device *device = &iothub->devices[index];

        if (device->generation == 0)
            continue;
        if (hub_telemetry_wake_us(&device->telemetry) <= now_us &&
            iothub->values_next_us <= now_us)
            send_sample(iothub, index, now_us);
        due_us = hub_telemetry_wake_us(&device->telemetry);
        if (due_us < wake_us)
            wake_us = due_us;
    }
    return wake_us < iothub->values_next_us ? iothub->values_next_us : wake_us;
}

void values_count(const struct iothub *iothub, struct iothub_status *status)
{
    status->telemetry_sent = iothub->telemetry_sent;
    for (size_t i = 0; i < iothub->site->device_count; i++) {
        status->telemetry_waiting += iothub->devices[i].telemetry.count;
        status->telemetry_dropped += iothub->devices[i].telemetry.dropped;
    }
}
