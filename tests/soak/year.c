/*
 * Year: days of a gateway's life on a simulated clock and wire, and on a true disk: jobs,
 * patches, calls and polls, devices that die and come back. Prints month by month what the
 * engine has on the heap and what the database takes; ends with 1 where that grows with the
 * days.
 *
 *     year [--days N]
 */
#include "fixture_engine.h"
#include "fixture_store.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEVICES = 31, JOBS_A_DAY = 4, CALLS_A_DAY = 40, MONTH = 30, RETENTION_DAYS = 7 };
enum { HEAP_SLACK = 1 << 20, TASK_BYTES_MOST = 4096, DISK_SLACK = 4 << 20 };

struct year {
    struct world world; /* first: the callbacks get a pointer to it */
    struct store *store;
    char *folder;
    unsigned long jobs, tasks, calls, records;
};

struct figures {
    size_t heap, disk;
    unsigned long tasks;
};

static void on_record(struct world *world, const struct record *record)
{
    struct year *year = (struct year *)(void *)world;
    struct record *copy = record_of(record->number, record->kind, record->job_id,
                                    record->device_id, record->text);

    copy->step = record->step;
    store_give(year->store, copy);
    year->records++;
}

/* The disk is true and takes its time, the day is simulated and does not. */
static void wait_for_disk(struct year *year)
{
    int64_t until_ms = now_ms() + 20000;

    while (store_safe(year->store) < year->world.kept) {
        struct pollfd moved = {.fd = store_fd(year->store), .events = POLLIN};

        assert_true(now_ms() < until_ms);
        poll(&moved, 1, 100);
    }
}

static void forget_reports(struct world *world)
{
    for (size_t i = 0; i < world->report_count; i++)
        report_free(world->reports[i]);
    world->report_count = 0;
    for (size_t i = 0; i < world->job_count; i++)
        free(world->jobs[i]);
    world->job_count = 0;
}

static void live_a_day(struct year *year, unsigned day)
{
    struct world *world = &year->world;
    char id[32], desired[64];

    world->devices[day % DEVICES].dead = true;
    for (unsigned i = 0; i < JOBS_A_DAY; i++) {
        snprintf(id, sizeof(id), "day-%u-%u", day, i);
        snprintf(desired, sizeof(desired), "{\"setpoint\": %u}", day % 20 + i);
        if (i % 2)
            world_go(world, id, "*");
        else
            world_patch_job(world, id, desired);
        year->jobs++;
        year->tasks += DEVICES;
        for (unsigned k = 0; k < CALLS_A_DAY / JOBS_A_DAY; k++, year->calls++) {
            world_call(world, world->devices[(day + k) % DEVICES].id);
            world_run(world, 60 * SECONDS);
        }
        world_run(world, 86400 / JOBS_A_DAY * SECONDS - 600 * SECONDS);
        forget_reports(world);
    }
    world->devices[day % DEVICES].dead = false;
    wait_for_disk(year);
}

static size_t disk_bytes(const struct year *year)
{
    static const char *const names[] = {"jobgate.db", "jobgate.db-wal"};
    size_t bytes = 0;

    for (size_t i = 0; i < 2; i++) {
        char path[300];
        struct stat found;

        snprintf(path, sizeof(path), "%s/%s", year->folder, names[i]);
        if (stat(path, &found) == 0)
            bytes += (size_t)found.st_size;
    }
    return bytes;
}

static struct figures look(struct year *year, unsigned day)
{
    struct figures now = {.tasks = year->tasks, .disk = disk_bytes(year)};

    malloc_trim(0);
    now.heap = mallinfo2().uordblks;
    printf(
        "day %4u %9lu jobs %9lu tasks %9lu calls %9lu records %9zu KB heap %9zu KB on disk\n",
        day, year->jobs, year->tasks, year->calls, year->records, now.heap / 1024,
        now.disk / 1024);
    fflush(stdout);
    return now;
}

static void begin(struct year *year)
{
    char why[240];

    world_init(&year->world, DEVICES, 1);
    year->world.site->store.retention_days = RETENTION_DAYS;
    year->world.keeps = on_record;
    year->world.fixture.points[WORLD_SETPOINT].poll_ms = 600000;
    year->folder = folder_new();
    if (store_open(&year->store, year->folder, why, sizeof(why)) < 0)
        fail_msg("%s", why);
    world_method_write(&year->world);
    world_open(&year->world);
}

static int judge(const struct figures *early, const struct figures *late)
{
    unsigned long tasks = late->tasks - early->tasks;
    bool heap = late->heap <= early->heap + early->heap / 4 + HEAP_SLACK;
    bool disk = late->disk <= early->disk + tasks * TASK_BYTES_MOST + DISK_SLACK;

    printf(
        "heap %s: %zu KB, then %zu KB; database %s: %zu KB, then %zu KB, %.0f bytes for each "
        "task between\n",
        heap ? "level" : "GROWS", early->heap / 1024, late->heap / 1024,
        disk ? "level" : "GROWS", early->disk / 1024, late->disk / 1024,
        tasks ? ((double)late->disk - (double)early->disk) / (double)tasks : 0.0);
    return heap && disk ? 0 : 1;
}

int main(int argc, char **argv)
{
    unsigned days = argc == 3 && strcmp(argv[1], "--days") == 0
                        ? (unsigned)strtoul(argv[2], NULL, 10)
                        : 365;
    struct year *year = calloc(1, sizeof(*year));
    struct figures early = {0}, late;

    if (!year || days < 2 * RETENTION_DAYS + 2) {
        fprintf(stderr, "usage: year [--days N], N at least %d\n", 2 * RETENTION_DAYS + 2);
        return 2;
    }
    begin(year);
    for (unsigned day = 1; day <= days; day++) {
        live_a_day(year, day);
        if (day == 2 * RETENTION_DAYS)
            early = look(year, day);
        else if (day % MONTH == 0 && day != days)
            look(year, day);
    }
    late = look(year, days);
    world_deinit(&year->world);
    store_free(year->store);
    folder_free(year->folder);
    free(year);
    return judge(&early, &late);
}
