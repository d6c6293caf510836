#include "links/http_path.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void look_at_target(const char *text)
{
    struct http_target target;

    if (http_target_parse(&target, text) != 0)
        return;
    for (size_t i = 0; i < target.segment_count; i++)
        assert(target.segments[i][0] != '\0');
    for (size_t i = 0; i < target.parameter_count; i++)
        assert(http_target_parameter(&target, target.parameters[i].name));
    http_target_deinit(&target);
}

/* What is read must be what would be written, whatever the spelling of the digits. */
static void look_at_token(const char *text)
{
    char *cursor, *token;

    if (http_token_read(&cursor, "fuzz", text) == 0) {
        token = http_token_make("fuzz", cursor);
        assert(token && strncasecmp(token, text, strlen(token)) == 0);
        free(token);
        free(cursor);
    }
    token = http_token_make("fuzz", text);
    assert(token);
    if (*text) {
        assert(http_token_read(&cursor, "fuzz", token) == 0 && strcmp(cursor, text) == 0);
        free(cursor);
    }
    free(token);
}

static void look_at_cookie(const char *text)
{
    char value[9];

    if (http_cookie_find(value, sizeof(value), text, "__Host-jobgate"))
        assert(strlen(value) < sizeof(value) && strstr(text, value) && !strpbrk(value, "; "));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1);
    size_t count;

    assert(text);
    memcpy(text, bytes, size);
    text[size] = '\0';
    look_at_target(text);
    look_at_token(text);
    look_at_cookie(text);
    if (http_count_parse(&count, text, 100) == 0)
        assert(count >= 1 && count <= 100);
    http_tag_matches(text, "AAAAAAAAAAc=");
    free(text);
    return 0;
}
