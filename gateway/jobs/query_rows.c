/* What a query makes of matching documents: rows of members, and rows that count and sum up. */
#include "jobs/query.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* --- members --- */

/* A borrowed reference, or NULL. */
static json_t *member(const json_t *document, const struct condition_path *path)
{
    json_t *value = (json_t *)(uintptr_t)document;

    for (size_t i = 0; value && i < path->count; i++)
        value = path->segments[i].name ? json_object_get(value, path->segments[i].name)
                                       : json_array_get(value, path->segments[i].index);
    return value;
}

json_t *query_row(const struct query *query, const json_t *document)
{
    json_t *row = json_object();

    for (size_t i = 0; i < query->item_count; i++) {
        json_t *value = member(document, &query->items[i].path);

        if (value)
            json_object_set(row, query->items[i].name, value);
    }
    return row;
}

/* --- sums --- */

struct sum {
    size_t count;   /* of documents, or of those that have the member */
    size_t numbers; /* of them */
    double total;
    json_t *least, *most; /* numbers or texts */
};

struct group {
    json_t *value; /* of GROUP BY's member; NULL: it is missing, or there is no GROUP BY */
    struct sum sums[QUERY_ITEMS_MOST];
};

struct query_sums {
    const struct query *query;
    struct group *groups;
    size_t count, room;
};

static void group_deinit(struct group *group)
{
    json_decref(group->value);
    for (size_t i = 0; i < QUERY_ITEMS_MOST; i++) {
        json_decref(group->sums[i].least);
        json_decref(group->sums[i].most);
    }
}

void query_sums_free(struct query_sums *sums)
{
    if (!sums)
        return;
    for (size_t i = 0; i < sums->count; i++)
        group_deinit(&sums->groups[i]);
    free(sums->groups);
    free(sums);
}

static struct group *add_group(struct query_sums *sums, json_t *value)
{
    if (sums->count == sums->room) {
        size_t room = sums->room ? 2 * sums->room : 8;
        struct group *groups = reallocarray(sums->groups, room, sizeof(*groups));

        if (!groups)
            return NULL;
        sums->groups = groups;
        sums->room = room;
    }
    sums->groups[sums->count] = (struct group){.value = json_incref(value)};
    return &sums->groups[sums->count++];
}

static struct group *find_group(struct query_sums *sums, json_t *value)
{
    for (size_t i = 0; i < sums->count; i++) {
        json_t *own = sums->groups[i].value;

        if (value && own ? json_equal(value, own) : value == own)
            return &sums->groups[i];
    }
    return add_group(sums, value);
}

/* Without GROUP BY there is one row, also about no document at all. */
struct query_sums *query_sums_new(const struct query *query)
{
    struct query_sums *sums = calloc(1, sizeof(*sums));

    if (!sums)
        return NULL;
    sums->query = query;
    if (query->group.count == 0 && !add_group(sums, NULL)) {
        query_sums_free(sums);
        return NULL;
    }
    return sums;
}

/* Below, above or 0; what cannot be compared is neither. */
static int compare(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b)) {
        double one = json_number_value(a), other = json_number_value(b);

        return one < other ? -1 : one > other;
    }
    if (json_is_string(a) && json_is_string(b))
        return strcmp(json_string_value(a), json_string_value(b));
    return 0;
}

static void keep(json_t **place, json_t *value)
{
    json_decref(*place);
    *place = json_incref(value);
}

static void add_value(struct sum *sum, json_t *value)
{
    sum->count++;
    if (json_is_number(value)) {
        sum->numbers++;
        sum->total += json_number_value(value);
    }
    if (!json_is_number(value) && !json_is_string(value))
        return;
    if (!sum->least || compare(value, sum->least) < 0)
        keep(&sum->least, value);
    if (!sum->most || compare(value, sum->most) > 0)
        keep(&sum->most, value);
}

bool query_sums_add(struct query_sums *sums, const json_t *document)
{
    const struct query *query = sums->query;
    json_t *by = query->group.count ? member(document, &query->group) : NULL;
    struct group *group = find_group(sums, by);

    if (!group)
        return false;
    for (size_t i = 0; i < query->item_count; i++) {
        json_t *value =
            query->items[i].path.count ? member(document, &query->items[i].path) : NULL;

        if (value)
            add_value(&group->sums[i], value);
        else if (query->items[i].path.count == 0)
            group->sums[i].count++;
    }
    return true;
}

/* Whole sums stay whole: 3, not 3.0. */
static json_t *number_json(double number)
{
    if (number < 1e15 && number > -1e15 && number == (double)(json_int_t)number)
        return json_integer((json_int_t)number);
    return json_real(number);
}

static json_t *sum_json(const struct group *group, enum query_fold fold, const struct sum *sum)
{
    switch (fold) {
    case QUERY_MEMBER:
        return json_incref(group->value);
    case QUERY_COUNT:
        return json_integer((json_int_t)sum->count);
    case QUERY_SUM:
        return sum->numbers ? number_json(sum->total) : NULL;
    case QUERY_AVERAGE:
        return sum->numbers ? number_json(sum->total / (double)sum->numbers) : NULL;
    case QUERY_LEAST:
        return json_incref(sum->least);
    case QUERY_MOST:
        return json_incref(sum->most);
    }
    return NULL;
}

json_t *query_sums_rows(const struct query_sums *sums)
{
    const struct query *query = sums->query;
    json_t *rows = json_array();

    for (size_t g = 0; g < sums->count; g++) {
        json_t *row = json_object();

        for (size_t i = 0; i < query->item_count; i++) {
            json_t *value =
                sum_json(&sums->groups[g], query->items[i].fold, &sums->groups[g].sums[i]);

            if (value)
                json_object_set_new(row, query->items[i].name, value);
        }
        json_array_append_new(rows, row);
    }
    return rows;
}
