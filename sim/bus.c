#include "sim/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* So late may this process itself have been; a shorter silence is the master's fault. */
enum { TOLERANCE_NS = 50000 };

static int64_t time_of(const struct sim_bus *bus, size_t characters)
{
    const struct sim_line *line = bus->group->line;

    return sim_frame_time_ns(characters, line->baud, line->char_bits);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void drop_front(struct sim_bus *bus, size_t count)
{
    bus->count -= count;
    memmove(bus->bytes, bus->bytes + count, bus->count);
}

static bool somebody_speaks(const struct sim_bus *bus, int64_t at)
{
    for (size_t i = 0; i < 2 * bus->group->count; i++)
        if (bus->waiting[i].count > 0 && bus->waiting[i].begins_ns <= at)
            return true;
    return false;
}

/* Counts what was wrong with the moment of a frame; true where devices can make it out. */
static bool is_heard(struct sim_bus *bus, int64_t begins)
{
    struct sim_group *group = bus->group;

    if (somebody_speaks(bus, begins)) {
        group->collisions++;
        return group->settings->lenient;
    }
    if (group->frames > 0 && begins - bus->quiet_from_ns < bus->silence_ns - TOLERANCE_NS) {
        group->broken_silence++;
        return group->settings->lenient;
    }
    return true;
}

/* Two drivers on one pair: bits are lost, and the checksum of neither is right. */
static void collide(struct sim_answer *answer)
{
    for (size_t i = 3; i < answer->count; i++)
        answer->frame[i] &= (uint8_t)(answer->frame[i] >> 1);
    answer->frame[answer->count - 1] ^= 0x5A;
}

static void double_answer(struct sim_bus *bus, size_t device)
{
    const struct sim_unit *unit = bus->group->devices[device]->unit;
    struct sim_answer *answer = &bus->waiting[device];
    struct sim_answer *second = &bus->waiting[bus->group->count + device];
    int64_t later_ns = (int64_t)unit->double_ms * 1000000;

    if (answer->begins_ns + later_ns < answer->ends_ns + bus->silence_ns) {
        collide(answer);
    } else if (second->count == 0) {
        *second = *answer;
        second->begins_ns += later_ns;
        second->ends_ns += later_ns;
    }
}

static void answer_later(struct sim_bus *bus, size_t device, int64_t request_ends,
                         const uint8_t *pdu, size_t count)
{
    struct sim_group *group = bus->group;
    const struct sim_unit *unit = group->devices[device]->unit;
    struct sim_answer *answer = &bus->waiting[device];
    int64_t pause = bus->silence_ns + (int64_t)group->settings->turnaround_us * 1000;

    answer->count = sim_frame_build(answer->frame, (uint8_t)unit->unit, pdu, count);
    answer->begins_ns = request_ends + pause + (int64_t)unit->slow_ms * 1000000;
    answer->ends_ns = answer->begins_ns + time_of(bus, answer->count);
    group->busy_ns += pause + time_of(bus, answer->count);
    sim_group_corrupt(group, answer->frame, answer->count);
    if (unit->doubled)
        double_answer(bus, device);
}

static void ask(struct sim_bus *bus, const uint8_t *frame, size_t length, int64_t ends)
{
    struct sim_group *group = bus->group;
    uint8_t reply[SIM_PDU_MAX];
    size_t count;
    long device;

    if (frame[0] == 0) {
        sim_group_tell_all(group, ends, frame + 1, length - 3);
        return;
    }
    device = sim_group_find(group, frame[0]);
    if (device < 0 || bus->waiting[device].count > 0) /* nobody, or still busy thinking */
        return;
    count = sim_group_ask(group, (size_t)device, ends, frame + 1, length - 3, reply);
    if (count > 0)
        answer_later(bus, (size_t)device, ends, reply, count);
}

static void take_frame(struct sim_bus *bus, size_t at, size_t length)
{
    struct sim_group *group = bus->group;
    int64_t begins = bus->first_ns + time_of(bus, at);
    int64_t ends = later(begins + time_of(bus, length), bus->last_ns);
    bool heard = is_heard(bus, begins);

    if (group->frames++ == 0)
        group->first_ns = begins;
    group->garbage += at;
    group->busy_ns += time_of(bus, length);
    bus->quiet_from_ns = later(bus->quiet_from_ns, ends);
    group->last_ns = bus->quiet_from_ns;
    if (heard)
        ask(bus, bus->bytes + at, length, ends);
    drop_front(bus, at + length);
    bus->first_ns = ends; /* what is left came in the same breath, without a silence */
}

/*
 * Takes what is whole. A good beginning that is not complete is waited for; behind a bad one
 * the bytes are searched for the next request, as a device does that lost its place.
 */
static void take_frames(struct sim_bus *bus, bool silence)
{
    while (bus->count >= SIM_FRAME_MIN) {
        size_t need = sim_frame_length(bus->bytes, bus->count);
        size_t length;
        long at;

        if (!silence && need <= SIM_FRAME_MAX && need > bus->count)
            return;
        at = sim_frame_find(bus->bytes, bus->count, 0, &length);
        if (at < 0)
            return;
        take_frame(bus, (size_t)at, length);
    }
}

/* A function that this file does not know ends with the silence behind it. */
static bool is_foreign_frame(const struct sim_bus *bus)
{
    uint16_t sum;

    if (bus->count < SIM_FRAME_MIN || bus->count > SIM_FRAME_MAX)
        return false;
    sum = sim_frame_checksum(bus->bytes, bus->count - 2);
    return bus->bytes[bus->count - 2] == (sum & 0xff) && bus->bytes[bus->count - 1] == sum >> 8;
}

static int64_t silence_over(const struct sim_bus *bus)
{
    return later(bus->last_ns, bus->first_ns + time_of(bus, bus->count)) + bus->silence_ns;
}

static void give_up_rest(struct sim_bus *bus)
{
    take_frames(bus, true);
    if (bus->count == 0)
        return;
    if (is_foreign_frame(bus)) {
        take_frame(bus, 0, bus->count);
        return;
    }
    bus->group->garbage += bus->count;
    bus->first_ns = silence_over(bus) - bus->silence_ns;
    bus->quiet_from_ns = later(bus->quiet_from_ns, bus->first_ns);
    bus->count = 0;
}

void sim_bus_hear(struct sim_bus *bus, const uint8_t *bytes, size_t count, int64_t now)
{
    if (bus->count > 0 && now >= silence_over(bus))
        give_up_rest(bus);
    if (bus->count == 0)
        bus->first_ns = now;
    while (count > 0) {
        size_t part = sizeof(bus->bytes) - bus->count;

        if (part > count)
            part = count;
        memcpy(bus->bytes + bus->count, bytes, part);
        bus->count += part;
        bus->last_ns = now;
        bytes += part;
        count -= part;
        take_frames(bus, false);
        if (bus->count == sizeof(bus->bytes))
            give_up_rest(bus);
    }
}

int64_t sim_bus_next(const struct sim_bus *bus)
{
    int64_t next = bus->count > 0 ? silence_over(bus) : INT64_MAX;

    for (size_t i = 0; i < 2 * bus->group->count; i++)
        if (bus->waiting[i].count > 0 && bus->waiting[i].ends_ns < next)
            next = bus->waiting[i].ends_ns;
    return next;
}

size_t sim_bus_speak(struct sim_bus *bus, int64_t now, uint8_t frame[static SIM_FRAME_MAX])
{
    struct sim_answer *first = NULL;
    size_t count;

    if (bus->count > 0 && now >= silence_over(bus))
        give_up_rest(bus);
    for (size_t i = 0; i < 2 * bus->group->count; i++) {
        struct sim_answer *answer = &bus->waiting[i];
        if (answer->count > 0 && answer->ends_ns <= now &&
            (!first || answer->ends_ns < first->ends_ns))
            first = answer;
    }
    if (!first)
        return 0;
    count = first->count;
    memcpy(frame, first->frame, count);
    first->count = 0;
    /* The master sees it now: had it been written late, its silence begins late as well. */
    bus->quiet_from_ns = later(bus->quiet_from_ns, now);
    bus->group->last_ns = bus->quiet_from_ns;
    return count;
}

int sim_bus_init(struct sim_bus *bus, struct sim_group *group)
{
    *bus = (struct sim_bus){.group = group};
    bus->silence_ns = sim_frame_silence_ns(group->line->baud, group->line->char_bits);
    bus->waiting = calloc(2 * group->count + 1, sizeof(*bus->waiting));
    return bus->waiting ? 0 : -ENOMEM;
}

void sim_bus_deinit(struct sim_bus *bus)
{
    free(bus->waiting);
}
