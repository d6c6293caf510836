#include "links/broker.h"

#include "base/log.h"
#include "links/broker_flood.h"
#include "links/broker_settings.h"
#include "links/broker_spurned.h"
#include "links/broker_topics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct broker {
    const struct site *site;
    struct broker_thread *thread; /* NULL: stopped, and left to itself */
    struct broker_flood *flood;
    struct broker_files files; /* that it connects with */
    bool stopped;
    int fd; /* epoll over arrivals, news, deliveries and the flood's timer */
    uint64_t received, refused;
    uint64_t taken; /* the highest number of an end that went into the outbox */
    struct spurned spurned;
    bool behind; /* ends were let go, or may wait from before: they come again, in order */
};

static int watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void broker_stop(struct broker *broker)
{
    broker->stopped = true;
    if (!broker_thread_stop(broker->thread))
        broker->thread = NULL;
}

int broker_open_by(struct broker **ret, const struct site *site, const struct site *before,
                   struct broker_means *means, char *why, size_t why_size)
{
    struct broker_thread_settings *settings = &means->settings;
    struct broker *broker = calloc(1, sizeof(*broker));
    int r;

    snprintf(why, why_size, "%s", strerror(ENOMEM));
    if (!broker) {
        broker_means_free(means);
        return -ENOMEM;
    }
    broker->site = site;
    broker->files = means->files;
    broker->behind = true;
    broker->fd = epoll_create1(EPOLL_CLOEXEC);
    if (broker->fd < 0) {
        r = -errno;
        goto fail_broker;
    }
    r = before ? topic_stale_filters(&settings->stale, &settings->stale_count,
                                     site->broker->root, before, site)
               : 0;
    if (r == 0)
        r = broker_thread_open(&broker->thread, settings);
    if (r < 0)
        goto fail_fd;
    *settings = (struct broker_thread_settings){0}; /* they are the thread's now */
    r = flood_new(&broker->flood, site, broker->thread);
    if (r < 0)
        goto fail_thread;
    r = watch(broker->fd, broker_thread_fd(broker->thread));
    if (r == 0)
        r = watch(broker->fd, broker_thread_news_fd(broker->thread));
    if (r == 0)
        r = watch(broker->fd, outbox_landed_fd(broker_thread_outbox(broker->thread)));
    if (r == 0)
        r = watch(broker->fd, flood_fd(broker->flood));
    if (r < 0)
        goto fail_flood;
    broker_means_free(means);
    why[0] = '\0';
    *ret = broker;
    return 0;

fail_flood:
    flood_free(broker->flood);
fail_thread:
    broker_stop(broker);
    if (broker->thread)
        broker_thread_free(broker->thread);
fail_fd:
    close(broker->fd);
fail_broker:
    free(broker);
    broker_means_free(means);
    snprintf(why, why_size, "%s", strerror(-r));
    return r;
}

int broker_open(struct broker **ret, const struct site *site, const struct site *before,
                const char *version, char *why, size_t why_size)
{
    struct broker_means *means;
    int r = broker_means_read(&means, site, version, why, why_size);

    return r < 0 ? r : broker_open_by(ret, site, before, means, why, why_size);
}

bool broker_goes_by(const struct broker *broker, const struct broker_means *means)
{
    return broker_same_files(&broker->files, &means->files);
}

/* *ret is NULL where no device came or went. */
static int make_change(struct filter_change **ret, const struct site *old,
                       const struct site *site)
{
    const char *root = site->broker->root;
    struct filter_change *change = calloc(1, sizeof(*change));
    int r = change ? 0 : -ENOMEM;

    if (r == 0)
        r = topic_stale_filters(&change->removed, &change->removed_count, root, old, site);
    if (r == 0)
        r = topic_stale_filters(&change->added, &change->added_count, root, site, old);
    bool any = r == 0 && change->removed_count + change->added_count > 0;
    if (any)
        r = topic_filters(&change->filters, &change->count, root, site);
    if (!any || r < 0) {
        filter_change_free(change);
        change = NULL;
    }
    if (r == 0)
        *ret = change;
    return r;
}

int broker_reload(struct broker *broker, const struct site *site)
{
    struct filter_change *change = NULL;
    int r = make_change(&change, broker->site, site);

    if (r == 0)
        r = flood_reload(broker->flood, site);
    if (r < 0) {
        filter_change_free(change);
        return r;
    }
    broker->site = site;
    outbox_set_most(broker_thread_outbox(broker->thread), broker_outbox_bytes(site));
    if (!change)
        return 0;
    bool more = change->added_count > 0;
    uint64_t number = broker_thread_change(broker->thread, change);
    if (more)
        flood_await(broker->flood, number);
    return 0;
}

void broker_close(struct broker *broker)
{
    if (!broker)
        return;
    if (!broker->stopped)
        broker_stop(broker);
    if (broker->thread)
        broker_thread_free(broker->thread);
    flood_free(broker->flood);
    spurned_deinit(&broker->spurned);
    close(broker->fd);
    free(broker);
}

