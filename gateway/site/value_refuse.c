#include "site/value_refuse.h"

#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MOST = 48, NUMBER_TEXT = 360 }; /* the latter holds DBL_MAX with 15 decimals */

void value_say(struct value_error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    text_clip(error->text);
}

uint8_t value_decimals(double number)
{
    char text[NUMBER_TEXT];
    uint8_t decimals = 0;

    for (; decimals < 15; decimals++) {
        snprintf(text, sizeof(text), "%.*f", decimals, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return decimals;
}

/* A number for people: with the point's decimals where they tell it all. */
static void number_text(const struct point *point, double number, char text[SHOWN_MOST])
{
    if (fabs(number) < 1e15) {
        snprintf(text, SHOWN_MOST, "%.*f", point->scaled ? point->decimals : 0, number);
        if (strtod(text, NULL) == number)
            return;
    }
    snprintf(text, SHOWN_MOST, "%.15g", number);
}

/* What was sent, for people: short, printable. */
static void value_text(const struct point *point, const json_t *value, char text[SHOWN_MOST])
{
    if (json_is_real(value)) {
        number_text(point, json_real_value(value), text);
        return;
    }
    char *dump = json_text(value);
    snprintf(text, SHOWN_MOST, "%s", dump ? dump : "it");
    text_clip(text);
    free(dump);
}

static const char *unit_text(const struct point *point)
{
    return point->unit ? point->unit : "";
}

static const char *space_before_unit(const struct point *point)
{
    return point->unit && point->unit[0] ? " " : "";
}

int refuse_type(const struct point *point, const json_t *value, const char *wanted,
                struct value_error *error)
{
    char shown[SHOWN_MOST];
    value_text(point, value, shown);
    value_say(error, "%s: %s is not %s", point->name, shown, wanted);
    return VALUE_E_TYPE;
}

int refuse_limit(const struct point *point, const json_t *value, const char *how, double limit,
                 struct value_error *error)
{
    char shown[SHOWN_MOST], bound[SHOWN_MOST];
    value_text(point, value, shown);
    number_text(point, limit, bound);
    value_say(error, "%s: %s is %s %s%s%s", point->name, shown, how, bound,
              space_before_unit(point), unit_text(point));
    return VALUE_E_RANGE;
}

/* Outside what the type can hold, told in the value's own unit. */
int refuse_type_limit(const struct point *point, const json_t *value, bool above,
                      struct value_error *error)
{
    struct raw least, most;
    char shown[SHOWN_MOST], bound[SHOWN_MOST], field[32] = "";

    raw_limits(point, &least, &most);
    /* a negative scale turns the type's ends around */
    struct raw end = above == !(point->scaled && point->scale < 0) ? most : least;
    value_text(point, value, shown);
    if (point->scaled)
        number_text(point, value_of_raw(point, end), bound);
    else
        snprintf(bound, sizeof(bound), "%s%llu", end.negative ? "-" : "",
                 (unsigned long long)end.size);
    if (point->bit_count)
        snprintf(field, sizeof(field), "%u bits of ", point->bit_count);
    value_say(error, "%s: %s is %s %s%s%s, the %s that %s%s can hold", point->name, shown,
              above ? "above" : "below", bound, space_before_unit(point), unit_text(point),
              above ? "most" : "least", field, point_type_name(point->type));
    return VALUE_E_RANGE;
}

int refuse_name(const struct point *point, const json_t *value, int code,
                struct value_error *error)
{
    char names[120] = "", shown[SHOWN_MOST];
    size_t used = 0;

    for (size_t i = 0; i < point->value_count && used < sizeof(names) - 1; i++) {
        int n = snprintf(names + used, sizeof(names) - used, "%s%s", i ? ", " : "",
                         point->values[i].name);
        used += n > 0 ? (size_t)n : 0;
    }
    text_clip(names);
    value_text(point, value, shown);
    value_say(error, "%s: %s is not one of %s%s", point->name, shown, names,
              used >= sizeof(names) ? "..." : "");
    return code;
}

int refuse_too_big(const struct point *point, const json_t *value, struct value_error *error)
{
    char shown[SHOWN_MOST];
    value_text(point, value, shown);
    value_say(error, "%s: %s is more than %s can hold", point->name, shown,
              point_type_name(point->type));
    return VALUE_E_RANGE;
}
