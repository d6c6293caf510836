/* The broker link against a real broker: mosquitto on a free port of the loopback, its own
   command line clients as the back end. */
#include "base/clock.h"
#include "links/broker.h"
#include "links_site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    LONG_MS = 60000,
    QUICK_MS = 15000, /* half a second where the machine is not busy; to connect may take 20 */
    WORDS_MOST = 24,
};

extern char **environ;

static char folder[] = "/tmp/test_broker.XXXXXX";
static uint16_t port;
static pid_t mosquitto;
static struct links_site of;

/* --- programs --- */

static pid_t start(char *const *words, int output)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    if (output >= 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1);
    assert_int_equal(posix_spawnp(&pid, words[0], &actions, NULL, words, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static int run(char *const *words)
{
    int status;
    pid_t pid = start(words, -1);

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static pid_t start_piped(char *const *words, FILE **output)
{
    int ends[2];
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = start(words, ends[1]);
    close(ends[1]);
    *output = fdopen(ends[0], "r");
    return pid;
}

static void shell(const char *format, ...)
{
    char command[2000];
    char *words[] = {(char[]){"sh"}, (char[]){"-c"}, command, NULL};
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    assert_int_equal(run(words), 0);
}

/* One line of a client's output: it ends by itself, after -C messages or -W seconds. */
static void assert_output(pid_t pid, FILE *output, const char *wanted)
{
    char text[4000];
    size_t size = fread(text, 1, sizeof(text) - 1, output);

    text[size] = '\0';
    fclose(output);
    waitpid(pid, NULL, 0);
    if (!strstr(text, wanted))
        fail_msg("\"%s\" does not hold \"%s\"", text, wanted);
}

/* mosquitto_pub or mosquitto_sub with the port and what else is given, up to a NULL. */
static pid_t client(FILE **output, const char *program, ...)
{
    char number[8];
    char *words[WORDS_MOST] = {(char *)(uintptr_t)program, (char[]){"-p"}, number};
    size_t count = 3;
    va_list args;

    snprintf(number, sizeof(number), "%u", port);
    va_start(args, program);
    while (count + 1 < WORDS_MOST && (words[count] = va_arg(args, char *)))
        count++;
    va_end(args);
    if (output)
        return start_piped(words, output);
    assert_int_equal(run(words), 0);
    return 0;
}

/* A subscriber that the broker remembers, so that nothing is missed between the two calls. */
static void watch(const char *topic)
{
    client(NULL, "mosquitto_sub", "-i", "watcher", "-c", "-q", "1", "-t", topic, "-E", NULL);
}

static void assert_watched(const char *topic, const char *count, const char *wanted)
{
    FILE *output;
    pid_t pid = client(&output, "mosquitto_sub", "-i", "watcher", "-c", "-q", "1", "-t", topic,
                       "-C", count, "-W", "30", "-v", NULL);

    assert_output(pid, output, wanted);
}

/* Kept by now or soon: a last will, or what was said at a close, needs its moment. */
static void assert_retained(const char *topic, const char *wanted)
{
    char line[4000] = "";
    FILE *output;
    pid_t pid = client(&output, "mosquitto_sub", "-t", topic, "-W", "30", NULL);
    bool found = false;

    while (!found && fgets(line, sizeof(line), output))
        found = strstr(line, wanted);
    kill(pid, SIGTERM);
    fclose(output);
    waitpid(pid, NULL, 0);
    if (!found)
        fail_msg("\"%s\" does not hold \"%s\"", line, wanted);
}

/* --- the broker --- */

static int listen_at(uint16_t *ret)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret = ntohs(address.sin_port);
    return fd;
}

/* A port that no other test on this machine takes while the broker is away: below those that
   the kernel gives to outgoing connections, and claimed by a name as world.py does it. */
static uint16_t claim_port(void)
{
    for (unsigned tries = 0, at = (unsigned)getpid();; tries++, at += 7) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)(20000 + at % 10000))};
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        int claim = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* until this process ends */
        int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int size = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1,
                            "jobgate-test-port-%u", ntohs(address.sin_port));
        socklen_t length =
            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size);
        bool is_free = bind(claim, (struct sockaddr *)&name, length) == 0 &&
                       bind(probe, (struct sockaddr *)&address, sizeof(address)) == 0;

        close(probe);
        if (is_free)
            return ntohs(address.sin_port);
        close(claim);
        assert_in_range(tries, 0, 10000);
    }
}

