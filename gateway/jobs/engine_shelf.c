/* What becomes of jobs that are over: a few stay in memory, the others go on the store's shelf
   once everybody has heard of them, and are purged when they were kept long enough. */
#include "jobs/engine_private.h"
#include "jobs/timetext.h"
#include "site/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RECENT_JOBS_MOST = 16,    /* over and yet in memory, for those who ask at once */
    RECENT_TASKS_MOST = 1000, /* of them */
    SHELF_PAUSE_US = 1000000,
    PURGE_PAUSE_US = 60000000, /* between two looks at what is old */
    PURGE_STEP_US = 1000000,   /* between two pieces */
    PURGE_JOBS = 50,           /* ids in one look */
    PURGE_TASKS = 500,         /* in one piece: a few milliseconds for the disk */
};

/* --- ids: 400 days of them, so of each only what tells it from others --- */

/* FNV-1a, 64 bits. Of a million ids two are equal with a chance of 3 in 100 million. */
static uint64_t hash_of(const char *id)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * UINT64_C(0x100000001b3);
    return hash ? hash : 1;
}

static struct known_id *slot_of(const struct known_ids *ids, uint64_t hash)
{
    size_t at = (size_t)hash & (ids->size - 1);

    while (ids->slots[at].hash && ids->slots[at].hash != hash)
        at = (at + 1) & (ids->size - 1);
    return &ids->slots[at];
}

/* Half of the slots stay free. */
static void grow(struct known_ids *ids)
{
    struct known_ids grown = {.size = ids->size ? 2 * ids->size : 64, .count = ids->count};

    grown.slots = calloc(grown.size, sizeof(*grown.slots));
    if (!grown.slots)
        abort(); /* a job whose id is not known any more would run again */
    for (size_t i = 0; i < ids->size; i++) {
        if (ids->slots[i].hash)
            *slot_of(&grown, ids->slots[i].hash) = ids->slots[i];
    }
    free(ids->slots);
    *ids = grown;
}

void known_add(struct engine *engine, const char *id, uint64_t fingerprint)
{
    struct known_ids *ids = &engine->known;

    if (2 * ids->count >= ids->size)
        grow(ids);
    struct known_id *slot = slot_of(ids, hash_of(id));
    ids->count += slot->hash == 0;
    *slot = (struct known_id){.hash = hash_of(id), .fingerprint = fingerprint};
}

bool known_find(const struct engine *engine, const char *id, uint64_t *fingerprint)
{
    const struct known_ids *ids = &engine->known;

    if (ids->size == 0)
        return false;
    const struct known_id *slot = slot_of(ids, hash_of(id));
    if (fingerprint)
        *fingerprint = slot->fingerprint;
    return slot->hash != 0;
}

/* --- leaving memory --- */

static bool is_told(const struct engine *engine, const struct job *job)
{
    for (size_t i = 0; i < job->task_count; i++) {
        if (task_is_untold(engine, &job->tasks[i]))
            return false;
    }
    return !job_is_untold(engine, job);
}

void shelf_add_text(struct engine *engine, struct task *task)
{
    if (!engine->shelves)
        return;
    task->next = NULL;
    if (engine->texts)
        engine->texts_end->next = task;
    else
        engine->texts = task;
    engine->texts_end = task;
}

/* Of a task that has ended, is safe and told, nobody needs the record: the history has it. */
static bool may_drop_text(const struct engine *engine, const struct task *task)
{
    return task->number <= engine->safe && !task_is_untold(engine, task);
}

/* `all`: also behind one that has to stay. */
static void drop_texts(struct engine *engine, bool all)
{
    struct task **at = &engine->texts, *last = NULL;

    while (*at && (all || may_drop_text(engine, *at))) {
        struct task *task = *at;

        if (!may_drop_text(engine, task)) {
            last = task;
            at = &task->next;
            continue;
        }
        *at = task->next;
        task->next = NULL;
        free(task->record);
        task->record = NULL;
    }
    if (all)
        engine->texts_end = last;
}

