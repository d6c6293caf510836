#include "links/broker_outbox.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct list {
    struct outgoing *first, **end;
};

struct outbox {
    int fd;
    size_t most, most_bytes;
    pthread_mutex_t lock; /* guards the five below */
    struct list ranks[OUTGOING_RANKS];
    size_t count, bytes;
    size_t dropped; /* since outbox_dropped() */
    uint64_t number;
};

struct outgoing *outgoing_new(enum outgoing_rank rank, char *topic, char *body, bool retain)
{
    struct outgoing *message = calloc(1, sizeof(*message));

    if (!message || !topic || !body) {
        free(message);
        free(topic);
        free(body);
        return NULL;
    }
    *message = (struct outgoing){.rank = rank, .topic = topic, .body = body, .retain = retain};
    return message;
}

void outgoing_free(struct outgoing *message)
{
    if (!message)
        return;
    free(message->topic);
    free(message->body);
    free(message->correlation);
    free(message);
}

static size_t weight(const struct outgoing *message)
{
    return sizeof(*message) + strlen(message->topic) + strlen(message->body) +
           message->correlation_size;
}

int outbox_new(struct outbox **ret, size_t most, size_t most_bytes)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    int r;

    if (!outbox)
        return -ENOMEM;
    outbox->most = most;
    outbox->most_bytes = most_bytes;
    for (size_t i = 0; i < OUTGOING_RANKS; i++)
        outbox->ranks[i].end = &outbox->ranks[i].first;
    outbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (outbox->fd < 0) {
        r = -errno;
        goto fail_outbox;
    }
    r = -pthread_mutex_init(&outbox->lock, NULL);
    if (r < 0)
        goto fail_fd;
    *ret = outbox;
    return 0;

fail_fd:
    close(outbox->fd);
fail_outbox:
    free(outbox);
    return r;
}

/* The descriptor changes together with the count, under the lock: readable means not empty. */
static void counted(struct outbox *outbox, const struct outgoing *message, bool added)
{
    uint64_t one = 1;
    ssize_t n = sizeof(one);

    outbox->bytes += added ? weight(message) : 0 - weight(message);
    outbox->count += added ? 1 : (size_t)-1;
    if (added && outbox->count == 1)
        n = write(outbox->fd, &one, sizeof(one));
    else if (!added && outbox->count == 0)
        n = read(outbox->fd, &one, sizeof(one));
    assert(n == sizeof(one));
    (void)n;
}

static struct outgoing *unlink_first(struct outbox *outbox, struct list *list)
{
    struct outgoing *message = list->first;

    list->first = message->next;
    if (!list->first)
        list->end = &list->first;
    message->next = NULL;
    counted(outbox, message, false);
    return message;
}

void outbox_free(struct outbox *outbox)
{
    struct outgoing *message;

    if (!outbox)
        return;
    while ((message = outbox_take(outbox)))
        outgoing_free(message);
    pthread_mutex_destroy(&outbox->lock);
    close(outbox->fd);
    free(outbox);
}

static void drop_least(struct outbox *outbox)
{
    for (size_t i = 0; i < OUTGOING_RANKS; i++) {
        if (outbox->ranks[i].first) {
            outgoing_free(unlink_first(outbox, &outbox->ranks[i]));
            outbox->dropped++;
            return;
        }
    }
}

size_t outbox_give(struct outbox *outbox, struct outgoing *message)
{
    struct list *list = &outbox->ranks[message->rank];
    size_t before, dropped;

    pthread_mutex_lock(&outbox->lock);
    message->number = ++outbox->number;
    message->next = NULL;
    *list->end = message;
    list->end = &message->next;
    counted(outbox, message, true);
    before = outbox->dropped;
    while (outbox->count > outbox->most || outbox->bytes > outbox->most_bytes)
        drop_least(outbox);
    dropped = outbox->dropped;
    pthread_mutex_unlock(&outbox->lock);
    return before == 0 ? dropped : 0;
}

struct outgoing *outbox_take(struct outbox *outbox)
{
    struct outgoing *message = NULL;
    struct list *oldest = NULL;

    pthread_mutex_lock(&outbox->lock);
    for (size_t i = 0; i < OUTGOING_RANKS; i++) {
        struct list *list = &outbox->ranks[i];

        if (list->first && (!oldest || list->first->number < oldest->first->number))
            oldest = list;
    }
    if (oldest)
        message = unlink_first(outbox, oldest);
    pthread_mutex_unlock(&outbox->lock);
    return message;
}

void outbox_put_back(struct outbox *outbox, struct outgoing *message)
{
    struct list *list = &outbox->ranks[message->rank];
    struct outgoing **at = &list->first;

    pthread_mutex_lock(&outbox->lock);
    while (*at && (*at)->number < message->number)
        at = &(*at)->next;
    message->next = *at;
    *at = message;
    if (!message->next)
        list->end = &message->next;
    counted(outbox, message, true);
    pthread_mutex_unlock(&outbox->lock);
}

size_t outbox_count(struct outbox *outbox)
{
    size_t count;

    pthread_mutex_lock(&outbox->lock);
    count = outbox->count;
    pthread_mutex_unlock(&outbox->lock);
    return count;
}

size_t outbox_dropped(struct outbox *outbox)
{
    size_t dropped;

    pthread_mutex_lock(&outbox->lock);
    dropped = outbox->dropped;
    outbox->dropped = 0;
    pthread_mutex_unlock(&outbox->lock);
    return dropped;
}

int outbox_fd(const struct outbox *outbox)
{
    return outbox->fd;
}
