/*
 * Value refuse: why a value is not taken, in a technician's words: the point's name, the value,
 * the limit and the unit. Private to gateway/site/value*.c.
 */
#ifndef JOBGATE_SITE_VALUE_REFUSE_H
#define JOBGATE_SITE_VALUE_REFUSE_H

#include "site/raw.h"
#include "site/value.h"

double value_of_raw(const struct point *point, struct raw raw); /* engineering value */

__attribute__((format(printf, 2, 3))) void value_say(struct value_error *error,
                                                     const char *format, ...);

/* "mode: 2.5 is not a whole number"; VALUE_E_TYPE */
int refuse_type(const struct point *point, const json_t *value, const char *wanted,
                struct value_error *error);
/* "setpoint: 35.0 is above max 30.0 degC"; VALUE_E_RANGE, as all below */
int refuse_limit(const struct point *point, const json_t *value, const char *how, double limit,
                 struct value_error *error);
/* Outside what a whole number's type can hold, told in the value's own unit. */
int refuse_type_limit(const struct point *point, const json_t *value, bool above,
                      struct value_error *error);
/* More than a float can hold. */
int refuse_too_big(const struct point *point, const json_t *value, struct value_error *error);
/* Not one of the named values; returns `code`. */
int refuse_name(const struct point *point, const json_t *value, int code,
                struct value_error *error);

#endif
