/*
 * Every file in tests/site/bad breaks one rule, and its first lines say what must be said of
 * it:
 * `# expect: FILE:LINE: text`, the whole output and nothing else. A file named profile-* is a
 * profile that is read beside a good site, the others are main files with good profiles.
 */
#include "site/problems.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define BAD  SOURCE_DIR "/tests/site/bad"
#define GOOD SOURCE_DIR "/tests/site/good"

enum { FILES_LEAST = 60 };

/* `text` with every `what` taken out, in place. */
static void take_out(char *text, const char *what)
{
    size_t length = strlen(what);

    for (char *at = text; (at = strstr(at, what));)
        memmove(at, at + length, strlen(at + length) + 1);
}

/* All that a site has wrong, as printed; malloc'ed. */
static char *problems_of(const char *config, const char *folder)
{
    const char *dirs[] = {folder, NULL};
    struct problems problems = {0};
    struct site *site = NULL;
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    assert_non_null(to);
    int r = site_load(&site, &(struct site_source){.config = config, .profile_dirs = dirs},
                      &problems);
    assert_true(r >= 0);
    assert_int_equal(r == 0, problems.errors == 0);
    assert_int_equal(site != NULL, r == 0);
    problems_print(&problems, to);
    fclose(to);
    problems_deinit(&problems);
    site_free(site);
    return text;
}

static char *problems_of_profile(const char *name)
{
    char folder[] = "/tmp/jobgate-bad-XXXXXX", path[512], link_path[512], good[64], prefix[64];

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), BAD "/%s", name);
    snprintf(link_path, sizeof(link_path), "%s/%s", folder, name);
    snprintf(good, sizeof(good), "%s/room.conf", folder);
    snprintf(prefix, sizeof(prefix), "%s/", folder);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(symlink(GOOD "/profiles/room.conf", good), 0);
    char *text = problems_of(GOOD "/main.conf", folder);
    assert_int_equal(unlink(link_path) | unlink(good) | rmdir(folder), 0);
    take_out(text, prefix);
    return text;
}

