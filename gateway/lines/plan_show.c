#include "lines/plan_show.h"

#include "site/value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MOST = 3, WHERE_SIZE = 48, HEX_SIZE = 3 * ADAPTER_FRAME_MAX + 1 };

/* The requests of one step: what is read first, what is done, what is read back. */
struct part {
    const char *name;
    struct frame_cost cost;
};

struct parts {
    struct part items[PARTS_MOST];
    size_t count;
    int64_t least_us;
};

static const struct point *point_at(const struct plan_view *view, size_t index)
{
    return &view->site->profiles[view->plan->profile].points[index];
}

static void add_part(struct parts *parts, const struct plan_view *view, const char *name,
                     const struct operation *operation)
{
    const struct line_config *line = &view->site->lines[view->device->line];
    struct operation addressed = *operation;
    struct part *part = &parts->items[parts->count++];

    part->name = name;
    addressed.unit = view->device->unit;
    line->adapter->frame(&line->settings, &addressed, &part->cost);
    parts->least_us += part->cost.least_us;
}

static struct parts parts_of(const struct plan_view *view, const struct plan_step *step)
{
    struct parts parts = {0};

    switch (step->kind) {
    case PLAN_WAIT:
        break;
    case PLAN_READ:
    case PLAN_BEFORE:
    case PLAN_EXPECT:
        add_part(&parts, view, "read", &step->operation);
        break;
    case PLAN_RETURN:
        add_part(&parts, view, "write, 0 standing for what was read", &step->operation);
        break;
    case PLAN_WRITE:
        if (step->if_different)
            add_part(&parts, view, "read first", &step->readback);
        add_part(&parts, view,
                 step->operation.kind == OPERATION_WRITE_READ ? "write and read back" : "write",
                 &step->operation);
        if (step->verify && step->operation.kind != OPERATION_WRITE_READ)
            add_part(&parts, view, "read back", &step->readback);
        break;
    }
    return parts;
}

static const char *kind_name(const struct plan_step *step)
{
    switch (step->kind) {
    case PLAN_WRITE:
        return "write";
    case PLAN_READ:
        return "read";
    case PLAN_BEFORE:
        return "before";
    case PLAN_EXPECT:
        return "expect";
    case PLAN_WAIT:
        return "wait";
    case PLAN_RETURN:
        return "return";
    }
    return "?";
}

static const char *kind_words(const struct plan_step *step)
{
    switch (step->kind) {
    case PLAN_WRITE:
        return step->class == CLASS_TRIGGER ? "write, once and never again"
               : step->if_different         ? "write, where it differs"
                                            : "write";
    case PLAN_READ:
        return "read";
    case PLAN_BEFORE:
        return "read, to be able to give it back";
    case PLAN_EXPECT:
        return "read until it is so";
    case PLAN_WAIT:
        return "wait";
    case PLAN_RETURN:
        return "write back what was read";
    }
    return "?";
}

static const char *class_name(enum step_class class)
{
    switch (class) {
    case CLASS_STATE:
        return "state";
    case CLASS_TRIGGER:
        return "trigger";
    case CLASS_PULSE:
        return "pulse";
    }
    return "?";
}

static void hex(const struct frame *frame, char text[HEX_SIZE])
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < frame->length && i < ADAPTER_FRAME_MAX; i++)
        used += (size_t)snprintf(text + used, HEX_SIZE - used, "%s%02X", i ? " " : "",
                                 frame->bytes[i]);
}

static double milliseconds(int64_t us)
{
    return (double)us / 1000.0;
}

/* --- for people --- */

/* " = 21.5 degC", the wanted value where there is one */
static void print_value(const struct point *point, const struct plan_step *step,
                        const struct plan_item *item, FILE *to)
{
    struct value_error error;

    if (step->kind == PLAN_EXPECT && !step->has_value) {
        if (step->has_min)
            fprintf(to, " >= %.15g", step->min);
        if (step->has_max)
            fprintf(to, "%s <= %.15g", step->has_min ? " and" : "", step->max);
    } else if (item->words && step->kind != PLAN_RETURN) {
        json_t *value = value_decode(point, item->words, &error);
        char *text = value ? json_text(value) : NULL;
        fprintf(to, " = %s", text ? text : "?");
        free(text);
        json_decref(value);
    } else {
        return;
    }
    if (point->unit && *point->unit)
        fprintf(to, " %s", point->unit);
}

static void print_item(const struct plan_view *view, const struct plan_step *step,
                       const struct plan_item *item, FILE *to)
{
    const struct point *point = point_at(view, item->point);
    char where[WHERE_SIZE];

    point_where(point, where, sizeof(where));
    fprintf(to, "     %s", point->name);
    print_value(point, step, item, to);
    fprintf(to, "   %s", where);
    if (point->count > 1)
        fprintf(to, ", %u registers", point->count);
    if (point->bit_count)
        fprintf(to, ", bits %u to %u", point->bit_low, point->bit_low + point->bit_count - 1u);
    fputc('\n', to);
}

static void print_part(const struct part *part, FILE *to)
{
    char text[HEX_SIZE];

    for (size_t i = 0; i < part->cost.count; i++) {
        const char *name = part->name;
        if (part->cost.count == 2) /* read-modify-write */
            name = i == 0 ? "read the other bits" : "write, the other bits as read";
        hex(&part->cost.frames[i], text);
        fprintf(to, "     > %s   %s, reply %zu bytes\n", text, name, part->cost.reply_bytes[i]);
    }
}

