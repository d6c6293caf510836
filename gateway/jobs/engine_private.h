/*
 * The engine's own types, shared by the engine_*.c files and by nobody else.
 *
 * A device runs one task at a time and has a queue of tasks behind it, urgent ones first.
 * Everything that is kept is addressed by index or owned by exactly one struct below.
 */
#ifndef JOBGATE_JOBS_ENGINE_PRIVATE_H
#define JOBGATE_JOBS_ENGINE_PRIVATE_H

#include "jobs/condition.h"
#include "jobs/engine.h"
#include "jobs/run.h"
#include "jobs/timetext.h"
#include "lines/health.h"
#include "lines/poll_plan.h"
#include "lines/turn.h"

/* Stored by number: add at the end, never renumber. */
enum task_state {
    TASK_SCHEDULED = 0,
    TASK_RUNNING = 1,
    TASK_COMPLETED = 2,
    TASK_FAILED = 3,
    TASK_CANCELED = 4,
    TASK_STATE_COUNT
};

struct job;

struct task {
    struct job *job;
    size_t
        device; /* SITE_NONE: the site has it no more; the task has ended, or does so at once */
    char *gone; /* its id then; else NULL */
    enum task_state state;
    enum code code;
    unsigned attempts;
    uint32_t place; /* among the job's devices as they were frozen */
    int64_t created_ms, started_ms, ended_ms, changed_ms; /* 0: not yet */
    int64_t version; /* PATCH: desired $version that is acknowledged */
    struct plan
        *own_plan;   /* where the job's plan does not fit (superseded properties), else NULL */
    struct run *run; /* while running */
    char *record;    /* JSON text once it has ended, until only the history has it */
    uint64_t number; /* of the record of its end */
    bool told;       /* everybody who shall know its end knows it */
    char *handed, *journal; /* recalled, until it goes on */
    bool in_doubt;          /* the journal is that of an intent */
    bool maybe;             /* it may have begun before a restart, unrecorded */
    struct task *next;      /* in its device's queue; or of those whose text may go soon */
};

/* Stored by number and reported by name: add at the end, never renumber. */
enum job_status {
    JOB_QUEUED = 0,
    JOB_SCHEDULED = 1,
    JOB_RUNNING = 2,
    JOB_COMPLETED = 3,
    JOB_FAILED = 4,
    JOB_CANCELLED = 5,
};

/* What the action means for the devices of one profile; made once for each job. */
struct job_plan {
    bool made;
    struct plan *plan; /* NULL: refused, see error */
    struct plan_error error;
};

/* Its memory is lost, its share was found at the broker. */
enum job_doubt {
    DOUBT_NONE = 0,
    DOUBT_DUE = 1,   /* not begun by then: harmless as long as it is not due */
    DOUBT_BEGUN = 2, /* it ran: it is not run again */
};

struct job {
    char *id;
    struct request *request; /* action, query, document, origin of a call */
    bool call;               /* a single call: urgent, not listed */
    bool answered;           /* call: the caller has had its answer */
    bool heard;              /* call: somebody at the broker waits for its answer */
    enum job_status status;
    struct task *tasks;
    size_t task_count;
    size_t counts[TASK_STATE_COUNT];
    struct job_plan *plans; /* one for each profile of the site */
    uint64_t order;         /* rising with acceptance: the number of its first record */
    uint64_t safe_at;       /* the record that must be safe before the first frame */
    bool resolved;          /* its devices are known */
    bool canceling, expired;
    enum job_doubt doubt;
    enum code code; /* FAILED: why, else NONE */
    char text[200];
    uint64_t repeat; /* call: where its answer is remembered, 0: nowhere */
    int64_t created_ms, started_ms, ended_ms;
    int64_t deadline_us; /* boot clock; MOMENT_NEVER until it starts */
    bool held;           /* after another boot: until the time is known */
    int64_t deadline_ms; /* held: the deadline on the wall clock; 0: not known */
    uint64_t number;     /* of the record of its end */
    bool told;           /* everybody who shall know its end knows it */
    uint64_t shelved_at; /* the record that put it on the shelf; 0: it is not there */
    bool share_due;
    int64_t share_us; /* earliest next share */
    struct job *older, *newer;
};

