/*
 * Devices: from the list of the main file, one entry for a unit or for a range of units.
 */
#include "site/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEVICES_MOST = 65535, UNITS_MOST = 256, ID_MOST = 128 };

struct entry {
    char *id, *line, *profile, *units;
};

static const struct key device_keys[] = {
    {"id", KEY_TEXT, offsetof(struct entry, id), 0, 0},
    {"line", KEY_TEXT, offsetof(struct entry, line), 0, 0},
    {"profile", KEY_TEXT, offsetof(struct entry, profile), 0, 0},
    {"units", KEY_TEXT, offsetof(struct entry, units), 0, 0},
    {.name = "unit"},
    {.name = "tags"},
};

static size_t find_line(struct reader *reader, const struct device_draft *draft)
{
    const struct site *site = reader->site;
    struct names names = {.count = 0};
    char advice[200];

    for (size_t i = 0; i < site->line_count; i++) {
        if (!site->lines[i].name)
            continue;
        if (strcmp(site->lines[i].name, draft->line) == 0)
            return i;
        names_add(&names, site->lines[i].name);
    }
    if (names.count == 0) /* no line could be read, which was said */
        return SITE_NONE;
    report(reader, draft->place, "unknown line \"%.64s\"; %s", draft->line,
           names_advice(&names, draft->line, advice, sizeof(advice)));
    return SITE_NONE;
}

static size_t find_profile(struct reader *reader, const struct device_draft *draft)
{
    const struct site *site = reader->site;
    struct names names = {.count = 0};
    char advice[300];

    for (size_t i = 0; i < site->profile_count; i++) {
        if (!site->profiles[i].name)
            continue;
        if (strcmp(site->profiles[i].name, draft->profile) == 0)
            return i;
        names_add(&names, site->profiles[i].name);
    }
    report(reader, draft->place, "unknown profile \"%.64s\"; %s", draft->profile,
           names_advice(&names, draft->profile, advice, sizeof(advice)));
    return SITE_NONE;
}

static void check_unit(struct reader *reader, const struct device_draft *draft,
                       const struct line_config *line)
{
    const struct adapter *adapter = line->adapter;
    char also[20] = "";

    if (!adapter || (draft->unit >= adapter->unit_least && draft->unit <= adapter->unit_most) ||
        (adapter->unit_also && draft->unit == adapter->unit_also))
        return;
    if (adapter->unit_also)
        snprintf(also, sizeof(also), " and %u", adapter->unit_also);
    report(reader, draft->place, "unit %lld does not exist on a %s line; units are %u to %u%s",
           (long long)draft->unit, adapter->name, adapter->unit_least, adapter->unit_most,
           also);
}

static struct device *more_room(struct reader *reader)
{
    struct site *site = reader->site;
    size_t count = site->device_count;
    struct device *devices;

    if (count & (count - 1)) /* grown at each power of two */
        return site->devices;
    devices = realloc(site->devices, (count ? count * 2 : 1) * sizeof(*devices));
    if (!devices) {
        reader->error = -ENOMEM;
        return NULL;
    }
    site->devices = devices;
    return devices;
}

/* Fields that are wrong were reported; the device is kept for the checks that follow. */
void device_add(struct reader *reader, const struct device_draft *draft)
{
    struct site *site = reader->site;
    struct device device = {.unit = (uint8_t)draft->unit, .place = draft->place};

    if (reader->error)
        return;
    if (site->device_count == DEVICES_MOST) {
        if (site->devices[DEVICES_MOST - 1].id) /* once */
            report(reader, draft->place, "more than %d devices; use several gateways",
                   DEVICES_MOST);
        free(site->devices[DEVICES_MOST - 1].id);
        site->devices[DEVICES_MOST - 1].id = NULL;
        return;
    }
    if (draft->id && !id_is_good(draft->id, ID_MOST)) {
        report(reader, draft->place,
               "id \"%.140s\" is no device id; it may hold A-Z a-z 0-9 . _ : - and at most %d "
               "of them",
               draft->id, ID_MOST);
    }
    device.line = draft->line ? find_line(reader, draft) : SITE_NONE;
    device.profile = draft->profile ? find_profile(reader, draft) : SITE_NONE;
    if (device.line != SITE_NONE)
        check_unit(reader, draft, &site->lines[device.line]);
    if (!more_room(reader))
        return;
    device.id = draft->id ? reader_text(reader, draft->id) : NULL;
    device.tags = draft->tags ? json_incref(draft->tags) : json_object();
    if (!device.tags)
        reader->error = -ENOMEM;
    site->devices[site->device_count++] = device;
}

