/*
 * Devices from a spreadsheet: CSV with the columns id, line, unit, profile and tags.NAME, as
 * Excel and LibreOffice write it (comma or semicolon, BOM, CRLF, quotes as in RFC 4180).
 */
#include "site/config.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MOST = 64 };

enum column_kind {
    COLUMN_ID,
    COLUMN_LINE,
    COLUMN_UNIT,
    COLUMN_PROFILE,
    COLUMN_TAG,
    COLUMN_NONE
};

struct field {
    char *text;
    bool quoted;
};

struct table_file {
    struct reader *reader;
    char *at; /* the text is taken apart in place */
    char separator;
    struct place place; /* of the row */
    unsigned next_line;
    enum column_kind kinds[COLUMNS_MOST];
    char *names[COLUMNS_MOST]; /* of tags */
    size_t columns;
    struct field fields[COLUMNS_MOST];
    size_t count; /* of fields */
};

/* A field in quotes, its doubled quotes made single. False: never closed. */
static bool take_quoted(struct table_file *file, struct field *field)
{
    char *from = file->at + 1, *to = from;

    field->text = from;
    field->quoted = true;
    for (; *from; from++) {
        if (*from == '"' && from[1] == '"') {
            from++;
        } else if (*from == '"') {
            file->at = from + 1;
            *to = '\0';
            return true;
        }
        if (*from == '\n')
            file->next_line++;
        *to++ = *from;
    }
    file->at = from;
    return false;
}

static void trim(struct field *field)
{
    size_t length;

    field->text += strspn(field->text, " \t");
    length = strlen(field->text);
    while (length > 0 && strchr(" \t\r", field->text[length - 1]))
        field->text[--length] = '\0';
}

/* Takes one row apart. False at the end of the text, or after a problem in `count` = 0. */
static bool take_row(struct table_file *file)
{
    file->count = 0;
    if (*file->at == '\0')
        return false;
    file->place.line = file->next_line;
    for (;;) {
        struct field field = {.text = file->at};
        char *end, stop;

        if (file->count == COLUMNS_MOST) {
            report(file->reader, file->place, "more than %d columns; remove some",
                   COLUMNS_MOST);
            file->at += strlen(file->at);
            return false;
        }
        if (*file->at == '"' && !take_quoted(file, &field)) {
            report(file->reader, file->place, "a quote opens here and never closes; add \"");
            return false;
        }
        end = file->at + strcspn(file->at, file->separator == ';' ? ";\n" : ",\n");
        stop = *end;
        if (field.quoted && strspn(file->at, " \t\r") < (size_t)(end - file->at))
            report(file->reader, file->place,
                   "text after a closing quote; a quote inside a text is doubled: \"\"");
        *end = '\0';
        if (!field.quoted)
            trim(&field);
        file->fields[file->count++] = field;
        file->at = end + (stop != '\0');
        if (stop != file->separator) {
            file->next_line += stop == '\n';
            return true;
        }
    }
}

static bool is_blank(const struct table_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        if (file->fields[i].text[0] != '\0')
            return false;
    }
    return true;
}

static enum column_kind column_kind(const char *name)
{
    static const char *const names[] = {"id", "line", "unit", "profile"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcasecmp(names[i], name) == 0)
            return (enum column_kind)i;
    }
    if (strncasecmp(name, "tags.", 5) == 0 && name[5] != '\0' && !strstr(name, "..") &&
        name[strlen(name) - 1] != '.')
        return COLUMN_TAG;
    return COLUMN_NONE;
}

/* A tag of this name in a column before. */
static bool has_tag(const struct table_file *file, size_t column)
{
    for (size_t i = 0; i < column; i++) {
        if (file->kinds[i] == COLUMN_TAG &&
            strcmp(file->names[i] + 5, file->names[column] + 5) == 0)
            return true;
    }
    return false;
}

