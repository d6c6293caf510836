/* Store: disks that are slow, full, broken, and power that goes away. The disk is faked at its
   edge, by a SQLite file system that passes everything on and can be told to misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture_store.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/wait.h>

/* --- the disk --- */

enum { FINE = SQLITE_OK };

/* SQLite has one table of methods for databases and another for journals. */
struct methods {
    sqlite3_io_methods ours;
    const sqlite3_io_methods *real;
};

static struct {
    sqlite3_vfs vfs, *real;
    struct methods methods[4];
    atomic_int sync_ms;     /* how long a flush takes */
    atomic_int write_error; /* what a write ends with */
    atomic_int syncs;
} disk;

static const sqlite3_io_methods *real_of(const sqlite3_file *file)
{
    return ((const struct methods *)(const void *)file->pMethods)->real;
}

static int disk_sync(sqlite3_file *file, int flags)
{
    int ms = atomic_load(&disk.sync_ms);

    atomic_fetch_add(&disk.syncs, 1);
    if (ms > 0)
        nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L},
                  NULL);
    return real_of(file)->xSync(file, flags);
}

static int disk_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
    int error = atomic_load(&disk.write_error);

    return error != FINE ? error : real_of(file)->xWrite(file, bytes, size, at);
}

static int disk_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                     int *given)
{
    (void)vfs;
    int error = disk.real->xOpen(disk.real, name, file, flags, given);
    if (error != SQLITE_OK || !file->pMethods)
        return error;
    struct methods *methods = disk.methods;
    while (methods->real && methods->real != file->pMethods)
        methods++;
    if (!methods->real) {
        methods->real = file->pMethods;
        methods->ours = *file->pMethods;
        methods->ours.xSync = disk_sync;
        methods->ours.xWrite = disk_write;
    }
    file->pMethods = &methods->ours;
    return error;
}

static int disk_make(void **state)
{
    (void)state;
    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real;
    disk.vfs.zName = "bad-disk";
    disk.vfs.xOpen = disk_open;
    return sqlite3_vfs_register(&disk.vfs, 1);
}

static void disk_is(int sync_ms, int write_error)
{
    atomic_store(&disk.sync_ms, sync_ms);
    atomic_store(&disk.write_error, write_error);
}

static void keep(struct store *store, uint64_t number, enum record_kind kind, const char *job,
                 const char *device, const char *text)
{
    store_give(store, record_of(number, kind, job, device, text));
}

/* --- slow --- */

static void a_slow_flush_never_holds_the_caller(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    assert_true(is_safe_within(store, 1, 60000));
    disk_is(5000, FINE);
    int64_t worst = 0;
    for (unsigned i = 2; i < 200; i++) {
        int64_t began = now_ms();

        keep(store, i, RECORD_STATUS, "night", NULL, "x");
        store_safe(store);
        if (now_ms() - began > worst)
            worst = now_ms() - began;
    }
    assert_in_range(worst, 0, 4000);
    assert_true(store_safe(store) < 199);
    assert_true(is_safe_within(store, 199, 60000));
    disk_is(0, FINE);
    store_free(store);
    folder_free(folder);
}

static void what_comes_during_a_flush_shares_the_next(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);
    struct store_state is;

    (void)state;
    disk_is(2000, FINE);
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    for (unsigned i = 2; i <= 500; i++)
        keep(store, i, RECORD_STATUS, "night", NULL, "x");
    assert_true(is_safe_within(store, 500, 60000));
    disk_is(0, FINE);
    store_state(store, &is);
    assert_in_range(is.commits, 1, 3);
    store_free(store);
    folder_free(folder);
}

static void what_nobody_waits_for_gathers_company(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);
    struct store_state is;

    (void)state;
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    assert_true(is_safe_within(store, 1, 60000));
    for (unsigned last = 1, commits = 0; commits != 1; last += 11) {
        assert_in_range(last, 1,
                        500); /* company waits for 150 ms: so long nothing may hold us */
        store_state(store, &is);
        commits = (unsigned)is.commits;
        for (unsigned i = 1; i < 11; i++)
            keep(store, last + i, RECORD_DONE, "night", "r1", "x");
        keep(store, last + 11, RECORD_OUTCOME, "night", "r1", "x");
        assert_true(is_safe_within(store, last + 11, 60000));
        store_state(store, &is);
        commits = (unsigned)is.commits - commits;
    }
    store_free(store);
    folder_free(folder);
}

static void a_hung_disk_takes_no_new_work_in_the_end(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);
    struct store_state is;

    (void)state;
    disk_is(5000, FINE);
    for (unsigned i = 1; i <= STORE_WAITING_MOST + 1; i++)
        keep(store, i, RECORD_TWIN, NULL, "r1", "{}");
    store_state(store, &is);
    assert_false(is.takes);
    assert_non_null(strstr(is.why, "the disk is too slow"));
    disk_is(0, FINE);
    assert_true(is_safe_within(store, STORE_WAITING_MOST + 1, 60000));
    store_state(store, &is);
    assert_true(is.takes);
    store_free(store);
    folder_free(folder);
}

static void a_hung_disk_does_not_hold_the_end(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    disk_is(8000, FINE);
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    int64_t began = now_ms();
    assert_int_equal(store_end(store, 100), STORE_E_UNSAFE);
    assert_in_range(now_ms() - began, 0, 7000);
    disk_is(0, FINE);
    store_free(store);
    folder_free(folder);
}

