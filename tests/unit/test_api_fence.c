/* Events, connections, and what the server is fenced against. */
#include "api_world.h"

#include <sys/resource.h>

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
    int fds[64], late;

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

static void who_takes_all_places_and_says_nothing_keeps_nobody_out(void **state)
{
    struct world *world = *state;
    const char *text = "";
    int fds[64], late;

    for (int i = 0; i < 64; i++)
        fds[i] = client_open(world);
    client_say(world, fds[0], REQUEST("GET /healthz", "", ""));
    assert_status(client_read(world, fds[0]), "200");
    late = client_open(world);
    client_say(world, late, REQUEST("GET /healthz", "", ""));
    for (int i = 0; i < 1200 && text && !*text; i++) {
        usleep(50000);
        turn(world);
        text = client_read(world, late);
    }
    assert_status(text, "200");
    close(late);
    for (int i = 0; i < 64; i++)
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
    for (int i = 0; i < 3000; i++) { /* byte by byte, never idle */
        if (send(slow, "G", 1, MSG_NOSIGNAL) < 0)
            break;
        usleep(20000);
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
                                           .engine = &fake_engine,
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

static void without_descriptors_the_listener_rests_and_comes_back(void **state)
{
    struct world *world = *state;
    struct rlimit before, none;

    if (getenv("UNDER_VALGRIND")) /* it accepts, finds the limit, and hangs up */
        skip();
    int fd = client_open(world), spare = dup(fd);

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)spare;
    close(spare);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    client_say(world, fd, REQUEST("GET /healthz", "", ""));
    assert_string_equal(client_read(world, fd), "");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < 6000 && *client_read(world, fd) == '\0'; i++) {
        usleep(10000);
        turn(world);
    }
    assert_status(world->text, "200");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(events_are_told_as_they_happen),
        fact(a_reader_may_ask_for_one_job),
        fact(a_reader_that_does_not_read_is_dropped),
        fact(the_sixty_fifth_connection_waits_for_a_place),
        fact(who_takes_all_places_and_says_nothing_keeps_nobody_out),
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
        fact(without_descriptors_the_listener_rests_and_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
