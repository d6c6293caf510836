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

static void the_example_of_the_manual_loads(void **state)
{
    struct folder *folder = *state;

    put(folder, "key", "secret\n");
    char path[128];
    snprintf(path, sizeof(path), "%s/key", folder->path);
    assert_int_equal(chmod(path, 0600), 0);
    struct site *site = load(
        folder,
        "gateway = { id = \"building-43\"; state = \"/var/lib/jobgate\"; };\n"
        "iothub = { host = \"contoso.azure-devices.net\"; auth = \"group-key\"; key_file = "
        "\"key\"; port = 8883; };\n"
        "broker = { url = \"mqtts://mqtt.example:8883\"; protocol = 5; root = \"jobgate/v1\";\n"
        "  username = \"building-43\"; password_file = \"key\"; ca_file = \"main.conf\"; "
        "cert_file = \"main.conf\"; key_file = \"key\"; };\n"
        "api = { socket = \"/run/jobgate/jobgate.sock\";\n"
        "  https = { listen = \"0.0.0.0:443\"; host = \"gw43.example\"; cert_file = "
        "\"main.conf\"; key_file = \"key\";\n"
        "    policies = ( { name = \"operator\"; key_file = \"key\"; rights = [ \"read\", "
        "\"call\", \"job\", \"twin\" ]; } ); }; };\n"
        "lines = ( " LINE " );\ndevices = ( " DEVICE " );\n",
        PROFILE(""));

    assert_string_equal(site->broker->host, "mqtt.example");
    assert_int_equal(site->broker->port, 8883);
    assert_true(site->broker->tls);
    assert_string_equal(site->iothub->auth, "group-key");
    assert_true(site->api.https);
    assert_int_equal(site->api.policies[0].rights,
                     RIGHT_READ | RIGHT_CALL | RIGHT_JOB | RIGHT_TWIN);
    assert_string_equal(site->api.policies[0].key_file, path);
    site_free(site);
}

/* --- defaults --- */

static void what_is_not_written_has_its_default(void **state)
{
    struct site *site = load(*state, SITE(DEVICE), PROFILE(""));
    const struct line_config *line = &site->lines[0];

    assert_int_equal(line->settings.baud, 19200);
    assert_int_equal(line->settings.data_bits, 8);
    assert_int_equal(line->settings.parity, 'E');
    assert_int_equal(line->settings.stop_bits, 1);
    assert_int_equal(line->timeout_us, 500000);
    assert_int_equal(line->timeout_min_us, 30000);
    assert_int_equal(line->retries, 2);
    assert_int_equal(line->gap_us, 0);
    assert_int_equal(site->store.retention_days, 30);
    assert_int_equal(site->store.max_waiting, 1000);
    assert_string_equal(site->state, "/var/lib/jobgate");
    assert_string_equal(site->api.socket, "/run/jobgate/jobgate.sock");
    assert_null(site->broker);
    assert_int_equal(site->profiles[0].max_read, 125);
    assert_int_equal(site->profiles[0].max_write, 123);
    assert_int_equal(site->profiles[0].timeout_us, -1);
    assert_int_equal(json_object_size(site->devices[0].tags), 0);
    site_free(site);
}

static void a_tcp_line_has_defaults_of_its_own(void **state)
{
    struct site *site = load(*state,
                             "gateway = { id = \"g\"; };\n"
                             "lines = ( { name = \"t\"; adapter = \"modbus-tcp\"; host = "
                             "\"192.0.2.1\"; } );\n"
                             "devices = ( { id = \"d\"; line = \"t\"; unit = 255; profile = "
                             "\"p\"; } );\n",
                             PROFILE(""));

    assert_int_equal(site->lines[0].settings.tcp_port, 502);
    assert_int_equal(site->lines[0].timeout_us, 1000000);
    assert_int_equal(site->lines[0].retries, 1);
    assert_int_equal(site->devices[0].unit, 255);
    site_free(site);
}

