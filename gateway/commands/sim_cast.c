#include "commands/sim_cast.h"

#include "sim/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A raw number, before it lies in registers. */
struct number {
    bool real;
    int64_t whole;
    double value; /* when real */
};

/* What a point's registers hold, and which of their bits are the point's. */
struct pattern {
    uint16_t words[SIM_WORDS_MAX];
    uint16_t masks[SIM_WORDS_MAX];
};

static enum sim_table sim_table(enum table table)
{
    switch (table) {
    case TABLE_COIL:
        return SIM_COIL;
    case TABLE_DISCRETE:
        return SIM_DISCRETE;
    case TABLE_INPUT:
        return SIM_INPUT;
    case TABLE_HOLDING:
        return SIM_HOLDING;
    }
    return SIM_HOLDING;
}

static bool is_bit(const struct point *point)
{
    return point->table == TABLE_COIL || point->table == TABLE_DISCRETE;
}

static enum sim_number sim_number(enum point_type type)
{
    switch (type) {
    case POINT_FLOAT32:
        return SIM_FLOAT32;
    case POINT_FLOAT64:
        return SIM_FLOAT64;
    case POINT_BCD16:
    case POINT_BCD32:
        return SIM_DECIMAL;
    case POINT_BOOL:
    case POINT_INT16:
    case POINT_UINT16:
    case POINT_INT32:
    case POINT_UINT32:
    case POINT_INT64:
    case POINT_UINT64:
    case POINT_STRING:
        return SIM_WHOLE;
    }
    return SIM_WHOLE;
}

static bool is_number(const struct point *point)
{
    return point->type != POINT_STRING && point->count <= SIM_WORDS_MAX;
}

/* Lays the number out; a point that is no number (text) is all zero and owns its registers. */
static struct pattern lay(const struct point *point, struct number number)
{
    struct sim_layout layout = {sim_number(point->type), point->count, point->order};
    struct sim_layout plain = {SIM_WHOLE, point->count, point->order};
    struct pattern pattern = {.masks = {0xffff, 0xffff, 0xffff, 0xffff}};

    if (!is_number(point))
        return pattern;
    if (is_bit(point)) {
        pattern.words[0] = number.real ? number.value != 0 : number.whole != 0;
        return pattern;
    }
    if (point->bit_count > 0) {
        uint64_t ones =
            point->bit_count >= 64 ? UINT64_MAX : (UINT64_C(1) << point->bit_count) - 1;
        int64_t field = number.real ? (int64_t)number.value : number.whole;
        sim_words_whole(&plain, (int64_t)(((uint64_t)field & ones) << point->bit_low),
                        pattern.words);
        sim_words_whole(&plain, (int64_t)(ones << point->bit_low), pattern.masks);
    } else if (number.real) {
        sim_words_real(&layout, number.value, pattern.words);
    } else {
        sim_words_whole(&layout, number.whole, pattern.words);
    }
    return pattern;
}

static struct number number_of_value(const struct point *point, double value)
{
    if (point->scaled && point->scale != 0)
        value = (value - point->offset) / point->scale;
    return (struct number){.real = true, .value = value};
}

/* The raw number of a value as a profile writes it; false for a text that names nothing. */
static bool number_of_json(const struct point *point, const json_t *value,
                           struct number *number)
{
    if (json_is_string(value)) {
        for (size_t i = 0; i < point->value_count; i++) {
            if (strcmp(point->values[i].name, json_string_value(value)) != 0)
                continue;
            *number = (struct number){.whole = point->values[i].raw};
            return true;
        }
        return false;
    }
    if (json_is_boolean(value))
        *number = (struct number){.whole = json_is_true(value)};
    else if (json_is_integer(value) && !point->scaled)
        *number = (struct number){.whole = json_integer_value(value)};
    else if (json_is_number(value))
        *number = number_of_value(point, json_number_value(value));
    else
        return false;
    return true;
}

static bool may_be(const struct point *point, double value)
{
    return !(point->has_min && value < point->min) && !(point->has_max && value > point->max);
}

static struct number first_number(const struct point *point)
{
    for (size_t i = 0; i < point->value_count; i++)
        if (point->values[i].raw == 0)
            return (struct number){0};
    if (point->value_count > 0)
        return (struct number){.whole = point->values[0].raw};
    if (may_be(point, point->scaled ? point->offset : 0))
        return (struct number){0};
    return number_of_value(point, point->has_min ? point->min : point->max);
}

/* What an `expect` wants to see. False where nothing has to change for it, or nothing is known.
 */
static bool wanted_number(const struct point *point, const struct step *step,
                          struct number *number)
{
    if (!is_number(point))
        return false;
    if (step->value)
        return number_of_json(point, step->value, number);
    *number = number_of_value(point, step->has_min ? step->min : step->max);
    return true;
}

/* Something that an `expect` does not want to see: another name, else 0, else 1. */
static struct number other_number(const struct point *point, const struct pattern *wanted)
{
    struct number other = {0};

