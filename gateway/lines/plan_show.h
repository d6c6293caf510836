/* Shows a plan for one device: in words and frames for people, or as JSON. */
#ifndef JOBGATE_LINES_PLAN_SHOW_H
#define JOBGATE_LINES_PLAN_SHOW_H

#include "lines/plan.h"

#include <stdio.h>

struct plan_view {
    const struct site *site;
    const struct device *device;
    const struct plan *plan;
};

void plan_show(const struct plan_view *view, FILE *to);
json_t *plan_show_json(const struct plan_view *view); /* NULL: no memory */

#endif