enum health { HEALTH_UNKNOWN = 0, HEALTH_ONLINE = 1, HEALTH_OFFLINE = 2 };

/* One block of a device's polled points. */
struct poll_state {
    int64_t due_us;
    uint16_t nth;  /* of its reads, the next one */
    uint8_t level; /* how it is read: enum poll_level */
};

struct device_state {
    /* What every look at the line's devices asks, close together (64 bytes). */
    struct task *running;
    struct task *first; /* queue */
    bool out;           /* an operation of it is at the line */
    bool held;          /* a reload changes it: nothing begins here until that is done */
    bool probed;        /* what is out may well end in a time-out */
    enum health health;
    uint64_t served;  /* rising number of its last operation */
    uint64_t ended;   /* of its last outcome's record; until that is safe, nothing else
                         begins here */
    char *claimed_by; /* another living gateway, or NULL */
    json_t *owed;     /* points to be written back: {NAME: {words, since, jobId}}, or NULL */
    struct poll_state *polls; /* one a block of its profile's poll plan; NULL: not polled */

    int64_t heard_us; /* INT64_MIN: never */
    int64_t heard_ms;
    unsigned silent;    /* answers missing in a row */
    int64_t timeout_us; /* of its last operation */
    struct device_health learned;
    uint16_t
        *words;    /* what was told last: the plan's words, then for each item if it is known */
    size_t polled; /* the block that is out */
    bool polled_moved;    /* since polled values were kept last */
    bool tags_moved;      /* by the file, and not kept yet */
    bool polling;         /* ... or was last; else it was a probe */
    uint64_t claim_round; /* when that was heard last */
    int64_t since_ms;
    char *last_outcome; /* JSON text, or NULL */
    struct twin twin;
    uint64_t twin_number;  /* recalled: of the record that told the twin */
    json_t *last_patch;    /* the last desired patch taken from the broker */
    int64_t owed_us;       /* when the next point is tried to be written back */
    int64_t owed_pause_us; /* since it failed last; 0: it has not */
    size_t paying;         /* the point that was written back last */
    bool pays;             /* the operation of its own that is out does that */
    struct wears wears;    /* what was written to its points that wear */
    bool reported_due;
    int64_t reported_us; /* earliest next reported document */
};

struct line_state {
    size_t *devices; /* indexes of its devices */
    size_t device_count;
    size_t waiting; /* tasks queued or running on it */
    size_t calls;   /* urgent ones among them */
    enum rank last; /* of the operation that was handed out last */
    bool earned;    /* it had been passed over for long enough: it is not taken back */
    struct turn turn;
    unsigned out; /* operations that are at the line */
    struct {
        uint64_t turn; /* 0: free */
        size_t device;
    } slots[ENGINE_LINE_ROOM]; /* whose they are */
    bool held;       /* a reload changes its wire: nothing goes out until that is done */
    unsigned probes; /* of these, such as may well end in a time-out: nothing goes behind */
    bool known, up;
    int64_t down_us;
    char why[160];
    bool gate_closed; /* some device in `expect` was silent: the others are tried one by one */
    int64_t gate_us;
    int64_t wake_us; /* when engine_next_work() may have something, as far as is known */
    uint64_t operations, troubles;
    uint64_t outcome; /* number of the last one that waits for others of this line; 0: none */
    uint64_t cast;    /* order of the job whose tasks wait for a broadcast; 0: none */
    int64_t load_us;  /* when that is looked at next */
    unsigned late;    /* how late the last polls were, see engine_overload.c */
    bool overloaded;  /* asked for more polls than it can carry */
    bool cast_out;    /* a broadcast is at the line */
};

/* A device that is not in the site, and what it brings along when it is again. */
struct absent {
    char *id;
    struct twin twin;
    json_t *file_tags; /* those on which the twin's stand, or NULL */
    json_t *last_patch, *owed;
    char *last_outcome;
    uint64_t twin_number;
    struct wears wears;
    char *line; /* where it was, with its unit; NULL: not known */
    uint8_t unit;
};

