/*
 * What must be unique among all devices: their ids, and their units on a line; and what a group
 * asks of the profiles.
 */
#include "site/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int by_id(const void *a, const void *b, void *devices)
{
    size_t one = *(const size_t *)a, other = *(const size_t *)b;
    const char *id = ((const struct device *)devices)[one].id;
    const char *other_id = ((const struct device *)devices)[other].id;
    int order = id && other_id ? strcmp(id, other_id) : !id - !other_id;

    return order ? order : (one > other) - (one < other);
}

static int by_unit(const void *a, const void *b, void *devices)
{
    size_t one = *(const size_t *)a, other = *(const size_t *)b;
    const struct device *first = &((const struct device *)devices)[one];
    const struct device *second = &((const struct device *)devices)[other];

    if (first->line != second->line)
        return first->line < second->line ? -1 : 1;
    if (first->unit != second->unit)
        return first->unit < second->unit ? -1 : 1;
    return (one > other) - (one < other);
}

/* The same file, or another: "line 12", "line 12 of devices.csv". */
static const char *said_at(const struct device *device, const struct device *from, char *text,
                           size_t size)
{
    if (device->place.file == from->place.file)
        snprintf(text, size, "line %u", device->place.line);
    else
        snprintf(text, size, "line %u of %s", device->place.line, device->place.file);
    return text;
}

static void check_ids(struct reader *reader, const size_t *sorted)
{
    const struct device *devices = reader->site->devices;
    char where[300];

    for (size_t i = 1; i < reader->site->device_count; i++) {
        const struct device *device = &devices[sorted[i]], *other = &devices[sorted[i - 1]];

        if (device->id && other->id && strcmp(device->id, other->id) == 0)
            report(
                reader, device->place,
                "the id \"%s\" is taken already by unit %u (%s); give each device its own id",
                device->id, other->unit, said_at(other, device, where, sizeof(where)));
    }
}

static void check_units(struct reader *reader, const size_t *sorted)
{
    const struct site *site = reader->site;
    char where[300];

    for (size_t i = 1; i < site->device_count; i++) {
        const struct device *device = &site->devices[sorted[i]];
        const struct device *other = &site->devices[sorted[i - 1]];

        if (device->line == SITE_NONE || device->line != other->line ||
            device->unit != other->unit)
            continue;
        report(
            reader, device->place,
            "unit %u on line \"%s\" is \"%s\" already (%s); two devices with one unit answer "
            "both at once, change a unit",
            device->unit, site->lines[device->line].name, other->id ? other->id : "?",
            said_at(other, device, where, sizeof(where)));
    }
}

static void check_telemetry(struct reader *reader)
{
    const struct site *site = reader->site;

    if (!site->iothub || !site->iothub->telemetry)
        return;
    for (size_t i = 0; i < site->profile_count; i++) {
        for (size_t k = 0; k < site->profiles[i].point_count; k++) {
            if (site->profiles[i].points[k].poll_ms > 0)
                return;
        }
    }
    warn(reader, site->iothub->telemetry_place,
         "iothub: telemetry sends what is polled, and no point is; give the points that shall "
         "be sent poll = SECONDS; in their profile");
}

void check_devices(struct reader *reader)
{
    struct site *site = reader->site;
    size_t *sorted = reader_items(reader, site->device_count, sizeof(*sorted));

    if (!sorted)
        return;
    reader->about[0] = '\0';
    for (size_t i = 0; i < site->device_count; i++)
        sorted[i] = i;
    if (site->device_count) {
        qsort_r(sorted, site->device_count, sizeof(*sorted), by_unit, site->devices);
        check_units(reader, sorted);
        qsort_r(sorted, site->device_count, sizeof(*sorted), by_id, site->devices);
        check_ids(reader, sorted);
    }
    site->by_id = sorted;
    check_telemetry(reader);
}
