/*
 * Errors as the hub's clients read them: two strings, the first "ErrorCode:NAME;text", split
 * by them at the semicolons, so none may stand in the text; and a header with the name.
 */
#include "base/text.h"
#include "jobs/timetext.h"
#include "links/api_internal.h"
#include "site/value.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TEXT_MOST = 600 };

struct hub_error {
    int status;
    const char *code;
};

/* Ours in the hub's words, where the request never reached a device. */
static struct hub_error hub_error(enum code code)
{
    switch ((unsigned)code) {
    case CODE_UNKNOWN_DEVICE:
        return (struct hub_error){404, "DeviceNotFound"};
    case CODE_JOB_NOT_FOUND:
        return (struct hub_error){404, "JobNotFound"};
    case CODE_JOB_ENDED:
        return (struct hub_error){405, "OperationNotAllowedInCurrentState"};
    case CODE_JOB_ID_IN_USE:
        return (struct hub_error){409, "JobAlreadyExists"};
    case CODE_FORBIDDEN:
        return (struct hub_error){403, "IotHubForbidden"};
    case CODE_QUEUE_FULL:
        return (struct hub_error){429, "ThrottlingMaxActiveJobCountExceeded"};
    case CODE_STORE_UNAVAILABLE:
        return (struct hub_error){503, "ServiceUnavailable"};
    default:
        return (struct hub_error){400, "ArgumentInvalid"};
    }
}

static void tracking_id(struct api *api, char *text, size_t size)
{
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm utc;
    char stamp[32];

    gmtime_r(&now, &utc);
    if (strftime(stamp, sizeof(stamp), "%m/%d/%Y %H:%M:%S", &utc) == 0)
        stamp[0] = '\0';
    snprintf(text, size, "Tracking ID:%016" PRIx64 "%08" PRIx64 "-TimeStamp:%s", api->tracking,
             ++api->errors, stamp);
}

static json_t *error_json(struct api *api, const char *message)
{
    char tracking[96];

    tracking_id(api, tracking, sizeof(tracking));
    return json_pack("{s:s,s:s}", "Message", message, "ExceptionMessage", tracking);
}

static void send_error(struct exchange *exchange, int status, const char *code,
                       const char *message)
{
    exchange_header(exchange, "iothub-errorcode", code);
    if (status == 429 || status == 503)
        exchange_header(exchange, "Retry-After", "10");
    exchange_send_json(exchange, status, error_json(exchange->api, message));
}

char *api_error_body(struct api *api, const char *code, const char *text)
{
    char message[TEXT_MOST + 100];
    json_t *json;
    char *body;

    snprintf(message, sizeof(message), "ErrorCode:%s;%s", code, text);
    json = error_json(api, message);
    body = json ? json_text(json) : NULL;
    json_decref(json);
    return body;
}

/* See above; and text that was cut may end inside a character. */
static void tidy(char *text)
{
    for (char *each = text; *each; each++)
        if (*each == ';')
            *each = ',';
    text_clip(text);
    text_make_printable(text);
}

void exchange_refuse(struct exchange *exchange, int status, const char *code,
                     const char *format, ...)
{
    char text[TEXT_MOST], message[TEXT_MOST + 100];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    tidy(text);
    snprintf(message, sizeof(message), "ErrorCode:%s;%s", code, text);
    send_error(exchange, status, code, message);
}

void exchange_refuse_code(struct exchange *exchange, enum code code, const char *text)
{
    struct hub_error error = hub_error(code);

    exchange_refuse(exchange, error.status, error.code, "%s", text);
}

/* Nothing that needs memory: the exchange ends with its status alone. */
void exchange_refuse_memory(struct exchange *exchange)
{
    exchange_send_text(exchange, 503,
                       "{\"Message\":\"ErrorCode:ServiceUnavailable;the gateway "
                       "has no memory left\",\"ExceptionMessage\":\"\"}");
}

void exchange_refuse_call(struct exchange *exchange, int status, unsigned number,
                          const char *code, const char *text)
{
    char tracking[96], stamp[TIMETEXT_SIZE];
    json_t *inner;
    char *message;

    tracking_id(exchange->api, tracking, sizeof(tracking));
    timetext_format(stamp, clock_wall_ms());
    inner = json_pack("{s:i,s:s,s:s,s:{},s:s}", "errorCode", (int)number, "trackingId",
                      tracking + strlen("Tracking ID:"), "message", text, "info",
                      "timestampUtc", stamp);
    message = inner ? json_text(inner) : NULL;
    json_decref(inner);
    if (message)
        send_error(exchange, status, code, message);
    else
        exchange_refuse_memory(exchange);
    free(message);
}