/* --- full and broken --- */

static void goes_on_after(int error, const char *sentence)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);
    struct store_state is;

    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    assert_true(is_safe_within(store, 1, 60000));
    disk_is(0, error);
    keep(store, 2, RECORD_OUTCOME, "night", "r1", "o1");
    for (int i = 0; i < 500; i++) {
        store_state(store, &is);
        if (!is.takes)
            break;
        poll(NULL, 0, 10);
    }
    assert_false(is.takes);
    assert_non_null(strstr(is.why, sentence));
    assert_int_equal(store_safe(store), 1);
    keep(store, 3, RECORD_OUTCOME, "night", "r2", "o2");

    disk_is(0, FINE);
    assert_true(is_safe_within(store, 3, 60000));
    store_state(store, &is);
    assert_true(is.takes);
    assert_string_equal(is.why, "");
    store_free(store);

    store = open_at(folder);
    char *text = recalled(store);
    assert_string_equal(text, "1 night - {}\n5 night r1 o1\n5 night r2 o2\n");
    free(text);
    store_free(store);
    folder_free(folder);
}

static void a_full_disk_loses_nothing(void **state)
{
    (void)state;
    goes_on_after(SQLITE_FULL, "jobgate.db is full: free some space");
}

static void a_failing_disk_loses_nothing(void **state)
{
    (void)state;
    goes_on_after(SQLITE_IOERR_WRITE, "jobgate.db fails: ");
}

static void a_disk_that_became_read_only_loses_nothing(void **state)
{
    (void)state;
    goes_on_after(SQLITE_READONLY, "jobgate.db cannot be written: ");
}

static void a_full_disk_does_not_hold_the_end(void **state)
{
    char *folder = folder_new();
    struct store *store = open_at(folder);

    (void)state;
    disk_is(0, SQLITE_FULL);
    keep(store, 1, RECORD_JOB, "night", NULL, "{}");
    assert_int_equal(store_end(store, 3000), STORE_E_UNSAFE);
    disk_is(0, FINE);
    store_free(store);
    folder_free(folder);
}

/* --- power --- */

/* Writes until it is killed, and says through the pipe what is safe. */
static void write_until_killed(const char *folder, int to)
{
    struct store *store;
    char why[300], device[16];
    uint64_t said = 0;

    if (store_open(&store, folder, why, sizeof(why)) != 0)
        _exit(2);
    uint64_t number = store_last(store);
    if (number == 0)
        keep(store, ++number, RECORD_JOB, "night", NULL, "{}");
    for (;;) {
        for (unsigned i = 0; i < 8; i++) {
            snprintf(device, sizeof(device), "%llu", (unsigned long long)++number);
            keep(store, number, RECORD_OUTCOME, "night", device, device);
        }
        store_hurry(store, number);
        poll(NULL, 0, 1);
        uint64_t safe = store_safe(store);
        if (safe > said && write(to, &safe, sizeof(safe)) != sizeof(safe))
            _exit(3);
        said = safe;
    }
}

static uint64_t last_said(int from)
{
    uint64_t safe, last = 0;

    while (read(from, &safe, sizeof(safe)) == sizeof(safe))
        last = safe;
    return last;
}

static void a_kill_loses_nothing_that_was_said_safe(void **state)
{
    char *folder = folder_new();
    uint64_t before = 1;

    (void)state;
    srand(4711);
    for (int round = 0; round < 15; round++) {
        int ends[2];

        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            write_until_killed(folder, ends[1]);
        }
        close(ends[1]);
        if (round % 4 > 0) /* the others may be killed before they have begun */
            assert_int_equal(poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, 60000), 1);
        poll(NULL, 0, rand() % 90);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        uint64_t said = last_said(ends[0]);
        close(ends[0]);

        /* Every number up to the last one is there, and that is not less than what was said. */
        struct store *store = open_at(folder);
        struct record *record;
        uint64_t next = 2, last = store_last(store);
        while ((record = store_recall(store))) {
            if (record->kind == RECORD_OUTCOME) {
                assert_int_equal(record->number, next);
                assert_int_equal(strtoull(record->text, NULL, 10), next);
                next++;
            }
            record_free(record);
        }
        assert_true(last >= said && last + 1 >= before);
        if (last > 0)
            assert_int_equal(next, last + 1);
        before = last;
        store_free(store);
    }
    assert_true(before > 10); /* else nothing was shown */
    folder_free(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_loses_nothing_that_was_said_safe),
        cmocka_unit_test(a_slow_flush_never_holds_the_caller),
        cmocka_unit_test(what_comes_during_a_flush_shares_the_next),
        cmocka_unit_test(what_nobody_waits_for_gathers_company),
        cmocka_unit_test(a_hung_disk_takes_no_new_work_in_the_end),
        cmocka_unit_test(a_hung_disk_does_not_hold_the_end),
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(a_failing_disk_loses_nothing),
        cmocka_unit_test(a_disk_that_became_read_only_loses_nothing),
        cmocka_unit_test(a_full_disk_does_not_hold_the_end),
    };

    return cmocka_run_group_tests(tests, disk_make, NULL);
}
