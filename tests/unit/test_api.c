/*
 * The routes over a real unix socket and libevent's server, with an engine that answers as
 * each test says. The client is a plain blocking socket: the loop turns between its steps.
 */
#include "jobs/query.h"
#include "links/api.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include <cmocka.h>

enum { TEXT_MOST = 200000, CLIENTS_MOST = 80 };

struct world {
    char folder[64], socket[96];
    struct event_base *base;
    struct api *api;
    struct request *asked; /* the last request that reached the engine */
    char text[TEXT_MOST];  /* what the client read */
};

/* --- the engine --- */

struct engine {
    const char *jobs_type, *jobs_status;
    size_t most;
    char after[32];
    bool more;
};

json_t *engine_job_json(const struct engine *engine, const char *job_id)
{
    (void)engine;
    return strcmp(job_id, "a:b") == 0
               ? json_pack("{s:s,s:s}", "jobId", job_id, "status", "running")
               : NULL;
}

json_t *engine_jobs_json(const struct engine *engine, const char *type, const char *status,
                         size_t most, const char *after, char **next_cursor)
{
    struct engine *fake = (struct engine *)(uintptr_t)engine;

    fake->jobs_type = type;
    fake->jobs_status = status;
    fake->most = most;
    snprintf(fake->after, sizeof(fake->after), "%s", after ? after : "");
    *next_cursor = fake->more ? strdup("page 2") : NULL;
    return json_pack("[{s:s}]", "jobId", "j");
}

json_t *engine_query_json(struct engine *engine, const struct query *query, size_t most,
                          const char *after, char **next_cursor)
{
    (void)after;
    engine->most = most;
    *next_cursor = NULL;
    return json_pack("[{s:b}]", "jobs", query->collection == QUERY_DEVICES_JOBS);
}

json_t *engine_devices_json(struct engine *engine, const char *device_id)
{
    (void)engine;
    return device_id ? json_pack("{s:s}", "deviceId", device_id)
                     : json_pack("[{s:s}]", "deviceId", "room-07");
}

json_t *engine_twin_json(struct engine *engine, const char *device_id)
{
    (void)engine;
    return json_pack("{s:s,s:s}", "deviceId", device_id, "etag", "AAAA=");
}

json_t *engine_status_json(struct engine *engine, struct moment now)
{
    (void)engine;
    (void)now;
    return json_pack("{s:[]}", "lines");
}

static struct engine engine;

/* --- the world --- */

static void take_request(void *ctx, struct request *request)
{
    struct world *world = ctx;

    request_free(world->asked);
    world->asked = request;
}

static void add_status(void *ctx, json_t *status)
{
    (void)ctx;
    json_object_set_new(status, "links", json_object());
}

static struct site *site_of_one(void)
{
    static char id[] = "room-07";
    static struct device device = {.id = id};
    static size_t by_id[] = {0};
    static struct site site = {.devices = &device, .device_count = 1, .by_id = by_id};

    return &site;
}

