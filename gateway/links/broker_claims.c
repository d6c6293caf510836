#include "links/broker_claims.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum life { LIFE_UNKNOWN, LIFE_ONLINE, LIFE_GONE };

struct other {
    char *id;
    enum life life;
    bool awaited; /* an echo that was asked for since we listen is on its way */
};

struct named {
    uint8_t by, told; /* index in `others` and 1; 0: nobody */
    bool queued, first, fresh, opens;
};

struct claims {
    bool settled;
    struct other others[CLAIMS_GATEWAYS_MOST];
    size_t count, watched;
    size_t device_count;
    struct named *devices;
    size_t *queue; /* devices whose change is to be told; a ring, each device once */
    size_t queue_first, queue_count;
    size_t fresh;
};

int claims_new(struct claims **ret, size_t device_count)
{
    struct claims *claims = calloc(1, sizeof(*claims));

    if (claims) {
        claims->device_count = device_count;
        claims->devices = calloc(device_count + 1, sizeof(*claims->devices));
        claims->queue = calloc(device_count + 1, sizeof(*claims->queue));
    }
    if (!claims || !claims->devices || !claims->queue) {
        claims_free(claims);
        return -ENOMEM;
    }
    *ret = claims;
    return 0;
}

void claims_free(struct claims *claims)
{
    if (!claims)
        return;
    for (size_t i = 0; i < claims->count; i++)
        free(claims->others[i].id);
    free(claims->devices);
    free(claims->queue);
    free(claims);
}

static void tell(struct claims *claims, size_t device, bool first)
{
    struct named *named = &claims->devices[device];

    named->first = first;
    if (named->queued)
        return;
    named->queued = true;
    claims->queue[(claims->queue_first + claims->queue_count++) % claims->device_count] =
        device;
}

/* What is to be told stays in its order. */
static void move_queue(struct claims *claims, const size_t *to, size_t *queue)
{
    size_t kept = 0;

    for (size_t i = 0; i < claims->queue_count; i++) {
        assert(claims->device_count > 0); /* each is there once at most */
        size_t was = claims->queue[(claims->queue_first + i) % claims->device_count];

        if (to[was] != CLAIMS_FRESH)
            queue[kept++] = to[was];
    }
    free(claims->queue);
    claims->queue = queue;
    claims->queue_first = 0;
    claims->queue_count = kept;
}

int claims_reload(struct claims *claims, const size_t *from, size_t device_count)
{
    struct named *devices = calloc(device_count + 1, sizeof(*devices));
    size_t *queue = calloc(device_count + 1, sizeof(*queue));
    size_t *to = calloc(claims->device_count + 1, sizeof(*to));

    if (!devices || !queue || !to) {
        free(devices);
        free(queue);
        free(to);
        return -ENOMEM;
    }
    for (size_t i = 0; i < claims->device_count; i++)
        to[i] = CLAIMS_FRESH;
    claims->fresh = 0;
    for (size_t i = 0; i < device_count; i++) {
        if (from[i] == CLAIMS_FRESH) {
            devices[i].fresh = true;
        } else {
            devices[i] = claims->devices[from[i]];
            to[from[i]] = i;
        }
        claims->fresh += devices[i].fresh;
    }
    move_queue(claims, to, queue);
    free(to);
    free(claims->devices);
    claims->devices = devices;
    claims->device_count = device_count;
    return 0;
}

bool claims_is_fresh(const struct claims *claims, size_t device)
{
    return claims->devices[device].fresh;
}

static bool lives(const struct claims *claims, uint8_t by)
{
    return by > 0 && claims->others[by - 1].life == LIFE_ONLINE;
}

void claims_begin(struct claims *claims)
{
    claims->settled = false;
    for (size_t i = 0; i < claims->device_count; i++)
        claims->devices[i].by = 0;
    for (size_t i = 0; i < claims->count; i++)
        claims->others[i].life = LIFE_UNKNOWN;
}

