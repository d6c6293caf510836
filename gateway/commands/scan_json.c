#include "commands/scan_show.h"
#include "commands/scan_wish.h"

#include <stdlib.h>

static void put(json_t *object, const char *key, json_t *value)
{
    if (value)
        json_object_set_new(object, key, value);
}

static void put_way(json_t *object, const struct scan_way *way)
{
    if (way->baud == 0)
        return;
    put(object, "baud", json_integer(way->baud));
    put(object, "mode", json_sprintf("8%c%u", way->parity, way->stop_bits));
}

static json_t *unit_json(const struct scan_subject *subject, const struct scan_try *one,
                         unsigned number)
{
    const struct scan_unit *unit = &one->units[number];
    const struct device *device = subject->devices[number];
    json_t *object =
        json_pack("{s:i, s:s, s:s?}", "unit", (int)number, "result",
                  scan_result_name(scan_result_of(unit)), "device", device ? device->id : NULL);

    if (!object)
        return NULL;
    int64_t tenths = unit->took_us / 100;

    if (unit->answered)
        put(object, "answerMs", json_real((double)tenths / 10));
    if (unit->exception)
        put(object, "exception", json_integer(unit->exception));
    if (*unit->text)
        put(object, "text", json_string(unit->text));
    put(object, "asked", json_integer(unit->asked));
    put(object, "answered", json_integer(unit->answered));
    return object;
}

/* Those that the site has, and those of which something was heard. */
static json_t *units_json(const struct scan_subject *subject, const struct scan_try *one)
{
    json_t *units = json_array();

    for (unsigned unit = 0; unit < SCAN_UNITS; unit++) {
        const struct scan_ask *ask = &subject->scan->asks[unit];
        enum scan_result result = scan_result_of(&one->units[unit]);

        if (ask->wanted &&
            (ask->expected || (result != SCAN_SILENT && result != SCAN_NOT_ASKED)))
            json_array_append_new(units, unit_json(subject, one, unit));
    }
    return units;
}

static json_t *try_json(const struct scan_subject *subject, const struct scan_try *one)
{
    json_t *object = json_object();
    struct scan_sum sum;

    scan_sum(subject->scan, one, &sum);
    put_way(object, &one->way);
    put(object, "asked", json_integer(sum.asked));
    if (one->why[0] && one->asked == 0)
        put(object, "why", json_string(one->why));
    put(object, "noisy", json_boolean(sum.noisy));
    if (one != &subject->scan->tries[subject->scan->chosen] && scan_found_any(&sum))
        put(object, "units", units_json(subject, one)); /* of the chosen one they stand above */
    return object;
}

static void put_config(json_t *object, const char *key, const struct scan_subject *subject,
                       bool (*print)(const struct scan_subject *subject, FILE *to))
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    bool any = to && print(subject, to);

    if (to && fclose(to) == 0 && any)
        put(object, key, json_string(text));
    free(text);
}

json_t *scan_json(const struct scan_subject *subject)
{
    const struct scan *scan = subject->scan;
    const struct scan_try *one = &scan->tries[scan->chosen];
    json_t *object = json_object(), *tries = json_array(), *config = json_object();
    struct scan_sum sum;

    scan_sum(scan, one, &sum);
    put(object, "line", json_string(subject->line->name));
    put(object, "well", json_boolean(scan_is_well(subject)));
    put(object, "seconds", json_real((double)(int64_t)(subject->seconds * 10) / 10));
    if (scan->stopped)
        put(object, "stopped", json_true());
    if (scan->down)
        put(object, "down", json_string(scan->why));
    if (scan_found_any(&sum))
        put_way(object, &one->way);
    put(object, "units", units_json(subject, one));
    for (size_t i = 0; i < scan->try_count; i++)
        if (scan->tries[i].asked > 0 || scan->tries[i].why[0])
            json_array_append_new(tries, try_json(subject, &scan->tries[i]));
    put(object, "tries", tries);
    put_config(config, "line", subject, scan_config_line);
    put_config(config, "devices", subject, scan_config_devices);
    put(object, "configuration", config);
    return object;
}
