#include "jobs/query.h"
#include "jobs/search.h"
#include "jobs/timetext.h"
#include "links/api_internal.h"
#include "site/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Names as the hub, its old documents and its clients write them, and as they are stored. */
struct spelling {
    const char *sent, *stored;
};

static const struct spelling job_types[] = {
    {"", ""},
    {"scheduleDeviceMethod", "scheduleDeviceMethod"},
    {"scheduledDeviceMethod", "scheduleDeviceMethod"},
    {"scheduleDirectMethod", "scheduleDeviceMethod"},
    {"scheduleDirectRequest", "scheduleDeviceMethod"},
    {"scheduleUpdateTwin", "scheduleUpdateTwin"},
    {"scheduledUpdateTwin", "scheduleUpdateTwin"},
    {"scheduleTwinUpdate", "scheduleUpdateTwin"},
    {"unknown", "unknown"}, /* other kinds of the hub's, of which there are none here */
    {"export", "export"},
    {"import", "import"},
    {NULL, NULL},
};

static const struct spelling job_statuses[] = {
    {"", ""},
    {"queued", "queued"},
    {"enqueued", "queued"},
    {"scheduled", "scheduled"},
    {"pending", "pending"}, /* queued or scheduled */
    {"running", "running"},
    {"completed", "completed"},
    {"failed", "failed"},
    {"cancelled", "cancelled"},
    {"canceled", "cancelled"},
    {"unknown", "unknown"}, /* which no job is */
    {NULL, NULL},
};

static const char *find_spelling(const struct spelling *spellings, const char *sent)
{
    if (!sent)
        return "";
    for (; spellings->sent; spellings++)
        if (strcasecmp(spellings->sent, sent) == 0)
            return spellings->stored;
    return NULL;
}

/* By header as every client pages, or by parameter as the documents do; headers win. `list`
   tells this list from others, so that no token of theirs is taken. */
static bool read_page(struct exchange *exchange, const char *list, struct page *page)
{
    const char *count = exchange_asked(exchange, "x-ms-max-item-count");
    const char *token = exchange_asked(exchange, "x-ms-continuation");
    int r = 0;

    *page = (struct page){.most = API_PAGE_MOST};
    if (!count)
        count = http_target_parameter(&exchange->target, "pageSize");
    if (!token)
        token = http_target_parameter(&exchange->target, "continuationToken");
    if (count && *count && http_count_parse(&page->most, count, API_PAGE_MOST) != 0) {
        exchange_refuse(exchange, 400, "ArgumentInvalid",
                        "the page size is a number from 1 to %d", API_PAGE_MOST);
        return false;
    }
    if (token && *token)
        r = http_token_read(&page->after, list, token);
    if (r == HTTP_PATH_E_FORM)
        exchange_refuse(exchange, 400, "ArgumentInvalid",
                        "the continuation token is not one of this list");
    else if (r < 0)
        exchange_refuse_memory(exchange);
    return r == 0;
}

/* The hub's names for a document that it does not take. */
static void refuse_document(struct exchange *exchange, const struct refusal *refusal)
{
    static const char *const names[] = {[FAULT_VALUE] = "ArgumentInvalid",
                                        [FAULT_FORMAT] = "IotHubFormatError",
                                        [FAULT_MISSING] = "ArgumentNull",
                                        [FAULT_TYPE] = "GenericBadRequest",
                                        [FAULT_ETAG] = "PreconditionFailed"};
    int status = refusal->fault == FAULT_ETAG ? 412 : 400;

    if (refusal->code == CODE_BAD_REQUEST)
        exchange_refuse(exchange, status, names[refusal->fault], "%s", refusal->text);
    else
        exchange_refuse_code(exchange, refusal->code, refusal->text);
}

static void ask_for_job(struct exchange *exchange, const char *job_id, const char *text,
                        size_t size)
{
    struct request *request;
    struct refusal refusal;
    int r;

    if (!id_is_short(job_id) || strcmp(job_id, "query") == 0) {
        exchange_refuse(exchange, 400, "ArgumentInvalid",
                        "a job id has 1 to 64 of A-Z a-z 0-9 . _ : - and is not \"query\"");
        return;
    }
    r = request_read_job(&request, LINK_API, job_id, text, size, &refusal);
    if (r < 0)
        exchange_refuse_memory(exchange);
    else if (r == REQUEST_E_REFUSED)
        refuse_document(exchange, &refusal);
    else
        exchange_ask(exchange, WAITING_JOB, request);
}

void put_job(struct exchange *exchange)
{
    ask_for_job(exchange, exchange->names[0], exchange->body, exchange->body_size);
}

