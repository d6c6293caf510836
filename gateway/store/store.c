#include "store/store.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/store_batch.h"
#include "store/store_db.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    COMPANY_MS = 150,  /* how long a record waits for others while nobody waits for it */
    LEISURE_MS = 1000, /* ... that only saves work after a restart */
    AGAIN_MS = 1000,   /* pause after a commit that failed */
    TAKE_US = 5000000, /* by then the thread has taken what was given */
    IDLE_MS = 2000,
    LOG_BYTES_MOST = 8 << 20, /* then the log is moved whatever waits */
    LOG_BYTES_IDLE = 1 << 20, /* less is not worth the wear */
    END_PATIENCE_MS = 1000,
};

struct store {
    struct store_db *db; /* NULL: memory only. Belongs to the thread while that runs */
    int fd;
    pthread_t thread;
    bool started;
    uint64_t last;     /* at the time of opening */
    struct batch keep; /* the thread's */

    pthread_mutex_t lock; /* guards the thirteen below */
    pthread_cond_t moved; /* something was given, or the end asked for, or reached */
    struct batch given;
    int64_t commit_ms; /* what was given is committed by then, on the monotonic clock */
    uint64_t hurried;  /* somebody waits until it is safe up to here */
    bool ending, ended;
    bool at_disk;
    int64_t due_us; /* when the thread will have taken what was given; MOMENT_NEVER */
    uint64_t safe;
    size_t waiting;
    uint64_t commits, bytes;
    char why[240];
};

struct record *record_new(uint64_t number, enum record_kind kind, const char *job_id,
                          const char *device_id, char *text)
{
    size_t job_size = job_id ? strlen(job_id) + 1 : 0;
    size_t device_size = device_id ? strlen(device_id) + 1 : 0;
    struct record *record = malloc(sizeof(*record) + job_size + device_size);

    if (!record)
        return NULL;
    *record = (struct record){.number = number, .kind = kind, .text = text};
    if (job_id)
        record->job_id = memcpy(record->ids, job_id, job_size);
    if (device_id)
        record->device_id = memcpy(record->ids + job_size, device_id, device_size);
    return record;
}

void record_free(struct record *record)
{
    if (!record)
        return;
    free(record->text);
    free(record);
}

/* --- the thread --- */

static int64_t now_ms(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static struct timespec at_ms(int64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000),
                             .tv_nsec = (long)(ms % 1000) * 1000000};
}

/* Memory cards wear, and a commit costs more than what is in it. */
static int patience_of(enum record_kind kind)
{
    bool leisure = kind == RECORD_FORGET || kind == RECORD_TOLD || kind == RECORD_SHARED ||
                   kind == RECORD_CLOCK || kind == RECORD_SHELVED || kind == RECORD_POLLED ||
                   kind == RECORD_PURGE;

    return leisure ? LEISURE_MS : COMPANY_MS;
}

static bool is_hurried(const struct store *store)
{
    return store->given.count > 0 && store->hurried > store->keep.last;
}

/* Until something was given; false: idle, or the end. */
static bool wait_for_first(struct store *store)
{
    bool tidy = store_db_log_bytes(store->db) > LOG_BYTES_IDLE;
    struct timespec until = at_ms(now_ms() + IDLE_MS);

    store->at_disk = false;
    store->due_us = store->given.count > 0 ? clock_boot_us() + TAKE_US : MOMENT_NEVER;
    while (store->given.count == 0 && !store->ending) {
        if (!tidy)
            pthread_cond_wait(&store->moved, &store->lock);
        else if (pthread_cond_timedwait(&store->moved, &store->lock, &until) == ETIMEDOUT)
            return false;
    }
    return store->given.count > 0;
}

/* What has gathered, once somebody waits for one of it or it has waited for company. 0: idle,
   or the end. Called with the lock held. */
static size_t gather(struct store *store)
{
    if (!wait_for_first(store))
        return 0;
    while (!is_hurried(store) && !store->ending) {
        struct timespec until = at_ms(store->commit_ms);

        if (pthread_cond_timedwait(&store->moved, &store->lock, &until) == ETIMEDOUT &&
            now_ms() >= store->commit_ms)
            break;
    }
    struct batch swap = store->keep;
    store->keep = store->given;
    store->given = swap;
    store->given.last = store->keep.last;
    return store->keep.count;
}