static void wait_for_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(port)};
    int64_t until_us = clock_boot_us() + LONG_MS * 1000;

    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int r = connect(fd, (struct sockaddr *)&address, sizeof(address));

        close(fd);
        if (r == 0)
            return;
        assert_true(clock_boot_us() < until_us);
        poll(NULL, 0, 20);
    }
}

static void start_broker(const char *more)
{
    char path[100];
    char *words[] = {(char[]){"/usr/sbin/mosquitto"}, (char[]){"-c"}, path, NULL};
    FILE *file;

    snprintf(path, sizeof(path), "%s/mosquitto.conf", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "user root\nlog_dest none\nlistener %u 127.0.0.1\n%s\n", port, more);
    fclose(file);
    mosquitto = start(words, -1);
    wait_for_port();
}

static void stop_broker(void)
{
    kill(mosquitto, SIGKILL);
    waitpid(mosquitto, NULL, 0);
    mosquitto = 0;
}

static int fresh_broker(void **state)
{
    (void)state;
    port = claim_port();
    links_site_fill(&of);
    of.broker.host = (char *)(uintptr_t) "127.0.0.1";
    of.broker.port = port;
    start_broker("allow_anonymous true");
    return 0;
}

static int end_broker(void **state)
{
    (void)state;
    if (mosquitto)
        stop_broker();
    return 0;
}

/* --- the link --- */

static struct broker *open_link(int protocol)
{
    struct broker *link;
    char why[200];

    of.broker.protocol = protocol;
    if (broker_open(&link, &of.site, NULL, "1.2.3", why, sizeof(why)) != 0)
        fail_msg("%s", why);
    return link;
}

static void wait_event(struct broker *link, int64_t until_us)
{
    struct pollfd wait = {.fd = broker_fd(link), .events = POLLIN};
    int64_t left_us = until_us - clock_boot_us();

    if (left_us <= 0)
        fail_msg("nothing came");
    poll(&wait, 1, (int)(left_us / 1000) + 1);
}

/* Nothing else is expected yet. */
static void wait_connected(struct broker *link)
{
    int64_t until_us = clock_boot_us() + LONG_MS * 1000;

    for (;;) {
        assert_null(broker_take(link));
        if (broker_connected(link))
            return;
        wait_event(link, until_us);
    }
}

static struct broker *open_connected(int protocol)
{
    struct broker *link = open_link(protocol);

    wait_connected(link);
    return link;
}

static struct request *wait_request(struct broker *link)
{
    int64_t until_us = clock_boot_us() + LONG_MS * 1000;
    struct request *request;

    while (!(request = broker_take(link)))
        wait_event(link, until_us);
    return request;
}

static void report_stored(struct broker *link, const struct request *request)
{
    broker_report(link, &(struct report){.kind = REPORT_STORED, .origin = request->origin});
}

static void answer_call(struct broker *link, struct request *request, const char *payload)
{
    struct report report = {.kind = REPORT_ANSWER,
                            .origin = request->origin,
                            .answers = REQUEST_CALL,
                            .status = 200,
                            .body = strdup(payload)};

    broker_report(link, &report);
    free(report.body);
    request_free(request);
}

static void report_text(struct broker *link, enum report_kind kind, const char *body,
                        bool retain)
{
    char text[200], job[] = "j1", device[] = "room-1";

    snprintf(text, sizeof(text), "%s", body);
    broker_report(
        link,
        &(struct report){
            .kind = kind, .job_id = job, .device_id = device, .body = text, .retain = retain});
}

