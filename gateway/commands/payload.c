#include "commands/payload.h"
#include "commands/grid.h"
#include "jobs/outcome.h"
#include "site/value.h"

#include <stdlib.h>
#include <string.h>

enum { VALUE_SIZE = 120 };

const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

void value_text(const json_t *value, char *text, size_t size)
{
    char *json;

    if (!value || json_is_null(value)) {
        snprintf(text, size, "%s", value ? "null" : "");
        return;
    }
    if (json_is_string(value)) {
        snprintf(text, size, "%s", json_string_value(value));
        return;
    }
    json = json_text(value);
    snprintf(text, size, "%s", json ? json : "?");
    free(json);
}

enum tone tone_of_result(const char *result)
{
    for (unsigned each = 0; each < RESULT_COUNT; each++) {
        if (strcmp(result, result_name((enum result)each)) != 0)
            continue;
        if (each <= RESULT_ADJUSTED)
            return TONE_GOOD;
        return each == RESULT_NOT_SENT ? TONE_DIM : TONE_BAD;
    }
    return TONE_PLAIN;
}

static const char *result_of(const json_t *write)
{
    const char *result = json_string_value(json_object_get(write, "result"));

    return result ? result : "?";
}

static void print_writes(json_t *writes, const struct terminal *terminal)
{
    const char *name;
    struct grid grid;
    json_t *write;

    grid_init(&grid, (const char *const[]){"POINT", "RESULT", "VALUE", NULL});
    json_object_foreach(writes, name, write)
    {
        char value[VALUE_SIZE];

        value_text(json_object_get(write, "value"), value, sizeof(value));
        grid_row(&grid);
        grid_cell(&grid, 0, TONE_PLAIN, "%s", name);
        grid_cell(&grid, 1, tone_of_result(result_of(write)), "%s", result_of(write));
        grid_cell(&grid, 2, TONE_PLAIN, "%s", value);
    }
    grid_print(&grid, terminal);
    grid_deinit(&grid);
}

static void print_values(json_t *values, const struct terminal *terminal)
{
    const char *name;
    struct grid grid;
    json_t *value;

    grid_init(&grid, (const char *const[]){"POINT", "VALUE", NULL});
    json_object_foreach(values, name, value)
    {
        char text[VALUE_SIZE];

        value_text(value, text, sizeof(text));
        grid_row(&grid);
        grid_cell(&grid, 0, TONE_PLAIN, "%s", name);
        grid_cell(&grid, 1, TONE_PLAIN, "%s", text);
    }
    grid_print(&grid, terminal);
    grid_deinit(&grid);
}

void payload_print(const json_t *payload, const struct terminal *terminal)
{
    json_t *writes = json_object_get(payload, "writes");
    json_t *values = json_object_get(payload, "values");

    if (json_object_size(writes) > 0)
        print_writes(writes, terminal);
    if (json_object_size(values) > 0)
        print_values(values, terminal);
}

const char *payload_error(const json_t *payload)
{
    const json_t *error = json_object_get(payload, "error");
    const char *text = json_string_value(json_object_get(error, "description"));

    return text ? text : json_string_value(json_object_get(error, "code"));
}

void payload_line(const json_t *payload, char *text, size_t size)
{
    json_t *writes = json_object_get(payload, "writes");
    json_t *values = json_object_get(payload, "values");
    size_t used = 0;
    const char *name;
    json_t *each;

    text[0] = '\0';
    json_object_foreach(writes, name, each)
    {
        char value[VALUE_SIZE];

        value_text(json_object_get(each, "value"), value, sizeof(value));
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s %s%s%s", used ? ", " : "",
                                     name, result_of(each), value[0] ? " " : "", value);
    }
    json_object_foreach(values, name, each)
    {
        char value[VALUE_SIZE];

        value_text(each, value, sizeof(value));
        if (used < size && !json_object_get(writes, name))
            used += (size_t)snprintf(text + used, size - used, "%s%s=%s", used ? ", " : "",
                                     name, value);
    }
}
