#include "links/broker_outbox.h"

#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LANDED_MOST = 64 }; /* that are not shown yet */

struct list {
    struct outgoing *first, **end;
};

/* A list of its own, so that a message's memory goes as soon as the broker has it. */
struct landed {
    struct delivery *delivery;
    struct landed *next;
};

struct outbox {
    int fd, landed_fd;
    size_t most_bytes;
    pthread_mutex_t lock; /* guards the rest */
    struct list ranks[OUTGOING_RANKS];
    size_t waiting;         /* in the lists */
    size_t messages, bytes; /* these, and what was taken */
    size_t dropped;         /* since outbox_dropped() */
    uint64_t number, dropped_in_all, told;
    struct landed *landed, **landed_end;
    size_t landed_count;
    bool landed_shown;
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
    delivery_free(message->delivery);
    free(message);
}

static size_t weight(const struct outgoing *message)
{
    const struct delivery *delivery = message->delivery;
    size_t ids = delivery ? sizeof(*delivery) + strlen(delivery->job_id) : 0;

    return sizeof(*message) + strlen(message->topic) + strlen(message->body) +
           message->correlation_size + ids;
}

int outbox_new(struct outbox **ret, size_t most_bytes)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    int r;

    if (!outbox)
        return -ENOMEM;
    outbox->most_bytes = most_bytes;
    for (size_t i = 0; i < OUTGOING_RANKS; i++)
        outbox->ranks[i].end = &outbox->ranks[i].first;
    outbox->landed_end = &outbox->landed;
    outbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    outbox->landed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (outbox->fd < 0 || outbox->landed_fd < 0) {
        r = -errno;
        goto fail_fds;
    }
    r = -pthread_mutex_init(&outbox->lock, NULL);
    if (r < 0)
        goto fail_fds;
    *ret = outbox;
    return 0;

fail_fds:
    if (outbox->fd >= 0)
        close(outbox->fd);
    if (outbox->landed_fd >= 0)
        close(outbox->landed_fd);
    free(outbox);
    return r;
}

/* A descriptor changes together with what it shows, under the lock: readable means not empty.
 */
static void show(int fd, bool something)
{
    uint64_t one = 1;
    ssize_t n = something ? write(fd, &one, sizeof(one)) : read(fd, &one, sizeof(one));

    assert(n == sizeof(one));
    (void)n;
}

static void link_at(struct outbox *outbox, struct list *list, struct outgoing **at,
                    struct outgoing *message)
{
    message->next = *at;
    *at = message;
    if (!message->next)
        list->end = &message->next;
    if (outbox->waiting++ == 0)
        show(outbox->fd, true);
}

static struct outgoing *unlink_first(struct outbox *outbox, struct list *list)
{
    struct outgoing *message = list->first;

    list->first = message->next;
    if (!list->first)
        list->end = &list->first;
    message->next = NULL;
    if (--outbox->waiting == 0)
        show(outbox->fd, false);
    return message;
}

/* It is no longer the outbox's: neither in a list nor taken. */
static void uncount(struct outbox *outbox, const struct outgoing *message)
{
    outbox->messages--;
    outbox->bytes -= weight(message);
}

void outbox_free(struct outbox *outbox)
{
    struct outgoing *message;
    struct delivery *delivery;

    if (!outbox)
        return;
    while ((message = outbox_take(outbox)))
        outgoing_free(message);
    while ((delivery = outbox_take_landed(outbox)))
        delivery_free(delivery);
    pthread_mutex_destroy(&outbox->lock);
    close(outbox->fd);
    close(outbox->landed_fd);
    free(outbox);
}

/* False: there is nothing that may be dropped. */
static bool drop_least(struct outbox *outbox)
{
    for (size_t i = 0; i < OUTGOING_KEPT; i++) {
        struct outgoing *message;

        if (!outbox->ranks[i].first)
            continue;
        message = unlink_first(outbox, &outbox->ranks[i]);
        uncount(outbox, message);
        outgoing_free(message);
        outbox->dropped_in_all++;
        if (outbox->dropped++ == 0)
            log_error("broker: %zu MB wait for it (store.outbox_mb); the oldest values and "
                      "states are dropped",
                      outbox->most_bytes >> 20);
        return true;
    }
    return false;
}

static bool is_over(const struct outbox *outbox, size_t more)
{
    return outbox->bytes + more > outbox->most_bytes;
}

