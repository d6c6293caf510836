/*
 * Survey: what every device and point of a site answers, for the commissioning report.
 *
 * Each device is asked for all that can be read of it at once. Where that is refused its points
 * are asked one by one, so that each has a result of its own; where it does not answer, no more
 * is asked of it. Asking is left to survey_ask.h; here is what to ask next, what an answer
 * means, and the report as JSON, from which the other forms are made. Pure.
 */
#ifndef JOBGATE_COMMANDS_SURVEY_H
#define JOBGATE_COMMANDS_SURVEY_H

#include "site/site.h"

enum survey_result {
    SURVEY_OPEN = 0, /* not known yet */
    SURVEY_READ,
    SURVEY_FAILED,
    SURVEY_NEVER_READ, /* write-only */
};

/* Why something failed, by a code of the outcomes; NULL: it did not. */
struct survey_error {
    char *code, *text;
};

struct survey_point {
    enum survey_result result;
    json_t *value; /* READ */
    struct survey_error error;
};

enum survey_stage { SURVEY_ALL, SURVEY_EACH, SURVEY_DONE };

struct survey_device {
    enum survey_stage stage;
    struct survey_point *points; /* as the profile has them */
    size_t next;                 /* EACH: the point that is asked */
    unsigned garbled;            /* points in EACH that came back spoilt */
    bool answered;
    struct survey_error error; /* of the device as a whole */
    char state[16];            /* "online", "offline", "unknown" */
    double answer_ms;          /* of its last exchange; below 0: not known */
    json_t *tags;
};

struct survey_line {
    bool known, up;
    char why[160]; /* down */
};

struct survey {
    const struct site *site;
    struct survey_device *devices; /* as the site has them */
    struct survey_line *lines;
    bool through_gateway;
    char version[40]; /* of the gateway that was asked */
    int64_t made_ms;
    bool clock_trusted;
    char clock_doubt[120]; /* "" where it is not said */
    char remark[200];      /* about the whole, or "" */
    double seconds;
};

int survey_init(struct survey *survey, const struct site *site); /* 0, -ENOMEM */
void survey_deinit(struct survey *survey);

/* The points to read of the device now: a new array of names, empty for all that are readable.
   NULL: there is no more to ask. */
json_t *survey_next(const struct survey *survey, size_t device);
/* The answer to that: a method's status and payload, as section "outcomes" of the docs has. */
void survey_take(struct survey *survey, size_t device, int status, const json_t *payload);

struct survey_counts {
    unsigned devices, devices_failed; /* failed: it, or one of its points */
    unsigned points, points_read, points_failed, points_never;
    unsigned lines_down;
};
struct survey_counts survey_count(const struct survey *survey);

/* The report, a new reference; NULL: no memory. */
json_t *survey_json(const struct survey *survey);

#endif
