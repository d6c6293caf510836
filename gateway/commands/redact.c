#include "commands/redact.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_LEAST = 6, KEY_LEAST = 40, FILE_MOST = 64 * 1024 };

static const char removed[] = "[removed]";
static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct redact {
    char **secrets;
    size_t count;
};

static void add(struct redact *redact, const char *text)
{
    char **grown;
    char *copy;

    if (strlen(text) < SECRET_LEAST || strncmp(text, "-----", 5) == 0)
        return;
    grown = realloc(redact->secrets, (redact->count + 1) * sizeof(*grown));
    copy = strdup(text);
    if (grown)
        redact->secrets = grown;
    if (grown && copy)
        grown[redact->count++] = copy;
    else
        free(copy);
}

/* Each line; of "<id> <key>" the key. A comment is no secret. */
static void add_file(struct redact *redact, const char *path)
{
    FILE *file = path ? fopen(path, "re") : NULL;
    char line[4096];
    size_t total = 0;

    while (file && fgets(line, sizeof(line), file) && (total += strlen(line)) < FILE_MOST) {
        char *end = line + strcspn(line, "\r\n");

        *end = '\0';
        const char *last = strrchr(line, ' ');
        if (line[0] == '#')
            continue;
        add(redact, line);
        if (last)
            add(redact, last + 1);
    }
    if (file)
        fclose(file);
}

struct redact *redact_new(const struct site *site)
{
    struct redact *redact = calloc(1, sizeof(*redact));

    if (!redact || !site)
        return redact;
    if (site->broker) {
        add_file(redact, site->broker->password_file);
        add_file(redact, site->broker->key_file);
    }
    if (site->iothub)
        add_file(redact, site->iothub->key_file);
    add_file(redact, site->api.key_file);
    add_file(redact, site->api.metrics_token_file);
    for (size_t i = 0; i < site->api.policy_count; i++)
        add_file(redact, site->api.policies[i].key_file);
    return redact;
}

void redact_free(struct redact *redact)
{
    if (!redact)
        return;
    for (size_t i = 0; i < redact->count; i++)
        free(redact->secrets[i]);
    free(redact->secrets);
    free(redact);
}

static size_t known(const struct redact *redact, const char *text)
{
    for (size_t i = 0; i < redact->count; i++) {
        size_t size = strlen(redact->secrets[i]);

        if (strncmp(text, redact->secrets[i], size) == 0)
            return size;
    }
    return 0;
}

/* "name:password" of a URL, behind its slashes. */
static size_t in_a_url(const char *begin, const char *text)
{
    size_t size = strcspn(text, "/@\"' \t\r\n");

    return text - begin >= 3 && strncmp(text - 3, "://", 3) == 0 && text[size] == '@' ? size
                                                                                      : 0;
}

/* A word that follows something that announces a key. */
static size_t announced(const char *begin, const char *text)
{
    static const char *const words[] = {
        "SharedAccessKey=", "sig=",        "password=", "password = \"",
        "key = \"",         "secret = \"", "token = \""};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t size = strlen(words[i]);

        if ((size_t)(text - begin) >= size && strncmp(text - size, words[i], size) == 0)
            return strcspn(text, "\";& \t\r\n");
    }
    return 0;
}

static size_t like_a_key(const char *begin, const char *text)
{
    size_t size = strspn(text, base64);

    if (size < KEY_LEAST - 2 || (text > begin && strchr(base64, text[-1])))
        return 0;
    size_t padding = strspn(text + size, "=");
    bool is_path = memchr(text, '/', size) && padding == 0;

    return !is_path && size + padding >= KEY_LEAST ? size + padding : 0;
}

char *redact_text(const struct redact *redact, const char *text, bool foreign)
{
    char *ret = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&ret, &length);

    for (const char *at = text; to && *at;) {
        size_t size = known(redact, at);

        if (size == 0)
            size = in_a_url(text, at);
        if (size == 0)
            size = announced(text, at);
        if (size == 0 && foreign)
            size = like_a_key(text, at);
        if (size > 0)
            fputs(removed, to);
        else
            fputc(*at, to);
        at += size > 0 ? size : 1;
    }
    if (!to)
        return NULL;
    fclose(to);
    return ret;
}
