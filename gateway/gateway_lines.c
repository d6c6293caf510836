#include "gateway_private.h"

#include "base/log.h"
#include "site/same.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A single call does not wait behind what has not begun. */
static void make_room(struct gateway *gateway, struct gateway_line *line, struct moment now)
{
    if (line->out < ENGINE_LINE_ROOM || !engine_wants_recall(gateway->engine, line->index, now))
        return;
    struct work *work = line_recall(line->line);

    if (!work)
        return;
    line->out--;
    engine_recalled(gateway->engine, line->index, work, now);
}

void gateway_give_lines(struct gateway *gateway)
{
    struct moment now = gateway_now(gateway);

    for (size_t i = 0; i < gateway->site->line_count; i++) {
        struct gateway_line *line = gateway->lines[i];

        if (line->line)
            make_room(gateway, line, now);
        while (line->line && line->out < ENGINE_LINE_ROOM) {
            struct work *work = engine_next_work(gateway->engine, i, now);

            if (!work)
                break;
            line->out++;
            if (line_give(line->line, work) != 0) {
                work->answer.result = ANSWER_NOT_SENT;
                line->out--;
                engine_answer(gateway->engine, i, work, now);
                break;
            }
        }
    }
}

static void line_changed(struct gateway *gateway, size_t index, const struct work *work)
{
    const char *name = gateway->site->lines[index].name;

    if (work->up)
        log_info("line %s: up", name);
    else
        log_warning("line %s: down: %s", name, work->why);
    engine_line_state(gateway->engine, index, work->up, work->why, gateway_now(gateway));
    if (gateway->settings.line_state)
        gateway->settings.line_state(gateway->settings.ctx, index, work->up, work->why);
}

static void log_frames(const struct gateway_line *line, const struct work *work)
{
    const struct answer *answer = &work->answer;
    char request[3 * 32 + 1] = "", reply[3 * 32 + 1] = "";

    for (size_t i = 0; i < answer->request.length && i < 32; i++)
        snprintf(request + 3 * i, 4, "%02X ", answer->request.bytes[i]);
    for (size_t i = 0; i < answer->reply.length && i < 32; i++)
        snprintf(reply + 3 * i, 4, "%02X ", answer->reply.bytes[i]);
    log_debug("line %s: unit %u: Tx %s Rx %s %lld us %s",
              line->gateway->site->lines[line->index].name, work->operation.unit, request,
              reply, (long long)(answer->ended_us - answer->started_us), answer->text);
}

static bool take_answers(struct gateway *gateway, struct gateway_line *line)
{
    bool some = false;
    struct work *work;

    while ((work = line_take(line->line))) {
        some = true;
        if (work->state_changed) {
            line_changed(gateway, line->index, work);
            work_free(work);
            continue;
        }
        line->out--;
        if (log_wants_debug())
            log_frames(line, work);
        tally_answer(gateway->tally, line->index, &work->answer);
        size_t device = engine_device_of(gateway->engine, line->index, work);
        recorder_keep(gateway->recorder, device, gateway->site->devices[device].id,
                      &work->answer, clock_wall_ms());
        if (gateway->settings.answer)
            gateway->settings.answer(gateway->settings.ctx, device, &work->answer);
        engine_answer(gateway->engine, line->index, work, gateway_now(gateway));
    }
    return some;
}

/* What other lines have answered comes along: to wake up and to carry out costs more than an
   answer does. They may have rung as well, and then have nothing more. */
static void on_line(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway_line *rung = ctx;
    struct gateway *gateway = rung->gateway;

    (void)fd;
    (void)what;
    if (!take_answers(gateway, rung))
        return;
    for (size_t i = 0; i < gateway->site->line_count; i++) {
        if (gateway->lines[i]->out > 0)
            take_answers(gateway, gateway->lines[i]);
    }
    gateway_pump(gateway);
}

int gateway_make_lines(const struct site *site, struct gateway_line ***ret)
{
    struct gateway_line **lines = calloc(site->line_count + 1, sizeof(struct gateway_line *));

    for (size_t i = 0; lines && i < site->line_count; i++) {
        lines[i] = calloc(1, sizeof(*lines[i]));
        if (!lines[i]) {
            gateway_free_lines(lines, site);
            return -ENOMEM;
        }
    }
    *ret = lines;
    return lines ? 0 : -ENOMEM;
}

void gateway_free_lines(struct gateway_line **lines, const struct site *site)
{
    for (size_t i = 0; lines && i < site->line_count; i++)
        free(lines[i]);
    free(lines);
}

