/*
 * Query: the statements of the hub's POST /devices/query that jobgate answers.
 *
 *     SELECT * FROM devices [WHERE condition]
 *     SELECT * FROM devices.jobs [WHERE condition]
 *
 * Words in any case, names with or without the collection in front (devices.jobs.jobId, jobId).
 * Projections, aggregates, TOP, GROUP BY and ORDER BY are refused by a sentence.
 *
 * On devices.jobs a comparison or list takes status "cancelled" for "canceled" and "pending"
 * for "scheduled", whichever of both the record or the query uses, and createdTimeUtc means
 * createdDateTimeUtc: the hub's documents and clients disagree on these. A lookup of records
 * gets the members' canonical names.
 */
#ifndef JOBGATE_JOBS_QUERY_H
#define JOBGATE_JOBS_QUERY_H

#include "jobs/condition.h"

enum query_collection { QUERY_DEVICES, QUERY_DEVICES_JOBS };

struct query {
    enum query_collection collection;
    struct condition *condition; /* the query's own; ask it through query_matches() */
};

/* As condition_parse(): 0, negative errno, or CONDITION_E_SYNTAX and *error is filled. */
int query_parse(struct query **ret, const char *text, struct condition_error *error);
void query_free(struct query *query); /* NULL is fine */

bool query_matches(const struct query *query, condition_lookup *lookup, void *ctx);

/* The only value that a member (canonical name) can have in a match, where the query says so by
 * `member = 'text'` alone or joined by AND; else NULL. Saves reading what cannot match. Not for
 * status, which has several spellings. */
const char *query_requires(const struct query *query, const char *member);

#endif
