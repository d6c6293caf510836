/* Pages of jobs, records and devices: what the engine holds, and what the history adds. */
#include "jobs/engine_private.h"
#include "jobs/search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A cursor is the place at which the next page begins, by what is unique and never reused, so
 * that pages stay stable while jobs come and go, and over restarts: the order of a job, and the
 * index of a device. */
struct cursor {
    struct look_place place;
    unsigned long long taken; /* rows before it, for TOP */
};

struct found {
    struct look_place place;
    json_t *json;
};

struct search {
    struct engine *engine;
    char *type, *status;       /* jobs: only of these; "": any */
    int64_t from_ms, to_ms;    /* ... and made then; to_ms 0: no end */
    const struct query *query; /* NULL: jobs */
    bool single;               /* one job is asked for */
    size_t most;
    struct cursor from;
    struct found *found; /* in memory, in their order */
    size_t count, size;
    bool bounded, failed;    /* there are more, from `bound` on; no memory */
    struct look_place bound; /* of what was found */
    struct look *look;       /* not yet taken */
};

/* "12.7.0" */
static bool read_cursor(const char *after, struct cursor *ret)
{
    char again[72], *end;

    *ret = (struct cursor){.place.order = INT64_MAX};
    if (!after)
        return true;
    ret->place.order = strtoull(after, &end, 10);
    ret->place.index = strtoull(end + (*end == '.'), &end, 10);
    ret->taken = strtoull(end + (*end == '.'), NULL, 10);
    snprintf(again, sizeof(again), "%llu.%llu.%llu", (unsigned long long)ret->place.order,
             (unsigned long long)ret->place.index, ret->taken);
    return strcmp(again, after) == 0; /* no sign, no space, no overflow, nothing missing */
}

static char *cursor_text(struct look_place place, unsigned long long taken)
{
    char *text;

    if (asprintf(&text, "%llu.%llu.%llu", (unsigned long long)place.order,
                 (unsigned long long)place.index, taken) < 0)
        return NULL;
    return text;
}

/* Newer jobs first, then in the order of their devices. */
static bool is_before(struct look_place a, struct look_place b)
{
    return a.order != b.order ? a.order > b.order : a.index < b.index;
}

/* --- what memory holds --- */

/* Takes the row. False: the page is full, and begins here another time. */
static bool add(struct search *search, struct look_place place, json_t *json)
{
    if (search->count == search->most) {
        search->bounded = true;
        search->bound = place;
        json_decref(json);
        return false;
    }
    if (search->count == search->size) {
        size_t size = search->size ? 2 * search->size : 16;
        struct found *found = reallocarray(search->found, size, sizeof(*found));

        if (!found) {
            search->failed = true;
            json_decref(json);
            return false;
        }
        search->found = found;
        search->size = size;
    }
    search->found[search->count++] = (struct found){place, json};
    return true;
}

static bool is_any(const char *text)
{
    return !text || !*text;
}

/* "pending" is the documents' word for what waits for its start. */
static bool has_status(const struct job *job, const char *status)
{
    if (strcmp(status, "pending") == 0)
        return job->status == JOB_QUEUED || job->status == JOB_SCHEDULED;
    return strcmp(status, job_status_name(job->status)) == 0;
}

static bool is_made_then(const struct search *search, int64_t created_ms)
{
    return created_ms >= search->from_ms && (search->to_ms == 0 || created_ms < search->to_ms);
}

static void find_jobs(struct search *search)
{
    const struct engine *engine = search->engine;

    for (const struct job *job = engine->newest; job; job = job->older) {
        if (job->call || job->order > search->from.place.order ||
            !is_made_then(search, job->created_ms) ||
            (!is_any(search->type) && strcmp(search->type, job_type_name(job)) != 0) ||
            (!is_any(search->status) && !has_status(job, search->status)))
            continue;
        if (!add(search, (struct look_place){job->order, 0}, engine_job_json(engine, job->id)))
            return;
    }
}

/* A record's text once it has ended, else what is known so far. NULL: the history has it. */
static json_t *record_json(const struct engine *engine, const struct task *task)
{
    if (task->record)
        return json_loads(task->record, 0, NULL);
    if (task->state >= TASK_COMPLETED)
        return NULL;
    char *text = task_text(engine, task);
    json_t *record = json_loads(text, 0, NULL);

    free(text);
    return record;
}

