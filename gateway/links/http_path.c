#include "links/http_path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int hex_byte(const char *text)
{
    int high = hex_digit(text[0]);
    int low = high < 0 ? -1 : hex_digit(text[1]);

    return low < 0 ? -1 : high * 16 + low;
}

/* Decodes in place; what it says is never longer than what was sent. */
static int decode(char *text, bool plus_is_space)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        int byte = (unsigned char)*from;

        if (*from == '%') {
            byte = hex_byte(from + 1);
            if (byte < 0)
                return HTTP_PATH_E_FORM;
            from += 2;
        } else if (*from == '+' && plus_is_space) {
            byte = ' ';
        }
        if (byte < ' ' || byte == 0x7F)
            return HTTP_PATH_E_FORM;
        *to++ = (char)byte;
    }
    *to = '\0';
    return 0;
}

static int take_segments(struct http_target *target, char *path)
{
    char *rest = path + 1;

    while (rest && *rest) {
        char *segment = strsep(&rest, "/");

        if (target->segment_count == HTTP_SEGMENTS_MOST || decode(segment, false) ||
            segment[0] == '\0')
            return HTTP_PATH_E_FORM;
        target->segments[target->segment_count++] = segment;
    }
    return 0;
}

static int take_parameters(struct http_target *target, char *query)
{
    while (query) {
        char *value = strsep(&query, "&");
        char *name = strsep(&value, "=");

        if (*name == '\0' && !value)
            continue;
        if (target->parameter_count == HTTP_PARAMETERS_MOST || decode(name, true) ||
            (value && decode(value, true)))
            return HTTP_PATH_E_FORM;
        target->parameters[target->parameter_count++] =
            (struct http_parameter){.name = name, .value = value ? value : ""};
    }
    return 0;
}

/* Behind the authority of an absolute URI, which a proxy's client sends. */
static const char *skip_authority(const char *uri)
{
    if (strncasecmp(uri, "http://", 7) != 0 && strncasecmp(uri, "https://", 8) != 0)
        return uri;
    uri = strchr(strchr(uri, ':') + 3, '/');
    return uri ? uri : "/";
}

int http_target_parse(struct http_target *ret, const char *uri)
{
    struct http_target target = {.text = strdup(skip_authority(uri))};
    char *query;
    int r;

    if (!target.text)
        return -ENOMEM;
    query = target.text + strcspn(target.text, "?");
    if (*query == '?')
        *query++ = '\0';
    else
        query = NULL;
    r = target.text[0] == '/' ? take_segments(&target, target.text) : HTTP_PATH_E_FORM;
    if (r == 0)
        r = take_parameters(&target, query);
    if (r != 0) {
        free(target.text);
        return r;
    }
    *ret = target;
    return 0;
}

void http_target_deinit(struct http_target *target)
{
    free(target->text);
    *target = (struct http_target){0};
}

const char *http_target_parameter(const struct http_target *target, const char *name)
{
    for (size_t i = 0; i < target->parameter_count; i++)
        if (strcmp(target->parameters[i].name, name) == 0)
            return target->parameters[i].value;
    return NULL;
}

enum { SUM_DIGITS = 16 };

/* FNV-1a, 64 bits: finds what was mistyped or taken from another list. */
static uint64_t sum(const char *list, const char *cursor)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t part = 0; part < 2; part++) {
        const char *text = part == 0 ? list : cursor;

        do {
            hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
        } while (*text++);
    }
    return hash;
}

char *http_token_make(const char *list, const char *cursor)
{
    size_t size = strlen(cursor);
    char *token = malloc(SUM_DIGITS + 2 * size + 1);

    if (!token)
        return NULL;
    snprintf(token, SUM_DIGITS + 1, "%016" PRIx64, sum(list, cursor));
    for (size_t i = 0; i < size; i++)
        snprintf(token + SUM_DIGITS + 2 * i, 3, "%02x", (unsigned)(unsigned char)cursor[i]);
    return token;
}

int http_token_read(char **ret, const char *list, const char *token)
{
    size_t size = strlen(token);
    char expected[SUM_DIGITS + 1];
    char *cursor;

    if (size <= SUM_DIGITS || size % 2 != 0)
        return HTTP_PATH_E_FORM;
    size = (size - SUM_DIGITS) / 2;
    cursor = malloc(size + 1);
    if (!cursor)
        return -ENOMEM;
    for (size_t i = 0; i < size; i++) {
        int byte = hex_byte(token + SUM_DIGITS + 2 * i);

        if (byte <= 0)
            goto refused;
        cursor[i] = (char)byte;
    }
    cursor[size] = '\0';
    snprintf(expected, sizeof(expected), "%016" PRIx64, sum(list, cursor));
    if (strncmp(expected, token, SUM_DIGITS) != 0)
        goto refused;
    *ret = cursor;
    return 0;

refused:
    free(cursor);
    return HTTP_PATH_E_FORM;
}

int http_count_parse(size_t *ret, const char *text, size_t most)
{
    size_t count = 0;

    if (*text == '\0')
        return HTTP_PATH_E_FORM;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return HTTP_PATH_E_FORM;
        if (count <= most)
            count = count * 10 + (size_t)(*text - '0');
    }
    if (count == 0)
        return HTTP_PATH_E_FORM;
    *ret = count < most ? count : most;
    return 0;
}

/* One of the header's list. */
static bool is_tag(const char *text, size_t size, const char *tag)
{
    if (size >= 2 && memcmp(text, "W/", 2) == 0) {
        text += 2;
        size -= 2;
    }
    if (size >= 2 && text[0] == '"' && text[size - 1] == '"') {
        text++;
        size -= 2;
    }
    return (size == 1 && *text == '*') || (size == strlen(tag) && memcmp(text, tag, size) == 0);
}

bool http_tag_matches(const char *header, const char *tag)
{
    for (;;) { /* no tag of ours has a comma */
        size_t all = strcspn(header, ","), size = all;
        size_t blank = strspn(header, " \t");

        while (size > blank && (header[size - 1] == ' ' || header[size - 1] == '\t'))
            size--;
        if (blank < size && is_tag(header + blank, size - blank, tag))
            return true;
        if (header[all] == '\0')
            return false;
        header += all + 1;
    }
}

bool http_cookie_find(char *value, size_t size, const char *header, const char *name)
{
    size_t name_size = strlen(name);

    while (header && *header) {
        header += strspn(header, "; ");
        if (strncmp(header, name, name_size) == 0 && header[name_size] == '=') {
            const char *from = header + name_size + 1;
            size_t found = strcspn(from, "; ");

            if (found >= size)
                return false;
            memcpy(value, from, found);
            value[found] = '\0';
            return true;
        }
        header += strcspn(header, ";");
    }
    return false;
}
