#include "base/log_fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static char fields[LOG_FIELDS][LOG_FIELD_SIZE];

static void a_message_is_about_what_it_begins_with(void **state)
{
    (void)state;
    assert_int_equal(log_fields_of("line floor3: up", fields), 1);
    assert_string_equal(fields[0], "JOBGATE_LINE=floor3");
    assert_int_equal(log_fields_of("device room-7, and perhaps others: gateway x", fields), 1);
    assert_string_equal(fields[0], "JOBGATE_DEVICE=room-7");
}

static void and_about_what_comes_behind_a_colon(void **state)
{
    (void)state;
    assert_int_equal(log_fields_of("job a:b: device room-7 is no longer in the site", fields),
                     2);
    assert_string_equal(fields[0], "JOBGATE_JOB=a:b");
    assert_string_equal(fields[1], "JOBGATE_DEVICE=room-7");
}

static void words_in_a_sentence_are_no_names(void **state)
{
    (void)state;
    assert_int_equal(
        log_fields_of("store: 3 jobs go on, the line is up and job is done", fields), 0);
    assert_int_equal(log_fields_of("", fields), 0);
    assert_int_equal(log_fields_of("line ", fields), 0);
}

static void a_field_is_told_once(void **state)
{
    (void)state;
    assert_int_equal(log_fields_of("line a: line b: line c", fields), 1);
    assert_string_equal(fields[0], "JOBGATE_LINE=a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_about_what_it_begins_with),
        cmocka_unit_test(and_about_what_comes_behind_a_colon),
        cmocka_unit_test(words_in_a_sentence_are_no_names),
        cmocka_unit_test(a_field_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
