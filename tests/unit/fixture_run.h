/* A run driven by hand: a device of 256 registers that answers by a script. */
#ifndef TESTS_UNIT_FIXTURE_RUN_H
#define TESTS_UNIT_FIXTURE_RUN_H

#include "fixture_profile.h"
#include "jobs/run.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* What the device does with one operation. 1 to 99: answers with that exception. */
enum trick { WELL = 0, SILENT = 100, GARBLED, DOWN, LOST, UNSENT, OBEYS_SILENTLY };

enum { TRICKS = 64 };

struct bench {
    struct fixture fixture;
    struct line_config line;
    struct device device;
    struct plan *plan;
    struct run run;
    struct facts facts;
    struct moment now;
    uint16_t holding[256];
    uint16_t stuck;   /* this register takes nothing, 0: none */
    uint16_t refuses; /* a write that touches it is refused with exception 2, 0: none */
    uint16_t coarse;  /* what is written is rounded down to a multiple of it */
    enum trick tricks[TRICKS];
    size_t trick; /* operations so far */
    struct operation operations[TRICKS];
    size_t writes;
    unsigned takes_us; /* for an answer */
};

static inline void bench_init(struct bench *bench)
{
    memset(bench, 0, sizeof(*bench));
    fixture_init(&bench->fixture);
    bench->fixture.method.repeatable = false;
    bench->line = (struct line_config){.name = (char *)(uintptr_t) "floor3"};
    bench->device = (struct device){.id = (char *)(uintptr_t) "room-7", .unit = 7};
    bench->fixture.site.lines = &bench->line;
    bench->fixture.site.line_count = 1;
    bench->fixture.site.devices = &bench->device;
    bench->fixture.site.device_count = 1;
    bench->now =
        (struct moment){.boot_us = 1000000000, .wall_ms = 1893456000000, .trusted = true};
    bench->facts = (struct facts){
        .tries = 3, .timeout_us = 300000, .heard_us = 1000000000, .safe = UINT64_MAX};
    bench->takes_us = 10000;
}

static inline void bench_deinit(struct bench *bench)
{
    run_deinit(&bench->run);
    plan_free(bench->plan);
    fixture_deinit(&bench->fixture);
}

static inline void bench_begin(struct bench *bench, enum action_kind kind,
                               const char *arguments)
{
    bench->plan = fixture_plan(&bench->fixture, kind, arguments);
    assert_non_null(bench->plan);
    assert_int_equal(run_init(&bench->run, &bench->fixture.site, bench->plan, 0, bench->now),
                     0);
}

/* What the run wants, its pauses and records over. */
static inline enum wants bench_next(struct bench *bench, struct operation *operation)
{
    enum wants wants;

    while ((wants = run_next(&bench->run, &bench->facts, bench->now, operation)) ==
               WANTS_TIME ||
           wants == WANTS_INTENT) {
        if (wants == WANTS_INTENT)
            run_intended(&bench->run, 1);
        else
            bench->now.boot_us = bench->run.due_us;
    }
    return wants;
}

static inline void bench_obey(struct bench *bench, const struct operation *operation)
{
    for (uint16_t i = 0; operation->kind != OPERATION_READ && i < operation->count; i++) {
        uint16_t *at = &bench->holding[operation->address + i];
        uint16_t word = operation->words[i];

        if (operation->kind == OPERATION_MASK)
            word = (uint16_t)((*at & operation->and_mask) | operation->or_mask);
        if (bench->coarse)
            word = (uint16_t)(word - word % bench->coarse);
        if (bench->stuck == 0 || operation->address + i != bench->stuck)
            *at = word;
    }
}

static inline bool bench_refuses(const struct bench *bench, const struct operation *operation)
{
    return bench->refuses && operation->kind != OPERATION_READ &&
           operation->address <= bench->refuses &&
           operation->address + operation->count > bench->refuses;
}

static inline void bench_read(struct bench *bench, const struct operation *operation,
                              struct answer *answer)
{
    bool both = operation->kind == OPERATION_WRITE_READ;
    uint16_t address = both ? operation->read_address : operation->address;

    if (operation->kind != OPERATION_READ && !both)
        return;
    answer->count = both ? operation->read_count : operation->count;
    memcpy(answer->words, bench->holding + address, answer->count * sizeof(*answer->words));
}

/* One operation and its answer. */
static inline void bench_answer(struct bench *bench, const struct operation *operation)
{
    enum trick trick = bench->tricks[bench->trick];
    bool writes = operation->kind != OPERATION_READ;
    struct answer answer = {.started_us = bench->now.boot_us, .reached = writes};

    assert_true(bench->trick < TRICKS - 1);
    bench->operations[bench->trick++] = *operation;
    bench->writes += writes && trick != DOWN && trick != UNSENT;
    if (trick == WELL && bench_refuses(bench, operation))
        trick = (enum trick)2;
    if (trick == WELL || trick == OBEYS_SILENTLY)
        bench_obey(bench, operation);
    if (trick == WELL) {
        bench_read(bench, operation, &answer);
    } else if (trick < SILENT) {
        answer.result = ANSWER_EXCEPTION;
        answer.exception = (uint8_t)trick;
    } else if (trick == GARBLED) {
        answer.result = ANSWER_BAD_REPLY;
        snprintf(answer.text, sizeof(answer.text), "CRC error in 8 bytes");
    } else if (trick == DOWN) {
        answer = (struct answer){.result = ANSWER_LINE_DOWN};
    } else if (trick == LOST) {
        answer.result = ANSWER_LINE_DOWN;
    } else if (trick == UNSENT) {
        answer = (struct answer){.result = ANSWER_NOT_SENT};
    } else {
        answer.result = ANSWER_SILENT;
        bench->now.boot_us += bench->facts.timeout_us;
    }
    bench->now.boot_us += bench->takes_us;
    answer.ended_us = trick == DOWN || trick == UNSENT ? 0 : bench->now.boot_us;
    run_answer(&bench->run, &bench->facts, &answer, bench->now);
    if (answer.result == ANSWER_DONE)
        bench->facts.heard_us = bench->now.boot_us;
}

/* Until `operations` have been answered, or the run is over. */
static inline void bench_play_some(struct bench *bench, size_t operations)
{
    struct operation operation;

    while (operations-- > 0 && bench_next(bench, &operation) == WANTS_WORK)
        bench_answer(bench, &operation);
}

static inline void bench_play(struct bench *bench)
{
    bench_play_some(bench, TRICKS);
    assert_int_equal(bench->run.phase, PHASE_OVER);
}

/* What a dotted path of the payload holds, as text; for one question at a time. */
static inline const char *bench_said(struct bench *bench, const char *path)
{
    static _Thread_local char text[400];
    char *said = run_payload(&bench->run);
    json_t *payload = json_loads(said, 0, NULL), *at = payload;
    char name[64];

    while (at && *path) {
        size_t length = strcspn(path, ".");

        snprintf(name, sizeof(name), "%.*s", (int)length, path);
        at = json_object_get(at, name);
        path += length + (path[length] == '.');
    }
    char *dumped = at ? json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    snprintf(text, sizeof(text), "%s",
             json_is_string(at) ? json_string_value(at)
             : dumped           ? dumped
                                : "nothing");
    free(dumped);
    free(said);
    json_decref(payload);
    return text;
}

#define assert_said(bench, path, text) assert_string_equal(bench_said(bench, path), text)
#define assert_code(bench, wanted)                                                             \
    assert_string_equal(code_name((bench)->run.code), code_name(wanted))

#endif