/* An outcome or last share, which must arrive. */
static void report_end(struct broker *link, enum report_kind kind, uint64_t number,
                       const char *body)
{
    char text[200], job[] = "j1", device[] = "room-1";

    snprintf(text, sizeof(text), "%s", body);
    broker_report(link, &(struct report){.kind = kind,
                                         .number = number,
                                         .job_id = job,
                                         .device_id = device,
                                         .body = text,
                                         .retain = kind == REPORT_SHARE});
}

static void wait_delivery(struct broker *link, enum report_kind kind, uint64_t number)
{
    int64_t until_us = clock_boot_us() + LONG_MS * 1000;
    struct delivery *delivery;

    while (!(delivery = broker_take_delivery(link)))
        wait_event(link, until_us);
    assert_int_equal(delivery->kind, kind);
    assert_int_equal(delivery->number, number);
    assert_string_equal(delivery->job_id, "j1");
    delivery_free(delivery);
}

static int64_t close_ms(struct broker *link)
{
    int64_t from_us = clock_boot_us();

    broker_close(link);
    return (clock_boot_us() - from_us) / 1000;
}

/* --- facts --- */

static void a_call_is_answered_with_its_correlation_data(void **state)
{
    (void)state;
    struct broker *link = open_connected(5);
    struct request *request;
    FILE *output;
    pid_t pid = client(&output, "mosquitto_rr", "-V", "5", "-t",
                       "jg/v1/devices/room-1/methods/reboot", "-e", "back/1", "-D", "publish",
                       "correlation-data", "x17", "-D", "publish", "message-expiry-interval",
                       "7", "-m", "{\"a\":1}", "-q", "1", "-F", "%D %p", "-W", "30", NULL);

    request = wait_request(link);
    assert_string_equal(request->action.method, "reboot");
    assert_int_equal(request->timeout_s, 7);
    answer_call(link, request, "{\"ok\":1}");
    assert_output(pid, output, "x17 {\"status\":200,\"payload\":{\"ok\":1}}");
    broker_close(link);
}

static void a_call_by_request_id_is_answered_in_both_versions(void **state)
{
    (void)state;
    for (int protocol = 4; protocol <= 5; protocol++) {
        struct broker *link = open_connected(protocol);

        watch("jg/v1/devices/room-2/results/#");
        client(NULL, "mosquitto_pub", "-q", "1", "-t", "jg/v1/devices/room-2/methods/ping/r1",
               "-m", "", NULL);
        answer_call(link, wait_request(link), "null");
        assert_watched("jg/v1/devices/room-2/results/#", "1",
                       "results/r1 {\"status\":200,\"payload\":null}");
        broker_close(link);
    }
}

static void a_retained_call_is_refused_after_a_restart(void **state)
{
    (void)state;
    struct broker *link;
    struct request *request;

    watch("jg/v1/devices/+/results/#");
    client(NULL, "mosquitto_pub", "-r", "-q", "1", "-t",
           "jg/v1/devices/room-1/methods/reboot/r1", "-m", "{}", NULL);
    link = open_connected(5);
    client(NULL, "mosquitto_pub", "-q", "1", "-t", "jg/v1/devices/room-1/methods/marker/r2",
           "-m", "{}", NULL);
    request = wait_request(link);
    assert_string_equal(request->action.method, "marker");
    request_free(request);
    assert_watched("jg/v1/devices/+/results/#", "1", "results/r1 {\"status\":409");
    broker_close(link);
}

