/*
 * An adapter that is pulled and plugged in again, an endpoint that goes away in the middle of a
 * frame: 50 times, or as often as JOBGATE_UNPLUGS says, and no descriptor is lost.
 */
#include "adapters/adapter.h"
#include "base/clock.h"
#include "descriptors.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { REQUEST_BYTES = 8, TCP_REQUEST_BYTES = 12 };

static unsigned times(void)
{
    const char *text = getenv("JOBGATE_UNPLUGS");

    return text ? (unsigned)strtoul(text, NULL, 10) : 50;
}

/* Takes the request, begins to answer where told so, and is gone. */
struct far {
    int fd;
    size_t request;
    const uint8_t *beginning;
    size_t count;
};

static void *hang_up(void *arg)
{
    struct far *far = arg;
    uint8_t bytes[64];
    size_t have = 0;

    while (have < far->request) {
        struct pollfd wait = {.fd = far->fd, .events = POLLIN};
        ssize_t n = poll(&wait, 1, 60000) == 1 ? read(far->fd, bytes, sizeof(bytes)) : 0;

        if (n <= 0)
            break;
        have += (size_t)n;
    }
    if (far->count > 0 && write(far->fd, far->beginning, far->count) < 0)
        have = 0;
    close(far->fd);
    return NULL;
}

static enum answer_result ask(const struct adapter *adapter, struct adapter_line *line,
                              struct far *far)
{
    struct operation operation = {
        .kind = OPERATION_READ, .table = TABLE_HOLDING, .unit = 17, .address = 40, .count = 2};
    struct limits limits = {.timeout_us = 60000000, .deadline_us = MOMENT_NEVER};
    struct answer answer;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, hang_up, far), 0);
    adapter->execute(line, &operation, &limits, -1, &answer);
    pthread_join(thread, NULL);
    return answer.result;
}

/* A pseudo-terminal whose stable name is `link`. */
static int plug_in(const char *link)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char name[64];

    assert_true(fd >= 0);
    assert_int_equal(grantpt(fd) | unlockpt(fd), 0);
    assert_int_equal(ptsname_r(fd, name, sizeof(name)), 0);
    assert_int_equal(symlink(name, link), 0);
    return fd;
}

static void a_port_that_is_pulled_again_and_again_costs_no_descriptor(void **state)
{
    (void)state;
    static const uint8_t beginning[] = {0x11, 0x03, 0x04};
    const struct adapter *adapter = adapter_find("modbus-rtu");
    char folder[] = "/tmp/jobgate-unplug-XXXXXX", link[64], why[200];

    assert_non_null(mkdtemp(folder));
    snprintf(link, sizeof(link), "%s/port", folder);
    struct adapter_settings settings = {.line = "test",
                                        .port = link,
                                        .baud = 115200,
                                        .parity = 'N',
                                        .data_bits = 8,
                                        .stop_bits = 2};
    unsigned before = open_descriptors();

    for (unsigned i = 0; i < times(); i++) {
        struct adapter_line *line;

        why[0] = '\0';
        assert_true(adapter->open(&line, &settings, -1, why, sizeof(why)) < 0);
        assert_non_null(strstr(why, link)); /* a technician reads which port is missing */
        struct far far = {.fd = plug_in(link),
                          .request = REQUEST_BYTES,
                          .beginning = beginning,
                          .count = i % 2 ? sizeof(beginning) : 0};

        assert_int_equal(adapter->open(&line, &settings, -1, why, sizeof(why)), 0);
        assert_int_equal(ask(adapter, line, &far), ANSWER_LINE_DOWN);
        adapter->close(line);
        unlink(link);
    }
    assert_int_equal(open_descriptors(), before);
    rmdir(folder);
}

static void an_endpoint_that_goes_away_mid_frame_costs_no_descriptor(void **state)
{
    (void)state;
    static const uint8_t beginning[] = {0x00, 0x01, 0x00, 0x00, 0x00};
    const struct adapter *adapter = adapter_find("modbus-tcp");
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char why[200];

    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    struct adapter_settings settings = {
        .line = "plant", .host = "127.0.0.1", .tcp_port = ntohs(address.sin_port)};
    unsigned before = open_descriptors();

    for (unsigned i = 0; i < times(); i++) {
        struct adapter_line *line;

        assert_int_equal(adapter->open(&line, &settings, -1, why, sizeof(why)), 0);
        struct far far = {.fd = accept(listener, NULL, NULL),
                          .request = TCP_REQUEST_BYTES,
                          .beginning = beginning,
                          .count = i % 2 ? sizeof(beginning) : 0};

        enum answer_result result = ask(adapter, line, &far);

        assert_true(result == ANSWER_LINE_DOWN || (i % 2 && result == ANSWER_BAD_REPLY));
        adapter->close(line);
    }
    assert_int_equal(open_descriptors(), before);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_that_is_pulled_again_and_again_costs_no_descriptor),
        cmocka_unit_test(an_endpoint_that_goes_away_mid_frame_costs_no_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
