/* Calls, reads, writes and twins. */
#include "api_world.h"

static void a_methods_answer_is_200_whatever_the_device_says(void **state)
{
    struct world *world = *state;
    const char *text =
        asked_and_answered(world, "POST", "/twins/room-07/methods",
                           "{\"methodName\":\"reboot\",\"responseTimeoutInSeconds\":15,"
                           "\"connectTimeoutInSeconds\":0,\"payload\":{\"a\":1}}",
                           CODE_LINE_DOWN, 503, "{\"error\":{\"code\":\"LineDown\"}}");

    assert_status(text, "200");
    assert_string_equal(body_of(text),
                        "{\"status\":503,\"payload\":{\"error\":{\"code\":\"LineDown\"}}}");
    assert_string_equal(world->asked->device_id, "room-07");
    assert_string_equal(world->asked->action.method, "reboot");
    assert_int_equal(world->asked->timeout_s, 15);
}

static void a_call_whose_time_ends_is_504_in_the_hubs_form(void **state)
{
    const char *text = asked_and_answered(*state, "POST", "/twins/room-07/methods",
                                          "{\"methodName\":\"m\"}", CODE_EXPIRED, 408, "{}");

    assert_status(text, "504");
    assert_has(text, "iothub-errorcode: GatewayTimeout\r\n");
    assert_has(text, "{\"Message\":\"{\\\"errorCode\\\":504101,\\\"trackingId\\\":\\\"");
}

static void a_call_is_checked_for_form(void **state)
{
    struct world *world = *state;

    assert_has(post(world, "POST", "/twins/room-07/methods", "{}"), "ErrorCode:ArgumentNull;");
    assert_has(post(world, "POST", "/twins/room-07/methods", "{\"methodName\":\"a/b\"}"),
               "ErrorCode:ArgumentInvalid;");
    assert_has(post(world, "POST", "/twins/room-07/methods",
                    "{\"methodName\":\"a\",\"responseTimeoutInSeconds\":4}"),
               "responseTimeoutInSeconds is a number from 5 to 300");
    assert_null(world->asked);
}

static void a_read_names_its_points(void **state)
{
    struct world *world = *state;
    const char *text = asked_and_answered(world, "POST", "/jobgate/v1/devices/room-07/read",
                                          "{\"points\":[\"setpoint\"]}", CODE_NONE, 200,
                                          "{\"values\":{\"setpoint\":21.5}}");

    assert_string_equal(body_of(text),
                        "{\"status\":200,\"payload\":{\"values\":{\"setpoint\":21.5}}}");
    assert_int_equal(world->asked->action.kind, ACTION_READ);
    assert_string_equal(json_string_value(json_array_get(world->asked->action.arguments, 0)),
                        "setpoint");
    asked_and_answered(world, "POST", "/jobgate/v1/devices/room-07/read", "", CODE_NONE, 200,
                       "{}");
    assert_null(world->asked->action.arguments);
}

static void a_write_must_write_something(void **state)
{
    struct world *world = *state;

    assert_status(post(world, "POST", "/jobgate/v1/devices/room-07/write", "{}"), "400");
    asked_and_answered(world, "POST", "/jobgate/v1/devices/room-07/write",
                       "{\"setpoint\":21.5}", CODE_NONE, 200, "{}");
    assert_int_equal(world->asked->action.kind, ACTION_WRITE);
}

static void a_patch_is_answered_with_the_twin_once_stored(void **state)
{
    struct world *world = *state;
    char text[500];
    int fd = client_open(world);

    snprintf(text, sizeof(text),
             REQUEST("POST /twins/room-07",
                     "X-HTTP-Method-Override: PATCH\r\nIf-Match: \"*\"\r\n"
                     "Content-Length: %zu\r\n",
                     "%s"),
             strlen("{\"properties\":{\"desired\":{\"sp\":22}}}"),
             "{\"properties\":{\"desired\":{\"sp\":22}}}");
    client_say(world, fd, text);
    assert_int_equal(world->asked->action.kind, ACTION_PATCH);
    answer(world, REPORT_ANSWER, CODE_UNKNOWN_POINT, 404, "{}");
    assert_string_equal(client_read(world, fd), "");
    answer(world, REPORT_STORED, CODE_NONE, 0, "");
    assert_has(client_read(world, fd), "{\"deviceId\":\"room-07\",\"etag\":\"AAAA=\"}");
    assert_status(world->text, "200");
    answer(world, REPORT_ANSWER, CODE_NONE, 200, "{}");
    assert_string_equal(client_read(world, fd), "");
    close(fd);
}

