#include "jobs/timetext.h"

#include <stdbool.h>
#include <stddef.h>

#define SECOND_MS       INT64_C(1000)
#define MINUTE_MS       (60 * SECOND_MS)
#define HOUR_MS         (60 * MINUTE_MS)
#define DAY_MS          (24 * HOUR_MS)
#define YEAR_0_DAYS     INT64_C(719528)  /* from 0000-01-01 to 1970-01-01 */
#define YEAR_10000_DAYS INT64_C(2932897) /* from 1970-01-01 to 10000-01-01 */

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t days_of_month(int64_t year, int64_t month)
{
    static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days from 0000-01-01 to the first day of a year; year 0 itself is a leap year. */
static int64_t days_before_year(int64_t year)
{
    int64_t past = year - 1;

    return year == 0 ? 0 : 365 * year + past / 4 - past / 100 + past / 400 + 1;
}

/* Reads exactly `count` digits. */
static bool take_digits(const char **at, int count, int64_t *ret)
{
    int64_t number = 0;

    for (int i = 0; i < count; i++) {
        char c = (*at)[i];

        if (c < '0' || c > '9')
            return false;
        number = number * 10 + (c - '0');
    }
    *at += count;
    *ret = number;
    return true;
}

/* Reads two digits from `least` to `most`. */
static bool take_two(const char **at, int64_t least, int64_t most, int64_t *ret)
{
    return take_digits(at, 2, ret) && *ret >= least && *ret <= most;
}

static bool take_char(const char **at, char wanted)
{
    if (**at != wanted)
        return false;
    ++*at;
    return true;
}

static bool take_date(const char **at, int64_t *ret_days)
{
    int64_t year, month, day;

    if (!take_digits(at, 4, &year) || year == 0 || !take_char(at, '-') ||
        !take_two(at, 1, 12, &month) || !take_char(at, '-') ||
        !take_two(at, 1, days_of_month(year, month), &day))
        return false;
    *ret_days = days_before_year(year) - YEAR_0_DAYS + day - 1;
    for (int64_t past = 1; past < month; past++)
        *ret_days += days_of_month(year, past);
    return true;
}

/* Reads ".7" to ".123456789", or nothing. */
static bool take_fraction(const char **at, int64_t *ret_ms)
{
    int64_t worth = 100;
    int count = 0;

    *ret_ms = 0;
    if (!take_char(at, '.'))
        return true;
    for (; **at >= '0' && **at <= '9'; ++*at, count++) {
        *ret_ms += (**at - '0') * worth;
        worth /= 10;
    }
    return count >= 1 && count <= 9;
}

static bool take_time(const char **at, int64_t *ret_ms)
{
    int64_t hour, minute, second, ms;

    if (!take_two(at, 0, 23, &hour) || !take_char(at, ':') || !take_two(at, 0, 59, &minute) ||
        !take_char(at, ':') || !take_two(at, 0, 59, &second) || !take_fraction(at, &ms))
        return false;
    *ret_ms = hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + ms;
    return true;
}

static bool take_offset(const char **at, int64_t *ret_ms)
{
    int64_t hour, minute, sign = 1;

    *ret_ms = 0;
    if (**at == '\0' || take_char(at, 'Z'))
        return true;
    if (take_char(at, '-'))
        sign = -1;
    else if (!take_char(at, '+'))
        return false;
    if (!take_two(at, 0, 23, &hour) || !take_char(at, ':') || !take_two(at, 0, 59, &minute))
        return false;
    *ret_ms = sign * (hour * HOUR_MS + minute * MINUTE_MS);
    return true;
}

int timetext_parse(int64_t *ret_ms, const char *text)
{
    int64_t days, time_ms, offset_ms;

    if (!take_date(&text, &days) || !take_char(&text, 'T') || !take_time(&text, &time_ms) ||
        !take_offset(&text, &offset_ms) || *text != '\0')
        return TIMETEXT_E_FORM;
    *ret_ms = days * DAY_MS + time_ms - offset_ms;
    return 0;
}

static void put_digits(char *text, int count, int64_t number)
{
    while (count-- > 0) {
        text[count] = (char)('0' + number % 10);
        number /= 10;
    }
}

static void put_date(char *text, int64_t days)
{
    int64_t year = days / 366; /* at most a few years early */
    int64_t month = 1;

    while (days_before_year(year + 1) <= days)
        year++;
    days -= days_before_year(year);
    for (; days >= days_of_month(year, month); month++)
        days -= days_of_month(year, month);
    put_digits(text, 4, year);
    put_digits(text + 5, 2, month);
    put_digits(text + 8, 2, days + 1);
}

void timetext_format(char text[TIMETEXT_SIZE], int64_t ms)
{
    static const char form[TIMETEXT_SIZE] = "0000-00-00T00:00:00.000Z";

    for (size_t i = 0; i < sizeof(form); i++)
        text[i] = form[i];
    if (ms < -YEAR_0_DAYS * DAY_MS)
        ms = -YEAR_0_DAYS * DAY_MS;
    if (ms > YEAR_10000_DAYS * DAY_MS - 1)
        ms = YEAR_10000_DAYS * DAY_MS - 1;
    ms += YEAR_0_DAYS * DAY_MS; /* from here on since 0000-01-01, never negative */
    put_date(text, ms / DAY_MS);
    put_digits(text + 11, 2, ms % DAY_MS / HOUR_MS);
    put_digits(text + 14, 2, ms % HOUR_MS / MINUTE_MS);
    put_digits(text + 17, 2, ms % MINUTE_MS / SECOND_MS);
    put_digits(text + 20, 3, ms % SECOND_MS);
}
