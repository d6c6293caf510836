/*
 * Bare judge: what a plain libmodbus program makes of the transcripts in tests/lines, where the
 * adapter's own tests play them. For each reading or write: does it return what the transcript
 * says is true?
 *
 * bare_judge FILE...: prints one line for each operation that came out wrong, and the counts:
 * wrong values (another value, or none at all, was returned as read), false successes (a write
 * that nobody confirmed was returned as done) and false failures. A false failure can be told
 * and repeated; the first two cannot. Masks and function 23 are left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <modbus/modbus.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINES_MAX = 64, TEXT_MAX = 512, WORDS_MAX = 128, TIMEOUT_US = 300000 };

struct transcript {
    size_t count;
    char lines[LINES_MAX][TEXT_MAX];
};

struct player {
    const struct transcript *transcript;
    size_t from, to;
    int far;
};

struct operation {
    bool write, known;
    char table[16];
    int unit, address, count, function;
    uint32_t timeout_us;
    uint16_t words[WORDS_MAX];
};

static int operations, wrong_values, false_successes, false_failures;

static bool load(struct transcript *transcript, const char *path)
{
    FILE *file = fopen(path, "re");

    transcript->count = 0;
    if (!file)
        return false;
    while (transcript->count < LINES_MAX &&
           fgets(transcript->lines[transcript->count], TEXT_MAX, file)) {
        char *line = transcript->lines[transcript->count];

        line[strcspn(line, "\n")] = '\0';
        if (line[0] && line[0] != '#')
            transcript->count++;
    }
    fclose(file);
    return true;
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

/* Waits for as many bytes as the request has; what they are is libmodbus's matter. */
static void hear(int far, size_t count)
{
    uint8_t bytes[260];

    while (count > 0) {
        ssize_t n = read(far, bytes, count);

        if (n <= 0)
            return;
        count -= (size_t)n;
    }
}

static void *play(void *arg)
{
    struct player *player = arg;

    for (size_t i = player->from; i < player->to && player->far >= 0; i++) {
        const char *line = player->transcript->lines[i];
        uint8_t bytes[260];
        size_t count = bytes_of(line + 2, bytes, sizeof(bytes));

        if (strncmp(line, ">>", 2) == 0) {
            hear(player->far, count);
        } else if (strncmp(line, "<<", 2) == 0) {
            if (write(player->far, bytes, count) < 0)
                return NULL;
        } else if (strncmp(line, "..", 2) == 0) {
            usleep((unsigned)strtoul(line + 2, NULL, 10) * 1000);
        } else if (strncmp(line, "--", 2) == 0) {
            close(player->far);
            player->far = -1;
        }
    }
    return NULL;
}

static void parse(const char *line, struct operation *operation)
{
    char text[TEXT_MAX], *rest = NULL;
    bool values = false;

    snprintf(text, sizeof(text), "%s", line + 1);
    char *kind = strtok_r(text, " ", &rest);

    *operation = (struct operation){.timeout_us = TIMEOUT_US};
    operation->write = kind && strcmp(kind, "write") == 0;
    operation->known = operation->write || (kind && strcmp(kind, "read") == 0);
    for (char *word; (word = strtok_r(NULL, " ", &rest));) {
        if (strcmp(word, "=") == 0) {
            values = true;
        } else if (values && word[0] >= '0' && word[0] <= '9') {
            if (operation->count < WORDS_MAX)
                operation->words[operation->count++] = (uint16_t)strtoul(word, NULL, 0);
        } else {
            char *value = strtok_r(NULL, " ", &rest);
            int number = value ? (int)strtol(value, NULL, 0) : 0;

            values = false;
            if (strcmp(word, "unit") == 0)
                operation->unit = number;
            else if (strcmp(word, "count") == 0)
                operation->count = number;
            else if (strcmp(word, "function") == 0)
                operation->function = number;
            else if (strcmp(word, "timeout") == 0)
                operation->timeout_us = (uint32_t)number * 1000;
            else {
                snprintf(operation->table, sizeof(operation->table), "%s", word);
                operation->address = number;
            }
        }
    }
}

static int write_plain(modbus_t *modbus, struct operation *operation)
{
    uint8_t bits[WORDS_MAX];
    bool coils = strcmp(operation->table, "coil") == 0;

    for (int i = 0; i < operation->count; i++)
        bits[i] = operation->words[i] != 0;
    if (coils && operation->count == 1 && operation->function != 15)
        return modbus_write_bit(modbus, operation->address, bits[0]);
    if (coils)
        return modbus_write_bits(modbus, operation->address, operation->count, bits);
    if (operation->count == 1 && operation->function != 16)
        return modbus_write_register(modbus, operation->address, operation->words[0]);
    return modbus_write_registers(modbus, operation->address, operation->count,
                                  operation->words);
}

