/* Another roster takes the place of the one that the hub's thread goes by; on that thread. */
#include "links/iothub_private.h"

#include "base/clock.h"
#include "links/iothub_assigned.h"

#include <stdlib.h>
#include <string.h>

#define KEYS_LIMIT_US INT64_C(30000000) /* that other keys wait for a call's answer */

static void rest_no_more(struct hub_thread *thread, struct hub_identity *identity)
{
    thread->flapping -= identity->resting;
    identity->resting = false;
}

void hub_vacate(struct hub_thread *thread, struct hub_identity *identity)
{
    uint32_t generation = identity->generation;

    thread->up -= identity->state == HUB_UP;
    rest_no_more(thread, identity);
    thread->untold[identity->device] = false;
    hub_identity_deinit(identity);
    hub_identity_init(identity, identity->device);
    identity->generation = generation; /* what comes late is not the next one's */
    identity->wanted = false;
}

/* It says good-bye, and is not waited for. */
static void retire(struct hub_thread *thread, struct hub_identity *identity)
{
    rest_no_more(thread, identity);
    thread->untold[identity->device] = false;
    identity->id = NULL;
    identity->wanted = false;
    identity->retired = true;
}

static void settle_in(struct hub_thread *thread, struct hub_identity *identity,
                      const struct hub_roster *roster, size_t index)
{
    if (identity->retired)
        hub_vacate(thread, identity);
    identity->id = roster->site->devices[index].id;
    identity->index = index;
    identity->since = roster->number;
    identity->wanted = true;
    identity->next_us = clock_boot_us();
}

static void stay(struct hub_thread *thread, struct hub_identity *identity,
                 const struct hub_roster *roster, size_t index)
{
    bool same = hub_keys_same(thread->settings.keys, identity->index, roster->keys, index);

    identity->id = roster->site->devices[index].id;
    identity->index = index;
    if (same)
        return;
    rest_no_more(thread, identity);
    if (identity->state == HUB_UP) { /* as a token that ends: calls that wait are answered */
        identity->renew_us = clock_boot_us();
        identity->renew_latest_us = identity->renew_us + KEYS_LIMIT_US;
        return;
    }
    hub_leave(thread, identity);
    if (identity->state == HUB_AWAY)
        identity->next_us = clock_boot_us(); /* it may have been the key that was wrong */
}

static bool is_same(const struct hub_identity *identity, const struct hub_roster *roster,
                    size_t index)
{
    return identity->id && index != SITE_NONE &&
           strcmp(identity->id, roster->site->devices[index].id) == 0;
}

/* True: some are new. */
static bool seat(struct hub_thread *thread, const struct hub_roster *roster)
{
    bool any = false;

    thread->count = 0;
    for (size_t i = 0; i < thread->slot_count; i++) {
        struct hub_identity *identity = &thread->identities[i];
        size_t index = roster->indexes[i];

        if (is_same(identity, roster, index)) {
            stay(thread, identity, roster, index);
        } else {
            if (identity->id)
                retire(thread, identity);
            if (index != SITE_NONE)
                settle_in(thread, identity, roster, index);
            any |= index != SITE_NONE;
        }
        if (identity->id || identity->retired)
            thread->count = i + 1;
    }
    return any;
}

static void go_by(struct hub_thread *thread, struct hub_roster *roster)
{
    size_t *slots = thread->slots;
    struct hub_keys *keys = thread->settings.keys;

    thread->slots = roster->slots;
    roster->slots = slots;
    thread->settings.site = thread->means.site = roster->site;
    thread->settings.keys = thread->means.keys = roster->keys;
    roster->keys = keys;
    thread->roster = roster->number;
}

void hub_take_roster(struct hub_thread *thread)
{
    struct hub_roster *roster;

    pthread_mutex_lock(&thread->end.lock);
    roster = thread->next;
    thread->next = NULL;
    pthread_mutex_unlock(&thread->end.lock);
    if (!roster)
        return;
    bool any = seat(thread, roster);
    go_by(thread, roster);
    if (any && thread->settings.site->iothub->dps_endpoint)
        hub_assigned_load(thread->identities, thread->slots, thread->settings.site);
    if (any)
        thread->all_told = false;
    pthread_mutex_lock(&thread->end.lock);
    for (size_t i = 0; i < thread->slot_count; i++) {
        if (!thread->identities[i].id || thread->identities[i].since == thread->roster)
            thread->calls[i] = 0;
    }
    thread->status.devices = thread->settings.site->device_count;
    thread->status.connected = thread->up;
    thread->status.flapping = thread->flapping;
    thread->taken = thread->roster;
    pthread_mutex_unlock(&thread->end.lock);
    hub_roster_free(roster); /* with what the thread went by before */
}
