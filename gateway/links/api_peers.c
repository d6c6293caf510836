/*
 * Peers: what is remembered of an address that connects over HTTPS. One that has shown a good
 * key lately may have more connections; one whose keys are refused again and again waits for
 * each refusal, so that guessing takes long. Few are remembered: the one not seen for the
 * longest time makes room.
 */
#include "links/api_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PEERS_MOST = 128, FREE_REFUSALS = 5, SLOW_MS = 1000 };
#define KNOWN_US   INT64_C(600000000)
#define FORGIVE_US INT64_C(60000000) /* one refusal a minute is forgiven */

struct peer {
    char address[API_ADDRESS_SIZE];
    int64_t seen_us, good_until_us, refused_us;
    unsigned refusals;
};

struct peers {
    struct peer all[PEERS_MOST];
};

struct peers *peers_new(void)
{
    return calloc(1, sizeof(struct peers));
}

void peers_free(struct peers *peers)
{
    free(peers);
}

static const struct peer *find(const struct peers *peers, const char *address)
{
    for (size_t i = 0; i < PEERS_MOST; i++)
        if (strcmp(peers->all[i].address, address) == 0)
            return &peers->all[i];
    return NULL;
}

static struct peer *take(struct peers *peers, const char *address, int64_t now_us)
{
    struct peer *oldest = &peers->all[0];

    for (size_t i = 0; i < PEERS_MOST; i++) {
        struct peer *each = &peers->all[i];

        if (strcmp(each->address, address) == 0) {
            each->seen_us = now_us;
            return each;
        }
        if (each->seen_us < oldest->seen_us)
            oldest = each;
    }
    *oldest = (struct peer){.seen_us = now_us};
    snprintf(oldest->address, sizeof(oldest->address), "%s", address);
    return oldest;
}

bool peers_known(const struct peers *peers, const char *address, int64_t now_us)
{
    const struct peer *peer = find(peers, address);

    return peer && peer->good_until_us > now_us;
}

void peers_welcome(struct peers *peers, const char *address, int64_t now_us)
{
    take(peers, address, now_us)->good_until_us = now_us + KNOWN_US;
}

unsigned peers_refuse(struct peers *peers, const char *address, int64_t now_us)
{
    struct peer *peer = take(peers, address, now_us);
    int64_t forgiven = peer->refusals ? (now_us - peer->refused_us) / FORGIVE_US : 0;

    peer->refusals = forgiven < peer->refusals ? peer->refusals - (unsigned)forgiven : 0;
    peer->refused_us = now_us;
    peer->refusals++;
    return peer->refusals > FREE_REFUSALS ? SLOW_MS : 0;
}