static void a_broker_has_defaults(void **state)
{
    struct site *site = load(
        *state, SITE(DEVICE) "broker = { url = \"mqtt://[2001:db8::1]\"; };\n", PROFILE(""));

    assert_string_equal(site->broker->host, "2001:db8::1");
    assert_int_equal(site->broker->port, 1883);
    assert_false(site->broker->tls);
    assert_int_equal(site->broker->protocol, 5);
    assert_string_equal(site->broker->root, "jobgate/v1");
    assert_int_equal(site->broker->keepalive_s, 60);
    assert_int_equal(site->broker->session_expiry_s, 604800);
    assert_int_equal(site->broker->method_timeout_s, 30);
    assert_true(site->broker->methods);
    site_free(site);
}

static void a_point_has_the_defaults_of_its_table(void **state)
{
    struct site *site = load(*state, SITE(DEVICE),
                             POINTS("h = { holding = 1; }; i = { input = 2; }; "
                                    "c = { coil = 3; }; d = { discrete = 4; }; "
                                    "w = { holding = 5; access = \"w\"; };"));

    assert_int_equal(point_of(site, "h")->type, POINT_UINT16);
    assert_true(point_of(site, "h")->writable && point_of(site, "h")->verify);
    assert_int_equal(point_of(site, "h")->verify_within_ms, 1000);
    assert_true(point_of(site, "h")->join);
    assert_string_equal(point_of(site, "h")->property, "h");
    assert_false(point_of(site, "i")->writable);
    assert_int_equal(point_of(site, "c")->type, POINT_BOOL);
    assert_true(point_of(site, "c")->writable);
    assert_false(point_of(site, "d")->writable);
    assert_int_equal(point_of(site, "w")->kind, POINT_TRIGGER);
    assert_false(point_of(site, "w")->readable || point_of(site, "w")->verify);
    site_free(site);
}

/* --- devices --- */

static void a_range_makes_one_device_for_each_unit(void **state)
{
    struct site *site =
        load(*state,
             SITE("{ id = \"r-##\"; line = \"floor3\"; units = \"1-3, 9,120\"; "
                  "profile = \"p\"; tags = { floor = 3; area = 4.5; at = { wing "
                  "= \"W\"; }; }; }"),
             PROFILE(""));
    static const char *const ids[] = {"r-01", "r-02", "r-03", "r-09", "r-120"};
    static const uint8_t units[] = {1, 2, 3, 9, 120};

    assert_int_equal(site->device_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(site->devices[i].id, ids[i]);
        assert_int_equal(site->devices[i].unit, units[i]);
        assert_int_equal(site_device(site, ids[i]), i);
    }
    assert_int_equal(site_device(site, "r-04"), SITE_NONE);
    char *tags = json_dumps(site->devices[4].tags, JSON_COMPACT);
    assert_string_equal(tags, "{\"floor\":3,\"area\":4.5,\"at\":{\"wing\":\"W\"}}");
    free(tags);
    site_free(site);
}

static void a_spreadsheet_gives_devices(void **state)
{
    struct folder *folder = *state;

    put(folder, "devices.csv",
        "\xEF\xBB\xBF"
        "id;line;unit;profile;tags.floor;tags.name;tags.zone.a;tags.on;\r\n"
        "room-1; floor3 ;1;p;43;\"43\";\"say \"\"hi\"\"; you\";TRUE;\r\n"
        ";;;;;;;;\r\n"
        "room-2;floor3;2;p;4.5;;Hall;\"true\";\r\n");
    struct site *site = load(folder,
                             "gateway = { id = \"g\"; };\nlines = ( " LINE " );\n"
                             "devices_file = \"devices.csv\";\n",
                             PROFILE(""));
    static const char *const expected[] = {
        "{\"floor\":43,\"name\":\"43\",\"zone\":{\"a\":\"say \\\"hi\\\"; you\"},\"on\":true}",
        "{\"floor\":4.5,\"zone\":{\"a\":\"Hall\"},\"on\":\"true\"}",
    };

    assert_int_equal(site->device_count, 2);
    assert_string_equal(site->devices[0].id, "room-1");
    assert_int_equal(site->devices[1].unit, 2);
    assert_int_equal(site->devices[1].place.line, 4);
    for (size_t i = 0; i < 2; i++) {
        char *tags = json_dumps(site->devices[i].tags, JSON_COMPACT);
        assert_string_equal(tags, expected[i]);
        free(tags);
    }
    site_free(site);
}