/* An answer that is remembered for callers who repeat themselves. */
struct repeat {
    char *key;
    uint64_t number; /* rising, names this entry for the call that fills it */
    bool open;       /* the call still runs and has not been answered */
    int status;
    enum code code;
    char *body;
    int64_t until_us;
};

/* A job that is forgotten leaves its id behind, so that it is not run again. */
struct old_job {
    char *id;
    uint64_t fingerprint;
    uint64_t uncleared; /* number of the record that forgot it, until it is known that what the
                           broker retained of it is cleared; then 0 */
};

/* The share of a job that was not over, found at the broker. */
struct left_share {
    char *job_id;
    bool begun;
};

/* Ids of all jobs that have left memory, open addressing, a power of two of slots. */
struct known_id {
    uint64_t hash; /* 0: free */
    uint64_t fingerprint;
};

struct known_ids {
    struct known_id *slots;
    size_t size, count;
};

enum {
    REPEATS_MOST = 1000,
    LEFT_SHARES_MOST = 1000,
    TASK_TEXT_SIZE = 400,
    EARLY_CANCELS_MOST = 1000,
    ENDED_JOBS_MOST = 1000,
    ENDED_TASKS_MOST = 100000, /* of ended jobs; the newest one is kept whatever its size */
    OLD_JOBS_MOST = 20000,
    LOOKS_MOST = 16, /* that wait to be carried to the history */
};

/* Another site, until it is taken over. Old indexes lead to new ones and back; SITE_NONE: there
   is none. */
struct reload {
    const struct site *site;
    size_t *device_to, *device_from;
    bool *changed; /* old device: it is gone, at another place, or of another make */
    size_t *line_to, *line_from;
    bool *rewired;      /* old line: it is gone, or another wire */
    size_t *profile_to; /* where it is the same to the letter */
};

struct engine {
    const struct site *site;
    struct reload *reload; /* or NULL */
    const char *version;
    bool watched; /* somebody wants to know what begins */
    uint64_t boot, calls;
    int64_t since_ms;
    struct device_state *devices;
    struct poll_plan *poll_plans; /* one a profile */
    struct line_state *lines;
    struct job *newest, *oldest;
    size_t ended, ended_tasks; /* of what is over and still kept */
    uint64_t served;
    uint64_t number, safe; /* of records: made, and safe */
    uint64_t awaited;      /* somebody waits until it is safe up to here */
    struct record **records;
    size_t record_count, record_room, record_taken;
    struct report *reports, **reports_end;
    struct repeat repeats[REPEATS_MOST];
    size_t repeat_next;
    uint64_t repeat_number;
    struct old_job *old_jobs; /* a ring of OLD_JOBS_MOST */
    size_t old_next;
    bool shelves; /* what is over leaves memory: the history has it */
    struct known_ids known;
    struct task *texts, *texts_end; /* ended, and their text still here */
    struct look *looks[LOOKS_MOST]; /* that wait to be carried to the history */
    size_t look_count;
    struct look *old; /* what is being purged, from row old_at on; or NULL */
    size_t old_at;
    bool old_asked;
    int64_t shelf_us, purge_us;
    bool polled_moved;                       /* of some device */
    int64_t polled_us;                       /* when they are kept */
    char *early_cancels[EARLY_CANCELS_MOST]; /* cancels that came before their job */
    size_t early_next;
    struct left_share left[LEFT_SHARES_MOST];
    size_t left_next;
    uint64_t claim_round; /* connections to the broker that told their claims */
    size_t claimed;       /* devices that another gateway has */
    char *contender;      /* the last gateway that was told to have lost, or NULL */
    int64_t claims_us;    /* what came over the broker waits until then; MOMENT_NEVER: not */
    size_t reported_due;  /* devices whose reported document waits */
    bool stopping, paused;
    char boot_id[40]; /* "": nothing survives, and nothing is written for it */
    bool outbox;      /* who shall know an end is told until he has got it */
    size_t untold;    /* ends and clearings that are not known to have arrived */
    uint64_t unheard; /* ends that were forgotten before */
    bool takes;       /* the store takes new work */
    char store_why[240];
    int64_t newest_ms, clock_us, hold_us, forget_us;
    int64_t first_ms;     /* wall time of the first start with this memory; 0: not known yet */
    struct job *recalled; /* the job that the last record was about */
    size_t recalled_task;
    bool trusted;           /* the wall clock, when it was last told */
    int64_t wear_shift_us;  /* from the boot clock to the one that writes are counted by */
    int64_t wear_at_us;     /* recalled of another boot: that clock, the last time */
    int64_t wear_wall_ms;   /* ... and the wall clock then; 0: not known, or done with */
    struct absent **absent; /* by their ids */
    size_t absent_count;
    int64_t wear_looked_us; /* that clock at the last tick */
};