static void print_times(const struct plan_step *step, const struct parts *parts, FILE *to)
{
    if (parts->count > 0)
        fprintf(to, "     %.1f ms on the wire", milliseconds(parts->least_us));
    if (step->verify && step->settle_ms > 0)
        fprintf(to, ", %.1f s before it is read back", step->settle_ms / 1000.0);
    if (step->kind == PLAN_EXPECT)
        fprintf(to, " each time, every %.1f s for at most %.1f s", step->every_ms / 1000.0,
                step->within_ms / 1000.0);
    if (parts->count > 0)
        fputc('\n', to);
}

static int64_t print_step(const struct plan_view *view, size_t index, FILE *to)
{
    const struct plan_step *step = &view->plan->steps[index];
    struct parts parts = parts_of(view, step);

    fprintf(to, "%3zu. %s", index + 1, kind_words(step));
    if (step->kind == PLAN_WAIT)
        fprintf(to, " %.1f s", step->wait_ms / 1000.0);
    fputc('\n', to);
    for (size_t i = 0; i < step->item_count; i++)
        print_item(view, step, &step->items[i], to);
    for (size_t i = 0; i < parts.count; i++)
        print_part(&parts.items[i], to);
    print_times(step, &parts, to);
    return parts.least_us;
}

void plan_show(const struct plan_view *view, FILE *to)
{
    const struct plan *plan = view->plan;
    int64_t wire_us = 0;

    fprintf(to, "%s: unit %u on line %s, profile %s\n", view->device->id, view->device->unit,
            view->site->lines[view->device->line].name,
            view->site->profiles[plan->profile].name);
    for (size_t i = 0; i < plan->step_count; i++)
        wire_us += print_step(view, i, to);
    for (size_t i = 0; i < plan->refusal_count; i++)
        fprintf(to, "  refused: %s (%d %s): %s\n", plan->refusals[i].name,
                plan->refusals[i].status, plan->refusals[i].code, plan->refusals[i].text);
    for (size_t i = 0; i < plan->removed_count; i++)
        fprintf(to, "  removed: %s, nothing is sent\n", plan->removed[i]);
    fprintf(to, "at least %.1f ms: %.1f ms on the wire", milliseconds(wire_us + plan->waits_us),
            milliseconds(wire_us));
    if (plan->waits_us > 0)
        fprintf(to, ", %.1f s of waits", (double)plan->waits_us / 1e6);
    fprintf(to, "; the device's own time comes on top\n");
}

/* --- JSON --- */

static json_t *item_json(const struct plan_view *view, const struct plan_step *step,
                         const struct plan_item *item)
{
    const struct point *point = point_at(view, item->point);
    struct value_error error;
    char where[WHERE_SIZE];

    point_where(point, where, sizeof(where));
    json_t *json = json_pack("{s:s, s:s}", "point", point->name, "where", where);
    if (item->words && step->kind != PLAN_RETURN)
        json_object_set_new(json, "value", value_decode(point, item->words, &error));
    return json;
}

static json_t *step_json(const struct plan_view *view, const struct plan_step *step,
                         const struct parts *parts)
{
    json_t *points = json_array(), *frames = json_array();
    char text[HEX_SIZE];

    for (size_t i = 0; i < step->item_count; i++)
        json_array_append_new(points, item_json(view, step, &step->items[i]));
    for (size_t i = 0; i < parts->count; i++) {
        const struct part *part = &parts->items[i];
        for (size_t k = 0; k < part->cost.count; k++) {
            hex(&part->cost.frames[k], text);
            json_array_append_new(frames, json_pack("{s:s, s:s, s:I}", "for", part->name,
                                                    "request", text, "replyBytes",
                                                    (json_int_t)part->cost.reply_bytes[k]));
        }
    }
    json_t *json = json_pack("{s:s, s:o, s:o, s:f}", "kind", kind_name(step), "points", points,
                             "frames", frames, "wireMs", milliseconds(parts->least_us));
    if (step->kind == PLAN_WRITE) {
        json_object_set_new(json, "class", json_string(class_name(step->class)));
        json_object_set_new(json, "verify", json_boolean(step->verify));
    }
    if (step->kind == PLAN_WAIT)
        json_object_set_new(json, "waitMs", json_integer(step->wait_ms));
    if (step->kind == PLAN_EXPECT)
        json_object_set_new(json, "withinMs", json_integer(step->within_ms));
    return json;
}

static json_t *refusals_json(const struct plan *plan)
{
    json_t *all = json_array();

    for (size_t i = 0; i < plan->refusal_count; i++) {
        const struct plan_refusal *refusal = &plan->refusals[i];
        json_array_append_new(all, json_pack("{s:s, s:i, s:s, s:s}", "property", refusal->name,
                                             "status", refusal->status, "code", refusal->code,
                                             "description", refusal->text));
    }
    return all;
}

json_t *plan_show_json(const struct plan_view *view)
{
    const struct plan *plan = view->plan;
    json_t *steps = json_array(), *removed = json_array();
    int64_t wire_us = 0;

    for (size_t i = 0; i < plan->step_count; i++) {
        struct parts parts = parts_of(view, &plan->steps[i]);
        wire_us += parts.least_us;
        json_array_append_new(steps, step_json(view, &plan->steps[i], &parts));
    }
    for (size_t i = 0; i < plan->removed_count; i++)
        json_array_append_new(removed, json_string(plan->removed[i]));
    return json_pack(
        "{s:s, s:i, s:s, s:s, s:o, s:o, s:o, s:f, s:f, s:f}", "deviceId", view->device->id,
        "unit", view->device->unit, "line", view->site->lines[view->device->line].name,
        "profile", view->site->profiles[plan->profile].name, "steps", steps, "refused",
        refusals_json(plan), "removed", removed, "wireMs", milliseconds(wire_us), "waitsMs",
        milliseconds(plan->waits_us), "leastMs", milliseconds(wire_us + plan->waits_us));
}