static void a_patch_that_is_refused_is_no_success(void **state)
{
    struct world *world = *state;
    char text[300], body[] = "{\"error\":{\"description\":\"1000 tasks wait\"}}", empty[] = "";
    int fd = client_open(world);

    post_text(text, sizeof(text), "PATCH", "/twins/room-07", "{\"tags\":{\"a\":1}}");
    client_say(world, fd, text);
    assert_non_null(world->asked);
    struct report stored = {
        .kind = REPORT_STORED, .origin = world->asked->origin, .body = empty};
    struct report refused = {.kind = REPORT_ANSWER,
                             .origin = world->asked->origin,
                             .code = CODE_QUEUE_FULL,
                             .status = 429,
                             .body = body};
    api_report(world->api, &stored);
    api_report(world->api, &refused);
    turn(world);
    assert_status(client_read(world, fd), "429");
    assert_has(world->text, "1000 tasks wait");
    close(fd);
}

static void a_patch_for_another_etag_is_412(void **state)
{
    struct world *world = *state;
    const char *text = exchange_text(
        world, REQUEST("PATCH /twins/room-07", "If-Match: \"BBBB=\"\r\nContent-Length: 17\r\n",
                       "{\"tags\":{\"a\":43}}"));

    assert_status(text, "412");
    assert_null(world->asked);
}

static void a_patch_changes_tags_or_desired_properties(void **state)
{
    struct world *world = *state;

    assert_status(post(world, "PATCH", "/twins/room-07", "{\"desired\":{\"sp\":1}}"), "400");
    assert_status(post(world, "PATCH", "/twins/room-07", "{\"tags\":7}"), "400");
    assert_null(world->asked);
}

static void an_empty_patch_is_answered_with_the_twin_as_it_is(void **state)
{
    struct world *world = *state;

    assert_status(post(world, "PATCH", "/twins/room-07", "{}"), "200");
    assert_string_equal(body_of(world->text), "{\"deviceId\":\"room-07\",\"etag\":\"AAAA=\"}");
    assert_status(
        exchange_text(world, REQUEST("PATCH /twins/room-07",
                                     "If-Match: \"B\"\r\nContent-Length: 2\r\n", "{}")),
        "412");
    assert_null(world->asked);
}

static void a_whole_twin_that_comes_back_loses_its_bookkeeping(void **state)
{
    struct world *world = *state;

    asked_and_answered(
        world, "PATCH", "/twins/room-07",
        "{\"tags\":{\"$x\":1,\"a\":2},\"properties\":{\"desired\":{\"$metadata\":"
        "{},\"$version\":7,\"sp\":22},\"reported\":{}}}",
        CODE_STORE_UNAVAILABLE, 507, "{}");
    assert_int_equal(json_object_size(world->asked->action.tags), 1);
    assert_int_equal(json_object_size(world->asked->action.arguments), 1);
    assert_non_null(json_object_get(world->asked->action.arguments, "sp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(a_methods_answer_is_200_whatever_the_device_says),
        fact(a_call_whose_time_ends_is_504_in_the_hubs_form),
        fact(a_call_is_checked_for_form),
        fact(a_read_names_its_points),
        fact(a_write_must_write_something),
        fact(a_patch_is_answered_with_the_twin_once_stored),
        fact(a_patch_that_is_refused_is_no_success),
        fact(an_empty_patch_is_answered_with_the_twin_as_it_is),
        fact(a_whole_twin_that_comes_back_loses_its_bookkeeping),
        fact(a_patch_for_another_etag_is_412),
        fact(a_patch_changes_tags_or_desired_properties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
