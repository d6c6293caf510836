/* Sockets that the service manager opened for us (sd_listen_fds(3)): a port below 1024 without
   a capability. */
#include "base/log.h"
#include "links/api_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

enum { TEXT_SIZE = INET6_ADDRSTRLEN + 10 };

/* One shape for both families: IPv4 as IPv6 writes it. */
struct endpoint {
    struct in6_addr address;
    uint16_t port;
};

static bool read_endpoint(const struct sockaddr_storage *from, struct endpoint *endpoint)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

    memset(endpoint, 0, sizeof(*endpoint));
    if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const void *)from;

        endpoint->address = six->sin6_addr;
        endpoint->port = ntohs(six->sin6_port);
        return true;
    }
    if (from->ss_family != AF_INET)
        return false;
    const struct sockaddr_in *four = (const void *)from;

    endpoint->port = ntohs(four->sin_port);
    if (four->sin_addr.s_addr == htonl(INADDR_ANY))
        return true; /* as ::, all addresses */
    memcpy(endpoint->address.s6_addr, mapped, sizeof(mapped));
    memcpy(endpoint->address.s6_addr + sizeof(mapped), &four->sin_addr, sizeof(four->sin_addr));
    return true;
}

/* All addresses fit all addresses of either family. One address fits only itself: a socket on
   all of them would let in whom the site keeps out. */
static bool fits(const struct endpoint *passed, const struct endpoint *wanted)
{
    return passed->port == wanted->port &&
           memcmp(&passed->address, &wanted->address, sizeof(passed->address)) == 0;
}

static const char *endpoint_text(const struct sockaddr_storage *address, char text[TEXT_SIZE])
{
    struct endpoint endpoint;
    char name[INET6_ADDRSTRLEN] = "";

    if (!read_endpoint(address, &endpoint))
        return "a socket of another kind";
    if (address->ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, name,
                  sizeof(name));
    else
        inet_ntop(AF_INET6, &endpoint.address, name, sizeof(name));
    snprintf(text, TEXT_SIZE, address->ss_family == AF_INET ? "%s:%u" : "[%s]:%u", name,
             endpoint.port);
    return text;
}

static bool is_listening(int fd)
{
    int listening = 0;
    socklen_t size = sizeof(listening);

    return sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0 &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening;
}

int api_passed_socket(const struct sockaddr_storage *listen)
{
    int count = sd_listen_fds(0);
    struct endpoint wanted, passed;

    if (count <= 0 || (listen && !read_endpoint(listen, &wanted)))
        return -ENOENT;
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; fd++) {
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof(address);
        char text[TEXT_SIZE];

        if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
            address.ss_family = AF_UNSPEC;
        if (listen && is_listening(fd) && read_endpoint(&address, &passed) &&
            fits(&passed, &wanted)) {
            /* A copy: the passed one stays for the next time that the door is opened. */
            int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

            if (own < 0 || evutil_make_socket_nonblocking(own) == 0)
                return own < 0 ? -errno : own;
            evutil_closesocket(own);
            return -EBADF;
        }
        log_warning("api: the service manager passed %s, which %s; nobody answers there",
                    endpoint_text(&address, text),
                    listen ? "is not what api.https has in `listen`"
                           : "no group api.https in the site asks for");
    }
    return -ENOENT;
}
