#include "links/link_end.h"

#include "links/mqtt.h"

#include <stdlib.h>
#include <time.h>

int link_end_init(struct link_end *end)
{
    pthread_condattr_t attributes;
    int r = pthread_mutex_init(&end->lock, NULL);

    if (r != 0)
        return -r;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    r = pthread_cond_init(&end->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (r != 0)
        pthread_mutex_destroy(&end->lock);
    return -r;
}

void link_end_deinit(struct link_end *end)
{
    pthread_cond_destroy(&end->changed);
    pthread_mutex_destroy(&end->lock);
}

bool link_end_done(struct link_end *end)
{
    bool abandoned;

    pthread_mutex_lock(&end->lock);
    end->done = true;
    abandoned = end->abandoned;
    pthread_cond_broadcast(&end->changed);
    pthread_mutex_unlock(&end->lock);
    return abandoned;
}

static void ask(struct queue *events)
{
    struct mqtt_event *stop = calloc(1, sizeof(*stop));

    if (stop)
        stop->kind = MQTT_STOP;
    if (stop && queue_give(events, stop) != 0)
        free(stop);
}

bool link_end_wait(struct link_end *end, struct queue *events, int limit_ms)
{
    struct timespec limit;
    bool done;
    int r = 0;

    ask(events);
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_nsec += limit_ms * 1000000L;
    limit.tv_sec += limit.tv_nsec / 1000000000L;
    limit.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&end->lock);
    while (!end->done && r == 0)
        r = pthread_cond_timedwait(&end->changed, &end->lock, &limit);
    done = end->done;
    end->abandoned = !done;
    if (!done)
        pthread_detach(end->thread);
    pthread_mutex_unlock(&end->lock);
    if (done)
        pthread_join(end->thread, NULL);
    return done;
}