/* And leaves nothing behind of what it asked about that gateway: the sanitizer looks. */
static void another_gateways_claim_is_told(void **state)
{
    (void)state;
    struct broker_news news = {0};
    struct broker *link;

    client(NULL, "mosquitto_pub", "-r", "-q", "1", "-t", "jg/v1/gateways/gw-2", "-m",
           "{\"state\":\"online\"}", NULL);
    client(NULL, "mosquitto_pub", "-r", "-q", "1", "-t", "jg/v1/devices/room-2/state", "-m",
           "{\"state\":\"online\",\"gateway\":\"gw-2\"}", NULL);
    link = open_link(5);
    int64_t until_us = clock_boot_us() + LONG_MS * 1000;
    for (;;) {
        assert_null(broker_take(link));
        while (news.kind != BROKER_CLAIM && broker_tells(link, &news))
            ;
        if (news.kind == BROKER_CLAIM)
            break;
        wait_event(link, until_us);
    }
    assert_int_equal(news.device, 1);
    assert_string_equal(news.gateway, "gw-2");
    broker_close(link);
}

#define JOB                                                                                    \
    "{\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{\"methodName\":\"reboot\"},"  \
    "\"queryCondition\":\"*\"}"

/* The other process of the next fact: takes the job, never stores it, waits to be killed. */
static int hold_job(const char *number)
{
    struct broker *link;
    char why[200];

    links_site_fill(&of);
    of.broker.host = (char *)(uintptr_t) "127.0.0.1";
    port = of.broker.port = (uint16_t)atoi(number);
    if (broker_open(&link, &of.site, NULL, "1.2.3", why, sizeof(why)) != 0)
        return 1;
    wait_connected(link);
    report_text(link, REPORT_GATEWAY, "{\"state\":\"online\"}", false);
    puts("connected");
    fflush(stdout);
    request_free(wait_request(link));
    puts("taken");
    fflush(stdout);
    poll(NULL, 0, LONG_MS);
    return 1;
}

static char *program; /* by name: /proc/self/exe would be valgrind */

static void a_job_that_was_not_stored_comes_again(void **state)
{
    (void)state;
    char number[8], line[20];
    char *words[] = {program, (char[]){"--hold"}, number, NULL};
    struct request *request;
    struct broker *link;
    FILE *output;
    pid_t holder;

    snprintf(number, sizeof(number), "%u", port);
    holder = start_piped(words, &output);
    assert_non_null(fgets(line, sizeof(line), output));
    assert_retained("jg/v1/gateways/gw", "online");
    client(NULL, "mosquitto_pub", "-q", "1", "-t", "jg/v1/jobs/j1", "-m", JOB, NULL);
    assert_string_equal(fgets(line, sizeof(line), output), "taken\n");
    fclose(output);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    assert_retained("jg/v1/gateways/gw", "offline"); /* its last will */

    link = open_link(5);
    request = wait_request(link);
    assert_int_equal(request->kind, REQUEST_JOB);
    report_stored(link, request);
    request_free(request);
    wait_connected(link);
    broker_close(link);

    link = open_connected(5); /* now it is acknowledged: the next that comes is another */
    client(NULL, "mosquitto_pub", "-q", "1", "-t", "jg/v1/jobs/j1/cancel", "-m", "now", NULL);
    request = wait_request(link);
    assert_int_equal(request->kind, REQUEST_CANCEL);
    report_stored(link, request);
    request_free(request);
    broker_close(link);
}

static void broken_jobs_are_answered_and_do_not_wait(void **state)
{
    (void)state;
    struct broker *link = open_connected(5);
    struct request *request;

    watch("jg/v1/jobs/+/gateways/#");
    client(NULL, "mosquitto_pub", "-q", "1", "-t", "jg/v1/jobs/j1", "-m", "{", NULL);
    client(NULL, "mosquitto_pub", "-q", "1", "-t", "jg/v1/jobs/j2", "-m", "[]", NULL);
    client(NULL, "mosquitto_pub", "-q", "1", "-t", "jg/v1/jobs/j3", "-m", JOB, NULL);
    request = wait_request(link);
    assert_string_equal(request->job_id, "j3");
    report_stored(link, request);
    request_free(request);
    assert_watched("jg/v1/jobs/+/gateways/#", "2", "j2/gateways/gw {");
    broker_close(link);
}