static void a_spreadsheet_stands_beside_the_list(void **state)
{
    struct folder *folder = *state;

    put(folder, "devices.csv", "id,line,unit,profile\nroom-2,floor3,2,p\n");
    struct site *site =
        load(folder, SITE(DEVICE) "devices_file = \"devices.csv\";\n", PROFILE(""));

    assert_int_equal(site->device_count, 2);
    assert_int_equal(site_device(site, "d"), 0);
    assert_int_equal(site_device(site, "room-2"), 1);
    site_free(site);
}

/* --- profiles --- */

static const struct profile *profile_named(const struct site *site, const char *name)
{
    for (size_t i = 0; i < site->profile_count; i++) {
        if (strcmp(site->profiles[i].name, name) == 0)
            return &site->profiles[i];
    }
    return NULL;
}

static const char *title_of(const struct site *site, const char *name)
{
    const struct profile *profile = profile_named(site, name);

    return profile && profile->title ? profile->title : "";
}

static void the_profiles_of_the_site_win(void **state)
{
    struct folder *folder = *state;
    char extra[128], other[128];
    const char *dirs[] = {extra, other, NULL};

    snprintf(extra, sizeof(extra), "%s/extra", folder->path);
    snprintf(other, sizeof(other), "%s/other", folder->path);
    assert_int_equal(mkdir(extra, 0700) | mkdir(other, 0700), 0);
    put(folder, "main.conf", SITE(DEVICE));
    put(folder, "profiles.d/mine.conf", PROFILE("title = \"of the site\";"));
    put(folder, "extra/p.conf", PROFILE("title = \"of --profiles\";"));
    put(folder, "extra/q.conf",
        "profile = { name = \"q\"; title = \"first\"; points = { a = { coil = 0; }; }; };");
    put(folder, "other/q.conf",
        "profile = { name = \"q\"; title = \"second\"; points = { a = { coil = 0; }; }; };");
    struct site *site = load_from(folder, dirs, NULL);

    assert_string_equal(title_of(site, "p"), "of the site");
    assert_string_equal(title_of(site, "q"), "first");
    site_free(site);
}

static void every_numbering_finds_the_same_register(void **state)
{
    static const char *const profiles[] = {
        "holding = 107; }; }; numbering = \"pdu\";",
        "holding = 0x6B; }; };",
        "holding = 108; }; }; numbering = \"one\";",
        "holding = 40108; }; }; numbering = \"reference\";",
        "holding = 400108; }; }; numbering = \"reference\";",
        "reference = 40108; }; };",
        "reference = \"400108\"; }; };",
        "reference = 40108; }; }; numbering = \"one\";",
    };
    char profile[256], where[64];

    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
        snprintf(profile, sizeof(profile), "profile = { name = \"p\"; points = { a = { %s };\n",
                 profiles[i]);
        struct site *site = load(*state, SITE(DEVICE), profile);

        point_where(point_of(site, "a"), where, sizeof(where));
        assert_string_equal(where, "holding 107 (0x006B, 40108)");
        site_free(site);
    }
}

static void references_name_their_table(void **state)
{
    static const struct {
        const char *reference, *where;
    } golden[] = {
        {"1", "coil 0 (0x0000, 00001)"},
        {"9999", "coil 9998 (0x270E, 09999)"},
        {"\"00001\"", "coil 0 (0x0000, 00001)"},
        {"\"010000\"", "coil 9999 (0x270F, 010000)"},
        {"\"065536\"", "coil 65535 (0xFFFF, 065536)"},
        {"65536", "coil 65535 (0xFFFF, 065536)"},
        {"10001", "discrete 0 (0x0000, 10001)"},
        {"165536", "discrete 65535 (0xFFFF, 165536)"},
        {"30001", "input 0 (0x0000, 30001)"},
        {"39999", "input 9998 (0x270E, 39999)"},
        {"310000", "input 9999 (0x270F, 310000)"},
        {"40001", "holding 0 (0x0000, 40001)"},
        {"465536", "holding 65535 (0xFFFF, 465536)"},
    };
    char profile[256], where[64];

    for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
        snprintf(profile, sizeof(profile),
                 "profile = { name = \"p\"; points = { a = { reference = %s; }; }; };\n",
                 golden[i].reference);
        struct site *site = load(*state, SITE(DEVICE), profile);

        point_where(point_of(site, "a"), where, sizeof(where));
        assert_string_equal(where, golden[i].where);
        site_free(site);
    }
}

