#include "lines/plan_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- arguments --- */

static bool takes(const struct method *method, const char *name)
{
    for (size_t i = 0; i < method->step_count; i++) {
        if (method->steps[i].arg && strcmp(method->steps[i].arg, name) == 0)
            return true;
    }
    return false;
}

/* The first step that uses the argument named by this one, too? */
static bool is_first_use(const struct method *method, size_t step)
{
    for (size_t i = 0; i < step; i++) {
        if (method->steps[i].arg && strcmp(method->steps[i].arg, method->steps[step].arg) == 0)
            return false;
    }
    return true;
}

static bool must_be_given(const struct method *method, const char *name)
{
    for (size_t i = 0; i < method->step_count; i++) {
        const struct step *step = &method->steps[i];
        if (step->arg && !step->fallback && strcmp(step->arg, name) == 0)
            return true;
    }
    return false;
}

/* The arguments that have no default; `only` is the last one's name. */
static size_t needed_arguments(const struct method *method, const char **only)
{
    size_t count = 0;

    for (size_t i = 0; i < method->step_count; i++) {
        const char *name = method->steps[i].arg;
        if (name && is_first_use(method, i) && must_be_given(method, name)) {
            *only = name;
            count++;
        }
    }
    return count;
}

/* "setpoint, mode", or "no arguments" */
static void list_arguments(const struct method *method, char *text, size_t size)
{
    size_t used = 0;

    snprintf(text, size, "no arguments");
    for (size_t i = 0; i < method->step_count && used < size - 1; i++) {
        if (!method->steps[i].arg || !is_first_use(method, i))
            continue;
        int n =
            snprintf(text + used, size - used, "%s%s", used ? ", " : "", method->steps[i].arg);
        used += n > 0 ? (size_t)n : 0;
    }
}

static int check_names(struct build *build, const struct method *method, json_t *given)
{
    const char *name;
    json_t *value;
    char all[120];

    list_arguments(method, all, sizeof(all));
    json_object_foreach(given, name, value)
    {
        if (!takes(method, name))
            return build_refuse(build, 400, "BadRequest",
                                "%s has no argument \"%.40s\"; it takes %s", method->name, name,
                                all);
    }
    for (size_t i = 0; i < method->step_count; i++) {
        name = method->steps[i].arg;
        if (name && must_be_given(method, name) && !json_object_get(given, name))
            return build_refuse(build, 400, "BadRequest",
                                "%s: argument %s is missing; it takes %s", method->name, name,
                                all);
    }
    return 0;
}

/* The payload as an object of arguments: a new reference. */
static int read_arguments(struct build *build, const struct method *method, json_t **ret)
{
    json_t *payload = build->action->arguments, *given;
    const char *only = NULL;
    char all[120];

    if (!payload || json_is_null(payload)) {
        given = json_object();
    } else if (json_is_object(payload)) {
        given = json_incref(payload);
    } else if (!json_is_array(payload) && needed_arguments(method, &only) == 1) {
        given = json_object();
        if (given && json_object_set(given, only, payload) != 0) {
            json_decref(given);
            given = NULL;
        }
    } else {
        list_arguments(method, all, sizeof(all));
        return build_refuse(build, 400, "BadRequest",
                            "%s wants its arguments as an object; it takes %s", method->name,
                            all);
    }
    if (!given)
        return -ENOMEM;
    int r = check_names(build, method, given);
    if (r != 0) {
        json_decref(given);
        return r;
    }
    *ret = given;
    return 0;
}

/* --- steps --- */

/* A method while its steps are gone through; `wants` are the writes since the last step of
   another kind. */
struct run_through {
    struct build *build;
    const struct method *method;
    json_t *given;
    struct want *wants;
    size_t count;
};

static int want_step(struct run_through *run, size_t index, struct want *want)
{
    const struct step *step = &run->method->steps[index];
    const struct point *point = &run->build->profile->points[step->point];
    const json_t *value = step->value;
    struct value_error error;

    if (step->arg) {
        value = json_object_get(run->given, step->arg);
        value = value ? value : step->fallback;
    }
    if (!point->writable)
        return build_refuse(run->build, 405, "NotWritable", "%s cannot be written",
                            point->name);
    int r = want_set(want, run->build->profile, step->point, value, &error);
    if (r > 0 && step->arg && strcmp(step->arg, point->name) != 0)
        return build_refuse(run->build, 400, value_error_code(r), "argument %s: %s", step->arg,
                            error.text);
    if (r > 0)
        return build_refuse(run->build, 400, value_error_code(r), "%s", error.text);
    want->method_step = index;
    want->repeatable = run->method->repeatable;
    if (run->method->once)
        want->class = CLASS_TRIGGER;
    return build_result(run->build, step->point, &want->result);
}

static int flush_writes(struct run_through *run)
{
    size_t count = run->count;

    run->count = 0;
    return build_writes(run->build, run->wants, count);
}

static int add_wait(struct build *build, size_t index, uint32_t wait_ms)
{
    struct plan_step *step = build_step(build, PLAN_WAIT, index);
    if (!step)
        return -ENOMEM;
    step->wait_ms = wait_ms;
    return 0;
}

