/* Who names our devices, and who of them lives. */
#include "links/broker_claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { DEVICES = 3 };

static struct claims *claims;

static int setup(void **state)
{
    (void)state;
    claims_begin((claims_new(&claims, DEVICES), claims));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    claims_free(claims);
    return 0;
}

static void assert_nothing(void)
{
    struct claim claim;

    assert_false(claims_next(claims, &claim));
}

static void assert_told(size_t device, const char *gateway, bool first)
{
    struct claim claim;

    assert_true(claims_next(claims, &claim));
    assert_int_equal(claim.device, device);
    assert_int_equal(claim.first, first);
    if (gateway)
        assert_string_equal(claim.gateway, gateway);
    else
        assert_null(claim.gateway);
}

static void listen_to(const char *gateway)
{
    const char *watched = claims_watch(claims);

    assert_non_null(watched);
    assert_string_equal(watched, gateway);
}

/* "a" has device 1 and was there first. */
static void settle_with_a(void)
{
    claims_state(claims, 1, "a");
    listen_to("a");
    claims_gateway(claims, "a", true);
    assert_true(claims_echo(claims));
    assert_told(1, "a", true);
    assert_nothing();
}

static void nothing_is_told_before_all_is_known(void **state)
{
    (void)state;
    claims_state(claims, 1, "a");
    listen_to("a");
    assert_null(claims_watch(claims));
    assert_false(claims_echo(claims)); /* nobody has listened when it was asked for */
    assert_nothing();
    claims_gateway(claims, "a", true);
    assert_nothing();
    assert_true(claims_echo(claims));
    assert_told(1, "a", true);
}

static void a_gateway_of_which_nothing_is_retained_is_gone(void **state)
{
    (void)state;
    claims_state(claims, 1, "a");
    listen_to("a");
    assert_false(claims_echo(claims));
    assert_true(claims_echo(claims));
    assert_true(claims_is_settled(claims));
    assert_nothing();
}

static void a_gateway_that_is_offline_claims_nothing(void **state)
{
    (void)state;
    claims_state(claims, 1, "a");
    claims_gateway(claims, "a", false);
    assert_true(claims_echo(claims));
    assert_nothing();
    claims_gateway(claims, "a", true); /* what it left was covered by ours since */
    assert_nothing();
}

static void a_claim_ends_with_its_gateway(void **state)
{
    (void)state;
    settle_with_a();
    claims_gateway(claims, "a", false);
    assert_told(1, NULL, false);
    claims_gateway(claims, "a", true);
    assert_nothing();
    claims_state(claims, 1, "a");
    assert_told(1, "a", false);
}

static void a_claim_ends_when_the_state_is_cleared(void **state)
{
    (void)state;
    settle_with_a();
    claims_state(claims, 1, "");
    assert_told(1, NULL, false);
    claims_state(claims, 1, "");
    assert_nothing();
}

static void a_claim_that_is_told_again_is_heard_again(void **state)
{
    (void)state;
    settle_with_a();
    claims_state(claims, 1, "a");
    assert_told(1, "a", false);
}

static void a_claim_of_a_stranger_waits_until_it_is_known_to_live(void **state)
{
    (void)state;
    assert_true(claims_echo(claims));
    claims_state(claims, 2, "b");
    listen_to("b");
    assert_nothing();
    claims_gateway(claims, "b", true);
    assert_told(2, "b", false);
}

static void what_is_not_there_after_a_new_connection_has_ended(void **state)
{
    (void)state;
    settle_with_a();
    claims_begin(claims);
    assert_nothing();
    assert_true(claims_echo(claims) || claims_echo(claims));
    assert_told(1, NULL, true);
    assert_nothing();
}

static void what_is_still_there_after_a_new_connection_was_first(void **state)
{
    (void)state;
    settle_with_a();
    claims_begin(claims);
    claims_state(claims, 1, "a");
    assert_null(claims_watch(claims)); /* the link listens already */
    claims_gateway(claims, "a", true);
    assert_true(claims_echo(claims));
    assert_told(1, "a", true);
}

