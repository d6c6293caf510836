/*
 * Tally: what has been counted since the gateway started, for /metrics and the status page.
 *
 * The gateway tells it what passes by; it decides nothing. Main loop only. Counters only rise.
 */
#ifndef JOBGATE_JOBS_TALLY_H
#define JOBGATE_JOBS_TALLY_H

#include "jobs/report.h"
#include "lines/line.h"
#include "site/site.h"

enum { TALLY_BUCKETS = 12, TALLY_RESULTS = 6, TALLY_ENDS = 3 };

/* Times that lie within a bound, as Prometheus wants them; not summed up over the buckets. */
struct tally_times {
    uint64_t buckets[TALLY_BUCKETS + 1]; /* the last: beyond every bound */
    uint64_t count;
    int64_t total_us;
};

struct tally_line {
    uint64_t results[TALLY_RESULTS]; /* by enum answer_result */
    uint64_t frames;                 /* sent and seen */
    uint64_t late;                   /* foreign or late frames that were dropped */
    int64_t busy_us;                 /* the line was asking or listening */
    struct tally_times answers;      /* from the first byte out to the last byte in */
};

struct tally {
    size_t line_count;
    struct tally_line *lines;
    uint64_t tasks[CODE_COUNT]; /* ended, by why they failed; CODE_NONE: completed */
    uint64_t jobs[TALLY_ENDS];  /* completed, failed, cancelled */
    struct tally_times commits; /* from giving a record to the store until it is safe */
    struct tally_times looks;   /* from asking the history until its answer */
    uint64_t blind_looks;       /* of these, such as could not be answered */
    uint64_t sample;            /* the record whose time runs; 0: none */
    int64_t sampled_us;
    char *ended[64]; /* ids of the last jobs that ended: their shares are told more than once */
    size_t ended_next;
};

extern const int64_t tally_bounds_us[TALLY_BUCKETS];
const char *tally_result_name(unsigned result); /* "done", "exception" ... */
const char *tally_end_name(unsigned end);       /* "completed", "failed", "cancelled" */

int tally_new(struct tally **ret, const struct site *site);
/* Another site: lines are counted on by their name. `lines`: room for those of `to`, empty, by
   malloc; it is taken over. */
void tally_reload(struct tally *tally, const struct site *from, const struct site *to,
                  struct tally_line *lines);
void tally_free(struct tally *tally); /* NULL is fine */

void tally_answer(struct tally *tally, size_t line, const struct answer *answer);
void tally_report(struct tally *tally, const struct report *report);
void tally_looked(struct tally *tally, int64_t us, bool answered);
void tally_given(struct tally *tally, uint64_t number, int64_t now_us);
void tally_safe(struct tally *tally, uint64_t number, int64_t now_us);

#endif
