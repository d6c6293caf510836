#include "commands/check_show.h"

#include "commands/columns.h"
#include "site/raw.h"
#include "site/value.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* One block of aligned rows, gathered in memory. */
struct block {
    FILE *to;
    char *text;
    size_t size;
};

static bool block_open(struct block *block)
{
    *block = (struct block){0};
    block->to = open_memstream(&block->text, &block->size);
    return block->to != NULL;
}

static void block_print(struct block *block, FILE *to, bool bold)
{
    if (fclose(block->to) == 0)
        columns_print(block->text, to, bold);
    free(block->text);
}

static void head(FILE *to, bool bold, const char *text)
{
    fprintf(to, "\n%s%s%s\n", bold ? "\033[1;36m" : "", text, bold ? "\033[0m" : "");
}

static void show_seconds(FILE *to, uint32_t ms)
{
    fprintf(to, "%.15g s", (double)ms / 1000);
}

/* ---- lines ---- */

static void show_line(const struct site *site, size_t index, FILE *to)
{
    const struct line_config *line = &site->lines[index];
    const struct adapter_settings *settings = &line->settings;
    size_t devices = 0;

    for (size_t i = 0; i < site->device_count; i++)
        devices += site->devices[i].line == index;
    fprintf(to, "%s\t%s\t", line->name, line->adapter->name);
    if (line->adapter->serial)
        fprintf(to, "%s\t%u %u%c%u%s", line->port, settings->baud, settings->data_bits,
                settings->parity, settings->stop_bits, settings->rs485 ? " rs485" : "");
    else
        fprintf(to, "%s:%u\t", line->host, settings->tcp_port);
    fprintf(to, "\t%.15g ms\t%u\t", (double)line->timeout_us / 1000, line->retries + 1);
    if (line->gap_us)
        fprintf(to, "%.15g ms", (double)line->gap_us / 1000);
    fprintf(to, "\t%zu\n", devices);
}

static void show_lines(const struct site *site, FILE *to, bool bold)
{
    struct block block;

    if (!block_open(&block))
        return;
    head(to, bold, "Lines");
    fputs("NAME\tADAPTER\tPORT OR HOST\tMODE\tTIME-OUT\tTRIES\tGAP\tDEVICES\n", block.to);
    for (size_t i = 0; i < site->line_count; i++)
        show_line(site, i, block.to);
    block_print(&block, to, bold);
}

/* ---- devices ---- */

/* How many devices from `first` were written as one range. */
static size_t fold(const struct site *site, size_t first)
{
    const struct device *device = &site->devices[first];
    size_t count = 1;

    while (first + count < site->device_count) {
        const struct device *next = &site->devices[first + count];

        if (next->place.file != device->place.file || next->place.line != device->place.line ||
            next->tags != device->tags || next->line != device->line ||
            next->profile != device->profile)
            break;
        count++;
    }
    return count;
}

static void show_units(const struct site *site, size_t first, size_t count, FILE *to)
{
    for (size_t i = 0; i < count;) {
        unsigned from = site->devices[first + i].unit, last = from;

        for (i++; i < count && site->devices[first + i].unit == last + 1; i++)
            last++;
        fprintf(to, "%u", from);
        if (last > from)
            fprintf(to, "-%u", last);
        fputs(i < count ? "," : "", to);
    }
}

static void show_tags(const json_t *tags, const char *prefix, bool *first, FILE *to)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)tags, key, value)
    {
        char name[200];

        snprintf(name, sizeof(name), "%s%s", prefix, key);
        if (json_is_object(value)) {
            strncat(name, ".", sizeof(name) - strlen(name) - 1);
            show_tags(value, name, first, to);
            continue;
        }
        char *text = json_text(value);

        fprintf(to, "%s%s = %s", *first ? "" : ", ", name, text ? text : "?");
        free(text);
        *first = false;
    }
}

static void show_devices(const struct site *site, FILE *to, bool bold)
{
    struct block block;

    if (!block_open(&block))
        return;
    head(to, bold, "Devices");
    fputs("ID\tLINE\tUNIT\tPROFILE\tTAGS\n", block.to);
    for (size_t i = 0, count; i < site->device_count; i += count) {
        const struct device *device = &site->devices[i];
        bool first = true;

        count = fold(site, i);
        fputs(device->id, block.to);
        if (count > 1)
            fprintf(block.to, " to %s", site->devices[i + count - 1].id);
        fprintf(block.to, "\t%s\t", site->lines[device->line].name);
        show_units(site, i, count, block.to);
        fprintf(block.to, "\t%s\t", site->profiles[device->profile].name);
        show_tags(device->tags, "", &first, block.to);
        fputc('\n', block.to);
    }
    block_print(&block, to, bold);
}

/* ---- points ---- */

