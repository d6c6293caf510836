/*
 * The text of a configuration file with its includes in place, so that libconfig never opens
 * a file by itself: its lexer ends the process at an include that is a folder or empty, and
 * does not name one that is missing.
 */
#include "site/config.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INCLUDES_DEEP = 10, INCLUDES_MOST = 100 };

enum inside { PLAIN, STRING, LINE_COMMENT, BLOCK_COMMENT };

struct gather {
    struct config_text *text;
    struct reader *reader;
    size_t room, line_room;
    unsigned depth, includes;
    enum inside inside;
    bool failed;
};

static void append_file(struct gather *gather, const char *path, struct place from);

char *file_read(const char *path, size_t most, size_t *length, char *why, size_t why_size)
{
    struct stat status;
    char *bytes = NULL;
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &status) < 0) {
        snprintf(why, why_size, "%s", strerror(errno));
        goto end;
    }
    if (!S_ISREG(status.st_mode)) {
        snprintf(why, why_size, "it is %s, not a file",
                 S_ISDIR(status.st_mode) ? "a folder" : "a device");
        goto end;
    }
    if (status.st_size < 0 || (uint64_t)status.st_size > most) {
        snprintf(why, why_size, "it is larger than %zu bytes", most);
        goto end;
    }
    bytes = malloc((size_t)status.st_size + 1);
    if (!bytes) {
        snprintf(why, why_size, "%s", strerror(ENOMEM));
        goto end;
    }
    while (size < (size_t)status.st_size) {
        ssize_t got = read(fd, bytes + size, (size_t)status.st_size - size);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            snprintf(why, why_size, "%s", strerror(errno));
            free(bytes);
            bytes = NULL;
            goto end;
        }
        if (got == 0)
            break;
        size += (size_t)got;
    }
    bytes[size] = '\0';
    *length = size;
end:
    if (fd >= 0)
        close(fd);
    return bytes;
}

/* Makes room for `more` bytes and one more line. */
static bool make_room(struct gather *gather, size_t more)
{
    struct config_text *text = gather->text;

    if (text->length + more + 2 > gather->room) {
        size_t room = (text->length + more + 2) * 2;
        char *bytes = realloc(text->bytes, room);

        if (!bytes)
            goto fail;
        text->bytes = bytes;
        gather->room = room;
    }
    if (text->line_count + 1 > gather->line_room) {
        size_t room = gather->line_room ? gather->line_room * 2 : 256;
        struct place *lines = realloc(text->lines, room * sizeof(*lines));

        if (!lines)
            goto fail;
        text->lines = lines;
        gather->line_room = room;
    }
    return true;
fail:
    gather->reader->error = -ENOMEM;
    gather->failed = true;
    return false;
}

/* Is the line good text? One problem is enough for it. */
static bool line_is_text(struct gather *gather, const char *line, size_t length,
                         struct place place)
{
    for (size_t i = 0; i < length;) {
        size_t step = text_character(line + i, length - i);

        if (line[i] == '\0') {
            problem_add(gather->reader->problems, place,
                        "a NUL byte; save the file as UTF-8 text (UTF-16 is not read)");
            return false;
        }
        if (step == 0) {
            problem_add(gather->reader->problems, place,
                        "byte 0x%02X is not UTF-8; save the file as UTF-8 text",
                        (unsigned char)line[i]);
            return false;
        }
        i += step;
    }
    return true;
}

/* Follows strings and comments over one line, as libconfig's lexer does. */
static enum inside after_line(enum inside inside, const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = line[i], next = (char)(i + 1 < length ? line[i + 1] : '\0');

        if (inside == PLAIN && c == '"') {
            inside = STRING;
        } else if (inside == PLAIN && (c == '#' || (c == '/' && next == '/'))) {
            return PLAIN;
        } else if (inside == PLAIN && c == '/' && next == '*') {
            inside = BLOCK_COMMENT;
            i++;
        } else if (inside == STRING && c == '\\') {
            i++;
        } else if (inside == STRING && c == '"') {
            inside = PLAIN;
        } else if (inside == BLOCK_COMMENT && c == '*' && next == '/') {
            inside = PLAIN;
            i++;
        }
    }
    return inside;
}

/* The file name of an `@include "name"` line, malloc'ed; NULL after a problem. */
static char *include_name(struct gather *gather, const char *line, size_t length,
                          struct place place)
{
    const char *open = memchr(line, '"', length);
    const char *close = open ? memchr(open + 1, '"', length - (size_t)(open + 1 - line)) : NULL;
    char *name;

