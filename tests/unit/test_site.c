#include "site/problems.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder of one test, with its files. */
struct folder {
    char path[64];
};

static int make_folder(void **state)
{
    struct folder *folder = test_malloc(sizeof(*folder));
    char path[128];

    strcpy(folder->path, "/tmp/jobgate-site-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    snprintf(path, sizeof(path), "%s/profiles.d", folder->path);
    assert_int_equal(mkdir(path, 0700), 0);
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -r '%s'", folder->path);
    assert_int_equal(system(command), 0);
    test_free(folder);
    return 0;
}

static void put(const struct folder *folder, const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder->path, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

#define LINE   "{ name = \"floor3\"; adapter = \"modbus-rtu\"; port = \"/dev/bus\"; }"
#define DEVICE "{ id = \"d\"; line = \"floor3\"; unit = 1; profile = \"p\"; }"
#define SITE(devices)                                                                          \
    "gateway = { id = \"g\"; };\nlines = ( " LINE " );\ndevices = ( " devices " );\n"
#define PROFILE(rest)                                                                          \
    "profile = { name = \"p\"; points = { a = { holding = 0; }; };\n" rest " };\n"
#define POINTS(points) "profile = { name = \"p\"; points = { " points " }; };\n"

static struct site *load_from(const struct folder *folder, const char *const *dirs,
                              const char *lines_dir)
{
    char config[256];
    struct site *site = NULL;
    struct problems problems = {0};

    snprintf(config, sizeof(config), "%s/main.conf", folder->path);
    int r = site_load(
        &site,
        &(struct site_source){.config = config, .profile_dirs = dirs, .lines_dir = lines_dir},
        &problems);
    problems_print(&problems, stderr);
    problems_deinit(&problems);
    assert_int_equal(r, 0);
    return site;
}

static struct site *load(const struct folder *folder, const char *config, const char *profile)
{
    put(folder, "main.conf", config);
    put(folder, "profiles.d/p.conf", profile);
    return load_from(folder, NULL, NULL);
}

static struct site *load_file(const char *config, const char *dir)
{
    const char *dirs[] = {dir, NULL};
    struct site *site = NULL;
    struct problems problems = {0};
    int r = site_load(&site, &(struct site_source){.config = config, .profile_dirs = dirs},
                      &problems);

    problems_print(&problems, stderr);
    assert_int_equal(problems.count, 0);
    problems_deinit(&problems);
    assert_int_equal(r, 0);
    return site;
}

static const struct point *point_of(const struct site *site, const char *name)
{
    size_t index = profile_point(&site->profiles[0], name);

    assert_int_not_equal(index, SITE_NONE);
    return &site->profiles[0].points[index];
}

/* --- the examples --- */

static void the_example_site_loads_without_a_word(void **state)
{
    (void)state;
    struct site *site = load_file(SOURCE_DIR "/conf/jobgate.conf", SOURCE_DIR "/conf/profiles");

    assert_int_equal(site->device_count, 32);
    assert_string_equal(site->devices[0].id, "floor3-room-01");
    assert_string_equal(site->devices[30].id, "floor3-room-31");
    assert_int_equal(site->devices[30].unit, 31);
    assert_int_equal(site->lines[0].timeout_us, 300000);
    site_free(site);
}

static void the_demo_site_loads_without_a_word(void **state)
{
    (void)state;
    struct site *site =
        load_file(SOURCE_DIR "/conf/demo/jobgate.conf", SOURCE_DIR "/conf/profiles");
    size_t device = site_device(site, "floor2-room-12");

    assert_int_equal(site->device_count, 44);
    assert_int_not_equal(device, SITE_NONE);
    assert_int_equal(json_integer_value(json_object_get(site->devices[device].tags, "floor")),
                     2);
    site_free(site);
}

static void the_example_profile_says_what_a_reboot_is(void **state)
{
    (void)state;
    struct site *site = load_file(SOURCE_DIR "/conf/jobgate.conf", SOURCE_DIR "/conf/profiles");
    const struct profile *profile = &site->profiles[site->devices[0].profile];
    const struct method *reboot = &profile->methods[profile_method(profile, "reboot")];
    const struct point *control = &profile->points[reboot->steps[0].point];

    assert_false(reboot->repeatable);
    assert_int_equal(reboot->step_count, 3);
    assert_int_equal(control->address, 199);
    assert_int_equal(control->kind, POINT_TRIGGER);
    assert_int_equal(json_integer_value(reboot->steps[0].value), 0x55AA);
    assert_int_equal(reboot->steps[1].duration_ms, 2000);
    assert_int_equal(reboot->steps[2].within_ms, 30000);
    assert_int_equal(reboot->steps[2].every_ms, 1000);
    site_free(site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_site_loads_without_a_word),
        cmocka_unit_test(the_demo_site_loads_without_a_word),
        cmocka_unit_test(the_example_profile_says_what_a_reboot_is),
    };

    (void)make_folder;
    (void)remove_folder;
    (void)load;
    (void)point_of;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
