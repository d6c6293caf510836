#include "sim/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEADER = 7, /* transaction, protocol, length, unit */
    ADU_MAX = HEADER + SIM_PDU_MAX,
    CONNECTIONS_MAX = 32,
    ANSWERS_MAX = 64 /* waiting on the whole line; beyond, nothing more is read */
};

struct connection {
    int fd;        /* -1: free place */
    unsigned life; /* an answer to an earlier life of this place is dropped */
    size_t count;
    uint8_t bytes[ADU_MAX];
};

struct answer {
    int64_t due_ns;
    size_t connection;
    unsigned life;
    size_t count; /* 0: free place */
    uint8_t bytes[ADU_MAX];
};

struct sim_server {
    struct sim_group *group;
    int stop;
    int listener;
    unsigned port;
    struct connection connections[CONNECTIONS_MAX];
    struct answer answers[ANSWERS_MAX];
};

static unsigned word(const uint8_t *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

static struct answer *free_answer(struct sim_server *server)
{
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        if (server->answers[i].count == 0)
            return &server->answers[i];
    return NULL;
}

static void hang_up(struct connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
    connection->life++;
    connection->count = 0;
}

static void take_request(struct sim_server *server, size_t place, size_t length, int64_t now)
{
    struct sim_group *group = server->group;
    struct connection *connection = &server->connections[place];
    struct answer *answer = free_answer(server);
    const uint8_t *request = connection->bytes;
    size_t count;
    long device;

    if (group->frames++ == 0)
        group->first_ns = now;
    group->last_ns = now;
    device = sim_group_find(group, request[6]);
    if (device < 0 || !answer)
        return;
    count = sim_group_ask(group, (size_t)device, now, request + HEADER, length - HEADER,
                          answer->bytes + HEADER);
    if (count == 0)
        return;
    memcpy(answer->bytes, request, HEADER);
    answer->bytes[4] = (uint8_t)((count + 1) >> 8);
    answer->bytes[5] = (uint8_t)((count + 1) & 0xff);
    answer->count = HEADER + count;
    answer->connection = place;
    answer->life = connection->life;
    answer->due_ns = now + (int64_t)group->settings->turnaround_us * 1000 +
                     (int64_t)group->devices[device]->unit->slow_ms * 1000000;
}

/* A stream that is not Modbus cannot be found again: such a connection is closed. */
static void take_requests(struct sim_server *server, size_t place, int64_t now)
{
    struct connection *connection = &server->connections[place];

    while (connection->count >= HEADER && free_answer(server)) {
        size_t length = 6 + word(connection->bytes + 4);

        if (word(connection->bytes + 2) != 0 || length <= HEADER || length > ADU_MAX) {
            hang_up(connection);
            return;
        }
        if (connection->count < length)
            return;
        take_request(server, place, length, now);
        connection->count -= length;
        memmove(connection->bytes, connection->bytes + length, connection->count);
    }
}

static void hear(struct sim_server *server, size_t place)
{
    struct connection *connection = &server->connections[place];
    ssize_t count = recv(connection->fd, connection->bytes + connection->count,
                         sizeof(connection->bytes) - connection->count, MSG_DONTWAIT);

    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        hang_up(connection);
        return;
    }
    connection->count += (size_t)count;
    pthread_mutex_lock(&server->group->lock);
    take_requests(server, place, sim_group_now(server->group));
    pthread_mutex_unlock(&server->group->lock);
}

static void welcome(struct sim_server *server)
{
    int on = 1;
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (server->connections[i].fd >= 0)
            continue;
        server->connections[i].fd = fd;
        return;
    }
    close(fd);
}

static void send_answer(struct sim_server *server, struct answer *answer)
{
    struct connection *connection = &server->connections[answer->connection];

    if (connection->fd >= 0 && connection->life == answer->life &&
        send(connection->fd, answer->bytes, answer->count, MSG_DONTWAIT | MSG_NOSIGNAL) !=
            (ssize_t)answer->count)
        hang_up(connection);
    answer->count = 0;
}

/* Sends what is due, goes on with requests that waited for a place; when to come back. */
static int64_t speak(struct sim_server *server)
{
    int64_t now = sim_group_now(server->group);
    int64_t next = INT64_MAX;

    for (size_t i = 0; i < ANSWERS_MAX; i++)
        if (server->answers[i].count > 0 && server->answers[i].due_ns <= now)
            send_answer(server, &server->answers[i]);
    pthread_mutex_lock(&server->group->lock);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        take_requests(server, i, now);
    pthread_mutex_unlock(&server->group->lock);
    for (size_t i = 0; i < ANSWERS_MAX; i++)
        if (server->answers[i].count > 0 && server->answers[i].due_ns < next)
            next = server->answers[i].due_ns;
    return next;
}

void sim_server_play(struct sim_server *server)
{
    struct pollfd fds[2 + CONNECTIONS_MAX] = {{server->stop, POLLIN, 0},
                                              {server->listener, POLLIN, 0}};

    prctl(PR_SET_TIMERSLACK, 1000UL);
    while (!(fds[0].revents & POLLIN)) {
        int64_t next = speak(server);
        int64_t left = next - sim_group_now(server->group);
        struct timespec wait = {left > 0 ? (time_t)(left / 1000000000) : 0,
                                left > 0 ? (long)(left % 1000000000) : 0};
        bool room = free_answer(server);

        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
            fds[2 + i] = (struct pollfd){room ? server->connections[i].fd : -1, POLLIN, 0};
        if (ppoll(fds, 2 + CONNECTIONS_MAX, next == INT64_MAX ? NULL : &wait, NULL) <= 0)
            continue;
        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
            if (fds[2 + i].revents)
                hear(server, i);
        if (fds[1].revents)
            welcome(server);
    }
}

unsigned sim_server_port(const struct sim_server *server)
{
    return server->port;
}

int sim_server_open(struct sim_server **ret, struct sim_group *group, int stop)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    struct sim_server *server = calloc(1, sizeof(*server));
    int r;

    if (!server)
        return -ENOMEM;
    server->group = group;
    server->stop = stop;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        server->connections[i].fd = -1;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->listener < 0 ||
        bind(server->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(server->listener, CONNECTIONS_MAX) < 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &size) < 0) {
        r = -errno;
        sim_server_close(server);
        return r;
    }
    server->port = ntohs(address.sin_port);
    *ret = server;
    return 0;
}

void sim_server_close(struct sim_server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++)
        if (server->connections[i].fd >= 0)
            close(server->connections[i].fd);
    if (server->listener >= 0)
        close(server->listener);
    free(server);
}
