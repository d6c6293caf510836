/* Reading: a site is read beside the loop, and may be left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char demo[] = SOURCE_DIR "/conf/demo/jobgate.conf";

static struct draft *read_whole(const char *config)
{
    struct reading *reading;
    struct site_source source = {.config = config};

    assert_int_equal(reading_begin(&reading, &source), 0);
    struct pollfd given = {.fd = reading_fd(reading), .events = POLLIN};
    assert_int_equal(poll(&given, 1, 60000), 1);
    struct draft *draft = reading_take(reading);
    assert_non_null(draft);
    assert_null(reading_take(reading));
    reading_end(reading);
    return draft;
}

static void a_good_site_comes_whole(void **state)
{
    (void)state;
    struct draft *draft = read_whole(demo);

    assert_int_equal(draft->result, 0);
    assert_int_equal(draft->problems.errors, 0);
    assert_true(draft->site->device_count > 0);
    draft_free(draft);
}

static void what_is_wrong_comes_instead_of_a_site(void **state)
{
    (void)state;
    struct draft *draft = read_whole("/nowhere/jobgate.conf");

    assert_int_equal(draft->result, SITE_E_PROBLEMS);
    assert_null(draft->site);
    assert_true(draft->problems.errors > 0);
    draft_free(draft);
}

static void a_key_that_cannot_be_read_is_a_problem_of_the_site(void **state)
{
    (void)state;
    char file[] = "/tmp/jobgate-reading-XXXXXX";
    FILE *to = fdopen(mkstemp(file), "w");

    fprintf(to, "gateway = { id = \"g\"; };\n"
                "broker = { url = \"mqtts://localhost\"; ca_file = \"/nowhere/ca.pem\"; };\n"
                "lines = ( ); devices = ( );\n");
    fclose(to);
    struct draft *draft = read_whole(file);
    unlink(file);
    assert_int_equal(draft->result, SITE_E_PROBLEMS);
    bool named = false;
    for (size_t i = 0; i < draft->problems.count; i++)
        named |= strstr(draft->problems.items[i].text, "/nowhere/ca.pem") != NULL;
    assert_true(named);
    draft_free(draft);
}

/* At any moment, since nobody waits for the other. */
static void a_reading_may_be_left(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        struct reading *reading;
        struct site_source source = {.config = demo};

        assert_int_equal(reading_begin(&reading, &source), 0);
        usleep(i * 100);
        reading_end(reading);
    }
    reading_end(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_site_comes_whole),
        cmocka_unit_test(what_is_wrong_comes_instead_of_a_site),
        cmocka_unit_test(a_key_that_cannot_be_read_is_a_problem_of_the_site),
        cmocka_unit_test(a_reading_may_be_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
