/* Another site for the hub's link: what is known of a device goes along with it, and its
   connection stays what it is. */
#include "links/iothub_link.h"

#include <errno.h>
#include <stdlib.h>

struct next {
    const struct site *site;
    struct hub_device *devices;
    struct hub_slot *slots;
    struct hub_roster *roster;
    size_t *to; /* of each device until now: its new index, or SITE_NONE */
};

static size_t *numbers(size_t count)
{
    size_t *made = calloc(count + 1, sizeof(*made));

    for (size_t i = 0; made && i < count; i++)
        made[i] = SITE_NONE;
    return made;
}

static void drop(struct next *next)
{
    free(next->devices);
    free(next->slots);
    free(next->to);
    hub_roster_free(next->roster);
}

/* Takes the keys. */
static int make(struct next *next, const struct iothub *iothub, const struct site *site,
                struct hub_keys *keys)
{
    size_t slot_count = hub_thread_slots(iothub->thread);

    *next = (struct next){.site = site,
                          .devices = calloc(site->device_count + 1, sizeof(*next->devices)),
                          .slots = calloc(slot_count, sizeof(*next->slots)),
                          .roster = calloc(1, sizeof(*next->roster)),
                          .to = numbers(iothub->site->device_count)};
    if (!next->roster) {
        hub_keys_free(keys);
        drop(next);
        return -ENOMEM;
    }
    *next->roster = (struct hub_roster){.site = site,
                                        .keys = keys,
                                        .slots = numbers(site->device_count),
                                        .indexes = numbers(slot_count)};
    if (next->devices && next->slots && next->to && next->roster->slots &&
        next->roster->indexes)
        return 0;
    drop(next);
    return -ENOMEM;
}

/* One that nobody has, nor had until now: whoever leaves has time to say good-bye. */
static size_t free_slot(struct iothub *iothub, const struct next *next)
{
    size_t count = hub_thread_slots(iothub->thread);

    for (size_t i = 0; i < count; i++) {
        size_t slot = (iothub->slot_next + i) % count;

        if (next->roster->indexes[slot] != SITE_NONE || iothub->slots[slot].index != SITE_NONE)
            continue;
        iothub->slot_next = slot + 1;
        return slot;
    }
    return SITE_NONE;
}

static void seat(struct next *next, size_t index, size_t slot)
{
    next->roster->slots[index] = slot;
    next->roster->indexes[slot] = index;
}

static bool seat_all(struct iothub *iothub, struct next *next)
{
    for (size_t i = 0; i < iothub->site->device_count; i++) {
        size_t to = site_device(next->site, iothub->site->devices[i].id);

        next->to[i] = to;
        if (to != SITE_NONE)
            seat(next, to, iothub->devices[i].slot);
    }
    for (size_t i = 0; i < next->site->device_count; i++) {
        if (next->roster->slots[i] != SITE_NONE)
            continue;
        size_t slot = free_slot(iothub, next);
        if (slot == SITE_NONE)
            return false;
        seat(next, i, slot);
    }
    return true;
}

static void move_devices(struct iothub *iothub, struct next *next, const struct engine *engine)
{
    uint64_t number = iothub->roster + 1; /* that the roster will have */

    for (size_t i = 0; i < iothub->site->device_count; i++) {
        size_t to = next->to[i];

        if (to == SITE_NONE) {
            hub_device_close(&iothub->devices[i]);
            continue;
        }
        next->devices[to] = iothub->devices[i];
        next->slots[next->devices[to].slot].since =
            iothub->slots[iothub->devices[i].slot].since;
    }
    for (size_t slot = 0; slot < hub_thread_slots(iothub->thread); slot++) {
        size_t index = next->roster->indexes[slot];

        next->slots[slot].index = index;
        if (index == SITE_NONE || iothub->slots[slot].index != SITE_NONE)
            continue;
        next->slots[slot].since = number;
        hub_device_open(&next->devices[index], engine, index);
        next->devices[index].slot = slot;
    }
}

/* Nobody is disconnected any more for being away from its line. */
static void want_all(struct iothub *iothub)
{
    for (size_t i = 0; i < iothub->site->device_count; i++) {
        struct hub_device *device = &iothub->devices[i];

        if (device->offline && !iothub->site->iothub->disconnect_offline) {
            device->offline = false;
            hub_thread_want(iothub->thread, device->slot, true);
        }
    }
}

int iothub_reload(struct iothub *iothub, const struct site *site, const struct engine *engine,
                  struct hub_keys *keys)
{
    struct next next;
    int r = make(&next, iothub, site, keys);

    if (r < 0)
        return r;
    if (!seat_all(iothub, &next)) {
        drop(&next);
        return -ENOSPC;
    }
    move_devices(iothub, &next, engine);
    calls_move(iothub, next.to);
    free(iothub->devices);
    free(iothub->slots);
    free(next.to);
    iothub->devices = next.devices;
    iothub->slots = next.slots;
    iothub->site = site;
    iothub->roster = hub_thread_change(iothub->thread, next.roster);
    want_all(iothub);
    return 0;
}

bool iothub_has_settled(const struct iothub *iothub)
{
    return hub_thread_taken(iothub->thread) == iothub->roster;
}
