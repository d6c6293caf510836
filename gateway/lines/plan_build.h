/*
 * Plan build: what the makers of a plan share. Private to gateway/lines/plan*.c.
 *
 * A maker turns its action into wants, one for each point to write, in the order of the wire;
 * build_writes() merges them into the fewest frames. Numbers: Modbus Application
 * Protocol 1.1b3.
 */
#ifndef JOBGATE_LINES_PLAN_BUILD_H
#define JOBGATE_LINES_PLAN_BUILD_H

#include "lines/plan.h"
#include "site/names.h"
#include "site/value.h"

enum {
    FUNCTION_MASK = 22,
    FUNCTION_WRITE_READ = 23,
    WRITE_READ_MAX = 121, /* registers written by function 23 (6.17) */
};

struct build {
    const struct profile *profile;
    const struct action *action;
    struct plan *plan;
    struct plan_error *error;
};

/* A point that shall hold these words. */
struct want {
    size_t point;
    size_t method_step;
    size_t result;
    enum step_class class;
    bool repeatable;
    uint16_t words[ADAPTER_WORDS_MAX];
};

/* Always PLAN_E_REFUSED. */
__attribute__((format(printf, 4, 5))) int
build_refuse(struct build *build, int status, const char *code, const char *format, ...);

/* The same, with the point that may have been meant. */
int build_unknown_point(struct build *build, const char *name);

/* A new step at the plan's end, valid until the next one. NULL: no memory. */
struct plan_step *build_step(struct build *build, enum plan_step_kind kind, size_t method_step);
/* The index of the point among the results or reads, put there when it is new. 0 or -ENOMEM. */
int build_result(struct build *build, size_t point, size_t *ret);
int build_read(struct build *build, size_t point, size_t *ret);

/* Encodes the value. 0, or VALUE_E_*, with `error`: the caller says what that means. */
int want_set(struct want *want, const struct profile *profile, size_t point,
             const json_t *value, struct value_error *error);
/* 400 with the code that fits a value error. */
const char *value_error_code(int value_error);

/* Steps that write the wants in their order, neighbours merged. */
int build_writes(struct build *build, const struct want *wants, size_t count);
/* By table and address; equal ones keep their order. */
void wants_sort(const struct profile *profile, struct want *wants, size_t count);
/* Steps (READ or BEFORE) that read the points, neighbours merged. */
int build_reads(struct build *build, enum plan_step_kind kind, size_t method_step,
                const size_t *points, size_t count);

/* Fills a step that writes all wants in one frame; they must fit together. 0 or -ENOMEM. */
int step_write(struct plan_step *step, const struct profile *profile, const struct want *wants,
               size_t count);
/* Fills operation and item of a step that reads one point. `wanted` may be NULL. */
int step_read(struct plan_step *step, const struct profile *profile, size_t point,
              const uint16_t *wanted);

int build_method(struct build *build);
int build_patch(struct build *build);
int build_write(struct build *build);

#endif