/* The whole batch in one transaction; 0 or the error of the medium. */
static int commit(struct store *store)
{
    int error = store_db_begin(store->db);

    for (size_t i = 0; i < store->keep.count && !error; i++) {
        error = store_db_keep(store->db, store->keep.records[i]);
        if (error && !store_db_may_pass(error)) {
            char why[200];

            store_db_why(store->db, error, why, sizeof(why));
            log_error("store: record %llu could not be kept: %s",
                      (unsigned long long)store->keep.records[i]->number, why);
            error = 0;
        }
    }
    if (!error)
        error = store_db_commit(store->db);
    if (error)
        store_db_undo(store->db);
    return error;
}

static void tell(struct store *store, int error)
{
    char why[sizeof(store->why)] = "";

    if (error)
        store_db_why(store->db, error, why, sizeof(why));
    pthread_mutex_lock(&store->lock);
    bool changed = strcmp(store->why, why) != 0;
    memcpy(store->why, why, sizeof(store->why));
    if (!error) {
        store->safe = store->keep.last;
        store->waiting -= store->keep.given;
        store->commits++;
        store->bytes = store_db_written(store->db);
    }
    pthread_mutex_unlock(&store->lock);
    if (changed && error)
        log_error("store: nothing can be kept: %s", why);
    else if (changed)
        log_info("store: what waited is kept again");
    eventfd_write(store->fd, 1);
}

/* True when the end was asked for while the medium fails. */
static bool pause_or_end(struct store *store)
{
    struct timespec until = at_ms(now_ms() + AGAIN_MS);
    bool ending;

    pthread_mutex_lock(&store->lock);
    while (!store->ending) {
        if (pthread_cond_timedwait(&store->moved, &store->lock, &until) == ETIMEDOUT)
            break;
    }
    ending = store->ending;
    pthread_mutex_unlock(&store->lock);
    return ending;
}

/* Tries until the batch is safe. False: it is not, and the end was asked for. */
static bool make_safe(struct store *store)
{
    batch_settle(&store->keep);
    for (;;) {
        int error = commit(store);

        tell(store, error);
        if (!error)
            break;
        if (pause_or_end(store))
            return false;
    }
    batch_clear(&store->keep);
    return true;
}

static void *store_main(void *arg)
{
    struct store *store = arg;
    bool goes_on = true;

    while (goes_on) {
        pthread_mutex_lock(&store->lock);
        size_t count = gather(store);
        goes_on = count > 0 || !store->ending;
        store->at_disk = true;
        store->due_us = MOMENT_NEVER;
        pthread_mutex_unlock(&store->lock);
        if (count > 0 && !make_safe(store))
            break;
        uint64_t log = store_db_log_bytes(store->db);
        if (log > LOG_BYTES_MOST || (count == 0 && log > LOG_BYTES_IDLE))
            store_db_checkpoint(store->db);
    }
    pthread_mutex_lock(&store->lock);
    store->ended = true;
    pthread_cond_broadcast(&store->moved);
    pthread_mutex_unlock(&store->lock);
    return NULL;
}

/* --- the loop's side --- */

static int init(struct store *store)
{
    pthread_condattr_t attributes;
    int r;

    store->due_us = MOMENT_NEVER;
    store->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (store->fd < 0)
        return -errno;
    r = -pthread_mutex_init(&store->lock, NULL);
    if (r < 0)
        goto fail_fd;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    r = -pthread_cond_init(&store->moved, &attributes);
    pthread_condattr_destroy(&attributes);
    if (r < 0)
        goto fail_lock;
    return 0;

fail_lock:
    pthread_mutex_destroy(&store->lock);
fail_fd:
    close(store->fd);
    return r;
}

int store_new(struct store **ret)
{
    struct store *store = calloc(1, sizeof(*store));

    if (!store)
        return -ENOMEM;
    int r = init(store);
    if (r < 0) {
        free(store);
        return r;
    }
    *ret = store;
    return 0;
}

int store_open(struct store **ret, const char *folder, char *why, size_t why_size)
{
    struct store_db *db;
    struct store *store;
    int r = store_db_open(&db, folder, why, why_size);

    if (r < 0)
        return r;
    r = store_new(&store);
    if (r < 0) {
        snprintf(why, why_size, "the store cannot be opened: %s", strerror(-r));
        store_db_close(db);
        return r;
    }
    store->db = db;
    store->last = store->safe = store_db_last(db);
    *ret = store;
    return 0;
}

