/*
 * Query: the statements of the hub's POST /devices/query that jobgate answers.
 *
 *     SELECT * FROM devices.jobs [WHERE condition]
 *     SELECT * FROM devices [WHERE condition]
 *     SELECT tags.floor, properties.reported.mode AS mode FROM devices [WHERE condition]
 *     SELECT tags.floor, COUNT() AS n, AVG(tags.area) AS area FROM devices GROUP BY tags.floor
 *
 * and TOP n in front of the selection. Words in any case, names with or without the collection
 * in front (devices.jobs.jobId, jobId). COUNT, SUM, AVG, MIN and MAX fold the rows, those of
 * one value of GROUP BY's member each; COUNT of a member counts where it is. ORDER BY is
 * refused by a sentence.
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

enum { QUERY_ITEMS_MOST = 16 };

enum query_fold {
    QUERY_MEMBER = 0, /* as it is */
    QUERY_COUNT,
    QUERY_SUM,
    QUERY_AVERAGE,
    QUERY_LEAST,
    QUERY_MOST,
};

struct query_item {
    enum query_fold fold;
    struct condition_path path; /* count 0: COUNT() */
    const char *name;           /* in the row */
};

struct query {
    enum query_collection collection;
    size_t top;        /* rows at most; 0: all */
    size_t item_count; /* 0: the whole document */
    struct query_item items[QUERY_ITEMS_MOST];
    bool folds;                  /* COUNT and its like, or GROUP BY */
    struct condition_path group; /* count 0: none */
    struct condition *condition; /* the query's own; ask it through query_matches() */
};

/* As condition_parse(): 0, negative errno, or CONDITION_E_SYNTAX and *error is filled. */
int query_parse(struct query **ret, const char *text, struct condition_error *error);
void query_free(struct query *query); /* NULL is fine */

bool query_matches(const struct query *query, condition_lookup *lookup, void *ctx);

/* The row that a matching document gives, where items are selected and nothing is folded. A new
 * reference; what is missing in the document is missing in the row. */
json_t *query_row(const struct query *query, const json_t *document);

/* Folding: take in every matching document, then get the rows, in the order in which their
 * groups came up. NULL and false: out of memory. */
struct query_sums;
struct query_sums *query_sums_new(const struct query *query);
bool query_sums_add(struct query_sums *sums, const json_t *document);
json_t *query_sums_rows(const struct query_sums *sums);
void query_sums_free(struct query_sums *sums); /* NULL is fine */

/* The only value that a member (canonical name) can have in a match, where the query says so by
 * `member = 'text'` alone or joined by AND; else NULL. Saves reading what cannot match. Not for
 * status, which has several spellings. */
const char *query_requires(const struct query *query, const char *member);

#endif