/* engine.c */
void device_deinit(struct device_state *state); /* but its polls */

/* engine_jobs.c */
struct job *engine_find_job(const struct engine *engine, const char *id);
void job_add(struct engine *engine, struct job *job);
/* Freezes the job's devices and queues its tasks. False: more than may wait, `why` says where.
 */
bool job_resolve(struct engine *engine, struct job *job, struct moment now, char *why,
                 size_t size);
bool job_is_due(const struct job *job, struct moment now);
void job_start(struct engine *engine, struct job *job, struct moment now);
void job_check_end(struct engine *engine, struct job *job, struct moment now);
void job_interrupt(struct engine *engine, struct job *job, const struct stop *stop,
                   struct moment now);
void job_cancel(struct engine *engine, struct job *job, const struct stop *stop,
                struct moment now);
void job_tick(struct engine *engine, struct job *job, struct moment now);
int64_t job_wake_us(const struct engine *engine, const struct job *job);
void job_free(const struct engine *engine, struct job *job);
void job_drop(struct engine *engine, struct job *job); /* out of memory, and nothing else */
/* Of a job only the id stays, so that it is never run again; of a call nothing. What is
   retained of it at the broker goes too. */
void job_forget(struct engine *engine, const char *id, bool call, uint64_t fingerprint,
                struct moment now);
void jobs_forget_old(struct engine *engine,
                     struct moment now); /* not while a loop walks over the jobs */
const char *job_status_name(enum job_status status);
const char *job_type_name(const struct job *job);
bool job_is_over(const struct job *job);

struct old_job *job_remember_id(struct engine *engine, const char *id, uint64_t fingerprint);
void job_cancel_early(struct engine *engine, const char *id);

/* engine_claims.c */
bool device_is_claimed(const struct engine *engine, size_t device, char *text, size_t size);
bool claims_are_awaited(const struct engine *engine, const struct job *job);
void claims_tick(struct engine *engine, struct moment now);
enum job_doubt job_doubt(struct engine *engine, const char *job_id);
void job_judge_doubt(struct job *job, struct moment now);
void job_end_in_doubt(struct engine *engine, struct job *job, struct moment now);

/* engine_keep.c: the records and what they say */
uint64_t keep_job(struct engine *engine, const struct job *job, struct moment now);
uint64_t keep_tasks(struct engine *engine, const struct job *job);
uint64_t keep_status(struct engine *engine, const struct job *job, struct moment now);
void keep_first(struct engine *engine, struct moment now);
void keep_handed(struct engine *engine, const struct task *task);
uint64_t keep_run(struct engine *engine, const struct task *task, enum record_kind kind);
uint64_t keep_twin(struct engine *engine, size_t device);
void keep_tags(struct engine *engine); /* where the file has changed them */

/* engine_restore.c */
void hold_end(struct engine *engine, struct job *job, struct moment now);

/* engine_shelf.c */
#define SHELF_ERROR                                                                            \
    "$error" /* a view's member for ourselves: the code of the job's failure                   \
              */
void known_add(struct engine *engine, const char *id, uint64_t fingerprint);
/* *fingerprint, which may be NULL: 0 where only the id is known. */
bool known_find(const struct engine *engine, const char *id, uint64_t *fingerprint);
void shelf_add_text(struct engine *engine, struct task *task);         /* has just ended */
void shelf_forget_texts(struct engine *engine, const struct job *job); /* which goes */
void shelf_tell(struct engine *engine, const char *job_id, bool refused);
void shelf_tick(struct engine *engine, struct moment now);
int64_t shelf_wake_us(const struct engine *engine);
void shelf_resume(struct engine *engine); /* after a restart */
void shelf_close(struct engine *engine);

