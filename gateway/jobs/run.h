/*
 * Run: the walk of one task through its plan, step by step. A plain value and a pure machine:
 * what it wants next and what an answer means depend only on the run, the plan and the facts
 * that the caller brings. It decides what is repeated, what is in doubt and what is paid back.
 *
 * The classes of steps decide about doubt: a state may be sent again; a trigger or pulse whose
 * frame left whole and was not answered clearly is never sent again.
 */
#ifndef JOBGATE_JOBS_RUN_H
#define JOBGATE_JOBS_RUN_H

#include "base/clock.h"
#include "jobs/outcome.h"
#include "jobs/wear.h"
#include "lines/plan.h"

/* Stored by number: add at the end, never renumber. */
enum phase {
    PHASE_START = 0,   /* the step has not begun */
    PHASE_PROBE = 1,   /* a harmless read ahead of a trigger */
    PHASE_COMPARE = 2, /* if_different: does it hold the value already? */
    PHASE_INTENT = 3,  /* the intent must be safe before the frame leaves */
    PHASE_WRITE = 4,
    PHASE_VERIFY = 5,
    PHASE_READ = 6, /* values for the answer, or values before */
    PHASE_EXPECT = 7,
    PHASE_WAIT = 8,
    PHASE_RETURN = 9,   /* a pulse's previous value goes back */
    PHASE_RESTORE = 10, /* on_failure = "restore" */
    PHASE_OVER = 11,
    PHASE_DOUBT = 12, /* after a restart: was the step's value written? */
};

struct reading {
    bool known;
    uint16_t count;
    uint16_t words[4];    /* numbers */
    uint16_t *long_words; /* strings longer than that, else NULL */
};

/* What became of one written point. */
struct point_result {
    enum result result; /* NOT_SENT until something is known */
    enum code code;     /* NONE where it is well */
    char *text;         /* why not, or NULL */
    struct reading wrote, holds;
    int64_t at_ms;     /* wall clock of the read-back */
    bool restored;     /* the value from before was written back */
    bool owed;         /* ... should have been, and was not */
    enum result worst; /* of the steps before that wrote this point */
};

/* Why a task is stopped, in two tenses. The texts must outlive the run. */
struct stop {
    enum code code;     /* where nothing had begun: CANCELED, EXPIRED */
    const char *before; /* "the job was cancelled before this task began" */
    const char *after;  /* "the job was cancelled after this task had begun" */
};

struct run {
    const struct site *site;
    const struct plan *plan;
    size_t device;
    size_t step, item;      /* where it is; `item` of a step that is done point by point */
    struct plan_step *part; /* the step of that item alone; NULL: it is not split */
    enum phase phase;
    unsigned tries;    /* of the present operation */
    unsigned attempts; /* the most tries that any operation took */
    bool rewritten;    /* the one repeat after a read-back that differed */
    bool heard;        /* EXPECT: the device answered since the step began */
    bool out;          /* an operation is on its way and its answer is to come */
    bool begun;        /* a frame that concerns the task has left */
    bool reached;      /* a write of the present step left whole and was not refused */
    bool cast;         /* written by a broadcast, and not read back yet */
    bool doubted;      /* the read-back decides what the write's own answers left open */
    bool owed;         /* a pulse was sent and its return is due */
    bool stopping;     /* cancelled or expired: no new step */
    struct stop stop;
    int64_t due_us, until_us, answered_us;
    int64_t waited_least_us, waited_most_us; /* for answers that did not come, this operation */
    uint64_t intent;              /* number of the record that must be safe; 0: none made yet */
    uint64_t counted;             /* the same of the frame to come, where its point wears */
    size_t restore_left;          /* RESTORE: results still to look at, from the end */
    struct point_result *results; /* plan->result_count */
    struct reading *reads;        /* plan->read_count */
    struct reading *before;       /* by point of the profile; NULL where the plan keeps none */
    enum code code;               /* NONE while well */
    char text[300];
};

