/*
 * Methods: a named list of steps on the points of a profile.
 */
#include "site/config.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS_MOST = 200 };

struct seconds {
    uint32_t wait, seconds, within, every;
};

static const struct key method_keys[] = {
    {"title", KEY_TEXT, offsetof(struct method, title), 0, 0},
    {"repeatable", KEY_FLAG, offsetof(struct method, repeatable), 0, 0},
    {.name = "on_failure"},
    {.name = "steps"},
};

#define SECONDS(name)                                                                          \
    {                                                                                          \
#name, KEY_SECONDS_AS_MS, offsetof(struct seconds, name), 0, 86400                     \
    }

static const struct key write_keys[] = {
    {.name = "write"}, {.name = "value"}, {.name = "arg"}, {.name = "default"}};
static const struct key pulse_keys[] = {{.name = "pulse"},
                                        {.name = "value"},
                                        {.name = "arg"},
                                        {.name = "default"},
                                        SECONDS(seconds)};
static const struct key wait_keys[] = {SECONDS(wait)};
static const struct key expect_keys[] = {{.name = "expect"}, {.name = "value"}, {.name = "min"},
                                         {.name = "max"},    SECONDS(within),   SECONDS(every)};
static const struct key read_keys[] = {{.name = "read"}};

static const struct {
    const char *name;
    enum step_kind kind;
    const struct key *keys;
    size_t count;
} kinds[] = {
    {"write", STEP_WRITE, write_keys, COUNT_OF(write_keys)},
    {"pulse", STEP_PULSE, pulse_keys, COUNT_OF(pulse_keys)},
    {"wait", STEP_WAIT, wait_keys, COUNT_OF(wait_keys)},
    {"expect", STEP_EXPECT, expect_keys, COUNT_OF(expect_keys)},
    {"read", STEP_READ, read_keys, COUNT_OF(read_keys)},
};

static size_t find_point(struct reader *reader, const struct setting *setting,
                         const struct profile *profile)
{
    struct names names = {.count = 0};
    char advice[300];
    size_t point;

    if (!setting_is(reader, setting, SETTING_TEXT, "the name of a point, in quotes"))
        return SITE_NONE;
    point = profile_point(profile, setting->text);
    if (point != SITE_NONE)
        return point;
    for (size_t i = 0; i < profile->point_count; i++)
        names_add(&names, profile->points[i].name);
    report(reader, setting->place, "unknown point \"%.60s\"; %s", setting->text,
           names_advice(&names, setting->text, advice, sizeof(advice)));
    return SITE_NONE;
}

/* Points of a read step: one name, or several. */
static void read_list(struct reader *reader, const struct setting *setting,
                      const struct profile *profile, struct step *step)
{
    bool one = setting->kind == SETTING_TEXT;
    size_t count = one ? 1 : setting->count;

    if (!one && setting->kind != SETTING_LIST &&
        !setting_is(reader, setting, SETTING_ARRAY,
                    "an array such as [ \"setpoint\", \"mode\" ]"))
        return;
    if (count == 0 || count > 1000) {
        report(reader, setting->place, "read names %zu points; write 1 to 1000", count);
        return;
    }
    step->points = reader_items(reader, count, sizeof(*step->points));
    for (size_t i = 0; step->points && i < count; i++) {
        size_t point = find_point(reader, one ? setting : &setting->items[i], profile);

        if (point != SITE_NONE)
            step->points[step->point_count++] = point;
    }
}

static void read_value(struct reader *reader, const struct setting *group, struct step *step)
{
    const struct setting *value = setting_find(group, "value"),
                         *arg = setting_find(group, "arg");
    const struct setting *fallback = setting_find(group, "default");

    if (!value == !arg)
        report(reader, group->place, "%s; write value = ..., or arg = \"name\"",
               value ? "value and arg are both given" : "there is no value");
    if (fallback && !arg)
        report(reader, fallback->place,
               "default is the value of an arg that is not given; write "
               "arg = \"name\" too, or value instead of default");
    if (value)
        step->value = setting_json(reader, value, false);
    if (arg && setting_is(reader, arg, SETTING_TEXT, "the argument's name, in quotes")) {
        if (!id_is_good(arg->text, 64))
            report(reader, arg->place,
                   "arg is \"%.70s\"; it may hold A-Z a-z 0-9 . _ : - and at "
                   "most 64 of them",
                   arg->text);
        step->arg = reader_text(reader, arg->text);
    }
    if (fallback && arg)
        step->fallback = setting_json(reader, fallback, false);
}

static void read_expectation(struct reader *reader, const struct setting *group,
                             struct step *step)
{
    const struct setting *value = setting_find(group, "value");
    const struct setting *min = setting_find(group, "min"), *max = setting_find(group, "max");

    step->has_min = min && setting_number(reader, min, &step->min);
    step->has_max = max && setting_number(reader, max, &step->max);
    if (value && (min || max))
        report(reader, group->place,
               "value stands beside %s; expect one value, or a range with "
               "min and max",
               min ? "min" : "max");
    else if (!value && !min && !max)
        report(reader, group->place,
               "there is nothing to expect; write value = ..., or min and "
               "max");
    if (min && step->has_min && step->has_max && step->min > step->max)
        report(reader, min->place, "min %.15g is above max %.15g; exchange them", step->min,
               step->max);
    if (value)
        step->value = setting_json(reader, value, false);
}