static void each_change_is_told_once_however_often_it_changed(void **state)
{
    (void)state;
    settle_with_a();
    for (int i = 0; i < 1000; i++) {
        for (size_t k = 0; k < DEVICES; k++)
            claims_state(claims, k, i % 2 ? "a" : "");
    }
    for (size_t k = 0; k < DEVICES; k++) {
        struct claim claim;

        assert_true(claims_next(claims, &claim));
        assert_string_equal(claim.gateway, "a");
    }
    assert_nothing();
}

static void more_gateways_than_are_kept_change_nothing(void **state)
{
    char id[16];

    (void)state;
    settle_with_a();
    for (int i = 0; i < CLAIMS_GATEWAYS_MOST + 10; i++) {
        snprintf(id, sizeof(id), "x%d", i);
        int r = claims_state(claims, 0, id);
        assert_int_equal(r, i < CLAIMS_GATEWAYS_MOST - 1 ? 0 : CLAIMS_E_FULL);
    }
    assert_nothing();
}

static bool told_as_opened(size_t device, const char *gateway)
{
    struct claim claim;

    assert_true(claims_next(claims, &claim));
    assert_int_equal(claim.device, device);
    assert_int_equal(claim.gateway != NULL, gateway != NULL);
    if (gateway)
        assert_string_equal(claim.gateway, gateway);
    return claim.opens;
}

static void a_new_device_is_told_when_all_of_it_is_known(void **state)
{
    static const size_t from[] = {2, CLAIMS_FRESH, 1, CLAIMS_FRESH};

    (void)state;
    settle_with_a();
    assert_int_equal(claims_reload(claims, from, 4), 0);
    assert_true(claims_is_fresh(claims, 1) && !claims_is_fresh(claims, 2));
    claims_state(claims, 1, "a");
    claims_state(claims, 3, "");
    assert_nothing();
    assert_true(claims_echo(claims));
    assert_true(claims_open(claims));
    assert_true(told_as_opened(1, "a"));
    assert_false(told_as_opened(2, "a")); /* as before, by its new place */
    assert_true(told_as_opened(3, NULL));
    assert_nothing();
    assert_false(claims_open(claims));
}

static void a_new_device_stays_unknown_over_a_connection(void **state)
{
    static const size_t from[] = {0, 1, 2, CLAIMS_FRESH};

    (void)state;
    settle_with_a();
    assert_int_equal(claims_reload(claims, from, 4), 0);
    claims_begin(claims);
    claims_state(claims, 1, "a");
    claims_gateway(claims, "a", true);
    assert_true(claims_echo(claims));
    assert_told(1, "a", true);
    assert_nothing();
    claims_state(claims, 3, "a");
    assert_nothing();
    claims_open(claims);
    assert_false(told_as_opened(1, "a"));
    assert_true(told_as_opened(3, "a"));
}

static void what_is_to_be_told_moves_with_its_device(void **state)
{
    static const size_t from[] = {2, 1};

    (void)state;
    settle_with_a();
    claims_state(claims, 0, "a");
    claims_state(claims, 2, "a");
    claims_state(claims, 1, "");
    assert_int_equal(claims_reload(claims, from, 2), 0);
    assert_told(0, "a", false);
    assert_told(1, NULL, false);
    assert_nothing();
}

#define FACT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(nothing_is_told_before_all_is_known),
        FACT(a_gateway_of_which_nothing_is_retained_is_gone),
        FACT(a_gateway_that_is_offline_claims_nothing),
        FACT(a_claim_ends_with_its_gateway),
        FACT(a_claim_ends_when_the_state_is_cleared),
        FACT(a_claim_that_is_told_again_is_heard_again),
        FACT(a_claim_of_a_stranger_waits_until_it_is_known_to_live),
        FACT(what_is_not_there_after_a_new_connection_has_ended),
        FACT(what_is_still_there_after_a_new_connection_was_first),
        FACT(each_change_is_told_once_however_often_it_changed),
        FACT(more_gateways_than_are_kept_change_nothing),
        FACT(a_new_device_is_told_when_all_of_it_is_known),
        FACT(a_new_device_stays_unknown_over_a_connection),
        FACT(what_is_to_be_told_moves_with_its_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
