#include "store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Nothing reads a record back before there is a disk; what counts is the number. */
struct store {
    uint64_t taken;
    int fd;
};

void record_free(struct record *record)
{
    if (!record)
        return;
    free(record->job_id);
    free(record->device_id);
    free(record->text);
    free(record);
}

int store_new(struct store **ret)
{
    struct store *store = calloc(1, sizeof(*store));

    if (!store)
        return -ENOMEM;
    store->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (store->fd < 0) {
        int r = -errno;

        free(store);
        return r;
    }
    *ret = store;
    return 0;
}

void store_free(struct store *store)
{
    if (!store)
        return;
    close(store->fd);
    free(store);
}

void store_give(struct store *store, struct record *record)
{
    store->taken = record->number;
    record_free(record);
    eventfd_write(store->fd, 1);
}

uint64_t store_safe(struct store *store)
{
    eventfd_t count;

    eventfd_read(store->fd, &count);
    return store->taken;
}

int store_fd(const struct store *store)
{
    return store->fd;
}
