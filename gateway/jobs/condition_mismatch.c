/*
 * Mismatch: why a condition that looks right matches no device.
 */
#include "jobs/condition_tree.h"

#include <stdio.h>

static void name_path(const struct condition_path *path, char *text, size_t space)
{
    size_t used = 0;

    for (size_t i = 0; i < path->count && used < space; i++) {
        const struct condition_segment *segment = &path->segments[i];
        int size = segment->name ? snprintf(text + used, space - used, "%s%s", i > 0 ? "." : "",
                                            segment->name)
                                 : snprintf(text + used, space - used, "[%zu]", segment->index);

        used += size > 0 ? (size_t)size : 0;
    }
    condition_clean_text(text);
}

static const char *type_name(enum condition_type type)
{
    switch (type) {
    case CONDITION_UNDEFINED:
        return "nothing";
    case CONDITION_NULL:
        return "null";
    case CONDITION_BOOL:
        return "true or false";
    case CONDITION_NUMBER:
        return "a number";
    case CONDITION_STRING:
        return "text";
    case CONDITION_ARRAY:
        return "an array";
    case CONDITION_OBJECT:
        return "an object";
    }
    return "nothing";
}

static bool explain(const struct node *path, struct condition_value held,
                    enum condition_type other, char text[CONDITION_TEXT_SIZE])
{
    char name[80];

    if (path->kind != NODE_PATH || held.type == CONDITION_UNDEFINED ||
        other == CONDITION_UNDEFINED || other == CONDITION_NULL ||
        held.type == CONDITION_NULL || (held.type == other && condition_has_equality(&held)))
        return false;
    name_path(&path->path, name, sizeof(name));
    (void)snprintf(
        text, CONDITION_TEXT_SIZE,
        "%s holds %s and is compared with %s: text stands in quotes, numbers, true and "
        "false do not",
        name, type_name(held.type), type_name(other));
    return true;
}

/* The type of a list whose items are of one, else undefined. */
static enum condition_type list_type(const struct condition_list *list)
{
    if (list->count == 0 || list->items[0].type != list->items[list->count - 1].type)
        return CONDITION_UNDEFINED;
    return list->items[0].type;
}

static bool find_mismatch(const struct question *question, const struct node *node,
                          char text[CONDITION_TEXT_SIZE])
{
    if (node->kind == NODE_COMPARE) {
        struct condition_value a = condition_answer(question, node->first);
        struct condition_value b = condition_answer(question, node->first->next);

        if (explain(node->first, a, b.type, text) ||
            explain(node->first->next, b, a.type, text))
            return true;
    }
    if (node->kind == NODE_IN && explain(node->first, condition_answer(question, node->first),
                                         list_type(node->constant.array.list), text))
        return true;
    for (const struct node *operand = node->first; operand; operand = operand->next) {
        if (find_mismatch(question, operand, text))
            return true;
    }
    return false;
}

bool condition_mismatch(const struct condition *condition, condition_lookup *lookup, void *ctx,
                        char text[CONDITION_TEXT_SIZE])
{
    const struct question question = {.lookup = lookup, .ctx = ctx};

    return condition->root && find_mismatch(&question, condition->root, text);
}