/* engine_calls.c */
void engine_call(struct engine *engine, struct request *request, struct moment now);
void call_tick(struct engine *engine, struct job *job, struct moment now);
void call_answer(struct engine *engine, struct job *job, int status, enum code code, char *body,
                 uint64_t after);

/* After a restart: its answer is remembered for those who repeat themselves, or given again. */
void call_recall(struct engine *engine, struct job *job, struct moment now);
void call_answer_again(struct engine *engine, struct job *job);

/* engine_tasks.c */
const char *task_device_id(const struct engine *engine, const struct task *task);
void task_queue(struct engine *engine, struct task *task);
/* Ends the task if it needs no wire: a refusal, tags alone, properties removed. */
void task_try_without_wire(struct engine *engine, struct task *task, struct moment now);
void task_begin(struct engine *engine, struct task *task, struct moment now); /* may end it */
void report_outcome(struct engine *engine, const struct task *task);
/* Goes on where it was when the gateway stopped; it is in its device's queue. */
void task_resume(struct engine *engine, struct task *task, struct moment now);
void task_end(struct engine *engine, struct task *task,
              struct moment now); /* its run is over */
void task_refuse(struct engine *engine, struct task *task, enum code code, const char *text,
                 struct moment now); /* ends it without a frame */
struct job_plan *job_plan(struct engine *engine, struct job *job, size_t profile);
const char *task_state_name(enum task_state state);

/* engine_record.c */
char *task_text(const struct engine *engine, const struct task *task); /* a live one's record */
/* What is said of a task's end; JSON, malloc'ed, and the sentence of its code. */
struct said {
    char *payload; /* as a method answers */
    char *writes;  /* what became of each point, or NULL */
    const char *description;
};
/* Of one that has ended, under the number that comes next. */
char *task_end_text(const struct engine *engine, const struct task *task,
                    const struct said *said);

/* engine_patch.c */
int patch_take(struct engine *engine, struct task *task);
struct plan *patch_without_superseded(struct engine *engine, struct task *task,
                                      const struct plan *plan);
/* The plan without the properties of `names`, which are superseded. */
struct plan *patch_plan_without(const struct engine *engine, const struct task *task,
                                const struct plan *plan, const json_t *names);
/* A patch that was not taken at all: every property is acknowledged so. */
void patch_refused(struct engine *engine, const struct request *request, size_t device,
                   enum code code, const char *text, struct moment now);
/* In the twin; true when the reported document has changed. `text`: why it was refused. */
bool patch_acknowledge(struct engine *engine, struct task *task, const char *text,
                       struct moment now);
char *patch_payload(const struct task *task, enum code *code, char *text, size_t size);

/* engine_patch_taken.c */
/* It was applied already: acknowledged, nothing else. */
bool patch_is_old(const struct engine *engine, const struct request *request, size_t device);
/* It was taken: what comes again is known by it. */
void patch_remember(struct engine *engine, const struct request *request, size_t device);
void patch_forget(struct engine *engine, const struct request *request, size_t device);
/* What the hub's limits say against a patch; malloc'ed, or NULL. */
char *patch_objection(const struct request *request);
/* A request that is refused whole. */
void patch_refuse(struct engine *engine, const struct request *request, size_t device,
                  enum code code, const char *text, struct moment now);

/* engine_lines.c */
/* A job's tasks wait this long for a line that is down. */
#define LINE_PATIENCE_US (10 * INT64_C(1000000))
void line_fail_waiting(struct engine *engine, size_t line, bool urgent_only, struct moment now);
void line_abandon(struct engine *engine, size_t line, const char *why, struct moment now);

/* engine_broadcast.c */
/* Begins the tasks of the task's job on all devices of its line, if one broadcast may lead
 * them.
 */
bool broadcast_gather(struct engine *engine, const struct task *task, struct moment now);
/* The task waits for a broadcast, which is to go out now. */
bool broadcast_is_due(struct engine *engine, const struct task *task,
                      struct operation *operation);
