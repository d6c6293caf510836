/*
 * Names: the fixed ones of a device and of a job's records, and what was probably meant.
 */
#include "jobs/condition_tree.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Roots of a twin (hub documentation, device twin properties), likely ones first. */
static const char *const device_roots[] = {
    "tags",
    "properties",
    "deviceId",
    "status",
    "statusReason",
    "statusUpdateTime",
    "connectionState",
    "lastActivityTime",
    "capabilities",
    "etag",
    "deviceEtag",
    "cloudToDeviceMessageCount",
    "authenticationType",
    "x509Thumbprint",
    "modelId",
    "version",
    NULL,
};

static const char *const record_roots[] = {
    "jobId",
    "status",
    "deviceId",
    "jobType",
    "createdDateTimeUtc",
    "lastUpdatedDateTimeUtc",
    "startTimeUtc",
    "endTimeUtc",
    "outcome",
    "error",
    NULL,
};

static const char *const sections[] = {"desired", "reported", NULL};
static const char *const capabilities[] = {"iotEdge", NULL};
static const char *const thumbprints[] = {"primaryThumbprint", "secondaryThumbprint", NULL};
/* Below desired and reported; keys of users cannot begin with $. */
static const char *const system_names[] = {"$metadata", "$version", "$lastUpdated",
                                           "$lastUpdatedVersion", NULL};

static const struct {
    const char *name;
    enum function function;
    size_t arguments;
} functions[] = {
    {"IS_DEFINED", FUNCTION_IS_DEFINED, 1},
    {"IS_NULL", FUNCTION_IS_NULL, 1},
    {"IS_STRING", FUNCTION_IS_STRING, 1},
    {"IS_NUMBER", FUNCTION_IS_NUMBER, 1},
    {"IS_BOOL", FUNCTION_IS_BOOL, 1},
    {"IS_OBJECT", FUNCTION_IS_OBJECT, 1},
    {"IS_ARRAY", FUNCTION_IS_ARRAY, 1},
    {"IS_PRIMITIVE", FUNCTION_IS_PRIMITIVE, 1},
    {"STARTS_WITH", FUNCTION_STARTS_WITH, 2},
    {"STARTSWITH", FUNCTION_STARTS_WITH, 2},
    {"ENDS_WITH", FUNCTION_ENDS_WITH, 2},
    {"ENDSWITH", FUNCTION_ENDS_WITH, 2},
    {"CONTAINS", FUNCTION_CONTAINS, 2},
    {"LOWER", FUNCTION_LOWER, 1},
    {"UPPER", FUNCTION_UPPER, 1},
    {"LENGTH", FUNCTION_LENGTH, 1},
    {"ABS", FUNCTION_ABS, 1},
    {"ARRAY_CONTAINS", FUNCTION_ARRAY_CONTAINS, 2},
};

enum { FUNCTIONS = sizeof(functions) / sizeof(functions[0]), NAME_MOST = 32 };

bool condition_is_word(const char *bytes, size_t size, const char *word)
{
    return strlen(word) == size && strncasecmp(bytes, word, size) == 0;
}