/* "1-5,8": each unit once, in the order written. False after a problem. */
static bool parse_units(struct reader *reader, const struct setting *setting, const char *text,
                        int64_t *units, size_t *count)
{
    bool taken[UNITS_MOST] = {false};
    const char *at = text;

    *count = 0;
    for (;;) {
        unsigned long first, last;
        char *end;

        at += strspn(at, " ");
        if (*at < '0' || *at > '9')
            break;
        first = last = strtoul(at, &end, 10);
        at = end + strspn(end, " ");
        if (*at == '-') {
            at += 1 + strspn(at + 1, " ");
            if (*at < '0' || *at > '9')
                break;
            last = strtoul(at, &end, 10);
            at = end + strspn(end, " ");
        }
        if (last < first) {
            report(reader, setting->place,
                   "units \"%.40s\": %lu-%lu runs backwards; write %lu-%lu", text, first, last,
                   last, first);
            return false;
        }
        if (last >= UNITS_MOST) {
            report(reader, setting->place,
                   "units \"%.40s\": there is no unit %lu; units end at "
                   "247 (RTU) and 255 (TCP)",
                   text, last);
            return false;
        }
        for (; first <= last; first++) {
            if (taken[first]) {
                report(reader, setting->place,
                       "units \"%.40s\": unit %lu stands there twice; "
                       "write it once",
                       text, first);
                return false;
            }
            taken[first] = true;
            units[(*count)++] = (int64_t)first;
        }
        if (*at == '\0')
            return true;
        if (*at++ != ',')
            break;
    }
    report(reader, setting->place,
           "units is \"%.40s\"; write numbers and ranges, such as "
           "\"1-31\" or \"1-5,8\"",
           text);
    return false;
}

/* `id` with its hashes replaced by the number; false: it has more than one group of them. */
static bool fill_id(const char *id, int64_t number, char *text, size_t size)
{
    size_t before = strcspn(id, "#"), width = strspn(id + before, "#");
    const char *rest = id + before + width;

    if (strchr(rest, '#'))
        return false;
    if (width == 0)
        snprintf(text, size, "%s", id);
    else
        snprintf(text, size, "%.*s%0*lld%s", (int)before, id, (int)(width > 20 ? 20 : width),
                 (long long)number, rest);
    return true;
}

static void add_units(struct reader *reader, const struct setting *group,
                      const struct entry *entry, struct device_draft *draft,
                      const int64_t *units, size_t count)
{
    const struct setting *id = setting_find(group, "id");
    size_t errors;
    char text[300];

    if (entry->id && count > 1 && !strchr(entry->id, '#')) {
        report(reader, id->place,
               "id is \"%.130s\" for %zu units; write # where the unit's number goes: "
               "\"%.100s-##\"",
               entry->id, count, entry->id);
        return;
    }
    if (entry->id && strlen(entry->id) > (size_t)2 * ID_MOST) {
        report(reader, id->place, "the id is longer than %d; shorten it", ID_MOST);
        return;
    }
    for (size_t i = 0; i < count && !reader->error; i++) {
        draft->unit = units[i];
        draft->id = NULL;
        if (entry->id && !fill_id(entry->id, units[i], text, sizeof(text))) {
            report(reader, id->place, "id is \"%.130s\"; write the hashes in one place only",
                   entry->id);
            return;
        }
        if (entry->id)
            draft->id = text;
        errors = reader->problems->errors;
        device_add(reader, draft);
        /* One bad range is one problem: an unknown line or profile is not said 31 times. */
        if (reader->problems->errors != errors)
            return;
    }
}

static void say_missing(struct reader *reader, const struct setting *group)
{
    static const char *const needed[] = {"id", "line", "profile"};
    static const char *const examples[] = {"floor3-room-##", "floor3", "room-controller"};

    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        if (!setting_find(group, needed[i]))
            report(reader, group->place, "%s is missing; write %s = \"%s\";", needed[i],
                   needed[i], examples[i]);
    }
}

static void read_entry(struct reader *reader, const struct setting *group)
{
    const struct setting *unit = setting_find(group, "unit"),
                         *units = setting_find(group, "units");
    const struct setting *tags = setting_find(group, "tags");
    struct device_draft draft = {.place = group->place};
    struct entry entry = {NULL, NULL, NULL, NULL};
    int64_t numbers[UNITS_MOST];
    size_t count = 0;

    group_read(reader, group, device_keys, COUNT_OF(device_keys), &entry);
    if (entry.id)
        reader_about(reader, "device \"%.100s\": ", entry.id);
    say_missing(reader, group);
    if (tags && setting_is(reader, tags, SETTING_GROUP, "a group such as { floor = 3; }"))
        draft.tags = setting_json(reader, tags, true);
    if (!unit == !units)
        report(reader, group->place,
               "%s; write unit = 7 for one device, or units = \"1-31\" for "
               "one each",
               unit ? "unit and units are both given" : "unit is missing");
    else if (unit && setting_integer(reader, unit, 0, 255, &numbers[0]))
        count = 1;
    else if (units && entry.units && !parse_units(reader, units, entry.units, numbers, &count))
        count = 0;
    draft.line = entry.line;
    draft.profile = entry.profile;
    add_units(reader, group, &entry, &draft, numbers, count);
    json_decref(draft.tags);
    free(entry.id);
    free(entry.line);
    free(entry.profile);
    free(entry.units);
}

void read_devices(struct reader *reader, const struct setting *list)
{
    if (!setting_is(reader, list, SETTING_LIST, "a list ( { ... }, { ... } )"))
        return;
    for (size_t i = 0; i < list->count && !reader->error; i++) {
        reader_about(reader, "device: ");
        if (setting_is(reader, &list->items[i], SETTING_GROUP, "a group { }"))
            read_entry(reader, &list->items[i]);
    }
}
