/*
 * Profiles: one file for each make of device, from the folders that hold them.
 */
#include "site/config.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifndef JOBGATE_PROFILE_DIR
#define JOBGATE_PROFILE_DIR "/usr/share/jobgate/profiles"
#endif

enum { FOLDER_FILES_MOST = 1000, POINTS_MOST = 1000, METHODS_MOST = 200 };

static const struct key profile_keys[] = {
    {"name", KEY_TEXT, offsetof(struct profile, name), 0, 0},
    {"title", KEY_TEXT, offsetof(struct profile, title), 0, 0},
    {.name = "points"},
    {.name = "methods"},
    {.name = "numbering"},
    {.name = "functions"},
    {"max_read", KEY_U16, offsetof(struct profile, max_read), 1, ADAPTER_WORDS_MAX},
    {"max_write", KEY_U16, offsetof(struct profile, max_write), 1, ADAPTER_WRITE_MAX},
    {"gap_ms", KEY_MS_AS_US, offsetof(struct profile, gap_us), 0, 10000},
    {"timeout_ms", KEY_MS_AS_US, offsetof(struct profile, timeout_us), 1, 60000},
    {.name = "retries"},
};

static const struct key file_keys[] = {{.name = "profile"}};

static void read_numbering(struct reader *reader, const struct setting *setting,
                           struct profile *profile)
{
    static const char *const names[] = {"pdu", "one", "reference"};

    if (!setting_is(reader, setting, SETTING_TEXT, "\"pdu\", \"one\" or \"reference\""))
        return;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(names[i], setting->text) == 0) {
            profile->numbering = (enum numbering)i;
            return;
        }
    }
    report(reader, setting->place,
           "numbering is \"%.40s\"; it must be \"pdu\" (from 0), \"one\" (from 1) or "
           "\"reference\" (40001)",
           setting->text);
}

static void read_functions(struct reader *reader, const struct setting *setting,
                           struct profile *profile)
{
    if (setting->kind != SETTING_LIST &&
        !setting_is(reader, setting, SETTING_ARRAY, "an array such as [ 3, 6, 16 ]"))
        return;
    if (setting->count == 0)
        report(reader, setting->place,
               "functions is empty; write some, such as [ 3, 6, 16 ], or "
               "leave the key out");
    for (size_t i = 0; i < setting->count; i++) {
        int64_t code;

        /* Application Protocol 4.1: 1 to 127; those above 31 are none of ours. */
        if (setting_integer(reader, &setting->items[i], 1, 127, &code) && code < 32)
            profile->functions |= UINT32_C(1) << code;
    }
}

static void read_points(struct reader *reader, const struct setting *group,
                        struct profile *profile)
{
    if (!setting_is(reader, group, SETTING_GROUP, "a group { name = { ... }; }"))
        return;
    if (group->count == 0 || group->count > POINTS_MOST) {
        report(reader, group->place, "%zu points; write 1 to %d", group->count, POINTS_MOST);
        return;
    }
    profile->points = reader_items(reader, group->count, sizeof(*profile->points));
    if (!profile->points)
        return;
    for (size_t i = 0; i < group->count && !reader->error; i++) {
        profile->point_count = i + 1;
        read_point(reader, &group->items[i], profile->numbering, &profile->points[i]);
    }
    reader->about[0] = '\0';
}

static void read_methods(struct reader *reader, const struct setting *group,
                         struct profile *profile)
{
    if (!setting_is(reader, group, SETTING_GROUP, "a group { name = { steps = ( ... ); }; }"))
        return;
    if (group->count > METHODS_MOST) {
        report(reader, group->place, "%zu methods; write at most %d", group->count,
               METHODS_MOST);
        return;
    }
    profile->methods = reader_items(reader, group->count, sizeof(*profile->methods));
    if (!profile->methods)
        return;
    for (size_t i = 0; i < group->count && !reader->error; i++) {
        profile->method_count = i + 1;
        read_method(reader, &group->items[i], profile, &profile->methods[i]);
    }
    reader->about[0] = '\0';
}

void read_profile(struct reader *reader, const struct setting *group, struct profile *profile)
{
    const struct setting *setting;
    int64_t retries;

    *profile = (struct profile){
        .max_read = ADAPTER_WORDS_MAX,
        .max_write = ADAPTER_WRITE_MAX,
        .gap_us = -1,
        .timeout_us = -1,
        .retries = -1,
        .place = group->place,
    };
    group_read(reader, group, profile_keys, COUNT_OF(profile_keys), profile);
    if (!setting_find(group, "name"))
        report(reader, group->place, "name is missing; write name = \"room-controller\";");
    else if (profile->name && !id_is_good(profile->name, 64))
        report(reader, setting_find(group, "name")->place,
               "name is \"%.80s\"; it may hold A-Z a-z 0-9 . _ : - and at most 64 of them",
               profile->name);
    if ((setting = setting_find(group, "retries")) &&
        setting_integer(reader, setting, 0, 10, &retries))
        profile->retries = (int)retries;
    if ((setting = setting_find(group, "numbering")))
        read_numbering(reader, setting, profile);
    if ((setting = setting_find(group, "functions")))
        read_functions(reader, setting, profile);
    if ((setting = setting_find(group, "points")))
        read_points(reader, setting, profile);
    else
        report(reader, group->place, "points is missing; write points = { name = { ... }; };");
    if ((setting = setting_find(group, "methods")))
        read_methods(reader, setting, profile);
    if (!reader->error)
        check_profile(reader, profile);
    reader->about[0] = '\0';
}

