/*
 * Sites: which site the world of a history runs by, and the one that is prepared in its place.
 * A change takes devices out and brings them back, turns their order, gives them another make
 * or rewires their line; one device at least stays.
 */
#ifndef TESTS_HISTORIES_SITES_H
#define TESTS_HISTORIES_SITES_H

#include "fixture_reload.h"

enum { SITES_DEVICES_MOST = 16 };

struct sites {
    struct world *world;
    struct copy *runs, *next; /* NULL: the world's own; nothing is prepared */
    bool absent[SITES_DEVICES_MOST];
    bool turned, renamed;
    unsigned baud;
    unsigned taken;
};

void sites_init(struct sites *sites, struct world *world);
/* Before world_deinit(). */
void sites_deinit(struct sites *sites);
/* Another site, by `dice`; it lies there from now on. */
void sites_change(struct sites *sites, uint64_t dice);
void sites_whole(struct sites *sites); /* with all devices */
/* The gateway reads it again. */
void sites_reload(struct sites *sites);
/* What was prepared takes its place, if all has come to rest. False: it waits still. */
bool sites_settle(struct sites *sites);
/* The power goes: what lies there is the site that comes back. */
void sites_cut(struct sites *sites, bool obeyed);
void sites_tell(const struct sites *sites, char *text, size_t size);

#endif
