/*
 * The main file as a whole: its order of reading, and the keys that concern the gateway.
 */
#include "site/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct key gateway_keys[] = {
    {.name = "id", .type = KEY_TEXT, .offset = offsetof(struct site, id)},
    {.name = "state", .type = KEY_PATH, .offset = offsetof(struct site, state)},
    {.name = "timezone", .type = KEY_TEXT, .offset = offsetof(struct site, timezone)},
    {.name = "clock", .type = KEY_OTHER},
};

static const struct key store_keys[] = {
    {"retention_days", KEY_UNSIGNED, offsetof(struct store_config, retention_days), 1, 3650},
    {"max_jobs", KEY_UNSIGNED, offsetof(struct store_config, max_jobs), 1, 1000},
    {"max_waiting", KEY_UNSIGNED, offsetof(struct store_config, max_waiting), 1, 65535},
    {"outbox_mb", KEY_UNSIGNED, offsetof(struct store_config, outbox_mb), 1, 16384},
};

static const struct key main_keys[] = {
    {.name = "gateway"}, {.name = "store"}, {.name = "iothub"},  {.name = "broker"},
    {.name = "api"},     {.name = "lines"}, {.name = "devices"}, {.name = "devices_file"},
};

static bool timezone_exists(const char *name)
{
    static const char folder[] = "/usr/share/zoneinfo";
    struct stat status;
    char path[256];

    if (stat(folder, &status) < 0) /* a system without the table cannot say */
        return true;
    if (*name == '/' || strstr(name, "..") || strlen(name) > 100)
        return false;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static void read_clock(struct reader *reader, const struct setting *setting)
{
    if (!setting_is(reader, setting, SETTING_TEXT, "\"auto\" or \"trust\""))
        return;
    reader->site->clock_trust = strcmp(setting->text, "trust") == 0;
    if (!reader->site->clock_trust && strcmp(setting->text, "auto") != 0)
        report(reader, setting->place, "clock is \"%s\"; it must be \"auto\" or \"trust\"",
               setting->text);
}

void read_gateway(struct reader *reader, const struct setting *root)
{
    const struct setting *group = setting_find(root, "gateway"), *setting;
    struct site *site = reader->site;
    struct stat status;

    reader_about(reader, "gateway: ");
    if (!group) {
        report(reader, (struct place){.file = root->place.file, .line = 1},
               "there is no gateway group; write gateway = { id = \"building-43\"; };");
        return;
    }
    if (!setting_is(reader, group, SETTING_GROUP, "a group { }"))
        return;
    site->place = group->place;
    group_read(reader, group, gateway_keys, COUNT_OF(gateway_keys), site);
    setting = setting_find(group, "id");
    if (!setting)
        report(reader, group->place, "id is missing; write id = \"building-43\";");
    else if (site->id && !id_is_good(site->id, 128))
        report(reader, setting->place,
               "id is \"%.140s\"; it may hold A-Z a-z 0-9 . _ : - and at most 128 of them",
               site->id);
    setting = setting_find(group, "state");
    if (setting && site->state && stat(site->state, &status) == 0 && !S_ISDIR(status.st_mode))
        report(reader, setting->place,
               "state \"%.200s\" is no folder; name one, it is made where it is missing",
               site->state);
    setting = setting_find(group, "timezone");
    if (setting && site->timezone && !timezone_exists(site->timezone))
        report(reader, setting->place,
               "there is no timezone \"%.100s\"; write one such as \"Europe/Berlin\" "
               "(timedatectl list-timezones)",
               site->timezone);
    setting = setting_find(group, "clock");
    if (setting)
        read_clock(reader, setting);
}

static void read_store(struct reader *reader, const struct setting *group)
{
    reader_about(reader, "store: ");
    if (setting_is(reader, group, SETTING_GROUP, "a group { }"))
        group_read(reader, group, store_keys, COUNT_OF(store_keys), &reader->site->store);
}

static bool set_defaults(struct reader *reader)
{
    struct site *site = reader->site;

    site->state = reader_text(reader, "/var/lib/jobgate");
    site->api.socket = reader_text(reader, SITE_SOCKET);
    site->store = (struct store_config){
        .retention_days = 30, .max_jobs = 32, .max_waiting = 1000, .outbox_mb = 64};
    return reader->error == 0;
}

/* Reads one part of the main file where it is there. */
static void read_part(struct reader *reader, const struct setting *root, const char *name,
                      void (*read)(struct reader *, const struct setting *))
{
    const struct setting *setting = setting_find(root, name);

    reader->about[0] = '\0';
    if (setting && !reader->error)
        read(reader, setting);
    reader->about[0] = '\0';
}

static void read_main(struct reader *reader, const struct setting *root)
{
    struct place start = {.file = root->place.file, .line = 1};

    group_read(reader, root, main_keys, COUNT_OF(main_keys), NULL);
    read_gateway(reader, root);
    read_part(reader, root, "store", read_store);
    read_part(reader, root, "broker", read_broker);
    read_part(reader, root, "iothub", read_iothub);
    read_part(reader, root, "api", read_api);
    read_part(reader, root, "lines", read_lines);
    read_part(reader, root, "devices", read_devices);
    read_part(reader, root, "devices_file", read_devices_file);
    if (!setting_find(root, "lines"))
        report(reader, start,
               "there are no lines; write lines = ( { name = \"floor3\"; "
               "adapter = \"modbus-rtu\"; port = \"/dev/serial/by-id/...\"; } );");
    if (!setting_find(root, "devices") && !setting_find(root, "devices_file"))
        report(reader, start,
               "there are no devices; write devices = ( ... ); or devices_file = "
               "\"devices.csv\";");
}

static void load(struct reader *reader, const struct site_source *source)
{
    struct site *site = reader->site;
    struct setting *root;

    site->file = reader_text(reader, source->config ? source->config : SITE_MAIN_FILE);
    if (!site->file || !set_defaults(reader))
        return;
    root = config_tree(reader, site->file);
    read_profiles(reader, source->profile_dirs);
    reader->about[0] = '\0';
    if (root && !reader->error)
        read_main(reader, root);
    setting_free(root);
    if (reader->error)
        return;
    check_devices(reader);
    reader->about[0] = '\0';
    if (source->lines_dir && !reader->error)
        read_lines_dir(reader, source->lines_dir);
}

int site_load(struct site **ret, const struct site_source *source, struct problems *problems)
{
    struct reader reader = {.problems = problems, .site = calloc(1, sizeof(*reader.site))};

    if (!reader.site)
        return -ENOMEM;
    load(&reader, source);
    if (!reader.error && problems->errors == 0) {
        *ret = reader.site;
        return 0;
    }
    site_free(reader.site);
    return reader.error ? reader.error : SITE_E_PROBLEMS;
}
