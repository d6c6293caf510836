#include "jobs/query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/condition_tree.h"

struct record_lookup {
    condition_lookup *lookup;
    void *ctx;
};

int query_parse(struct query **ret, const char *text, struct condition_error *error)
{
    struct query *query = calloc(1, sizeof(*query));
    int r;

    if (!query)
        return -ENOMEM;
    r = condition_read(&query->condition, &query->collection, query, text, error);
    if (r != 0) {
        free(query);
        return r;
    }
    *ret = query;
    return 0;
}

void query_free(struct query *query)
{
    if (!query)
        return;
    condition_free(query->condition);
    free(query);
}

/* The constants of the query were brought to the same spelling by the parser. */
static struct condition_value look_up_record(void *ctx, const struct condition_path *path)
{
    const struct record_lookup *record = ctx;
    struct condition_value value = record->lookup(record->ctx, path);

    if (path->count == 1 && strcmp(path->segments[0].name, "status") == 0)
        return condition_plain_status(value);
    return value;
}

bool query_matches(const struct query *query, condition_lookup *lookup, void *ctx)
{
    struct record_lookup record = {.lookup = lookup, .ctx = ctx};

    if (query->collection == QUERY_DEVICES)
        return condition_matches(query->condition, lookup, ctx);
    return condition_matches(query->condition, look_up_record, &record);
}

static const char *required_by(const struct node *node, const char *member)
{
    const struct node *path, *other;

    if (node->kind != NODE_COMPARE || node->compare != COMPARE_EQUAL)
        return NULL;
    path = node->first->kind == NODE_PATH ? node->first : node->first->next;
    other = path == node->first ? node->first->next : node->first;
    if (path->kind != NODE_PATH || path->path.count != 1 || other->kind != NODE_CONSTANT ||
        other->constant.type != CONDITION_STRING ||
        strcmp(path->path.segments[0].name, member) != 0)
        return NULL;
    return other->constant.string.bytes;
}

const char *query_requires(const struct query *query, const char *member)
{
    const struct node *root = query->condition->root;
    const char *found = NULL;

    if (!root)
        return NULL;
    if (root->kind != NODE_AND)
        return required_by(root, member);
    for (const struct node *operand = root->first; operand && !found; operand = operand->next)
        found = required_by(operand, member);
    return found;
}
