#include "api_world.h"
#include "jobs/search.h"

/* --- the engine --- */

struct engine fake_engine;

struct search {
    json_t *rows;
    char *cursor;
    struct look *look;
};

static int found(struct search **ret, json_t *rows)
{
    struct search *search = calloc(1, sizeof(*search));

    search->rows = rows;
    if (fake_engine.past) {
        search->look = look_new(LOOK_JOBS, 1);
        search->look->ctx = search;
    }
    *ret = search;
    return 0;
}

int search_job(struct search **ret, struct engine *engine, const char *job_id)
{
    (void)engine;
    return found(ret, strcmp(job_id, "a:b") == 0
                          ? json_pack("{s:s,s:s}", "jobId", job_id, "status", "running")
                          : NULL);
}

int search_jobs(struct search **ret, struct engine *engine, const struct job_filter *filter,
                size_t most, const char *after)
{
    engine->jobs_type = filter->type;
    engine->jobs_status = filter->status;
    engine->from_ms = filter->from_ms;
    engine->to_ms = filter->to_ms;
    engine->most = most;
    snprintf(engine->after, sizeof(engine->after), "%s", after ? after : "");
    found(ret, json_pack("[{s:s}]", "jobId", "j"));
    (*ret)->cursor = engine->more ? strdup("page 2") : NULL;
    return 0;
}

int search_query(struct search **ret, struct engine *engine, const struct query *query,
                 size_t most, const char *after)
{
    (void)after;
    engine->most = most;
    return found(ret, json_pack("[{s:b}]", "jobs", query->collection == QUERY_DEVICES_JOBS));
}

struct look *search_take_look(struct search *search)
{
    struct look *look = search->look;

    search->look = NULL;
    return look;
}

json_t *search_end(struct search *search, struct look *look, char **next_cursor)
{
    json_t *rows = search->rows;

    look_free(look);
    *next_cursor = search->cursor;
    search->cursor = NULL;
    search->rows = NULL;
    return rows;
}

void search_free(struct search *search)
{
    if (!search)
        return;
    json_decref(search->rows);
    free(search->cursor);
    look_free(search->look);
    free(search);
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

/* --- the world --- */

void take_request(void *ctx, struct request *request)
{
    struct world *world = ctx;

    request_free(world->asked);
    world->asked = request;
}

static void add_status(void *ctx, json_t *status)
{
    (void)ctx;
    json_object_set_new(status, "broker", json_pack("{s:b}", "connected", 1));
}

static bool take_look(void *ctx, struct look *look)
{
    struct world *world = ctx;

    if (world->blind)
        return false;
    assert_null(world->look);
    world->look = look;
    return true;
}

static void ask_reload(void *ctx, uint64_t ticket)
{
    struct world *world = ctx;

    assert_true(ticket > world->reload);
    world->reload = ticket;
}

bool clock_of(void *ctx)
{
    const struct world *world = ctx;

    return !world->untrusted;
}

struct site *site_of_one(void)
{
    static char id[] = "room-07";
    static struct device device = {.id = id};
    static size_t by_id[] = {0};
    static struct site site = {.devices = &device, .device_count = 1, .by_id = by_id};

    return &site;
}

int open_world(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    char why[200];

    fake_engine = (struct engine){0};
    strcpy(world->folder, "/tmp/jobgate-test-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->socket, sizeof(world->socket), "%s/run/api.sock", world->folder);
    world->base = event_base_new();
    assert_int_equal(api_open(&world->api,
                              &(struct api_settings){.base = world->base,
                                                     .site = site_of_one(),
                                                     .engine = &fake_engine,
                                                     .socket = world->socket,
                                                     .request = take_request,
                                                     .look = take_look,
                                                     .request_ms = 5000,
                                                     .status = add_status,
                                                     .trusted = clock_of,
                                                     .reload = ask_reload,
                                                     .ctx = world},
                              why, sizeof(why)),
                     0);
    *state = world;
    return 0;
}

int close_world(void **state)
{
    struct world *world = *state;
    char folder[96];

    if (world->api)
        api_close(world->api);
    event_base_free(world->base);
    request_free(world->asked);
    look_free(world->look);
    snprintf(folder, sizeof(folder), "%s/run", world->folder);
    assert_int_equal(rmdir(folder), 0); /* the socket is gone */
    rmdir(world->folder);
    free(world);
    return 0;
}

void turn(struct world *world)
{
    for (int i = 0; i < 20; i++) /* no step on a local socket takes more */
        event_base_loop(world->base, EVLOOP_NONBLOCK);
}

int client_open(struct world *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = 60};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    strcpy(address.sun_path, world->socket);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

void client_say(struct world *world, int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    turn(world);
}

const char *client_read(struct world *world, int fd)
{
    ssize_t size = recv(fd, world->text, sizeof(world->text) - 1, MSG_DONTWAIT);

    if (size == 0 || (size < 0 && errno != EAGAIN))
        return NULL;
    world->text[size < 0 ? 0 : size] = '\0';
    return world->text;
}

const char *exchange_text(struct world *world, const char *request)
{
    int fd = client_open(world);
    const char *text;

    client_say(world, fd, request);
    text = client_read(world, fd);
    close(fd);
    turn(world);
    return text ? text : "(closed)";
}

const char *body_of(const char *text)
{
    const char *body = strstr(text, "\r\n\r\n");

    return body ? body + 4 : "";
}

const char *get(struct world *world, const char *path)
{
    char text[1024];

    snprintf(text, sizeof(text), REQUEST("GET %s", "", ""), path);
    return exchange_text(world, text);
}

void post_text(char *text, size_t size, const char *method, const char *path, const char *body)
{
    snprintf(text, size, REQUEST("%s %s", "Content-Length: %zu\r\n", "%s"), method, path,
             strlen(body), body);
}

const char *post(struct world *world, const char *method, const char *path, const char *body)
{
    char text[8192];

    post_text(text, sizeof(text), method, path, body);
    return exchange_text(world, text);
}

void answer(struct world *world, enum report_kind kind, enum code code, int status,
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

const char *asked_and_answered(struct world *world, const char *method, const char *path,
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

void tell(struct world *world, enum report_kind kind, const char *job_id, const char *device_id,
          const char *body)
{
    char job[40], device[40], text[20000];
    struct report report = {.kind = kind, .job_id = job, .device_id = device, .body = text};

    snprintf(job, sizeof(job), "%s", job_id);
    snprintf(device, sizeof(device), "%s", device_id);
    snprintf(text, sizeof(text), "%s", body);
    api_report(world->api, &report);
}
