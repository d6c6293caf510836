/* Routes, errors, jobs and their lists. */
#include "api_world.h"

static void every_answer_is_json_and_says_so(void **state)
{
    struct world *world = *state;

    static const char *const paths[] = {
        "/healthz",       "/devices",     "/devices/", "/devices/room-07",   "/twins/room-07",
        "/jobs/v2/a%3Ab", "/jobs/v2/a:b", "/jobs",     "/jobgate/v1/status", "/nowhere"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        json_t *json;
        const char *text = get(world, paths[i]);

        assert_has(text, "Content-Type: application/json; charset=utf-8\r\n");
        json = json_loads(body_of(text), 0, NULL);
        assert_non_null(json);
        json_decref(json);
        assert_int_equal(strncmp(text, "HTTP/1.1 200", 12) == 0, i + 2 < 11);
    }
}

static void the_status_has_what_the_gateway_adds(void **state)
{
    struct world *world = *state;

    get(world, "/jobgate/v1/status");
    assert_has(world->text, "{\"lines\":[],\"broker\":{\"connected\":true},\"links\":{");
    assert_has(world->text,
               "\"links\":{\"broker\":{\"connected\":true},\"api\":{\"socket\":\"");
    assert_has(world->text, "\"connections\":1}}}");
}

static void an_unknown_job_is_the_hubs_job_not_found(void **state)
{
    const char *text = get(*state, "/jobs/v2/night-9?api-version=2021-04-12");

    assert_status(text, "404");
    assert_has(text, "iothub-errorcode: JobNotFound\r\n");
    assert_has(text, "{\"Message\":\"ErrorCode:JobNotFound;no job night-9\","
                     "\"ExceptionMessage\":\"Tracking ID:");
}

static void an_unknown_device_is_the_hubs_device_not_found(void **state)
{
    struct world *world = *state;

    assert_has(get(world, "/devices/room-99"), "ErrorCode:DeviceNotFound;");
    assert_has(get(world, "/twins/room-99"), "ErrorCode:DeviceNotFound;");
    assert_has(post(world, "POST", "/twins/room-99/methods", "{\"methodName\":\"m\"}"),
               "iothub-errorcode: DeviceNotFound\r\n");
    assert_null(world->asked);
}

static void a_known_route_with_another_method_is_405(void **state)
{
    struct world *world = *state;
    const char *text = exchange_text(world, REQUEST("DELETE /twins/room-07", "", ""));

    assert_status(text, "405");
    assert_has(text, "Allow: GET, HEAD, PUT, PATCH\r\n");
    assert_has(text, "ErrorCode:MethodNotAllowed;");
    assert_status(exchange_text(world, REQUEST("BREW /twins/room-07", "", "")), "405");
    assert_status(exchange_text(world, REQUEST("BREW /pot", "", "")), "404");
}

static void head_answers_without_a_body(void **state)
{
    const char *text = exchange_text(*state, REQUEST("HEAD /healthz", "", ""));

    assert_status(text, "200");
    assert_has(text, "Content-Length: 15\r\n");
    assert_string_equal(body_of(text), "");
}

static void an_api_version_must_look_like_one(void **state)
{
    struct world *world = *state;

    assert_status(get(world, "/devices?api-version=2024-03-31"), "200");
    assert_status(get(world, "/devices?x=1&api-version=2020-05-31-preview"), "200");
    assert_has(get(world, "/devices?api-version=latest"), "ErrorCode:InvalidProtocolVersion;");
    assert_has(get(world, "/devices?api-version="), "ErrorCode:InvalidProtocolVersion;");
}

static const char job_text[] =
    "{\"jobId\":\"night-1\",\"type\":\"scheduleDirectRequest\",\"cloudToDeviceMethod\":"
    "{\"methodName\":\"reboot\",\"payload\":null},\"queryCondition\":\"tags.floor = 3\","
    "\"startTime\":null}";

