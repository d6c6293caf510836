#include "gateway_private.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>

/* A single call does not wait behind what has not begun. */
static void make_room(struct gateway *gateway, struct gateway_line *line)
{
    if (line->out < ENGINE_LINE_ROOM ||
        !engine_wants_recall(gateway->engine, line->index, gateway_now(gateway)))
        return;
    struct work *work = line_recall(line->line);

    if (!work)
        return;
    line->out--;
    engine_recalled(gateway->engine, line->index, work, gateway_now(gateway));
}

void gateway_give_lines(struct gateway *gateway)
{
    for (size_t i = 0; i < gateway->site->line_count; i++) {
        struct gateway_line *line = &gateway->lines[i];

        if (line->line)
            make_room(gateway, line);
        while (line->line && line->out < ENGINE_LINE_ROOM) {
            struct work *work = engine_next_work(gateway->engine, i, gateway_now(gateway));

            if (!work)
                break;
            line->out++;
            if (line_give(line->line, work) != 0) {
                work->answer.result = ANSWER_NOT_SENT;
                line->out--;
                engine_answer(gateway->engine, i, work, gateway_now(gateway));
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

static void on_line(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway_line *line = ctx;
    struct gateway *gateway = line->gateway;
    struct work *work;

    (void)fd;
    (void)what;
    while ((work = line_take(line->line))) {
        if (work->state_changed) {
            line_changed(gateway, line->index, work);
            work_free(work);
            continue;
        }
        line->out--;
        if (log_wants_debug())
            log_frames(line, work);
        tally_answer(gateway->tally, line->index, &work->answer);
        if (work->device < gateway->site->device_count)
            recorder_keep(gateway->recorder, work->device,
                          gateway->site->devices[work->device].id, &work->answer,
                          clock_wall_ms());
        engine_answer(gateway->engine, line->index, work, gateway_now(gateway));
    }
    gateway_pump(gateway);
}

int gateway_open_lines(struct gateway *gateway)
{
    for (size_t i = 0; i < gateway->site->line_count; i++) {
        struct gateway_line *line = &gateway->lines[i];
        const struct line_config *config = &gateway->site->lines[i];
        size_t only = gateway->settings.only_line;
        int r;

        line->gateway = gateway;
        line->index = i;
        if (only != SITE_NONE && only != i)
            continue;
        if (gateway->settings.links && engine_is_overloaded(gateway->engine, i))
            log_warning(
                "line %s: its polls ask for %u %% of what the wire can carry, so all of "
                "them come late; make the intervals of `poll` longer",
                config->name, engine_poll_percent(gateway->engine, i));
        r = line_open(&line->line, config->adapter, &config->settings);
        if (r < 0)
            return r;
        line->event = gateway_listen(gateway, line_fd(line->line), on_line, line);
        if (!line->event)
            return -ENOMEM;
    }
    return 0;
}

void gateway_close_lines(struct gateway *gateway)
{
    for (size_t i = 0; gateway->lines && i < gateway->site->line_count; i++) {
        struct gateway_line *line = &gateway->lines[i];
        struct work *work;

        if (!line->line)
            continue;
        if (line->event)
            event_free(line->event);
        line_close(line->line);
        while ((work = line_take(line->line))) {
            if (work->state_changed)
                work_free(work);
            else
                engine_answer(gateway->engine, i, work, gateway_now(gateway));
        }
        line_free(line->line);
        line->line = NULL;
    }
    if (gateway->engine && !gateway_is_durable(gateway))
        engine_abandon(gateway->engine, gateway_now(gateway));
}
