/* The thread against a listener that only sees whether somebody comes. */
#include "links/iothub_thread.h"
#include "links_site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static atomic_bool clock_is_set;

static bool is_set(void)
{
    return atomic_load(&clock_is_set);
}

static int listen_somewhere(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static bool somebody_comes(int fd, int limit_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    return poll(&wait, 1, limit_ms) == 1;
}

static void nobody_connects_before_the_clock_is_trusted(void **state)
{
    (void)state;
    static char host[] = "127.0.0.1", auth[] = "group-key";
    char key_file[] = "/tmp/test_iothub-XXXXXX", why[200] = "";
    struct iothub_config config = {.host = host,
                                   .auth = auth,
                                   .key_file = key_file,
                                   .connect_per_s = 100,
                                   .method_timeout_s = 5,
                                   .token_life_s = 3600};
    struct hub_thread_settings settings = {.clock_is_trusted = is_set};
    struct iothub_status status;
    struct links_site of;
    struct hub_thread *thread;
    int listener = listen_somewhere(&config.port), fd = mkstemp(key_file);

    assert_true(fd >= 0 && write(fd, "c2VjcmV0\n", 9) == 9);
    close(fd);
    links_site_fill(&of);
    of.site.iothub = &config;
    settings.site = &of.site;
    assert_int_equal(hub_keys_open(&settings.keys, &of.site, why, sizeof(why)), 0);
    assert_int_equal(hub_thread_open(&thread, &settings), 0);

    assert_false(somebody_comes(listener, 1500));
    hub_thread_status(thread, &status);
    assert_false(status.clock_trusted);
    assert_non_null(strstr(status.text, "clock"));
    atomic_store(&clock_is_set, true);
    assert_true(somebody_comes(listener, 60000));

    close(listener);
    unlink(key_file);
    hub_thread_close(thread);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_connects_before_the_clock_is_trusted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