int broker_fd(const struct broker *broker)
{
    return broker->fd;
}

/* What a message means, or NULL: it was no request, or was answered here. */
static struct request *read_arrival(struct broker *broker, struct arrival *arrival)
{
    struct request *request;
    struct outgoing *answer;
    int r = spurned_read(&broker->spurned, &request, &answer, broker->site, arrival);

    if (r < 0)
        log_error("broker: a message was dropped: %s", strerror(-r));
    if (answer) {
        broker->refused++;
        broker_thread_give(broker->thread, answer);
    }
    if (!request && arrival->ticket) /* nothing of it needs to be kept */
        broker_thread_stored(broker->thread, arrival->ticket);
    return request;
}

struct request *broker_take(struct broker *broker)
{
    struct request *request = NULL;
    struct arrival *arrival;
    uint64_t count;

    if (read(broker_thread_news_fd(broker->thread), &count, sizeof(count)) == sizeof(count))
        flood_news(broker->flood);
    flood_tick(broker->flood);
    while (!request && (arrival = flood_released(broker->flood))) {
        request = read_arrival(broker, arrival);
        arrival_free(arrival);
    }
    while (!request && (arrival = broker_thread_take(broker->thread))) {
        broker->received++;
        if (flood_takes(broker->flood, arrival))
            continue;
        request = read_arrival(broker, arrival);
        arrival_free(arrival);
    }
    return request;
}

bool broker_tells(struct broker *broker, struct broker_news *news)
{
    return flood_tells(broker->flood, news);
}

void broker_ask_desired(struct broker *broker, size_t device)
{
    const char *id = broker->site->devices[device].id;

    if (!broker_thread_ask(broker->thread,
                           topic_device(broker->site->broker->root, id, "desired")))
        log_error("broker: cannot ask again what device %s is to be", id);
}

bool broker_connected(struct broker *broker)
{
    return flood_is_over(broker->flood) ||
           (flood_has_ended(broker->flood) && broker_thread_lacks(broker->thread));
}

/* Sent anew after a connection, by what is then true. */
static bool can_be_spared(const struct report *report)
{
    bool passing =
        report->kind == REPORT_SHARE && report->retain && !report_must_arrive(report);

    return (report->kind == REPORT_REPORTED || report->kind == REPORT_STATE ||
            report->kind == REPORT_GATEWAY || passing) &&
           report->body[0];
}

/* What lies there of others has been seen. */
static bool may_say(const struct broker *broker, const struct report *report)
{
    return flood_has_ended(broker->flood) &&
           (!report->device_id || flood_knows(broker->flood, report->device_id));
}

/* Ends go out in the order of their numbers: what was let go comes again before what is new. */
static bool comes_later(const struct broker *broker, const struct report *report)
{
    return report->number <= broker->taken || (broker->behind && !report->again);
}

static void let_go(struct broker *broker)
{
    if (!broker->behind)
        log_warning(
            "broker: %u MB wait for it; newer outcomes stay in the store until there is "
            "room (store.outbox_mb)",
            broker->site->store.outbox_mb);
    broker->behind = true;
}

/* Nobody hears of it, which is as good as told. */
static void tell_arrived(struct broker *broker, const struct report *report)
{
    struct delivery *delivery = report_must_arrive(report) ? delivery_of(report) : NULL;

    if (delivery)
        outbox_tell_landed(broker_thread_outbox(broker->thread), delivery);
}

/* False: there was no room. */
static bool give(struct broker *broker, const struct report *report)
{
    struct outgoing *message;

    if (outgoing_of_report(&message, broker->site, report) < 0) {
        log_error("broker: a report was dropped: %s", strerror(ENOMEM));
        return false;
    }
    if (message)
        return broker_thread_give(broker->thread, message);
    tell_arrived(broker, report);
    return true;
}

void broker_report(struct broker *broker, const struct report *report)
{
    if (report->kind == REPORT_STORED) {
        if (report->origin.link == LINK_BROKER && report->origin.ticket)
            broker_thread_stored(broker->thread, report->origin.ticket);
        return;
    }
    if (report->claimed || (can_be_spared(report) && !may_say(broker, report)))
        return;
    if (report->number == 0) {
        give(broker, report);
        return;
    }
    if (comes_later(broker, report))
        return;
    if (give(broker, report))
        broker->taken = report->number;
    else
        let_go(broker);
}

struct delivery *broker_take_delivery(struct broker *broker)
{
    return broker->thread ? outbox_take_landed(broker_thread_outbox(broker->thread)) : NULL;
}

bool broker_wants_untold(const struct broker *broker, uint64_t *after)
{
    *after = broker->taken;
    return broker->behind && outbox_has_room(broker_thread_outbox(broker->thread));
}

void broker_has_all(struct broker *broker)
{
    broker->behind = false;
}

void broker_status(const struct broker *broker, struct broker_status *status)
{
    *status = (struct broker_status){.received = broker->received, .refused = broker->refused};
    broker_thread_status(broker->thread, status);
}
