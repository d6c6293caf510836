#include "commands/direct.h"
#include "gateway.h"
#include "site/problems.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A person waits at the prompt and ends it with Ctrl-C: the call's own time must not. */
enum { DIRECT_TIMEOUT_S = 3600 };

struct direct {
    struct gateway *gateway;
    struct direct_answer *answer;
    bool answered, down;
};

static void on_report(void *ctx, const struct report *report)
{
    struct direct *direct = ctx;

    if (report->kind != REPORT_ANSWER || direct->answered)
        return;
    direct->answered = true;
    direct->answer->status = report->status;
    direct->answer->body = strdup(report->body);
    if (direct->gateway)
        gateway_stop(direct->gateway);
}

static void on_line_state(void *ctx, size_t line, bool up, const char *why)
{
    struct direct *direct = ctx;

    (void)line;
    if (up)
        return;
    direct->down = true;
    snprintf(direct->answer->why, sizeof(direct->answer->why), "%s", why);
}

static int run_on(const struct site *site, size_t device, struct request *request,
                  struct direct_answer *answer)
{
    struct direct direct = {.answer = answer};
    size_t line = site->devices[device].line;
    struct gateway_settings settings = {.site = site,
                                        .only_line = line,
                                        .report = on_report,
                                        .line_state = on_line_state,
                                        .ctx = &direct};
    int r = gateway_open(&direct.gateway, &settings, answer->why, sizeof(answer->why));

    if (r < 0) {
        request_free(request);
        return r;
    }
    snprintf(answer->line, sizeof(answer->line), "%s", site->lines[line].name);
    gateway_request(direct.gateway, request);
    if (!direct.answered)
        gateway_run(direct.gateway);
    gateway_close(direct.gateway);
    if (!direct.answered)
        return -EINTR;
    return direct.down && answer->status == code_status(CODE_LINE_DOWN) ? DIRECT_E_LINE : 0;
}

int direct_run(const struct site_source *source, struct request *request,
               struct direct_answer *answer)
{
    struct problems problems = {0};
    struct site *site = NULL;
    int r;

    *answer = (struct direct_answer){0};
    request->origin.link = LINK_COMMAND;
    request->timeout_s = DIRECT_TIMEOUT_S;
    r = site_load(&site, source, &problems);
    if (r != 0) {
        problems_print(&problems, stderr);
        problems_deinit(&problems);
        request_free(request);
        return r < 0 ? r : DIRECT_E_SITE;
    }
    problems_deinit(&problems);
    size_t device = site_device(site, request->device_id);
    if (device == SITE_NONE) {
        answer->status = code_status(CODE_UNKNOWN_DEVICE);
        if (asprintf(&answer->body,
                     "{\"error\":{\"code\":\"UnknownDevice\",\"description\":\"no device %s in "
                     "%s\"}}",
                     request->device_id, site->file) < 0)
            answer->body = NULL;
        request_free(request);
        site_free(site);
        return answer->body ? 0 : -ENOMEM;
    }
    r = run_on(site, device, request, answer);
    site_free(site);
    return r;
}
