/*
 * Line thread: what a line consists of and what its thread does; for line*.c only.
 */
#ifndef JOBGATE_LINES_LINE_THREAD_H
#define JOBGATE_LINES_LINE_THREAD_H

#include "base/queue.h"
#include "lines/line.h"

#include <pthread.h>

enum {
    GIVEN_MAX = 2, /* one at work, one waiting */
    NEWS_MAX = 8,  /* changes of state that nobody has taken */
    BACK_MAX = GIVEN_MAX + NEWS_MAX,
    ROUND_US = 5000000, /* a round of the thread beside what it waits for */
};

enum line_state { LINE_OPENING, LINE_UP, LINE_DOWN };

struct line {
    const struct adapter *adapter;
    struct adapter_settings settings; /* its strings are the next three */
    char *name, *port, *host;
    int stop_fd; /* readable for good once the line is to stop */
    int give_fd; /* readable when something was given to a thread that slept */
    struct queue *back;
    pthread_t thread;
    bool closed;

    pthread_mutex_t lock;            /* guards the nine below */
    struct work *waiting[GIVEN_MAX]; /* in order; two only until the thread takes the first */
    unsigned waiting_count;
    unsigned given; /* and not taken back yet */
    unsigned news;  /* changes of state in `back` */
    enum line_state state;
    char why[sizeof(((struct work *)0)->why)]; /* LINE_DOWN: why */
    int64_t due_us; /* when the thread will have moved on; MOMENT_NEVER: it waits for work */
    bool asleep;    /* it looks at nothing until `give_fd` is rung */
    bool stopping;

    /* The thread's own. */
    struct adapter_line *wire; /* NULL: not open */
    int64_t opened_us;
    int64_t next_try_us;
    int64_t pause_us;
    enum line_state told;
};

void *line_main(void *line);
void line_put_back(struct line *line, struct work *work);
void work_answer_unsent(struct work *work, enum answer_result result, const char *text);

#endif
