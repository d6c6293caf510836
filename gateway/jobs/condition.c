/*
 * Condition: its memory, and values out of JSON documents.
 */
#include "jobs/condition_tree.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 2048 };

struct block {
    struct block *next;
    size_t size, used;
    max_align_t bytes[];
};

struct condition *condition_new(void)
{
    return calloc(1, sizeof(struct condition));
}

void *condition_keep(struct condition *condition, size_t size)
{
    struct block *block = condition->blocks;
    void *kept;

    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (!block || block->size - block->used < size) {
        size_t space = size > BLOCK_SIZE ? size : BLOCK_SIZE;

        block = calloc(1, sizeof(*block) + space);
        if (!block)
            return NULL;
        block->size = space;
        block->next = condition->blocks;
        condition->blocks = block;
    }
    kept = (char *)block->bytes + block->used;
    block->used += size;
    return kept;
}

void condition_free(struct condition *condition)
{
    if (!condition)
        return;
    while (condition->blocks) {
        struct block *next = condition->blocks->next;

        free(condition->blocks);
        condition->blocks = next;
    }
    free(condition);
}

int condition_parse(struct condition **ret, const char *text, struct condition_error *error)
{
    enum query_collection collection;

    return condition_read(ret, &collection, NULL, text, error);
}

bool condition_is_all(const struct condition *condition)
{
    return !condition->root && !condition->nothing;
}

const char *condition_hint(const struct condition *condition)
{
    return condition->hint[0] != '\0' ? condition->hint : NULL;
}

struct condition_value condition_value_string(const char *text)
{
    if (!text)
        return (struct condition_value){.type = CONDITION_UNDEFINED};
    return (struct condition_value){.type = CONDITION_STRING, .string = {text, strlen(text)}};
}

struct condition_value condition_value_json(const json_t *json)
{
    struct condition_value value = {.type = CONDITION_UNDEFINED};

    if (!json)
        return value;
    switch (json_typeof(json)) {
    case JSON_NULL:
        value.type = CONDITION_NULL;
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        value.type = CONDITION_BOOL;
        value.boolean = json_is_true(json);
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        value.type = CONDITION_NUMBER;
        value.number = json_number_value(json);
        break;
    case JSON_STRING:
        value.type = CONDITION_STRING;
        value.string.bytes = json_string_value(json);
        value.string.size = json_string_length(json);
        break;
    case JSON_ARRAY:
        value.type = CONDITION_ARRAY;
        value.array.json = json;
        break;
    case JSON_OBJECT:
        value.type = CONDITION_OBJECT;
        break;
    }
    return value;
}

struct condition_value condition_value_at(const json_t *from, const struct condition_path *path,
                                          size_t first)
{
    for (size_t i = first; from && i < path->count; i++) {
        const struct condition_segment *segment = &path->segments[i];

        /* jansson gives NULL for a wrong type, a missing key and an index too far */
        from = segment->name ? json_object_getn(from, segment->name, segment->size)
                             : json_array_get(from, segment->index);
    }
    return condition_value_json(from);
}

static bool is_acknowledged(const json_t *property)
{
    return json_object_get(property, "value") && json_object_get(property, "ac") &&
           json_object_get(property, "av");
}

struct condition_value condition_value_reported(const json_t *reported,
                                                const struct condition_path *path)
{
    const struct condition_segment *names = path->segments;
    const json_t *property;

    if (path->count < 3 || path->count > 4 || !names[2].name)
        return condition_value_at(reported, path, 2);
    property = json_object_getn(reported, names[2].name, names[2].size);
    if (path->count == 3 && is_acknowledged(property))
        return condition_value_json(json_object_get(property, "value"));
    if (path->count == 4 && !json_is_object(property) && names[3].name &&
        strcmp(names[3].name, "value") == 0)
        return condition_value_json(property);
    return condition_value_at(reported, path, 2);
}

struct condition_value condition_lookup_json(void *ctx, const struct condition_path *path)
{
    return condition_value_at(ctx, path, 0);
}
