#include "commands/fetch.h"
#include "commands/commands.h"
#include "site/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES_MOST = 100000 };

static int fetch_page(const struct client *client, const struct options *options,
                      const char *method, const char *path, const char *body, char **after,
                      json_t **ret)
{
    struct client_answer answer;
    int r = client_ask(client, method, path, body, *after, &answer);
    int status = EXIT_DONE;

    free(*after);
    *after = NULL;
    if (r != 0)
        return client_complain(client, options, r);
    if (answer.status != 200) {
        status = client_refused(options, &answer);
    } else {
        *ret = json_loads(answer.body, JSON_DECODE_ANY, NULL);
        if (answer.continuation)
            *after = strdup(answer.continuation);
        if (!*ret)
            status = client_complain(client, options, COMMAND_E_BROKEN);
    }
    client_answer_deinit(&answer);
    return status;
}

int fetch(const struct client *client, const struct options *options, const char *method,
          const char *path, const char *body, json_t **ret)
{
    char *after = NULL;
    int status = fetch_page(client, options, method, path, body, &after, ret);

    free(after);
    return status;
}

int fetch_list(const struct client *client, const struct options *options, const char *method,
               const char *path, const char *body, json_t **ret)
{
    json_t *list = json_array();
    char *after = NULL;
    int status = EXIT_DONE;

    for (size_t page = 0; page < PAGES_MOST; page++) {
        json_t *rows = NULL;

        status = fetch_page(client, options, method, path, body, &after, &rows);
        if (status == EXIT_DONE)
            json_array_extend(list, rows);
        json_decref(rows);
        if (status != EXIT_DONE || !after)
            break;
    }
    free(after);
    if (status == EXIT_DONE)
        *ret = list;
    else
        json_decref(list);
    return status;
}

int fetch_query(const struct client *client, const struct options *options, const char *query,
                json_t **ret)
{
    json_t *body = json_pack("{s:s}", "query", query);
    char *text = body ? json_text(body) : NULL;
    int status = EXIT_WRONG;

    if (text)
        status = fetch_list(client, options, "POST", "/devices/query", text, ret);
    else
        complain(options, "the query is not UTF-8");
    free(text);
    json_decref(body);
    return status;
}

void print_json(json_t *json)
{
    char *text = json ? json_text(json) : NULL;

    puts(text ? text : "null");
    free(text);
    json_decref(json);
}
