#include "site/config.h"

#include <errno.h>
#include <libconfig.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void message(struct reader *reader, struct place place, bool warning, const char *format,
                    va_list args)
{
    char text[600];

    vsnprintf(text, sizeof(text), format, args);
    if (warning)
        warning_add(reader->problems, place, "%s%s", reader->about, text);
    else
        problem_add(reader->problems, place, "%s%s", reader->about, text);
}

void report(struct reader *reader, struct place place, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    message(reader, place, false, format, args);
    va_end(args);
}

void warn(struct reader *reader, struct place place, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    message(reader, place, true, format, args);
    va_end(args);
}

void reader_about(struct reader *reader, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reader->about, sizeof(reader->about), format, args);
    va_end(args);
}

char *reader_text(struct reader *reader, const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        reader->error = -ENOMEM;
    return copy;
}

void *reader_items(struct reader *reader, size_t count, size_t size)
{
    void *items = calloc(count ? count : 1, size);

    if (!items)
        reader->error = -ENOMEM;
    return items;
}

const char *reader_file(struct reader *reader, const char *path)
{
    struct site *site = reader->site;
    char **files;

    for (size_t i = 0; i < site->file_count; i++) {
        if (strcmp(site->files[i], path) == 0)
            return site->files[i];
    }
    files = realloc(site->files, (site->file_count + 1) * sizeof(*files));
    if (!files) {
        reader->error = -ENOMEM;
        return NULL;
    }
    site->files = files;
    files[site->file_count] = reader_text(reader, path);
    return files[site->file_count] ? files[site->file_count++] : NULL;
}

char *path_beside(struct reader *reader, const char *file, const char *path)
{
    const char *slash = file && *path != '/' ? strrchr(file, '/') : NULL;
    char *joined;

    if (!slash)
        return reader_text(reader, path);
    if (asprintf(&joined, "%.*s/%s", (int)(slash - file), file, path) < 0) {
        reader->error = -ENOMEM;
        return NULL;
    }
    return joined;
}

/* Index into text->lines. */
static size_t line_of(const struct config_text *text, const config_setting_t *from)
{
    size_t line = config_setting_source_line(from);

    if (line > text->line_count)
        line = text->line_count;
    return line ? line - 1 : 0;
}

static void deinit(struct setting *setting)
{
    for (size_t i = 0; i < setting->count; i++)
        deinit(&setting->items[i]);
    free(setting->items);
    free(setting->name);
    free(setting->text);
}

static bool copy(struct setting *to, const config_setting_t *from,
                 const struct config_text *text, struct reader *reader);

/* libconfig goes on without a name or text for which it got no memory. */
static bool is_whole(const config_setting_t *from)
{
    const config_setting_t *group = config_setting_parent(from);
    int type = config_setting_type(from);

    if (group && config_setting_type(group) == CONFIG_TYPE_GROUP && !config_setting_name(from))
        return false;
    return type != CONFIG_TYPE_NONE &&
           (type != CONFIG_TYPE_STRING || config_setting_get_string(from));
}

static bool copy_items(struct setting *to, const config_setting_t *from,
                       const struct config_text *text, struct reader *reader)
{
    size_t count = (size_t)config_setting_length(from);

    to->items = reader_items(reader, count, sizeof(*to->items));
    if (!to->items)
        return false;
    for (; to->count < count; to->count++) {
        const config_setting_t *item = config_setting_get_elem(from, (unsigned)to->count);

        if (!copy(&to->items[to->count], item, text, reader)) {
            deinit(&to->items[to->count]);
            return false;
        }
    }
    return true;
}

static bool copy(struct setting *to, const config_setting_t *from,
                 const struct config_text *text, struct reader *reader)
{
    const char *name = config_setting_name(from);

    if (!is_whole(from)) {
        reader->error = -ENOMEM;
        return false;
    }
    to->place = text->lines[line_of(text, from)];
    if (name && !(to->name = reader_text(reader, name)))
        return false;
    switch (config_setting_type(from)) {
    case CONFIG_TYPE_BOOL:
        to->kind = SETTING_BOOL;
        to->truth = config_setting_get_bool(from) != 0;
        return true;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        to->kind = SETTING_INT;
        to->integer = config_setting_type(from) == CONFIG_TYPE_INT
                          ? config_setting_get_int(from)
                          : config_setting_get_int64(from);
        to->number = text->doubtful[line_of(text, from)] ? NAN : (double)to->integer;
        return true;
    case CONFIG_TYPE_FLOAT:
        to->kind = SETTING_FLOAT;
        to->number = config_setting_get_float(from);
        return true;
    case CONFIG_TYPE_STRING:
        to->kind = SETTING_TEXT;
        to->text = reader_text(reader, config_setting_get_string(from));
        return to->text != NULL;
    case CONFIG_TYPE_GROUP:
        to->kind = SETTING_GROUP;
        return copy_items(to, from, text, reader);
    case CONFIG_TYPE_ARRAY:
        to->kind = SETTING_ARRAY;
        return copy_items(to, from, text, reader);
    default:
        to->kind = SETTING_LIST;
        return copy_items(to, from, text, reader);
    }
}

static struct setting *parse(const struct config_text *text, struct reader *reader)
{
    struct setting *root = reader_items(reader, 1, sizeof(*root));
    config_t config;

    if (!root)
        return NULL;
    config_init(&config);
    if (config_read_string(&config, text->bytes) != CONFIG_TRUE) {
        size_t line = (size_t)config_error_line(&config);

        problem_add(reader->problems,
                    text->lines[line && line <= text->line_count ? line - 1 : 0],
                    "%s; look at the end of the line before, too", config_error_text(&config));
    } else if (copy(root, config_root_setting(&config), text, reader)) {
        config_destroy(&config);
        return root;
    }
    config_destroy(&config);
    setting_free(root);
    return NULL;
}

struct setting *config_tree(struct reader *reader, const char *path)
{
    struct setting *root = NULL;
    struct config_text text;

    if (!config_text_gather(&text, reader, path))
        return NULL;
    if (config_syntax_check(&text, reader))
        root = parse(&text, reader);
    config_text_deinit(&text);
    return root;
}

void setting_free(struct setting *setting)
{
    if (!setting)
        return;
    deinit(setting);
    free(setting);
}

const struct setting *setting_find(const struct setting *group, const char *name)
{
    for (size_t i = 0; i < group->count; i++) {
        if (group->items[i].name && strcmp(group->items[i].name, name) == 0)
            return &group->items[i];
    }
    return NULL;
}

const char *setting_found(const struct setting *setting, char *text, size_t size)
{
    switch (setting->kind) {
    case SETTING_BOOL:
        snprintf(text, size, "%s", setting->truth ? "true" : "false");
        break;
    case SETTING_INT:
        snprintf(text, size, "the number %lld", (long long)setting->integer);
        break;
    case SETTING_FLOAT:
        snprintf(text, size, "the number %.15g", setting->number);
        break;
    case SETTING_TEXT:
        snprintf(text, size, "text \"%.40s\"", setting->text);
        break;
    case SETTING_GROUP:
        snprintf(text, size, "a group { }");
        break;
    case SETTING_ARRAY:
        snprintf(text, size, "an array [ ]");
        break;
    case SETTING_LIST:
        snprintf(text, size, "a list ( )");
        break;
    }
    return text;
}
