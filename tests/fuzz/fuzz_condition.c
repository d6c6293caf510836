/*
 * Whatever text is given, as a condition and as a query: an answer without a crash, an error
 * that can be printed, and the same answer twice.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/condition.h"
#include "jobs/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A device as flat as it gets: every path has a value of a type that its letters choose. */
static struct condition_value look_up(void *ctx, const struct condition_path *path)
{
    static const char *const texts[] = {"", "a", "T\xC3\x9CR", "cancelled"};
    size_t sum = path->count;
    const json_t *json = ctx;

    for (size_t i = 0; i < path->count; i++) {
        const struct condition_segment *segment = &path->segments[i];

        assert(!segment->name || strlen(segment->name) == segment->size);
        sum += segment->name && segment->size > 0 ? (unsigned char)segment->name[0]
                                                  : segment->index;
    }
    if (sum % 6 == 0)
        return condition_value_json(NULL);
    if (sum % 6 == 1)
        return condition_value_json(json_object_get(json, "number"));
    if (sum % 6 == 2)
        return condition_value_json(json_object_get(json, "list"));
    if (sum % 6 == 3)
        return condition_value_json(json);
    return condition_value_string(texts[sum / 6 % 4]);
}

static void check_error(int r, const struct condition_error *error, const char *text)
{
    size_t lines = 1;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    assert(r == CONDITION_E_SYNTAX);
    assert(error->line >= 1 && error->line <= lines && error->column >= 1);
    assert(error->text[0] != '\0' && memchr(error->text, '\0', sizeof(error->text)));
    assert(!strpbrk(error->text, ";\n"));
}

static void ask(const struct condition *condition, const char *text)
{
    json_t *device = json_pack("{s:i, s:[i, s, n]}", "number", 3, "list", 3, "a");
    char why[CONDITION_TEXT_SIZE];
    json_t *string = json_string(text);
    bool matched;

    assert(device && string); /* the parser accepts nothing that is not UTF-8 */
    if (condition_hint(condition))
        assert(strlen(condition_hint(condition)) < CONDITION_TEXT_SIZE);
    matched = condition_matches(condition, look_up, device);
    assert(condition_matches(condition, look_up, device) == matched);
    (void)condition_matches(condition, condition_lookup_json, device);
    if (condition_mismatch(condition, look_up, device, why))
        assert(why[0] != '\0');
    json_decref(device);
    json_decref(string);
}

/* A row is an object, whatever is selected of whatever document. */
static void make_rows(const struct query *query)
{
    json_t *document =
        json_pack("{s:s, s:{s:i, s:[f, n]}, s:{s:{s:{s:b}}}}", "deviceId", "a", "tags", "floor",
                  3, "list", 1.5, "properties", "desired", "x", "value", 1);
    struct query_sums *sums = query_sums_new(query);
    json_t *row = query_row(query, document), *rows;

    assert(document && sums && json_is_object(row));
    assert(query_sums_add(sums, document) && query_sums_add(sums, row));
    rows = query_sums_rows(sums);
    assert(json_array_size(rows) >= 1 && json_is_object(json_array_get(rows, 0)));
    json_decref(rows);
    json_decref(row);
    json_decref(document);
    query_sums_free(sums);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1); /* of the exact size, so that a step too far is seen */
    struct condition_error error;
    struct condition *condition;
    struct query *query;
    int r;

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    r = condition_parse(&condition, text, &error);
    if (r == 0) {
        ask(condition, text);
        condition_free(condition);
    } else {
        check_error(r, &error, text);
    }
    r = query_parse(&query, text, &error);
    if (r == 0) {
        (void)query_matches(query, look_up, NULL);
        (void)query_requires(query, "jobId");
        ask(query->condition, text);
        make_rows(query);
        query_free(query);
    } else {
        check_error(r, &error, text);
    }
    free(text);
    return 0;
}
