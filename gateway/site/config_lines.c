/*
 * Lines: one serial bus or one Modbus TCP endpoint each.
 */
#include "site/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MOST = 300 }; /* more than 65,535 units need */

#define LINE(key, type, field, ...)                                                            \
    {                                                                                          \
        key, type, offsetof(struct line_config, field), __VA_ARGS__                            \
    }

static const struct key common_keys[] = {
    LINE("name", KEY_TEXT, name, 0, 0),
    {.name = "adapter"},
    {.name = "port"},
    LINE("timeout_ms", KEY_MS_AS_US, timeout_us, 1, 60000),
    LINE("timeout_min_ms", KEY_MS_AS_US, timeout_min_us, 1, 60000),
    LINE("retries", KEY_UNSIGNED, retries, 0, 10),
    LINE("gap_ms", KEY_MS_AS_US, gap_us, 0, 10000),
    {.name = "baud"},
    {.name = "mode"},
    {.name = "rs485"},
    {.name = "broadcast_ms"},
    {.name = "host"},
};

static const struct key serial_keys[] = {
    LINE("port", KEY_TEXT, port, 0, 0),
    LINE("baud", KEY_UNSIGNED, settings.baud, 1, 10000000),
    LINE("rs485", KEY_FLAG, settings.rs485, 0, 0),
    LINE("broadcast_ms", KEY_MS_AS_US, broadcast_us, 0, 10000),
};

static const struct key tcp_keys[] = {
    LINE("port", KEY_U16, settings.tcp_port, 1, 65535),
    LINE("host", KEY_TEXT, host, 0, 0),
};

/* "8E1": data bits, parity, stop bits. */
static void read_mode(struct reader *reader, const struct setting *setting,
                      struct adapter_settings *settings)
{
    const char *text = setting->text;

    if (!setting_is(reader, setting, SETTING_TEXT, "text such as \"8E1\""))
        return;
    if (strlen(text) != 3 || !strchr("78", text[0]) || !strchr("NEO", text[1]) ||
        !strchr("12", text[2])) {
        report(reader, setting->place,
               "mode is \"%.20s\"; write data bits, parity (N, E or O) and stop bits, such as "
               "\"8E1\", \"8N1\" or \"8N2\"",
               text);
        return;
    }
    settings->data_bits = (uint8_t)(text[0] - '0');
    settings->parity = text[1];
    settings->stop_bits = (uint8_t)(text[2] - '0');
}

/* Keys that only the other sort of line has would be read by nobody. */
static void refuse_keys(struct reader *reader, const struct setting *group, const char *kind,
                        const char *const *names)
{
    for (; *names; names++) {
        const struct setting *setting = setting_find(group, *names);

        if (setting)
            report(reader, setting->place, "%s has no meaning on a %s line; remove it", *names,
                   kind);
    }
}

/* The rows of `keys` that stand in the group; what is unknown was said before. */
static void read_known(struct reader *reader, const struct setting *group,
                       const struct key *keys, size_t count, struct line_config *line)
{
    for (size_t i = 0; i < count; i++) {
        const struct setting *setting = setting_find(group, keys[i].name);

        if (setting)
            group_read(reader,
                       &(struct setting){.items = (struct setting[]){*setting}, .count = 1},
                       keys, count, line);
    }
}

void line_defaults(struct line_config *line, const struct adapter *adapter)
{
    bool tcp = adapter && !adapter->serial;

    *line = (struct line_config){.adapter = adapter,
                                 .timeout_us = tcp ? 1000000 : 500000,
                                 .timeout_min_us = 30000,
                                 .retries = tcp ? 1 : 2};
    if (tcp)
        line->settings.tcp_port = 502;
    else
        line->settings = (struct adapter_settings){
            .baud = 19200, .data_bits = 8, .parity = 'E', .stop_bits = 1};
}

static void read_serial(struct reader *reader, const struct setting *group,
                        struct line_config *line)
{
    static const char *const foreign[] = {"host", NULL};
    const struct setting *mode = setting_find(group, "mode"),
                         *port = setting_find(group, "port");

