/*
 * Problems: what is wrong with a site, every one at once, each as
 * `FILE:LINE: what is wrong; what would be right`.
 */
#ifndef JOBGATE_SITE_PROBLEMS_H
#define JOBGATE_SITE_PROBLEMS_H

#include "site/site.h"

#include <stdio.h>

struct problem {
    char *file;
    unsigned line; /* 0: the file as a whole */
    bool warning;
    char *text;
};

struct problems {
    struct problem *items; /* sorted by file and line when printed */
    size_t count, errors;
    size_t dropped; /* beyond what is kept */
};

void problems_deinit(struct problems *problems);
__attribute__((format(printf, 3, 4))) void
problem_add(struct problems *problems, struct place place, const char *format, ...);
__attribute__((format(printf, 3, 4))) void
warning_add(struct problems *problems, struct place place, const char *format, ...);
void problems_sort(struct problems *problems); /* by file and line */
void problems_print(struct problems *problems,
                    FILE *to); /* sorted; FILE:LINE: [warning:] text */

#endif