bool broadcast_is_back(const struct line_state *line, const struct work *work);
void broadcast_leaves(struct engine *engine, size_t line);
void broadcast_answer(struct engine *engine, size_t line, const struct answer *answer,
                      struct moment now);

/* engine_wear.c */
int64_t wear_now_us(const struct engine *engine, struct moment now);
void wear_count(struct engine *engine, struct task *task, struct moment now);
/* One write that no task asks for; the record's number. */
uint64_t wear_count_point(struct engine *engine, size_t device, const struct point *point,
                          struct moment now);
/* Before the first frame. False: not all that the task writes may be written today. */
bool wear_allows(struct engine *engine, const struct task *task, const struct facts *facts,
                 struct moment now, enum code *code, char *text, size_t size);
void wear_recall(struct engine *engine, const struct record *record, const json_t *kept);
void wear_resume(struct engine *engine, struct moment now);
void wear_tick(struct engine *engine, struct moment now);
json_t *wear_json(const struct engine *engine, size_t device); /* NULL: no such point */

/* engine_absent.c */
struct absent *absent_of(struct engine *engine, const char *id); /* found, or made */
void absent_leave(struct engine *engine, size_t device); /* a device of the site that runs */
/* What is kept of device `device` of a site to come, or a twin without anything. */
void absent_return(struct engine *engine, const struct site *site, size_t device,
                   struct device_state *state);
void absent_close(struct engine *engine);

/* engine_facts.c: what the engine knows beside a run, and its time-out. */
struct facts facts_of(const struct engine *engine, const struct task *task, struct moment now);
int64_t task_timeout_us(const struct engine *engine, const struct task *task,
                        struct moment now);

/* engine_health.c */
unsigned device_tries(const struct engine *engine, size_t device);
struct health_bounds device_bounds(const struct engine *engine, size_t device);
int64_t device_slowest_us(const struct engine *engine, size_t device); /* -1: nothing known */
void device_set_health(struct engine *engine, size_t device, enum health health,
                       struct moment now);
void device_judge(struct engine *engine, const struct work *work, bool expecting,
                  struct moment now);
/* What the gateway itself wants of a device that has no task: RANK_COUNT for nothing. Lower
   turns go first; *when is 0 for at once. */
enum { OWN_WORK = 0 }; /* work.number */
enum rank device_own(const struct engine *engine, size_t device, struct moment now,
                     uint64_t *turn, int64_t *when);
bool device_own_work(struct engine *engine, size_t device, enum rank rank, struct work *work);
void device_own_answer(struct engine *engine, struct work *work, struct moment now);

/* engine_debts.c */
/* At the end of a run: what it leaves owed, and what is owed no more. */
void debts_settle(struct engine *engine, const struct task *task, struct moment now);
/* What is owed to a point is what it held before, whatever it is found to hold. */
void debts_stand(const struct engine *engine, struct task *task);
bool debts_due(const struct engine *engine, size_t device, struct moment now, int64_t *when);
bool debts_work(struct engine *engine, size_t device, struct work *work);
void debts_answer(struct engine *engine, const struct work *work, struct moment now);
json_t *debts_json(const struct engine *engine, size_t device); /* NULL: nothing is owed */

/* engine_poll.c */
int polls_open(struct engine *engine, struct moment now);
/* The nth of so many devices of a line. 0 or -ENOMEM */
int poll_open(const struct poll_plan *plan, struct device_state *state, size_t nth, size_t of,
              struct moment now);
void polls_close(struct engine *engine);
enum rank poll_due(const struct engine *engine, size_t device, struct moment now,
                   uint64_t *turn, int64_t *when);
bool poll_work(struct engine *engine, size_t device, struct work *work);
void poll_answer(struct engine *engine, const struct work *work, struct moment now);
/* Into the twin: what a point holds. */
void poll_tell(struct engine *engine, size_t device, const struct point *point,
               const json_t *value, int64_t at_ms);
enum { POLL_PATH_SIZE = 300 };
/* Where in the reported document a polled value stands. */
void poll_path(char path[POLL_PATH_SIZE], const struct twin *twin, const char *property);