static int open_world(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    char why[200];

    engine = (struct engine){0};
    strcpy(world->folder, "/tmp/jobgate-test-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->socket, sizeof(world->socket), "%s/run/api.sock", world->folder);
    world->base = event_base_new();
    assert_int_equal(api_open(&world->api,
                              &(struct api_settings){.base = world->base,
                                                     .site = site_of_one(),
                                                     .engine = &engine,
                                                     .socket = world->socket,
                                                     .request = take_request,
                                                     .request_ms = 300,
                                                     .status = add_status,
                                                     .ctx = world},
                              why, sizeof(why)),
                     0);
    *state = world;
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;
    char folder[96];

    if (world->api)
        api_close(world->api);
    event_base_free(world->base);
    request_free(world->asked);
    snprintf(folder, sizeof(folder), "%s/run", world->folder);
    assert_int_equal(rmdir(folder), 0); /* the socket is gone */
    rmdir(world->folder);
    free(world);
    return 0;
}

/* The loop until it has nothing to do for 20 ms. */
static void turn(struct world *world)
{
    struct timeval time = {.tv_usec = 20000};

    event_base_loopexit(world->base, &time);
    event_base_dispatch(world->base);
}

static int client_open(struct world *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = 2};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(address.sun_path, world->socket);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

static void client_say(struct world *world, int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    turn(world);
}

/* What is there now; "" when nothing is, NULL when the other side closed. */
static const char *client_read(struct world *world, int fd)
{
    ssize_t size = recv(fd, world->text, sizeof(world->text) - 1, MSG_DONTWAIT);

    if (size == 0 || (size < 0 && errno != EAGAIN))
        return NULL;
    world->text[size < 0 ? 0 : size] = '\0';
    return world->text;
}

static const char *exchange_text(struct world *world, const char *request)
{
    int fd = client_open(world);
    const char *text;

    client_say(world, fd, request);
    text = client_read(world, fd);
    close(fd);
    turn(world);
    return text ? text : "(closed)";
}

static const char *body_of(const char *text)
{
    const char *body = strstr(text, "\r\n\r\n");

    return body ? body + 4 : "";
}

#define REQUEST(line, headers, body) line " HTTP/1.1\r\nHost: localhost\r\n" headers "\r\n" body

static const char *get(struct world *world, const char *path)
{
    char text[1024];

    snprintf(text, sizeof(text), REQUEST("GET %s", "", ""), path);
    return exchange_text(world, text);
}

static void post_text(char *text, size_t size, const char *method, const char *path,
                      const char *body)
{
    snprintf(text, size, REQUEST("%s %s", "Content-Length: %zu\r\n", "%s"), method, path,
             strlen(body), body);
}

static const char *post(struct world *world, const char *method, const char *path,
                        const char *body)
{
    char text[8192];

    post_text(text, sizeof(text), method, path, body);
    return exchange_text(world, text);
}

/* The engine answers what was asked last. */
static void answer(struct world *world, enum report_kind kind, enum code code, int status,
                   const char *body)
{
    char text[500];
    struct report report = {.kind = kind, .code = code, .status = status, .body = text};

    assert_non_null(world->asked);
    snprintf(text, sizeof(text), "%s", body);
    report.origin = world->asked->origin;
    api_report(world->api, &report);
    turn(world);
}

/* Sends, lets the engine answer, and gives what the client got. */
static const char *asked_and_answered(struct world *world, const char *method, const char *path,
                                      const char *body, enum code code, int status,
                                      const char *payload)
{
    char text[8192];
    int fd = client_open(world);

    post_text(text, sizeof(text), method, path, body);
    client_say(world, fd, text);
    assert_string_equal(client_read(world, fd), "");
    answer(world, REPORT_ANSWER, code, status, payload);
    assert_non_null(client_read(world, fd));
    close(fd);
    turn(world);
    return world->text;
}

#define assert_has(text, part)      assert_non_null(strstr(text, part))
#define assert_status(text, status) assert_memory_equal(text, "HTTP/1.1 " status, 12)

static void tell(struct world *world, enum report_kind kind, const char *job_id,
                 const char *device_id, const char *body)
{
    char job[40], device[40], text[20000];
    struct report report = {.kind = kind, .job_id = job, .device_id = device, .body = text};

    snprintf(job, sizeof(job), "%s", job_id);
    snprintf(device, sizeof(device), "%s", device_id);
    snprintf(text, sizeof(text), "%s", body);
    api_report(world->api, &report);
}

/* --- the facts --- */

static void every_answer_is_json_and_says_so(void **state)
{
    struct world *world = *state;

    static const char *const paths[] = {"/healthz",
                                        "/devices",
                                        "/devices/",
                                        "/devices/room-07",
                                        "/twins/room-07",
                                        "/jobs/v2/a%3Ab",
                                        "/jobs/v2/a:b",
                                        "/jobs",
                                        "/jobgate/v1/status",
                                        "/nowhere",
                                        "/"};

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
    assert_string_equal(body_of(get(*state, "/jobgate/v1/status")),
                        "{\"lines\":[],\"links\":{}}");
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
    assert_has(text, "Allow: GET, HEAD, PATCH\r\n");
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
    assert_string_equal(engine.jobs_status, "queued");
    assert_string_equal(engine.jobs_type, "scheduleDeviceMethod");
    get(world, "/jobs/v2/query?jobType=&jobStatus=CANCELED");
    assert_string_equal(engine.jobs_status, "cancelled");
    assert_string_equal(engine.jobs_type, "");
    assert_has(get(world, "/jobs/v2/query?jobStatus=done"), "ErrorCode:ArgumentInvalid;");
}

static void the_last_page_has_no_continuation_header(void **state)
{
    const char *text = get(*state, "/jobs/v2/query");

    assert_has(text, "x-ms-item-type: JobResponse\r\n");
    assert_null(strstr(text, "x-ms-continuation"));
    assert_int_equal(engine.most, 100);
}

static void a_page_leads_to_the_next_by_header_or_parameter(void **state)
{
    struct world *world = *state;
    char token[100], text[400];

    engine.more = true;
    get(world, "/jobs/v2/query?pageSize=25");
    assert_int_equal(engine.most, 25);
    assert_int_equal(sscanf(strstr(world->text, "x-ms-continuation: "),
                            "x-ms-continuation: %99[^\r]", token),
                     1);
    snprintf(text, sizeof(text), "/jobs/v2/query?continuationToken=%s", token);
    get(world, text);
    assert_string_equal(engine.after, "page 2");
    engine.after[0] = '\0';
    snprintf(text, sizeof(text),
             REQUEST("GET /jobs/v2/query?pageSize=7",
                     "x-ms-max-item-count: 1000\r\nX-MS-Continuation: %s\r\n", ""),
             token);
    exchange_text(world, text);
    assert_string_equal(engine.after, "page 2");
    assert_int_equal(engine.most, 100);
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
}

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

static void events_are_told_as_they_happen(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);

    client_say(world, fd, REQUEST("GET /events", "", ""));
    assert_has(client_read(world, fd), "Content-Type: text/event-stream; charset=utf-8\r\n");
    assert_has(world->text, ": ready\n\n");
    tell(world, REPORT_OUTCOME, "j1", "room-07", "{\"jobId\":\"j1\"}");
    tell(world, REPORT_STATE, "", "room-07", "{\"state\":\"offline\"}");
    tell(world, REPORT_SHARE, "j1", "", "");
    turn(world);
    assert_has(client_read(world, fd), "event: outcome\ndata: {\"jobId\":\"j1\"}\n\n");
    assert_has(world->text,
               "event: state\ndata: {\"deviceId\":\"room-07\",\"state\":\"offline\"}\n\n");
    assert_null(strstr(world->text, "share"));
    close(fd);
}

