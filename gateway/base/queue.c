#include "base/queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
    int fd;
    size_t most;
    pthread_mutex_t lock; /* guards the three below */
    size_t first;
    size_t count;
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

/* The descriptor changes under the lock together with the count, so that it is readable
   exactly while something waits. Neither call can block: the counter is 0 or 1. */
static void show_readable(struct queue *queue)
{
    uint64_t one = 1;
    ssize_t n = write(queue->fd, &one, sizeof(one));

    assert(n == sizeof(one));
    (void)n;
}

static void show_empty(struct queue *queue)
{
    uint64_t one;
    ssize_t n = read(queue->fd, &one, sizeof(one));

    assert(n == sizeof(one));
    (void)n;
}

int queue_give(struct queue *queue, void *item)
{
    int r = QUEUE_E_FULL;

    assert(item);
    pthread_mutex_lock(&queue->lock);
    if (queue->count < queue->most) {
        queue->items[(queue->first + queue->count) % queue->most] = item;
        if (queue->count++ == 0)
            show_readable(queue);
        r = 0;
    }
    pthread_mutex_unlock(&queue->lock);
    return r;
}

void *queue_take(struct queue *queue)
{
    void *item = NULL;

    pthread_mutex_lock(&queue->lock);
    if (queue->count > 0) {
        item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->most;
        if (--queue->count == 0)
            show_empty(queue);
    }
    pthread_mutex_unlock(&queue->lock);
    return item;
}

int queue_fd(const struct queue *queue)
{
    return queue->fd;
}