void shelf_forget_texts(struct engine *engine, const struct job *job)
{
    struct task **at = &engine->texts, *last = NULL;

    while (*at) {
        if ((*at)->job == job) {
            *at = (*at)->next;
            continue;
        }
        last = *at;
        at = &last->next;
    }
    engine->texts_end = last;
}

void shelf_resume(struct engine *engine)
{
    for (struct job *job = engine->oldest; job; job = job->newer) {
        for (size_t i = 0; i < job->task_count; i++) {
            if (job->tasks[i].record)
                shelf_add_text(engine, &job->tasks[i]);
        }
    }
    drop_texts(engine, true);
}

/* What the outside sees of it, and the code of its failure for whoever asks by its share. */
static uint64_t keep_shelved(struct engine *engine, const struct job *job)
{
    json_t *view = engine_job_json(engine, job->id);

    if (job->code != CODE_NONE)
        json_object_set_new(view, SHELF_ERROR, json_string(code_name(job->code)));
    char *text = json_text(view);
    json_decref(view);
    return engine_keep(engine, RECORD_SHELVED, job->id, NULL, 0, text);
}

/* A call leaves as it is: nobody asks for it, its outcome stands at its device. */
static bool is_safe(const struct engine *engine, const struct job *job)
{
    for (size_t i = 0; i < job->task_count; i++) {
        if (job->tasks[i].record) /* its text waits */
            return false;
    }
    return engine->safe >= (job->call ? job->number : job->shelved_at);
}

static void clear(struct engine *engine)
{
    size_t jobs = 0, tasks = 0;
    struct job *older;

    drop_texts(engine, true);
    for (struct job *job = engine->newest; job; job = older) {
        older = job->older;
        if (!job_is_over(job))
            continue;
        tasks += job->task_count;
        bool recent = !job->call && ++jobs <= RECENT_JOBS_MOST && tasks <= RECENT_TASKS_MOST;
        if (jobs > 1 && (jobs > ENDED_JOBS_MOST || tasks > ENDED_TASKS_MOST))
            told_give_up(engine, job);
        if (recent || !is_told(engine, job))
            continue;
        if (!job->call && job->shelved_at == 0) {
            job->shelved_at = keep_shelved(engine, job);
        } else if (is_safe(engine, job)) {
            if (!job->call)
                known_add(engine, job->id, job->request->fingerprint);
            job_drop(engine, job);
        }
    }
}

/* --- asking the history --- */

static void ask(struct engine *engine, struct look *look)
{
    if (look && engine->look_count < LOOKS_MOST)
        engine->looks[engine->look_count++] = look;
    else
        look_free(look);
}

struct look *engine_take_look(struct engine *engine)
{
    if (engine->look_count == 0)
        return NULL;
    struct look *look = engine->looks[0];
    engine->look_count--;
    memmove(engine->looks, engine->looks + 1, engine->look_count * sizeof(look));
    return look;
}

/* A second document under the id of a job that has left memory. */
void shelf_tell(struct engine *engine, const char *job_id, bool refused)
{
    struct look *look = engine->shelves ? look_new(LOOK_JOB, 1) : NULL;

    if (!look)
        return;
    look->job_id = strdup(job_id);
    look->tag = refused;
    if (!look->job_id) {
        look_free(look);
        return;
    }
    ask(engine, look);
}

static json_t *share_of(const struct engine *engine, const json_t *view)
{
    static const char *const members[] = {
        "jobId", "type", "status", "deviceJobStatistics", "startTime", "endTime", NULL};
    const json_t *code = json_object_get(view, SHELF_ERROR);
    json_t *share = json_pack("{s:s}", "gatewayId", engine->site->id);

    for (size_t i = 0; members[i]; i++) {
        json_t *value = json_object_get(view, members[i]);

        if (value)
            json_object_set(share, members[i], value);
    }
    if (code)
        json_object_set_new(share, "error",
                            json_pack("{s:O, s:O*}", "code", code, "description",
                                      json_object_get(view, "failureReason")));
    return share;
}

/* The true share again, retained as it was; and for who meant another job, that it is refused.
 */
