/*
 * A job document becomes a request: the hub's JSON with every spelling that its clients and
 * documents of the years have used. A member that is null is a member that is not there;
 * unknown ones are ignored, as the hub does.
 */
#include "jobs/condition.h"
#include "jobs/request.h"
#include "jobs/timetext.h"
#include "twins/twin.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXECUTION_S = 3600, EXECUTION_S_MOST = 604800 };
#define START_NOT_SET INT64_C(-62135596800000) /* 0001-01-01, the unset DateTime of .NET */

static const struct {
    const char *name;
    enum action_kind kind;
} types[] = {
    {"scheduleDeviceMethod", ACTION_METHOD},  {"scheduleUpdateTwin", ACTION_PATCH},
    {"scheduleDirectRequest", ACTION_METHOD}, {"scheduleDirectMethod", ACTION_METHOD},
    {"scheduledDeviceMethod", ACTION_METHOD}, {"scheduleTwinUpdate", ACTION_PATCH},
    {"scheduledUpdateTwin", ACTION_PATCH},
};

static json_t *member(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}

#define REFUSE(refusal, ...)                                                                   \
    (refusal_set(refusal, CODE_BAD_REQUEST, __VA_ARGS__), (int)REQUEST_E_REFUSED)
#define REFUSE_AS(fault_is, refusal, ...)                                                      \
    (refusal_set(refusal, CODE_BAD_REQUEST, __VA_ARGS__), (refusal)->fault = (fault_is),       \
     (int)REQUEST_E_REFUSED)

/* A whole number of seconds, 0 when it is absent; `name` or its other spelling. */
static int read_seconds(unsigned *ret, const json_t *object, const char *name,
                        const char *other, unsigned least, unsigned most,
                        struct refusal *refusal)
{
    json_t *value = member(object, name);
    double seconds;

    if (!value) {
        value = member(object, other);
        name = other;
    }
    *ret = 0;
    if (!value)
        return 0;
    seconds = json_number_value(value);
    if (!json_is_number(value) || floor(seconds) < seconds ||
        (seconds != 0.0 && !(seconds >= least && seconds <= most)))
        return REFUSE(refusal, "%s is not a whole number of seconds from %u to %u", name, least,
                      most);
    *ret = (unsigned)seconds;
    return 0;
}

static int read_type(struct request *request, const json_t *root, struct refusal *refusal)
{
    json_t *type = member(root, "type");

    if (!type)
        return REFUSE_AS(FAULT_MISSING, refusal,
                         "type is missing; it is scheduleDeviceMethod or scheduleUpdateTwin");
    if (!json_is_string(type))
        return REFUSE(refusal,
                      "type is not a text; it is scheduleDeviceMethod or scheduleUpdateTwin");
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcasecmp(json_string_value(type), types[i].name) == 0) {
            request->action.kind = types[i].kind;
            return 0;
        }
    }
    return REFUSE_AS(FAULT_TYPE, refusal,
                     "type '%.60s' is not known; it is scheduleDeviceMethod or "
                     "scheduleUpdateTwin",
                     json_string_value(type));
}

static int read_method(struct request *request, const json_t *root, struct refusal *refusal)
{
    json_t *method = member(root, "cloudToDeviceMethod");
    const char *name = json_string_value(member(method, "methodName"));
    json_t *payload = json_object_get(method, "payload");
    unsigned response_s, connect_s;
    int r;

    if (!method)
        return REFUSE_AS(FAULT_MISSING, refusal,
                         "cloudToDeviceMethod is missing; it is an object with methodName");
    if (!json_is_object(method))
        return REFUSE(refusal,
                      "cloudToDeviceMethod is no object; it is an object with methodName");
    if (!member(method, "methodName"))
        return REFUSE_AS(FAULT_MISSING, refusal, "cloudToDeviceMethod.methodName is missing");
    if (!name)
        return REFUSE(refusal, "cloudToDeviceMethod.methodName is not a text");
    if (!id_is_method(name))
        return REFUSE(refusal,
                      "cloudToDeviceMethod.methodName '%.100s' is no name of a method; "
                      "letters, digits and _ . * ~ - are, up to 100",
                      name);
    r = read_seconds(&response_s, method, "responseTimeoutInSeconds", "timeoutInSeconds", 5,
                     300, refusal);
    if (r != 0)
        return r;
    r = read_seconds(&connect_s, method, "connectTimeoutInSeconds", "connectTimeoutInSeconds",
                     0, 300, refusal);
    if (r != 0)
        return r;
    request->method_timeout_s = response_s;
    request->action.method = strdup(name);
    request->action.arguments = json_incref(payload);
    request->document = json_pack(
        "{s:{s:s,s:O?,s:o*,s:o*}}", "cloudToDeviceMethod", "methodName", name, "payload",
        payload, "responseTimeoutInSeconds", response_s ? json_integer(response_s) : NULL,
        "connectTimeoutInSeconds", connect_s ? json_integer(connect_s) : NULL);
    return request->action.method && request->document ? 0 : -ENOMEM;
}