static void what_is_reported_while_the_broker_is_away_arrives_later(void **state)
{
    (void)state;
    struct broker *link = open_connected(5);
    struct broker_status status;
    int64_t until_us = clock_boot_us() + LONG_MS * 1000;

    broker_has_all(link);
    do { /* what was said at the connection has arrived */
        broker_status(link, &status);
        assert_true(clock_boot_us() < until_us);
        poll(NULL, 0, 20);
    } while (status.outbox.messages > 0);
    stop_broker();
    do {
        broker_status(link, &status);
        assert_true(clock_boot_us() < until_us);
        poll(NULL, 0, 20);
    } while (status.connected);
    assert_true(strlen(status.text) > 0);
    /* Spared, as they are sent anew: */
    report_text(link, REPORT_SHARE, "{\"status\":\"running\"}", true);
    report_text(link, REPORT_STATE, "{\"state\":\"online\"}", true);
    report_end(link, REPORT_OUTCOME, 8, "{}");
    report_end(link, REPORT_SHARE, 9, "{\"status\":\"completed\"}");
    broker_status(link, &status);
    assert_int_equal(status.outbox.messages, 2);
    start_broker("allow_anonymous true");
    wait_connected(link);
    report_text(link, REPORT_OUTCOME, "{}", false);
    do {
        broker_status(link, &status);
        assert_true(clock_boot_us() < until_us + LONG_MS * 1000);
        poll(NULL, 0, 20);
    } while (status.sent < 3);
    assert_retained("jg/v1/jobs/j1/gateways/gw", "completed");
    broker_close(link);
}

static void what_a_dying_broker_did_not_acknowledge_is_sent_again(void **state)
{
    (void)state;
    struct broker *link = open_connected(5);

    kill(mosquitto, SIGSTOP);
    report_text(link, REPORT_SHARE, "{\"status\":\"completed\"}", true);
    poll(NULL, 0, 100); /* whether it is under way by now or not, it must arrive */
    stop_broker();
    start_broker("allow_anonymous true");
    wait_connected(link);
    assert_retained("jg/v1/jobs/j1/gateways/gw", "completed");
    broker_close(link);
}

static void what_the_broker_has_is_told_to_have_arrived(void **state)
{
    (void)state;
    for (int protocol = 4; protocol <= 5; protocol++) {
        struct broker *link = open_connected(protocol);

        broker_has_all(link);
        report_end(link, REPORT_OUTCOME, 8, "{}");
        report_end(link, REPORT_OUTCOME, 8, "{}"); /* it is on its way already */
        report_end(link, REPORT_SHARE, 9, "{}");
        wait_delivery(link, REPORT_OUTCOME, 8);
        wait_delivery(link, REPORT_SHARE, 9);
        broker_stop(link);
        assert_null(broker_take_delivery(link));
        broker_close(link);
    }
}

static void what_has_no_room_is_asked_for_again_when_there_is(void **state)
{
    (void)state;
    of.site.store.outbox_mb = 1;
    struct broker *link = open_connected(5);
    uint64_t after, number = 0;

    broker_has_all(link);
    kill(mosquitto, SIGSTOP);
    while (!broker_wants_untold(link, &after) && number < 100000) {
        report_end(link, REPORT_OUTCOME, ++number, "{}");
        struct broker_status status;
        broker_status(link, &status);
        if (status.outbox.messages < number)
            break;
    }
    assert_in_range(number, 3000, 99999);               /* a megabyte of them */
    report_end(link, REPORT_OUTCOME, number + 1, "{}"); /* behind one that was let go */
    kill(mosquitto, SIGCONT);
    for (uint64_t i = 1; !broker_wants_untold(link, &after); i++)
        wait_delivery(link, REPORT_OUTCOME, i);
    /* What is under way meanwhile weighs as well: the newest, or the two newest, are let go. */
    assert_in_range(after, number - 2, number - 1);
    broker_close(link);
}