static void a_job_goes_to_the_engine_and_its_answer_comes_back(void **state)
{
    struct world *world = *state;
    const char *text =
        asked_and_answered(world, "PUT", "/jobs/v2/night-1?api-version=2021-04-12", job_text,
                           CODE_NONE, 200, "{\"jobId\":\"night-1\",\"status\":\"queued\"}");

    assert_status(text, "200");
    assert_string_equal(body_of(text), "{\"jobId\":\"night-1\",\"status\":\"queued\"}");
    assert_int_equal(world->asked->kind, REQUEST_JOB);
    assert_string_equal(world->asked->job_id, "night-1");
}

static void a_job_id_in_use_is_409_as_the_hub_says_it(void **state)
{
    const char *text = asked_and_answered(
        *state, "PUT", "/jobs/v2/night-1", job_text, CODE_JOB_ID_IN_USE, 409,
        "{\"error\":{\"code\":\"JobIdInUse\",\"description\":\"night-1; of another text\"}}");

    assert_status(text, "409");
    assert_has(text, "\"ErrorCode:JobAlreadyExists;night-1, of another text\"");
}

static void a_malformed_job_never_reaches_the_engine(void **state)
{
    struct world *world = *state;

    assert_has(post(world, "PUT", "/jobs/v2/j", "{\"type\":"), "\"Message\":\"ErrorCode:");
    assert_status(world->text, "400");
    assert_status(post(world, "PUT", "/jobs/v2/query", job_text), "400");
    assert_status(post(world, "PUT", "/jobs/v2/a%20b", job_text), "400");
    assert_null(world->asked);
}

static void the_old_path_makes_a_job_of_one_device(void **state)
{
    struct world *world = *state;

    asked_and_answered(world, "PUT", "/jobs/v2/room-07/methods/j1",
                       "{\"cloudToDeviceMethod\":{\"methodName\":\"reboot\"}}", CODE_NONE, 200,
                       "{\"jobId\":\"j1\"}");
    assert_status(world->text, "200");
    assert_string_equal(world->asked->job_id, "j1");
    assert_string_equal(world->asked->query, "deviceId IN ['room-07']");
}

static void a_cancel_needs_no_body(void **state)
{
    struct world *world = *state;
    const char *text = asked_and_answered(world, "POST", "/jobs/v2/a:b/cancel", "", CODE_NONE,
                                          200, "{\"jobId\":\"a:b\",\"status\":\"cancelled\"}");

    assert_status(text, "200");
    assert_int_equal(world->asked->kind, REQUEST_CANCEL);
    assert_string_equal(world->asked->job_id, "a:b");
}

static void a_cancel_of_an_ended_job_is_405(void **state)
{
    const char *text =
        asked_and_answered(*state, "POST", "/jobs/v2/a:b/cancel", "{}", CODE_JOB_ENDED, 405,
                           "{\"error\":{\"code\":\"OperationNotAllowedInCurrentState\","
                           "\"description\":\"over\"}}");

    assert_status(text, "405");
    assert_has(text, "ErrorCode:OperationNotAllowedInCurrentState;over");
}

static void filters_are_taken_in_every_spelling(void **state)
{
    struct world *world = *state;

    get(world, "/jobs/v2/query?jobStatus=Enqueued&jobType=scheduleDirectRequest");
    assert_string_equal(fake_engine.jobs_status, "queued");
    assert_string_equal(fake_engine.jobs_type, "scheduleDeviceMethod");
    get(world, "/jobs/v2/query?from=2030-01-01T00:00:00Z&to=2030-01-02T01:00:00%2B01:00");
    assert_int_equal(fake_engine.from_ms, INT64_C(1893456000000));
    assert_int_equal(fake_engine.to_ms, INT64_C(1893542400000));
    assert_has(get(world, "/jobs/v2/query?from=yesterday"), "ErrorCode:ArgumentInvalid;from");
    get(world, "/jobs/v2/query?jobType=&jobStatus=CANCELED");
    assert_string_equal(fake_engine.jobs_status, "cancelled");
    assert_string_equal(fake_engine.jobs_type, "");
    assert_has(get(world, "/jobs/v2/query?jobStatus=done"), "ErrorCode:ArgumentInvalid;");
    assert_status(get(world, "/jobs/v2/query?jobStatus=Unknown&jobType=Export"), "200");
    assert_string_equal(fake_engine.jobs_status, "unknown");
}

