#include "commands/scan_time.h"

#include "base/clock.h"
#include "lines/health.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    GARBLED_ASKS = 3, /* a unit that was garbled is asked so often */
    BABBLE_MOST = 3,  /* a line that is never silent is given up after so many askings */
    DOUBLE_ROUNDS = 2,
    FOLLOW_US = 300000,    /* so late a second device of the same number may be, at the least */
    TARGET_UNREACHED = 10, /* exceptions of a gateway on the way, not of the device */
    TARGET_SILENT = 11,
};

/* What an asking came to. */
enum heard {
    HEARD_NOTHING,
    HEARD_ANSWER,
    HEARD_BROKEN,  /* what came begins as the answer would */
    HEARD_GARBAGE, /* it does not */
    HEARD_BABBLE,  /* nothing could be asked */
    HEARD_ABSENT,
    HEARD_DOWN,
    HEARD_STOP,
};

/* A line that is open for one try. */
struct session {
    struct scan *scan;
    struct scan_try *try;
    struct adapter_line *line;
    struct device_health learned; /* from all that answered at these settings */
    unsigned last;                /* the unit that was asked last; 0 at first */
    unsigned babbled;             /* in a row */
    int64_t rest_us; /* before the next asking: a second answer may be under way yet */
};

static bool is_to_stop(const struct scan *scan)
{
    struct pollfd on = {.fd = scan->wake_fd, .events = POLLIN};

    return scan->wake_fd >= 0 && poll(&on, 1, 0) > 0;
}

static bool has_ended(const struct scan *scan)
{
    return scan->stopped || scan->down;
}

/* --- what came --- */

/* A good frame that does not fit the request still comes from somebody. */
static enum heard bad_reply(const struct answer *answer)
{
    if (answer->started_us == 0)
        return HEARD_BABBLE;
    if (answer->whole)
        return HEARD_ANSWER;
    return answer->begun ? HEARD_BROKEN : HEARD_GARBAGE;
}

static enum heard heard_in(const struct scan *scan, const struct answer *answer)
{
    switch (answer->result) {
    case ANSWER_DONE:
        return HEARD_ANSWER;
    case ANSWER_EXCEPTION:
        return answer->exception == TARGET_UNREACHED || answer->exception == TARGET_SILENT
                   ? HEARD_ABSENT
                   : HEARD_ANSWER;
    case ANSWER_SILENT:
        return is_to_stop(scan) ? HEARD_STOP : HEARD_NOTHING;
    case ANSWER_BAD_REPLY:
        return bad_reply(answer);
    case ANSWER_LINE_DOWN:
        /* Some endpoints close the connection where they do not know the unit. */
        return !scan->adapter->serial && answer->started_us > 0 ? HEARD_NOTHING : HEARD_DOWN;
    case ANSWER_NOT_SENT:
        return HEARD_STOP;
    }
    return HEARD_NOTHING;
}

static void take_answer(struct session *session, struct scan_unit *unit,
                        const struct answer *answer)
{
    int64_t took_us = answer->ended_us - answer->started_us;

    if (unit->answered++ == 0 || took_us < unit->took_us)
        unit->took_us = took_us;
    unit->exception = answer->result == ANSWER_EXCEPTION ? answer->exception : 0;
    if (answer->result == ANSWER_DONE)
        unit->word = answer->words[0];
    health_learn(&session->learned, answer->waited_us);
}

static bool has_more(const struct answer *answer)
{
    return answer->late > 0 || answer->late_unit > 0;
}

/* What came beside the answer belongs to the unit that it names, or else to whom was asked
   before: did that one answer already, then there is one more of it. */
static void look_behind(struct session *session, const struct answer *answer)
{
    unsigned number = answer->late_unit ? answer->late_unit : session->last;
    struct scan_unit *late = &session->try->units[number];

    if (number && has_more(answer) && late->answered > 0)
        late->followed = true;
}

