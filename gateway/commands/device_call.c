#include "commands/device_call.h"
#include "base/log.h"
#include "commands/client.h"
#include "commands/commands.h"
#include "commands/direct.h"
#include "commands/hint.h"
#include "commands/payload.h"
#include "site/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_S = 30 };

json_t *value_of_text(const char *text)
{
    struct refusal refusal;
    json_t *value;

    if (*text && request_read_json(&value, text, strlen(text), &refusal) == 0)
        return value;
    return json_string(text);
}

static const char *route_of(enum action_kind kind)
{
    switch (kind) {
    case ACTION_METHOD:
        return "/twins/%s/methods";
    case ACTION_READ:
        return "/jobgate/v1/devices/%s/read";
    case ACTION_WRITE:
        return "/jobgate/v1/devices/%s/write";
    case ACTION_PATCH:
        break;
    }
    return NULL;
}

static char *body_of(const struct device_call *call)
{
    const struct action *action = &call->action;
    unsigned timeout_s = call->timeout_s ? call->timeout_s : CALL_S;
    json_t *body = NULL;
    char *text;

    switch (action->kind) {
    case ACTION_METHOD:
        body = json_pack("{s:s,s:O?,s:i}", "methodName", action->method, "payload",
                         action->arguments, "responseTimeoutInSeconds", (int)timeout_s);
        break;
    case ACTION_READ:
        body = json_pack("{s:O}", "points", action->arguments);
        break;
    case ACTION_WRITE:
        body = json_incref(action->arguments);
        break;
    case ACTION_PATCH:
        break;
    }
    text = body ? json_text(body) : NULL;
    json_decref(body);
    return text;
}

static int exit_of(int status, const char *code)
{
    if (status < 400)
        return EXIT_DONE;
    if (code && strcmp(code, code_name(CODE_LINE_DOWN)) == 0)
        return EXIT_UNREACHABLE;
    if (code && strcmp(code, code_name(CODE_UNKNOWN_DEVICE)) == 0)
        return EXIT_WRONG; /* as where a gateway knows of no such device */
    return EXIT_FAILED;
}

static void say_error(const struct options *options, const struct device_call *call, int status,
                      const char *code, const json_t *payload)
{
    const char *why = payload_error(payload), *hint = hint_of(code, why);

    complain(options, "%s: %s: %s (status %d)", call->device_id, code ? code : "failed",
             why ? why : "the request failed", status);
    if (hint)
        complain(options, "hint: %s", hint);
}

/* `answer` is {"status","payload"}. */
static int show(const struct options *options, const struct device_call *call, json_t *answer)
{
    struct terminal terminal = terminal_of(stdout);
    int status = (int)json_integer_value(json_object_get(answer, "status"));
    const json_t *payload = json_object_get(answer, "payload");
    const char *code =
        json_string_value(json_object_get(json_object_get(payload, "error"), "code"));
    char *text;

    if (options->json) {
        text = json_text(answer);
        puts(text ? text : "");
        free(text);
    } else {
        payload_print(payload, &terminal);
        if (status >= 400)
            say_error(options, call, status, code, payload);
    }
    return exit_of(status, code);
}

static int no_memory(const struct options *options)
{
    complain(options, "no memory");
    return EXIT_UNREACHABLE;
}

/* Ownership of the action goes into the request. */
static struct request *request_of(struct device_call *call)
{
    struct request *request = request_new(REQUEST_CALL, LINK_COMMAND);

    if (!request)
        return NULL;
    request->device_id = strdup(call->device_id);
    request->timeout_s = call->timeout_s ? call->timeout_s : CALL_S;
    request->action = call->action;
    call->action = (struct action){.kind = call->action.kind};
    if (request->device_id)
        return request;
    request_free(request);
    return NULL;
}

static int show_direct(const struct options *options, const struct device_call *call,
                       struct direct_answer *direct)
{
    json_t *payload = json_loads(direct->body ? direct->body : "null", JSON_DECODE_ANY, NULL);
    json_t *answer = json_pack("{s:i,s:o}", "status", direct->status, "payload",
                               payload ? payload : json_null());
    int status = answer ? show(options, call, answer) : no_memory(options);

    json_decref(answer);
    return status;
}

static int run_direct(const struct options *options, struct device_call *call,
                      const struct client *client)
{
    struct site_source source = {.config = options->config};
    struct direct_answer answer = {0};
    struct request *request = request_of(call);
    int status = EXIT_UNREACHABLE;
    int r;

    if (!request)
        return no_memory(options);
    complain(options, "no gateway answers on %s; opening the line itself", client->path);
    log_open(LOG_LEVEL_WARNING); /* a line that goes up is nobody's news here */
    r = direct_run(&source, request, &answer);
    if (r == 0)
        status = show_direct(options, call, &answer);
    else if (r == DIRECT_E_SITE)
        status = EXIT_WRONG;
    else
        complain(options, "%s", r == DIRECT_E_LINE ? answer.why : strerror(-r));
    free(answer.body);
    return status;
}

static int show_answer(const struct options *options, const struct device_call *call,
                       const struct client_answer *answer)
{
    json_t *json;
    int status;

    if (answer->status != 200)
        return client_refused(options, answer);
    json = json_loads(answer->body, 0, NULL);
    status = json ? show(options, call, json) : EXIT_UNREACHABLE;
    if (!json)
        complain(options, "the gateway's answer is no JSON");
    json_decref(json);
    return status;
}

static int run(const struct options *options, struct device_call *call)
{
    struct client_answer answer = {0};
    struct client client;
    char path[300];
    char *body;
    int status, r;

    if (!id_is_device(call->device_id)) {
        complain(options, "\"%s\" is no device id", call->device_id);
        return EXIT_WRONG;
    }
    r = client_init(&client, options);
    if (r != 0)
        return client_complain(&client, options, r);
    snprintf(path, sizeof(path), route_of(call->action.kind), call->device_id);
    body = body_of(call);
    if (!body)
        return no_memory(options);
    r = client_ask(&client, "POST", path, body, NULL, &answer);
    free(body);
    /* A socket that was asked for by name is meant: no other road instead. */
    if (r == COMMAND_E_NO_GATEWAY && !options->socket)
        return run_direct(options, call, &client);
    status =
        r == 0 ? show_answer(options, call, &answer) : client_complain(&client, options, r);
    client_answer_deinit(&answer);
    return status;
}

int device_call_run(const struct options *options, struct device_call *call)
{
    int status = run(options, call);

    action_deinit(&call->action);
    return status;
}
