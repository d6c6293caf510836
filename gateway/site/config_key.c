/*
 * Groups against their schema: a table of keys, filled into a struct. What is unknown, of a
 * wrong type or out of range is said in the words of the person who wrote the file.
 */
#include "site/config.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool id_is_good(const char *id, size_t most)
{
    size_t length =
        strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-");

    return length > 0 && length <= most && id[length] == '\0';
}

/* 'baud is' or 'entry 2 is': how a message names the setting. */
static const char *called(const struct setting *setting)
{
    return setting->name ? setting->name : "this entry";
}

bool setting_is(struct reader *reader, const struct setting *setting, enum setting_kind kind,
                const char *wanted)
{
    char found[80];

    if (setting->kind == kind)
        return true;
    report(reader, setting->place, "%s is %s; it must be %s", called(setting),
           setting_found(setting, found, sizeof(found)), wanted);
    return false;
}

/* The number that stands in quotes by mistake, as a hint; else nothing. */
static const char *unquoted(const struct setting *setting, char *text, size_t size)
{
    char *end;

    text[0] = '\0';
    if (setting->kind != SETTING_TEXT || setting->text[0] == '\0' || !setting->name)
        return text;
    (void)strtod(setting->text, &end);
    if (*end == '\0')
        snprintf(text, size, ", without quotes: %s = %.40s", setting->name, setting->text);
    return text;
}

bool setting_number(struct reader *reader, const struct setting *setting, double *ret)
{
    char found[80], hint[120];

    if (setting->kind != SETTING_INT && setting->kind != SETTING_FLOAT) {
        report(reader, setting->place, "%s is %s; it must be a number%s", called(setting),
               setting_found(setting, found, sizeof(found)),
               unquoted(setting, hint, sizeof(hint)));
        return false;
    }
    if (!isfinite(setting->number)) /* said already, where the text was checked */
        return false;
    *ret = setting->number;
    return true;
}

bool setting_integer(struct reader *reader, const struct setting *setting, int64_t least,
                     int64_t most, int64_t *ret)
{
    char found[80], hint[120];
    bool whole = setting->kind == SETTING_FLOAT && setting->number == floor(setting->number) &&
                 fabs(setting->number) < 9e15;
    int64_t value = whole ? (int64_t)setting->number : setting->integer;

    if (setting->kind == SETTING_INT && isnan(setting->number))
        return false;
    if (setting->kind != SETTING_INT && !whole) {
        report(reader, setting->place, "%s is %s; it must be a whole number%s", called(setting),
               setting_found(setting, found, sizeof(found)),
               unquoted(setting, hint, sizeof(hint)));
        return false;
    }
    if (value < least || value > most) {
        report(reader, setting->place, "%s is %lld; it must be %lld to %lld", called(setting),
               (long long)value, (long long)least, (long long)most);
        return false;
    }
    *ret = value;
    return true;
}

static json_t *json_group(struct reader *reader, const struct setting *setting)
{
    json_t *object = json_object();

    for (size_t i = 0; object && i < setting->count; i++) {
        json_t *value = setting_json(reader, &setting->items[i], true);

        if (value && json_object_set_new(object, setting->items[i].name, value) < 0)
            reader->error = -ENOMEM;
    }
    if (!object)
        reader->error = -ENOMEM;
    return object;
}

json_t *setting_json(struct reader *reader, const struct setting *setting, bool deep)
{
    char found[80];
    json_t *value = NULL;

    switch (setting->kind) {
    case SETTING_BOOL:
        value = json_boolean(setting->truth);
        break;
    case SETTING_INT:
        if (isnan(setting->number))
            return NULL;
        value = json_integer(setting->integer);
        break;
    case SETTING_FLOAT:
        if (!isfinite(setting->number))
            return NULL;
        value = json_real(setting->number);
        break;
    case SETTING_TEXT:
        value = json_string(setting->text);
        break;
    case SETTING_GROUP:
        if (deep)
            return json_group(reader, setting);
        break;
    case SETTING_ARRAY:
    case SETTING_LIST:
        break;
    }
    if (!value)
        report(reader, setting->place, "%s is %s; it must be a number, a text, true or false%s",
               called(setting), setting_found(setting, found, sizeof(found)),
               deep ? ", or a group of them" : "");
    return value;
}

