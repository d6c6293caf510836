#include "gateway_private.h"

#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { STORE_PATIENCE_MS = 2000 }; /* for the last commit of a stop */

bool gateway_is_durable(const struct gateway *gateway)
{
    return gateway->boot_id[0] != '\0';
}

static void on_store(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway *gateway = ctx;

    (void)fd;
    (void)what;
    struct store_state state;
    uint64_t safe = store_safe(gateway->store);

    store_state(gateway->store, &state);
    engine_store_state(gateway->engine, state.takes, state.why);
    tally_safe(gateway->tally, safe, clock_boot_us());
    engine_safe(gateway->engine, safe, gateway_now(gateway));
    gateway_pump(gateway);
}

/* Deadlines count on a clock that begins anew with each boot. */
static void read_boot_id(char *text, size_t size)
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

    snprintf(text, size, "unknown");
    if (!file)
        return;
    if (fgets(text, (int)size, file))
        text[strcspn(text, "\n")] = '\0';
    fclose(file);
}

const char *gateway_state_folder(const struct gateway *gateway)
{
    return gateway->settings.state ? gateway->settings.state : gateway->site->state;
}

int gateway_open_store(struct gateway *gateway, char *why, size_t size)
{
    if (!gateway->settings.links)
        return store_new(&gateway->store);
    read_boot_id(gateway->boot_id, sizeof(gateway->boot_id));
    return store_open(&gateway->store, gateway_state_folder(gateway), why, size);
}

/* What was accepted before the last stop goes on. */
int gateway_restore(struct gateway *gateway, char *why, size_t size)
{
    struct store_state state;
    struct record *record;

    gateway->recalled = !gateway_is_durable(gateway);
    if (gateway->recalled)
        return 0;
    while ((record = store_recall(gateway->store))) {
        engine_recall(gateway->engine, record);
        record_free(record);
    }
    gateway->recalled = true;
    store_state(gateway->store, &state);
    if (state.why[0]) {
        snprintf(why, size, "%s", state.why);
        return -EIO;
    }
    return engine_resume(gateway->engine, gateway_now(gateway));
}

static void give_records(struct gateway *gateway)
{
    struct record *record;

    while ((record = engine_take_record(gateway->engine)))
        store_give(gateway->store, record);
}

/* Until all that was given is safe. The links' last words come behind, and what they say of
   deliveries is kept too: so the store does not end yet. */
static bool wait_safe(struct gateway *gateway)
{
    struct pollfd wait = {.fd = store_fd(gateway->store), .events = POLLIN};
    int64_t until_us = clock_boot_us() + (int64_t)STORE_PATIENCE_MS * 1000;
    struct store_state state;

    store_hurry(gateway->store, UINT64_MAX); /* from now on nothing waits for company */
    for (;;) {
        store_safe(gateway->store);
        store_state(gateway->store, &state);
        int64_t left_ms = (until_us - clock_boot_us()) / 1000;
        if (state.waiting == 0 || left_ms <= 0)
            return state.waiting == 0;
        poll(&wait, 1, (int)left_ms);
    }
}

void gateway_keep_last(struct gateway *gateway)
{
    struct report *report;

    if (!gateway->engine || !gateway->store)
        return;
    give_records(gateway);
    gateway->unsafe = !wait_safe(gateway);
    engine_safe(gateway->engine, store_safe(gateway->store), gateway_now(gateway));
    while ((report = engine_take_report(gateway->engine))) {
        gateway_route(gateway, report);
        report_free(report);
    }
}

int gateway_listen_store(struct gateway *gateway)
{
    gateway->store_event = gateway_listen(gateway, store_fd(gateway->store), on_store, gateway);
    return gateway->store_event ? 0 : -ENOMEM;
}

void gateway_close_store(struct gateway *gateway)
{
    gateway_unlisten(gateway->store_event);
    if (gateway->engine && gateway->store) {
        give_records(gateway);
        int patience_ms = gateway->unsafe ? 0 : STORE_PATIENCE_MS;
        gateway->unsafe = store_end(gateway->store, patience_ms) != 0;
    }
    if (gateway->unsafe) /* its thread hangs in the disk; what it holds ends with the process */
        log_error(
            "store: the last records could not be kept; what they were about is done again");
    else
        store_free(gateway->store);
}
