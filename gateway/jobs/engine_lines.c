/* Lines that go up and down, and what becomes of the tasks that wait for them; the timer. */
#include "jobs/engine_private.h"
#include "site/value.h"

#include <stdio.h>
#include <string.h>

/* What a pulse or a restore owes is paid when the line is back; who called learns now. */
static void line_fail_running(struct engine *engine, struct task *task, const char *text,
                              struct moment now)
{
    struct run *run = task->run;

    run_line_down(run, text, now);
    if (run->phase == PHASE_OVER) {
        task_end(engine, task, now);
    } else if (task->job->call && run->code != CODE_NONE && !task->job->answered) {
        call_answer(engine, task->job, code_status(run->code), run->code, run_payload(run),
                    engine->number);
    }
}

void line_fail_waiting(struct engine *engine, size_t index, bool urgent_only, struct moment now)
{
    struct line_state *line = &engine->lines[index];
    char text[240];

    snprintf(text, sizeof(text), "line %s is down: %.160s", engine->site->lines[index].name,
             line->why);
    for (size_t i = 0; i < line->device_count; i++) {
        struct device_state *state = &engine->devices[line->devices[i]];

        if (state->running && !state->out && (!urgent_only || state->running->job->call))
            line_fail_running(engine, state->running, text, now);
        for (struct task *task = state->first, *next; task; task = next) {
            next = task->next;
            if (!urgent_only || task->job->call)
                task_refuse(engine, task, CODE_LINE_DOWN, text, now);
        }
    }
}

void line_abandon(struct engine *engine, size_t index, const char *why, struct moment now)
{
    struct line_state *line = &engine->lines[index];

    for (size_t i = 0; i < line->device_count; i++) {
        struct device_state *state = &engine->devices[line->devices[i]];

        if (state->running) {
            run_abandon(state->running->run, why, now);
            task_end(engine, state->running, now);
        }
        while (state->first)
            task_refuse(engine, state->first, CODE_CANCELED, why, now);
    }
}

void engine_line_state(struct engine *engine, size_t index, bool up, const char *why,
                       struct moment now)
{
    struct line_state *line = &engine->lines[index];
    bool changed = !line->known || line->up != up;

    snprintf(line->why, sizeof(line->why), "%s", why ? why : "");
    if (!changed)
        return;
    line->known = true;
    line->up = up;
    line->down_us = now.boot_us;
    line->wake_us = 0;
    line->gate_closed = false;
    report_gateway(engine);
    if (up)
        return;
    for (size_t i = 0; i < line->device_count; i++)
        device_set_health(engine, line->devices[i], HEALTH_UNKNOWN, now);
    line_fail_waiting(engine, index, true, now);
}

static void line_tick(struct engine *engine, size_t index, struct moment now)
{
    struct line_state *line = &engine->lines[index];

    if (line->known && !line->up && line->waiting > 0 &&
        now.boot_us >= line->down_us + LINE_PATIENCE_US)
        line_fail_waiting(engine, index, false, now);
}

void engine_tick(struct engine *engine, struct moment now)
{
    engine->trusted = now.trusted;
    keep_first(engine, now);
    wear_tick(engine, now);
    claims_tick(engine, now);
    /* The oldest first: what was asked later stands on what was asked before. */
    for (struct job *job = engine->oldest; job; job = job->newer) {
        if (job_is_over(job))
            continue;
        if (job->call)
            call_tick(engine, job, now);
        else
            job_tick(engine, job, now);
    }
    for (size_t i = 0; i < engine->site->line_count; i++)
        line_tick(engine, i, now);
    reported_tick(engine, now);
    jobs_forget_old(engine, now);
    shelf_tick(engine, now);
    polled_tick(engine, now);
}