    for (size_t i = 0; i < point->value_count; i++) {
        struct number named = {.whole = point->values[i].raw};
        struct pattern pattern = lay(point, named);
        if (memcmp(&pattern, wanted, sizeof(pattern)) != 0)
            return named;
    }
    for (size_t i = 0; i < SIM_WORDS_MAX; i++)
        if (wanted->words[i] != 0)
            return other;
    other.whole = 1;
    return other;
}

static bool holds_at(const struct point *point, const struct step *step, struct number number)
{
    double value = number.real ? number.value : (double)number.whole;

    if (step->value)
        return false; /* other_number() differs by its making */
    if (point->scaled)
        value = value * point->scale + point->offset;
    return !(step->has_min && value < step->min) && !(step->has_max && value > step->max);
}

/* Makes the point's registers exist, or changes the point's bits in those that do. */
static void set_point(struct sim_role *role, const struct point *point, struct number number)
{
    struct pattern pattern = lay(point, number);
    enum sim_table table = sim_table(point->table);

    for (uint16_t i = 0; i < point->count; i++) {
        uint16_t word = i < SIM_WORDS_MAX ? pattern.words[i] : 0;
        uint16_t mask = i < SIM_WORDS_MAX ? pattern.masks[i] : 0xffff;
        uint16_t address = (uint16_t)(point->address + i);
        size_t at = 0;

        while (at < role->register_count &&
               (role->registers[at].table != table || role->registers[at].address != address))
            at++;
        if (at == role->register_count)
            role->registers[role->register_count++] = (struct sim_register){table, address, 0};
        role->registers[at].value =
            (uint16_t)((role->registers[at].value & ~mask) | (word & mask));
    }
}

static bool is_write(const struct step *step)
{
    return step->kind == STEP_WRITE || step->kind == STEP_PULSE;
}

/* Changes that make one `expect` hold; returns how many. */
static size_t make_changes(const struct point *point, const struct step *step, bool restart,
                           struct sim_change changes[static SIM_WORDS_MAX])
{
    struct number number, other;
    struct pattern after, during;

    if (!wanted_number(point, step, &number))
        return 0;
    after = lay(point, number);
    other = other_number(point, &after);
    if (holds_at(point, step, other))
        return 0;
    during = restart ? lay(point, other) : after;
    for (uint16_t i = 0; i < point->count; i++)
        changes[i] = (struct sim_change){.table = sim_table(point->table),
                                         .address = (uint16_t)(point->address + i),
                                         .mask = after.masks[i],
                                         .during = during.words[i],
                                         .after = after.words[i]};
    return point->count;
}

/* What fires a reaction: the register of the value that tells most, or any value. */
static void aim(struct sim_reaction *reaction, const struct point *point,
                const struct step *step)
{
    struct number number;
    struct pattern pattern;
    uint16_t word = 0;

    reaction->table = sim_table(point->table);
    reaction->address = point->address;
    if (!step->value || !is_number(point) || !number_of_json(point, step->value, &number))
        return;
    pattern = lay(point, number);
    for (uint16_t i = 0; i < point->count; i++)
        if ((pattern.words[i] & pattern.masks[i]) != 0)
            word = i;
    reaction->address = (uint16_t)(point->address + word);
    reaction->mask = pattern.masks[word];
    reaction->value = pattern.words[word];
}

static unsigned restart_ms(int wanted_ms, uint64_t allowed_ms)
{
    if (wanted_ms >= 0)
        return (unsigned)wanted_ms;
    return allowed_ms / 2 < SIM_CAST_REBOOT_MS ? (unsigned)(allowed_ms / 2)
                                               : SIM_CAST_REBOOT_MS;
}

/* The reaction to the write at `first`, from the expects between it and the next write. */
static int add_reaction(struct sim_role *role, const struct profile *profile,
                        const struct method *method, size_t first, int reboot_ms)
{
    const struct step *write = &method->steps[first];
    const struct point *point = &profile->points[write->point];
    bool restart = point->kind == POINT_TRIGGER;
    size_t most = (method->step_count - first) * SIM_WORDS_MAX;
    struct sim_change *changes = calloc(most, sizeof(*changes));
    struct sim_reaction reaction = {.changes = changes};
    uint64_t allowed_ms = 0;
    bool expects = false;

    if (!changes)
        return -ENOMEM;
    for (size_t i = first + 1; i < method->step_count && !is_write(&method->steps[i]); i++) {
        const struct step *step = &method->steps[i];
        if (step->kind == STEP_WAIT && !expects)
            allowed_ms += step->duration_ms;
        if (step->kind != STEP_EXPECT || step->point == write->point)
            continue;
        if (!expects)
            allowed_ms += step->within_ms;
        expects = true;
        reaction.change_count += make_changes(&profile->points[step->point], step, restart,
                                              changes + reaction.change_count);
    }
    if (!expects || (!restart && reaction.change_count == 0)) {
        free(changes);
        return 0;
    }
    aim(&reaction, point, write);
    reaction.silent_ms = restart ? restart_ms(reboot_ms, allowed_ms) : 0;
    role->reactions[role->reaction_count++] = reaction;
    return 0;
}