/* Fills `words` with what was read. */
static int read_plain(modbus_t *modbus, struct operation *operation)
{
    uint8_t bits[WORDS_MAX] = {0};
    bool coil = strcmp(operation->table, "coil") == 0;
    int r;

    if (strcmp(operation->table, "holding") == 0)
        return modbus_read_registers(modbus, operation->address, operation->count,
                                     operation->words);
    if (strcmp(operation->table, "input") == 0)
        return modbus_read_input_registers(modbus, operation->address, operation->count,
                                           operation->words);
    r = coil ? modbus_read_bits(modbus, operation->address, operation->count, bits)
             : modbus_read_input_bits(modbus, operation->address, operation->count, bits);
    for (int i = 0; i < operation->count; i++)
        operation->words[i] = bits[i];
    return r;
}

/* Are these the values of a line "== done 1 2 3, late 1"? */
static bool are_values(const char *line, const struct operation *operation)
{
    const char *at = line + strlen("== done");

    for (int i = 0; i < operation->count; i++) {
        char *end;
        unsigned long value = strtoul(at, &end, 10);

        if (end == at || value != operation->words[i])
            return false;
        at = end;
    }
    return true;
}

static void judge(const char *path, const char *line, const struct operation *operation, int r)
{
    bool done = strncmp(line, "== done", 7) == 0;
    const char *what = NULL;

    operations++;
    if (r >= 0 && operation->write && !done) {
        false_successes++;
        what = "was returned as written";
    } else if (r >= 0 && !operation->write && (!done || !are_values(line, operation))) {
        wrong_values++;
        what = "was returned as read, with another value";
    } else if (r < 0 && done) {
        false_failures++;
        what = "failed";
    }
    if (what)
        printf("%s: \"%s\" %s\n", strrchr(path, '/') ? strrchr(path, '/') + 1 : path, line + 3,
               what);
}

static size_t find_line(const struct transcript *transcript, size_t from, const char *mark)
{
    while (from < transcript->count &&
           strncmp(transcript->lines[from], mark, strlen(mark)) != 0)
        from++;
    return from;
}

static size_t play_operation(const char *path, modbus_t *modbus, struct player *player,
                             size_t at)
{
    const struct transcript *transcript = player->transcript;
    size_t end = find_line(transcript, at, "==");
    struct operation operation;
    pthread_t thread;

    player->from = at + 1;
    player->to = end;
    parse(transcript->lines[at], &operation);
    bool asks = find_line(transcript, at, ">>") < end;

    /* What nobody answers cannot come out wrong. */
    if (!operation.known || operation.unit == 0 || !asks ||
        pthread_create(&thread, NULL, play, player) != 0)
        return transcript->count;
    modbus_set_slave(modbus, operation.unit);
    modbus_set_response_timeout(modbus, 0, operation.timeout_us);
    modbus_set_byte_timeout(modbus, 0, 0); /* else an answer in pieces is cut off */
    int r = operation.write ? write_plain(modbus, &operation) : read_plain(modbus, &operation);

    if (player->far >= 0)
        usleep(100000); /* the player's pauses */
    pthread_join(thread, NULL);
    judge(path, transcript->lines[end], &operation, r);
    player->from = end + 1;
    player->to = find_line(transcript, end, ":");
    play(player);
    return player->to;
}

static bool play_file(const char *path)
{
    static struct transcript transcript;
    struct player player = {.transcript = &transcript};
    char name[64];

    if (!load(&transcript, path))
        return false;
    player.far = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (player.far < 0 || grantpt(player.far) < 0 || unlockpt(player.far) < 0 ||
        ptsname_r(player.far, name, sizeof(name)) != 0)
        return false;
    modbus_t *modbus = modbus_new_rtu(name, 115200, 'N', 8, 2);

    if (!modbus || modbus_connect(modbus) < 0)
        return false;
    size_t at = find_line(&transcript, 0, ":");

    while (at < transcript.count)
        at = play_operation(path, modbus, &player, at);
    modbus_close(modbus);
    modbus_free(modbus);
    if (player.far >= 0)
        close(player.far);
    return true;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!play_file(argv[i])) {
            fprintf(stderr, "bare_judge: %s: %s\n", argv[i], strerror(errno));
            return 1;
        }
    }
    printf("%d operations, %d wrong values, %d false successes, %d false failures\n",
           operations, wrong_values, false_successes, false_failures);
    return 0;
}
