/*
 * What the files of a run share: run.c walks from step to step, run_stop.c ends it early,
 * run_operation.c says what goes on the wire, run_wear.c what may not be written any more,
 * run_trouble.c what trouble there means, run_write.c and run_answer.c what an
 * answer means for the step that asked.
 */
#ifndef JOBGATE_JOBS_RUN_PRIVATE_H
#define JOBGATE_JOBS_RUN_PRIVATE_H

#include "jobs/run.h"
#include "site/value.h"

/* The least pause before another try. */
#define REST_LEAST_US INT64_C(20000)

/* What an answer means for the one who asked. */
enum trouble {
    TROUBLE_NONE,
    TROUBLE_UNSENT,  /* as if it had not been tried */
    TROUBLE_REFUSED, /* final, nothing happened */
    TROUBLE_BUSY,    /* nothing happened, worth another try */
    TROUBLE_MAYBE,   /* an exception that leaves the effect open */
    TROUBLE_SILENT,
    TROUBLE_GARBLED,
    TROUBLE_DOWN,
};

/* run.c */
const struct profile *run_profile(const struct run *run);
const struct point *run_point(const struct run *run, size_t point);
void run_advance(struct run *run, struct moment now); /* to the next step that may begin */
void run_step_done(struct run *run, struct moment now);
/* The step's points one after the other, so that each result is true. */
/* To that item alone; 0 or -ENOMEM. */
int run_split(struct run *run, size_t step, size_t item);
void run_split_next(struct run *run, struct moment now);
/* The first trouble names the task's error. */
void run_set_error(struct run *run, enum code code, const char *text);
/* The step came to a bad end, which its results tell: a patch goes on, all else stops. */
void run_leave(struct run *run, struct moment now);
/* The points of the step from `item` on are not written any more. */
void run_leave_out(struct run *run, const struct plan_step *step, size_t item);
/* After a stop: leaves the present step if nothing of it has had an effect. */
void run_stop_step(struct run *run, struct moment now);
void run_fail(struct run *run, enum code code, enum result result, const char *text,
              struct moment now);
/* How often the present operation was tried, if it went well at the next try. */
bool run_heard_lately(const struct facts *facts, struct moment now);
void run_count_try(struct run *run);
/* A step is left out because of a stop. */
void run_interrupt(struct run *run);
void run_step_results(struct run *run, enum result value, enum code code, const char *text);
void result_set(struct point_result *result, enum result value, enum code code,
                const char *text);
void reading_set(struct reading *reading, const uint16_t *words, uint16_t count);
void reading_keep(struct reading *reading, const struct plan_item *item,
                  const struct answer *answer);

/* run_operation.c: false when there is nothing to send. */
bool run_operation(struct run *run, struct operation *operation);

/* run_trouble.c */
enum trouble trouble_of(const struct answer *answer);
enum code trouble_code(enum trouble trouble, bool reached);
enum result trouble_result(enum trouble trouble, bool reached);
/* Another try after a rest, in which a late answer may come and be dropped; or the end. */
void run_again_or_fail(struct run *run, const struct facts *facts, const struct answer *answer,
                       enum result result, struct moment now);

/* A pulse was sent and will not be paid back. */
void run_owe(struct run *run, const char *why);

/* run_write.c */
void run_answer_write(struct run *run, const struct facts *facts, const struct answer *answer,
                      struct moment now);
void run_answer_verify(struct run *run, const struct facts *facts, const struct answer *answer,
                       struct moment now);
void run_answer_compare(struct run *run, const struct facts *facts, const struct answer *answer,
                        struct moment now);

bool run_holds_all(const struct run *run, const struct answer *answer);
/* The step's points hold the wanted values already. */
void run_found(struct run *run, const struct answer *answer, enum result result,
               struct moment now);

/* run_wear.c: the present step is left unwritten, if its point may not be written any more. */
bool run_refuse_worn(struct run *run, const struct facts *facts, struct moment now);

/* run_journal.c */
void run_answer_doubt(struct run *run, const struct facts *facts, const struct answer *answer,
                      struct moment now);

/* sentence.c: what a stop came upon, and which steps were done before. */
void sentence_stopped(char *text, size_t size, const struct run *run);

/* run_answer.c */
void run_expectation_failed(struct run *run, struct moment now);

#endif