static void many_reports_arrive_in_order(void **state)
{
    (void)state;
    struct broker *link = open_connected(5);
    char body[20], wanted[4000] = "";

    watch("jg/v1/jobs/+/outcomes/#");
    for (int i = 0; i < 60; i++) {
        snprintf(body, sizeof(body), "[%d]", i);
        report_text(link, REPORT_OUTCOME, body, false);
        snprintf(wanted + strlen(wanted), sizeof(wanted) - strlen(wanted),
                 "jg/v1/jobs/j1/outcomes/room-1 %s\n", body);
    }
    assert_watched("jg/v1/jobs/+/outcomes/#", "60", wanted);
    broker_close(link);
}

static void a_close_says_offline_and_is_quick(void **state)
{
    (void)state;
    struct broker *link = open_connected(5);

    report_text(link, REPORT_GATEWAY, "{\"state\":\"online\"}", false);
    assert_in_range(close_ms(link), 0, QUICK_MS);
    assert_retained("jg/v1/gateways/gw", "{\"state\":\"offline\",\"version\":\"1.2.3\"}");
}

static void a_close_says_offline_however_much_waits(void **state)
{
    (void)state;
    struct broker *link = open_connected(5);

    broker_has_all(link);
    report_text(link, REPORT_GATEWAY, "{\"state\":\"online\"}", false);
    for (uint64_t i = 1; i <= 30000; i++)
        report_end(link, REPORT_OUTCOME, i, "{}");
    assert_in_range(close_ms(link), 0, QUICK_MS);
    assert_retained("jg/v1/gateways/gw", "{\"state\":\"offline\",\"version\":\"1.2.3\"}");
}

static void a_close_is_quick_when_the_broker_hangs(void **state)
{
    (void)state;
    struct broker *link = open_connected(5);

    kill(mosquitto, SIGSTOP);
    report_text(link, REPORT_OUTCOME, "{}", false);
    assert_in_range(close_ms(link), 0, QUICK_MS);
    kill(mosquitto, SIGCONT);
}

static void a_close_is_quick_when_nobody_answers(void **state)
{
    (void)state;
    struct broker *link;
    int fd;

    stop_broker();
    fd = listen_at(&port);
    of.broker.port = port;
    link = open_link(5);
    poll(NULL, 0, 300);
    assert_in_range(close_ms(link), 0, QUICK_MS);
    close(fd);
}

static void a_wrong_password_is_told(void **state)
{
    (void)state;
    struct broker *link;
    struct broker_status status;
    char extra[200], file[100];
    int64_t until_us = clock_boot_us() + LONG_MS * 1000;

    stop_broker();
    shell("cd %s && rm -f users && mosquitto_passwd -b -c users gw secret 2>/dev/null && "
          "printf 'secret\\n' > good && printf 'wrong\\n' > bad",
          folder);
    snprintf(extra, sizeof(extra), "allow_anonymous false\npassword_file %s/users", folder);
    start_broker(extra);
    of.broker.username = (char *)(uintptr_t) "gw";
    of.broker.password_file = file;
    snprintf(file, sizeof(file), "%s/good", folder);
    broker_close(open_connected(5));
    broker_close(open_connected(4));
    snprintf(file, sizeof(file), "%s/bad", folder);
    link = open_link(5);
    do {
        broker_status(link, &status);
        assert_true(clock_boot_us() < until_us);
        poll(NULL, 0, 20);
    } while (strcmp(status.text, "connecting") == 0);
    assert_string_equal(status.text, "Not authorized");
    broker_close(link);
    snprintf(file, sizeof(file), "%s/none", folder);
    assert_int_equal(broker_open(&link, &of.site, NULL, "1", extra, sizeof(extra)), -ENOENT);
    assert_non_null(strstr(extra, "none: No such file"));
}

