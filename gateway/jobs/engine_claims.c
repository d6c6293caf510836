/* What other gateways under the same broker say: devices that they name as their own, and what
   is left there of a job that this gateway has forgotten. */
#include "base/log.h"
#include "jobs/engine_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What came over the broker waits so long, at most, for what the broker says of its devices. */
#define CLAIMS_LIMIT_US (10 * INT64_C(1000000))

/* --- devices --- */

bool device_is_claimed(const struct engine *engine, size_t device, char *text, size_t size)
{
    const char *by = engine->devices[device].claimed_by;

    if (by)
        snprintf(text, size,
                 "gateway %s names device %s as its own and is online; take the device out of "
                 "one of the two sites, or stop one of the two gateways",
                 by, engine->site->devices[device].id);
    return by != NULL;
}

static void publish(struct engine *engine, size_t device, struct moment now)
{
    report_state(engine, device);
    if (engine->devices[device].twin.reported)
        reported_changed(engine, device, now);
}

static void wake_line(struct engine *engine, size_t device)
{
    engine->lines[engine->site->devices[device].line].wake_us = 0;
}

/* Only what could begin now: what is scheduled may find the device free at its time. */
static void refuse_waiting(struct engine *engine, size_t device, struct moment now)
{
    char text[TASK_TEXT_SIZE];

    device_is_claimed(engine, device, text, sizeof(text));
    for (struct task *task = engine->devices[device].first, *next; task; task = next) {
        next = task->next;
        if (task->job->status != JOB_RUNNING || task->job->held)
            continue;
        patch_forget(engine, task->job->request, device);
        task_refuse(engine, task, CODE_DEVICE_CLAIMED_TWICE, text, now);
    }
}

static void give_up(struct engine *engine, size_t device, const char *gateway,
                    struct moment now)
{
    struct device_state *state = &engine->devices[device];
    bool known = state->claimed_by != NULL;
    char *copy = strdup(gateway);

    if (!copy)
        return;
    free(state->claimed_by);
    state->claimed_by = copy;
    state->claim_round = engine->claim_round;
    if (!known && engine->claimed++ == 0)
        log_error(
            "device %s, and perhaps others: gateway %s names it as its own and is online; "
            "this gateway leaves it alone (`jobgate devices` lists them)",
            engine->site->devices[device].id, gateway);
    if (state->health != HEALTH_UNKNOWN)
        device_set_health(engine, device, HEALTH_UNKNOWN, now);
    else if (!known)
        report_state(engine, device); /* who looks at the API sees it */
    refuse_waiting(engine, device, now);
}

static void take_back(struct engine *engine, size_t device, struct moment now)
{
    struct device_state *state = &engine->devices[device];

    if (!state->claimed_by)
        return;
    free(state->claimed_by);
    state->claimed_by = NULL;
    if (--engine->claimed == 0)
        log_info("device %s: no other gateway names it any more, nor any other of this site",
                 engine->site->devices[device].id);
    wake_line(engine, device);
    publish(engine, device, now);
}

/* Both have told that the device is theirs: the lesser id keeps it, at both ends of the wire.
 */
static void keep(struct engine *engine, size_t device, const char *gateway, struct moment now)
{
    if (!engine->contender || strcmp(engine->contender, gateway) != 0) {
        free(engine->contender);
        engine->contender = strdup(gateway);
        log_warning("device %s, and perhaps others: gateway %s names it as its own too; "
                    "this gateway keeps it, its id comes first",
                    engine->site->devices[device].id, gateway);
    }
    publish(engine, device, now);
}

bool engine_claim(struct engine *engine, size_t device, const char *gateway, bool first,
                  struct moment now)
{
    bool left_alone = engine->devices[device].claimed_by != NULL;
    bool ours = !first && !left_alone;

    if (!gateway)
        take_back(engine, device, now);
    else if (ours && strcmp(engine->site->id, gateway) < 0)
        keep(engine, device, gateway, now);
    else
        give_up(engine, device, gateway, now);
    return left_alone && !gateway;
}

