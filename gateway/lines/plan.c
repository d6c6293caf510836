#include "lines/plan_build.h"

#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void action_deinit(struct action *action)
{
    free(action->method);
    json_decref(action->arguments);
    json_decref(action->tags);
    *action = (struct action){.kind = action->kind};
}

int build_refuse(struct build *build, int status, const char *code, const char *format, ...)
{
    va_list args;

    build->error->status = status;
    build->error->code = code;
    va_start(args, format);
    vsnprintf(build->error->text, sizeof(build->error->text), format, args);
    va_end(args);
    text_clip(build->error->text);
    return PLAN_E_REFUSED;
}

int build_unknown_point(struct build *build, const char *name)
{
    struct names names = {.count = 0};
    char advice[120];

    for (size_t i = 0; i < build->profile->point_count; i++)
        names_add(&names, build->profile->points[i].name);
    return build_refuse(build, 404, "UnknownPoint", "%s has no point \"%.50s\"; %s",
                        build->profile->name, name,
                        names_advice(&names, name, advice, sizeof(advice)));
}

struct plan_step *build_step(struct build *build, enum plan_step_kind kind, size_t method_step)
{
    struct plan *plan = build->plan;
    struct plan_step *steps =
        reallocarray(plan->steps, plan->step_count + 1, sizeof(*plan->steps));

    if (!steps)
        return NULL;
    plan->steps = steps;
    struct plan_step *step = &steps[plan->step_count++];
    *step = (struct plan_step){.kind = kind, .method_step = method_step, .repeatable = true};
    return step;
}

int build_result(struct build *build, size_t point, size_t *ret)
{
    struct plan *plan = build->plan;

    for (size_t i = 0; i < plan->result_count; i++) {
        if (plan->results[i].point == point) {
            *ret = i;
            return 0;
        }
    }
    struct plan_result *results =
        reallocarray(plan->results, plan->result_count + 1, sizeof(*plan->results));
    if (!results)
        return -ENOMEM;
    plan->results = results;
    results[plan->result_count].point = point;
    *ret = plan->result_count++;
    return 0;
}

int build_read(struct build *build, size_t point, size_t *ret)
{
    struct plan *plan = build->plan;

    for (size_t i = 0; i < plan->read_count; i++) {
        if (plan->reads[i] == point) {
            *ret = i;
            return 0;
        }
    }
    size_t *reads = reallocarray(plan->reads, plan->read_count + 1, sizeof(*plan->reads));
    if (!reads)
        return -ENOMEM;
    plan->reads = reads;
    reads[plan->read_count] = point;
    *ret = plan->read_count++;
    return 0;
}

/* The points to read: those named, or every readable one. */
static int read_points(struct build *build, size_t *points, size_t *count)
{
    const struct profile *profile = build->profile;
    const json_t *names = build->action->arguments;

    *count = 0;
    if (json_array_size(names) == 0) {
        for (size_t i = 0; i < profile->point_count; i++) {
            if (profile->points[i].readable)
                points[(*count)++] = i;
        }
        return 0;
    }
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (!name)
            return build_refuse(build, 400, "BadRequest", "points to read are given by name");
        size_t point = profile_point(profile, name);
        if (point == SITE_NONE)
            return build_unknown_point(build, name);
        if (!profile->points[point].readable)
            return build_refuse(build, 405, "NotReadable", "%s cannot be read", name);
        points[(*count)++] = point;
    }
    return 0;
}

static int read_all(struct build *build)
{
    const json_t *names = build->action->arguments;
    size_t count;

    if (names && !json_is_array(names) && !json_is_null(names))
        return build_refuse(build, 400, "BadRequest", "points to read are a list of names");
    size_t *points =
        calloc(build->profile->point_count + json_array_size(names) + 1, sizeof(*points));
    if (!points)
        return -ENOMEM;
    int r = read_points(build, points, &count);
    if (r == 0)
        r = build_reads(build, PLAN_READ, 0, points, count);
    free(points);
    return r;
}

static int build_action(struct build *build)
{
    switch (build->action->kind) {
    case ACTION_METHOD:
        return build_method(build);
    case ACTION_PATCH:
        return build_patch(build);
    case ACTION_READ:
        return read_all(build);
    case ACTION_WRITE:
        return build_write(build);
    }
    return build_refuse(build, 400, "BadRequest", "no such action");
}

/* What follows from the steps. */
static void sum_up(struct plan *plan)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct plan_step *step = &plan->steps[i];
        plan->triggers |= step->kind == PLAN_WRITE && step->class != CLASS_STATE;
        plan->waits_us += INT64_C(1000) * step->wait_ms;
        if (step->verify)
            plan->waits_us += INT64_C(1000) * step->settle_ms;
    }
}

int plan_new(struct plan **ret, const struct site *site, size_t profile,
             const struct action *action, struct plan_error *error)
{
    struct plan *plan = calloc(1, sizeof(*plan));

    assert(profile < site->profile_count);
    if (!plan)
        return -ENOMEM;
    plan->profile = profile;
    plan->kind = action->kind;
    plan->repeatable = true;
    struct build build = {&site->profiles[profile], action, plan, error};
    int r = build_action(&build);
    if (r != 0) {
        plan_free(plan);
        return r;
    }
    sum_up(plan);
    *ret = plan;
    return 0;
}

void plan_step_deinit(struct plan_step *step)
{
    for (size_t i = 0; i < step->item_count; i++)
        free(step->items[i].words);
    free(step->items);
    step->items = NULL;
    step->item_count = 0;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->step_count; i++)
        plan_step_deinit(&plan->steps[i]);
    for (size_t i = 0; i < plan->refusal_count; i++) {
        free(plan->refusals[i].name);
        free(plan->refusals[i].text);
    }
    for (size_t i = 0; i < plan->removed_count; i++)
        free(plan->removed[i]);
    free(plan->steps);
    free(plan->results);
    free(plan->reads);
    free(plan->refusals);
    free(plan->removed);
    free(plan);
}

int plan_step_split(struct plan_step *ret, const struct site *site, const struct plan *plan,
                    size_t step, size_t item)
{
    const struct profile *profile = &site->profiles[plan->profile];
    const struct plan_step *whole = &plan->steps[step];
    const struct plan_item *from = &whole->items[item];
    struct plan_step part = *whole;
    int r;

    assert(item < whole->item_count);
    part.items = NULL;
    part.item_count = 0;
    if (whole->kind == PLAN_WRITE && whole->item_count > 1) {
        struct want want = {from->point,  whole->method_step, from->result,
                            whole->class, whole->repeatable,  {0}};
        memcpy(want.words, from->words, from->count * sizeof(*from->words));
        r = step_write(&part, profile, &want, 1);
    } else {
        r = step_read(&part, profile, from->point, from->words);
        if (r == 0 && whole->item_count == 1) /* alone already: the same frame */
            part.operation = whole->operation;
    }
    if (r != 0)
        return r;
    part.items[0].result = from->result;
    *ret = part;
    return 0;
}
