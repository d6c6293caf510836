#include "jobs/tally.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* From a fast TCP device's answer to a time-out. */
const int64_t tally_bounds_us[TALLY_BUCKETS] = {
    1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000};

static const char *const end_names[TALLY_ENDS] = {"completed", "failed", "cancelled"};

const char *tally_result_name(unsigned result)
{
    static const char *const names[TALLY_RESULTS] = {"done",      "exception", "silent",
                                                     "bad_reply", "line_down", "not_sent"};

    return names[result];
}

const char *tally_end_name(unsigned end)
{
    return end_names[end];
}

int tally_new(struct tally **ret, const struct site *site)
{
    struct tally *tally = calloc(1, sizeof(*tally));

    if (!tally)
        return -ENOMEM;
    tally->lines = calloc(site->line_count + 1, sizeof(*tally->lines));
    tally->line_count = site->line_count;
    if (!tally->lines) {
        free(tally);
        return -ENOMEM;
    }
    *ret = tally;
    return 0;
}

void tally_reload(struct tally *tally, const struct site *from, const struct site *to,
                  struct tally_line *lines)
{
    for (size_t i = 0; i < to->line_count; i++) {
        for (size_t k = 0; k < from->line_count; k++) {
            if (strcmp(from->lines[k].name, to->lines[i].name) == 0)
                lines[i] = tally->lines[k];
        }
    }
    free(tally->lines);
    tally->lines = lines;
    tally->line_count = to->line_count;
}

void tally_free(struct tally *tally)
{
    if (!tally)
        return;
    for (size_t i = 0; i < sizeof(tally->ended) / sizeof(*tally->ended); i++)
        free(tally->ended[i]);
    free(tally->lines);
    free(tally);
}

static void add_time(struct tally_times *times, int64_t us)
{
    size_t bucket = 0;

    if (us < 0)
        return;
    while (bucket < TALLY_BUCKETS && us > tally_bounds_us[bucket])
        bucket++;
    times->buckets[bucket]++;
    times->count++;
    times->total_us += us;
}

void tally_answer(struct tally *tally, size_t index, const struct answer *answer)
{
    struct tally_line *line = &tally->lines[index];
    int64_t us = answer->ended_us - answer->started_us;

    if ((unsigned)answer->result < TALLY_RESULTS)
        line->results[answer->result]++;
    line->late += answer->late;
    line->frames += (answer->request.length > 0) + (answer->reply.length > 0) + answer->late;
    if (answer->request.length > 0 && us > 0)
        line->busy_us += us;
    if (answer->result == ANSWER_DONE || answer->result == ANSWER_EXCEPTION)
        add_time(&line->answers, us);
}

static bool is_counted(const struct tally *tally, const char *job_id)
{
    for (size_t i = 0; i < sizeof(tally->ended) / sizeof(*tally->ended); i++)
        if (tally->ended[i] && strcmp(tally->ended[i], job_id) == 0)
            return true;
    return false;
}

static void count_job(struct tally *tally, const char *job_id, const char *text)
{
    json_t *share = json_loads(text, 0, NULL);
    const char *status = json_string_value(json_object_get(share, "status"));
    char **place = &tally->ended[tally->ended_next];

    for (size_t i = 0; status && i < TALLY_ENDS; i++) {
        if (strcmp(status, end_names[i]) != 0 || is_counted(tally, job_id))
            continue;
        tally->jobs[i]++;
        free(*place);
        *place = strdup(job_id);
        tally->ended_next =
            (tally->ended_next + 1) % (sizeof(tally->ended) / sizeof(*tally->ended));
        break;
    }
    json_decref(share);
}

void tally_report(struct tally *tally, const struct report *report)
{
    if (report->kind == REPORT_OUTCOME)
        tally->tasks[report->code]++;
    else if (report->kind == REPORT_SHARE && report->job_id)
        count_job(tally, report->job_id, report->body);
}

void tally_looked(struct tally *tally, int64_t us, bool answered)
{
    add_time(&tally->looks, us);
    tally->blind_looks += !answered;
}

/* One record at a time is timed: the store commits them in groups anyhow. */
void tally_given(struct tally *tally, uint64_t number, int64_t now_us)
{
    if (tally->sample)
        return;
    tally->sample = number;
    tally->sampled_us = now_us;
}

void tally_safe(struct tally *tally, uint64_t number, int64_t now_us)
{
    if (tally->sample == 0 || number < tally->sample)
        return;
    add_time(&tally->commits, now_us - tally->sampled_us);
    tally->sample = 0;
}