static void tell_share(struct engine *engine, const struct look *look)
{
    json_t *view = look->count > 0 ? json_loads(look->rows[0].text, 0, NULL) : NULL;

    if (!view)
        return; /* purged meanwhile, or not to be read: nothing true can be said */
    json_t *share = share_of(engine, view);
    bool nobody = json_integer_value(json_object_get(
                      json_object_get(view, "deviceJobStatistics"), "deviceCount")) == 0;
    engine_report(engine, REPORT_SHARE, 0, look->job_id, NULL, json_text(share))->retain =
        !nobody;
    if (look->tag) {
        json_object_set_new(share, "refused", job_id_in_use_json());
        engine_report(engine, REPORT_SHARE, 0, look->job_id, NULL, json_text(share))->retain =
            false;
    }
    json_decref(share);
    json_decref(view);
}

void engine_looked(struct engine *engine, struct look *look, struct moment now)
{
    if (look->kind == LOOK_OLD) {
        engine->old_asked = false;
        if (look->count > 0) {
            look_free(engine->old);
            engine->old = look;
            engine->old_at = 0;
            engine->purge_us = now.boot_us;
            return;
        }
    } else {
        tell_share(engine, look);
    }
    look_free(look);
}

/* --- purging, in pieces: no transaction is long --- */

enum { MS_PER_S = 1000, CALL_KEPT_MS = 86400000 };

static void look_for_old(struct engine *engine, struct moment now)
{
    int64_t kept_ms = (int64_t)engine->site->store.retention_days * 86400 * MS_PER_S;
    struct look *look;

    engine->purge_us = now.boot_us + PURGE_PAUSE_US;
    if (!now.trusted || engine->old_asked || !(look = look_new(LOOK_OLD, PURGE_JOBS)))
        return;
    look->jobs_ms = now.wall_ms - kept_ms;
    look->calls_ms = now.wall_ms - CALL_KEPT_MS;
    engine->old_asked = true;
    ask(engine, look);
}

static void purge_piece(struct engine *engine, struct moment now)
{
    uint64_t tasks = 0;

    engine->purge_us = now.boot_us + PURGE_STEP_US;
    while (engine->old_at < engine->old->count && tasks < PURGE_TASKS) {
        struct look_row *row = &engine->old->rows[engine->old_at];

        if (engine_find_job(engine, row->text)) { /* it is not so old that it has left memory */
            engine->old_at++;
            continue;
        }
        if (row->place.index > PURGE_TASKS) {
            engine_keep(engine, RECORD_PURGE, row->text, NULL, PURGE_TASKS, NULL);
            row->place.index -= PURGE_TASKS;
            return;
        }
        uint64_t fingerprint = 0;
        known_find(engine, row->text, &fingerprint);
        job_forget(engine, row->text, row->call, fingerprint, now);
        tasks += row->place.index + 1;
        engine->old_at++;
    }
    if (engine->old_at < engine->old->count)
        return;
    if (engine->old->count < PURGE_JOBS)
        engine->purge_us = now.boot_us + PURGE_PAUSE_US;
    look_free(engine->old);
    engine->old = NULL;
}

static bool is_crowded(const struct engine *engine)
{
    return engine->ended > RECENT_JOBS_MOST || engine->ended_tasks > RECENT_TASKS_MOST;
}

int64_t shelf_wake_us(const struct engine *engine)
{
    if (!engine->shelves)
        return MOMENT_NEVER;
    return is_crowded(engine) && engine->shelf_us < engine->purge_us ? engine->shelf_us
                                                                     : engine->purge_us;
}

void shelf_tick(struct engine *engine, struct moment now)
{
    if (!engine->shelves)
        return;
    drop_texts(engine, false);
    if (is_crowded(engine) && now.boot_us >= engine->shelf_us) {
        engine->shelf_us = now.boot_us + SHELF_PAUSE_US;
        clear(engine);
    }
    if (now.boot_us < engine->purge_us)
        return;
    if (engine->old)
        purge_piece(engine, now);
    else
        look_for_old(engine, now);
}

void shelf_close(struct engine *engine)
{
    for (size_t i = 0; i < engine->look_count; i++)
        look_free(engine->looks[i]);
    look_free(engine->old);
    free(engine->known.slots);
}