static void read_one_step(struct reader *reader, const struct setting *group, size_t kind,
                          const struct profile *profile, struct step *step)
{
    const struct setting *subject = setting_find(group, kinds[kind].name);
    struct seconds seconds = {.within = 10000, .every = 1000};

    step->kind = kinds[kind].kind;
    group_read(reader, group, kinds[kind].keys, kinds[kind].count, &seconds);
    step->within_ms = seconds.within;
    step->every_ms = seconds.every;
    switch (step->kind) {
    case STEP_WRITE:
        step->point = find_point(reader, subject, profile);
        read_value(reader, group, step);
        return;
    case STEP_PULSE:
        step->point = find_point(reader, subject, profile);
        step->duration_ms = seconds.seconds;
        read_value(reader, group, step);
        if (!setting_find(group, "seconds"))
            report(reader, group->place,
                   "seconds is missing; a pulse needs its length, such as "
                   "seconds = 2.0");
        return;
    case STEP_WAIT:
        step->duration_ms = seconds.wait;
        return;
    case STEP_EXPECT:
        step->point = find_point(reader, subject, profile);
        read_expectation(reader, group, step);
        return;
    case STEP_READ:
        read_list(reader, subject, profile, step);
        return;
    }
}

static void say_no_action(struct reader *reader, const struct setting *group)
{
    const char *first = group->count ? group->items[0].name : NULL, *near;
    struct names names = {.count = 0};

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        names_add(&names, kinds[i].name);
    near = first ? names_near(&names, first) : NULL;
    if (near)
        report(reader, group->place, "a step without an action; \"%s\": did you mean \"%s\"?",
               first, near);
    else
        report(reader, group->place,
               "a step without an action; write one of write, pulse, wait, expect, read");
}

static void read_step(struct reader *reader, const struct setting *group,
                      const struct profile *profile, struct step *step)
{
    const size_t none = COUNT_OF(kinds);
    size_t kind = none;

    *step = (struct step){.point = SITE_NONE, .place = group->place};
    if (!setting_is(reader, group, SETTING_GROUP, "a group such as { write = \"setpoint\"; }"))
        return;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (!setting_find(group, kinds[i].name))
            continue;
        if (kind != none) {
            report(reader, group->place, "%s and %s in one step; make two steps of it",
                   kinds[kind].name, kinds[i].name);
            return;
        }
        kind = i;
    }
    if (kind == none)
        say_no_action(reader, group);
    else
        read_one_step(reader, group, kind, profile, step);
}

static void read_steps(struct reader *reader, const struct setting *list,
                       const struct profile *profile, struct method *method)
{
    if (!setting_is(reader, list, SETTING_LIST, "a list ( { ... }, { ... } )"))
        return;
    if (list->count == 0 || list->count > STEPS_MOST) {
        report(reader, list->place, "%zu steps; write 1 to %d", list->count, STEPS_MOST);
        return;
    }
    method->steps = reader_items(reader, list->count, sizeof(*method->steps));
    if (!method->steps)
        return;
    for (size_t i = 0; i < list->count; i++) {
        method->step_count = i + 1;
        read_step(reader, &list->items[i], profile, &method->steps[i]);
    }
}

/* Where every written point is a verified state and nothing is pulsed, a try more cannot hurt.
 */
static bool may_repeat(const struct method *method, const struct profile *profile)
{
    for (size_t i = 0; i < method->step_count; i++) {
        const struct step *step = &method->steps[i];

        if (step->kind == STEP_PULSE)
            return false;
        if (step->kind == STEP_WRITE && step->point != SITE_NONE &&
            !profile->points[step->point].verify)
            return false;
    }
    return true;
}

static void read_on_failure(struct reader *reader, const struct setting *setting,
                            struct method *method)
{
    if (!setting_is(reader, setting, SETTING_TEXT, "\"stop\" or \"restore\""))
        return;
    method->restore = strcmp(setting->text, "restore") == 0;
    if (!method->restore && strcmp(setting->text, "stop") != 0)
        report(reader, setting->place,
               "on_failure is \"%.40s\"; it must be \"stop\" or "
               "\"restore\"",
               setting->text);
}

void read_method(struct reader *reader, const struct setting *group,
                 const struct profile *profile, struct method *method)
{
    const struct setting *setting;

    *method = (struct method){.place = group->place};
    method->name = reader_text(reader, group->name);
    reader_about(reader, "method \"%.80s\": ", group->name);
    if (!method->name ||
        !setting_is(reader, group, SETTING_GROUP, "a group { steps = ( ... ); }"))
        return;
    group_read(reader, group, method_keys, COUNT_OF(method_keys), method);
    if ((setting = setting_find(group, "on_failure")))
        read_on_failure(reader, setting, method);
    if ((setting = setting_find(group, "steps")))
        read_steps(reader, setting, profile, method);
    else
        report(reader, group->place,
               "steps is missing; write steps = ( { write = \"setpoint\"; "
               "value = 21; } );");
    if (reader->error)
        return;
    if (!setting_find(group, "repeatable"))
        method->repeatable = may_repeat(method, profile);
    else
        method->once = !method->repeatable;
    check_method(reader, profile, method, setting_find(group, "repeatable") != NULL);
}
