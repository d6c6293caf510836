/* Modbus TCP against a server that a test tells what to do with each request. */
#include "adapters/adapter.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* For each request in turn, a letter: a answer, u answer as another unit, t with another
   transaction, l with a wrong length, s stay silent, c close, i answer and close when idle. */
struct server {
    int listener;
    uint16_t port;
    const char *script;
    unsigned connections;
    pthread_t thread;
};

static void answer_request(int fd, char how)
{
    uint8_t reply[] = {0, 0, 0, 0, 0, 5, 17, 3, 2, 0, 215};

    if (how == 'u')
        reply[6] = 18;
    else if (how == 't')
        reply[1] = 7;
    else if (how == 'l')
        reply[5] = 1;
    if (send(fd, reply, sizeof(reply), MSG_NOSIGNAL) < 0)
        return;
}

static void *serve(void *arg)
{
    struct server *server = arg;

    while (*server->script) {
        struct pollfd wait = {.fd = server->listener, .events = POLLIN};
        uint8_t request[12];
        bool open = true;

        if (poll(&wait, 1, 60000) != 1)
            break;
        int fd = accept(server->listener, NULL, NULL);

        server->connections++;
        while (open && *server->script &&
               recv(fd, request, sizeof(request), MSG_WAITALL) == 12) {
            char how = *server->script++;

            open = how != 'c' && how != 'i';
            if (how != 's' && how != 'c')
                answer_request(fd, how);
        }
        while (open && recv(fd, request, sizeof(request), 0) > 0) /* until the client closes */
            ;
        close(fd);
    }
    return NULL;
}

static void listen_on(struct server *server, int backlog)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, backlog), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
}

static int try_endpoint(uint16_t port, int wake_fd, struct adapter_line **line, char *why)
{
    struct adapter_settings settings = {.line = "plant", .host = "127.0.0.1", .tcp_port = port};

    return adapter_find("modbus-tcp")->open(line, &settings, wake_fd, why, 200);
}

static struct adapter_line *start(struct server *server, const char *script)
{
    struct adapter_line *line = NULL;
    char why[200] = "";

    *server = (struct server){.script = script};
    listen_on(server, 4);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    try_endpoint(server->port, -1, &line, why);
    assert_string_equal(why, "");
    return line;
}

static void stop(struct server *server, struct adapter_line *line)
{
    adapter_find("modbus-tcp")->close(line);
    pthread_join(server->thread, NULL);
    close(server->listener);
}

static enum answer_result ask(struct adapter_line *line, int timeout_ms, struct answer *answer)
{
    const struct operation read = {
        .kind = OPERATION_READ, .table = TABLE_HOLDING, .unit = 17, .address = 40, .count = 1};
    const struct limits limits = {.timeout_us = timeout_ms * 1000, .deadline_us = MOMENT_NEVER};

    adapter_find("modbus-tcp")->execute(line, &read, &limits, -1, answer);
    return answer->result;
}

static void a_register_is_read(void **state)
{
    (void)state;
    struct server server;
    struct adapter_line *line = start(&server, "aa");
    struct answer answer;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(ask(line, 60000, &answer), ANSWER_DONE);
        assert_int_equal(answer.words[0], 215);
    }
    stop(&server, line);
    assert_int_equal(server.connections, 1);
}

/* How a bad one is answered, and that the next one goes out on a new connection. */
static void expect_new_connection(const char *script, enum answer_result result,
                                  const char *says)
{
    struct server server;
    struct adapter_line *line = start(&server, script);
    struct answer answer;

    assert_int_equal(ask(line, script[0] == 's' ? 50 : 60000, &answer), result);
    assert_non_null(strstr(answer.text, says));
    assert_int_equal(ask(line, 60000, &answer), ANSWER_DONE);
    stop(&server, line);
    assert_int_equal(server.connections, 2);
}

static void after_a_time_out_the_connection_is_a_new_one(void **state)
{
    (void)state;
    expect_new_connection("sa", ANSWER_SILENT, "unit 17 did not answer in 50 ms");
}

static void an_answer_of_another_unit_is_not_taken(void **state)
{
    (void)state;
    expect_new_connection("ua", ANSWER_BAD_REPLY, "late answer of unit 18 was dropped");
}

static void an_answer_to_another_transaction_is_not_taken(void **state)
{
    (void)state;
    expect_new_connection("ta", ANSWER_BAD_REPLY, "11 bytes that are no answer");
}

static void a_header_with_a_wrong_length_is_not_taken(void **state)
{
    (void)state;
    expect_new_connection("la", ANSWER_BAD_REPLY, "11 bytes that are no answer");
}

static void a_connection_closed_in_an_exchange_is_line_down(void **state)
{
    (void)state;
    expect_new_connection("ca", ANSWER_LINE_DOWN, "closed the connection");
}

static void a_connection_closed_while_idle_is_no_fault(void **state)
{
    (void)state;
    struct server server;
    struct adapter_line *line = start(&server, "ia");
    struct answer answer;

    assert_int_equal(ask(line, 60000, &answer), ANSWER_DONE);
    struct pollfd hang_up = {.fd = adapter_find("modbus-tcp")->fd(line), .events = POLLRDHUP};

    assert_int_equal(poll(&hang_up, 1, 60000), 1);
    assert_int_equal(ask(line, 60000, &answer), ANSWER_DONE);
    stop(&server, line);
    assert_int_equal(server.connections, 2);
}

static void an_endpoint_that_refuses_is_told(void **state)
{
    (void)state;
    struct server server = {0};
    struct adapter_line *line;
    char why[200], wanted[100];

    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int taken =
        socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* nobody else may listen there */

    assert_int_equal(bind(taken, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(taken, (struct sockaddr *)&address, &size), 0);
    server.port = ntohs(address.sin_port);
    assert_int_equal(try_endpoint(server.port, -1, &line, why), -ECONNREFUSED);
    close(taken);
    snprintf(wanted, sizeof(wanted), "127.0.0.1 port %u cannot be reached: Connection refused",
             server.port);
    assert_string_equal(why, wanted);
}

/* A listener whose backlog is full swallows what knocks, as an address does that is not there.
 */
static void a_connect_that_hangs_can_be_woken(void **state)
{
    (void)state;
    struct server server = {0};
    struct adapter_line *line;
    int wake = eventfd(1, EFD_CLOEXEC), knocking[8];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char why[200];

    listen_on(&server, 0);
    address.sin_port = htons(server.port);
    for (int i = 0; i < 8; i++) {
        knocking[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(knocking[i], (struct sockaddr *)&address, sizeof(address));
    }
    assert_int_equal(try_endpoint(server.port, wake, &line, why), -ECANCELED);
    for (int i = 0; i < 8; i++)
        close(knocking[i]);
    close(wake);
    close(server.listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_register_is_read),
        cmocka_unit_test(after_a_time_out_the_connection_is_a_new_one),
        cmocka_unit_test(an_answer_of_another_unit_is_not_taken),
        cmocka_unit_test(an_answer_to_another_transaction_is_not_taken),
        cmocka_unit_test(a_header_with_a_wrong_length_is_not_taken),
        cmocka_unit_test(a_connection_closed_in_an_exchange_is_line_down),
        cmocka_unit_test(a_connection_closed_while_idle_is_no_fault),
        cmocka_unit_test(an_endpoint_that_refuses_is_told),
        cmocka_unit_test(a_connect_that_hangs_can_be_woken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