/* Its index and 1, 0: there is no room. */
static uint8_t find(struct claims *claims, const char *id)
{
    for (size_t i = 0; i < claims->count; i++) {
        if (strcmp(claims->others[i].id, id) == 0)
            return (uint8_t)(i + 1);
    }
    char *copy = claims->count < CLAIMS_GATEWAYS_MOST ? strdup(id) : NULL;
    if (!copy)
        return 0;
    claims->others[claims->count++] = (struct other){.id = copy};
    return (uint8_t)claims->count;
}

int claims_state(struct claims *claims, size_t device, const char *gateway)
{
    struct named *named = &claims->devices[device];
    uint8_t by = gateway[0] ? find(claims, gateway) : 0;

    if (gateway[0] && by == 0)
        return CLAIMS_E_FULL;
    named->by = by;
    if (claims->settled && !named->fresh && (lives(claims, by) || (by == 0 && named->told > 0)))
        tell(claims, device, false);
    return 0;
}

static void judge_gone(struct claims *claims, uint8_t by)
{
    for (size_t i = 0; i < claims->device_count; i++) {
        struct named *named = &claims->devices[i];

        if (named->by != by)
            continue;
        named->by = 0; /* what it left behind is no claim; ours goes over it */
        if (named->told > 0)
            tell(claims, i, false);
    }
}

void claims_gateway(struct claims *claims, const char *gateway, bool online)
{
    for (size_t i = 0; i < claims->count; i++) {
        struct other *other = &claims->others[i];
        uint8_t by = (uint8_t)(i + 1);

        if (strcmp(other->id, gateway) != 0)
            continue;
        bool came = online && other->life != LIFE_ONLINE;
        other->life = online ? LIFE_ONLINE : LIFE_GONE;
        if (!claims->settled)
            return;
        if (!online)
            judge_gone(claims, by);
        for (size_t k = 0; came && k < claims->device_count; k++) {
            if (claims->devices[k].by == by && !claims->devices[k].fresh)
                tell(claims, k, false);
        }
        return;
    }
}

bool claims_echo(struct claims *claims)
{
    bool more = false;

    for (size_t i = 0; i < claims->count; i++) {
        struct other *other = &claims->others[i];

        if (other->life != LIFE_UNKNOWN)
            continue;
        if (other->awaited) {
            claims_gateway(claims, other->id, false);
        } else {
            other->awaited = i < claims->watched;
            more = true;
        }
    }
    if (!more && !claims->settled)
        claims_settle(claims);
    return !more;
}

void claims_settle(struct claims *claims)
{
    claims->settled = true;
    for (size_t i = 0; i < claims->device_count; i++) {
        struct named *named = &claims->devices[i];

        if (named->fresh)
            continue;
        if (!lives(claims, named->by))
            named->by = 0;
        if (named->by > 0 || named->told > 0)
            tell(claims, i, true);
    }
}

bool claims_open(struct claims *claims)
{
    if (claims->fresh == 0)
        return false;
    claims->fresh = 0;
    for (size_t i = 0; i < claims->device_count; i++) {
        struct named *named = &claims->devices[i];

        if (named->told > 0)
            tell(claims, i, named->first);
        if (!named->fresh)
            continue;
        if (!lives(claims, named->by))
            named->by = 0;
        named->fresh = false;
        named->opens = true;
        tell(claims, i, true);
    }
    return true;
}

bool claims_is_settled(const struct claims *claims)
{
    return claims->settled;
}

const char *claims_watch(struct claims *claims)
{
    return claims->watched < claims->count ? claims->others[claims->watched++].id : NULL;
}

bool claims_next(struct claims *claims, struct claim *ret)
{
    if (!claims->settled || claims->queue_count == 0)
        return false;
    size_t device = claims->queue[claims->queue_first];
    struct named *named = &claims->devices[device];

    claims->queue_first = (claims->queue_first + 1) % claims->device_count;
    claims->queue_count--;
    named->queued = false;
    named->told = lives(claims, named->by) ? named->by : 0;
    *ret = (struct claim){.device = device,
                          .gateway = named->told ? claims->others[named->told - 1].id : NULL,
                          .first = named->first,
                          .opens = named->opens};
    named->opens = false;
    return true;
}