/* What the caller knows beside the run. */
struct facts {
    bool urgent;               /* a single call: fails at once on a line that is down */
    bool known_dead;           /* one try is enough */
    unsigned tries;            /* tries of the device, at least 1 */
    int64_t timeout_us;        /* of the last try */
    int64_t heard_us;          /* when the device last answered, boot clock; INT64_MIN: never */
    uint64_t safe;             /* the store is safe up to here */
    const struct wears *wears; /* what was written to points that wear; NULL: nothing */
    int64_t wear_us;           /* now, on the clock that those count by */
};

enum wants {
    WANTS_WORK,    /* `operation` is to be executed */
    WANTS_TIME,    /* nothing before run->due_us */
    WANTS_INTENT,  /* record the intent of this step, then run_intended() */
    WANTS_COUNT,   /* count a write to run_wears(), record that, then run_counted() */
    WANTS_SAFE,    /* wait until the intent or the count is safe */
    WANTS_NOTHING, /* it is over */
};

int run_init(struct run *run, const struct site *site, const struct plan *plan, size_t device,
             struct moment now);
void run_deinit(struct run *run);

enum wants run_next(struct run *run, const struct facts *facts, struct moment now,
                    struct operation *operation);
void run_intended(struct run *run, uint64_t number);
void run_counted(struct run *run, uint64_t number);
/* The point with max_writes_per_day that the next frame would write; NULL: none. */
const struct point *run_wears(const struct run *run);
/* No write to the present step's point is left today. */
bool run_is_worn(const struct run *run, const struct facts *facts);
/* Are enough writes left for all that the plan wants? False, and why not: nothing is begun. */
bool run_may_wear(const struct run *run, const struct facts *facts, struct moment now,
                  char *text, size_t size);
void run_answer(struct run *run, const struct facts *facts, const struct answer *answer,
                struct moment now);
/* The first step was sent to all devices of the line at once: what it holds now tells whether
   this one has obeyed. Where the frame was not sent whole it is written by itself. */
void run_broadcasts(struct run *run); /* the frame is at the line */
void run_broadcast(struct run *run, const struct answer *answer, struct moment now);
/* Cancel or expiry: ends at the next step, a pulse is paid back first. */
void run_stop(struct run *run, const struct stop *stop, struct moment now);
/* The line has been down for longer than the task waits for it. A pulse's return waits on. */
void run_line_down(struct run *run, const char *why, struct moment now);
/* Nothing will be sent any more: it is over now, and says what is left open. */
void run_abandon(struct run *run, const char *why, struct moment now);

/* The run up to here as text for the store (malloc'ed); and a new run taken up to there, after
   a restart. `in_doubt`: the text is that of an intent. 0, -ESTALE when the plan is another one
   now, or negative errno; then the run is useless. */
char *run_journal(const struct run *run);
/* The run began before a restart: its present step's frame may have left. */
void run_maybe_begun(struct run *run);
int run_resume(struct run *run, const char *journal, bool in_doubt, struct moment now);

const uint16_t *reading_words(const struct reading *reading);
/* What a point held before, where the run has read that. */
void run_know_before(struct run *run, size_t point, const uint16_t *words, uint16_t count);
/* Writes back to a point what it held before. */
void run_back_operation(const struct profile *profile, size_t point, const uint16_t *words,
                        struct operation *operation);

bool run_is_repeat(const struct run *run); /* what it wants next is a try after a failed one */
bool run_is_readback(const struct run *run);
bool run_pays_back(
    const struct run *run); /* a pulse or a restore: waits for a line that is down */
const struct plan_step *run_step(const struct run *run); /* NULL when over */

/* Did the device itself speak? Exceptions 10 and 11 come from the gateway before it. */
bool answer_is_the_devices(const struct answer *answer);

/* The payload of the answer: {"error":..., "writes":{...}, "values":{...}}. JSON, malloc'ed;
   NULL: no memory. */
char *run_payload(const struct run *run);
/* The same with another error. */
char *run_payload_with(const struct run *run, enum code code, const char *description);
char *run_writes(const struct run *run); /* the writes alone; NULL: there are none, too */

/* Sentences for people, in jobs/sentence.c. */
void sentence_trouble(char *text, size_t size, const struct site *site, size_t device,
                      const struct operation *operation, const struct answer *answer,
                      unsigned tries, int64_t least_us, int64_t most_us);

#endif
