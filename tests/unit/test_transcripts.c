/*
 * Plays tests/lines/NAME.line: what goes over a serial line, and what the adapter makes of it.
 *
 *   : write unit 17 holding 40 = 215      the operation; also read ... count 2, mask ... and
 * 0xF or 1, write-read ... = 1 2 read 40 count 2; then perhaps function 6 and timeout 50 (ms;
 * 20000 unless given)
 *   >> 11 06 00 28 00 D7 4B 0C            what must go out; two blanks begin a remark
 *   << 11 86 02 C2 64                     what comes in; lines without a pause between them
 * come as one piece, however busy the machine is
 *   .. 20 ms                              a pause
 *   -- hang up                            the adapter is unplugged
 *   == refused, code 2                    the answer: done 215 216, silent, bad reply, line
 * down, not sent; then perhaps: late 1, before 3, reached, says TEXT. What is not named must
 * not be so
 *
 * After == the line may go on talking, and another operation may follow on the same open port.
 */
#include "adapters/adapter.h"
#include "base/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { LINES_MAX = 64, TEXT_MAX = 512, FILES_MAX = 128 };

struct transcript {
    const char *path;
    size_t count;
    char lines[LINES_MAX][TEXT_MAX];
};

struct player {
    const struct transcript *transcript;
    size_t from, to; /* lines to play */
    int far;         /* the other end of the port; -1 after a hang-up */
    char fault[TEXT_MAX + 64];
};

static void load(struct transcript *transcript, const char *path)
{
    FILE *file = fopen(path, "re");

    *transcript = (struct transcript){.path = path};
    assert_non_null(file);
    while (transcript->count < LINES_MAX &&
           fgets(transcript->lines[transcript->count], TEXT_MAX, file)) {
        char *line = transcript->lines[transcript->count];

        line[strcspn(line, "\n")] = '\0';
        if (line[0] && line[0] != '#')
            transcript->count++;
    }
    assert_true(feof(file));
    fclose(file);
}

static size_t bytes_of(const char *text, uint8_t *bytes, size_t most)
{
    size_t count = 0;

    while (count < most && text[0] == ' ' && text[1] && text[1] != ' ') {
        bytes[count++] = (uint8_t)strtoul(text + 1, NULL, 16);
        text += 3;
    }
    return count;
}

static void expect_bytes(struct player *player, const char *line)
{
    uint8_t wanted[260], got[260];
    size_t count = bytes_of(line + 2, wanted, sizeof(wanted));
    size_t have = 0;

    while (have < count) {
        struct pollfd wait = {.fd = player->far, .events = POLLIN};
        ssize_t n =
            poll(&wait, 1, 30000) == 1 ? read(player->far, got + have, count - have) : 0;

        if (n <= 0)
            break;
        have += (size_t)n;
    }
    if (have == count && memcmp(wanted, got, count) == 0)
        return;
    int at = snprintf(player->fault, sizeof(player->fault), "%s, but seen was", line);

    for (size_t i = 0; i < have && at + 4 < (int)sizeof(player->fault); i++)
        at += snprintf(player->fault + at, sizeof(player->fault) - (size_t)at, " %02X", got[i]);
}

/* Says a line, and what follows it without a pause: the reader waits only so long for more. */
static size_t say(struct player *player, size_t at)
{
    const struct transcript *transcript = player->transcript;
    const char *line = transcript->lines[at];
    uint8_t bytes[1024];
    size_t count = 0;

    for (; at < player->to && strncmp(transcript->lines[at], "<<", 2) == 0; at++)
        count += bytes_of(transcript->lines[at] + 2, bytes + count, sizeof(bytes) - count);
    if (write(player->far, bytes, count) != (ssize_t)count)
        snprintf(player->fault, sizeof(player->fault), "%s cannot be said", line);
    return at;
}

