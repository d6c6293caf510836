/* The simulator's lines from outside: raw bytes on a terminal and on a socket. */
#include "sim/frame.h"
#include "sim/sim.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static const struct sim_register registers[] = {{SIM_HOLDING, 100, 215}, {SIM_INPUT, 10, 1}};
static const struct sim_line lines[] = {
    {.name = "floor3", .baud = 19200, .char_bits = 11},
    {.name = "plant", .tcp = true},
};
static const struct sim_unit units[] = {
    {.id = "room-1", .line = 0, .unit = 1, .registers = registers, .register_count = 2},
    {.id = "chiller", .line = 1, .unit = 1, .registers = registers, .register_count = 2},
    {.id = "pump", .line = 1, .unit = 2, .registers = registers, .register_count = 1},
};

struct stage {
    char base[32];
    char dir[64];
    char dump[64];
    struct sim_settings settings;
    struct sim *sim;
};

static void set_stage(struct stage *stage)
{
    *stage = (struct stage){.base = "/tmp/test_sim.XXXXXX"};
    assert_non_null(mkdtemp(stage->base));
    snprintf(stage->dir, sizeof(stage->dir), "%s/lines", stage->base);
    snprintf(stage->dump, sizeof(stage->dump), "%s/dump.json", stage->base);
    stage->settings = (struct sim_settings){.dir = stage->dir,
                                            .lines = lines,
                                            .line_count = 2,
                                            .units = units,
                                            .unit_count = 3,
                                            .turnaround_us = 5000,
                                            .dump = stage->dump};
}

static int raise_curtain(void **state)
{
    struct stage *stage = test_calloc(1, sizeof(*stage));
    char problem[256] = "";

    set_stage(stage);
    if (sim_open(&stage->sim, &stage->settings, problem, sizeof(problem)) < 0)
        fail_msg("%s", problem);
    *state = stage;
    return 0;
}

static void sweep(struct stage *stage)
{
    unlink(stage->dump);
    rmdir(stage->dir);
    assert_int_equal(rmdir(stage->base), 0);
    test_free(stage);
}

static int drop_curtain(void **state)
{
    struct stage *stage = *state;

    sim_close(stage->sim);
    sweep(stage);
    return 0;
}

static int open_terminal(const struct stage *stage)
{
    char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof(path), "%s/floor3", stage->dir);
    fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static int open_line(const struct stage *stage, tcflag_t mode)
{
    struct termios settings;
    int fd = open_terminal(stage);

    assert_int_equal(tcgetattr(fd, &settings), 0);
    cfmakeraw(&settings);
    cfsetspeed(&settings, B19200);
    settings.c_cflag |= mode;
    settings.c_cc[VMIN] = 0;
    assert_int_equal(tcsetattr(fd, TCSANOW, &settings), 0);
    return fd;
}

/* Reads until `count` bytes are there or half a second has passed without one. */
static size_t read_all(int fd, uint8_t *bytes, size_t count)
{
    size_t have = 0;

    while (have < count) {
        struct pollfd readable = {fd, POLLIN, 0};
        ssize_t got;
        if (poll(&readable, 1, 60000) <= 0)
            break;
        got = read(fd, bytes + have, count - have);
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    return have;
}

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static json_int_t counted(struct stage *stage, const char *part, const char *name,
                          const char *what)
{
    json_t *all = sim_tell(stage->sim);
    json_t *value;
    json_int_t result;

    assert_non_null(all);
    value = json_object_get(json_object_get(json_object_get(all, part), name), what);
    assert_non_null(value);
    result = json_integer_value(value);
    json_decref(all);
    return result;
}

static unsigned tcp_port(const struct stage *stage)
{
    char path[PATH_MAX];
    json_t *all;
    unsigned port;

    snprintf(path, sizeof(path), "%s/lines.json", stage->dir);
    all = json_load_file(path, 0, NULL);
    assert_non_null(all);
    port = (unsigned)json_integer_value(
        json_object_get(json_object_get(json_object_get(all, "lines"), "plant"), "port"));
    json_decref(all);
    return port;
}

static int connect_to(const struct stage *stage)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)tcp_port(stage)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void a_terminal_answers_no_earlier_than_the_wire_allows(void **state)
{
    struct stage *stage = *state;
    uint8_t frame[SIM_FRAME_MAX], answer[SIM_FRAME_MAX];
    size_t length = sim_frame_build(frame, 1, (const uint8_t *)"\x06\x00\x64\x00\xdc", 5);
    int fd = open_line(stage, 0);
    double start = now_ms();
    double took;

    assert_int_equal(write(fd, frame, length), length);
    assert_int_equal(read_all(fd, answer, 8), 8);
    took = now_ms() - start;
    assert_memory_equal(answer, frame, 8);
    /* 16 characters, 3.5 of silence, 5 ms; it may be late on a loaded machine, never early. */
    assert_true(took >= 16.171);
    assert_int_equal(counted(stage, "devices", "room-1", "requests"), 1);
    assert_int_equal(counted(stage, "lines", "floor3", "broken_silence"), 0);
    assert_int_equal(counted(stage, "lines", "floor3", "busy_us"), 16171);
    close(fd);
}

