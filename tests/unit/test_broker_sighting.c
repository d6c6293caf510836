/* What is taken for the word of a gateway, and what is not. */
#include "links/broker_sighting.h"
#include "links_site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct links_site of;
static bool any;

static struct sighting read_bytes(const char *topic, const char *payload, size_t size,
                                  bool retained)
{
    char whole[200], body[400];
    struct arrival arrival = {
        .topic = whole, .payload = body, .size = size, .retained = retained};

    snprintf(whole, sizeof(whole), "jg/v1/%s", topic);
    memcpy(body, payload, size + 1);
    return sighting_read(links_site_fill(&of), &arrival, &any);
}

static struct sighting read(const char *topic, const char *payload)
{
    return read_bytes(topic, payload, strlen(payload), true);
}

static void a_state_names_the_gateway_that_has_the_device(void **state)
{
    (void)state;
    struct sighting seen =
        read("devices/room-2/state",
             "{\"state\":\"unknown\",\"since\":\"x\",\"line\":\"l\",\"gateway\":\"other\"}");

    assert_int_equal(seen.kind, SIGHTING_STATE);
    assert_int_equal(seen.device, 1);
    assert_string_equal(seen.id, "other");
}

static void our_own_state_and_a_cleared_one_name_nobody(void **state)
{
    (void)state;
    struct sighting seen =
        read("devices/room-1/state", "{\"state\":\"online\",\"gateway\":\"gw\"}");

    assert_int_equal(seen.kind, SIGHTING_STATE);
    assert_string_equal(seen.id, "");
    seen = read("devices/room-1/state", "");
    assert_int_equal(seen.kind, SIGHTING_STATE);
    assert_string_equal(seen.id, "");
}

static void what_no_gateway_would_say_is_nothing(void **state)
{
    static const char *const bodies[] = {
        " ",
        "null",
        "{",
        "[]",
        "7",
        "{}",
        "{\"gateway\":\"other\"}",
        "{\"state\":\"online\"}",
        "{\"state\":7,\"gateway\":\"other\"}",
        "{\"state\":\"up\",\"gateway\":\"other\"}",
        "{\"state\":\"online\",\"gateway\":\"\"}",
        "{\"state\":\"online\",\"gateway\":\"o/ther\"}",
        "{\"state\":\"online\",\"gateway\":\"+\"}",
        "{\"state\":\"online\",\"gateway\":[\"other\"]}",
        "{\"state\":\"online\",\"gateway\":\"other\",\"gateway\":\"more\"}",
        "\xff\xfe",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(read("devices/room-1/state", bodies[i]).kind, SIGHTING_NONE);
        assert_true(any);
    }
    assert_int_equal(read_bytes("devices/room-1/state", "\0\0\0", 3, true).kind, SIGHTING_NONE);
    assert_int_equal(
        read("devices/strange/state", "{\"state\":\"online\",\"gateway\":\"other\"}").kind,
        SIGHTING_NONE);
}

static void a_birth_and_a_will_tell_who_lives(void **state)
{
    (void)state;
    struct sighting seen = read("gateways/other", "{\"state\":\"online\",\"devices\":3}");

    assert_int_equal(seen.kind, SIGHTING_GATEWAY);
    assert_string_equal(seen.id, "other");
    assert_true(seen.online);
    seen = read("gateways/other", "{\"state\":\"offline\"}");
    assert_int_equal(seen.kind, SIGHTING_GATEWAY);
    assert_false(seen.online);
    seen = read("gateways/other", ""); /* cleared by hand: it is gone */
    assert_int_equal(seen.kind, SIGHTING_GATEWAY);
    assert_false(seen.online);
    assert_int_equal(read("gateways/other", "online").kind, SIGHTING_NONE);
    assert_int_equal(read("gateways/gw", "{\"state\":\"online\"}").kind, SIGHTING_NONE);
}

static void only_our_own_retained_share_is_memory(void **state)
{
    static const char body[] =
        "{\"gatewayId\":\"gw\",\"jobId\":\"j\",\"status\":\"completed\"}";

    (void)state;
    struct sighting seen = read("jobs/j/gateways/gw", body);
    assert_int_equal(seen.kind, SIGHTING_SHARE);
    assert_string_equal(seen.id, "j");
    assert_string_equal(seen.status, "completed");
    assert_int_equal(read_bytes("jobs/j/gateways/gw", body, strlen(body), false).kind,
                     SIGHTING_NONE);
    assert_true(any);
    assert_int_equal(read("jobs/j/gateways/other", body).kind, SIGHTING_NONE);
    assert_int_equal(read("jobs/k/gateways/gw", body).kind, SIGHTING_NONE);
    assert_int_equal(read("jobs/j/gateways/gw", "{\"jobId\":\"j\",\"status\":\"done\"}").kind,
                     SIGHTING_NONE);
    assert_int_equal(read("jobs/j/gateways/gw", "").kind, SIGHTING_NONE);
}

static void an_echo_is_a_number_that_was_not_retained(void **state)
{
    (void)state;
    struct sighting seen = read_bytes("gateways/gw/echo", "17", 2, false);

    assert_int_equal(seen.kind, SIGHTING_ECHO);
    assert_int_equal(seen.echo, 17);
    assert_int_equal(read("gateways/gw/echo", "17").kind, SIGHTING_NONE);
    assert_int_equal(read_bytes("gateways/gw/echo", "17x", 3, false).kind, SIGHTING_NONE);
    assert_int_equal(read_bytes("gateways/gw/echo", "", 0, false).kind, SIGHTING_NONE);
    assert_int_equal(read_bytes("gateways/other/echo", "17", 2, false).kind, SIGHTING_NONE);
}

static void requests_are_no_sightings(void **state)
{
    static const char *const topics[] = {"devices/room-1/desired", "devices/room-1/methods/x",
                                         "jobs/j", "jobs/j/cancel", "devices/room-1/reported"};

    (void)state;
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        assert_int_equal(read(topics[i], "{\"state\":\"online\",\"gateway\":\"o\"}").kind,
                         SIGHTING_NONE);
        assert_false(any);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_names_the_gateway_that_has_the_device),
        cmocka_unit_test(our_own_state_and_a_cleared_one_name_nobody),
        cmocka_unit_test(what_no_gateway_would_say_is_nothing),
        cmocka_unit_test(a_birth_and_a_will_tell_who_lives),
        cmocka_unit_test(only_our_own_retained_share_is_memory),
        cmocka_unit_test(an_echo_is_a_number_that_was_not_retained),
        cmocka_unit_test(requests_are_no_sightings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
