#include "commands/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct progress progress_of(const char *text)
{
    struct progress progress = {0};
    json_t *job = json_loads(text, 0, NULL);

    assert_non_null(job);
    progress_read(&progress, job);
    json_decref(job);
    return progress;
}

#define JOB                                                                                    \
    "{\"status\":\"running\",\"deviceJobStatistics\":{\"deviceCount\":31,\"succeededCount\":"  \
    "11,"                                                                                      \
    "\"failedCount\":1,\"runningCount\":4,\"pendingCount\":15}}"

static size_t count(const char *text, const char *piece)
{
    size_t found = 0;

    while ((text = strstr(text, piece))) {
        found++;
        text += strlen(piece);
    }
    return found;
}

static void the_line_tells_the_job(void **state)
{
    (void)state;
    struct progress progress = progress_of(JOB);
    char line[PROGRESS_LINE_MOST];

    progress_line(&progress, &(struct terminal){.live = true, .width = 76}, 12, line);
    assert_string_equal(line,
                        "███████░░░░░░░░░░░░░  12 of 31  11 ok  1 failed  4 running  12 s");
}

static void the_bar_is_as_long_as_the_window_allows(void **state)
{
    (void)state;
    struct progress progress = progress_of(JOB);
    char line[PROGRESS_LINE_MOST];

    for (size_t width = 0; width < 300; width++) {
        progress_line(&progress, &(struct terminal){.live = true, .width = width}, 999, line);
        size_t bar = count(line, "█") + count(line, "░");
        assert_in_range(bar, 8, 40);
        if (width >= 70)
            assert_in_range(text_width(line), 1, width);
    }
}

static void a_finished_job_fills_the_bar(void **state)
{
    (void)state;
    struct progress progress = {.status = "completed", .devices = 3, .succeeded = 3};
    char line[PROGRESS_LINE_MOST];

    progress_line(&progress, &(struct terminal){.live = true, .width = 200}, 0, line);
    assert_int_equal(count(line, "█"), 40);
    assert_true(progress_is_over(&progress));
}

static void one_failure_among_a_thousand_is_red_in_the_bar(void **state)
{
    (void)state;
    struct progress progress = {.devices = 1000, .succeeded = 999, .failed = 1};
    char line[PROGRESS_LINE_MOST];

    progress_line(&progress, &(struct terminal){.live = true, .colour = true, .width = 200}, 0,
                  line);
    assert_non_null(strstr(line, "\033[31m█\033[0m"));
}

static void an_outcome_counts_until_the_next_statistics(void **state)
{
    (void)state;
    struct progress progress = progress_of(JOB);

    progress_count(&progress, true);
    progress_count(&progress, false);
    assert_int_equal(progress.failed, 2);
    assert_int_equal(progress.succeeded, 12);
    assert_int_equal(progress.running, 2);
}

static void an_outcome_that_the_statistics_had_is_not_counted_again(void **state)
{
    (void)state;
    struct progress progress = {.devices = 1, .succeeded = 1};

    progress_count(&progress, false);
    assert_int_equal(progress.succeeded, 1);
}

static void the_sum_is_one_sentence(void **state)
{
    (void)state;
    struct progress progress = {
        .status = "completed", .devices = 31, .succeeded = 29, .failed = 2};
    char text[200];

    progress_summary(&progress, 12.44, text, sizeof(text));
    assert_string_equal(text, "31 devices: 29 completed, 2 failed, 12.4 s");
    progress.devices = 0;
    progress_summary(&progress, -1, text, sizeof(text));
    assert_string_equal(text, "no device matched; the job is completed");
    progress = (struct progress){.status = "cancelled", .devices = 1, .failed = 1};
    progress_summary(&progress, -1, text, sizeof(text));
    assert_string_equal(text, "1 device: 0 completed, 1 failed; the job is cancelled");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_tells_the_job),
        cmocka_unit_test(the_bar_is_as_long_as_the_window_allows),
        cmocka_unit_test(a_finished_job_fills_the_bar),
        cmocka_unit_test(one_failure_among_a_thousand_is_red_in_the_bar),
        cmocka_unit_test(an_outcome_counts_until_the_next_statistics),
        cmocka_unit_test(an_outcome_that_the_statistics_had_is_not_counted_again),
        cmocka_unit_test(the_sum_is_one_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