/* A document that no twin can hold is refused whole, before any device has a part of it. */
static int check_limits(const json_t *patch, const char *name, bool tags,
                        struct refusal *refusal)
{
    char *why = patch ? twin_refuses(patch, tags) : NULL;
    int r = why ? REFUSE(refusal, "updateTwin.%s: %s", name, why) : 0;

    free(why);
    return r;
}

static int read_update(struct request *request, const json_t *root, struct refusal *refusal)
{
    json_t *update = member(root, "updateTwin");
    json_t *etag = member(update, "etag"), *tags = member(update, "tags");
    json_t *properties = member(update, "properties"), *desired = member(properties, "desired");
    struct action *action = &request->action;

    if (!update)
        return REFUSE_AS(FAULT_MISSING, refusal,
                         "updateTwin is missing; it is an object with properties.desired");
    if (!json_is_object(update))
        return REFUSE(refusal, "updateTwin is no object; it has properties.desired");
    if (etag && (!json_is_string(etag) || strcmp(json_string_value(etag), "*") != 0))
        return REFUSE_AS(FAULT_ETAG, refusal,
                         "updateTwin.etag is not \"*\"; a job updates twins whatever their "
                         "etag is");
    if (!properties && member(update, "desired"))
        return REFUSE(refusal, "updateTwin.desired stands outside of properties; the path is "
                               "updateTwin.properties.desired");
    if (properties && !json_is_object(properties))
        return REFUSE(refusal, "updateTwin.properties is not an object");
    if (desired && !json_is_object(desired))
        return REFUSE(refusal, "updateTwin.properties.desired is not an object");
    if (tags && !json_is_object(tags))
        return REFUSE(refusal, "updateTwin.tags is not an object");
    if (!desired && !tags)
        return REFUSE(refusal, "updateTwin changes nothing; it has neither properties.desired "
                               "nor tags");
    /* A client that sends back a whole twin sends its bookkeeping along. */
    if ((desired && twin_without_system(&action->arguments, desired) < 0) ||
        (tags && twin_without_system(&action->tags, tags) < 0))
        return -ENOMEM;
    int r = check_limits(action->arguments, "properties.desired", false, refusal);
    if (r == 0)
        r = check_limits(action->tags, "tags", true, refusal);
    if (r != 0)
        return r;
    request->document = json_pack(
        "{s:{s:s,s:O*,s:o*}}", "updateTwin", "etag", "*", "tags", action->tags, "properties",
        desired ? json_pack("{s:O}", "desired", action->arguments) : NULL);
    return request->document ? 0 : -ENOMEM;
}

/* deviceIds: [...] of the first preview says what an IN list says. malloc'ed. */
static int query_of_ids(char **ret, const json_t *ids, struct refusal *refusal)
{
    size_t size = sizeof("deviceId IN []"), i;
    const json_t *id;
    char *to;

    if (!json_is_array(ids) || json_array_size(ids) == 0)
        return REFUSE(refusal, "deviceIds is not a list of device ids");
    json_array_foreach(ids, i, id)
    {
        if (!json_is_string(id))
            return REFUSE(refusal, "deviceIds[%zu] is not a text", i);
        size += 2 * json_string_length(id) + sizeof("'',");
    }
    *ret = to = malloc(size);
    if (!to)
        return -ENOMEM;
    to = stpcpy(to, "deviceId IN [");
    json_array_foreach(ids, i, id)
    {
        to = stpcpy(to, i > 0 ? ",'" : "'");
        for (const char *from = json_string_value(id); *from; *to++ = *from++)
            if (*from == '\'' || *from == '\\')
                *to++ = '\\';
        to = stpcpy(to, "'");
    }
    strcpy(to, "]");
    return 0;
}

