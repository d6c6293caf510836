/* A hub that is gone for an hour: what 250 devices do meanwhile, and when it is back. */
#include "base/clock.h"
#include "links/broker_pace.h"
#include "links/iothub_telemetry.h"
#include "links/iothub_twin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_US INT64_C(1000000)

enum { DEVICES = 250, HOUR_S = 3600, LONGEST_S = 300 };

/* Numbers of a known sequence (Knuth's MMIX), so that the test is the same each time. */
static uint32_t random_of(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 32);
}

static void tries_grow_rare_and_do_not_come_together(void **state)
{
    (void)state;
    unsigned back[LONGEST_S + 1] = {0}, tries = 0, most = 0;
    uint64_t random = 1;

    for (int i = 0; i < DEVICES; i++) {
        struct pace pace = {.longest_us = LONGEST_S * SECOND_US};
        int64_t at_us = 0;

        while (at_us < HOUR_S * SECOND_US) {
            at_us += pace_next(&pace, -1, random_of(&random));
            tries++;
        }
        assert_true(at_us <= (HOUR_S + LONGEST_S) * SECOND_US);
        back[at_us / SECOND_US - HOUR_S]++;
    }
    assert_in_range(tries / DEVICES, 20, 60);
    for (int second = 0; second <= LONGEST_S; second++)
        most = back[second] > most ? back[second] : most;
    assert_in_range(most, 1, DEVICES / 20); /* of all, in the worst second */
}

static void a_good_session_makes_the_next_pause_short(void **state)
{
    (void)state;
    struct pace pace = {.longest_us = LONGEST_S * SECOND_US};

    for (int i = 0; i < 20; i++)
        pace_next(&pace, -1, UINT32_MAX);
    assert_true(pace_next(&pace, -1, UINT32_MAX) > 200 * SECOND_US);
    assert_true(pace_next(&pace, HOUR_S * SECOND_US, UINT32_MAX) <= SECOND_US);
}

static void an_hour_of_values_stays_within_its_bounds(void **state)
{
    (void)state;
    struct hub_telemetry telemetry;
    uint64_t number = 0;
    int kept = 0;

    hub_telemetry_init(&telemetry);
    for (int second = 0; second < HOUR_S; second += 30)
        hub_telemetry_add(&telemetry, json_pack("{s:i}", "a", second), true, second * SECOND_US,
                          &number);
    for (const struct hub_sample *sample;
         (sample = hub_telemetry_next(&telemetry, HOUR_S * SECOND_US)); kept++) {
        int64_t second = json_integer_value(json_object_get(sample->values, "a"));

        assert_int_equal(second, HOUR_S - 30 * (HUB_SAMPLES_MOST - kept));
        hub_telemetry_delivered(&telemetry, HOUR_S * SECOND_US);
    }
    assert_int_equal(kept, HUB_SAMPLES_MOST);
    assert_int_equal(telemetry.dropped, HOUR_S / 30 - HUB_SAMPLES_MOST);
    hub_telemetry_deinit(&telemetry);
}

static void what_was_missed_in_an_hour_is_one_patch_and_one_report(void **state)
{
    (void)state;
    struct hub_twin twin;
    json_t *body, *patch;
    json_t *before =
        json_pack("{s:{s:i,s:i},s:{}}", "desired", "a", 1, "$version", 2, "reported");
    json_t *after = json_pack("{s:{s:i,s:i,s:i},s:{}}", "desired", "a", 7, "b", 1, "$version",
                              90, "reported");

    hub_twin_init(&twin);
    hub_twin_up(&twin);
    assert_int_equal(hub_twin_next(&twin, 1, 0, &body), HUB_WANTS_GET);
    json_decref(hub_twin_answered(&twin, 1, 200, before, 0, 0));
    hub_twin_down(&twin);
    for (int second = 0; second < HOUR_S; second++) { /* polled values move all the time */
        hub_twin_want(&twin, json_pack("{s:i}", "t", second));
        assert_int_equal(hub_twin_wake_us(&twin), MOMENT_NEVER);
    }
    hub_twin_up(&twin);
    assert_int_equal(hub_twin_next(&twin, 2, HOUR_S * SECOND_US, &body), HUB_WANTS_GET);
    patch = hub_twin_answered(&twin, 2, 200, after, HOUR_S * SECOND_US, 0);
    assert_int_equal(json_object_size(patch), 2);
    assert_int_equal(twin.version, 90);
    assert_int_equal(hub_twin_next(&twin, 3, HOUR_S * SECOND_US, &body), HUB_WANTS_REPORT);
    assert_int_equal(json_integer_value(json_object_get(body, "t")), HOUR_S - 1);
    json_decref(body);
    json_decref(patch);
    json_decref(before);
    json_decref(after);
    hub_twin_deinit(&twin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tries_grow_rare_and_do_not_come_together),
        cmocka_unit_test(a_good_session_makes_the_next_pause_short),
        cmocka_unit_test(an_hour_of_values_stays_within_its_bounds),
        cmocka_unit_test(what_was_missed_in_an_hour_is_one_patch_and_one_report),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
