/* Profiles and sites made by hand, as the loader would hold them, and short words for them. */
#ifndef TESTS_UNIT_FIXTURE_PROFILE_H
#define TESTS_UNIT_FIXTURE_PROFILE_H

#include "fixture_point.h"
#include "lines/plan.h"

#include <stdlib.h>

enum { FIXTURE_POINTS = 64, FIXTURE_STEPS = 16 };

struct fixture {
    struct site site;
    struct profile profile;
    struct point points[FIXTURE_POINTS];
    struct method method; /* "go" */
    struct step steps[FIXTURE_STEPS];
    size_t reads[FIXTURE_POINTS];
    struct plan_error error;
};

static inline void fixture_init(struct fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->profile = (struct profile){.name = (char *)(uintptr_t) "room",
                                        .points = fixture->points,
                                        .methods = &fixture->method,
                                        .method_count = 1,
                                        .max_read = 125,
                                        .max_write = 123,
                                        .gap_us = -1,
                                        .timeout_us = -1,
                                        .retries = -1};
    fixture->method = (struct method){
        .name = (char *)(uintptr_t) "go", .steps = fixture->steps, .repeatable = true};
    fixture->site = (struct site){.profiles = &fixture->profile, .profile_count = 1};
}

static inline struct point *fixture_point(struct fixture *fixture, const char *name,
                                          enum point_type type, uint16_t address)
{
    struct point *point = &fixture->points[fixture->profile.point_count++];
    *point = point_of(name, type, address);
    return point;
}

static inline struct point *fixture_bits(struct fixture *fixture, const char *name,
                                         uint16_t address, uint8_t low, uint8_t count)
{
    struct point *point = fixture_point(fixture, name, POINT_UINT16, address);
    point->bit_low = low;
    point->bit_count = count;
    return point;
}

static inline struct point *fixture_coil(struct fixture *fixture, const char *name,
                                         uint16_t address)
{
    struct point *point = fixture_point(fixture, name, POINT_BOOL, address);
    point->table = TABLE_COIL;
    return point;
}

/* A command: can be written only. */
static inline struct point *fixture_trigger(struct fixture *fixture, const char *name,
                                            uint16_t address)
{
    struct point *point = fixture_point(fixture, name, POINT_UINT16, address);
    point->kind = POINT_TRIGGER;
    point->readable = point->verify = false;
    return point;
}

static inline struct step *fixture_step(struct fixture *fixture, enum step_kind kind,
                                        size_t point)
{
    struct step *step = &fixture->steps[fixture->method.step_count++];
    step->kind = kind;
    step->point = point;
    return step;
}

static inline struct step *fixture_write(struct fixture *fixture, size_t point,
                                         const char *value)
{
    struct step *step = fixture_step(fixture, STEP_WRITE, point);
    step->value = json_loads(value, JSON_DECODE_ANY, NULL);
    return step;
}

static inline struct step *fixture_argument(struct fixture *fixture, size_t point,
                                            const char *name, const char *fallback)
{
    struct step *step = fixture_step(fixture, STEP_WRITE, point);
    step->arg = (char *)(uintptr_t)name;
    step->fallback = fallback ? json_loads(fallback, JSON_DECODE_ANY, NULL) : NULL;
    return step;
}

static inline void fixture_deinit(struct fixture *fixture)
{
    for (size_t i = 0; i < fixture->method.step_count; i++) {
        json_decref(fixture->steps[i].value);
        json_decref(fixture->steps[i].fallback);
    }
}

/* The plan of an action whose arguments are JSON text, or NULL for none; NULL when it was
   refused, then fixture->error says why. */
static inline struct plan *fixture_plan(struct fixture *fixture, enum action_kind kind,
                                        const char *arguments)
{
    struct action action = {
        .kind = kind,
        .method = (char *)(uintptr_t) "go",
        .arguments = arguments ? json_loads(arguments, JSON_DECODE_ANY, NULL) : NULL};
    struct plan *plan = NULL;

    fixture->error = (struct plan_error){0};
    if (plan_new(&plan, &fixture->site, 0, &action, &fixture->error) != 0)
        plan = NULL;
    json_decref(action.arguments);
    return plan;
}

#endif