static bool find_records_of(struct search *search, const struct job *job)
{
    struct look_place from = search->from.place;

    for (size_t i = 0; i < job->task_count; i++) {
        struct look_place place = {job->order, job->tasks[i].place};
        json_t *record =
            is_before(place, from) ? NULL : record_json(search->engine, &job->tasks[i]);

        if (!record)
            continue;
        if (!query_matches(search->query, condition_lookup_json, record))
            json_decref(record);
        else if (!add(search, place, record))
            return false;
    }
    return true;
}

static void find_records(struct search *search)
{
    const char *only = query_requires(search->query, "jobId");

    for (const struct job *job = search->engine->newest; job; job = job->older) {
        if (job->call || (only && strcmp(only, job->id) != 0))
            continue;
        if (!find_records_of(search, job))
            return;
    }
}

/* --- devices, which memory holds all --- */

static void find_devices(struct search *search)
{
    struct engine *engine = search->engine;

    for (size_t i = (size_t)search->from.place.index; i < engine->site->device_count; i++) {
        struct select select = {.engine = engine, .device = i};

        if (query_matches(search->query, select_lookup, &select) &&
            !add(search, (struct look_place){0, i}, device_row(engine, search->query, i)))
            return;
    }
}

static void find_sums(struct search *search)
{
    json_t *all = fold_devices(search->engine, search->query);

    search->failed = !all;
    for (size_t i = (size_t)search->from.place.index; i < json_array_size(all); i++) {
        if (!add(search, (struct look_place){0, i}, json_incref(json_array_get(all, i))))
            break;
    }
    json_decref(all);
}

/* --- what the history is asked --- */

/* These are called on the reading thread: they look at nothing that changes. */

static bool job_fits(void *ctx, const char *text)
{
    const struct search *search = ctx;
    json_t *job = json_loads(text, 0, NULL);
    const char *type = json_string_value(json_object_get(job, "type"));
    const char *status = json_string_value(json_object_get(job, "status"));
    const char *created = json_string_value(json_object_get(job, "createdTime"));
    int64_t created_ms = 0;
    bool fits = type && status && created && timetext_parse(&created_ms, created) == 0 &&
                is_made_then(search, created_ms) &&
                (is_any(search->type) || strcmp(type, search->type) == 0) &&
                (is_any(search->status) || strcmp(status, search->status) == 0);

    json_decref(job);
    return fits;
}

static bool record_fits(void *ctx, const char *text)
{
    const struct search *search = ctx;
    json_t *record = json_loads(text, 0, NULL);
    bool fits = record && query_matches(search->query, condition_lookup_json, record);

    json_decref(record);
    return fits;
}

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

static void look_for(struct search *search, enum look_kind kind, const char *job_id,
                     const char *device_id)
{
    struct look *look = look_new(kind, search->most);

    if (look) {
        look->job_id = copy(job_id);
        look->device_id = copy(device_id);
        look->from = search->from.place;
        look->ctx = search;
        look->fits = kind == LOOK_JOBS ? job_fits : kind == LOOK_TASKS ? record_fits : NULL;
    }
    search->failed |= !look || (job_id && !look->job_id) || (device_id && !look->device_id);
    search->look = look;
}

/* Only what is over is in the history. */
static bool may_be_over(const char *status)
{
    return is_any(status) || strcmp(status, job_status_name(JOB_COMPLETED)) == 0 ||
           strcmp(status, job_status_name(JOB_FAILED)) == 0 ||
           strcmp(status, job_status_name(JOB_CANCELLED)) == 0;
}

/* --- the search --- */

static int begin(struct search **ret, struct engine *engine, size_t most, const char *after)
{
    struct search *search = calloc(1, sizeof(*search));

    if (!search)
        return -ENOMEM;
    search->engine = engine;
    search->most = most;
    if (!read_cursor(after, &search->from)) {
        free(search);
        return SEARCH_E_CURSOR;
    }
    *ret = search;
    return 0;
}

static int hand_out(struct search **ret, struct search *search)
{
    if (search->failed) {
        search_free(search);
        return -ENOMEM;
    }
    *ret = search;
    return 0;
}

