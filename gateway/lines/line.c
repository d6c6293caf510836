#include "lines/line_thread.h"

#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct work *work_new(void)
{
    return calloc(1, sizeof(struct work));
}

void work_free(struct work *work)
{
    free(work);
}

static void ring(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof(one));

    (void)n; /* a full counter is readable too */
}

/* Signals are for the main thread: the line's begins with all of them blocked. */
static int start_thread(struct line *line)
{
    sigset_t all, before;
    char name[16];

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = -pthread_create(&line->thread, NULL, line_main, line);

    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r < 0)
        return r;
    snprintf(name, sizeof(name), "%s", line->settings.line ? line->settings.line : "line");
    pthread_setname_np(line->thread, name);
    return 0;
}

/* The site that the settings stand in may go before the line does. */
static int copy_settings(struct line *line, const struct adapter_settings *settings)
{
    line->settings = *settings;
    line->settings.line = line->name = settings->line ? strdup(settings->line) : NULL;
    line->settings.port = line->port = settings->port ? strdup(settings->port) : NULL;
    line->settings.host = line->host = settings->host ? strdup(settings->host) : NULL;
    return (settings->line && !line->name) || (settings->port && !line->port) ||
                   (settings->host && !line->host)
               ? -ENOMEM
               : 0;
}

static void free_memory(struct line *line)
{
    free(line->name);
    free(line->port);
    free(line->host);
    free(line);
}

int line_open(struct line **ret, const struct adapter *adapter,
              const struct adapter_settings *settings)
{
    struct line *line = calloc(1, sizeof(*line));
    int r;

    if (!line)
        return -ENOMEM;
    line->adapter = adapter;
    line->due_us = MOMENT_NEVER;
    r = copy_settings(line, settings);
    if (r < 0)
        goto fail_line;
    line->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (line->stop_fd < 0) {
        r = -errno;
        goto fail_line;
    }
    line->give_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (line->give_fd < 0) {
        r = -errno;
        goto fail_stop_fd;
    }
    r = queue_new(&line->back, BACK_MAX);
    if (r < 0)
        goto fail_give_fd;
    r = -pthread_mutex_init(&line->lock, NULL);
    if (r < 0)
        goto fail_back;
    r = start_thread(line);
    if (r < 0)
        goto fail_lock;
    *ret = line;
    return 0;

fail_lock:
    pthread_mutex_destroy(&line->lock);
fail_back:
    queue_free(line->back);
fail_give_fd:
    close(line->give_fd);
fail_stop_fd:
    close(line->stop_fd);
fail_line:
    free_memory(line);
    return r;
}

int line_give(struct line *line, struct work *work)
{
    pthread_mutex_lock(&line->lock);
    if (line->given == GIVEN_MAX) {
        pthread_mutex_unlock(&line->lock);
        return LINE_E_FULL;
    }
    line->given++;
    if (line->closed) {
        work_answer_unsent(work, ANSWER_NOT_SENT,
                           "the line was stopped before it could be sent");
        line_put_back(line, work);
    } else if (line->state == LINE_DOWN) {
        work_answer_unsent(work, ANSWER_LINE_DOWN, line->why);
        line_put_back(line, work);
    } else {
        line->waiting[line->waiting_count++] = work;
        if (line->due_us == MOMENT_NEVER)
            line->due_us = clock_boot_us() + ROUND_US;
        if (line->asleep)
            ring(line->give_fd);
        line->asleep = false;
    }
    pthread_mutex_unlock(&line->lock);
    return 0;
}

struct work *line_recall(struct line *line)
{
    pthread_mutex_lock(&line->lock);
    struct work *work = NULL;

    if (line->waiting_count > 0) {
        work = line->waiting[--line->waiting_count];
        line->given--;
    }
    pthread_mutex_unlock(&line->lock);
    return work;
}

struct work *line_take(struct line *line)
{
    struct work *work = queue_take(line->back);

    if (!work)
        return NULL;
    pthread_mutex_lock(&line->lock);
    if (work->state_changed)
        line->news--;
    else
        line->given--;
    pthread_mutex_unlock(&line->lock);
    return work;
}

int64_t line_overdue_us(struct line *line)
{
    pthread_mutex_lock(&line->lock);
    int64_t due_us = line->due_us;
    pthread_mutex_unlock(&line->lock);

    int64_t now_us = clock_boot_us();
    return now_us > due_us ? now_us - due_us : 0;
}

int line_fd(const struct line *line)
{
    return queue_fd(line->back);
}

static void ask_to_stop(struct line *line)
{
    pthread_mutex_lock(&line->lock);
    line->stopping = true;
    pthread_mutex_unlock(&line->lock);
    ring(line->stop_fd);
}

void line_close(struct line *line)
{
    if (line->closed)
        return;
    ask_to_stop(line);
    pthread_join(line->thread, NULL);
    line->closed = true;
}

bool line_leave(struct line *line, int patience_ms)
{
    struct timespec until;

    if (line->closed)
        return true;
    ask_to_stop(line);
    clock_gettime(CLOCK_REALTIME,
                  &until); /* the only clock that it takes; a jump costs a look */
    until.tv_nsec += (long)patience_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    line->closed = pthread_timedjoin_np(line->thread, NULL, &until) == 0;
    return line->closed;
}

void line_free(struct line *line)
{
    struct work *work;

    if (!line)
        return;
    line_close(line);
    while ((work = line_take(line)))
        work_free(work);
    queue_free(line->back);
    pthread_mutex_destroy(&line->lock);
    close(line->give_fd);
    close(line->stop_fd);
    free_memory(line);
}
