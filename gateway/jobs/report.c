#include "jobs/report.h"

#include <stdlib.h>

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
