/*
 * The simulator keeps the terminal's near side open as well, so that a program may close and
 * open the line without a hang-up here. That alone would keep a dead program's unread bytes and
 * its termios: the kernel drops PARENB on a pseudo-terminal, and setting the same parity again
 * over otherwise equal settings fails with EINVAL. So each time somebody closes the terminal it
 * is emptied and given a speed that nobody asks for, as a port that was closed and opened.
 */
#include "sim/pty.h"

#include "sim/bus.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

struct sim_pty {
    struct sim_group *group;
    struct sim_bus bus;
    int stop;
    int far;    /* the side of the devices */
    int near;   /* the side that programs open */
    int closes; /* tells when one of them closed it */
    char name[64];
    char link[PATH_MAX];
};

static void set_raw(int fd)
{
    struct termios settings;

    if (tcgetattr(fd, &settings) < 0)
        return;
    cfmakeraw(&settings);
    cfsetspeed(&settings, B134);
    tcsetattr(fd, TCSANOW, &settings);
}

static int open_terminal(struct sim_pty *pty)
{
    pty->far = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (pty->far < 0)
        return -errno;
    if (grantpt(pty->far) < 0 || unlockpt(pty->far) < 0)
        return -errno;
    if (ptsname_r(pty->far, pty->name, sizeof(pty->name)) != 0)
        return -ENAMETOOLONG;
    pty->near = open(pty->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (pty->near < 0)
        return -errno;
    set_raw(pty->near);
    return 0;
}

static int watch_closes(struct sim_pty *pty)
{
    pty->closes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (pty->closes < 0)
        return -errno;
    if (inotify_add_watch(pty->closes, pty->name, IN_CLOSE_WRITE | IN_CLOSE_NOWRITE) < 0)
        return -errno;
    return 0;
}

static int place_link(const struct sim_pty *pty)
{
    char fresh[PATH_MAX + 8];

    snprintf(fresh, sizeof(fresh), "%s.new", pty->link);
    unlink(fresh);
    if (symlink(pty->name, fresh) < 0)
        return -errno;
    if (rename(fresh, pty->link) < 0) {
        int r = -errno;
        unlink(fresh);
        return r;
    }
    return 0;
}

static void remove_link(const struct sim_pty *pty)
{
    char target[sizeof(pty->name)];
    ssize_t length = readlink(pty->link, target, sizeof(target));

    if (length > 0 && (size_t)length == strlen(pty->name) &&
        memcmp(target, pty->name, (size_t)length) == 0)
        unlink(pty->link);
}

int sim_pty_open(struct sim_pty **ret, struct sim_group *group, const char *link, int stop)
{
    struct sim_pty *pty = calloc(1, sizeof(*pty));
    int r;

    if (!pty)
        return -ENOMEM;
    *pty = (struct sim_pty){.group = group, .stop = stop, .far = -1, .near = -1, .closes = -1};
    if ((size_t)snprintf(pty->link, sizeof(pty->link), "%s", link) >= sizeof(pty->link)) {
        free(pty);
        return -ENAMETOOLONG;
    }
    r = sim_bus_init(&pty->bus, group);
    if (r == 0)
        r = open_terminal(pty);
    if (r == 0)
        r = watch_closes(pty);
    if (r == 0)
        r = place_link(pty);
    if (r < 0) {
        sim_pty_close(pty);
        return r;
    }
    *ret = pty;
    return 0;
}

void sim_pty_close(struct sim_pty *pty)
{
    if (!pty)
        return;
    remove_link(pty);
    if (pty->closes >= 0)
        close(pty->closes);
    if (pty->near >= 0)
        close(pty->near);
    if (pty->far >= 0)
        close(pty->far);
    sim_bus_deinit(&pty->bus);
    free(pty);
}

/* Has the program that opened the terminal set it to the speed of the devices? */
static bool same_speed(const struct sim_pty *pty)
{
    static const struct {
        unsigned baud;
        speed_t speed;
    } speeds[] = {{1200, B1200},   {2400, B2400},     {4800, B4800},
                  {9600, B9600},   {19200, B19200},   {38400, B38400},
                  {57600, B57600}, {115200, B115200}, {230400, B230400}};
    struct termios settings;

    if (!pty->group->line->only_baud || tcgetattr(pty->near, &settings) < 0)
        return true;
    for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++)
        if (speeds[i].speed == cfgetospeed(&settings))
            return speeds[i].baud == pty->group->line->baud;
    return false;
}

static void clean_up_after_close(struct sim_pty *pty)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

    while (read(pty->closes, events, sizeof(events)) > 0)
        ;
    tcflush(pty->near, TCIFLUSH);
    /* Who looks for the speed opens it again at once, and sets what this would spoil. */
    if (!pty->group->line->only_baud)
        set_raw(pty->near);
}

/* Hears with the time at which it woke: the lock may take a while, the wire does not wait. */
static void hear(struct sim_pty *pty)
{
    uint8_t bytes[2 * SIM_FRAME_MAX];
    int64_t now = sim_group_now(pty->group);
    ssize_t count = read(pty->far, bytes, sizeof(bytes));

    if (count <= 0)
        return;
    bool understood = same_speed(pty);
    pthread_mutex_lock(&pty->group->lock);
    if (understood)
        sim_bus_hear(&pty->bus, bytes, (size_t)count, now);
    else
        pty->group->garbage += (uint64_t)count;
    pthread_mutex_unlock(&pty->group->lock);
}

/* Says what is due and returns when to come back. */
static int64_t speak(struct sim_pty *pty)
{
    uint8_t frame[SIM_FRAME_MAX];
    size_t count;
    int64_t next;

    pthread_mutex_lock(&pty->group->lock);
    while ((count = sim_bus_speak(&pty->bus, sim_group_now(pty->group), frame)) > 0) {
        /* What a full terminal does not take is lost, as on a wire without a listener. */
        if (write(pty->far, frame, count) < 0)
            continue;
    }
    next = sim_bus_next(&pty->bus);
    pthread_mutex_unlock(&pty->group->lock);
    return next;
}

void sim_pty_play(struct sim_pty *pty)
{
    struct pollfd fds[] = {
        {pty->stop, POLLIN, 0}, {pty->far, POLLIN, 0}, {pty->closes, POLLIN, 0}};

    prctl(PR_SET_TIMERSLACK, 1000UL); /* the default of 50 us is a tenth of a character */
    while (!(fds[0].revents & POLLIN)) {
        int64_t next = speak(pty);
        int64_t left = next - sim_group_now(pty->group);
        struct timespec wait = {left > 0 ? (time_t)(left / 1000000000) : 0,
                                left > 0 ? (long)(left % 1000000000) : 0};

        if (ppoll(fds, 3, next == INT64_MAX ? NULL : &wait, NULL) <= 0)
            continue;
        if (fds[1].revents)
            hear(pty);
        if (fds[2].revents)
            clean_up_after_close(pty);
    }
}
