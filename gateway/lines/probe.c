#include "lines/probe.h"

bool probe_operation(const struct profile *profile, struct operation *operation)
{
    const struct point *best = NULL;

    for (size_t i = 0; i < profile->point_count; i++) {
        const struct point *point = &profile->points[i];

        if (point->readable && point->kind == POINT_STATE &&
            (!best || point->count < best->count))
            best = point;
    }
    /* Where nothing is readable, any answer to a read, and be it a refusal, shows a device. */
    if (!best && profile->point_count > 0)
        best = &profile->points[0];
    if (!best)
        return false;
    *operation = (struct operation){.kind = OPERATION_READ,
                                    .table = best->table,
                                    .address = best->address,
                                    .count = best->count};
    return true;
}