/* engine_seen.c */
/* What the task has seen of reported properties. True: the document has changed. */
bool seen_tell(struct engine *engine, const struct task *task);

/* engine_polled.c */
void polled_moved(struct engine *engine, size_t device, struct moment now);
void polled_keep(struct engine *engine, struct moment now); /* what has moved */
void polled_keep_one(struct engine *engine, size_t device);
void polled_tick(struct engine *engine, struct moment now);
int64_t polled_wake_us(const struct engine *engine);
void polled_recall(struct engine *engine, size_t device, const json_t *kept);

/* engine_overload.c */
void overload_open(struct engine *engine, size_t line);
/* A poll was answered that began so late. */
void overload_polled(struct engine *engine, size_t line, int64_t late_us, int64_t interval_us,
                     struct moment now);
unsigned overload_late_percent(const struct line_state *line);

/* engine_reports.c */
uint64_t engine_keep(struct engine *engine, enum record_kind kind, const char *job_id,
                     const char *device_id, uint32_t step, char *text);
/* What was kept up to now is waited for: a person, a frame. */
void engine_hurry(struct engine *engine);
struct report *engine_report(struct engine *engine, enum report_kind kind, uint64_t after,
                             const char *job_id, const char *device_id, char *body);
struct report *report_answer(struct engine *engine, struct origin *origin,
                             enum request_kind kind, int status, enum code code, char *body,
                             uint64_t after);
void report_stored(struct engine *engine, const struct origin *origin, uint64_t after);
/* What is reported between the two overtakes what waits for the store. */
struct reports_behind {
    struct report *first, **end;
};
void reports_go_ahead(struct engine *engine, struct reports_behind *behind);
void reports_let_follow(struct engine *engine, const struct reports_behind *behind);
json_t *job_id_in_use_json(void);                   /* {"code","description"} */
char *error_body(enum code code, const char *text); /* {"error":{"code","description"}} */
/* The last one of those made, or NULL: a call has no share. */
struct report *report_share(struct engine *engine, struct job *job, struct moment now);
/* Nothing is retained of it any more; `number`: as of a report. */
void report_clear(struct engine *engine, const char *job_id, uint64_t number);
void report_state(struct engine *engine, size_t device);
void report_gateway(struct engine *engine);
void reported_changed(struct engine *engine, size_t device, struct moment now);
void reported_tick(struct engine *engine, struct moment now);

/* engine_reload.c */
void reload_free(struct reload *reload);

/* engine_told.c */
/* Must it arrive somewhere? If not it is written as told at once. */
bool task_is_untold(const struct engine *engine, const struct task *task);
bool job_is_untold(const struct engine *engine, const struct job *job);
/* It leaves the memory, and with it what was not told. */
void told_forget(struct engine *engine, const struct job *job);
/* It shall leave the memory: more wait than have room there. */
void told_give_up(struct engine *engine, struct job *job);
void told_count(struct engine *engine); /* after a restart */

/* engine_rows.c */
struct query;
json_t *device_row(struct engine *engine, const struct query *query, size_t device);
json_t *fold_devices(struct engine *engine, const struct query *query); /* NULL: no memory */

/* engine_select.c */
enum { ETAG_SIZE = 16 };
struct select {
    const struct engine *engine;
    size_t device;
    char etag[ETAG_SIZE], heard[TIMETEXT_SIZE]; /* what was looked up; valid until the next */
    char updated[2][TIMETEXT_SIZE];             /* two may be compared */
    unsigned turn;
};
struct condition_value select_lookup(void *ctx, const struct condition_path *path);
const json_t *device_tags(const struct engine *engine, size_t device);

/* --- engine_view.c --- */
void view_put_time(json_t *object, const char *key, int64_t ms); /* 0: unknown, left out */

/* --- engine_identity.c: what the hub knows of a device beside its properties --- */
void identity_put_device(json_t *object, const struct engine *engine, size_t index);
void identity_put_twin(json_t *object, const struct engine *engine, size_t index);
struct condition_value identity_lookup(struct select *select,
                                       const struct condition_path *path);

#endif
