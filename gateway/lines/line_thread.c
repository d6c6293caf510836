#include "lines/line_thread.h"

#include "base/clock.h"

#include <assert.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    PAUSE_LEAST_US = 1000000,
    PAUSE_MOST_US = 30000000,
    STEADY_US = 1000000,    /* a line that held so long is opened again at once */
    AWAKE_MOST_US = 500000, /* in real time and without a sleep: it has gone mad */
    NICE_BEST = -10,
    /* The kernel lets the rest of what was written to an unplugged adapter drain for 30 s, and
       a resolver asks several servers twice for 5 s each. */
    OPEN_MOST_US = 120000000,
};

/* There is always room: `given` bounds the works and `news` the changes. */
void line_put_back(struct line *line, struct work *work)
{
    int r = queue_give(line->back, work);

    assert(r == 0);
    (void)r;
}

void work_answer_unsent(struct work *work, enum answer_result result, const char *text)
{
    work->answer = (struct answer){.result = result, .ended_us = clock_boot_us()};
    snprintf(work->answer.text, sizeof(work->answer.text), "%.*s",
             (int)sizeof(work->answer.text) - 1, text);
}

static void unring(int fd)
{
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));

    (void)n; /* nothing to read is what is wanted */
}

static struct work *next_work(struct line *line)
{
    pthread_mutex_lock(&line->lock);
    struct work *work = NULL;

    if (line->waiting_count > 0) {
        work = line->waiting[0];
        line->waiting[0] = line->waiting[1];
        line->waiting_count--;
    }
    pthread_mutex_unlock(&line->lock);
    return work;
}

static void put_back_unsent(struct line *line, enum answer_result result, const char *why)
{
    struct work *work;

    while ((work = next_work(line))) {
        work_answer_unsent(work, result, why);
        line_put_back(line, work);
    }
}

static bool must_stop(struct line *line)
{
    pthread_mutex_lock(&line->lock);
    bool stopping = line->stopping;
    pthread_mutex_unlock(&line->lock);

    return stopping;
}

/* Tells the loop once for each change. When too many are untaken this one waits for the next
   round, and is dropped if the line has changed back by then. */
static void tell_state(struct line *line)
{
    if (line->state == LINE_OPENING || line->state == line->told)
        return;
    struct work *work = work_new();

    if (!work)
        return;
    work->state_changed = true;
    work->up = line->state == LINE_UP;
    pthread_mutex_lock(&line->lock);
    if (line->news < NEWS_MAX) {
        memcpy(work->why, line->why, sizeof(work->why));
        line->news++;
        line->told = line->state;
        line_put_back(line, work);
        work = NULL;
    }
    pthread_mutex_unlock(&line->lock);
    work_free(work);
}

static void change_state(struct line *line, enum line_state state, const char *why)
{
    pthread_mutex_lock(&line->lock);
    line->state = state;
    snprintf(line->why, sizeof(line->why), "%s", why);
    pthread_mutex_unlock(&line->lock);
    tell_state(line);
}

/* The thread will have moved on by then, or something holds it that should not. */
static void promise(struct line *line, int64_t within_us)
{
    pthread_mutex_lock(&line->lock);
    line->due_us = clock_boot_us() + within_us + ROUND_US;
    line->asleep = false;
    pthread_mutex_unlock(&line->lock);
}

/* False: there is work already, and nobody will ring for it. */
static bool promise_nothing(struct line *line)
{
    pthread_mutex_lock(&line->lock);
    line->asleep = line->waiting_count == 0;
    line->due_us = line->asleep ? MOMENT_NEVER : clock_boot_us() + ROUND_US;
    bool asleep = line->asleep;
    pthread_mutex_unlock(&line->lock);

    return asleep;
}

/* Two exchanges at most, each with its own pause and time-out. An endpoint may have to be
   connected first. */
static int64_t longest_us(const struct line *line, const struct work *work)
{
    struct frame_cost cost = {0};

    line->adapter->frame(&line->settings, &work->operation, &cost);
    return 2 * (work->limits.timeout_us + work->limits.gap_us + cost.least_us) +
           (line->adapter->serial ? 0 : OPEN_MOST_US);
}

static void close_wire(struct line *line)
{
    promise(line, OPEN_MOST_US);
    if (line->wire)
        line->adapter->close(line->wire);
    line->wire = NULL;
}

static void go_down(struct line *line, const char *why)
{
    line->pause_us = line->pause_us ? line->pause_us * 2 : PAUSE_LEAST_US;
    if (line->pause_us > PAUSE_MOST_US)
        line->pause_us = PAUSE_MOST_US;
    line->next_try_us = clock_boot_us() + line->pause_us;
    change_state(line, LINE_DOWN, why);
    put_back_unsent(line, ANSWER_LINE_DOWN, why);
}