static void play_line(struct player *player, const char *line)
{
    if (strncmp(line, ">>", 2) == 0) {
        expect_bytes(player, line);
    } else if (strncmp(line, "..", 2) == 0) {
        usleep((unsigned)strtoul(line + 2, NULL, 10) * 1000);
    } else if (strncmp(line, "--", 2) == 0) {
        close(player->far);
        player->far = -1;
    } else {
        snprintf(player->fault, sizeof(player->fault), "%s is no line of a transcript", line);
    }
}

static void *play(void *arg)
{
    struct player *player = arg;

    for (size_t i = player->from; i < player->to && !player->fault[0];) {
        if (strncmp(player->transcript->lines[i], "<<", 2) == 0)
            i = say(player, i);
        else
            play_line(player, player->transcript->lines[i++]);
    }
    return NULL;
}

static enum table table_named(const char *name)
{
    static const enum table tables[] = {TABLE_COIL, TABLE_DISCRETE, TABLE_INPUT, TABLE_HOLDING};

    for (size_t i = 0; i < 4; i++)
        if (strcmp(name, table_name(tables[i])) == 0)
            return tables[i];
    fail_msg("no table is called %s", name);
    return TABLE_COIL;
}

static enum operation_kind kind_named(const char *name)
{
    if (strcmp(name, "read") == 0)
        return OPERATION_READ;
    if (strcmp(name, "write") == 0)
        return OPERATION_WRITE;
    if (strcmp(name, "mask") == 0)
        return OPERATION_MASK;
    assert_string_equal(name, "write-read");
    return OPERATION_WRITE_READ;
}

static uint16_t number(const char *text)
{
    return (uint16_t)strtoul(text, NULL, 0);
}

/* One keyword and the number behind it. */
static void set_number(struct operation *operation, struct limits *limits, const char *key,
                       uint16_t value)
{
    if (strcmp(key, "unit") == 0)
        operation->unit = (uint8_t)value;
    else if (strcmp(key, "count") == 0 && operation->kind == OPERATION_READ)
        operation->count = value;
    else if (strcmp(key, "count") == 0)
        operation->read_count = value;
    else if (strcmp(key, "read") == 0)
        operation->read_address = value;
    else if (strcmp(key, "function") == 0)
        operation->function = (uint8_t)value;
    else if (strcmp(key, "timeout") == 0)
        limits->timeout_us = value * 1000;
    else if (strcmp(key, "and") == 0)
        operation->and_mask = value;
    else if (strcmp(key, "or") == 0)
        operation->or_mask = value;
    else {
        operation->table = table_named(key);
        operation->address = value;
    }
}

static void parse_operation(const char *line, struct operation *operation,
                            struct limits *limits)
{
    char text[TEXT_MAX], *rest;
    bool values = false;

    snprintf(text, sizeof(text), "%s", line + 1);
    *operation = (struct operation){.kind = kind_named(strtok_r(text, " ", &rest))};
    *limits = (struct limits){.timeout_us = 20000000, .deadline_us = MOMENT_NEVER};
    for (char *word; (word = strtok_r(NULL, " ", &rest));) {
        values = values ? word[0] >= '0' && word[0] <= '9' : word[0] == '=';
        if (values && word[0] != '=')
            operation->words[operation->count++] = number(word);
        else if (!values)
            set_number(operation, limits, word, number(strtok_r(NULL, " ", &rest)));
    }
}

static size_t add(char *text, size_t at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(text + at, TEXT_MAX - at, format, args);
    va_end(args);
    return strlen(text);
}

/* The answer in a transcript's words, without what it says. */
static void describe(const struct answer *answer, char *text)
{
    static const char *const results[] = {
        [ANSWER_DONE] = "done",           [ANSWER_EXCEPTION] = "refused",
        [ANSWER_SILENT] = "silent",       [ANSWER_BAD_REPLY] = "bad reply",
        [ANSWER_LINE_DOWN] = "line down", [ANSWER_NOT_SENT] = "not sent",
    };
    size_t at = add(text, 0, "== %s", results[answer->result]);

    for (size_t i = 0; i < answer->count; i++)
        at = add(text, at, " %u", answer->words[i]);
    if (answer->result == ANSWER_EXCEPTION)
        at = add(text, at, ", code %u", answer->exception);
    if (answer->late)
        at = add(text, at, ", late %u", answer->late);
    if (answer->has_before)
        at = add(text, at, ", before %u", answer->before);
    if (answer->reached)
        add(text, at, ", reached");
}

