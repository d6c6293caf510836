/* What is no request, or one whose end is not sure, and is refused in JSON like any other. */
#include "api_world.h"

static void assert_refused_as_json(const char *text, const char *status, const char *code)
{
    char message[80];

    assert_memory_equal(text, "HTTP/1.1 ", 9);
    assert_memory_equal(text + 9, status, 3);
    snprintf(message, sizeof(message), "\r\niothub-errorcode: %s\r\n", code);
    assert_has(text, message);
    assert_has(text, "\r\nContent-Type: application/json; charset=utf-8\r\n");
    assert_has(text, "\r\nConnection: close\r\n");
    snprintf(message, sizeof(message), "{\"Message\":\"ErrorCode:%s;", code);
    assert_memory_equal(body_of(text), message, strlen(message));
    assert_has(text, "\"ExceptionMessage\":\"Tracking ID:");
    assert_null(strstr(text, "<"));
    assert_int_equal(strtol(strstr(text, "Content-Length: ") + 16, NULL, 10),
                     strlen(body_of(text)));
}

/* evhttp refuses these by itself, with a page of HTML. */
static void what_is_no_request_is_refused_in_json_too(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *text, *status, *code;
    } cases[] = {
        {"hello\r\n\r\n", "400", "ArgumentInvalid"},
        {"GET / HTTP/9.9\r\n\r\n", "400", "ArgumentInvalid"},
        {"GET / HTTP/1.1\r\nno colon here\r\n\r\n", "400", "ArgumentInvalid"},
        {"PUT /jobs/v2/j HTTP/1.1\r\nContent-Length: -5\r\n\r\n", "400", "ArgumentInvalid"},
        {"PUT /jobs/v2/j HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", "413",
         "MessageTooLarge"},
        {"PUT /jobs/v2/j HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "413",
         "MessageTooLarge"},
        {"PUT /jobs/v2/j HTTP/1.1\r\nExpect: more\r\nContent-Length: 2\r\n\r\n{}", "417",
         "ArgumentInvalid"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_refused_as_json(exchange_text(world, cases[i].text), cases[i].status,
                               cases[i].code);
}

static void garbage_after_a_good_request_is_refused_in_json_too(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);

    client_say(world, fd, REQUEST("GET /healthz", "", ""));
    assert_status(client_read(world, fd), "200");
    client_say(world, fd, "garbage\r\n\r\n");
    assert_refused_as_json(client_read(world, fd), "400", "ArgumentInvalid");
    assert_null(client_read(world, fd));
    close(fd);
}

static void who_waits_to_be_told_to_go_on_is_told(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);

    client_say(
        world, fd,
        REQUEST("POST /devices/query", "Expect: 100-continue\r\nContent-Length: 2\r\n", ""));
    assert_string_equal(client_read(world, fd), "HTTP/1.1 100 Continue\r\n\r\n");
    client_say(world, fd, "{}");
    assert_status(client_read(world, fd), "400");
    assert_has(world->text, "ArgumentNull");
    close(fd);
}

static void a_body_of_two_lengths_ends_the_connection(void **state)
{
    struct world *world = *state;
    static const char *const cases[] = {
        REQUEST("POST /devices/query", "Content-Length: 2\r\nContent-Length: 40\r\n", "{}"),
        REQUEST("POST /devices/query", "Transfer-Encoding: gzip\r\n", "{}"),
        REQUEST("POST /devices/query", "Transfer-Encoding: gzip, chunked\r\n",
                "2\r\n{}\r\n0\r\n\r\n"),
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_refused_as_json(exchange_text(world, cases[i]), "400", "ArgumentInvalid");
}

static void a_body_that_is_too_large_is_told_its_size(void **state)
{
    struct world *world = *state;
    char blanks[4097];
    int fd = client_open(world);

    memset(blanks, ' ', 4096);
    blanks[4096] = '\0';
    client_say(world, fd, REQUEST("POST /devices/query", "Content-Length: 131073\r\n", " "));
    for (int i = 0; i < 32; i++) /* in pieces that any socket takes */
        client_say(world, fd, blanks);
    assert_status(client_read(world, fd), "413");
    assert_has(world->text, "MessageTooLarge");
    assert_has(world->text, "131073 bytes");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(what_is_no_request_is_refused_in_json_too),
        fact(garbage_after_a_good_request_is_refused_in_json_too),
        fact(who_waits_to_be_told_to_go_on_is_told),
        fact(a_body_of_two_lengths_ends_the_connection),
        fact(a_body_that_is_too_large_is_told_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
