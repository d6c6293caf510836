/* What a query makes of devices: a row each, or rows that count and sum up. */
#include "jobs/engine_private.h"
#include "jobs/query.h"

json_t *device_row(struct engine *engine, const struct query *query, size_t device)
{
    json_t *document = engine_twin_json(engine, engine->site->devices[device].id);
    json_t *row;

    if (query->item_count == 0)
        return document;
    row = query_row(query, document);
    json_decref(document);
    return row;
}

json_t *fold_devices(struct engine *engine, const struct query *query)
{
    struct query_sums *sums = query_sums_new(query);
    json_t *rows = NULL;
    bool fine = sums;

    for (size_t i = 0; fine && i < engine->site->device_count; i++) {
        struct select select = {.engine = engine, .device = i};

        if (query_matches(query, select_lookup, &select)) {
            json_t *document = engine_twin_json(engine, engine->site->devices[i].id);

            fine = query_sums_add(sums, document);
            json_decref(document);
        }
    }
    if (fine)
        rows = query_sums_rows(sums);
    query_sums_free(sums);
    return rows;
}