static char *expected_of(const char *name)
{
    static const char mark[] = "# expect: ";
    char path[512], line[2000], *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    snprintf(path, sizeof(path), BAD "/%s", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(to);
    while (fgets(line, sizeof(line), file)) {
        char *at = strstr(line, mark);

        if (at)
            fputs(at + strlen(mark), to);
    }
    fclose(file);
    fclose(to);
    return text;
}

static bool is_as_expected(const char *name)
{
    bool profile =
        strncmp(name, "profile-", 8) == 0 && strcmp(name, "profile-unknown.conf") != 0;
    char path[512], *said, *expected = expected_of(name);

    snprintf(path, sizeof(path), BAD "/%s", name);
    said = profile ? problems_of_profile(name) : problems_of(path, GOOD "/profiles");
    take_out(said, BAD "/");
    bool same = strcmp(said, expected) == 0;
    if (!same)
        fprintf(stderr, "%s:\n  expected: %s  but said: %s\n", name, expected, said);
    free(said);
    free(expected);
    return same;
}

static int is_conf(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > 5 && strcmp(entry->d_name + length - 5, ".conf") == 0;
}

static void every_bad_file_is_answered_by_its_line_and_cure(void **state)
{
    struct dirent **entries;
    int count = scandir(BAD, &entries, is_conf, alphasort), wrong = 0;

    (void)state;
    assert_true(count >= FILES_LEAST);
    for (int i = 0; i < count; i++) {
        wrong += !is_as_expected(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(wrong, 0);
}

static void the_good_files_beside_them_have_no_problem(void **state)
{
    (void)state;
    char *said = problems_of(GOOD "/main.conf", GOOD "/profiles");

    assert_string_equal(said, "");
    free(said);
}

/* --- what git cannot keep: the modes of files, and other folders --- */

struct folder {
    char path[64];
};

static void put(const char *folder, const char *name, const char *text, mode_t mode)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static int make_folder(void **state)
{
    struct folder *folder = test_malloc(sizeof(*folder));

    strcpy(folder->path, "/tmp/jobgate-bad-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    put(folder->path, "main.conf",
        "gateway = { id = \"g\"; };\n"
        "broker = { url = \"mqtt://mqtt.example\"; username = \"g\"; password_file = \"key\"; "
        "};\n"
        "lines = ( { name = \"floor3\"; adapter = \"modbus-rtu\"; port = \"/dev/bus\"; } );\n"
        "devices = ( { id = \"d\"; line = \"floor3\"; unit = 1; profile = \"room\"; } );\n",
        0644);
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

static void assert_said(const struct folder *folder, const char *expected)
{
    char path[128], prefix[128];

    snprintf(path, sizeof(path), "%s/main.conf", folder->path);
    snprintf(prefix, sizeof(prefix), "%s/", folder->path);
    char *said = problems_of(path, GOOD "/profiles");
    take_out(said, prefix);
    assert_string_equal(said, expected);
    free(said);
}

static void a_key_file_that_others_may_read_is_a_problem(void **state)
{
    struct folder *folder = *state;

    put(folder->path, "key", "secret\n", 0644);
    assert_said(folder,
                "main.conf:2: broker: password_file \"key\" may be read by others (mode "
                "0644); chmod 0600 key\n");
}

static void a_key_file_that_a_group_may_change_is_a_problem(void **state)
{
    struct folder *folder = *state;

    put(folder->path, "key", "secret\n", 0660);
    assert_said(folder, "main.conf:2: broker: password_file \"key\" may be changed by others "
                        "(mode 0660); chmod 0600 key\n");
}

static void a_key_file_of_the_owner_or_its_group_is_right(void **state)
{
    struct folder *folder = *state;

    put(folder->path, "key", "secret\n", 0600);
    assert_said(folder, "");
    put(folder->path, "key", "secret\n", 0640);
    assert_said(folder, "");
}

static void an_empty_key_file_is_a_problem(void **state)
{
    struct folder *folder = *state;

    put(folder->path, "key", "", 0600);
    assert_said(folder,
                "main.conf:2: broker: password_file \"key\" is empty; write the key into it\n");
}

static void a_credential_is_looked_at_only_in_the_service(void **state)
{
    unsetenv("CREDENTIALS_DIRECTORY");
    char *said = problems_of(BAD "/broker-password-without-user.conf", GOOD "/profiles");

    setenv("CREDENTIALS_DIRECTORY", GOOD "/credentials", 1);
    (void)state;
    assert_non_null(strstr(said,
                           "warning: broker: password_file: the credential \"broker\" can be "
                           "looked at only in the service; it needs "
                           "LoadCredential=broker:... in its unit\n"));
    free(said);
}

static void the_same_profile_twice_in_a_folder_is_a_problem(void **state)
{
    struct folder *folder = *state;
    char own[128];

    put(folder->path, "key", "secret\n", 0600);
    snprintf(own, sizeof(own), "%s/profiles.d", folder->path);
    assert_int_equal(mkdir(own, 0755), 0);
    put(own, "a.conf", "profile = { name = \"x\"; points = { a = { coil = 0; }; }; };\n", 0644);
    put(own, "b.conf", "\nprofile = { name = \"x\"; points = { a = { coil = 1; }; }; };\n",
        0644);
    assert_said(folder,
                "profiles.d/b.conf:2: a second profile \"x\" in one folder, the first is in "
                "profiles.d/a.conf; give one of them another name\n");
}

static void a_missing_folder_of_profiles_is_a_problem(void **state)
{
    (void)state;
    char *said = problems_of(GOOD "/main.conf", GOOD "/none");

    take_out(said, GOOD "/");
    assert_string_equal(
        said, "main.conf:4: device \"room-1\": unknown profile \"room\"; there is none\n"
              "none: the folder of profiles cannot be read: No such file or directory; "
              "is its name right?\n");
    free(said);
}

static void a_missing_main_file_is_named(void **state)
{
    (void)state;
    char *said = problems_of("/nowhere/jobgate.conf", GOOD "/profiles");

    assert_string_equal(said,
                        "/nowhere/jobgate.conf: cannot be read: No such file or directory; "
                        "is the path right?\n");
    free(said);
}

static void problems_of_several_files_are_said_at_once(void **state)
{
    struct folder *folder = *state;
    char own[128];

    snprintf(own, sizeof(own), "%s/profiles.d", folder->path);
    assert_int_equal(mkdir(own, 0755), 0);
    put(own, "a.conf", "profile = { name \"x\" };\n", 0644);
    put(own, "b.conf",
        "profile = { name = \"x\"; points = { a = { coil = 0; scale = 0; }; }; };\n", 0644);
    assert_said(folder,
                "main.conf:2: broker: password_file \"key\" cannot be read: No such file "
                "or directory; put the file there\n"
                "profiles.d/a.conf:1: no = after name; write name = value;\n"
                "profiles.d/b.conf:1: point \"a\": scale is 0, which makes every value the "
                "same; write the factor, such as 0.1\n"
                "profiles.d/b.conf:1: point \"a\": scale or offset has no meaning for a "
                "bool; remove it\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_file_is_answered_by_its_line_and_cure),
        cmocka_unit_test(the_good_files_beside_them_have_no_problem),
        cmocka_unit_test_setup_teardown(a_key_file_that_others_may_read_is_a_problem,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_key_file_that_a_group_may_change_is_a_problem,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_key_file_of_the_owner_or_its_group_is_right,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(an_empty_key_file_is_a_problem, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(the_same_profile_twice_in_a_folder_is_a_problem,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(problems_of_several_files_are_said_at_once, make_folder,
                                        remove_folder),
        cmocka_unit_test(a_credential_is_looked_at_only_in_the_service),
        cmocka_unit_test(a_missing_folder_of_profiles_is_a_problem),
        cmocka_unit_test(a_missing_main_file_is_named),
    };

    setenv("CREDENTIALS_DIRECTORY", GOOD "/credentials", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
