#include "jobs/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_result_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < RESULT_COUNT; i++)
        assert_true(strlen(result_name((enum result)i)) > 0);
    assert_string_equal(result_name(RESULT_NO_ANSWER), "no_answer");
}

static void every_code_is_found_by_its_name(void **state)
{
    (void)state;
    for (int i = 1; i < CODE_COUNT; i++)
        assert_int_equal(code_find(code_name((enum code)i)), i);
    assert_int_equal(code_find("NoSuchCode"), CODE_NONE);
    assert_int_equal(code_find(""), CODE_NONE);
}

static void every_code_but_none_is_a_failure(void **state)
{
    (void)state;
    assert_int_equal(code_status(CODE_NONE), 200);
    for (int i = 1; i < CODE_COUNT; i++)
        assert_in_range(code_status((enum code)i), 400, 599);
}

static void codes_have_the_status_that_the_interface_promises(void **state)
{
    (void)state;
    assert_int_equal(code_status(CODE_DEVICE_TIMEOUT), 504);
    assert_int_equal(code_status(CODE_OUTCOME_UNKNOWN), 500);
    assert_int_equal(code_status(CODE_CANCELED), 499);
    assert_int_equal(code_status(CODE_STORE_UNAVAILABLE), 507);
    assert_string_equal(code_name(CODE_JOB_ENDED), "OperationNotAllowedInCurrentState");
    assert_int_equal(code_status(CODE_JOB_ENDED), 405);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_has_a_name),
        cmocka_unit_test(every_code_is_found_by_its_name),
        cmocka_unit_test(every_code_but_none_is_a_failure),
        cmocka_unit_test(codes_have_the_status_that_the_interface_promises),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