static void keep(struct session *session, unsigned number, enum heard heard,
                 const struct answer *answer)
{
    struct scan_unit *unit = &session->try->units[number];
    bool was_heard = unit->answered || unit->broken;

    unit->asked++;
    session->try->asked++;
    if (heard == HEARD_ANSWER)
        take_answer(session, unit, answer);
    look_behind(session, answer);
    unit->absent += heard == HEARD_ABSENT;
    unit->broken += heard == HEARD_BROKEN;
    unit->garbled += heard == HEARD_BROKEN || heard == HEARD_GARBAGE;
    if (answer->result != ANSWER_DONE && answer->result != ANSWER_SILENT)
        snprintf(unit->text, sizeof(unit->text), "%s", answer->text);
    if (!was_heard && (unit->answered || unit->broken))
        session->try->heard++;
    session->last = number;
}

static int64_t longest(int64_t a, int64_t b, int64_t c)
{
    int64_t most = a > b ? a : b;

    return most > c ? most : c;
}

static enum heard ask(struct session *session, unsigned number, int64_t timeout_us,
                      int64_t gap_us, struct answer *answer)
{
    struct scan *scan = session->scan;
    struct operation probe = scan->asks[number].probe;
    struct limits limits = {.timeout_us = timeout_us,
                            .gap_us = longest(scan->gap_us, gap_us, session->rest_us),
                            .deadline_us = MOMENT_NEVER};
    enum heard heard;

    if (is_to_stop(scan)) {
        scan->stopped = true;
        return HEARD_STOP;
    }
    probe.unit = (uint8_t)number;
    scan->adapter->execute(session->line, &probe, &limits, scan->wake_fd, answer);
    session->rest_us = 0;
    heard = heard_in(scan, answer);
    scan->stopped = heard == HEARD_STOP;
    scan->down = heard == HEARD_DOWN;
    if (scan->down)
        snprintf(scan->why, sizeof(scan->why), "%s", answer->text);
    if (has_ended(scan))
        return heard;
    keep(session, number, heard, answer);
    session->babbled = heard == HEARD_BABBLE ? session->babbled + 1 : 0;
    session->try->babble = session->babbled >= BABBLE_MOST;
    return heard;
}

/* --- once more --- */

static int64_t patient_us(const struct session *session, const struct scan_ask *ask)
{
    return scan_patient_us(session->scan, ask, &session->try->way,
                           health_slowest_us(&session->learned));
}

static int64_t follow_us(const struct session *session, const struct scan_ask *ask)
{
    int64_t patient = patient_us(session, ask);

    return patient > FOLLOW_US ? patient : FOLLOW_US;
}

/* A TCP endpoint was given all its time already. */
static bool deserves_more(const struct scan *scan, const struct scan_ask *ask,
                          const struct scan_unit *unit)
{
    if (unit->followed && !unit->looked)
        return true;
    if (unit->garbled)
        return unit->asked < GARBLED_ASKS;
    return unit->asked == 1 && !unit->answered && (ask->expected || scan->adapter->serial);
}

/* Asked after a pause, so that nobody is spoken over, and asked again after another one in
   which only a second device can have spoken; and all that twice, since a device that was slow
   once may be taken for two. */
static void confirm_double(struct session *session, unsigned number)
{
    const struct scan_ask *more = &session->scan->asks[number];
    int64_t timeout_us = patient_us(session, more), pause_us = follow_us(session, more);
    struct answer answer;

    for (unsigned round = 0; round < DOUBLE_ROUNDS; round++) {
        if (ask(session, number, timeout_us, pause_us, &answer) != HEARD_ANSWER)
            return;
        ask(session, number, timeout_us, pause_us, &answer);
        if (has_ended(session->scan) || !has_more(&answer))
            return;
    }
    session->try->units[number].doubled = true;
}

static void ask_again(struct session *session, unsigned number)
{
    const struct scan_ask *more = &session->scan->asks[number];
    struct scan_unit *unit = &session->try->units[number];
    struct answer answer;

    if (unit->followed) {
        unit->looked = true;
        confirm_double(session, number);
        session->rest_us = follow_us(session, more);
        return;
    }
    do
        ask(session, number, patient_us(session, more), 0, &answer);
    while (!has_ended(session->scan) && unit->garbled > 0 && unit->asked < GARBLED_ASKS);
}

/* --- passes --- */

enum pass { PASS_FIRST, PASS_AGAIN };

static bool is_due(const struct session *session, unsigned number, enum pass pass,
                   bool expected)
{
    const struct scan_ask *more = &session->scan->asks[number];
    const struct scan_unit *unit = &session->try->units[number];

    if (!more->wanted || more->expected != expected)
        return false;
    return pass == PASS_FIRST ? unit->asked == 0 : deserves_more(session->scan, more, unit);
}

