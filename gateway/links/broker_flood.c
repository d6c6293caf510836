#include "links/broker_flood.h"

#include "base/clock.h"
#include "base/log.h"
#include "links/broker_claims.h"
#include "links/broker_sighting.h"
#include "links/broker_topics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* So long after the last retained message a missing echo is not waited for any more. */
#define ECHO_LIMIT_US INT64_C(5000000)

struct share {
    char job_id[SIGHTING_ID_SIZE];
    const char *status;
    struct share *next;
};

struct broker_flood {
    const struct site *site;
    struct broker_thread *thread;
    struct claims *claims;
    uint64_t session;        /* whose flood it is */
    uint64_t ended;          /* the last session whose flood was over */
    uint64_t echo;           /* the number that is awaited; 0: none */
    uint64_t echoes;         /* sent until now */
    uint64_t change;         /* of the filters, for which the echo waits; 0: none */
    bool fresh;              /* the site has devices of which that is still to be learned */
    int64_t limit_us;        /* for the echo */
    bool began, over, known; /* to be told */
    bool full, silent;       /* said once */
    int timer;
    struct queue *waiting; /* retained jobs */
    struct share *shares, **shares_end, *told;
};

enum { WAITING_MOST = 10000 };

int flood_new(struct broker_flood **ret, const struct site *site, struct broker_thread *thread)
{
    struct broker_flood *flood = calloc(1, sizeof(*flood));
    int r;

    if (!flood)
        return -ENOMEM;
    flood->site = site;
    flood->thread = thread;
    flood->shares_end = &flood->shares;
    flood->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    r = flood->timer < 0 ? -errno : claims_new(&flood->claims, site->device_count);
    if (r == 0)
        r = queue_new(&flood->waiting, WAITING_MOST);
    if (r < 0) {
        flood_free(flood);
        return r;
    }
    *ret = flood;
    return 0;
}

static void drop_waiting(struct broker_flood *flood)
{
    struct arrival *arrival;

    while ((arrival = queue_take(flood->waiting)))
        arrival_free(arrival);
}

void flood_free(struct broker_flood *flood)
{
    if (!flood)
        return;
    if (flood->waiting)
        drop_waiting(flood);
    for (struct share *share = flood->shares, *next; share; share = next) {
        next = share->next;
        free(share);
    }
    free(flood->told);
    queue_free(flood->waiting);
    claims_free(flood->claims);
    if (flood->timer >= 0)
        close(flood->timer);
    free(flood);
}

int flood_reload(struct broker_flood *flood, const struct site *site)
{
    size_t *from = calloc(site->device_count + 1, sizeof(*from));
    int r;

    if (!from)
        return -ENOMEM;
    for (size_t i = 0; i < site->device_count; i++) {
        size_t was = site_device(flood->site, site->devices[i].id);

        from[i] = was == SITE_NONE ? CLAIMS_FRESH : was;
    }
    r = claims_reload(flood->claims, from, site->device_count);
    free(from);
    if (r < 0)
        return r;
    flood->site = site;
    return 0;
}

void flood_await(struct broker_flood *flood, uint64_t change)
{
    flood->change = change;
    flood->fresh = true;
    flood->began |= flood_has_ended(flood);
}

int flood_fd(const struct broker_flood *flood)
{
    return flood->timer;
}