static void an_order_says_which_byte_stands_where(void **state)
{
    struct site *site =
        load(*state, SITE(DEVICE),
             POINTS("a = { holding = 0; type = \"float32\"; order = \"CDAB\"; };"
                    "b = { holding = 2; type = \"uint64\"; order = \"GHEFCDAB\"; };"
                    "s = { holding = 6; type = \"string\"; length = 4; order = \"BA\"; };"));
    static const uint8_t swapped[] = {2, 3, 0, 1}, reversed[] = {6, 7, 4, 5, 2, 3, 0, 1};

    assert_memory_equal(point_of(site, "a")->order, swapped, sizeof(swapped));
    assert_memory_equal(point_of(site, "b")->order, reversed, sizeof(reversed));
    assert_int_equal(point_of(site, "b")->count, 4);
    assert_int_equal(point_of(site, "s")->count, 4);
    assert_int_equal(point_of(site, "s")->order[0], 1);
    site_free(site);
}

static void the_same_registers_may_have_two_names(void **state)
{
    struct site *site =
        load(*state, SITE(DEVICE),
             POINTS("a = { holding = 0; }; b = { holding = 0; type = \"int16\"; };"
                    "c = { holding = 1; bits = [ 0, 4 ]; };"
                    "d = { holding = 1; bits = [ 4, 4 ]; };"
                    "e = { holding = 1; };"));

    assert_int_equal(site->profiles[0].point_count, 5);
    site_free(site);
}

static void numbers_may_be_written_as_whole_or_real(void **state)
{
    struct site *site =
        load(*state, SITE(DEVICE),
             POINTS("a = { holding = 0; type = \"int16\"; scale = 1e-1; offset = 5; "
                    "min = 10; max = 30.5; poll = 1; deadband = 1; };"));
    const struct point *point = point_of(site, "a");

    assert_true(point->scaled);
    assert_float_equal(point->scale, 0.1, 1e-12);
    assert_float_equal(point->offset, 5.0, 1e-12);
    assert_float_equal(point->min, 10.0, 1e-12);
    assert_int_equal(point->decimals, 1);
    assert_int_equal(point->poll_ms, 1000);
    site_free(site);
}

static void a_method_repeats_by_itself_where_it_only_sets_verified_states(void **state)
{
    struct site *site =
        load(*state, SITE(DEVICE),
             "profile = { name = \"p\"; points = { s = { holding = 0; }; u = { holding = 1; "
             "verify = "
             "false; }; t = { holding = 2; access = \"w\"; }; };\n"
             "methods = { sets = { steps = ( { write = \"s\"; value = 1; } ); };\n"
             "  unverified = { steps = ( { write = \"u\"; value = 1; } ); };\n"
             "  triggers = { steps = ( { write = \"t\"; value = 1; } ); };\n"
             "  pulses = { steps = ( { pulse = \"s\"; value = 1; seconds = 0.5; } ); };\n"
             "  reads = { steps = ( { read = \"s\"; } ); };\n"
             "  restores = { on_failure = \"restore\"; steps = ( { write = \"s\"; arg = \"x\"; "
             "} ); }; "
             "}; };\n");
    const struct profile *profile = &site->profiles[0];
    static const bool repeatable[] = {true, false, false, false, true, true};

    for (size_t i = 0; i < 6; i++)
        assert_int_equal(profile->methods[i].repeatable, repeatable[i]);
    assert_int_equal(profile->methods[3].steps[0].duration_ms, 500);
    assert_true(profile->methods[5].restore);
    assert_int_equal(profile_method(profile, "none"), SITE_NONE);
    site_free(site);
}

/* --- files --- */

