#include "commands/grid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What a grid prints to a stream of this kind; freed by the caller. */
static char *printed(const struct grid *grid, struct terminal terminal)
{
    char *text = NULL;
    size_t size;

    terminal.to = open_memstream(&text, &size);
    assert_non_null(terminal.to);
    grid_print(grid, &terminal);
    fclose(terminal.to);
    return text;
}

static struct grid grid_of_two(void)
{
    struct grid grid;

    grid_init(&grid, (const char *const[]){"DEVICE", ">TRIES", "RESULT", NULL});
    grid_row(&grid);
    grid_cell(&grid, 0, TONE_PLAIN, "%s", "room-07");
    grid_cell(&grid, 1, TONE_PLAIN, "%d", 1);
    grid_cell(&grid, 2, TONE_GOOD, "%s", "verified");
    grid_row(&grid);
    grid_cell(&grid, 0, TONE_PLAIN, "%s", "r-8");
    grid_cell(&grid, 1, TONE_PLAIN, "%d", 12);
    grid_cell(&grid, 2, TONE_BAD, "%s", "unit 8 did not answer in 300 ms");
    return grid;
}

static void columns_are_as_wide_as_they_need(void **state)
{
    (void)state;
    struct grid grid = grid_of_two();
    char *text = printed(&grid, (struct terminal){0});

    assert_string_equal(text, "DEVICE   TRIES  RESULT\n"
                              "room-07      1  verified\n"
                              "r-8         12  unit 8 did not answer in 300 ms\n");
    free(text);
    grid_deinit(&grid);
}

static void a_reason_goes_on_below_its_column_on_a_narrow_terminal(void **state)
{
    (void)state;
    struct grid grid = grid_of_two();
    char *text = printed(&grid, (struct terminal){.live = true, .width = 42});

    assert_string_equal(text, "DEVICE   TRIES  RESULT\n"
                              "room-07      1  verified\n"
                              "r-8         12  unit 8 did not answer in\n"
                              "                300 ms\n");
    free(text);
    grid_deinit(&grid);
}

static void a_word_longer_than_the_column_is_broken(void **state)
{
    (void)state;
    struct grid grid;
    char *text;

    grid_init(&grid, (const char *const[]){"A", "B", NULL});
    grid_row(&grid);
    grid_cell(&grid, 1, TONE_PLAIN, "%s", "0123456789012345678901234567890123456789");
    text = printed(&grid, (struct terminal){.live = true, .width = 33});
    assert_string_equal(text, "A  B\n   012345678901234567890123456789\n   0123456789\n");
    free(text);
    grid_deinit(&grid);
}

static void characters_count_not_bytes(void **state)
{
    (void)state;
    struct grid grid;
    char *text;

    grid_init(&grid, (const char *const[]){"A", "B", NULL});
    grid_row(&grid);
    grid_cell(&grid, 0, TONE_PLAIN, "%s", "Küche");
    grid_cell(&grid, 1, TONE_PLAIN, "%s", "x");
    text = printed(&grid, (struct terminal){0});
    assert_string_equal(text, "A      B\nKüche  x\n");
    free(text);
    grid_deinit(&grid);
}

static void colour_stands_around_the_text_only(void **state)
{
    (void)state;
    struct grid grid;
    char *text;

    grid_init(&grid, (const char *const[]){"A", "B", NULL});
    grid_row(&grid);
    grid_cell(&grid, 0, TONE_GOOD, "%s", "x");
    grid_cell(&grid, 1, TONE_PLAIN, "%s", "y");
    text = printed(&grid, (struct terminal){.live = true, .colour = true, .width = 80});
    assert_string_equal(text, "\033[1mA\033[0m  \033[1mB\033[0m\n\033[32mx\033[0m  y\n");
    free(text);
    grid_deinit(&grid);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    struct grid grid;
    char *text;

    grid_init(&grid, (const char *const[]){"A", NULL});
    grid_row(&grid);
    grid_cell(&grid, 0, TONE_PLAIN, "%s", "a\033[2Jb\nc");
    text = printed(&grid, (struct terminal){0});
    assert_string_equal(text, "A\na?[2Jb?c\n");
    free(text);
    grid_deinit(&grid);
}

static void many_rows_fit(void **state)
{
    (void)state;
    struct grid grid;
    char *text;

    grid_init(&grid, (const char *const[]){"A", NULL});
    for (int i = 0; i < 1000; i++) {
        grid_row(&grid);
        grid_cell(&grid, 0, TONE_PLAIN, "%d", i);
    }
    text = printed(&grid, (struct terminal){0});
    assert_non_null(strstr(text, "\n999\n"));
    free(text);
    grid_deinit(&grid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_they_need),
        cmocka_unit_test(a_reason_goes_on_below_its_column_on_a_narrow_terminal),
        cmocka_unit_test(a_word_longer_than_the_column_is_broken),
        cmocka_unit_test(characters_count_not_bytes),
        cmocka_unit_test(colour_stands_around_the_text_only),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(many_rows_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
