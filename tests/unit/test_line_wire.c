/* A line against the simulator, which keeps a wire's time and hears nothing that breaks it. */
#include "base/clock.h"
#include "lines/line.h"
#include "sim/sim.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { UNITS = 31 };

static struct work *take(struct line *line)
{
    struct pollfd wait = {.fd = line_fd(line), .events = POLLIN};

    assert_int_equal(poll(&wait, 1, 60000), 1);
    return line_take(line);
}

static struct work *write_to(uint8_t unit)
{
    struct work *work = work_new();

    work->operation = (struct operation){.kind = OPERATION_WRITE,
                                         .table = TABLE_HOLDING,
                                         .unit = unit,
                                         .address = 100,
                                         .count = 1,
                                         .words = {unit}};
    work->limits = (struct limits){.timeout_us = 50000000, .deadline_us = MOMENT_NEVER};
    return work;
}

/* One at work and one waiting, as the loop does it. */
static int64_t write_to_all(struct line *line)
{
    int64_t begun_us = clock_boot_us();
    uint8_t given = 0;

    for (int back = 0; back < UNITS; back++) {
        while (given < UNITS && given < back + 2) {
            struct work *work = write_to((uint8_t)(given + 1));

            if (line_give(line, work) == 0) {
                given++;
                continue;
            }
            work_free(work);
            if (given > back)
                break;
        }
        struct work *work = take(line);

        assert_string_equal(work->answer.text, "");
        assert_int_equal(work->answer.result, ANSWER_DONE);
        work_free(work);
    }
    return clock_boot_us() - begun_us;
}

static void play(unsigned baud)
{
    static const struct sim_register setpoint = {SIM_HOLDING, 100, 0};
    struct sim_unit units[UNITS];
    char dir[] = "/tmp/jobgate-wire-XXXXXX", port[100], problem[200] = "";
    struct sim_line sim_line = {.name = "floor", .baud = baud, .char_bits = 11};

    assert_non_null(mkdtemp(dir));
    for (unsigned i = 0; i < UNITS; i++)
        units[i] = (struct sim_unit){
            .id = "room", .unit = i + 1, .registers = &setpoint, .register_count = 1};
    struct sim_settings settings = {.dir = dir,
                                    .lines = &sim_line,
                                    .line_count = 1,
                                    .units = units,
                                    .unit_count = UNITS,
                                    .turnaround_us = 5000};
    struct sim *sim = NULL;

    assert_int_equal(sim_open(&sim, &settings, problem, sizeof(problem)), 0);
    snprintf(port, sizeof(port), "%s/floor", dir);
    struct adapter_settings wire = {.line = "floor",
                                    .port = port,
                                    .baud = baud,
                                    .parity = 'E',
                                    .data_bits = 8,
                                    .stop_bits = 1};
    struct line *line;

    assert_int_equal(line_open(&line, adapter_find("modbus-rtu"), &wire), 0);
    struct work *up = take(line);

    assert_true(up->state_changed && up->up);
    work_free(up);
    int64_t took_us = write_to_all(line);
    struct work *one = write_to(1);
    struct frame_cost cost;

    adapter_find("modbus-rtu")->frame(&wire, &one->operation, &cost);
    work_free(one);
    int64_t silence_us = baud > 19200 ? 1750 : 38500000 / baud;
    int64_t limit_us = UNITS * (cost.least_us + 5000) + (UNITS - 1) * silence_us;

    print_message("%u baud: %lld us, the wire's limit is %lld us: %.3f\n", baud,
                  (long long)took_us, (long long)limit_us, (double)took_us / (double)limit_us);
    json_t *record = sim_tell(sim);
    char *text = json_dumps(record, JSON_COMPACT);

    assert_non_null(strstr(text, "\"broken_silence\":0"));
    free(text);
    json_decref(record);
    line_free(line);
    sim_close(sim);
    rmdir(dir);
}

static void a_line_of_19200_baud_keeps_each_silence(void **state)
{
    (void)state;
    play(19200);
}

static void a_line_of_115200_baud_keeps_each_silence(void **state)
{
    (void)state;
    play(115200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_of_19200_baud_keeps_each_silence),
        cmocka_unit_test(a_line_of_115200_baud_keeps_each_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