static void a_request_at_once_after_an_answer_is_not_heard(void **state)
{
    struct stage *stage = *state;
    uint8_t two[SIM_FRAME_MAX], answer[SIM_FRAME_MAX];
    size_t length = sim_frame_build(two, 1, (const uint8_t *)"\x04\x00\x0a\x00\x01", 5);
    int fd = open_line(stage, 0);

    /* Both in one write: no scheduler can put a silence between them. */
    memcpy(two + length, two, length);
    assert_int_equal(write(fd, two, 2 * length), 2 * length);
    assert_int_equal(read_all(fd, answer, 7), 7);
    assert_int_equal(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 500), 0);
    assert_int_equal(counted(stage, "lines", "floor3", "broken_silence"), 1);
    assert_int_equal(counted(stage, "devices", "room-1", "requests"), 1);
    close(fd);
}

/*
 * A program that dies leaves its settings; the next one that asks for parity must still get in,
 * and must not read what was meant for the dead one.
 */
static void a_terminal_is_like_new_after_it_was_closed(void **state)
{
    struct stage *stage = *state;
    uint8_t frame[SIM_FRAME_MAX], answer[SIM_FRAME_MAX];
    size_t length = sim_frame_build(frame, 1, (const uint8_t *)"\x04\x00\x0a\x00\x01", 5);
    struct pollfd readable = {.events = POLLIN};
    struct termios settings = {0};
    int looker = open_terminal(stage); /* only looks at what the others set */
    int fd = open_line(stage, PARENB);

    assert_int_equal(write(fd, frame, length), length);
    readable.fd = fd;
    assert_int_equal(poll(&readable, 1, 60000), 1); /* the answer is there, unread */
    close(fd);
    for (int i = 0; i < 6000 && cfgetospeed(&settings) != B134; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        assert_int_equal(tcgetattr(looker, &settings), 0);
    }
    assert_int_equal(cfgetospeed(&settings), B134);
    fd = open_line(stage, PARENB);
    assert_int_equal(read(fd, answer, sizeof(answer)), 0);
    assert_int_equal(write(fd, frame, length), length);
    assert_int_equal(read_all(fd, answer, 7), 7);
    close(fd);
    close(looker);
}

static void a_socket_serves_several_connections_and_units(void **state)
{
    struct stage *stage = *state;
    static const char request[] = "\x12\x34\x00\x00\x00\x06\x02\x06\x00\x64\x00\x07";
    static const char pipelined[] = "\x00\x01\x00\x00\x00\x06\x01\x04\x00\x0a\x00\x01"
                                    "\x00\x02\x00\x00\x00\x06\x01\x03\x00\x63\x00\x01";
    uint8_t answer[32];
    int one = connect_to(stage);
    int two = connect_to(stage);

    assert_int_equal(write(one, request, 12), 12);
    assert_int_equal(write(two, pipelined, 24), 24);
    assert_int_equal(read_all(one, answer, 12), 12);
    assert_memory_equal(answer, request, 12);
    assert_int_equal(read_all(two, answer, 20), 20);
    assert_memory_equal(answer, "\x00\x01\x00\x00\x00\x05\x01\x04\x02\x00\x01", 11);
    assert_memory_equal(answer + 11, "\x00\x02\x00\x00\x00\x03\x01\x83\x02", 9);
    assert_int_equal(counted(stage, "devices", "pump", "written"), 1);
    assert_int_equal(counted(stage, "devices", "chiller", "requests"), 2);
    close(one);
    close(two);
}