int outbox_give(struct outbox *outbox, struct outgoing *message)
{
    struct list *list = &outbox->ranks[message->rank];
    size_t size = weight(message);
    bool kept = message->rank == OUTGOING_KEPT, taken = true;

    pthread_mutex_lock(&outbox->lock);
    while (kept && is_over(outbox, size) && drop_least(outbox))
        ;
    taken = !kept || !is_over(outbox, size) || outbox->messages == 0;
    if (taken) {
        message->number = ++outbox->number;
        outbox->messages++;
        outbox->bytes += size;
        link_at(outbox, list, list->end, message);
    }
    while (is_over(outbox, 0) && drop_least(outbox))
        ;
    pthread_mutex_unlock(&outbox->lock);
    return taken ? 0 : OUTBOX_E_FULL;
}

bool outbox_has_room(struct outbox *outbox)
{
    bool room;

    pthread_mutex_lock(&outbox->lock);
    room = outbox->bytes <= outbox->most_bytes / 2;
    pthread_mutex_unlock(&outbox->lock);
    return room;
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
    if (outbox->ranks[OUTGOING_ANSWER].first)
        oldest = &outbox->ranks[OUTGOING_ANSWER];
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
    link_at(outbox, list, at, message);
    pthread_mutex_unlock(&outbox->lock);
}

static void show_landed(struct outbox *outbox, bool something)
{
    if (outbox->landed_shown != something)
        show(outbox->landed_fd, something);
    outbox->landed_shown = something;
}

/* The one who waits learns of it later rather than never: without memory it is told again. */
static void add_landed(struct outbox *outbox, struct delivery *delivery)
{
    struct landed *landed = calloc(1, sizeof(*landed));

    if (!landed) {
        delivery_free(delivery);
        return;
    }
    landed->delivery = delivery;
    *outbox->landed_end = landed;
    outbox->landed_end = &landed->next;
    outbox->told++;
    if (++outbox->landed_count >= LANDED_MOST)
        show_landed(outbox, true);
}

void outbox_show_landed(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    if (outbox->landed)
        show_landed(outbox, true);
    pthread_mutex_unlock(&outbox->lock);
}

void outbox_land(struct outbox *outbox, struct outgoing *message)
{
    struct delivery *delivery = message->delivery;

    pthread_mutex_lock(&outbox->lock);
    uncount(outbox, message);
    message->delivery = NULL;
    if (delivery)
        add_landed(outbox, delivery);
    pthread_mutex_unlock(&outbox->lock);
    outgoing_free(message);
}

void outbox_tell_landed(struct outbox *outbox, struct delivery *delivery)
{
    pthread_mutex_lock(&outbox->lock);
    add_landed(outbox, delivery);
    show_landed(outbox, outbox->landed != NULL);
    pthread_mutex_unlock(&outbox->lock);
}

void outbox_drop(struct outbox *outbox, struct outgoing *message)
{
    pthread_mutex_lock(&outbox->lock);
    uncount(outbox, message);
    outbox->dropped_in_all++;
    pthread_mutex_unlock(&outbox->lock);
    outgoing_free(message);
}

struct delivery *outbox_take_landed(struct outbox *outbox)
{
    struct delivery *delivery = NULL;
    struct landed *landed;

    pthread_mutex_lock(&outbox->lock);
    landed = outbox->landed;
    if (landed) {
        delivery = landed->delivery;
        outbox->landed = landed->next;
        outbox->landed_count--;
    }
    if (!outbox->landed) {
        outbox->landed_end = &outbox->landed;
        show_landed(outbox, false);
    }
    pthread_mutex_unlock(&outbox->lock);
    free(landed);
    return delivery;
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

void outbox_set_most(struct outbox *outbox, size_t most_bytes)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->most_bytes = most_bytes;
    pthread_mutex_unlock(&outbox->lock);
}

bool outbox_lacks(struct outbox *outbox)
{
    bool lacks;

    pthread_mutex_lock(&outbox->lock);
    lacks = outbox->dropped > 0 && outbox->bytes <= outbox->most_bytes / 2;
    pthread_mutex_unlock(&outbox->lock);
    return lacks;
}

void outbox_state(struct outbox *outbox, struct outbox_state *state)
{
    pthread_mutex_lock(&outbox->lock);
    *state = (struct outbox_state){.messages = outbox->messages,
                                   .bytes = outbox->bytes,
                                   .most_bytes = outbox->most_bytes,
                                   .dropped = outbox->dropped_in_all,
                                   .told = outbox->told};
    pthread_mutex_unlock(&outbox->lock);
}

int outbox_fd(const struct outbox *outbox)
{
    return outbox->fd;
}

int outbox_landed_fd(const struct outbox *outbox)
{
    return outbox->landed_fd;
}
