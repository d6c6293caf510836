/*
 * Faults: what the system may do to a process, at the wish of a test (LD_PRELOAD).
 *
 * FAULTS names a file of `struct wishes`, which the test changes while the process runs: writes
 * to the database fail or take long, a site's profiles cannot be opened yet, the time of day is
 * another. FAULTS_MALLOC=N: the allocation number N of the process fails, once;
 * FAULTS_MALLOC_MORE=M: so do the M after it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct wishes {
    int32_t disk_errno; /* of what is written to the database; 0: it is written */
    int32_t sync_ms;    /* how long a flush takes */
    int64_t wall_ms;    /* added to the time of day */
    int64_t no_memory;  /* not 0: no allocation succeeds */
    int64_t held;       /* not 0: to open a site's profile takes until this is 0 */
    int64_t waiting;    /* for that, now; ours to write */
};

enum { FDS = 1024 };

static struct wishes none;
static volatile struct wishes *wishes = &none;
static bool is_database[FDS];
static bool counts;
static unsigned long allocations, fail_from, fail_to;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *pointer, size_t size);

__attribute__((constructor)) static void begin(void)
{
    const char *file = getenv("FAULTS"), *from = getenv("FAULTS_MALLOC");
    const char *more = getenv("FAULTS_MALLOC_MORE");
    int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;

    if (fd >= 0) {
        void *map = mmap(NULL, sizeof(*wishes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (map != MAP_FAILED)
            wishes = map;
        close(fd);
    }
    fail_from = from ? strtoul(from, NULL, 10) : 0;
    fail_to = fail_from + (more ? strtoul(more, NULL, 10) : 0);
}

/* The function that stands behind ours. */
#define REAL(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

/* --- memory --- */

static bool has_none(void)
{
    if (wishes->no_memory) {
        errno = ENOMEM;
        return true;
    }
    if (!__atomic_load_n(&counts, __ATOMIC_RELAXED))
        return false;
    unsigned long number = __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);

    if (!fail_from || number < fail_from || number > fail_to)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return has_none() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return has_none() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *pointer, size_t size)
{
    return has_none() ? NULL : __libc_realloc(pointer, size);
}

/* --- disk --- */

static int remember(int fd, const char *path)
{
    if (strstr(path, "jobgate.lock"))
        __atomic_store_n(&counts, true, __ATOMIC_RELAXED);
    if (fd >= 0 && fd < FDS)
        is_database[fd] = strstr(path, "jobgate.db") != NULL;
    return fd;
}

static void wait_for_card(const char *path)
{
    if (!wishes->held || !strstr(path, "/profiles.d/"))
        return;
    __atomic_add_fetch(&wishes->waiting, 1, __ATOMIC_RELAXED);
    while (wishes->held)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    __atomic_sub_fetch(&wishes->waiting, 1, __ATOMIC_RELAXED);
}

static bool is_broken(int fd)
{
    int error = fd >= 0 && fd < FDS && is_database[fd] ? wishes->disk_errno : 0;

    if (error)
        errno = error;
    return error != 0;
}

#define OPEN(name)                                                                             \
    int name(const char *path, int flags, ...)                                                 \
    {                                                                                          \
        va_list arguments;                                                                     \
                                                                                               \
        va_start(arguments, flags);                                                            \
        mode_t mode = (flags & O_CREAT) ? va_arg(arguments, mode_t) : 0;                       \
        va_end(arguments);                                                                     \
        wait_for_card(path);                                                                   \
        return remember(REAL(name)(path, flags, mode), path);                                  \
    }
OPEN(open64)

#define WRITE(name, offset)                                                                    \
    ssize_t name(int fd, const void *bytes, size_t size, offset at)                            \
    {                                                                                          \
        return is_broken(fd) ? -1 : REAL(name)(fd, bytes, size, at);                           \
    }
WRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *bytes, size_t size)
{
    return is_broken(fd) ? -1 : REAL(write)(fd, bytes, size);
}

static void take_time(void)
{
    int64_t ms = wishes->sync_ms;
    struct timespec pause = {.tv_sec = (time_t)(ms / 1000),
                             .tv_nsec = (long)(ms % 1000 * 1000000)};

    if (ms > 0)
        nanosleep(&pause, NULL);
}

#define SYNC(name)                                                                             \
    int name(int fd)                                                                           \
    {                                                                                          \
        if (fd >= 0 && fd < FDS && is_database[fd])                                            \
            take_time();                                                                       \
        return is_broken(fd) ? -1 : REAL(name)(fd);                                            \
    }
SYNC(fsync)
SYNC(fdatasync)

/* --- the time of day --- */

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int r = REAL(clock_gettime)(clock, ret);

    if (r == 0 && clock == CLOCK_REALTIME)
        ret->tv_sec += (time_t)(wishes->wall_ms / 1000);
    return r;
}

time_t time(time_t *ret)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}
