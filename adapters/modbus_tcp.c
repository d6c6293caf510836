/*
 * The connection: made here, since libmodbus 3.1.6 cannot be woken while it connects, and looks
 * up a name for as long as the resolver likes even where a number was given.
 */
#include "adapters/modbus_line.h"
#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SAY(why, size, ...) snprintf(why, size, __VA_ARGS__)

enum {
    UNACKNOWLEDGED_MS = 5000, /* a pulled cable: the send buffer must not go on filling */
    IDLE_S = 30,
    PROBE_S = 10,
    PROBES = 3,
};

static void set_option(int fd, int level, int option, int value)
{
    /* Best effort: a connection without keepalive still works. */
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

static int connection_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return errno;
    return error;
}

static int connect_one(const struct addrinfo *address, int64_t until_us, int wake_fd)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = 0;

    if (fd < 0)
        return -errno;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, PROBE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS);
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
        error = errno;
    if (error == EINPROGRESS) {
        unsigned what = wait_until(until_us, fd, POLLOUT, wake_fd);

        if (what & WAIT_WAKE)
            error = ECANCELED;
        else
            error = what & WAIT_PORT ? connection_error(fd) : ETIMEDOUT;
    }
    if (error == 0)
        return fd;
    close(fd);
    return -error;
}

int tcp_connect(const struct adapter_settings *settings, int64_t until_us, int wake_fd,
                char *why, size_t why_size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses;
    char service[8];
    int r = -EHOSTUNREACH;

    snprintf(service, sizeof(service), "%u", settings->tcp_port);
    int failed = getaddrinfo(settings->host, service, &hints, &addresses);

    if (failed) {
        SAY(why, why_size, "host %s cannot be found: %s", settings->host, gai_strerror(failed));
        return -EHOSTUNREACH;
    }
    for (struct addrinfo *at = addresses; at && r < 0 && r != -ECANCELED; at = at->ai_next)
        r = connect_one(at, until_us, wake_fd);
    freeaddrinfo(addresses);
    if (r < 0)
        SAY(why, why_size, "%s port %u cannot be reached: %s", settings->host,
            settings->tcp_port, strerrordesc_np(-r));
    return r;
}