static void a_stream_that_is_not_modbus_is_hung_up(void **state)
{
    struct stage *stage = *state;
    uint8_t answer[8];
    int fd = connect_to(stage);

    assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    assert_int_equal(read_all(fd, answer, 8), 0);
    close(fd);
}

static void closing_removes_what_was_made(void **state)
{
    struct stage *stage = *state;
    char path[PATH_MAX];
    struct stat status;

    sim_close(stage->sim);
    stage->sim = NULL;
    snprintf(path, sizeof(path), "%s/floor3", stage->dir);
    assert_int_equal(lstat(path, &status), -1);
    snprintf(path, sizeof(path), "%s/lines.json", stage->dir);
    assert_int_equal(lstat(path, &status), -1);
}

static void a_line_name_that_leaves_the_folder_is_refused(void **state)
{
    static const struct sim_line bad = {.name = "../floor3", .baud = 19200, .char_bits = 11};
    struct sim_settings settings = {.dir = "/nowhere", .lines = &bad, .line_count = 1};
    struct sim *sim = NULL;
    char problem[256] = "";

    (void)state;
    assert_true(sim_open(&sim, &settings, problem, sizeof(problem)) < 0);
    assert_string_equal(problem, "line name \"../floor3\" cannot be a file name");
}

/* The child plays; its standard output is the pipe. */
static pid_t start_playing(const struct stage *stage, int *output)
{
    int ends[2];
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char problem[256];
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        _exit(sim_run(&stage->settings, problem, sizeof(problem)) == 0 ? 0 : 1);
    }
    close(ends[1]);
    *output = ends[0];
    return child;
}

static json_t *wait_for_dump(const struct stage *stage)
{
    for (int i = 0; i < 6000; i++) {
        json_t *all = json_load_file(stage->dump, 0, NULL);
        if (all)
            return all;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return NULL;
}

static void a_run_says_ready_and_dumps_when_asked_and_at_its_end(void **state)
{
    struct stage *stage = test_calloc(1, sizeof(*stage));
    uint8_t ready[7] = "";
    json_t *dump;
    int output, status = -1;
    pid_t child;

    (void)state;
    set_stage(stage);
    child = start_playing(stage, &output);
    struct pollfd readable = {output, POLLIN, 0};
    assert_int_equal(poll(&readable, 1, 60000), 1);
    assert_int_equal(read_all(output, ready, 6), 6);
    assert_memory_equal(ready, "ready\n", 6);
    kill(child, SIGUSR1);
    dump = wait_for_dump(stage);
    assert_non_null(dump);
    assert_int_equal(json_object_size(json_object_get(dump, "devices")), 3);
    json_decref(dump);
    unlink(stage->dump);
    kill(child, SIGTERM);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    dump = wait_for_dump(stage);
    assert_non_null(dump);
    json_decref(dump);
    close(output);
    sweep(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_terminal_answers_no_earlier_than_the_wire_allows,
                                        raise_curtain, drop_curtain),
        cmocka_unit_test_setup_teardown(a_request_at_once_after_an_answer_is_not_heard,
                                        raise_curtain, drop_curtain),
        cmocka_unit_test_setup_teardown(a_terminal_is_like_new_after_it_was_closed,
                                        raise_curtain, drop_curtain),
        cmocka_unit_test_setup_teardown(a_socket_serves_several_connections_and_units,
                                        raise_curtain, drop_curtain),
        cmocka_unit_test_setup_teardown(a_stream_that_is_not_modbus_is_hung_up, raise_curtain,
                                        drop_curtain),
        cmocka_unit_test_setup_teardown(closing_removes_what_was_made, raise_curtain,
                                        drop_curtain),
        cmocka_unit_test(a_line_name_that_leaves_the_folder_is_refused),
        cmocka_unit_test(a_run_says_ready_and_dumps_when_asked_and_at_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