static void warn_of_polls(const struct gateway *gateway, size_t index)
{
    if (gateway->settings.links && engine_is_overloaded(gateway->engine, index))
        log_warning("line %s: its polls ask for %u %% of what the wire can carry, so all of "
                    "them come late; make the intervals of `poll` longer",
                    gateway->site->lines[index].name,
                    engine_poll_percent(gateway->engine, index));
}

static int open_line(struct gateway *gateway, struct gateway_line *line,
                     const struct line_config *config)
{
    int r = line_open(&line->line, config->adapter, &config->settings);

    if (r < 0)
        return r;
    line->event = gateway_listen(gateway, line_fd(line->line), on_line, line);
    return line->event ? 0 : -ENOMEM;
}

int gateway_open_lines(struct gateway *gateway)
{
    for (size_t i = 0; i < gateway->site->line_count; i++) {
        size_t only = gateway->settings.only_line;
        int r;

        gateway->lines[i]->gateway = gateway;
        gateway->lines[i]->index = i;
        if (only != SITE_NONE && only != i)
            continue;
        warn_of_polls(gateway, i);
        r = open_line(gateway, gateway->lines[i], &gateway->site->lines[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* --- another site --- */

/* Long enough for a thread that is idle, and nobody is kept waiting for one that is not. */
enum { LEAVE_PATIENCE_MS = 20 };

static void free_line(struct gateway_line *line)
{
    line_free(line->line);
    free(line);
}

/* Nothing of it is out. */
static void leave(struct gateway *gateway, struct gateway_line *line)
{
    gateway_unlisten(line->event);
    line->event = NULL;
    if (!line->line || line_leave(line->line, LEAVE_PATIENCE_MS)) {
        free_line(line);
        return;
    }
    line->next = gateway->leaving;
    gateway->leaving = line;
}

bool gateway_lines_leave(struct gateway *gateway)
{
    struct gateway_line **at = &gateway->leaving;

    while (*at) {
        struct gateway_line *line = *at;

        if (!line_leave(line->line, 0)) {
            at = &line->next;
            continue;
        }
        *at = line->next;
        free_line(line);
    }
    return gateway->leaving != NULL;
}

static size_t find_line(const struct site *site, const char *name)
{
    size_t i = 0;

    while (i < site->line_count && strcmp(site->lines[i].name, name) != 0)
        i++;
    return i < site->line_count ? i : SITE_NONE;
}

static void open_again(struct gateway *gateway, const struct site *site, size_t index)
{
    struct gateway_line *line = gateway->lines[index];
    int r = open_line(gateway, line, &site->lines[index]);

    if (r == 0)
        return;
    log_error("line %s: it cannot be served: %s; restart the gateway", site->lines[index].name,
              strerror(-r));
    engine_line_state(gateway->engine, index, false, strerror(-r), gateway_now(gateway));
}

void gateway_reload_lines(struct gateway *gateway, const struct site *site,
                          struct gateway_line **lines)
{
    const struct site *old = gateway->site;

    for (size_t i = 0; i < old->line_count; i++) {
        size_t to = find_line(site, old->lines[i].name);

        if (to != SITE_NONE && same_wire(&old->lines[i], &site->lines[to])) {
            free(lines[to]);
            lines[to] = gateway->lines[i];
        } else {
            log_info("line %s: closed", old->lines[i].name);
            leave(gateway, gateway->lines[i]);
        }
    }
    free(gateway->lines);
    gateway->lines = lines;
    gateway->site = site;
    for (size_t i = 0; i < site->line_count; i++) {
        lines[i]->gateway = gateway;
        lines[i]->index = i;
        warn_of_polls(gateway, i);
        if (!lines[i]->line)
            open_again(gateway, site, i);
    }
}

void gateway_close_lines(struct gateway *gateway)
{
    for (size_t i = 0; gateway->lines && i < gateway->site->line_count; i++) {
        struct gateway_line *line = gateway->lines[i];
        struct work *work;

        gateway_unlisten(line->event);
        if (line->line)
            line_close(line->line);
        while (line->line && (work = line_take(line->line))) {
            if (work->state_changed)
                work_free(work);
            else
                engine_answer(gateway->engine, i, work, gateway_now(gateway));
        }
        free_line(line);
    }
    free(gateway->lines);
    gateway->lines = NULL;
    while (gateway->leaving) {
        struct gateway_line *line = gateway->leaving;

        gateway->leaving = line->next;
        free_line(line);
    }
    if (gateway->engine && !gateway_is_durable(gateway))
        engine_abandon(gateway->engine, gateway_now(gateway));
}