static void show_type(const struct point *point, FILE *to)
{
    bool swapped = false;

    fputs(point_type_name(point->type), to);
    if (point->type == POINT_STRING)
        fprintf(to, "[%u]", 2u * point->count);
    for (unsigned i = 0; i < 8; i++)
        swapped = swapped || point->order[i] != i;
    if (!swapped || raw_is_coil(point))
        return;
    fputc(' ', to);
    for (unsigned i = 0; i < (point->type == POINT_STRING ? 2 : 2u * point->count); i++)
        fputc('A' + point->order[i], to);
}

/* "10.0 to 30.0 degC", or the names. */
static void show_range(const struct point *point, FILE *to)
{
    int decimals = point->scaled ? point->decimals : 0;
    double limits[2] = {point->min, point->max};
    char texts[2][40] = {"", ""};

    for (size_t i = 0; i < point->value_count; i++)
        fprintf(to, "%s%s = %lld", i ? ", " : "", point->values[i].name,
                (long long)point->values[i].raw);
    for (size_t i = 0; i < 2; i++)
        snprintf(texts[i], sizeof(texts[i]), decimals > 0 ? "%.*f" : "%.*g",
                 decimals > 0 ? decimals : 15, limits[i]);
    if (point->has_min && point->has_max)
        fprintf(to, "%s to %s", texts[0], texts[1]);
    else if (point->has_min)
        fprintf(to, "from %s", texts[0]);
    else if (point->has_max)
        fprintf(to, "up to %s", texts[1]);
    if (point->unit)
        fprintf(to, "%s%s", point->has_min || point->has_max ? " " : "", point->unit);
}

static void show_scale(const struct point *point, FILE *to)
{
    if (point->scaled && point->scale != 1.0)
        fprintf(to, "x %.15g", point->scale);
    if (point->scaled && point->offset != 0.0)
        fprintf(to, " %c %.15g", point->offset < 0 ? '-' : '+',
                point->offset < 0 ? -point->offset : point->offset);
}

static void show_notes(const struct point *point, FILE *to)
{
    const char *comma = "";

    if (point->kind == POINT_TRIGGER && point->writable) {
        fputs("trigger", to);
        comma = ", ";
    } else if (point->writable && !point->verify) {
        fputs("not verified", to);
        comma = ", ";
    }
    if (point->poll_ms) {
        fprintf(to, "%spolled each ", comma);
        show_seconds(to, point->poll_ms);
        comma = ", ";
    }
    if (point->write_with) {
        fprintf(to, "%sfunction %u", comma, point->write_with);
        comma = ", ";
    }
    if (point->if_different) {
        fprintf(to, "%sonly if different", comma);
        comma = ", ";
    }
    if (point->max_writes_per_day) {
        fprintf(to, "%sat most %u writes a day", comma, point->max_writes_per_day);
        comma = ", ";
    }
    if (point->broadcast) {
        fprintf(to, "%sbroadcast", comma);
        comma = ", ";
    }
    if (strcmp(point->property, point->name) != 0)
        fprintf(to, "%sproperty %s", comma, point->property);
}

static void show_point(const struct point *point, FILE *to)
{
    char where[64];

    point_where(point, where, sizeof(where));
    fprintf(to, "%s\t%s", point->name, where);
    if (point->bit_count == 1)
        fprintf(to, " bit %u", point->bit_low);
    else if (point->bit_count)
        fprintf(to, " bits %u-%u", point->bit_low, point->bit_low + point->bit_count - 1u);
    fputc('\t', to);
    show_type(point, to);
    fprintf(to, "\t%s%s\t", point->readable ? "r" : "", point->writable ? "w" : "");
    show_scale(point, to);
    fputc('\t', to);
    show_notes(point, to);
    fputc('\t', to);
    show_range(point, to);
    fputc('\n', to);
}

/* ---- methods ---- */

static void show_json(FILE *to, const json_t *value)
{
    char *text = json_text(value);

    fputs(text ? text : "?", to);
    free(text);
}

/* "setComfort(setpoint, mode = "auto")": each argument once. */
static void show_signature(const struct method *method, FILE *to)
{
    const char *comma = "";

    fprintf(to, "  %s(", method->name);
    for (size_t i = 0; i < method->step_count; i++) {
        const struct step *step = &method->steps[i];
        bool said = false;

        for (size_t k = 0; step->arg && k < i; k++)
            said =
                said || (method->steps[k].arg && strcmp(method->steps[k].arg, step->arg) == 0);
        if (!step->arg || said)
            continue;
        fprintf(to, "%s%s", comma, step->arg);
        if (step->fallback) {
            fputs(" = ", to);
            show_json(to, step->fallback);
        }
        comma = ", ";
    }
    fprintf(to, ")  %s%s", method->repeatable ? "repeatable" : "not repeatable",
            method->restore ? ", restores on failure" : "");
    if (method->title)
        fprintf(to, ": %s", method->title);
    fputc('\n', to);
}

