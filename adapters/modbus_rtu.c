/*
 * The serial port: opened, locked and set here, since libmodbus 3.1.6 does not lock it, takes
 * an unknown speed for 9600, and fails on a pseudo-terminal with parity that was not closed
 * well.
 */
#include "adapters/modbus_line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#define SAY(why, size, ...) snprintf(why, size, __VA_ARGS__)

static const struct {
    unsigned baud;
    speed_t speed;
} speeds[] = {
    {300, B300},         {600, B600},         {1200, B1200},       {1800, B1800},
    {2400, B2400},       {4800, B4800},       {9600, B9600},       {19200, B19200},
    {38400, B38400},     {57600, B57600},     {115200, B115200},   {230400, B230400},
    {460800, B460800},   {500000, B500000},   {576000, B576000},   {921600, B921600},
    {1000000, B1000000}, {1152000, B1152000}, {1500000, B1500000}, {2000000, B2000000},
    {2500000, B2500000}, {3000000, B3000000}, {3500000, B3500000}, {4000000, B4000000},
};

static bool find_speed(unsigned baud, speed_t *ret)
{
    for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
        if (speeds[i].baud == baud) {
            *ret = speeds[i].speed;
            return true;
        }
    }
    return false;
}

bool rtu_baud_exists(unsigned baud)
{
    speed_t speed;

    return find_speed(baud, &speed);
}

/* Who holds the flock; 0 when /proc/locks does not say. Its lines are
   "1: FLOCK ADVISORY WRITE pid major:minor:inode 0 EOF", the device in hex (proc(5)). */
static long lock_holder(const char *path)
{
    FILE *locks = fopen("/proc/locks", "re");
    struct stat port;
    char line[256], wanted[64] = "";
    long holder = 0;

    if (!locks)
        return 0;
    if (stat(path, &port) == 0)
        snprintf(wanted, sizeof(wanted), "%02x:%02x:%ju", major(port.st_dev),
                 minor(port.st_dev), (uintmax_t)port.st_ino);
    while (holder == 0 && fgets(line, sizeof(line), locks)) {
        char *rest, *fields[6] = {strtok_r(line, " ", &rest)};

        for (int i = 1; i < 6 && fields[i - 1]; i++)
            fields[i] = strtok_r(NULL, " ", &rest);
        if (fields[5] && strcmp(fields[1], "FLOCK") == 0 && strcmp(fields[5], wanted) == 0)
            holder = strtol(fields[4], NULL, 10);
    }
    fclose(locks);
    return holder;
}

static void say_held(const char *port, char *why, size_t why_size)
{
    long holder = lock_holder(port);

    if (holder > 0)
        SAY(why, why_size, "port %s is held by process %ld", port, holder);
    else
        SAY(why, why_size, "port %s is held by another program", port);
}

static void say_not_opened(int error, const char *port, char *why, size_t why_size)
{
    switch (error) {
    case ENOENT:
        SAY(why, why_size, "port %s does not exist: is the adapter plugged in?", port);
        break;
    case EACCES:
    case EPERM:
        SAY(why, why_size, "no right to open port %s: join group dialout", port);
        break;
    case EBUSY: /* TIOCEXCL of who has the lock */
        say_held(port, why, why_size);
        break;
    default:
        SAY(why, why_size, "port %s cannot be opened: %s", port, strerrordesc_np(error));
    }
}

/* Slaves have majors 136 to 143. */
static bool is_pseudo_terminal(int fd)
{
    struct stat port;

    return fstat(fd, &port) == 0 && major(port.st_rdev) >= 136 && major(port.st_rdev) <= 143;
}

/* TIOCEXCL keeps out those that do not ask for the lock, unless they are root. It ends when the
   last one closes the port; the far end of a pseudo-terminal may never, so there it would
   outlive a crash and keep ourselves out. */
static int lock_port(int fd, const char *port, char *why, size_t why_size)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        if (!is_pseudo_terminal(fd))
            ioctl(fd, TIOCEXCL);
        return 0;
    }
    int r = -errno;

    if (r == -EWOULDBLOCK)
        say_held(port, why, why_size);
    else
        SAY(why, why_size, "port %s cannot be locked: %s", port, strerrordesc_np(-r));
    return r == -EWOULDBLOCK ? -EBUSY : r;
}

/* The kernel drops the parity bit of a pseudo-terminal, and tcsetattr() fails where nothing
   else was to change: there it is not asked for. */
static struct termios wanted_mode(const struct adapter_settings *settings, bool with_parity,
                                  const struct termios *old)
{
    struct termios mode = *old;
    speed_t speed = B9600;

    find_speed(settings->baud, &speed);
    cfmakeraw(&mode);
    cfsetispeed(&mode, speed);
    cfsetospeed(&mode, speed);
    mode.c_cflag &= ~(tcflag_t)(CSTOPB | PARENB | PARODD | CRTSCTS | HUPCL);
    mode.c_cflag |= CLOCAL | CREAD;
    if (settings->stop_bits == 2)
        mode.c_cflag |= CSTOPB;
    if (with_parity && settings->parity != 'N')
        mode.c_cflag |= PARENB;
    if (with_parity && settings->parity == 'O')
        mode.c_cflag |= PARODD;
    mode.c_iflag = with_parity && settings->parity != 'N' ? INPCK : 0;
    mode.c_cc[VMIN] = 1; /* so that 0 bytes read mean a hang-up */
    mode.c_cc[VTIME] = 0;
    return mode;
}

static bool same_mode(const struct termios *a, const struct termios *b)
{
    const tcflag_t matter = CSIZE | CSTOPB | PARENB | PARODD | CREAD | CLOCAL | CRTSCTS;

    return (a->c_cflag & matter) == (b->c_cflag & matter) && a->c_lflag == b->c_lflag &&
           a->c_oflag == b->c_oflag && cfgetospeed(a) == cfgetospeed(b);
}

static int set_mode(int fd, const struct adapter_settings *settings, char *why, size_t why_size)
{
    struct termios old, wanted, got;

    if (tcgetattr(fd, &old) < 0) {
        SAY(why, why_size, "%s is not a serial port", settings->port);
        return -errno;
    }
    wanted = wanted_mode(settings, !is_pseudo_terminal(fd), &old);
    if (tcsetattr(fd, TCSANOW, &wanted) < 0 || tcgetattr(fd, &got) < 0 ||
        !same_mode(&wanted, &got)) {
        SAY(why, why_size, "port %s does not take %u baud %u%c%u", settings->port,
            settings->baud, settings->data_bits, settings->parity, settings->stop_bits);
        return -EINVAL;
    }
    tcflush(fd, TCIOFLUSH);
    return 0;
}

int rtu_port_open(const struct adapter_settings *settings, char *why, size_t why_size)
{
    int r;

    if (!rtu_baud_exists(settings->baud)) {
        SAY(why, why_size, "a speed of %u baud does not exist", settings->baud);
        return -EINVAL;
    }
    int fd = open(settings->port, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        r = -errno;
        say_not_opened(-r, settings->port, why, why_size);
        return r;
    }
    r = lock_port(fd, settings->port, why, why_size);
    if (r == 0)
        r = set_mode(fd, settings, why, why_size);
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}
