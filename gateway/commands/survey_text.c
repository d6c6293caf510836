#include "commands/grid.h"
#include "commands/payload.h"
#include "commands/survey_show.h"

#include <string.h>

enum { TEXT_SIZE = 300 };

static void row(const struct terminal *terminal, const char *name, const char *text)
{
    fprintf(terminal->to, "%-9s %s\n", name, text);
}

static void print_head(const json_t *report, const struct terminal *terminal)
{
    const json_t *site = json_object_get(report, "site");
    bool well = json_is_true(json_object_get(report, "well"));
    bool gateway = strcmp(text_of(report, "through"), "gateway") == 0;
    char text[TEXT_SIZE];

    fprintf(terminal->to, "%sCommissioning report%s\n\n", terminal_tone(terminal, TONE_HEAD),
            terminal_end(terminal));
    snprintf(text, sizeof(text), "%s, jobgate %s", text_of(report, "gateway"),
             text_of(report, "version"));
    row(terminal, "Gateway", text);
    survey_clock_text(report, text, sizeof(text));
    row(terminal, "Made", text);
    snprintf(text, sizeof(text), "%s, in %.1f s",
             gateway ? "through the running gateway" : "on the lines, no gateway ran",
             json_number_value(json_object_get(report, "seconds")));
    row(terminal, "Read", text);
    row(terminal, "Site", text_of(site, "file"));
    snprintf(text, sizeof(text), "sha256 %s", text_of(site, "sha256"));
    row(terminal, "", text);
    survey_sum_text(report, text, sizeof(text));
    fprintf(terminal->to, "%-9s %s%s%s\n", "Result",
            terminal_tone(terminal, well ? TONE_GOOD : TONE_BAD), text, terminal_end(terminal));
    if (*text_of(report, "remark"))
        row(terminal, "Remark", text_of(report, "remark"));
}

static void print_lines(const json_t *lines, const struct terminal *terminal)
{
    struct grid grid;

    grid_init(&grid, (const char *const[]){"LINE", "WHERE", ">TIME-OUT", ">TRIES", ">DEVICES",
                                           "STATE", NULL});
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        const char *state = text_of(line, "state"), *why = text_of(line, "why");
        char text[TEXT_SIZE];

        survey_line_text(line, text, sizeof(text));
        grid_row(&grid);
        grid_cell(&grid, 0, TONE_PLAIN, "%s", text_of(line, "name"));
        grid_cell(&grid, 1, TONE_PLAIN, "%s", text);
        grid_cell(&grid, 2, TONE_PLAIN, "%.15g ms",
                  json_number_value(json_object_get(line, "timeoutMs")));
        grid_cell(&grid, 3, TONE_PLAIN, "%d", survey_number(line, "tries"));
        grid_cell(&grid, 4, TONE_PLAIN, "%d", survey_number(line, "devices"));
        grid_cell(&grid, 5, survey_tone(state), "%s%s%s", state, *why ? ": " : "", why);
    }
    fputc('\n', terminal->to);
    grid_print(&grid, terminal);
    grid_deinit(&grid);
}

static void print_devices(const json_t *devices, const struct terminal *terminal)
{
    struct grid grid;

    grid_init(&grid, (const char *const[]){"DEVICE", "LINE", ">UNIT", "PROFILE", "TAGS",
                                           "STATE", ">ANSWER", "RESULT", NULL});
    for (size_t i = 0; i < json_array_size(devices); i++) {
        const json_t *device = json_array_get(devices, i), *ms;
        char text[TEXT_SIZE];

        grid_row(&grid);
        grid_cell(&grid, 0, TONE_PLAIN, "%s", text_of(device, "id"));
        grid_cell(&grid, 1, TONE_PLAIN, "%s", text_of(device, "line"));
        grid_cell(&grid, 2, TONE_PLAIN, "%d", survey_number(device, "unit"));
        grid_cell(&grid, 3, TONE_PLAIN, "%s", text_of(device, "profile"));
        survey_tags_text(json_object_get(device, "tags"), text, sizeof(text));
        grid_cell(&grid, 4, TONE_PLAIN, "%s", text);
        grid_cell(&grid, 5, survey_tone(text_of(device, "state")), "%s",
                  text_of(device, "state"));
        ms = json_object_get(device, "answerMs");
        if (ms)
            grid_cell(&grid, 6, TONE_PLAIN, "%.1f ms", json_number_value(ms));
        bool well = survey_result_text(device, text, sizeof(text));
        grid_cell(&grid, 7, well ? TONE_PLAIN : TONE_BAD, "%s", text);
    }
    fputc('\n', terminal->to);
    grid_print(&grid, terminal);
    grid_deinit(&grid);
}

