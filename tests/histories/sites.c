#include "sites.h"

#include <stdio.h>

void sites_init(struct sites *sites, struct world *world)
{
    *sites = (struct sites){.world = world};
}

void sites_deinit(struct sites *sites)
{
    sites->world->site = &sites->world->fixture.site;
}

static struct copy *make(const struct sites *sites)
{
    struct copy *copy = copy_new(&sites->world->fixture.site);

    for (size_t i = 0; i < sites->world->fixture.site.device_count; i++) {
        if (sites->absent[i])
            copy_remove(copy, sites->world->devices[i].id);
    }
    if (sites->turned)
        copy_turn(copy);
    if (sites->renamed)
        copy->method.title = copy->profile.name; /* another make, which does the same */
    copy->site.lines[0].settings.baud = 9600 + sites->baud;
    copy_sort(copy);
    return copy;
}

void sites_change(struct sites *sites, uint64_t dice)
{
    size_t count = sites->world->fixture.site.device_count, left = 0;

    for (size_t i = 0; i < count; i++) {
        if ((dice >> (2 * i)) % 4 == 0)
            sites->absent[i] = !sites->absent[i];
        left += !sites->absent[i];
    }
    if (left == 0)
        sites->absent[(dice >> 40) % count] = false;
    sites->turned ^= (dice >> 50) % 2 == 0;
    sites->renamed ^= (dice >> 52) % 4 == 0;
    sites->baud += (dice >> 54) % 4 == 0;
}

void sites_whole(struct sites *sites)
{
    memset(sites->absent, 0, sizeof(sites->absent));
}

void sites_reload(struct sites *sites)
{
    struct copy *next = make(sites);

    assert_int_equal(engine_prepare(sites->world->engine, &next->site), 0);
    copy_free(sites->next);
    sites->next = next;
}

static void run_by(struct sites *sites, struct copy *copy)
{
    copy_free(sites->runs);
    sites->runs = copy;
    sites->next = NULL;
    sites->taken++;
}

bool sites_settle(struct sites *sites)
{
    struct world *world = sites->world;

    if (!sites->next)
        return true;
    if (!engine_is_prepared(world->engine, world->now))
        return false;
    bool rewired =
        world->site->lines[0].settings.baud != sites->next->site.lines[0].settings.baud;
    assert_int_equal(engine_reload(world->engine, world->now), 0);
    world->site = &sites->next->site;
    run_by(sites, sites->next);
    if (rewired)
        world_line(world, 0, true, "");
    world_run(world, 0);
    return true;
}

void sites_cut(struct sites *sites, bool obeyed)
{
    struct copy *copy = make(sites), *dropped = sites->next;

    sites->world->site_after = &copy->site;
    world_cut(sites->world, obeyed);
    copy_free(dropped);
    run_by(sites, copy);
}

void sites_tell(const struct sites *sites, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s%s, %u baud, without",
                                   sites->turned ? "turned" : "straight",
                                   sites->renamed ? ", renamed" : "", 9600 + sites->baud);

    for (size_t i = 0; i < sites->world->fixture.site.device_count && used < size; i++) {
        if (sites->absent[i])
            used +=
                (size_t)snprintf(text + used, size - used, " %s", sites->world->devices[i].id);
    }
}