static void make_certificates(void)
{
    shell("cd %s && exec 2>/dev/null && "
          "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 "
          "-subj /CN=ca && "
          "for n in server client; do openssl req -newkey rsa:2048 -nodes -keyout $n.key "
          "-out $n.csr -subj /CN=$n && printf subjectAltName=DNS:localhost > ext && "
          "openssl x509 -req -in $n.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 "
          "-extfile ext -out $n.crt; done",
          folder);
}

static void tls_needs_the_right_name_and_a_known_issuer(void **state)
{
    (void)state;
    char extra[600], ca[100], cert[100], key[100];
    struct broker_status status;
    struct broker *link;

    stop_broker();
    make_certificates();
    snprintf(extra, sizeof(extra),
             "allow_anonymous true\ncafile %s/ca.crt\ncertfile %s/server.crt\nkeyfile "
             "%s/server.key\nrequire_certificate true",
             folder, folder, folder);
    start_broker(extra);
    snprintf(ca, sizeof(ca), "%s/ca.crt", folder);
    snprintf(cert, sizeof(cert), "%s/client.crt", folder);
    snprintf(key, sizeof(key), "%s/client.key", folder);
    of.broker.tls = true;
    of.broker.ca_file = ca;
    of.broker.cert_file = cert;
    of.broker.key_file = key;
    of.broker.host = (char *)(uintptr_t) "localhost";
    for (int protocol = 4; protocol <= 5; protocol++)
        broker_close(open_connected(protocol));

    for (int i = 0; i < 2; i++) {
        int64_t until_us = clock_boot_us() + LONG_MS * 1000;

        if (i == 0)
            of.broker.host = (char *)(uintptr_t) "127.0.0.1"; /* not in the certificate */
        else
            of.broker.ca_file = NULL; /* the system knows nothing of our issuer */
        link = open_link(5);
        do {
            broker_status(link, &status);
            assert_true(clock_boot_us() < until_us);
            poll(NULL, 0, 20);
        } while (strcmp(status.text, "connecting") == 0);
        assert_false(status.connected);
        assert_non_null(strstr(status.text,
                               i == 0 ? "for another host name" : "certificate verify failed"));
        broker_close(link);
        of.broker.host = (char *)(uintptr_t) "localhost";
    }
}

static int end_folder(void **state)
{
    (void)state;
    shell("rm -rf %s", folder);
    return 0;
}

#define FACT(fact) cmocka_unit_test_setup_teardown(fact, fresh_broker, end_broker)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        FACT(a_call_is_answered_with_its_correlation_data),
        FACT(a_call_by_request_id_is_answered_in_both_versions),
        FACT(a_retained_call_is_refused_after_a_restart),
        FACT(another_gateways_claim_is_told),
        FACT(a_job_that_was_not_stored_comes_again),
        FACT(broken_jobs_are_answered_and_do_not_wait),
        FACT(what_is_reported_while_the_broker_is_away_arrives_later),
        FACT(what_a_dying_broker_did_not_acknowledge_is_sent_again),
        FACT(what_the_broker_has_is_told_to_have_arrived),
        FACT(what_has_no_room_is_asked_for_again_when_there_is),
        FACT(many_reports_arrive_in_order),
        FACT(a_close_says_offline_and_is_quick),
        FACT(a_close_says_offline_however_much_waits),
        FACT(a_close_is_quick_when_the_broker_hangs),
        FACT(a_close_is_quick_when_nobody_answers),
        FACT(a_wrong_password_is_told),
        FACT(tls_needs_the_right_name_and_a_known_issuer),
    };

    signal(SIGPIPE, SIG_IGN);
    program = argv[0];
    if (argc == 3 && strcmp(argv[1], "--hold") == 0)
        return hold_job(argv[2]);
    if (access("/usr/sbin/mosquitto", X_OK) != 0 ||
        access("/usr/bin/mosquitto_rr", X_OK) != 0) {
        puts("skipped: mosquitto and its clients are not installed");
        return 0;
    }
    if (!mkdtemp(folder))
        return 1;
    return cmocka_run_group_tests(tests, NULL, end_folder);
}
