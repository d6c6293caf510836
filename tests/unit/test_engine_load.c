/* The engine with 10,000 devices on 64 lines: prints what its decisions cost. */
#include "fixture_engine.h"

static struct world world;

static double seconds_now(void)
{
    return (double)clock_boot_us() / 1e6;
}

static void a_job_over_10000_devices_is_accepted_planned_and_done(void **state)
{
    (void)state;
    world_init(&world, 10000, 64);
    world_method_write(&world);
    world_open(&world);

    double began = seconds_now();
    world_go(&world, "j", "tags.floor IN [0, 1] AND IS_DEFINED(deviceId)");
    print_message("accepted: %.1f ms\n", (seconds_now() - began) * 1e3);
    began = seconds_now();
    world_run(&world, 5000); /* safe, started, the first frames are out */
    print_message("started: %.1f ms\n", (seconds_now() - began) * 1e3);
    began = seconds_now();
    for (int i = 0; i < 10000; i++)
        assert_true(engine_wake_us(world.engine, world.now) > 0);
    print_message("engine_wake_us: %.2f us\n", (seconds_now() - began) * 100);
    began = seconds_now();
    world_finish(&world);
    print_message("each of %llu operations: %.1f us, the test's own work included\n",
                  (unsigned long long)world.frames,
                  (seconds_now() - began) * 1e6 / (double)world.frames);
    assert_string_equal(world_job_said(&world, "j", "deviceJobStatistics.succeededCount"),
                        "10000");
    world_deinit(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_over_10000_devices_is_accepted_planned_and_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
