/*
 * Keys of a point that do nothing there: legal, and not what the writer thought.
 */
#include "site/config.h"

static void warn_of(struct reader *reader, const struct setting *group, const char *name,
                    const char *why)
{
    const struct setting *setting = setting_find(group, name);

    if (setting)
        warn(reader, setting->place, "%s does nothing here: %s; remove it", name, why);
}

void warn_of_idle_keys(struct reader *reader, const struct setting *group,
                       const struct point *point)
{
    static const char *const of_reading_back[] = {"settle", "verify_within", "tolerance"};
    const char *why = !point->writable ? "the point is read-only"
                      : !point->verify ? "no write to the point is read back"
                                       : NULL;

    for (size_t i = 0; why && i < COUNT_OF(of_reading_back); i++)
        warn_of(reader, group, of_reading_back[i], why);
    if (!why && (point->type == POINT_BOOL || point->type == POINT_STRING))
        warn_of(reader, group, "tolerance", "only a number can be rounded");
    if (!point->writable)
        warn_of(reader, group, "if_different", "the point is read-only");
    if (point->poll_ms == 0)
        warn_of(reader, group, "deadband", "the point is not polled (poll = SECONDS)");
}