static void read_number_key(struct reader *reader, const struct setting *setting,
                            const struct key *key, void *at)
{
    int64_t whole;
    double real;

    switch (key->type) {
    case KEY_UNSIGNED:
        if (setting_integer(reader, setting, (int64_t)key->least, (int64_t)key->most, &whole))
            *(unsigned *)at = (unsigned)whole;
        return;
    case KEY_U16:
        if (setting_integer(reader, setting, (int64_t)key->least, (int64_t)key->most, &whole))
            *(uint16_t *)at = (uint16_t)whole;
        return;
    case KEY_NUMBER:
    case KEY_MS_AS_US:
    case KEY_SECONDS_AS_MS:
    case KEY_OTHER:
    case KEY_TEXT:
    case KEY_PATH:
    case KEY_FLAG:
        break;
    }
    if (!setting_number(reader, setting, &real))
        return;
    if (real < key->least || real > key->most) {
        report(reader, setting->place, "%s is %.15g; it must be %.15g to %.15g", setting->name,
               real, key->least, key->most);
        return;
    }
    if (key->type == KEY_MS_AS_US)
        *(int64_t *)at = llround(real * 1000);
    else if (key->type == KEY_SECONDS_AS_MS)
        *(uint32_t *)at = (uint32_t)llround(real * 1000);
    else
        *(double *)at = real;
}

static void read_text_key(struct reader *reader, const struct setting *setting,
                          const struct key *key, char **at)
{
    if (!setting_is(reader, setting, SETTING_TEXT, "text in quotes"))
        return;
    if (setting->text[0] == '\0') {
        report(reader, setting->place, "%s is empty; write a text, or leave the key out",
               setting->name);
        return;
    }
    free(*at);
    *at = key->type == KEY_PATH && strncmp(setting->text, "credential:", 11) != 0
              ? path_beside(reader, reader->site->file, setting->text)
              : reader_text(reader, setting->text);
}

static void read_key(struct reader *reader, const struct setting *setting,
                     const struct key *key, void *into)
{
    if (key->type == KEY_OTHER)
        return;
    assert(into); /* NULL only where all keys are KEY_OTHER */
    void *at = (char *)into + key->offset;

    switch (key->type) {
    case KEY_OTHER:
    case KEY_TEXT:
    case KEY_PATH:
        read_text_key(reader, setting, key, at);
        return;
    case KEY_FLAG:
        if (setting_is(reader, setting, SETTING_BOOL, "true or false, without quotes"))
            *(bool *)at = setting->truth;
        return;
    case KEY_UNSIGNED:
    case KEY_U16:
    case KEY_NUMBER:
    case KEY_MS_AS_US:
    case KEY_SECONDS_AS_MS:
        read_number_key(reader, setting, key, at);
        return;
    }
}

void group_read(struct reader *reader, const struct setting *group, const struct key *keys,
                size_t count, void *into)
{
    for (size_t i = 0; i < group->count; i++) {
        const struct setting *setting = &group->items[i];
        struct names names = {.count = 0};
        char advice[300];
        size_t k = 0;

        while (k < count && strcmp(keys[k].name, setting->name) != 0)
            k++;
        if (k < count) {
            read_key(reader, setting, &keys[k], into);
            continue;
        }
        for (k = 0; k < count; k++)
            names_add(&names, keys[k].name);
        report(reader, setting->place, "unknown key \"%.60s\"; %s", setting->name,
               names_advice(&names, setting->name, advice, sizeof(advice)));
    }
}
