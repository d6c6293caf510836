#include "base/queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
    int fd;
    size_t most;
    pthread_mutex_t lock; /* guards the four below */
    size_t first;
    size_t count;
    bool shown;   /* the descriptor is readable */
    void **items; /* a ring of `most` */
};

int queue_new(struct queue **ret, size_t most)
{
    assert(most > 0);
    struct queue *queue = calloc(1, sizeof(*queue));
    int r;

    if (!queue)
        return -ENOMEM;
    queue->most = most;
    queue->items = calloc(most, sizeof(*queue->items));
    if (!queue->items) {
        r = -ENOMEM;
        goto fail_queue;
    }
    queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->fd < 0) {
        r = -errno;
        goto fail_items;
    }
    r = -pthread_mutex_init(&queue->lock, NULL);
    if (r < 0)
        goto fail_fd;
    *ret = queue;
    return 0;

fail_fd:
    close(queue->fd);
fail_items:
    free(queue->items);
fail_queue:
    free(queue);
    return r;
}

void queue_free(struct queue *queue)
{
    if (!queue)
        return;
    assert(queue->count == 0);
    pthread_mutex_destroy(&queue->lock);
    close(queue->fd);
    free(queue->items);
    free(queue);
}

/* The descriptor changes under the lock together with the count, so that it is never readable
   while nothing waits. Neither call can block: the counter is 0 or 1. */
static void show(struct queue *queue, bool readable)
{
    uint64_t one = 1;

    if (queue->shown == readable)
        return;
    ssize_t n =
        readable ? write(queue->fd, &one, sizeof(one)) : read(queue->fd, &one, sizeof(one));
    assert(n == sizeof(one));
    (void)n;
    queue->shown = readable;
}

int queue_give(struct queue *queue, void *item)
{
    return queue_gather(queue, item, 1);
}

int queue_gather(struct queue *queue, void *item, size_t enough)
{
    int r = QUEUE_E_FULL;

    assert(item);
    pthread_mutex_lock(&queue->lock);
    if (queue->count < queue->most) {
        queue->items[(queue->first + queue->count) % queue->most] = item;
        if (++queue->count >= enough)
            show(queue, true);
        r = 0;
    }
    pthread_mutex_unlock(&queue->lock);
    return r;
}

void queue_ring(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    if (queue->count > 0)
        show(queue, true);
    pthread_mutex_unlock(&queue->lock);
}

void *queue_take(struct queue *queue)
{
    void *item = NULL;

    pthread_mutex_lock(&queue->lock);
    if (queue->count > 0) {
        item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->most;
        if (--queue->count == 0)
            show(queue, false);
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

int queue_fd(const struct queue *queue)
{
    return queue->fd;
}