static void compare(const char *wanted, const struct answer *answer)
{
    char got[TEXT_MAX], text[TEXT_MAX];
    char *says;

    describe(answer, got);
    snprintf(text, sizeof(text), "%s", wanted);
    says = strstr(text, ", says ");
    if (says) {
        *says = '\0';
        if (!strstr(answer->text, says + 7))
            fail_msg("\"%s\" does not say \"%s\"", answer->text, says + 7);
    }
    if (strcmp(text, got) != 0)
        fail_msg("wanted \"%s\", got \"%s\" (%s)", text, got, answer->text);
}

static size_t find_line(const struct transcript *transcript, size_t from, const char *mark)
{
    while (from < transcript->count &&
           strncmp(transcript->lines[from], mark, strlen(mark)) != 0)
        from++;
    return from;
}

/* From one operation to the next. */
static size_t play_operation(struct adapter_line *port, struct player *player, size_t at)
{
    const struct transcript *transcript = player->transcript;
    struct operation operation;
    struct limits limits;
    struct answer answer;
    pthread_t thread;
    size_t end = find_line(transcript, at, "==");

    assert_true(end < transcript->count);
    parse_operation(transcript->lines[at], &operation, &limits);
    player->from = at + 1;
    player->to = end;
    assert_int_equal(pthread_create(&thread, NULL, play, player), 0);
    adapter_find("modbus-rtu")->execute(port, &operation, &limits, -1, &answer);
    pthread_join(thread, NULL);
    if (player->fault[0])
        fail_msg("%s", player->fault);
    compare(transcript->lines[end], &answer);
    player->from = end + 1;
    player->to = find_line(transcript, end, ":");
    play(player);
    return player->to;
}

static void play_transcript(void **state)
{
    static const struct adapter_settings line = {
        .line = "test", .baud = 115200, .parity = 'E', .data_bits = 8, .stop_bits = 1};
    struct adapter_settings settings = line;
    struct transcript transcript;
    struct adapter_line *port;
    char name[64], why[200] = "";

    load(&transcript, *state);
    struct player player = {.transcript = &transcript, .far = posix_openpt(O_RDWR | O_NOCTTY)};

    assert_int_equal(grantpt(player.far) | unlockpt(player.far), 0);
    assert_int_equal(ptsname_r(player.far, name, sizeof(name)), 0);
    settings.port = name;
    int r = adapter_find("modbus-rtu")->open(&port, &settings, -1, why, sizeof(why));

    assert_string_equal(why, "");
    assert_int_equal(r, 0);
    size_t at = find_line(&transcript, 0, ":");

    assert_true(at < transcript.count);
    while (at < transcript.count)
        at = play_operation(port, &player, at);
    adapter_find("modbus-rtu")->close(port);
    if (player.far >= 0)
        close(player.far);
}

static int is_transcript(const struct dirent *file)
{
    size_t length = strlen(file->d_name);

    return length > 5 && strcmp(file->d_name + length - 5, ".line") == 0;
}

int main(void)
{
    static char paths[FILES_MAX][TEXT_MAX];
    static struct CMUnitTest tests[FILES_MAX];
    struct dirent **files;
    int count = scandir(SOURCE_DIR "/tests/lines", &files, is_transcript, alphasort);

    if (count <= 0 || count > FILES_MAX)
        return 1;
    for (int i = 0; i < count; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s/tests/lines/%s", SOURCE_DIR, files[i]->d_name);
        tests[i] = (struct CMUnitTest){.name = strrchr(paths[i], '/') + 1,
                                       .test_func = play_transcript,
                                       .initial_state = paths[i]};
        free(files[i]);
    }
    free(files);
    return _cmocka_run_group_tests("transcripts", tests, (size_t)count, NULL, NULL);
}
