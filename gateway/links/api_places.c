/*
 * Places: a door has so many, and a peer over HTTPS may take so many of them. A peer's further
 * connections are held, before their handshake, until it has shown a good key on one of the
 * others or one of them ends; so a back end that opens thirty at once loses none, and a
 * stranger gets sixteen. At a full door the connection goes whose end costs the least, so that
 * whoever opens all places and says nothing keeps nobody out for long.
 */
#include "links/api_internal.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_AGAIN_US = 250000 };
#define SILENT_US INT64_C(1000000) /* what a whole request may take while others wait */

bool door_is_full(const struct door *door)
{
    return door->connection_count >= API_CONNECTIONS_MOST;
}

static bool is_idle(const struct connection *connection)
{
    return connection->http && !connection->held && !connection->reading &&
           !connection->exchange;
}

/* The connection that its peer has not used for the longest time; NULL: all work. */
static struct connection *find_idle(struct api *api, const char *address)
{
    struct connection *found = NULL;

    for (struct connection *each = api->connections; each; each = each->next)
        if (is_idle(each) && strcmp(each->address, address) == 0 &&
            (!found || each->since_us < found->since_us))
            found = each;
    return found;
}

static size_t count_served(const struct api *api, const char *address)
{
    size_t count = 0;

    for (const struct connection *each = api->connections; each; each = each->next)
        count += !each->held && strcmp(each->address, address) == 0;
    return count;
}

/* On the unix socket, which tells no address, all are. */
static bool is_known(const struct api *api, const char *address)
{
    return !*address || peers_known(api->peers, address, clock_boot_us());
}

static size_t most_of(const struct api *api, const char *address)
{
    return is_known(api, address) ? API_KNOWN_PEER_MOST : API_PEER_MOST;
}

void places_check_peer(struct connection *connection)
{
    struct api *api = connection->api;
    struct connection *idle;
    ev_uint16_t port;
    char *address = NULL;

    evhttp_connection_get_peer(connection->http, &address, &port);
    snprintf(connection->address, sizeof(connection->address), "%s", address ? address : "?");
    if (count_served(api, connection->address) <= most_of(api, connection->address))
        return;
    idle = find_idle(api, connection->address);
    if (idle)
        connection_drop(idle);
    else
        connection_hold(connection);
}

/* --- who was held --- */

static struct connection *find_held(struct api *api)
{
    struct connection *oldest = NULL;

    for (struct connection *each = api->connections; each; each = each->next) {
        if (each->held && (count_served(api, each->address) < most_of(api, each->address) ||
                           find_idle(api, each->address)))
            oldest = each; /* the newest is first */
    }
    return oldest;
}

static void let_in(struct api *api)
{
    struct connection *held;

    while ((held = find_held(api))) {
        connection_let_in(held);
        if (count_served(api, held->address) > most_of(api, held->address))
            connection_drop(find_idle(api, held->address));
    }
}

/* --- a full door --- */

/* What its end costs, from 0, who has not been heard yet; NEVER: its request is answered. */
enum { NEVER = 4 };

static unsigned price(const struct connection *connection, int64_t now_us)
{
    bool known = is_known(connection->api, connection->address);

    if (!connection->http || connection->exchange || connection->answering)
        return NEVER;
    if (connection->held)
        return 0;
    if (!connection->reading)
        return known ? 3 : 1;
    /* So new that its request may well be on its way. */
    if (now_us - connection->since_us < SILENT_US)
        return NEVER;
    return 2;
}

static struct connection *find_cheapest(struct door *door)
{
    struct connection *found = NULL;
    int64_t now_us = clock_boot_us();
    unsigned least = NEVER;

    for (struct connection *each = door->api->connections; each; each = each->next) {
        unsigned its = each->door == door ? price(each, now_us) : NEVER;

        if (its < least || (its == least && found && each->since_us < found->since_us)) {
            least = its;
            found = each;
        }
    }
    return found;
}

static void make_room(struct door *door)
{
    struct timeval again = {.tv_usec = LOOK_AGAIN_US};
    struct connection *cheapest;

    if (!door->http || !door_is_full(door))
        return;
    cheapest = find_cheapest(door);
    if (cheapest)
        connection_drop(cheapest);
    else
        event_add(door->api->adopt, &again);
}

void places_look(struct api *api)
{
    if (api->closing)
        return;
    let_in(api);
    make_room(&api->local);
    make_room(&api->web);
}

void places_changed(struct api *api)
{
    if (!api->closing)
        event_active(api->adopt, EV_TIMEOUT, 0);
}