static void try_open(struct line *line)
{
    char why[sizeof(line->why)] = "";

    promise(line, OPEN_MOST_US);
    int r = line->adapter->open(&line->wire, &line->settings, line->stop_fd, why, sizeof(why));

    if (r < 0) {
        line->wire = NULL;
        if (!must_stop(line))
            go_down(line, why);
        return;
    }
    line->opened_us = clock_boot_us();
    change_state(line, LINE_UP, "");
}

/* The port hung up or the endpoint went away. One that was up for a while is opened again at
   once, since a device may close an idle connection; one that fails again and again is not. */
static void reopen(struct line *line, bool at_once, const char *why)
{
    bool steady = clock_boot_us() - line->opened_us >= STEADY_US;

    close_wire(line);
    if (steady)
        line->pause_us = 0;
    if (steady && at_once)
        try_open(line);
    else
        go_down(line, why);
}

static void ring_loop(void *ctx)
{
    struct line *line = ctx;

    queue_ring(line->back);
}

/* Where more is to do, the loop is rung for the answer when the next request is out: the wire
   goes first, and in these two milliseconds other lines' answers come to be taken with it. */
static void hand_back(struct line *line, struct work *work)
{
    bool gone = work->answer.result == ANSWER_LINE_DOWN;

    pthread_mutex_lock(&line->lock);
    bool goes_on = line->waiting_count > 0;
    pthread_mutex_unlock(&line->lock);

    if (gone || !goes_on) {
        line_put_back(line, work);
        return;
    }
    int r = queue_gather(line->back, work, BACK_MAX + 1);

    assert(r == 0);
    (void)r;
}

static void work_on(struct line *line, struct work *work)
{
    struct limits limits = work->limits;

    limits.meanwhile = ring_loop;
    limits.ctx = line;
    promise(line, longest_us(line, work));
    line->adapter->execute(line->wire, &work->operation, &limits, line->stop_fd, &work->answer);
    bool gone = work->answer.result == ANSWER_LINE_DOWN;
    bool was_open = work->answer.started_us != 0; /* else a connect has failed just now */
    char why[sizeof(line->why)];

    if (gone)
        snprintf(why, sizeof(why), "%s", work->answer.text);
    hand_back(line, work);
    if (gone)
        reopen(line, was_open, why);
}

/* Sleeps until there is work, the line is to stop, the port hangs up or it is time to try. */
static void wait_for_work(struct line *line)
{
    int port = line->wire && line->adapter->fd ? line->adapter->fd(line->wire) : -1;
    struct pollfd on[] = {{.fd = line->stop_fd, .events = POLLIN},
                          {.fd = line->give_fd, .events = POLLIN},
                          {.fd = port, .events = POLLRDHUP}};
    int64_t left_us = line->wire ? 0 : line->next_try_us - clock_boot_us();
    struct timespec left = {0};

    if (left_us > 0)
        left = (struct timespec){.tv_sec = (time_t)(left_us / 1000000),
                                 .tv_nsec = (long)(left_us % 1000000 * 1000)};
    if (!promise_nothing(line))
        return;
    ring_loop(line); /* what should go on was taken back meanwhile */
    int ready = ppoll(on, sizeof(on) / sizeof(on[0]), line->wire ? NULL : &left, NULL);

    promise(line, 0);
    if (ready <= 0)
        return;
    if (on[1].revents)
        unring(line->give_fd);
    if (on[2].revents)
        reopen(line, true,
               line->adapter->serial ? "the port hung up: was the adapter unplugged?"
                                     : "the endpoint closed the connection");
}

/* Microseconds count here: a timer may not be a lazy one, and where it is granted (LimitRTPRIO=
   of the unit) the thread runs before ordinary ones, at the lowest real-time priority. It
   sleeps nearly all the time; if it ever ran on and on, the kernel would end the process
   (SIGXCPU) rather than let it keep all others from the processor. Where only niceness is
   granted, that. */
static void be_punctual(void)
{
    struct sched_param first = {.sched_priority = 1};
    struct rlimit bound;

    prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    if (getrlimit(RLIMIT_RTTIME, &bound) == 0) {
        bound.rlim_cur = bound.rlim_max < AWAKE_MOST_US ? bound.rlim_max : AWAKE_MOST_US;
        if (setrlimit(RLIMIT_RTTIME, &bound) == 0 &&
            pthread_setschedparam(pthread_self(), SCHED_FIFO, &first) == 0)
            return;
    }
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE_BEST);
}

void *line_main(void *arg)
{
    struct line *line = arg;

    be_punctual();
    while (!must_stop(line)) {
        if (!line->wire && clock_boot_us() >= line->next_try_us) {
            try_open(line);
            continue;
        }
        tell_state(line);
        struct work *work = line->wire ? next_work(line) : NULL;

        if (work)
            work_on(line, work);
        else
            wait_for_work(line);
    }
    close_wire(line);
    put_back_unsent(line, ANSWER_NOT_SENT, "the line was stopped before it could be sent");
    ring_loop(line);
    return NULL;
}