static void a_reader_may_ask_for_one_job(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);

    client_say(world, fd, REQUEST("GET /events?jobId=j1", "", ""));
    client_read(world, fd);
    tell(world, REPORT_OUTCOME, "j2", "room-07", "{\"jobId\":\"j2\"}");
    tell(world, REPORT_STATE, "", "room-07", "{\"state\":\"offline\"}");
    tell(world, REPORT_PROGRESS, "j1", "room-07", "{\"jobId\":\"j1\"}");
    turn(world);
    assert_has(client_read(world, fd), "event: progress\n");
    assert_null(strstr(world->text, "j2"));
    assert_null(strstr(world->text, "state"));
    close(fd);
}

static void a_reader_that_does_not_read_is_dropped(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);
    char body[10000] = "{\"x\":\"";
    ssize_t size = 1;

    memset(body + 6, 'x', sizeof(body) - 9);
    strcpy(body + sizeof(body) - 3, "\"}");
    client_say(world, fd, REQUEST("GET /events", "", ""));
    for (int i = 0; i < 200; i++) {
        tell(world, REPORT_OUTCOME, "j1", "room-07", body);
        event_base_loop(world->base, EVLOOP_NONBLOCK);
    }
    while (size > 0)
        size = recv(fd, world->text, sizeof(world->text), 0);
    assert_int_equal(size, 0); /* closed, not waiting for more */
    close(fd);
    assert_status(get(world, "/healthz"), "200");
}