static void an_include_is_read_in_its_place(void **state)
{
    struct folder *folder = *state;

    put(folder, "lines.conf", "lines = ( " LINE " );\n");
    struct site *site = load(folder,
                             "gateway = { id = \"g\"; };\n/* \n@include \"none\"\n*/\n"
                             "  @include \"lines.conf\"  # all of them\n"
                             "devices = ( " DEVICE " );\n",
                             PROFILE(""));

    assert_non_null(strstr(site->lines[0].place.file, "/lines.conf"));
    assert_int_equal(site->lines[0].place.line, 1);
    assert_int_equal(site->devices[0].place.line, 6);
    site_free(site);
}

static void lines_may_end_as_on_windows(void **state)
{
    struct site *site = load(*state,
                             "gateway = { id = \"g\"; };\r\nlines = ( " LINE " );\r\n"
                             "devices = ( " DEVICE " );\r\n",
                             PROFILE(""));

    assert_int_equal(site->device_count, 1);
    site_free(site);
}

static void a_simulator_takes_the_place_of_the_lines(void **state)
{
    struct folder *folder = *state;

    put(folder, "main.conf",
        "gateway = { id = \"g\"; };\n"
        "lines = ( " LINE
        ", { name = \"plant\"; adapter = \"modbus-tcp\"; host = \"192.0.2.1\"; } "
        ");\ndevices = ( " DEVICE " );\n");
    put(folder, "profiles.d/p.conf", PROFILE(""));
    put(folder, "lines.json",
        "{\"lines\":{\"plant\":{\"host\":\"127.0.0.1\",\"port\":40213},"
        "\"floor3\":{\"port\":\"/tmp/sim/floor3\"}}}");
    struct site *site = load_from(folder, NULL, folder->path);

    assert_string_equal(site->lines[0].settings.port, "/tmp/sim/floor3");
    assert_int_equal(site->lines[0].settings.baud, 19200);
    assert_string_equal(site->lines[1].settings.host, "127.0.0.1");
    assert_int_equal(site->lines[1].settings.tcp_port, 40213);
    site_free(site);
}

/* --- what follows from a fault is not said --- */

static void a_profile_that_cannot_be_parsed_is_one_problem(void **state)
{
    struct folder *folder = *state;
    struct problems problems = {0};
    struct site *site = NULL;
    char config[256];

    put(folder, "main.conf", SITE(DEVICE));
    put(folder, "profiles.d/p.conf",
        "profile = {\n  title = \"by its \\\"name\\\"\"; name = \"p\";\n"
        "  points = { a = { holding = 1F; }; };\n};\n");
    snprintf(config, sizeof(config), "%s/main.conf", folder->path);
    assert_int_equal(site_load(&site, &(struct site_source){.config = config}, &problems),
                     SITE_E_PROBLEMS);
    assert_int_equal(problems.count, 1);
    assert_non_null(strstr(problems.items[0].text, "write 0x1F"));
    assert_int_equal(problems.items[0].line, 3);
    problems_deinit(&problems);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_site_loads_without_a_word),
        cmocka_unit_test(the_demo_site_loads_without_a_word),
        cmocka_unit_test(the_example_profile_says_what_a_reboot_is),
        IN_FOLDER(the_example_of_the_manual_loads),
        IN_FOLDER(what_is_not_written_has_its_default),
        IN_FOLDER(a_tcp_line_has_defaults_of_its_own),
        IN_FOLDER(a_broker_has_defaults),
        IN_FOLDER(a_point_has_the_defaults_of_its_table),
        IN_FOLDER(a_range_makes_one_device_for_each_unit),
        IN_FOLDER(a_spreadsheet_gives_devices),
        IN_FOLDER(a_spreadsheet_stands_beside_the_list),
        IN_FOLDER(the_profiles_of_the_site_win),
        IN_FOLDER(every_numbering_finds_the_same_register),
        IN_FOLDER(references_name_their_table),
        IN_FOLDER(an_order_says_which_byte_stands_where),
        IN_FOLDER(the_same_registers_may_have_two_names),
        IN_FOLDER(numbers_may_be_written_as_whole_or_real),
        IN_FOLDER(a_method_repeats_by_itself_where_it_only_sets_verified_states),
        IN_FOLDER(an_include_is_read_in_its_place),
        IN_FOLDER(lines_may_end_as_on_windows),
        IN_FOLDER(a_simulator_takes_the_place_of_the_lines),
        IN_FOLDER(a_profile_that_cannot_be_parsed_is_one_problem),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