/* PUT jobs/v2/<device>/methods/<job>: an old document's road to a method job on one device. */
void put_device_job(struct exchange *exchange)
{
    const char *device_id = exchange->names[0];
    json_t *document;
    char *text = NULL;

    if (site_device(exchange->api->settings.site, device_id) == SITE_NONE) {
        exchange_refuse_code(exchange, CODE_UNKNOWN_DEVICE, "no such device");
        return;
    }
    if (!exchange_read_json(exchange, &document))
        return;
    if (json_is_object(document) &&
        (json_object_get(document, "type") ||
         json_object_set_new(document, "type", json_string("scheduleDeviceMethod")) == 0) &&
        json_object_set_new(document, "queryCondition",
                            json_sprintf("deviceId IN ['%s']", device_id)) == 0)
        text = json_text(document);
    if (text)
        ask_for_job(exchange, exchange->names[1], text, strlen(text));
    else
        exchange_refuse(exchange, 400, "ArgumentInvalid", "a job is a JSON object");
    free(text);
    json_decref(document);
}

void get_job(struct exchange *exchange)
{
    exchange_search_job(exchange, exchange->names[0]);
}

void cancel_job(struct exchange *exchange)
{
    struct request *request;

    if (!id_is_short(exchange->names[0])) {
        exchange_refuse(exchange, 404, "JobNotFound", "no job %s", exchange->names[0]);
        return;
    }
    request = request_new(REQUEST_CANCEL, LINK_API);
    if (request)
        request->job_id = strdup(exchange->names[0]);
    if (request && request->job_id) {
        exchange_ask(exchange, WAITING_JOB, request);
        return;
    }
    request_free(request);
    exchange_refuse_memory(exchange);
}

/* A time to select by, 0 where none is given; false: it was refused. */
static bool read_time(struct exchange *exchange, const char *name, int64_t *ret)
{
    const char *text = http_target_parameter(&exchange->target, name);

    *ret = 0;
    if (!text || !*text || timetext_parse(ret, text) == 0)
        return true;
    exchange_refuse(exchange, 400, "ArgumentInvalid",
                    "%s is no time; one is 2030-01-15T22:00:00Z", name);
    return false;
}

void list_jobs(struct exchange *exchange)
{
    const struct http_target *target = &exchange->target;
    struct job_filter filter = {
        .type = find_spelling(job_types, http_target_parameter(target, "jobType")),
        .status = find_spelling(job_statuses, http_target_parameter(target, "jobStatus"))};
    struct page page;
    char list[128];

    if (!filter.type || !filter.status) {
        exchange_refuse(exchange, 400, "ArgumentInvalid", "%s",
                        filter.type
                            ? "jobStatus is queued, scheduled, running, completed, failed or "
                              "cancelled"
                            : "jobType is scheduleDeviceMethod or scheduleUpdateTwin");
        return;
    }
    if (!read_time(exchange, "from", &filter.from_ms) ||
        !read_time(exchange, "to", &filter.to_ms))
        return;
    snprintf(list, sizeof(list), "jobs %s %s %lld %lld", filter.type, filter.status,
             (long long)filter.from_ms, (long long)filter.to_ms);
    if (!read_page(exchange, list, &page))
        return;
    exchange_search_jobs(exchange, list, &filter, &page);
    free(page.after);
}

/* The hub's import and export jobs, of which a gateway has none. */
void list_transfers(struct exchange *exchange)
{
    exchange_send_text(exchange, 200, "[]");
}

void get_transfer(struct exchange *exchange)
{
    exchange_refuse(exchange, 404, "JobNotFound", "jobs are at /jobs/v2/%s",
                    exchange->names[0]);
}

/* Takes the query. */
static void send_rows(struct exchange *exchange, struct query *query, const char *text)
{
    struct page page;

    if (!read_page(exchange, text, &page)) {
        query_free(query);
        return;
    }
    exchange_search_query(exchange, text, query, &page);
    free(page.after);
}

void post_query(struct exchange *exchange)
{
    struct condition_error error;
    struct query *query;
    const char *text = NULL;
    json_t *body;
    int r;

    if (!exchange_read_json(exchange, &body))
        return;
    if (json_unpack(body, "{s:s}", "query", &text) < 0) {
        exchange_refuse(exchange, 400,
                        json_object_get(body, "query") ? "ArgumentInvalid" : "ArgumentNull",
                        "{\"query\": \"SELECT * FROM ...\"} is "
                        "wanted");
        json_decref(body);
        return;
    }
    r = query_parse(&query, text, &error);
    if (r == 0) {
        send_rows(exchange, query, text);
    } else if (r < 0) {
        exchange_refuse_memory(exchange);
    } else {
        exchange_refuse(exchange, 400, "ArgumentInvalid", "line %zu:%zu: %s", error.line,
                        error.column, error.text);
    }
    json_decref(body);
}