/* A trigger does not stay: what was written reads 0 afterwards. */
static void add_clearing(struct sim_role *role, const struct point *point)
{
    struct pattern own = lay(point, (struct number){0});

    for (uint16_t i = 0; i < point->count; i++)
        role->reactions[role->reaction_count++] =
            (struct sim_reaction){.table = sim_table(point->table),
                                  .address = (uint16_t)(point->address + i),
                                  .clears = i < SIM_WORDS_MAX ? own.masks[i] : 0xffff};
}

/* An expect behind a write must not hold yet, one before any write must: the latter wins. */
static void set_expected(struct sim_role *role, const struct profile *profile,
                         bool before_write)
{
    for (size_t m = 0; m < profile->method_count; m++) {
        const struct method *method = &profile->methods[m];
        bool written = false;

        for (size_t i = 0; i < method->step_count; i++) {
            const struct step *step = &method->steps[i];
            struct number wanted;
            struct pattern pattern;

            written = written || is_write(step);
            if (step->kind != STEP_EXPECT || written == before_write ||
                !wanted_number(&profile->points[step->point], step, &wanted))
                continue;
            pattern = lay(&profile->points[step->point], wanted);
            set_point(role, &profile->points[step->point],
                      before_write ? wanted
                                   : other_number(&profile->points[step->point], &pattern));
        }
    }
}

static int fill_role(struct sim_role *role, const struct profile *profile, int reboot_ms)
{
    size_t registers = 0, steps = 0;

    for (size_t i = 0; i < profile->point_count; i++)
        registers += profile->points[i].count;
    for (size_t i = 0; i < profile->method_count; i++)
        steps += profile->methods[i].step_count;
    role->registers = calloc(registers + 1, sizeof(*role->registers));
    role->reactions = calloc(registers + steps + 1, sizeof(*role->reactions));
    if (!role->registers || !role->reactions)
        return -ENOMEM;
    for (size_t i = 0; i < profile->point_count; i++)
        set_point(role, &profile->points[i], first_number(&profile->points[i]));
    set_expected(role, profile, false);
    set_expected(role, profile, true);
    for (size_t m = 0; m < profile->method_count; m++)
        for (size_t i = 0; i < profile->methods[m].step_count; i++)
            if (is_write(&profile->methods[m].steps[i]) &&
                add_reaction(role, profile, &profile->methods[m], i, reboot_ms) < 0)
                return -ENOMEM;
    for (size_t i = 0; i < profile->point_count; i++)
        if (profile->points[i].kind == POINT_TRIGGER)
            add_clearing(role, &profile->points[i]);
    return 0;
}

static struct sim_line play_line(const struct line_config *line)
{
    const struct adapter_settings *settings = &line->settings;

    return (struct sim_line){.name = line->name,
                             .tcp = !line->adapter->serial,
                             .baud = settings->baud,
                             .char_bits = 1U + settings->data_bits + (settings->parity != 'N') +
                                          settings->stop_bits};
}

static struct sim_unit play_device(const struct site *site, const struct device *device,
                                   const struct sim_role *role)
{
    const struct profile *profile = &site->profiles[device->profile];

    return (struct sim_unit){.id = device->id,
                             .line = device->line,
                             .unit = device->unit,
                             .registers = role->registers,
                             .register_count = role->register_count,
                             .reactions = role->reactions,
                             .reaction_count = role->reaction_count,
                             .functions = profile->functions,
                             .max_read = profile->max_read,
                             .max_write = profile->max_write};
}

int sim_cast_init(struct sim_cast *cast, const struct site *site, int reboot_ms)
{
    *cast = (struct sim_cast){.role_count = site->profile_count};
    cast->lines = calloc(site->line_count + 1, sizeof(*cast->lines));
    cast->units = calloc(site->device_count + 1, sizeof(*cast->units));
    cast->roles = calloc(site->profile_count + 1, sizeof(*cast->roles));
    if (!cast->lines || !cast->units || !cast->roles)
        goto fail;
    for (size_t i = 0; i < site->profile_count; i++)
        if (fill_role(&cast->roles[i], &site->profiles[i], reboot_ms) < 0)
            goto fail;
    for (size_t i = 0; i < site->line_count; i++)
        cast->lines[i] = play_line(&site->lines[i]);
    for (size_t i = 0; i < site->device_count; i++)
        cast->units[i] =
            play_device(site, &site->devices[i], &cast->roles[site->devices[i].profile]);
    return 0;
fail:
    sim_cast_deinit(cast);
    return -ENOMEM;
}

void sim_cast_deinit(struct sim_cast *cast)
{
    for (size_t i = 0; cast->roles && i < cast->role_count; i++) {
        struct sim_role *role = &cast->roles[i];
        for (size_t k = 0; k < role->reaction_count; k++)
            free((void *)(uintptr_t)role->reactions[k]
                     .changes); /* its own, see add_reaction() */
        free(role->reactions);
        free(role->registers);
    }
    free(cast->roles);
    free(cast->units);
    free(cast->lines);
}
