#include "jobs/report.h"

#include <stdlib.h>
#include <string.h>

void report_free(struct report *report)
{
    if (!report)
        return;
    origin_deinit(&report->origin);
    free(report->job_id);
    free(report->device_id);
    free(report->method);
    free(report->request_id);
    json_decref(report->hub_acks);
    free(report->body);
    free(report);
}

bool report_must_arrive(const struct report *report)
{
    if (report->kind == REPORT_ANSWER)
        return report->answers == REQUEST_CALL && report->job_id;
    return (report->kind == REPORT_OUTCOME || report->kind == REPORT_SHARE) &&
           report->number > 0;
}

void delivery_free(struct delivery *delivery)
{
    if (!delivery)
        return;
    free(delivery->job_id);
    free(delivery->device_id);
    free(delivery);
}

struct delivery *delivery_of(const struct report *report)
{
    struct delivery *delivery = calloc(1, sizeof(*delivery));

    if (!delivery)
        return NULL;
    *delivery =
        (struct delivery){.kind = report->kind,
                          .number = report->number,
                          .job_id = strdup(report->job_id),
                          .device_id = report->device_id ? strdup(report->device_id) : NULL};
    if (delivery->job_id && (delivery->device_id || !report->device_id))
        return delivery;
    delivery_free(delivery);
    return NULL;
}