static void the_last_page_has_no_continuation_header(void **state)
{
    const char *text = get(*state, "/jobs/v2/query");

    assert_has(text, "x-ms-item-type: JobResponse\r\n");
    assert_null(strstr(text, "x-ms-continuation"));
    assert_int_equal(fake_engine.most, 100);
}

static void a_page_leads_to_the_next_by_header_or_parameter(void **state)
{
    struct world *world = *state;
    char token[100], text[400];

    fake_engine.more = true;
    get(world, "/jobs/v2/query?pageSize=25");
    assert_int_equal(fake_engine.most, 25);
    assert_int_equal(sscanf(strstr(world->text, "x-ms-continuation: "),
                            "x-ms-continuation: %99[^\r]", token),
                     1);
    snprintf(text, sizeof(text), "/jobs/v2/query?continuationToken=%s", token);
    get(world, text);
    assert_string_equal(fake_engine.after, "page 2");
    fake_engine.after[0] = '\0';
    snprintf(text, sizeof(text),
             REQUEST("GET /jobs/v2/query?pageSize=7",
                     "x-ms-max-item-count: 1000\r\nX-MS-Continuation: %s\r\n", ""),
             token);
    exchange_text(world, text);
    assert_string_equal(fake_engine.after, "page 2");
    assert_int_equal(fake_engine.most, 100);
}

static void an_answer_waits_for_the_history(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);

    fake_engine.past = true;
    client_say(world, fd, REQUEST("GET /jobs/v2/query", "", ""));
    assert_string_equal(client_read(world, fd), "");
    api_looked(world->api, world->look);
    world->look = NULL;
    turn(world);
    assert_status(client_read(world, fd), "200");
    assert_has(world->text, "[{\"jobId\":\"j\"}]");
    close(fd);
    turn(world);
}

static void a_history_that_cannot_be_read_is_said_with_its_reason(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);

    fake_engine.past = true;
    client_say(world, fd, REQUEST("GET /jobs/v2/j", "", ""));
    snprintf(world->look->why, sizeof(world->look->why), "it is damaged");
    api_looked(world->api, world->look);
    world->look = NULL;
    turn(world);
    assert_status(client_read(world, fd), "503");
    assert_has(world->text, "the history cannot be read: it is damaged");
    close(fd);
    turn(world);
}

static void who_leaves_does_not_wait_for_the_history(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);

    fake_engine.past = true;
    client_say(world, fd, REQUEST("GET /jobs/v2/query", "", ""));
    close(fd);
    turn(world);
    api_looked(world->api, world->look);
    world->look = NULL;
    turn(world);
    fake_engine.past = false;
    assert_status(get(world, "/jobs/v2/query"), "200");
}

static void what_waits_for_the_history_is_refused_when_the_gateway_stops(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);

    fake_engine.past = true;
    client_say(world, fd, REQUEST("GET /jobs/v2/query", "", ""));
    api_close(world->api);
    world->api = NULL;
    turn(world);
    assert_status(client_read(world, fd), "503");
    close(fd);
}

static void more_than_the_history_takes_is_refused(void **state)
{
    struct world *world = *state;

    fake_engine.past = world->blind = true;
    assert_status(get(world, "/jobs/v2/query"), "503");
}

static void a_forged_token_is_refused(void **state)
{
    struct world *world = *state;

    assert_status(get(world, "/jobs/v2/query?continuationToken=TOKEN1=="), "400");
    assert_status(get(world, "/jobs/v2/query?pageSize=0"), "400");
}

static void a_query_tells_its_kind_of_rows(void **state)
{
    struct world *world = *state;

    post(world, "POST", "/devices/query",
         "{\"query\":\"SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'j'\"}");
    assert_has(world->text, "x-ms-item-type: DeviceJob\r\n");
    assert_string_equal(body_of(world->text), "[{\"jobs\":true}]");
    post(world, "POST", "/devices/query", "{\"query\":\"SELECT * FROM devices\"}");
    assert_has(world->text, "x-ms-item-type: Twin\r\n");
    assert_has(post(world, "POST", "/devices/query", "{\"query\":\"SELECT\"}"),
               "ErrorCode:ArgumentInvalid;line 1:");
    assert_has(post(world, "POST", "/devices/query", "[]"), "ErrorCode:ArgumentNull;");
    assert_has(post(world, "POST", "/devices/query", "{\"query\":5}"),
               "ErrorCode:ArgumentInvalid;");
}

