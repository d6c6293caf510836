/* The service manager is told that we are well only while the loop, the store and every line
   move. A disk that hangs, a port that is gone and a broker that does not answer are told in
   the log and the status instead: a restart would heal none of them. */
#include "gateway_private.h"

#include "base/log.h"

#include <errno.h>
#include <systemd/sd-daemon.h>

/* The name of who has not moved, or NULL. */
static const char *stuck(const struct gateway *gateway, int64_t *overdue_us)
{
    for (size_t i = 0; i < gateway->site->line_count; i++) {
        struct line *line = gateway->lines[i]->line;

        if (line && (*overdue_us = line_overdue_us(line)) > 0)
            return gateway->site->lines[i].name;
    }
    *overdue_us = store_overdue_us(gateway->store);
    return *overdue_us > 0 ? "store" : NULL;
}

static void on_watchdog(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway *gateway = ctx;
    int64_t overdue_us = 0;
    const char *name = stuck(gateway, &overdue_us);

    (void)fd;
    (void)what;
    if (!name)
        sd_notify(0, "WATCHDOG=1");
    if (name && !gateway->starved)
        log_error("the thread of %s is %lld s over its time: the watchdog is not fed until it "
                  "moves again",
                  name, (long long)(overdue_us / 1000000));
    if (!name && gateway->starved)
        log_warning("all threads move again, the watchdog is fed");
    gateway->starved = name != NULL;
}

int gateway_open_watchdog(struct gateway *gateway)
{
    uint64_t limit_us = 0;

    if (!gateway->settings.links || sd_watchdog_enabled(0, &limit_us) <= 0)
        return 0;
    gateway->watchdog = event_new(gateway->base, -1, EV_PERSIST, on_watchdog, gateway);
    if (!gateway->watchdog)
        return -ENOMEM;
    struct timeval half = {.tv_sec = (time_t)(limit_us / 2 / 1000000),
                           .tv_usec = (suseconds_t)(limit_us / 2 % 1000000)};
    event_add(gateway->watchdog, &half);
    return 0;
}
