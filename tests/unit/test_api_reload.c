/* Who asks for a reload waits until it is known what became of it. */
#include "api_world.h"

static const char ask[] = REQUEST("POST /jobgate/v1/reload", "Content-Length: 0\r\n", "");

static json_t *taken(bool is)
{
    return json_pack("{s:b}", "taken", (int)is);
}

static void an_answer_waits_for_the_reading(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);

    client_say(world, fd, ask);
    assert_true(world->reload > 0);
    assert_string_equal(client_read(world, fd), "");
    assert_status(get(world, "/healthz"), "200");
    api_reloaded(world->api, world->reload, 400, taken(false));
    turn(world);
    const char *text = client_read(world, fd);
    assert_status(text, "400");
    assert_has(text, "{\"taken\":false}");
    close(fd);
}

static void who_asks_later_is_answered_by_what_is_read_later(void **state)
{
    struct world *world = *state;
    int first = client_open(world), second = client_open(world);

    client_say(world, first, ask);
    uint64_t ticket = world->reload;
    client_say(world, second, ask);
    api_reloaded(world->api, ticket, 200, taken(true));
    turn(world);
    assert_status(client_read(world, first), "200");
    assert_string_equal(client_read(world, second), "");
    api_reloaded(world->api, world->reload, 400, taken(false));
    turn(world);
    assert_status(client_read(world, second), "400");
    close(first);
    close(second);
}

static void one_reading_answers_all_who_asked_before(void **state)
{
    struct world *world = *state;
    int fds[3];

    for (int i = 0; i < 3; i++) {
        fds[i] = client_open(world);
        client_say(world, fds[i], ask);
    }
    api_reloaded(world->api, world->reload, 200, taken(true));
    turn(world);
    for (int i = 0; i < 3; i++) {
        assert_status(client_read(world, fds[i]), "200");
        close(fds[i]);
    }
}

static void who_leaves_meanwhile_harms_nobody(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);

    client_say(world, fd, ask);
    close(fd);
    turn(world);
    api_reloaded(world->api, world->reload, 200, taken(true));
    assert_status(get(world, "/healthz"), "200");
}

static void a_stop_answers_who_waits(void **state)
{
    struct world *world = *state;
    int fd = client_open(world);

    client_say(world, fd, ask);
    api_close(world->api);
    world->api = NULL;
    assert_status(client_read(world, fd), "503");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        fact(an_answer_waits_for_the_reading),
        fact(who_asks_later_is_answered_by_what_is_read_later),
        fact(one_reading_answers_all_who_asked_before),
        fact(who_leaves_meanwhile_harms_nobody),
        fact(a_stop_answers_who_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