void condition_clean_text(char *text)
{
    while (*text != '\0') {
        size_t size = text_character(text, strlen(text));

        if (size == 0) /* names were cut to fit, perhaps inside a character */
            *text = '?';
        else if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = ' ';
        else if (*text == ';')
            *text = ',';
        text += size > 1 ? size : 1;
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to insert, drop or change until one name is the other, in any case (Levenshtein). */
static size_t distance(const char *a, size_t size, const char *b)
{
    size_t row[NAME_MOST + 1], length = strlen(b);

    if (size > NAME_MOST || length > NAME_MOST)
        return NAME_MOST;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; i <= size; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t change = corner + (strncasecmp(&a[i - 1], &b[j - 1], 1) != 0);

            corner = row[j];
            row[j] = least(change, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[length];
}

/* The closest of the names, or NULL when none is close. */
static const char *nearest(const char *const *names, const char *name, size_t size)
{
    const char *found = NULL;
    size_t best = size / 3 + 2; /* property is three letters from properties */

    for (; *names; names++) {
        size_t far = distance(name, size, *names);

        if (far < best && far < size) {
            best = far;
            found = *names;
        }
    }
    return found;
}

static const char *canonical(const char *const *names, const struct condition_segment *segment)
{
    for (; segment->name && *names; names++) {
        if (condition_is_word(segment->name, segment->size, *names))
            return *names;
    }
    return NULL;
}

static bool settle(const char *const *names, struct condition_segment *segment)
{
    const char *name = canonical(names, segment);

    if (name)
        segment->name = name;
    return name != NULL;
}

/* The names that stand fixed below a root of a device. */
static void settle_below(struct condition_segment *segments, size_t count, char *hint)
{
    const char *root = segments[0].name;

    if (count < 2)
        return;
    if (strcmp(root, "capabilities") == 0)
        (void)settle(capabilities, &segments[1]);
    if (strcmp(root, "x509Thumbprint") == 0)
        (void)settle(thumbprints, &segments[1]);
    if (strcmp(root, "properties") != 0)
        return;
    if (!settle(sections, &segments[1]) && segments[1].name)
        (void)snprintf(
            hint, CONDITION_TEXT_SIZE,
            "properties has only desired and reported: write properties.reported.%.40s "
            "or properties.desired.%.40s",
            segments[1].name, segments[1].name);
    for (size_t i = 2; i < count; i++)
        (void)settle(system_names, &segments[i]);
}

static void explain_root(const struct condition_segment *root, const char *near,
                         enum query_collection collection, char *hint)
{
    if (near)
        (void)snprintf(hint, CONDITION_TEXT_SIZE,
                       "\"%.40s\" is not a member of %s: did you mean %s?", root->name,
                       collection == QUERY_DEVICES ? "a device" : "devices.jobs", near);
    else if (collection == QUERY_DEVICES)
        (void)snprintf(hint, CONDITION_TEXT_SIZE,
                       "\"%.40s\" is not a member of a device: write tags.%.40s for a tag, or "
                       "'%.40s' for text",
                       root->name, root->name, root->name);
    else
        (void)snprintf(hint, CONDITION_TEXT_SIZE,
                       "\"%.40s\" is not a member of devices.jobs: there are jobId, deviceId, "
                       "jobType, status, startTimeUtc, endTimeUtc, createdDateTimeUtc",
                       root->name);
}

void condition_settle_path(struct condition_segment *segments, size_t count,
                           enum query_collection collection, char hint[CONDITION_TEXT_SIZE])
{
    const char *const *roots = collection == QUERY_DEVICES ? device_roots : record_roots;
    char text[CONDITION_TEXT_SIZE] = "";

    if (collection == QUERY_DEVICES_JOBS &&
        condition_is_word(segments[0].name, segments[0].size, "createdTimeUtc")) {
        segments[0].name = "createdDateTimeUtc";
        segments[0].size = strlen(segments[0].name);
    }
    if (!settle(roots, &segments[0]))
        explain_root(&segments[0], nearest(roots, segments[0].name, segments[0].size),
                     collection, text);
    else if (collection == QUERY_DEVICES)
        settle_below(segments, count, text);
    if (text[0] != '\0' && hint[0] == '\0') {
        condition_clean_text(text);
        memcpy(hint, text, CONDITION_TEXT_SIZE);
    }
}

int condition_find_function(const char *bytes, size_t size, enum function *ret,
                            size_t *ret_arguments, const char **ret_near)
{
    const char *names[FUNCTIONS + 1] = {NULL};

    for (size_t i = 0; i < FUNCTIONS; i++) {
        names[i] = functions[i].name;
        if (condition_is_word(bytes, size, functions[i].name)) {
            *ret = functions[i].function;
            *ret_arguments = functions[i].arguments;
            *ret_near = functions[i].name;
            return 0;
        }
    }
    *ret_near = nearest(names, bytes, size);
    return 1;
}

struct condition_value condition_plain_status(struct condition_value value)
{
    if (value.type == CONDITION_STRING && value.fold == CONDITION_AS_IS) {
        if (value.string.size == 9 && memcmp(value.string.bytes, "cancelled", 9) == 0)
            return condition_value_string("canceled");
        if (value.string.size == 7 && memcmp(value.string.bytes, "pending", 7) == 0)
            return condition_value_string("scheduled");
    }
    return value;
}
