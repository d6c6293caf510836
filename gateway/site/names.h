/*
 * Names: the known one that was meant by a wrong one, for messages.
 */
#ifndef JOBGATE_SITE_NAMES_H
#define JOBGATE_SITE_NAMES_H

#include <stddef.h>

struct names {
    const char *items[64];
    size_t count; /* of those known, maybe more than kept */
};

void names_add(struct names *names, const char *name);
/* The nearest by typing, by its beginning or by what other tools call it; NULL: none is near.
 */
const char *names_near(const struct names *names, const char *wrong);
/* 'did you mean "baud"?', or a list of what is known. */
const char *names_advice(const struct names *names, const char *wrong, char *text, size_t size);

#endif
