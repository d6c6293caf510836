#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_joined(char *text, const char *wanted)
{
    assert_string_equal(text, wanted);
    free(text);
}

static void texts_are_joined_in_their_order(void **state)
{
    (void)state;
    assert_joined(text_join("a", "", "bc", "d", NULL), "abcd");
    assert_joined(text_join("alone", NULL), "alone");
}

static void of_nothing_comes_an_empty_text(void **state)
{
    (void)state;
    assert_joined(text_join("", "", NULL), "");
    assert_joined(text_join(NULL, NULL), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_joined_in_their_order),
        cmocka_unit_test(of_nothing_comes_an_empty_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