static void the_sixty_fifth_connection_waits_for_a_place(void **state)
{
    struct world *world = *state;
    int fds[CLIENTS_MOST], late;

    for (int i = 0; i < 64; i++)
        fds[i] = client_open(world);
    turn(world);
    late = client_open(world);
    client_say(world, late, REQUEST("GET /healthz", "", ""));
    assert_string_equal(client_read(world, late), "");
    client_say(world, fds[5], REQUEST("GET /healthz", "", ""));
    assert_status(client_read(world, fds[5]), "200");
    close(fds[7]);
    turn(world);
    turn(world);
    assert_status(client_read(world, late), "200");
    close(late);
    for (int i = 0; i < 64; i++)
        if (i != 7)
            close(fds[i]);
    turn(world);
}

static void a_connection_takes_request_after_request(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);

    for (int i = 0; i < 20; i++) {
        client_say(world, fd, REQUEST("GET /healthz", "Connection: keep-alive\r\n", ""));
        assert_status(client_read(world, fd), "200");
    }
    client_say(world, fd, REQUEST("GET /healthz", "", "") REQUEST("GET /devices", "", ""));
    turn(world);
    assert_has(client_read(world, fd), "room-07");
    close(fd);
}

static void a_request_must_come_in_whole_in_time(void **state)
{
    struct world *world = *state;
    int slow = client_open(world), next = client_open(world), silent = client_open(world);

    client_say(world, next, REQUEST("GET /healthz", "", "") "GET");
    assert_status(client_read(world, next), "200");
    for (int i = 0; i < 20; i++) { /* byte by byte, never idle: 20 ms each */
        if (send(slow, "G", 1, MSG_NOSIGNAL) < 0)
            break;
        turn(world);
    }
    assert_null(client_read(world, slow));
    assert_null(client_read(world, next));
    assert_null(client_read(world, silent));
    close(slow);
    close(next);
    close(silent);
}

static void bytes_sent_while_an_answer_waits_are_the_next_request(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);

    client_say(world, fd,
               REQUEST("POST /jobs/v2/a:b/cancel", "Content-Length: 0\r\n", "")
                   REQUEST("GET /healthz", "", ""));
    client_say(world, fd, "GET /healthz");
    assert_string_equal(client_read(world, fd), "");
    answer(world, REPORT_ANSWER, CODE_NONE, 200, "{}");
    turn(world);
    assert_has(client_read(world, fd), "{}HTTP/1.1 200");
    close(fd);
}

static void a_caller_that_leaves_is_noticed_while_it_waits(void **state)
{
    struct world *world = *state;
    int fds[64];

    for (int i = 0; i < 64; i++) {
        fds[i] = client_open(world);
        client_say(world, fds[i],
                   REQUEST("POST /jobs/v2/a:b/cancel", "Content-Length: 0\r\n", ""));
    }
    for (int i = 0; i < 64; i++)
        close(fds[i]);
    turn(world);
    assert_status(get(world, "/healthz"), "200");
    answer(world, REPORT_ANSWER, CODE_NONE, 200, "{}"); /* for somebody who is gone */
}

static void what_waits_when_the_gateway_stops_is_told_so(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);

    client_say(world, fd, REQUEST("POST /jobs/v2/a:b/cancel", "Content-Length: 0\r\n", ""));
    api_close(world->api);
    world->api = NULL;
    assert_non_null(client_read(world, fd));
    assert_status(world->text, "503");
    assert_has(world->text, "ErrorCode:ServiceUnavailable;the gateway stops");
    close(fd);
}

