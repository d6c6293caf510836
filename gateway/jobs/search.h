/*
 * Search: what somebody asks about jobs, records and devices, page by page.
 *
 * What the engine holds is taken at once. What has left its memory is in the store's history:
 * for that the search has a look, which the caller carries to the reading thread and back, and
 * search_end() puts both together by their places, so that nothing is doubled or left out,
 * however much begins, ends and leaves memory in between. Main loop only, but for what the look
 * calls; a search must outlive its look.
 */
#ifndef JOBGATE_JOBS_SEARCH_H
#define JOBGATE_JOBS_SEARCH_H

#include "jobs/query.h"
#include "store/history.h"

#include <jansson.h>
#include <stdint.h>

struct engine;
struct search;

enum { SEARCH_E_CURSOR = 1 }; /* it is none of this list */

/* All give 0, SEARCH_E_CURSOR or -ENOMEM; nothing that is handed in changes hands. `after` is
   the cursor of the page before, or NULL. */

/* One job, as the hub's clients know it. */
int search_job(struct search **ret, struct engine *engine, const char *job_id);
/* Which jobs: type and status, "" or NULL: any; made from `from_ms` on and before `to_ms`, both
   milliseconds of wall time, `to_ms` 0: no end. */
struct job_filter {
    const char *type, *status;
    int64_t from_ms, to_ms;
};
/* Jobs, newest first. */
int search_jobs(struct search **ret, struct engine *engine, const struct job_filter *filter,
                size_t most, const char *after);
/* Rows of `FROM devices.jobs` or `FROM devices`. The query must outlive the search. */
int search_query(struct search **ret, struct engine *engine, const struct query *query,
                 size_t most, const char *after);

/* What the history is to be asked; the caller's. NULL: nothing. */
struct look *search_take_look(struct search *search);
/* The page: an array; of search_job() the job. NULL: no memory, or no such job. Takes the
   answered look, which is NULL where there was none. *next_cursor (malloc'ed) is NULL on the
   last page; a page may be short, and even empty, and yet have one. */
json_t *search_end(struct search *search, struct look *look, char **next_cursor);
void search_free(struct search *search); /* NULL is fine */

#endif