/* Read, write, wait, write back what was read. */
static int add_pulse(struct run_through *run, size_t index)
{
    const struct step *step = &run->method->steps[index];
    const struct profile *profile = run->build->profile;
    const struct point *point = &profile->points[step->point];
    struct want want;

    if (!point->readable)
        return build_refuse(run->build, 405, "NotReadable",
                            "%s cannot be read, so a pulse could not give it back",
                            point->name);
    int r = want_step(run, index, &want);
    if (r != 0)
        return r;
    want.class = CLASS_PULSE;

    size_t before = run->build->plan->step_count;
    struct plan_step *add = build_step(run->build, PLAN_BEFORE, index);
    if (!add || step_read(add, profile, step->point, NULL) != 0)
        return -ENOMEM;
    add = build_step(run->build, PLAN_WRITE, index);
    if (!add || step_write(add, profile, &want, 1) != 0)
        return -ENOMEM;
    add->before_step = before;
    if (add_wait(run->build, index, step->duration_ms) != 0)
        return -ENOMEM;
    memset(want.words, 0, sizeof(want.words)); /* known when the step before has been read */
    add = build_step(run->build, PLAN_RETURN, index);
    if (!add || step_write(add, profile, &want, 1) != 0)
        return -ENOMEM;
    add->kind = PLAN_RETURN;
    add->before_step = before;
    return 0;
}

static int add_expect(struct run_through *run, size_t index)
{
    const struct step *from = &run->method->steps[index];
    const struct point *point = &run->build->profile->points[from->point];
    uint16_t words[ADAPTER_WORDS_MAX];
    struct value_error error;

    if (!point->readable)
        return build_refuse(run->build, 405, "NotReadable", "%s cannot be read", point->name);
    if (from->value && value_encode(point, from->value, words, &error) != 0)
        return build_refuse(run->build, 400, "OutOfRange", "expect %s", error.text);
    struct plan_step *step = build_step(run->build, PLAN_EXPECT, index);
    if (!step ||
        step_read(step, run->build->profile, from->point, from->value ? words : NULL) != 0)
        return -ENOMEM;
    if (from->value)
        memcpy(step->operation.words, words, point->count * sizeof(*words));
    step->has_value = from->value != NULL;
    step->has_min = from->has_min;
    step->has_max = from->has_max;
    step->min = from->min;
    step->max = from->max;
    step->within_ms = from->within_ms;
    step->every_ms = from->every_ms ? from->every_ms : 1000;
    return 0;
}

static int add_read(struct run_through *run, size_t index)
{
    const struct step *step = &run->method->steps[index];

    for (size_t i = 0; i < step->point_count; i++) {
        const struct point *point = &run->build->profile->points[step->points[i]];
        if (!point->readable)
            return build_refuse(run->build, 405, "NotReadable", "%s cannot be read",
                                point->name);
    }
    return build_reads(run->build, PLAN_READ, index, step->points, step->point_count);
}

static int add_step(struct run_through *run, size_t index)
{
    int r;

    if (run->method->steps[index].kind == STEP_WRITE)
        return want_step(run, index, &run->wants[run->count++]);
    r = flush_writes(run);
    if (r != 0)
        return r;
    switch (run->method->steps[index].kind) {
    case STEP_WRITE:
        break;
    case STEP_PULSE:
        return add_pulse(run, index);
    case STEP_WAIT:
        return add_wait(run->build, index, run->method->steps[index].duration_ms);
    case STEP_EXPECT:
        return add_expect(run, index);
    case STEP_READ:
        return add_read(run, index);
    }
    return 0;
}

/* on_failure = "restore": what the written states hold is read ahead of everything. */
static int add_before(struct build *build, const struct method *method)
{
    size_t *points = calloc(method->step_count + 1, sizeof(*points)), count = 0;
    if (!points)
        return -ENOMEM;
    for (size_t i = 0; i < method->step_count; i++) {
        const struct step *step = &method->steps[i];
        const struct point *point = &build->profile->points[step->point];
        if (step->kind == STEP_WRITE && point->readable && point->kind == POINT_STATE)
            points[count++] = step->point;
    }
    int r = build_reads(build, PLAN_BEFORE, 0, points, count);
    free(points);
    return r;
}

static int add_steps(struct run_through *run)
{
    const struct method *method = run->method;
    int r = method->restore ? add_before(run->build, method) : 0;

    for (size_t i = 0; r == 0 && i < method->step_count; i++)
        r = add_step(run, i);
    return r == 0 ? flush_writes(run) : r;
}

static int unknown_method(struct build *build, const char *name)
{
    struct names names = {.count = 0};
    char advice[120];

    for (size_t i = 0; i < build->profile->method_count; i++)
        names_add(&names, build->profile->methods[i].name);
    return build_refuse(build, 404, "UnknownMethod", "%s has no method \"%.50s\"; %s",
                        build->profile->name, name,
                        names_advice(&names, name, advice, sizeof(advice)));
}

int build_method(struct build *build)
{
    const char *name = build->action->method ? build->action->method : "";
    size_t index = profile_method(build->profile, name);

    if (index == SITE_NONE)
        return unknown_method(build, name);
    struct run_through run = {.build = build, .method = &build->profile->methods[index]};
    build->plan->repeatable = run.method->repeatable;
    build->plan->restore = run.method->restore;
    int r = read_arguments(build, run.method, &run.given);
    if (r != 0)
        return r;
    run.wants = calloc(run.method->step_count + 1, sizeof(*run.wants));
    r = run.wants ? add_steps(&run) : -ENOMEM;
    free(run.wants);
    json_decref(run.given);
    return r;
}