static void a_job_for_one_state_of_a_twin_fails_its_precondition(void **state)
{
    struct world *world = *state;

    post(world, "PUT", "/jobs/v2/j",
         "{\"type\":\"scheduleUpdateTwin\",\"queryCondition\":\"*\",\"updateTwin\":{\"etag\":"
         "\"AAAAAAAAAAE=\",\"tags\":{\"a\":1}}}");
    assert_status(world->text, "412");
    assert_has(world->text, "ErrorCode:PreconditionFailed;updateTwin.etag is not");
    assert_null(world->asked);
}

static void the_first_devices_may_be_asked_for(void **state)
{
    struct world *world = *state;

    assert_string_equal(body_of(get(world, "/devices?top=1")), "[{\"deviceId\":\"room-07\"}]");
    assert_status(get(world, "/devices?top=0"), "400");
    assert_status(get(world, "/devices?top=many"), "400");
}

static void a_foreign_page_may_not_ask_through_a_forwarded_socket(void **state)
{
    static const char *const bad[] = {
        "Host: localhost:8080\r\nOrigin: http://evil.example\r\n",
        "Host: localhost:8080\r\nOrigin: http://localhost:3000\r\n",
        "Host: evil.example:8080\r\nOrigin: http://evil.example:8080\r\n",
        "Host: evil.example:8080\r\nSec-Fetch-Site: same-origin\r\n",
        "Host: localhost.evil.example\r\nSec-Fetch-Site: same-origin\r\n",
    };
    struct world *world = *state;
    char text[300];

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        snprintf(text, sizeof(text),
                 "POST /jobs/v2/a:b/cancel HTTP/1.1\r\n%sContent-Length: 0\r\n\r\n", bad[i]);
        assert_status(exchange_text(world, text), "403");
        assert_null(world->asked);
    }
    assert_status(exchange_text(world, "GET /devices HTTP/1.1\r\nHost: evil.example:8080\r\n"
                                       "Accept-Language: en\r\n\r\n"),
                  "403");
    assert_status(exchange_text(world, "GET /devices HTTP/1.1\r\nHost: localhost:8080\r\n"
                                       "Accept-Language: en\r\n"
                                       "Origin: http://localhost:8080\r\n\r\n"),
                  "200");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(every_answer_is_json_and_says_so),
        fact(a_job_for_one_state_of_a_twin_fails_its_precondition),
        fact(the_first_devices_may_be_asked_for),
        fact(a_foreign_page_may_not_ask_through_a_forwarded_socket),
        fact(the_status_has_what_the_gateway_adds),
        fact(an_unknown_job_is_the_hubs_job_not_found),
        fact(an_unknown_device_is_the_hubs_device_not_found),
        fact(a_known_route_with_another_method_is_405),
        fact(head_answers_without_a_body),
        fact(an_api_version_must_look_like_one),
        fact(a_job_goes_to_the_engine_and_its_answer_comes_back),
        fact(a_job_id_in_use_is_409_as_the_hub_says_it),
        fact(a_malformed_job_never_reaches_the_engine),
        fact(the_old_path_makes_a_job_of_one_device),
        fact(a_cancel_needs_no_body),
        fact(a_cancel_of_an_ended_job_is_405),
        fact(filters_are_taken_in_every_spelling),
        fact(the_last_page_has_no_continuation_header),
        fact(a_page_leads_to_the_next_by_header_or_parameter),
        fact(an_answer_waits_for_the_history),
        fact(a_history_that_cannot_be_read_is_said_with_its_reason),
        fact(who_leaves_does_not_wait_for_the_history),
        fact(what_waits_for_the_history_is_refused_when_the_gateway_stops),
        fact(more_than_the_history_takes_is_refused),
        fact(a_forged_token_is_refused),
        fact(a_query_tells_its_kind_of_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
