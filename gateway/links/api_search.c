/* Answers that need the history: the exchange waits while a look is at the reading thread. */
#include "jobs/search.h"
#include "links/api_internal.h"

#include <stdlib.h>
#include <string.h>

/* A search whose look is out. It stays until that is back, also when its caller has left. */
struct out {
    struct out *next;
    const struct look *look;
    struct search *search;
    struct query *query; /* the search's, or NULL */
    uint64_t ticket;
    char *list;       /* of the page's token; NULL: a single job, by `job_id` */
    const char *type; /* of the items; a constant */
    char *job_id;
};

static void out_free(struct out *out)
{
    if (!out)
        return;
    search_free(out->search);
    query_free(out->query);
    free(out->list);
    free(out->job_id);
    free(out);
}

/* On the last page no continuation header: an empty one means more. */
static void send_page(struct exchange *exchange, const struct out *out, json_t *rows,
                      const char *cursor)
{
    char *token = cursor ? http_token_make(out->list, cursor) : NULL;

    exchange_header(exchange, "x-ms-item-type", out->type);
    if (token)
        exchange_header(exchange, "x-ms-continuation", token);
    exchange_send_json(exchange, 200, rows);
    free(token);
}

/* Takes the look, or NULL. */
static void finish(struct exchange *exchange, const struct out *out, struct look *look)
{
    char *cursor = NULL;
    json_t *json = search_end(out->search, look, &cursor);

    if (out->list)
        send_page(exchange, out, json, cursor);
    else if (json)
        exchange_send_json(exchange, 200, json);
    else
        exchange_refuse(exchange, 404, "JobNotFound", "no job %s", out->job_id);
    free(cursor);
}

static void wait(struct exchange *exchange, struct out *out)
{
    struct api *api = exchange->api;

    exchange_wait(exchange, WAITING_HISTORY);
    out->ticket = exchange->ticket;
    out->next = api->searches;
    api->searches = out;
}

/* Takes `out`. */
static void begin(struct exchange *exchange, struct out *out)
{
    const struct api_settings *settings = &exchange->api->settings;
    struct look *look = search_take_look(out->search);

    out->look = look;
    if (!look) {
        finish(exchange, out, NULL);
    } else if (!settings->look || !settings->look(settings->ctx, look)) {
        look_free(look);
        exchange_refuse(exchange, 503, "ServiceUnavailable",
                        "more is asked about the past than can be answered; try again");
    } else {
        wait(exchange, out);
        return;
    }
    out_free(out);
}

static void start(struct exchange *exchange, int r, struct out out)
{
    struct out *copy = r == 0 ? calloc(1, sizeof(*copy)) : NULL;

    if (copy) {
        *copy = out;
        begin(exchange, copy);
        return;
    }
    if (r == SEARCH_E_CURSOR) /* a token that was well made, of a list that is no more */
        exchange_refuse(exchange, 400, "ArgumentInvalid",
                        "the continuation token is not one of this list");
    else
        exchange_refuse_memory(exchange);
    if (r == 0)
        search_free(out.search);
    query_free(out.query);
    free(out.list);
    free(out.job_id);
}

void exchange_search_job(struct exchange *exchange, const char *job_id)
{
    struct out out = {.job_id = strdup(job_id)};
    int r = search_job(&out.search, exchange->api->settings.engine, job_id);

    start(exchange, r, out);
}

void exchange_search_jobs(struct exchange *exchange, const char *list,
                          const struct job_filter *filter, const struct page *page)
{
    struct out out = {.list = strdup(list), .type = "JobResponse"};
    int r = search_jobs(&out.search, exchange->api->settings.engine, filter, page->most,
                        page->after);

    start(exchange, r, out);
}

void exchange_search_query(struct exchange *exchange, const char *list, struct query *query,
                           const struct page *page)
{
    struct out out = {.list = strdup(list), .query = query};
    int r = search_query(&out.search, exchange->api->settings.engine, query, page->most,
                         page->after);

    out.type = query->collection == QUERY_DEVICES_JOBS ? "DeviceJob"
               : query->item_count > 0                 ? "Raw"
                                                       : "Twin";
    start(exchange, r, out);
}

static struct out *take_out(struct api *api, const struct look *look)
{
    for (struct out **at = &api->searches; *at; at = &(*at)->next) {
        struct out *out = *at;

        if (out->look == look) {
            *at = out->next;
            return out;
        }
    }
    return NULL;
}

static struct exchange *find_exchange(const struct api *api, uint64_t ticket)
{
    for (struct connection *each = api->connections; each; each = each->next) {
        if (each->exchange && each->exchange->ticket == ticket)
            return each->exchange;
    }
    return NULL; /* the caller left */
}

void api_looked(struct api *api, struct look *look)
{
    struct out *out = take_out(api, look);
    struct exchange *exchange = out ? find_exchange(api, out->ticket) : NULL;

    if (!exchange) {
        look_free(look);
    } else if (look->why[0]) {
        exchange_refuse(exchange, 503, "ServiceUnavailable", "the history cannot be read: %s",
                        look->why);
        look_free(look);
    } else {
        finish(exchange, out, look);
    }
    out_free(out);
}

void api_searches_close(struct api *api)
{
    struct out *out;

    while ((out = api->searches)) {
        api->searches = out->next;
        out_free(out);
    }
}