static void garbage_is_answered_400_and_harms_nobody(void **state)
{
    struct world *world = *state;
    static const char *const garbage[] = {
        "\x16\x03\x01\x02\r\n\r\n",
        "GET\r\n\r\n",
        "GET /a b c HTTP/1.1\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "PUT /jobs/v2/j HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        "PUT /jobs/v2/j HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon here\r\n\r\n",
        "\r\n\r\n\r\n",
        "PUT /jobs/v2/j HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET /%zz HTTP/1.1\r\n\r\n"};

    for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
        const char *text = exchange_text(world, garbage[i]);

        assert_true(strncmp(text, "HTTP/1.", 7) != 0 || text[9] == '4');
    }
    assert_status(get(world, "/healthz"), "200");
}

static void a_head_that_is_too_large_is_refused(void **state)
{
    struct world *world = *state;
    char text[20000];

    memset(text, 'a', sizeof(text));
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    strcpy(text + sizeof(text) - 5, "\r\n\r\n");
    assert_memory_equal(exchange_text(world, text) + 8, " 4", 2);
}

static void the_socket_is_for_its_owner_and_group(void **state)
{
    struct world *world = *state;
    struct stat found;

    assert_int_equal(stat(world->socket, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0660);
}

static int try_open(struct world *world, struct api **ret)
{
    char why[200];

    return api_open(ret,
                    &(struct api_settings){.base = world->base,
                                           .site = site_of_one(),
                                           .engine = &engine,
                                           .socket = world->socket,
                                           .request = take_request,
                                           .ctx = world},
                    why, sizeof(why));
}

static void a_socket_that_answers_is_left_alone(void **state)
{
    struct world *world = *state;
    struct api *second;

    assert_int_equal(try_open(world, &second), -EADDRINUSE);
    assert_status(get(world, "/healthz"), "200");
}

static void a_socket_that_nobody_answers_on_is_replaced(void **state)
{
    struct world *world = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    api_close(world->api);
    strcpy(address.sun_path, world->socket);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    assert_int_equal(try_open(world, &world->api), 0);
    assert_status(get(world, "/healthz"), "200");
}

static void a_file_in_the_sockets_place_is_no_socket(void **state)
{
    struct world *world = *state;
    struct api *second;
    FILE *file;

    api_close(world->api);
    world->api = NULL;
    file = fopen(world->socket, "w");
    fclose(file);
    assert_int_equal(try_open(world, &second), -EEXIST);
    assert_int_equal(unlink(world->socket), 0);
}

#define fact(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(every_answer_is_json_and_says_so),
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
        fact(a_forged_token_is_refused),
        fact(a_query_tells_its_kind_of_rows),
        fact(a_methods_answer_is_200_whatever_the_device_says),
        fact(a_call_whose_time_ends_is_504_in_the_hubs_form),
        fact(a_call_is_checked_for_form),
        fact(a_read_names_its_points),
        fact(a_write_must_write_something),
        fact(a_patch_is_answered_with_the_twin_once_stored),
        fact(a_patch_for_another_etag_is_412),
        fact(a_patch_changes_tags_or_desired_properties),
        fact(events_are_told_as_they_happen),
        fact(a_reader_may_ask_for_one_job),
        fact(a_reader_that_does_not_read_is_dropped),
        fact(the_sixty_fifth_connection_waits_for_a_place),
        fact(a_connection_takes_request_after_request),
        fact(a_request_must_come_in_whole_in_time),
        fact(bytes_sent_while_an_answer_waits_are_the_next_request),
        fact(a_caller_that_leaves_is_noticed_while_it_waits),
        fact(what_waits_when_the_gateway_stops_is_told_so),
        fact(garbage_is_answered_400_and_harms_nobody),
        fact(a_head_that_is_too_large_is_refused),
        fact(the_socket_is_for_its_owner_and_group),
        fact(a_socket_that_answers_is_left_alone),
        fact(a_socket_that_nobody_answers_on_is_replaced),
        fact(a_file_in_the_sockets_place_is_no_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