struct record *store_recall(struct store *store)
{
    int error;

    if (!store->db || store->started)
        return NULL;
    struct record *record = store_db_recall(store->db, &error);
    if (error)
        store_db_why(store->db, error, store->why, sizeof(store->why));
    return record;
}

uint64_t store_last(const struct store *store)
{
    return store->last;
}

static void start_thread(struct store *store)
{
    int r = pthread_create(&store->thread, NULL, store_main, store);

    store->started = r == 0;
    if (r != 0)
        snprintf(store->why, sizeof(store->why), "the store has no thread: %s", strerror(r));
    else
        pthread_setname_np(store->thread, "store");
}

void store_give(struct store *store, struct record *record)
{
    int64_t by_ms = now_ms() + patience_of(record->kind);

    if (!store->db) {
        store->safe = record->number;
        record_free(record);
        eventfd_write(store->fd, 1);
        return;
    }
    pthread_mutex_lock(&store->lock);
    bool sooner = store->given.count == 0 || by_ms < store->commit_ms;
    /* A record that is lost would make the next ones untrue: then no number may rise any more.
     */
    if (!batch_add(&store->given, record))
        abort();
    store->waiting++;
    if (store->started && !store->at_disk && store->due_us == MOMENT_NEVER)
        store->due_us = clock_boot_us() + TAKE_US;
    if (sooner) {
        store->commit_ms = by_ms;
        pthread_cond_signal(&store->moved);
    }
    pthread_mutex_unlock(&store->lock);
    if (!store->started)
        start_thread(store);
}

void store_hurry(struct store *store, uint64_t number)
{
    pthread_mutex_lock(&store->lock);
    if (number > store->hurried) {
        store->hurried = number;
        pthread_cond_signal(&store->moved);
    }
    pthread_mutex_unlock(&store->lock);
}

uint64_t store_safe(struct store *store)
{
    eventfd_t count;
    uint64_t safe;

    eventfd_read(store->fd, &count);
    pthread_mutex_lock(&store->lock);
    safe = store->safe;
    pthread_mutex_unlock(&store->lock);
    return safe;
}

int64_t store_overdue_us(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    int64_t due_us = store->due_us;
    pthread_mutex_unlock(&store->lock);

    int64_t now_us = clock_boot_us();
    return now_us > due_us ? now_us - due_us : 0;
}

int store_fd(const struct store *store)
{
    return store->fd;
}

void store_state(struct store *store, struct store_state *state)
{
    pthread_mutex_lock(&store->lock);
    *state = (struct store_state){
        .waiting = store->waiting, .commits = store->commits, .bytes = store->bytes};
    memcpy(state->why, store->why, sizeof(state->why));
    pthread_mutex_unlock(&store->lock);
    if (!state->why[0] && state->waiting > STORE_WAITING_MOST)
        snprintf(state->why, sizeof(state->why),
                 "the disk is too slow: %zu records wait to be kept", state->waiting);
    state->takes = !state->why[0];
}

int store_end(struct store *store, int patience_ms)
{
    struct timespec until = at_ms(now_ms() + patience_ms);
    bool ended, safe;

    if (!store->started)
        return store->waiting > 0 ? STORE_E_UNSAFE : 0;
    pthread_mutex_lock(&store->lock);
    store->ending = true;
    pthread_cond_broadcast(&store->moved);
    while (!store->ended) {
        if (pthread_cond_timedwait(&store->moved, &store->lock, &until) == ETIMEDOUT)
            break;
    }
    ended = store->ended;
    safe = store->waiting == 0;
    pthread_mutex_unlock(&store->lock);
    return ended && safe ? 0 : STORE_E_UNSAFE;
}

void store_free(struct store *store)
{
    if (!store)
        return;
    if (store->started) {
        store_end(store, END_PATIENCE_MS);
        pthread_join(store->thread, NULL);
    }
    store_db_close(store->db);
    batch_deinit(&store->given);
    batch_deinit(&store->keep);
    pthread_cond_destroy(&store->moved);
    pthread_mutex_destroy(&store->lock);
    close(store->fd);
    free(store);
}