int search_job(struct search **ret, struct engine *engine, const char *job_id)
{
    struct search *search;
    int r = begin(&search, engine, 1, NULL);

    if (r != 0)
        return r;
    search->single = true;
    json_t *job = engine_job_json(engine, job_id);
    if (job)
        add(search, (struct look_place){0, 0}, job);
    else if (engine->shelves && known_find(engine, job_id, NULL))
        look_for(search, LOOK_JOB, job_id, NULL);
    return hand_out(ret, search);
}

int search_jobs(struct search **ret, struct engine *engine, const struct job_filter *filter,
                size_t most, const char *after)
{
    struct search *search;
    int r = begin(&search, engine, most, after);

    if (r != 0)
        return r;
    search->type = strdup(filter->type ? filter->type : "");
    search->status = strdup(filter->status ? filter->status : "");
    search->from_ms = filter->from_ms;
    search->to_ms = filter->to_ms;
    search->failed = !search->type || !search->status;
    if (!search->failed)
        find_jobs(search);
    if (engine->shelves && may_be_over(filter->status))
        look_for(search, LOOK_JOBS, NULL, NULL);
    return hand_out(ret, search);
}

int search_query(struct search **ret, struct engine *engine, const struct query *query,
                 size_t most, const char *after)
{
    struct search *search;
    int r = begin(&search, engine, most, after);

    if (r != 0)
        return r;
    search->query = query;
    if (query->top > 0 && search->from.taken >= query->top) {
        search_free(search);
        return SEARCH_E_CURSOR;
    }
    if (query->top > 0 && query->top - search->from.taken < most)
        search->most = (size_t)(query->top - search->from.taken);
    if (query->collection == QUERY_DEVICES_JOBS) {
        find_records(search);
        if (engine->shelves)
            look_for(search, LOOK_TASKS, query_requires(query, "jobId"),
                     query_requires(query, "deviceId"));
    } else if (query->folds) {
        find_sums(search);
    } else {
        find_devices(search);
    }
    return hand_out(ret, search);
}

struct look *search_take_look(struct search *search)
{
    struct look *look = search->look;

    search->look = NULL;
    return look;
}

/* Both are in the same order, and each is whole up to its bound. What both have is the same, or
   memory's is older by a moment. */
static json_t *merge(const struct search *search, const struct look *look,
                     struct look_place *next, bool *more)
{
    json_t *rows = json_array();
    size_t mine = 0, theirs = 0, count = look ? look->count : 0;

    *more = search->bounded;
    *next = search->bound;
    if (look && look->more && (!*more || is_before(look->next, *next))) {
        *more = true;
        *next = look->next;
    }
    while (rows && (mine < search->count || theirs < count)) {
        bool from_mine = theirs == count ||
                         (mine < search->count &&
                          !is_before(look->rows[theirs].place, search->found[mine].place));
        struct look_place place =
            from_mine ? search->found[mine].place : look->rows[theirs].place;

        if (*more && !is_before(place, *next))
            break;
        if (json_array_size(rows) == search->most) {
            *more = true;
            *next = place;
            break;
        }
        json_array_append_new(rows, from_mine ? json_incref(search->found[mine].json)
                                              : json_loads(look->rows[theirs].text, 0, NULL));
        if (from_mine && theirs < count && !is_before(place, look->rows[theirs].place))
            theirs++; /* the same */
        if (from_mine)
            mine++;
        else
            theirs++;
    }
    return rows;
}

json_t *search_end(struct search *search, struct look *look, char **next_cursor)
{
    struct look_place next;
    bool more;
    json_t *rows = merge(search, look, &next, &more);
    unsigned long long taken = search->from.taken + json_array_size(rows);
    json_t *row;
    size_t i;

    *next_cursor = NULL;
    look_free(look);
    json_array_foreach(rows, i, row)
    {
        json_object_del(row, SHELF_ERROR);
    }
    if (search->single) {
        json_t *job = json_incref(json_array_get(rows, 0));

        json_decref(rows);
        return job;
    }
    if (rows && more &&
        (!search->query || search->query->top == 0 || taken < search->query->top))
        *next_cursor = cursor_text(next, taken);
    return rows;
}

void search_free(struct search *search)
{
    if (!search)
        return;
    for (size_t i = 0; i < search->count; i++)
        json_decref(search->found[i].json);
    free(search->found);
    look_free(search->look);
    free(search->type);
    free(search->status);
    free(search);
}