/* Room for one more profile, at the end; NULL without memory. */
static struct profile *more_room(struct reader *reader)
{
    struct site *site = reader->site;
    size_t count = site->profile_count;
    struct profile *profiles = realloc(site->profiles, (count + 1) * sizeof(*profiles));

    if (!profiles) {
        reader->error = -ENOMEM;
        return NULL;
    }
    site->profiles = profiles;
    profiles[count] = (struct profile){0};
    return &profiles[count];
}

/* Keeps the last profile unless one of its name is there: folders that win come first. */
static void keep_profile(struct reader *reader, size_t folder_start)
{
    struct site *site = reader->site;
    struct profile *profile = &site->profiles[site->profile_count];

    for (size_t i = 0; profile->name && i < site->profile_count; i++) {
        const struct profile *other = &site->profiles[i];

        if (!other->name || strcmp(other->name, profile->name) != 0)
            continue;
        if (i >= folder_start)
            report(
                reader, profile->place,
                "a second profile \"%s\" in one folder, the first is in %s; give one of them "
                "another name",
                profile->name, other->place.file);
        profile_deinit(profile);
        return;
    }
    site->profile_count++;
}

/* What stands behind the first name = in a file that could not be parsed; malloc'ed, or NULL.
 */
static char *name_in(const char *path)
{
    char why[128], *name = NULL;
    size_t length;
    char *text = file_read(path, CONFIG_BYTES_MOST, &length, why, sizeof(why)), *at = text;

    while (!name && at && (at = strstr(at, "name"))) {
        bool inside = at > text && !strchr(" \t\r\n;{,", at[-1]);

        at += strlen("name");
        char *value = at + strspn(at, " \t");

        if (inside || (*value != '=' && *value != ':'))
            continue;
        value += 1 + strspn(value + 1, " \t");
        if (*value == '"')
            name = strndup(value + 1, strcspn(value + 1, "\"\r\n"));
    }
    free(text);
    return name;
}

/* Its devices are not to be told, one by one, that there is no such profile. */
static void keep_name(struct reader *reader, const char *path, size_t folder_start)
{
    char *name = name_in(path);
    struct profile *profile = name ? more_room(reader) : NULL;

    if (!profile) {
        free(name);
        return;
    }
    *profile =
        (struct profile){.name = name, .place = {.file = reader_file(reader, path), .line = 1}};
    keep_profile(reader, folder_start);
}

static void read_file(struct reader *reader, const char *path, size_t folder_start)
{
    struct setting *root = config_tree(reader, path);
    const struct setting *group;
    struct profile *profile;

    if (!root) {
        keep_name(reader, path, folder_start);
        return;
    }
    reader->about[0] = '\0';
    group_read(reader, root, file_keys, COUNT_OF(file_keys), NULL);
    group = setting_find(root, "profile");
    if (!group) {
        report(
            reader, (struct place){.file = root->place.file, .line = 1},
            "there is no profile in this file; write profile = { name = ...; points = ...; };");
    } else if (setting_is(reader, group, SETTING_GROUP, "a group { }") &&
               (profile = more_room(reader))) {
        read_profile(reader, group, profile);
        keep_profile(reader, folder_start);
    }
    setting_free(root);
}

static int is_profile(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > 5 &&
           strcmp(entry->d_name + length - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_folder(struct reader *reader, const char *folder, bool must_be)
{
    struct place place = {.file = reader_file(reader, folder)};
    size_t start = reader->site->profile_count;
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_profile, by_name);

    if (count < 0 && (must_be || errno != ENOENT))
        report(reader, place, "the folder of profiles cannot be read: %s; is its name right?",
               strerror(errno));
    if (count > FOLDER_FILES_MOST)
        report(reader, place, "more than %d profiles in one folder; remove some",
               FOLDER_FILES_MOST);
    for (int i = 0; i < count; i++) {
        char *path;

        if (i < FOLDER_FILES_MOST && !reader->error) {
            if (asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0) {
                reader->error = -ENOMEM;
            } else {
                read_file(reader, path, start);
                free(path);
            }
        }
        free(entries[i]);
    }
    free(entries);
}

/* The site's own folder wins over those of --profiles, and they over the shipped one. */
void read_profiles(struct reader *reader, const char *const *folders)
{
    char *own = path_beside(reader, reader->site->file, "profiles.d");

    if (own)
        read_folder(reader, own, false);
    free(own);
    for (; folders && *folders && !reader->error; folders++)
        read_folder(reader, *folders, true);
    if (!reader->error)
        read_folder(reader, JOBGATE_PROFILE_DIR, false);
}
