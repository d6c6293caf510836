/*
 * Can the steps of a method be taken? Access, constants and defaults, what restore needs.
 */
#include "site/config.h"
#include "site/value.h"

#include <string.h>

static void check_constant(struct reader *reader, const struct step *step,
                           const struct point *point, const char *key, const json_t *value)
{
    uint16_t words[ADAPTER_WORDS_MAX];
    struct value_error error;

    if (value && value_encode(point, value, words, &error) != 0)
        report(reader, step->place,
               "%s does not fit the point: %s; correct the %s, or the point", key, error.text,
               key);
}

static void need_readable(struct reader *reader, const struct step *step,
                          const struct point *point, const char *what)
{
    if (!point->readable)
        report(reader, step->place,
               "%s \"%s\", which is write-only; write access = \"rw\" if it can be read", what,
               point->name);
}

static void need_writable(struct reader *reader, const struct step *step,
                          const struct point *point, const char *what)
{
    if (!point->writable)
        report(reader, step->place, "%s \"%s\", which is read-only; %s", what, point->name,
               point->table == TABLE_INPUT || point->table == TABLE_DISCRETE
                   ? "take a holding register or coil"
                   : "write access = \"rw\" if it can be written");
}

static void check_expectation(struct reader *reader, const struct step *step,
                              const struct point *point)
{
    struct point free_point = *point;

    if ((step->has_min || step->has_max) &&
        (point->value_count || point->type == POINT_STRING || point->type == POINT_BOOL))
        report(reader, step->place,
               "min and max are for numbers, \"%s\" is none; write value = "
               "...",
               point->name);
    /* What may be written is limited; what a device may show is not. */
    free_point.has_min = free_point.has_max = false;
    if (point->value_count && json_is_number(step->value)) {
        free_point.values = NULL;
        free_point.value_count = 0;
    }
    check_constant(reader, step, &free_point, "value", step->value);
}

static void check_step(struct reader *reader, const struct profile *profile,
                       const struct step *step)
{
    const struct point *point = step->point == SITE_NONE ? NULL : &profile->points[step->point];

    for (size_t i = 0; i < step->point_count; i++)
        need_readable(reader, step, &profile->points[step->points[i]], "reads");
    if (!point)
        return;
    switch (step->kind) {
    case STEP_WRITE:
    case STEP_PULSE:
        need_writable(reader, step, point, step->kind == STEP_PULSE ? "pulses" : "writes");
        if (step->kind == STEP_PULSE && !point->readable)
            report(
                reader, step->place,
                "pulses \"%s\", which cannot be read, so that the value before is not known; "
                "write it by two write steps with a wait between",
                point->name);
        check_constant(reader, step, point, "value", step->value);
        check_constant(reader, step, point, "default", step->fallback);
        return;
    case STEP_EXPECT:
        need_readable(reader, step, point, "expects a value of");
        check_expectation(reader, step, point);
        return;
    case STEP_WAIT:
    case STEP_READ:
        return;
    }
}

/* An argument may serve several steps; then they must agree on its default. */
static void check_argument(struct reader *reader, const struct method *method, size_t index)
{
    const struct step *step = &method->steps[index];

    for (size_t i = 0; step->arg && i < index; i++) {
        const struct step *other = &method->steps[i];

        if (!other->arg || strcmp(other->arg, step->arg) != 0)
            continue;
        if (!step->fallback != !other->fallback ||
            (step->fallback && !json_equal(step->fallback, other->fallback)))
            report(reader, step->place,
                   "arg \"%s\" has another default in line %u; write the same one in both",
                   step->arg, other->place.line);
        return;
    }
}

static void check_restore(struct reader *reader, const struct profile *profile,
                          const struct method *method)
{
    for (size_t i = 0; i < method->step_count; i++) {
        const struct step *step = &method->steps[i];

        if (step->kind == STEP_WRITE && step->point != SITE_NONE &&
            !profile->points[step->point].readable)
            report(
                reader, step->place,
                "on_failure = \"restore\" needs the value before, but \"%s\" cannot be read; "
                "write on_failure = \"stop\"",
                profile->points[step->point].name);
    }
}

static void check_repeatable(struct reader *reader, const struct profile *profile,
                             const struct method *method)
{
    for (size_t i = 0; i < method->step_count; i++) {
        const struct step *step = &method->steps[i];

        if (step->kind == STEP_WRITE && step->point != SITE_NONE &&
            !profile->points[step->point].readable)
            warn(reader, step->place,
                 "repeatable = true, but \"%s\" is write-only: after a time-out it is sent "
                 "again "
                 "though it may have been obeyed; write repeatable = false if that does harm",
                 profile->points[step->point].name);
    }
}

void check_method(struct reader *reader, const struct profile *profile,
                  const struct method *method, bool said)
{
    for (size_t i = 0; i < method->step_count; i++) {
        const struct step *step = &method->steps[i];

        reader_about(reader, "method \"%.60s\", step %zu: ", method->name, i + 1);
        check_step(reader, profile, step);
        check_argument(reader, method, i);
    }
    reader_about(reader, "method \"%.60s\": ", method->name);
    if (method->restore)
        check_restore(reader, profile, method);
    if (said && method->repeatable)
        check_repeatable(reader, profile, method);
}