    refuse_keys(reader, group, "serial", foreign);
    read_known(reader, group, serial_keys, COUNT_OF(serial_keys), line);
    if (mode)
        read_mode(reader, mode, &line->settings);
    if (!port)
        report(
            reader, group->place,
            "port is missing; write port = \"/dev/serial/by-id/...\" (ls /dev/serial/by-id)");
    else if (line->port && line->port[0] != '/')
        report(reader, port->place,
               "port is \"%.100s\"; write a whole path, such as \"/dev/serial/by-id/...\"",
               line->port);
    else if (line->port && strncmp(line->port, "/dev/ttyUSB", 11) == 0)
        warn(reader, port->place,
             "\"%.60s\" changes its number when adapters are plugged in another order; use its "
             "name in /dev/serial/by-id/ instead",
             line->port);
}

static void read_tcp(struct reader *reader, const struct setting *group,
                     struct line_config *line)
{
    static const char *const foreign[] = {"baud", "mode", "rs485", "broadcast_ms", NULL};
    const struct setting *host = setting_find(group, "host");

    refuse_keys(reader, group, "TCP", foreign);
    read_known(reader, group, tcp_keys, COUNT_OF(tcp_keys), line);
    if (!host)
        report(reader, group->place, "host is missing; write host = \"192.0.2.10\";");
    else if (line->host && !host_is_good(line->host))
        report(reader, host->place,
               "host is \"%.100s\"; write a name or an address alone, such as \"192.0.2.10\"; "
               "the port stands in port = 502",
               line->host);
}

static const struct adapter *read_adapter(struct reader *reader, const struct setting *group)
{
    const struct setting *setting = setting_find(group, "adapter");
    struct names names = {.count = 0};
    const struct adapter *adapter;
    char advice[200];

    if (!setting) {
        report(reader, group->place, "adapter is missing; write adapter = \"modbus-rtu\";");
        return NULL;
    }
    if (!setting_is(reader, setting, SETTING_TEXT, "text such as \"modbus-rtu\""))
        return NULL;
    adapter = adapter_find(setting->text);
    if (adapter)
        return adapter;
    for (size_t i = 0; adapters[i]; i++)
        names_add(&names, adapters[i]->name);
    report(reader, setting->place, "unknown adapter \"%.60s\"; %s", setting->text,
           names_advice(&names, setting->text, advice, sizeof(advice)));
    return NULL;
}

struct adapter_said {
    struct reader *reader;
    const struct setting *group;
    bool place_said; /* what is wrong with port or host was said already */
};

static void adapter_problem(void *ctx, const char *key, const char *text)
{
    struct adapter_said *said = ctx;
    const struct setting *setting = key ? setting_find(said->group, key) : NULL;
    bool place = key && (strcmp(key, "port") == 0 || strcmp(key, "host") == 0);

    if (place && said->place_said)
        return;
    report(said->reader, (setting ? setting : said->group)->place, "%s", text);
}

static void check_name(struct reader *reader, const struct setting *group, size_t index)
{
    const struct line_config *line = &reader->site->lines[index];
    const struct setting *setting = setting_find(group, "name");

    if (!setting) {
        report(reader, group->place, "name is missing; write name = \"floor3\";");
        return;
    }
    if (!line->name)
        return;
    if (!id_is_good(line->name, 64) ||
        line->name[0] == '.') /* it names a file of the simulator */
        report(reader, setting->place,
               "name is \"%.80s\"; it may hold A-Z a-z 0-9 . _ : - and at most 64 of them",
               line->name);
    for (size_t i = 0; i < index; i++) {
        const struct line_config *other = &reader->site->lines[i];

        if (other->name && strcmp(other->name, line->name) == 0)
            report(reader, setting->place,
                   "a second line \"%.64s\", the first is in line %u; give it another name",
                   line->name, other->place.line);
    }
}

static void check_port(struct reader *reader, const struct setting *group, size_t index)
{
    const struct line_config *line = &reader->site->lines[index];
    const struct setting *setting = setting_find(group, "port");

    for (size_t i = 0; line->port && i < index; i++) {
        const struct line_config *other = &reader->site->lines[i];

        if (other->port && strcmp(other->port, line->port) == 0)
            report(reader, setting ? setting->place : group->place,
                   "the port is the one of line \"%s\"; one port is one line",
                   other->name ? other->name : "?");
    }
    for (size_t i = 0; line->host && i < index; i++) {
        const struct line_config *other = &reader->site->lines[i];

        if (other->host && strcasecmp(other->host, line->host) == 0 &&
            other->settings.tcp_port == line->settings.tcp_port)
            warn(reader, group->place,
                 "the endpoint is the one of line \"%s\"; requests then come to it side by "
                 "side, so put the devices on one line unless it is made for that",
                 other->name ? other->name : "?");
    }
}

