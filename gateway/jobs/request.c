#include "jobs/request.h"

#include "base/text.h"
#include "jobs/condition.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_DEPTH_MOST = 64 };

struct request *request_new(enum request_kind kind, enum link_kind link)
{
    struct request *request = calloc(1, sizeof(*request));

    if (!request)
        return NULL;
    request->kind = kind;
    request->origin.link = link;
    return request;
}

void origin_deinit(struct origin *origin)
{
    free(origin->topic);
    free(origin->correlation);
    *origin = (struct origin){0};
}

void request_free(struct request *request)
{
    if (!request)
        return;
    origin_deinit(&request->origin);
    action_deinit(&request->action);
    free(request->device_id);
    free(request->request_id);
    free(request->job_id);
    free(request->query);
    json_decref(request->document);
    condition_free(request->condition);
    free(request);
}

void refusal_set(struct refusal *refusal, enum code code, const char *format, ...)
{
    va_list args;

    refusal->code = code;
    refusal->fault = FAULT_VALUE;
    va_start(args, format);
    vsnprintf(refusal->text, sizeof(refusal->text), format, args);
    va_end(args);
    text_make_printable(refusal->text);
}

/* The parser recurses, so depth is counted before it starts. Quotes are followed as the parser
   follows them; where the text is no JSON the parser says so later. */
static bool is_too_deep(const char *text, size_t size)
{
    bool quoted = false;
    size_t depth = 0;

    for (size_t i = 0; i < size; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && (text[i] == '[' || text[i] == '{') && ++depth > JSON_DEPTH_MOST)
            return true;
        else if (!quoted && (text[i] == ']' || text[i] == '}') && depth > 0)
            depth--;
    }
    return false;
}

static bool is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\0' || !strchr(" \t\r\n", text[i]))
            return false;
    return true;
}

int request_read_json(json_t **ret, const char *text, size_t size, struct refusal *refusal)
{
    json_error_t error;
    json_t *json;

    if (is_blank(text, size)) {
        *ret = json_null();
        return 0;
    }
    if (size > REQUEST_JSON_MOST) {
        refusal_set(refusal, CODE_BAD_REQUEST,
                    "the message has %zu bytes; at most %d are taken", size, REQUEST_JSON_MOST);
        return REQUEST_E_REFUSED;
    }
    if (is_too_deep(text, size)) {
        refusal_set(refusal, CODE_BAD_REQUEST, "JSON is nested deeper than %d levels",
                    JSON_DEPTH_MOST);
        return REQUEST_E_REFUSED;
    }
    json = json_loadb(text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (!json && json_error_code(&error) == json_error_out_of_memory)
        return -ENOMEM;
    if (!json) {
        refusal_set(refusal, CODE_BAD_REQUEST, "not JSON at line %d, column %d: %s", error.line,
                    error.column, error.text);
        refusal->fault = FAULT_FORMAT;
        return REQUEST_E_REFUSED;
    }
    *ret = json;
    return 0;
}

static bool is_made_of(const char *text, const char *extra, size_t most)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t size = strlen(text);

    if (size < 1 || size > most)
        return false;
    for (; *text; text++)
        if (!strchr(letters, *text) && !strchr(extra, *text))
            return false;
    return true;
}

bool id_is_device(const char *text)
{
    return is_made_of(text, "._:-", 128);
}

bool id_is_short(const char *text)
{
    return is_made_of(text, "._:-", 64);
}

bool id_is_method(const char *text)
{
    return is_made_of(text, "_.*~-", 100);
}