static int read_query(struct request *request, const json_t *root, struct refusal *refusal)
{
    const json_t *query = member(root, "queryCondition"), *ids = member(root, "deviceIds");
    struct condition_error error;
    int r;

    if (query && ids)
        return REFUSE(refusal, "queryCondition and deviceIds are both given; one of them says "
                               "which devices are meant");
    if (ids) {
        r = query_of_ids(&request->query, ids, refusal);
        if (r != 0)
            return r;
    } else if (!query) {
        return REFUSE_AS(FAULT_MISSING, refusal,
                         "queryCondition is missing; \"*\" means all devices");
    } else if (!json_is_string(query)) {
        return REFUSE(refusal, "queryCondition is not a text; \"*\" means all devices");
    } else {
        request->query = strdup(json_string_value(query));
        if (!request->query)
            return -ENOMEM;
    }
    r = condition_parse(&request->condition, request->query, &error);
    if (r == CONDITION_E_SYNTAX)
        return REFUSE(refusal, "queryCondition %zu:%zu: %s", error.line, error.column,
                      error.text);
    return r;
}

static int read_times(struct request *request, const json_t *root, struct refusal *refusal)
{
    json_t *start = member(root, "startTime");
    int r;

    if (start && (!json_is_string(start) ||
                  timetext_parse(&request->start_ms, json_string_value(start)) != 0))
        return REFUSE(refusal, "startTime is not a time such as 2030-01-15T22:00:00Z");
    request->has_start = start && request->start_ms != START_NOT_SET;
    if (!request->has_start)
        request->start_ms = 0;
    r = read_seconds(&request->max_execution_s, root, "maxExecutionTimeInSeconds",
                     "maxExecutionTimeSeconds", 1, EXECUTION_S_MOST, refusal);
    if (r == 0 && request->max_execution_s == 0)
        request->max_execution_s = EXECUTION_S;
    return r;
}

static int read_id(struct request *request, const json_t *root, const char *job_id,
                   struct refusal *refusal)
{
    const json_t *inside = member(root, "jobId");

    if (!id_is_short(job_id))
        return REFUSE(
            refusal, "'%.64s' is no job id; letters, digits and . _ : - are, up to 64", job_id);
    if (strcmp(job_id, "query") == 0) /* its path would be that of the list of jobs */
        return REFUSE(refusal, "a job cannot be called query");
    if (inside && (!json_is_string(inside) || strcmp(json_string_value(inside), job_id) != 0))
        return REFUSE(refusal, "jobId in the document is not '%s', under which it was sent",
                      job_id);
    request->job_id = strdup(job_id);
    return request->job_id ? 0 : -ENOMEM;
}

/* FNV-1a, 64 bits (Fowler, Noll, Vo) over what the job means, keys sorted: the same document
   in another order or spelling is the same job. */
static int fingerprint(struct request *request)
{
    json_t *meaning = json_pack("{s:i,s:s,s:O,s:I,s:b,s:i}", "kind", (int)request->action.kind,
                                "query", request->query, "document", request->document, "start",
                                (json_int_t)request->start_ms, "timed", (int)request->has_start,
                                "seconds", (int)request->max_execution_s);
    char *text = meaning ? json_dumps(meaning, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    json_decref(meaning);
    if (!text)
        return -ENOMEM;
    for (const char *byte = text; *byte; byte++)
        hash = (hash ^ (unsigned char)*byte) * UINT64_C(0x100000001b3);
    free(text);
    request->fingerprint = hash;
    return 0;
}

static int read_document(struct request *request, const json_t *root, const char *job_id,
                         struct refusal *refusal)
{
    int r;

    if (!json_is_object(root))
        return REFUSE(refusal, "a job document is a JSON object");
    r = read_id(request, root, job_id, refusal);
    if (r != 0)
        return r;
    if (member(root, "rollout")) /* without it the job would do more than it was allowed to */
        return REFUSE(refusal, "rollout is not built yet; the job is not run without it");
    r = read_type(request, root, refusal);
    if (r != 0)
        return r;
    r = request->action.kind == ACTION_METHOD ? read_method(request, root, refusal)
                                              : read_update(request, root, refusal);
    if (r != 0)
        return r;
    r = read_query(request, root, refusal);
    if (r != 0)
        return r;
    r = read_times(request, root, refusal);
    if (r != 0)
        return r;
    return fingerprint(request);
}

int request_read_job(struct request **ret, enum link_kind link, const char *job_id,
                     const char *text, size_t size, struct refusal *refusal)
{
    struct request *request;
    json_t *root;
    int r = request_read_json(&root, text, size, refusal);

    if (r != 0)
        return r;
    request = request_new(REQUEST_JOB, link);
    r = request ? read_document(request, root, job_id, refusal) : -ENOMEM;
    json_decref(root);
    if (r != 0) {
        request_free(request);
        return r;
    }
    *ret = request;
    return 0;
}