static void print_points(const json_t *device, const struct terminal *terminal)
{
    const json_t *points = json_object_get(device, "points");
    bool failed = json_object_get(device, "error") != NULL;
    struct grid grid;

    grid_init(&grid,
              (const char *const[]){"POINT", "REGISTER", ">VALUE", "UNIT", "RESULT", NULL});
    for (size_t i = 0; i < json_array_size(points); i++) {
        const json_t *point = json_array_get(points, i);
        const char *result = text_of(point, "result");
        char value[120] = "", error[TEXT_SIZE];

        if (json_object_get(point, "value"))
            value_text(json_object_get(point, "value"), value, sizeof(value));
        survey_error_text(point, error, sizeof(error));
        if (failed) /* the sentence stands above */
            error[strcspn(error, ":")] = '\0';
        grid_row(&grid);
        grid_cell(&grid, 0, TONE_PLAIN, "%s", text_of(point, "name"));
        grid_cell(&grid, 1, TONE_PLAIN, "%s", text_of(point, "register"));
        grid_cell(&grid, 2, TONE_PLAIN, "%s", value);
        grid_cell(&grid, 3, TONE_PLAIN, "%s", text_of(point, "unit"));
        grid_cell(&grid, 4, survey_tone(result), "%s",
                  strcmp(result, "never read") == 0 ? "never read: write-only"
                  : *error                          ? error
                                                    : result);
    }
    grid_print(&grid, terminal);
    grid_deinit(&grid);
}

static void print_device(const json_t *device, const struct terminal *terminal)
{
    const char *title = text_of(device, "title");
    char error[TEXT_SIZE];

    fprintf(terminal->to, "\n%s%s%s  %s unit %d, %s%s%s%s\n",
            terminal_tone(terminal, TONE_HEAD), text_of(device, "id"), terminal_end(terminal),
            text_of(device, "line"), survey_number(device, "unit"), text_of(device, "profile"),
            *title ? " (" : "", title, *title ? ")" : "");
    survey_error_text(device, error, sizeof(error));
    if (*error)
        fprintf(terminal->to, "%s%s%s\n", terminal_tone(terminal, TONE_BAD), error,
                terminal_end(terminal));
    print_points(device, terminal);
}

static void print_files(const json_t *files, const struct terminal *terminal)
{
    fprintf(terminal->to, "\n%sFiles of the site%s\n", terminal_tone(terminal, TONE_HEAD),
            terminal_end(terminal));
    for (size_t i = 0; i < json_array_size(files); i++)
        fprintf(terminal->to, "%s  %s\n", text_of(json_array_get(files, i), "sha256"),
                text_of(json_array_get(files, i), "file"));
}

void survey_print_text(const json_t *report, const struct terminal *terminal)
{
    const json_t *devices = json_object_get(report, "devices");

    print_head(report, terminal);
    print_lines(json_object_get(report, "lines"), terminal);
    print_devices(devices, terminal);
    for (size_t i = 0; i < json_array_size(devices); i++)
        print_device(json_array_get(devices, i), terminal);
    print_files(json_object_get(json_object_get(report, "site"), "files"), terminal);
}
