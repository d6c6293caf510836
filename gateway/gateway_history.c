#include "gateway_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A look is the API's where it has somebody who waits for it, else the engine's own. */
static void hand_back(struct gateway *gateway, struct look *look)
{
    if (look->ctx && gateway->api)
        api_looked(gateway->api, look);
    else
        engine_looked(gateway->engine, look, gateway_now(gateway));
}

static void on_history(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway *gateway = ctx;
    struct look *look;

    (void)fd;
    (void)what;
    while ((look = history_take(gateway->history))) {
        tally_looked(gateway->tally, clock_boot_us() - look->asked_us, !look->why[0]);
        hand_back(gateway, look);
    }
    gateway_pump(gateway);
}

bool gateway_look(void *ctx, struct look *look)
{
    struct gateway *gateway = ctx;

    return gateway->history && history_ask(gateway->history, look) == 0;
}

void gateway_give_looks(struct gateway *gateway)
{
    struct look *look;

    while ((look = engine_take_look(gateway->engine))) {
        if (gateway_look(gateway, look))
            continue;
        snprintf(look->why, sizeof(look->why), "more is asked than can be answered");
        engine_looked(gateway->engine, look, gateway_now(gateway));
    }
}

int gateway_open_history(struct gateway *gateway)
{
    if (!gateway_is_durable(gateway))
        return 0;
    int r = history_open(&gateway->history, gateway_state_folder(gateway));
    if (r < 0)
        return r;
    gateway->history_event =
        gateway_listen(gateway, history_fd(gateway->history), on_history, gateway);
    return gateway->history_event ? 0 : -ENOMEM;
}

void gateway_close_history(struct gateway *gateway)
{
    gateway_unlisten(gateway->history_event);
    history_free(gateway->history);
    gateway->history = NULL;
}