    if (!close) {
        problem_add(gather->reader->problems, place,
                    "@include without a file name; write @include \"lines.conf\"");
        return NULL;
    }
    if (close == open + 1) {
        problem_add(gather->reader->problems, place,
                    "@include names no file; write its name between the quotes");
        return NULL;
    }
    for (const char *rest = close + 1; rest < line + length && *rest != '#'; rest++) {
        if (!isspace((unsigned char)*rest) && *rest != ';') {
            problem_add(gather->reader->problems, place,
                        "@include shares its line; it must stand alone on a line");
            return NULL;
        }
    }
    name = strndup(open + 1, (size_t)(close - open - 1));
    if (!name)
        gather->reader->error = -ENOMEM;
    return name;
}

static bool is_include(const char *line, size_t length)
{
    static const char word[] = "@include";
    size_t at = 0;

    while (at < length && (line[at] == ' ' || line[at] == '\t'))
        at++;
    return length - at >= sizeof(word) - 1 && strncmp(line + at, word, sizeof(word) - 1) == 0;
}

static void append_include(struct gather *gather, const char *line, size_t length,
                           struct place place)
{
    char *name = include_name(gather, line, length, place);
    char *path = name ? path_beside(gather->reader, place.file, name) : NULL;

    if (!path) {
        gather->failed = true;
    } else if (gather->depth >= INCLUDES_DEEP || gather->includes >= INCLUDES_MOST) {
        problem_add(gather->reader->problems, place,
                    "too many includes at \"%s\"; does a file include itself?", name);
        gather->failed = true;
    } else {
        gather->includes++;
        append_file(gather, path, place);
    }
    free(path);
    free(name);
}

static void append_line(struct gather *gather, const char *line, size_t length,
                        struct place place)
{
    struct config_text *text = gather->text;

    if (text->length + length > CONFIG_BYTES_MOST) {
        problem_add(gather->reader->problems, place,
                    "more than %d MB of configuration; use a devices_file",
                    CONFIG_BYTES_MOST >> 20);
        gather->failed = true;
        return;
    }
    if (!line_is_text(gather, line, length, place)) {
        gather->failed = true;
        return;
    }
    if (!make_room(gather, length))
        return;
    memcpy(text->bytes + text->length, line, length);
    text->length += length;
    text->bytes[text->length++] = '\n';
    text->lines[text->line_count++] = place;
    gather->inside = after_line(gather->inside, line, length);
}

static void append_file(struct gather *gather, const char *path, struct place from)
{
    static const char mark[] = "\xEF\xBB\xBF";
    char why[128];
    size_t length;
    char *bytes = file_read(path, CONFIG_BYTES_MOST, &length, why, sizeof(why));
    struct place place = {.file = reader_file(gather->reader, path)};
    const char *at = bytes, *end;

    if (!bytes) {
        if (from.line)
            problem_add(gather->reader->problems, from,
                        "cannot include \"%s\": %s; correct the name, or remove the @include",
                        path, why);
        else
            problem_add(gather->reader->problems, from,
                        "cannot be read: %s; is the path right?", why);
        gather->failed = true;
        return;
    }
    end = bytes + length;
    if (length >= 3 && memcmp(bytes, mark, 3) == 0) {
        place.line = 1;
        problem_add(gather->reader->problems, place,
                    "the file begins with a byte order mark (BOM); save it as \"UTF-8\", not "
                    "\"UTF-8 with BOM\"");
        at += 3;
        place.line = 0;
    }
    gather->depth++;
    while (at < end && !gather->failed) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t here = (size_t)((stop ? stop : end) - at);

        place.line++;
        if (gather->inside == PLAIN && is_include(at, here) &&
            line_is_text(gather, at, here, place))
            append_include(gather, at, here, place);
        else
            append_line(gather, at, here, place);
        at += here + 1;
    }
    gather->depth--;
    free(bytes);
}

bool config_text_gather(struct config_text *text, struct reader *reader, const char *path)
{
    struct gather gather = {.text = text, .reader = reader};

    *text = (struct config_text){0};
    append_file(&gather, path, (struct place){.file = reader_file(reader, path)});
    if (gather.failed || reader->error || !make_room(&gather, 0)) {
        config_text_deinit(text);
        return false;
    }
    text->doubtful = reader_items(reader, text->line_count + 1, sizeof(*text->doubtful));
    if (!text->doubtful) {
        config_text_deinit(text);
        return false;
    }
    text->bytes[text->length] = '\0';
    /* A message about the end of the text needs a line, even in an empty file. */
    text->lines[text->line_count] =
        text->line_count ? text->lines[text->line_count - 1]
                         : (struct place){.file = reader_file(reader, path), .line = 1};
    return true;
}

void config_text_deinit(struct config_text *text)
{
    free(text->bytes);
    free(text->lines);
    free(text->doubtful);
    *text = (struct config_text){0};
}