static void set_limit(struct broker_flood *flood, int64_t limit_us)
{
    struct itimerspec at = {0};

    if (limit_us != MOMENT_NEVER) {
        at.it_value.tv_sec = (time_t)(limit_us / 1000000);
        at.it_value.tv_nsec = (long)(limit_us % 1000000 * 1000);
    }
    flood->limit_us = limit_us;
    timerfd_settime(flood->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void send_echo(struct broker_flood *flood)
{
    char text[24];
    struct outgoing *message;

    flood->echo = ++flood->echoes;
    snprintf(text, sizeof(text), "%llu", (unsigned long long)flood->echo);
    message =
        outgoing_new(OUTGOING_ANSWER, topic_echo(flood->site->broker->root, flood->site->id),
                     strdup(text), false);
    if (message)
        broker_thread_give(flood->thread, message);
    set_limit(flood, clock_boot_us() + ECHO_LIMIT_US);
}

/* Listens to the gateways that devices are named by, and then asks once more. */
static void watch_named(struct broker_flood *flood)
{
    const char *id;
    bool more = false;

    while ((id = claims_watch(flood->claims))) {
        more = true;
        if (!broker_thread_watch(flood->thread, topic_gateway(flood->site->broker->root, id)))
            log_error("broker: cannot listen to gateway %s", id);
    }
    if (more && claims_is_settled(flood->claims))
        send_echo(flood);
}

static void begin(struct broker_flood *flood, uint64_t session)
{
    if (session <= flood->session)
        return;
    flood->session = session;
    flood->began = true;
    flood->over = false;
    flood->echo = 0;
    claims_begin(flood->claims);
    drop_waiting(flood); /* they come again, or somebody has taken them away */
}

static void settle(struct broker_flood *flood)
{
    flood->echo = 0;
    set_limit(flood, MOMENT_NEVER);
    if (!claims_is_settled(flood->claims))
        claims_settle(flood->claims);
    if (flood->change == 0) {
        flood->fresh = false;
        flood->known |= claims_open(flood->claims);
    }
    if (flood->ended == flood->session)
        return;
    flood->ended = flood->session;
    flood->over = true;
}

/* A connection is up, or other filters are granted: what lies there is on its way. */
void flood_news(struct broker_flood *flood)
{
    uint64_t session = broker_thread_session(flood->thread);
    uint64_t change = broker_thread_changed(flood->thread);
    bool more = flood->change > 0 && change >= flood->change;

    if (session == 0)
        return; /* it is over already */
    begin(flood, session);
    if (more)
        flood->change = 0;
    if (more || flood->ended != session)
        send_echo(flood);
}

void flood_tick(struct broker_flood *flood)
{
    uint64_t count;

    if (read(flood->timer, &count, sizeof(count)) < 0 || flood->echo == 0 ||
        clock_boot_us() < flood->limit_us)
        return;
    if (broker_thread_session(flood->thread) != flood->session) {
        flood->echo = 0; /* the next connection asks for its own */
        return;
    }
    if (!flood->silent)
        log_warning("broker: what this gateway sends to gateways/%s/echo does not come back; "
                    "whether others have its devices is known late or not at all",
                    flood->site->id);
    flood->silent = true;
    settle(flood);
}

static void take_echo(struct broker_flood *flood, uint64_t number)
{
    if (number != flood->echo || number == 0)
        return;
    flood->silent = false;
    if (claims_echo(flood->claims))
        settle(flood);
    else
        send_echo(flood);
}

static void take_state(struct broker_flood *flood, const struct sighting *sighting)
{
    if (claims_state(flood->claims, sighting->device, sighting->id) == CLAIMS_E_FULL) {
        if (!flood->full)
            log_error("broker: devices of this site are named by more than %d other gateways; "
                      "%s and more are not looked at",
                      CLAIMS_GATEWAYS_MOST, sighting->id);
        flood->full = true;
    }
    watch_named(flood);
}

static void take_share(struct broker_flood *flood, const struct sighting *sighting)
{
    struct share *share = calloc(1, sizeof(*share));

    if (!share)
        return;
    snprintf(share->job_id, sizeof(share->job_id), "%s", sighting->id);
    share->status = sighting->status;
    *flood->shares_end = share;
    flood->shares_end = &share->next;
}

static bool is_job(const struct broker_flood *flood, const struct arrival *arrival)
{
    char *text = strdup(arrival->topic);
    struct topic topic = {0};

    if (text)
        topic_read(&topic, flood->site->broker->root, text);
    free(text);
    return topic.kind == TOPIC_JOB;
}

bool flood_takes(struct broker_flood *flood, struct arrival *arrival)
{
    bool any;
    struct sighting sighting = sighting_read(flood->site, arrival, &any);

    begin(flood, arrival->session);
    if (arrival->session != flood->session) { /* of a connection that is over */
        if (any)
            arrival_free(arrival);
        return any;
    }
    if (arrival->retained && flood->echo > 0)
        set_limit(flood, clock_boot_us() + ECHO_LIMIT_US);
    switch (sighting.kind) {
    case SIGHTING_NONE:
        break;
    case SIGHTING_STATE:
        take_state(flood, &sighting);
        break;
    case SIGHTING_GATEWAY:
        claims_gateway(flood->claims, sighting.id, sighting.online);
        break;
    case SIGHTING_SHARE:
        take_share(flood, &sighting);
        break;
    case SIGHTING_ECHO:
        take_echo(flood, sighting.echo);
        break;
    }
    if (any) {
        arrival_free(arrival);
        return true;
    }
    if (!arrival->retained || flood->ended == flood->session || !is_job(flood, arrival))
        return false;
    if (queue_give(flood->waiting, arrival) != 0) {
        log_error("broker: more than %d retained jobs; %s waits for the next connection",
                  WAITING_MOST, arrival->topic);
        arrival_free(arrival);
    }
    return true;
}

struct arrival *flood_released(struct broker_flood *flood)
{
    bool waits = flood->ended != flood->session || flood->shares || flood->over;

    return waits ? NULL : queue_take(flood->waiting);
}

bool flood_tells(struct broker_flood *flood, struct broker_news *news)
{
    struct claim claim;

    if (flood->began) {
        flood->began = false;
        *news = (struct broker_news){.kind = BROKER_FLOOD};
        return true;
    }
    free(flood->told);
    flood->told = flood->shares;
    if (flood->shares) {
        flood->shares = flood->told->next;
        if (!flood->shares)
            flood->shares_end = &flood->shares;
        *news = (struct broker_news){
            .kind = BROKER_SHARE, .job_id = flood->told->job_id, .status = flood->told->status};
        return true;
    }
    if (claims_next(flood->claims, &claim)) {
        *news = (struct broker_news){.kind = BROKER_CLAIM,
                                     .device = claim.device,
                                     .gateway = claim.gateway,
                                     .first = claim.first,
                                     .opens = claim.opens};
        return true;
    }
    *news = (struct broker_news){.kind = BROKER_KNOWN};
    bool known = flood->known;
    flood->known = false;
    return known;
}

bool flood_is_over(struct broker_flood *flood)
{
    bool over = flood->over;

    flood->over = false;
    return over;
}

bool flood_has_ended(const struct broker_flood *flood)
{
    return flood->ended > 0 && flood->ended == broker_thread_session(flood->thread);
}

bool flood_knows(const struct broker_flood *flood, const char *device_id)
{
    size_t device = flood->fresh ? site_device(flood->site, device_id) : SITE_NONE;

    return device == SITE_NONE || !claims_is_fresh(flood->claims, device);
}
