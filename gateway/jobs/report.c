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
    free(delivery);
}

struct delivery *delivery_of(const struct report *report)
{
    size_t job_size = strlen(report->job_id) + 1;
    size_t device_size = report->device_id ? strlen(report->device_id) + 1 : 0;
    struct delivery *delivery = malloc(sizeof(*delivery) + job_size + device_size);

    if (!delivery)
        return NULL;
    *delivery = (struct delivery){.kind = report->kind, .number = report->number};
    delivery->job_id = memcpy(delivery->ids, report->job_id, job_size);
    if (report->device_id)
        delivery->device_id = memcpy(delivery->ids + job_size, report->device_id, device_size);
    return delivery;
}