static unsigned count_due(const struct session *session, enum pass pass, bool expected)
{
    unsigned due = 0;

    for (unsigned number = 0; number < SCAN_UNITS; number++)
        due += is_due(session, number, pass, expected);
    return due;
}

static void go_round(struct session *session, enum pass pass, bool expected)
{
    struct scan *scan = session->scan;
    struct answer answer;

    for (unsigned number = 0; number < SCAN_UNITS; number++) {
        if (!is_due(session, number, pass, expected))
            continue;
        if (pass == PASS_FIRST)
            ask(session, number,
                scan_first_us(scan, &scan->asks[number], &session->try->way,
                              health_slowest_us(&session->learned)),
                0, &answer);
        else
            ask_again(session, number);
        if (has_ended(scan) || session->try->babble)
            return;
        scan->left -= scan->left > 0;
        if (scan->asked)
            scan->asked(scan->ctx, scan, number, pass == PASS_AGAIN);
    }
}

/* Those of the site go first. At other settings than the site's their silence is enough. */
static void pass_over(struct session *session, enum pass pass, bool expected_only)
{
    struct scan *scan = session->scan;

    scan->total = count_due(session, pass, true);
    if (!expected_only)
        scan->total += count_due(session, pass, false);
    scan->left = scan->total;
    go_round(session, pass, true);
    if (expected_only && pass == PASS_FIRST && session->try->heard > 0) {
        scan->left = count_due(session, pass, false);
        scan->total += scan->left;
        expected_only = false;
    }
    if (!expected_only && !has_ended(scan) && !session->try->babble)
        go_round(session, pass, false);
}

/* Whoever was asked last has nobody behind him whose asking would show a second answer. */
static void look_behind_last(struct session *session)
{
    const struct scan_ask *last = &session->scan->asks[session->last];
    struct answer answer;

    if (session->scan->adapter->serial && session->try->units[session->last].answered > 0)
        ask(session, session->last, patient_us(session, last), follow_us(session, last),
            &answer);
}

/* What is told of others meanwhile is looked into, in a second round. */
static void go_again(struct session *session, bool expected_only)
{
    look_behind_last(session);
    for (unsigned round = 0; round < 2 && !has_ended(session->scan); round++)
        pass_over(session, PASS_AGAIN, expected_only);
}

static int open_line(struct session *session, char *why, size_t size)
{
    struct adapter_settings settings = scan_settings_of(session->scan, &session->try->way);

    return session->scan->adapter->open(&session->line, &settings, session->scan->wake_fd, why,
                                        size);
}

static int try_way(struct scan *scan, size_t index)
{
    struct session session = {.scan = scan, .try = &scan->tries[index]};
    int r = open_line(&session, session.try->why, sizeof(session.try->why));

    if (r < 0)
        return r;
    session.try->why[0] = '\0';
    scan->now = index;
    pass_over(&session, PASS_FIRST, index > 0 && !scan->all && scan_expects_any(scan));
    if (session.try->heard > 0 && !has_ended(scan))
        go_again(&session, false);
    scan->adapter->close(session.line);
    return 0;
}

/* Nobody at all was heard: patience at the site's own settings. */
static void be_patient(struct scan *scan)
{
    struct session session = {.scan = scan, .try = &scan->tries[0]};

    if (session.try->babble || open_line(&session, scan->why, sizeof(scan->why)) < 0)
        return;
    scan->now = 0;
    pass_over(&session, PASS_AGAIN, scan_expects_any(scan));
    scan->adapter->close(session.line);
}

int scan_run(struct scan *scan)
{
    bool heard = false;

    for (size_t i = 0; i < scan->try_count && !has_ended(scan); i++) {
        int r = try_way(scan, i);

        if (r < 0 && i == 0) {
            snprintf(scan->why, sizeof(scan->why), "%s", scan->tries[0].why);
            return r;
        }
        if (!heard && scan->tries[i].heard > 0)
            scan->chosen = i;
        heard = heard || scan->tries[i].heard > 0;
        if (heard && !scan->all)
            break;
    }
    if (!heard && !has_ended(scan))
        be_patient(scan);
    return 0;
}
