/* A folder with a small site, of which a fuzzer writes one file anew each time. */
#ifndef TESTS_FUZZ_SITE_FOLDER_H
#define TESTS_FUZZ_SITE_FOLDER_H

#include "site/problems.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SITE_MAIN                                                                              \
    "gateway = { id = \"g\"; };\n"                                                             \
    "lines = ( { name = \"floor3\"; adapter = \"modbus-rtu\"; port = \"/dev/bus\"; } );\n"

static char site_folder[] = "/tmp/jobgate-fuzz-XXXXXX";

static void site_put(const char *name, const void *bytes, size_t size)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/%s", site_folder, name);
    FILE *file = fopen(path, "w");
    assert(file);
    assert(fwrite(bytes, 1, size, file) == size);
    fclose(file);
}

static void site_remove(void)
{
    static const char *const names[] = {"main.conf", "devices.csv", "profiles.d/p.conf",
                                        "profiles.d", ""};
    char path[64];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", site_folder, names[i]);
        (void)remove(path);
    }
}

/* Once: the folder, with a main file and a profile. */
static void site_begin(const char *main_text, const char *profile)
{
    char path[64];

    if (strstr(site_folder, "XXXXXX") == NULL)
        return;
    assert(mkdtemp(site_folder));
    assert(atexit(site_remove) == 0);
    snprintf(path, sizeof(path), "%s/profiles.d", site_folder);
    assert(mkdir(path, 0700) == 0);
    site_put("main.conf", main_text, strlen(main_text));
    site_put("profiles.d/p.conf", profile, strlen(profile));
}

/* A site that loads is whole; one that does not says why, in text that can be printed. */
static void site_try(void)
{
    struct problems problems = {0};
    struct site *site = NULL;
    char path[64];

    snprintf(path, sizeof(path), "%s/main.conf", site_folder);
    int r = site_load(&site, &(struct site_source){.config = path}, &problems);
    assert(r >= 0);
    assert((r == 0) == (problems.errors == 0));
    assert((site != NULL) == (r == 0));
    for (size_t i = 0; i < problems.count; i++) {
        json_t *text = json_string(problems.items[i].text);

        assert(text); /* UTF-8, whatever was in the file */
        json_decref(text);
        /* What the syntax check lets through, libconfig must take. */
        assert(strncmp(problems.items[i].text, "syntax error;", 13) != 0);
        assert(strncmp(problems.items[i].text, "mismatched element", 18) != 0);
        assert(strncmp(problems.items[i].text, "duplicate setting", 17) != 0);
    }
    for (size_t i = 0; site && i < site->device_count; i++) {
        const struct device *device = &site->devices[i];

        assert(site_device(site, device->id) == i);
        assert(device->line < site->line_count && device->profile < site->profile_count);
    }
    for (size_t i = 0; site && i < site->profile_count; i++) {
        const struct profile *profile = &site->profiles[i];

        for (size_t k = 0; k < profile->point_count; k++) {
            const struct point *point = &profile->points[k];

            assert(point->count >= 1 && point->count <= ADAPTER_WORDS_MAX);
            assert(point->address + point->count <= 65536);
            assert(point->bit_low + point->bit_count <= 16);
            assert(point->scale != 0.0 && point->property);
        }
    }
    site_free(site);
    problems_deinit(&problems);
}

#endif
