/* A disk that is slow, for LD_PRELOAD: each flush waits before it is done. SLOW_DISK_MS is how
   long, or several times, one after the other: "0,0,0,500" stalls at every fourth flush. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static atomic_uint flushes;

static void wait_for_disk(void)
{
    const char *text = getenv("SLOW_DISK_MS");
    unsigned long times[16];
    unsigned count = 0;

    while (text && *text && count < sizeof(times) / sizeof(*times)) {
        char *end;

        times[count++] = strtoul(text, &end, 10);
        text = *end == ',' ? end + 1 : "";
    }
    if (count == 0)
        return;
    unsigned long ms = times[atomic_fetch_add(&flushes, 1) % count];
    nanosleep(&(struct timespec){.tv_sec = (time_t)(ms / 1000),
                                 .tv_nsec = (long)(ms % 1000) * 1000000},
              NULL);
}

static int flush(const char *name, int fd)
{
    int (*real)(int) = NULL;

    *(void **)&real = dlsym(RTLD_NEXT, name);
    wait_for_disk();
    return real ? real(fd) : -1;
}

int fsync(int fd)
{
    return flush("fsync", fd);
}

int fdatasync(int fd)
{
    return flush("fdatasync", fd);
}
