/* A request as the store keeps it: all that is needed to carry it out and to answer it after a
   restart. Who waits on a connection of the API is gone by then; a broker's topic is not. */
#include "jobs/condition.h"
#include "jobs/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *hex_of(const void *bytes, size_t size)
{
    char *text = malloc(2 * size + 1);
    json_t *json;

    if (!text)
        return NULL;
    text[0] = '\0';
    for (size_t i = 0; i < size; i++)
        snprintf(text + 2 * i, 3, "%02x", ((const unsigned char *)bytes)[i]);
    json = json_string(text);
    free(text);
    return json;
}

static int bytes_of(void **ret, size_t *size, const char *hex)
{
    size_t count = strlen(hex) / 2;
    unsigned char *bytes = malloc(count + 1);

    if (!bytes)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1]};

        bytes[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    *ret = bytes;
    *size = count;
    return 0;
}

static void put_text(json_t *object, const char *key, const char *text)
{
    if (text)
        json_object_set_new(object, key, json_string(text));
}

static void put_number(json_t *object, const char *key, int64_t number)
{
    if (number != 0)
        json_object_set_new(object, key, json_integer(number));
}

static void put_json(json_t *object, const char *key, json_t *value)
{
    if (value)
        json_object_set(object, key, value);
}

json_t *request_keep(const struct request *request)
{
    json_t *kept = json_object();
    const struct origin *origin = &request->origin;

    put_number(kept, "kind", request->kind);
    put_number(kept, "link", origin->link);
    put_text(kept, "topic", origin->topic);
    if (origin->correlation_size > 0)
        json_object_set_new(kept, "correlation",
                            hex_of(origin->correlation, origin->correlation_size));
    put_number(kept, "action", request->action.kind);
    put_text(kept, "method", request->action.method);
    put_json(kept, "arguments", request->action.arguments);
    put_json(kept, "tags", request->action.tags);
    put_text(kept, "device", request->device_id);
    put_text(kept, "requestId", request->request_id);
    put_number(kept, "repeat", request->repeat_s);
    put_number(kept, "timeout", request->timeout_s);
    put_number(kept, "dup", request->dup);
    put_number(kept, "hasVersion", request->has_version);
    put_number(kept, "version", request->version);
    put_number(kept, "retained", request->retained);
    put_text(kept, "query", request->query);
    put_json(kept, "document", request->document);
    put_number(kept, "fingerprint", (int64_t)request->fingerprint);
    put_number(kept, "hasStart", request->has_start);
    put_number(kept, "start", request->start_ms);
    put_number(kept, "most", request->max_execution_s);
    put_number(kept, "methodTimeout", request->method_timeout_s);
    return kept;
}

static int64_t number(const json_t *kept, const char *key)
{
    return json_integer_value(json_object_get(kept, key));
}

static int text(char **ret, const json_t *kept, const char *key)
{
    const char *value = json_string_value(json_object_get(kept, key));

    *ret = value ? strdup(value) : NULL;
    return value && !*ret ? -ENOMEM : 0;
}

static int recall_texts(struct request *request, const json_t *kept, const char *job_id)
{
    const char *correlation = json_string_value(json_object_get(kept, "correlation"));
    int r = text(&request->origin.topic, kept, "topic");

    if (r == 0 && correlation)
        r = bytes_of(&request->origin.correlation, &request->origin.correlation_size,
                     correlation);
    if (r == 0)
        r = text(&request->action.method, kept, "method");
    if (r == 0)
        r = text(&request->device_id, kept, "device");
    if (r == 0)
        r = text(&request->request_id, kept, "requestId");
    if (r == 0)
        r = text(&request->query, kept, "query");
    request->job_id = strdup(job_id);
    return r == 0 && !request->job_id ? -ENOMEM : r;
}

static void recall_numbers(struct request *request, const json_t *kept)
{
    request->action.kind = (enum action_kind)number(kept, "action");
    request->repeat_s = (unsigned)number(kept, "repeat");
    request->timeout_s = (unsigned)number(kept, "timeout");
    request->dup = number(kept, "dup");
    request->has_version = number(kept, "hasVersion");
    request->version = number(kept, "version");
    request->retained = number(kept, "retained");
    request->fingerprint = (uint64_t)number(kept, "fingerprint");
    request->has_start = number(kept, "hasStart");
    request->start_ms = number(kept, "start");
    request->max_execution_s = (unsigned)number(kept, "most");
    request->method_timeout_s = (unsigned)number(kept, "methodTimeout");
}

int request_recall(struct request **ret, const json_t *kept, const char *job_id)
{
    struct request *request;
    struct condition_error error;
    int r;

    if (!json_is_object(kept))
        return -EBADMSG;
    request = request_new((enum request_kind)number(kept, "kind"),
                          (enum link_kind)number(kept, "link"));
    if (!request)
        return -ENOMEM;
    recall_numbers(request, kept);
    request->action.arguments = json_incref(json_object_get(kept, "arguments"));
    request->action.tags = json_incref(json_object_get(kept, "tags"));
    request->document = json_incref(json_object_get(kept, "document"));
    r = recall_texts(request, kept, job_id);
    if (r == 0 && request->query)
        r = condition_parse(&request->condition, request->query, &error) == 0 ? 0 : -EBADMSG;
    if (r < 0) {
        request_free(request);
        return r;
    }
    *ret = request;
    return 0;
}