static bool take_head(struct table_file *file)
{
    static const char *const known[] = {"id", "line", "unit", "profile", "tags.NAME"};
    struct names names = {.count = 0};
    bool seen[COLUMN_TAG] = {false}, good = true;
    char advice[200];

    for (size_t i = 0; i < COUNT_OF(known); i++)
        names_add(&names, known[i]);
    file->columns = file->count;
    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->fields[i].text;
        enum column_kind kind = column_kind(name);

        file->kinds[i] = kind;
        file->names[i] = file->fields[i].text;
        if (kind == COLUMN_NONE && *name) /* an empty column is a spreadsheet's habit */
            report(file->reader, file->place, "unknown column \"%.60s\"; %s", name,
                   names_advice(&names, name, advice, sizeof(advice)));
        if (kind < COLUMN_TAG ? seen[kind] : kind == COLUMN_TAG && has_tag(file, i))
            report(file->reader, file->place, "a second column \"%.60s\"; keep one", name);
        if (kind < COLUMN_TAG)
            seen[kind] = true;
    }
    for (size_t i = 0; i < COLUMN_TAG; i++) {
        if (!seen[i]) {
            report(file->reader, file->place,
                   "the column \"%s\" is missing; the first row names id, line, unit, profile",
                   known[i]);
            good = false;
        }
    }
    return good;
}

/* An unquoted 43, 4.5 or true is a number or boolean; everything else is text. */
static json_t *tag_value(const struct field *field)
{
    char *end;

    if (!field->quoted && strcasecmp(field->text, "true") == 0) /* Excel writes TRUE */
        return json_true();
    if (!field->quoted && strcasecmp(field->text, "false") == 0)
        return json_false();
    if (!field->quoted && field->text[strspn(field->text, "+-0123456789")] == '\0') {
        errno = 0;
        int64_t whole = strtoll(field->text, &end, 10);

        if (errno == 0 && end != field->text && *end == '\0')
            return json_integer(whole);
    } else if (!field->quoted && field->text[strspn(field->text, "+-.0123456789eE")] == '\0') {
        double real = strtod(field->text, &end);

        if (end != field->text && *end == '\0' && real > -1e300 && real < 1e300)
            return json_real(real);
    }
    return json_string(field->text);
}

/* Sets tags.a.b below `tags`. */
static bool set_tag(json_t *tags, const char *path, json_t *value)
{
    const char *dot = strchr(path, '.');
    json_t *inner;

    if (!dot)
        return json_object_set_new(tags, path, value) == 0;
    char *name = strndup(path, (size_t)(dot - path));

    inner = name ? json_object_get(tags, name) : NULL;
    if (name && !json_is_object(inner)) {
        inner = json_object();
        if (json_object_set_new(tags, name, inner) < 0)
            inner = NULL;
    }
    free(name);
    if (inner)
        return set_tag(inner, dot + 1, value);
    json_decref(value);
    return false;
}

static bool parse_unit(struct table_file *file, const char *text, int64_t *unit)
{
    size_t digits = strspn(text, "0123456789");
    long number = digits > 0 && digits <= 3 ? strtol(text, NULL, 10) : 256;

    if (number > 255 || text[digits] != '\0') {
        report(file->reader, file->place,
               "unit is \"%.40s\"; it must be a number from 0 to 255", text);
        return false;
    }
    *unit = number;
    return true;
}

