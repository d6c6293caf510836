/*
 * Plan: what one action means on the wire for every device of one profile: ordered steps of
 * register operations, limits checked, neighbours merged. Pure, and without a unit: the same
 * plan serves all devices of the profile in a job (the task fills operation.unit in).
 *
 * A plan is made before the first frame, so a refusal touches nothing.
 *
 * Order of a write's life: [if_different: read] - [before: read] - write - [settle - read back,
 * until verify_within - one repeat of the write - read back].
 */
#ifndef JOBGATE_LINES_PLAN_H
#define JOBGATE_LINES_PLAN_H

#include "site/site.h"

enum action_kind {
    ACTION_METHOD = 0, /* a method with arguments, all or nothing */
    ACTION_PATCH =
        1, /* desired properties, each stands alone; unknown ones are refused one by one */
    ACTION_READ = 2,  /* read points */
    ACTION_WRITE = 3, /* write points by name, all or nothing before the first frame */
};

/* What is asked of a device. Plain value; the JSON belongs to it. */
struct action {
    enum action_kind kind;
    char *method;      /* METHOD */
    json_t *arguments; /* METHOD: the payload as sent, or NULL. PATCH: desired properties
                          (object). READ: array of point names, NULL or empty for all readable.
                          WRITE: object */
    json_t *tags;      /* PATCH: tags to merge, or NULL */
};
void action_deinit(struct action *action);

/* Recovery class of a step that writes; decides what happens when its effect is unknown. */
enum step_class { CLASS_STATE = 0, CLASS_TRIGGER = 1, CLASS_PULSE = 2 };

enum plan_step_kind {
    PLAN_WRITE,  /* `operation` writes `items`; then `readback` where `verify` */
    PLAN_READ,   /* `operation` reads `items`: values for the answer */
    PLAN_BEFORE, /* `operation` reads `items`: what a pulse or a restore pays back */
    PLAN_EXPECT, /* `operation` reads items[0] until it holds */
    PLAN_WAIT,   /* nothing on the wire for wait_ms after the answer before */
    PLAN_RETURN, /* writes back what the PLAN_BEFORE step `before_step` read; owed once the
                    pulse was sent */
};

/* One point in a step. `offset` is where its words stand in operation.words and in an answer
   to `operation` (reads) or `readback`; `count` is point->count. */
struct plan_item {
    size_t point; /* index in the profile */
    uint16_t offset, count;
    size_t result; /* WRITE, RETURN: index in plan.results. READ: index in plan.reads */
    uint16_t
        *words; /* WRITE, EXPECT with value: the wanted words, `count` of them; else NULL */
};

struct plan_step {
    enum plan_step_kind kind;
    enum step_class class;
    size_t method_step; /* index in the method, for messages; 0 for other actions */
    struct operation
        operation; /* unit 0, to be filled in. A MASK without function 22 is a compound */
    struct operation readback; /* READ of the items' words; count 0: they cannot be read. After
                                  a WRITE_READ only for doubts */
    bool verify;               /* never of a trigger or pulse */
    bool if_different;
    bool broadcast;  /* unit 0 may be told, and then each device be read */
    bool repeatable; /* method.repeatable holds for this step */
    struct plan_item *items;
    size_t item_count;
    uint32_t settle_ms, verify_within_ms;
    uint32_t wait_ms;             /* WAIT */
    uint32_t within_ms, every_ms; /* EXPECT */
    bool has_value, has_min, has_max;
    double min, max;
    size_t before_step; /* RETURN; WRITE of a pulse */
};

/* A property of a patch that never reaches the wire. */
struct plan_refusal {
    char *name;       /* as in the patch, dotted path */
    int status;       /* 400, 404, 405 */
    const char *code; /* "OutOfRange" ...: an outcome.h name */
    char *text;
};

struct plan_result {
    size_t point; /* a written point, once, in the order of the request */
};

struct plan {
    size_t profile;
    enum action_kind kind;
    struct plan_step *steps;
    size_t step_count;
    struct plan_result *results; /* written points */
    size_t result_count;
    size_t *reads; /* points whose values the answer carries, in order */
    size_t read_count;
    struct plan_refusal *refusals; /* PATCH only */
    size_t refusal_count;
    char **removed; /* PATCH: property paths set to null */
    size_t removed_count;
    bool repeatable, restore;
    bool triggers; /* some step is a trigger or pulse: the device must have answered lately */
    int64_t
        waits_us; /* the plan's own waits, pulses and settling, least time beside the wire */
};

struct plan_error {
    int status;       /* 400, 404, 405 */
    const char *code; /* "BadRequest", "OutOfRange", "UnknownMethod", "UnknownPoint",
                         "NotWritable", "NotReadable" */
    char text[240];
};

/* 0; PLAN_E_REFUSED and `error` says why; or negative errno. */
enum { PLAN_E_REFUSED = 1 };
int plan_new(struct plan **ret, const struct site *site, size_t profile,
             const struct action *action, struct plan_error *error);
void plan_free(struct plan *plan);

/* A step refused with exception 2 or 3 although its points may each be good: the same step for
   one of its items alone, with the item's own operation and read-back. The copy has one item
   and is freed with plan_step_deinit(). */
int plan_step_split(struct plan_step *ret, const struct site *site, const struct plan *plan,
                    size_t step, size_t item);
void plan_step_deinit(struct plan_step *step);

/* The function that a write of the point has to use, 0 for the adapter's choice: 22 for bits
   where the device has it, else what the point says, else what is left where the profile says
   that the device has only one of the two. */
uint8_t plan_write_function(const struct profile *profile, const struct point *point);

#endif