void engine_await_claims(struct engine *engine, struct moment now)
{
    engine->claims_us = now.boot_us + CLAIMS_LIMIT_US;
    engine->claim_round++;
}

void engine_claims_known(struct engine *engine, struct moment now)
{
    engine->claims_us = 0;
    claims_tick(engine, now);
    for (size_t i = 0; engine->claimed > 0 && i < engine->site->device_count; i++) {
        if (engine->devices[i].claim_round != engine->claim_round)
            take_back(engine, i, now);
    }
}

bool claims_are_awaited(const struct engine *engine, const struct job *job)
{
    return engine->claims_us != MOMENT_NEVER && job->request->origin.link == LINK_BROKER;
}

void claims_tick(struct engine *engine, struct moment now)
{
    if (engine->claims_us == MOMENT_NEVER || now.boot_us < engine->claims_us)
        return;
    engine->claims_us = MOMENT_NEVER;
    for (size_t i = 0; i < engine->site->line_count; i++)
        engine->lines[i].wake_us = 0;
}

/* --- jobs --- */

static struct left_share *find_left(struct engine *engine, const char *job_id)
{
    for (size_t i = 0; i < LEFT_SHARES_MOST; i++) {
        if (engine->left[i].job_id && strcmp(engine->left[i].job_id, job_id) == 0)
            return &engine->left[i];
    }
    return NULL;
}

static bool is_one_of(const char *status, enum job_status a, enum job_status b,
                      enum job_status c)
{
    return strcmp(status, job_status_name(a)) == 0 || strcmp(status, job_status_name(b)) == 0 ||
           strcmp(status, job_status_name(c)) == 0;
}

/* Known like a job that has left the history, but what is retained of it stays. */
static void adopt(struct engine *engine, const char *job_id, struct moment now)
{
    char *when = NULL;

    if (asprintf(&when, "%lld", (long long)(now.wall_ms / 1000)) < 0)
        when = strdup("0");
    job_remember_id(engine, job_id, 0);
    engine_keep(engine, RECORD_FORGET, job_id, NULL, 1, when);
}

void engine_share(struct engine *engine, const char *job_id, const char *status,
                  struct moment now)
{
    if (engine_find_job(engine, job_id) || known_find(engine, job_id, NULL))
        return; /* nothing was forgotten */
    if (is_one_of(status, JOB_COMPLETED, JOB_FAILED, JOB_CANCELLED)) {
        log_debug("job %s: %s, says its retained share; remembered", job_id, status);
        adopt(engine, job_id, now);
        return;
    }
    struct left_share *left = find_left(engine, job_id);
    if (!left) {
        left = &engine->left[engine->left_next];
        engine->left_next = (engine->left_next + 1) % LEFT_SHARES_MOST;
        free(left->job_id);
        left->job_id = strdup(job_id);
    }
    left->begun = strcmp(status, job_status_name(JOB_RUNNING)) == 0;
}

enum job_doubt job_doubt(struct engine *engine, const char *job_id)
{
    const struct left_share *left = find_left(engine, job_id);

    if (!left)
        return DOUBT_NONE;
    return left->begun ? DOUBT_BEGUN : DOUBT_DUE;
}

/* Its share may be older than the loss, so only a start that is still ahead proves that it has
   not begun. */
void job_judge_doubt(struct job *job, struct moment now)
{
    if (job->doubt == DOUBT_DUE && now.trusted && !job_is_due(job, now))
        job->doubt = DOUBT_NONE;
}

void job_end_in_doubt(struct engine *engine, struct job *job, struct moment now)
{
    for (size_t i = 0; i < job->task_count; i++) {
        if (job->tasks[i].state == TASK_SCHEDULED)
            task_refuse(engine, &job->tasks[i], CODE_OUTCOME_UNKNOWN,
                        "the gateway lost its memory after it had taken this job: nothing here "
                        "tells whether this device was reached, and it is not asked again; an "
                        "outcome that was told before stands",
                        now);
    }
}
