/*
 * The loop's timers: does libevent read a time as we write it? Where time_t is of another width
 * in the library than here, the fraction of a second is lost, and the loop turns without rest.
 */
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    *(int *)ctx += 1;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void a_timer_waits_for_its_fraction_of_a_second(void **state)
{
    const struct timeval wait = {.tv_usec = 200000};
    struct event_base *base = event_base_new();
    int count = 0;
    struct event *timer = event_new(base, -1, 0, on_timer, &count);
    int64_t begun_ms = now_ms();

    (void)state;
    assert_int_equal(event_add(timer, &wait), 0);
    assert_int_equal(event_base_dispatch(base), 1); /* 1: no event is left */
    assert_int_equal(count, 1);
    assert_in_range(now_ms() - begun_ms, 195, 60000);
    event_free(timer);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_waits_for_its_fraction_of_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
