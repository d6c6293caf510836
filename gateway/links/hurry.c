#include "links/hurry.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* Paho's select() takes no greater descriptor. */
enum { DESCRIPTORS = 1024 };

static uint16_t peer_port(int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);

    if (getpeername(fd, (struct sockaddr *)&peer, &size) < 0)
        return 0;
    if (peer.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&peer)->sin_port);
    if (peer.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&peer)->sin6_port);
    return 0;
}

void hurry_connections(uint16_t port)
{
    int on = 1;

    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        if (peer_port(fd) == port)
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
}