static void read_line(struct reader *reader, const struct setting *group, size_t index)
{
    struct line_config *line = &reader->site->lines[index];
    const struct setting *name = setting_find(group, "name");
    size_t errors;

    if (name && name->kind == SETTING_TEXT)
        reader_about(reader, "line \"%.64s\": ", name->text);
    else
        reader_about(reader, "line: ");
    line_defaults(line, read_adapter(reader, group));
    line->place = group->place;
    errors = reader->problems->errors;
    if (line->adapter && line->adapter->serial)
        read_serial(reader, group, line);
    else if (line->adapter)
        read_tcp(reader, group, line);
    group_read(reader, group, common_keys, COUNT_OF(common_keys), line);
    check_name(reader, group, index);
    if (line->timeout_min_us > line->timeout_us) {
        if (setting_find(group, "timeout_min_ms"))
            report(reader, setting_find(group, "timeout_min_ms")->place,
                   "timeout_min_ms is above timeout_ms; it is the least that the learned "
                   "time-out may become");
        else
            line->timeout_min_us = line->timeout_us;
    }
    line->settings.line = line->name;
    line->settings.port = line->port;
    line->settings.host = line->host;
    if (line->adapter && !reader->error) {
        struct adapter_said said = {reader, group,
                                    .place_said = reader->problems->errors != errors};

        line->adapter->check(&line->settings, adapter_problem, &said);
    }
    check_port(reader, group, index);
}

void read_lines(struct reader *reader, const struct setting *list)
{
    struct site *site = reader->site;

    if (!setting_is(reader, list, SETTING_LIST, "a list ( { ... }, { ... } )"))
        return;
    if (list->count > LINES_MOST) {
        report(reader, list->place, "%zu lines; write at most %d", list->count, LINES_MOST);
        return;
    }
    if (list->count == 0) { /* as the package installs it */
        warn(reader, list->place,
             "no lines yet; the gateway can start and has nobody to speak to");
        return;
    }
    site->lines = reader_items(reader, list->count, sizeof(*site->lines));
    if (!site->lines)
        return;
    for (size_t i = 0; i < list->count && !reader->error; i++) {
        site->line_count = i + 1;
        reader->about[0] = '\0';
        if (setting_is(reader, &list->items[i], SETTING_GROUP, "a group { }"))
            read_line(reader, &list->items[i], i);
    }
}

static void take_endpoint(struct reader *reader, struct line_config *line, const json_t *entry,
                          const char *file)
{
    const char *host = json_string_value(json_object_get(entry, "host"));
    const json_t *port = json_object_get(entry, "port");
    char **at = line->adapter->serial ? &line->port : &line->host;
    const char *text = line->adapter->serial ? json_string_value(port) : host;

    if (!text || (!line->adapter->serial &&
                  (json_integer_value(port) < 1 || json_integer_value(port) > 65535))) {
        problem_add(reader->problems, (struct place){.file = file},
                    "line \"%s\" is not played there; start jobgate sim with the same site",
                    line->name);
        return;
    }
    free(*at);
    *at = reader_text(reader, text);
    if (!line->adapter->serial)
        line->settings.tcp_port = (uint16_t)json_integer_value(port);
    line->settings.port = line->port;
    line->settings.host = line->host;
}

/* Ports and endpoints as a simulator says them, in place of the real ones. */
void read_lines_dir(struct reader *reader, const char *dir)
{
    struct site *site = reader->site;
    json_error_t error;
    json_t *root;
    char *path;
    const char *file;

    if (asprintf(&path, "%s/lines.json", dir) < 0) {
        reader->error = -ENOMEM;
        return;
    }
    file = reader_file(reader, path);
    root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        problem_add(reader->problems, (struct place){.file = file},
                    "%s; is jobgate sim --dir %s running?", error.text, dir);
    for (size_t i = 0; root && i < site->line_count && !reader->error; i++) {
        struct line_config *line = &site->lines[i];

        if (line->name && line->adapter)
            take_endpoint(reader, line,
                          json_object_get(json_object_get(root, "lines"), line->name), file);
    }
    json_decref(root);
    free(path);
}
