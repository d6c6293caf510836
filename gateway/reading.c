#include "reading.h"

#include "base/queue.h"
#include "links/broker.h"
#include "links/iothub_keys.h"
#include "links/links_check.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { END_PATIENCE_MS = 200 };

struct reading {
    pthread_t thread;
    struct site_source source;
    const char **profile_dirs;
    struct draft *draft;  /* the thread's own until it is given */
    struct queue *drafts; /* thread -> loop: that one */
    atomic_bool left;     /* one of the two is done with the other: the second one frees */
};

void draft_free(struct draft *draft)
{
    if (!draft)
        return;
    api_keys_free(draft->api_keys);
    hub_keys_free(draft->hub_keys);
    broker_means_free(draft->broker_means);
    site_free(draft->site);
    problems_deinit(&draft->problems);
    free(draft);
}

static void reading_free(struct reading *reading)
{
    draft_free(reading->draft);
    queue_free(reading->drafts);
    free(reading->profile_dirs);
    free(reading);
}

/* --- on the thread --- */

static void check_links(struct draft *draft)
{
    const struct site *site = draft->site;
    struct place place = {.file = site->file};
    char why[300];

    links_check(site, &draft->problems);
    if (draft->problems.errors > 0) { /* what they would say, with the line */
        draft->result = SITE_E_PROBLEMS;
        return;
    }
    if (api_keys_read(&draft->api_keys, site, why, sizeof(why)) < 0)
        problem_add(&draft->problems, place, "%s", why);
    if (site->broker &&
        broker_means_read(&draft->broker_means, site, JOBGATE_VERSION, why, sizeof(why)) < 0)
        problem_add(&draft->problems, place, "%s", why);
    if (site->iothub && hub_keys_open(&draft->hub_keys, site, why, sizeof(why)) < 0)
        problem_add(&draft->problems, place, "%s", why);
    if (draft->problems.errors > 0)
        draft->result = SITE_E_PROBLEMS;
}

static void *reading_main(void *arg)
{
    struct reading *reading = arg;
    struct draft *draft = reading->draft;

    draft->result = site_load(&draft->site, &reading->source, &draft->problems);
    if (draft->result == 0)
        check_links(draft);
    if (atomic_exchange(&reading->left, true)) {
        reading_free(reading);
        return NULL;
    }
    reading->draft = NULL;
    queue_give(reading->drafts, draft); /* there is room for one */
    return NULL;
}

/* --- on the loop --- */

static int copy_source(struct reading *reading, const struct site_source *source)
{
    size_t count = 0;

    reading->source = *source;
    while (source->profile_dirs && source->profile_dirs[count])
        count++;
    reading->profile_dirs = calloc(count + 1, sizeof(*reading->profile_dirs));
    if (!reading->profile_dirs)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        reading->profile_dirs[i] = source->profile_dirs[i];
    reading->source.profile_dirs = reading->profile_dirs;
    return 0;
}

int reading_begin(struct reading **ret, const struct site_source *source)
{
    struct reading *reading = calloc(1, sizeof(*reading));
    int r = reading ? copy_source(reading, source) : -ENOMEM;

    if (r == 0)
        r = queue_new(&reading->drafts, 1);
    if (r == 0 && !(reading->draft = calloc(1, sizeof(*reading->draft))))
        r = -ENOMEM;
    if (r == 0)
        r = -pthread_create(&reading->thread, NULL, reading_main, reading);
    if (r < 0) {
        if (reading)
            reading_free(reading);
        return r;
    }
    *ret = reading;
    return 0;
}

int reading_fd(const struct reading *reading)
{
    return queue_fd(reading->drafts);
}

struct draft *reading_take(struct reading *reading)
{
    return queue_take(reading->drafts);
}

void reading_end(struct reading *reading)
{
    if (!reading)
        return;
    pthread_t thread = reading->thread;
    struct pollfd given = {.fd = reading_fd(reading), .events = POLLIN};

    if (!atomic_load(&reading->left))
        poll(&given, 1, END_PATIENCE_MS);
    if (!atomic_exchange(&reading->left, true)) {
        pthread_detach(thread); /* and `reading` is the thread's alone */
        return;
    }
    pthread_join(thread, NULL);
    if (!reading->draft)
        reading->draft = queue_take(reading->drafts);
    reading_free(reading);
}