static void show_written(const struct step *step, FILE *to)
{
    if (step->arg)
        fprintf(to, "the argument %s", step->arg);
    else
        show_json(to, step->value);
    if (json_is_integer(step->value) && json_integer_value(step->value) > 255)
        fprintf(to, " (0x%04llX)", (long long)json_integer_value(step->value));
}

static void show_expected(const struct step *step, FILE *to)
{
    if (step->value)
        show_json(to, step->value);
    else if (step->has_min && step->has_max)
        fprintf(to, "%.15g to %.15g", step->min, step->max);
    else
        fprintf(to, "%s %.15g", step->has_min ? "at least" : "at most",
                step->has_min ? step->min : step->max);
}

static void show_step(const struct profile *profile, const struct step *step, FILE *to)
{
    const char *name = step->point == SITE_NONE ? "" : profile->points[step->point].name;

    switch (step->kind) {
    case STEP_WRITE:
        fprintf(to, "write %s: ", name);
        show_written(step, to);
        break;
    case STEP_PULSE:
        fprintf(to, "pulse %s for ", name);
        show_seconds(to, step->duration_ms);
        fputs(": ", to);
        show_written(step, to);
        break;
    case STEP_WAIT:
        fputs("wait ", to);
        show_seconds(to, step->duration_ms);
        break;
    case STEP_EXPECT:
        fprintf(to, "expect %s: ", name);
        show_expected(step, to);
        fputs(" within ", to);
        show_seconds(to, step->within_ms);
        break;
    case STEP_READ:
        fputs("read ", to);
        for (size_t i = 0; i < step->point_count; i++)
            fprintf(to, "%s%s", i ? ", " : "", profile->points[step->points[i]].name);
        break;
    }
    fputc('\n', to);
}

static void show_methods(const struct profile *profile, FILE *to)
{
    for (size_t i = 0; i < profile->method_count; i++) {
        const struct method *method = &profile->methods[i];

        fputs(i ? "" : "\n", to);
        show_signature(method, to);
        for (size_t k = 0; k < method->step_count; k++) {
            fprintf(to, "    %zu. ", k + 1);
            show_step(profile, &method->steps[k], to);
        }
    }
}

/* ---- profiles ---- */

static void show_functions(const struct profile *profile, FILE *to)
{
    const char *comma = "";

    fputs("  functions ", to);
    for (unsigned code = 1; code < 32; code++) {
        if (!profile_has_function(profile, code))
            continue;
        fprintf(to, "%s%u", comma, code);
        comma = ", ";
    }
    fputc('\n', to);
}

static void show_profile(const struct profile *profile, FILE *to, bool bold)
{
    struct block block;
    char title[300];

    if (!block_open(&block))
        return;
    snprintf(title, sizeof(title), "Profile %s%s%s", profile->name, profile->title ? ": " : "",
             profile->title ? profile->title : "");
    head(to, bold, title);
    fprintf(to, "  from %s\n", profile->place.file);
    if (profile->functions)
        show_functions(profile, to);
    if (profile->max_read < ADAPTER_WORDS_MAX || profile->max_write < ADAPTER_WRITE_MAX)
        fprintf(to, "  at most %u registers a read, %u a write\n", profile->max_read,
                profile->max_write);
    if (profile->gap_us > 0)
        fprintf(to, "  %.15g ms between frames\n", (double)profile->gap_us / 1000);
    if (profile->timeout_us >= 0)
        fprintf(to, "  time-out %.15g ms\n", (double)profile->timeout_us / 1000);
    if (profile->retries >= 0)
        fprintf(to, "  %d tries\n", profile->retries + 1);
    fputs("POINT\tREGISTER\tTYPE\tACCESS\tSCALE\tNOTES\tRANGE OR VALUES\n", block.to);
    for (size_t i = 0; i < profile->point_count; i++)
        show_point(&profile->points[i], block.to);
    block_print(&block, to, bold);
    show_methods(profile, to);
}

static bool is_used(const struct site *site, size_t profile)
{
    for (size_t i = 0; i < site->device_count; i++) {
        if (site->devices[i].profile == profile)
            return true;
    }
    return false;
}

void check_show(const struct site *site, FILE *to, bool bold)
{
    size_t used = 0;

    fprintf(to, "Site %s, from %s\n", site->id, site->file);
    show_lines(site, to, bold);
    show_devices(site, to, bold);
    for (size_t i = 0; i < site->profile_count; i++) {
        if (!is_used(site, i))
            continue;
        show_profile(&site->profiles[i], to, bold);
        used++;
    }
    if (used < site->profile_count) {
        fputs("\nProfiles that no device uses:", to);
        for (size_t i = 0; i < site->profile_count; i++) {
            if (!is_used(site, i))
                fprintf(to, " %s", site->profiles[i].name);
        }
        fputc('\n', to);
    }
    fprintf(to, "\nNo problem in %zu line%s, %zu device%s, %zu profile%s.\n", site->line_count,
            site->line_count == 1 ? "" : "s", site->device_count,
            site->device_count == 1 ? "" : "s", used, used == 1 ? "" : "s");
}
