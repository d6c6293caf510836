#include "store/history.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"

#include "store/history_read.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct history {
    struct queue *asked, *answered;
    int end_fd, ended_fd;
    atomic_bool ending;
    pthread_t thread;
    bool started;
    size_t out;                  /* looks that were asked and not taken; the loop's */
    struct history_read *reader; /* the thread's, while it runs */
};

struct look *look_new(enum look_kind kind, size_t most)
{
    struct look *look = calloc(1, sizeof(*look));

    if (!look)
        return NULL;
    look->kind = kind;
    look->most = most;
    look->from.order = INT64_MAX;
    return look;
}

void look_free(struct look *look)
{
    if (!look)
        return;
    for (size_t i = 0; i < look->count; i++)
        free(look->rows[i].text);
    free(look->rows);
    free(look->job_id);
    free(look->device_id);
    free(look);
}

/* --- the thread --- */

static void wait_for_look(const struct history *history)
{
    struct pollfd fds[] = {{.fd = queue_fd(history->asked), .events = POLLIN},
                           {.fd = history->end_fd, .events = POLLIN}};

    poll(fds, 2, -1);
}

static void *history_main(void *arg)
{
    struct history *history = arg;

    while (!atomic_load(&history->ending)) {
        struct look *look = queue_take(history->asked);

        if (!look) {
            wait_for_look(history);
            continue;
        }
        history_read(history->reader, look, &history->ending);
        /* There is room: no more are asked than fit. */
        if (queue_give(history->answered, look) != 0)
            abort();
    }
    eventfd_write(history->ended_fd, 1);
    return NULL;
}

/* --- the loop's side --- */

int history_open(struct history **ret, const char *folder)
{
    struct history *history = calloc(1, sizeof(*history));
    int r;

    if (!history)
        return -ENOMEM;
    history->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    history->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = history->end_fd < 0 || history->ended_fd < 0 ? -EMFILE : 0;
    if (r == 0)
        r = history_read_new(&history->reader, folder);
    if (r == 0)
        r = queue_new(&history->asked, HISTORY_WAITING_MOST);
    if (r == 0)
        r = queue_new(&history->answered, HISTORY_WAITING_MOST);
    if (r == 0) {
        r = -pthread_create(&history->thread, NULL, history_main, history);
        history->started = r == 0;
    }
    if (r < 0) {
        history_free(history);
        return r;
    }
    *ret = history;
    return 0;
}

static void drop_all(struct queue *queue)
{
    struct look *look;

    while (queue && (look = queue_take(queue)))
        look_free(look);
    queue_free(queue);
}

enum { END_PATIENCE_MS = 2000 };

/* False: it hangs in the disk, and what it holds has to stay. */
static bool end(struct history *history)
{
    struct pollfd ended = {.fd = history->ended_fd, .events = POLLIN};

    if (!history->started)
        return true;
    atomic_store(&history->ending, true);
    eventfd_write(history->end_fd, 1);
    if (poll(&ended, 1, END_PATIENCE_MS) != 1)
        return false;
    pthread_join(history->thread, NULL);
    return true;
}

void history_free(struct history *history)
{
    if (!history)
        return;
    if (!end(history)) {
        log_error("store: its reader hangs in the disk and is left behind");
        return;
    }
    drop_all(history->asked);
    drop_all(history->answered);
    history_read_free(history->reader);
    if (history->end_fd >= 0)
        close(history->end_fd);
    if (history->ended_fd >= 0)
        close(history->ended_fd);
    free(history);
}

int history_ask(struct history *history, struct look *look)
{
    if (history->out == HISTORY_WAITING_MOST)
        return HISTORY_E_FULL;
    look->asked_us = clock_boot_us();
    if (queue_give(history->asked, look) != 0)
        return HISTORY_E_FULL;
    history->out++;
    return 0;
}

struct look *history_take(struct history *history)
{
    struct look *look = queue_take(history->answered);

    if (look)
        history->out--;
    return look;
}

int history_fd(const struct history *history)
{
    return queue_fd(history->answered);
}