static void add_row(struct table_file *file)
{
    static const char *const words[] = {"id", "line", "unit", "profile"};
    const char *texts[COLUMN_TAG] = {NULL};
    struct device_draft draft = {.place = file->place, .tags = json_object()};
    size_t errors = file->reader->problems->errors;

    for (size_t i = 0; i < file->count && i < file->columns; i++) {
        const struct field *field = &file->fields[i];

        if (file->kinds[i] < COLUMN_TAG)
            texts[file->kinds[i]] = field->text;
        else if (file->kinds[i] == COLUMN_TAG && (field->text[0] || field->quoted) &&
                 !set_tag(draft.tags, file->names[i] + 5, tag_value(field)))
            file->reader->error = -ENOMEM;
    }
    if (file->count > file->columns && file->fields[file->columns].text[0])
        report(file->reader, file->place,
               "%zu fields in a table of %zu columns; put texts with a %c into quotes",
               file->count, file->columns, file->separator);
    for (size_t i = 0; i < COLUMN_TAG; i++) {
        if (!texts[i] || !texts[i][0])
            report(file->reader, file->place, "the field \"%s\" is empty; fill it", words[i]);
    }
    if (errors == file->reader->problems->errors &&
        parse_unit(file, texts[COLUMN_UNIT], &draft.unit)) {
        draft.id = texts[COLUMN_ID];
        draft.line = texts[COLUMN_LINE];
        draft.profile = texts[COLUMN_PROFILE];
        device_add(file->reader, &draft);
    }
    json_decref(draft.tags);
}

static bool is_utf8(struct table_file *file, const char *text, size_t left)
{
    struct place place = file->place;

    while (left > 0) {
        size_t length = text_character(text, left);

        if (length == 0) {
            report(file->reader, place,
                   "byte 0x%02X is not UTF-8; save the file as \"CSV UTF-8\"",
                   (unsigned)(unsigned char)*text);
            return false;
        }
        place.line += *text == '\n';
        text += length;
        left -= length;
    }
    return true;
}

/* The text is one that can be taken apart. */
static bool is_table(struct table_file *file, const char *text, size_t length)
{
    if (strncmp(text, "PK\3\4", 4) == 0)
        report(file->reader, file->place,
               "this is a workbook; open it in the spreadsheet and save it as \"CSV UTF-8\"");
    else if (strlen(text) != length)
        report(file->reader, file->place,
               "a NUL byte; save the file as CSV in UTF-8, not UTF-16");
    else
        return is_utf8(file, text, length);
    return false;
}

/* What stands between columns, by the head line, or by the line sep=; that Excel takes. */
static void find_separator(struct table_file *file)
{
    if (strncasecmp(file->at, "sep=", 4) == 0 && file->at[4] && strchr(",;", file->at[4])) {
        file->separator = file->at[4];
        file->at += strcspn(file->at, "\n");
        file->at += *file->at == '\n';
        file->next_line++;
        return;
    }
    file->separator = memchr(file->at, ';', strcspn(file->at, "\n")) ? ';' : ',';
}

static void read_table(struct reader *reader, const char *name, char *text, size_t length)
{
    struct table_file file = {.reader = reader, .at = text, .next_line = 1};

    file.place = (struct place){.file = name, .line = 1};
    for (char *at = strchr(text, '\n') ? NULL : text; at && (at = strchr(at, '\r'));)
        *at = '\n'; /* lines as a Macintosh ended them */
    if (!is_table(&file, text, length))
        return;
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0)
        file.at += 3;
    find_separator(&file);
    if (!take_row(&file)) {
        if (length == 0)
            report(reader, file.place,
                   "the file is empty; its first row is id,line,unit,profile");
        return;
    }
    if (file.count == 1 && strchr(file.fields[0].text, '\t')) {
        report(reader, file.place,
               "tabs stand between the columns; save the file with commas or semicolons");
        return;
    }
    if (!take_head(&file))
        return;
    while (!reader->error && take_row(&file)) {
        if (!is_blank(&file))
            add_row(&file);
    }
}

void read_devices_file(struct reader *reader, const struct setting *setting)
{
    char *path, *text, why[128];
    size_t length;

    if (!setting_is(reader, setting, SETTING_TEXT, "a file name such as \"devices.csv\""))
        return;
    path = path_beside(reader, reader->site->file, setting->text);
    if (!path)
        return;
    text = file_read(path, CONFIG_BYTES_MOST, &length, why, sizeof(why));
    if (!text)
        report(
            reader, setting->place,
            "devices_file \"%s\" cannot be read: %s; its path is seen from this file's folder",
            path, why);
    else
        read_table(reader, reader_file(reader, path), text, length);
    free(text);
    free(path);
}
