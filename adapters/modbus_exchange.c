/*
 * One exchange: keep the silence, send, find the reply in time, have it judged.
 */
#include "adapters/modbus_line.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    STOP_US = 300000,    /* a pending answer, once the line is to stop */
    SETTLE_US = 20000,   /* silence after garbage: FTDI adapters hand bytes over every 16 ms */
    BABBLE_US = 1000000, /* a line that is not silent for so long is broken */
    SEEN_MAX = 2 * 260,  /* a late frame and the answer behind it */
    STRAY_MAX = 4096,    /* what a terminal holds */
};

__attribute__((format(printf, 3, 4))) static void
end(struct answer *answer, enum answer_result result, const char *format, ...)
{
    va_list args;

    answer->result = result;
    answer->ended_us = clock_boot_us();
    va_start(args, format);
    vsnprintf(answer->text, sizeof(answer->text), format, args);
    va_end(args);
}

unsigned wait_until(int64_t until_us, int fd, short events, int wake_fd)
{
    struct pollfd on[2] = {{.fd = fd, .events = events}, {.fd = wake_fd, .events = POLLIN}};

    for (;;) {
        int64_t left = until_us - clock_boot_us();
        struct timespec time = {0};

        if (left > 0)
            time = (struct timespec){.tv_sec = (time_t)(left / 1000000),
                                     .tv_nsec = (long)(left % 1000000 * 1000)};
        int n = ppoll(on, 2, &time, NULL);

        if (n > 0)
            return (on[0].revents ? WAIT_PORT : 0) | (on[1].revents ? WAIT_WAKE : 0);
        if (left <= 0 || (n == 0 && clock_boot_us() >= until_us))
            return 0; /* the kernel has looked once more when the time was over */
    }
}

void call_meanwhile(const struct limits *limits)
{
    if (limits->meanwhile)
        limits->meanwhile(limits->ctx);
}

/* How many bytes were taken; -1 when the port is gone. */
static ssize_t take_bytes(struct adapter_line *line, uint8_t *bytes, size_t most)
{
    ssize_t n = read(line->fd, bytes, most);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n == 0)
        errno = ECONNRESET;
    if (n <= 0)
        return -1;
    line->quiet_since_us = clock_boot_us();
    return n;
}

static void line_is_gone(const struct adapter_line *line, struct answer *answer)
{
    const char *system_words = strerrordesc_np(errno);
    const char *words = system_words ? system_words : modbus_strerror(errno);

    if (line->serial)
        end(answer, ANSWER_LINE_DOWN, "port %s is gone: %s", line->settings.port, words);
    else
        end(answer, ANSWER_LINE_DOWN, "%s port %u closed the connection: %s",
            line->settings.host, line->settings.tcp_port, words);
}

/* Whose answer the bytes are, where they came in one piece; else 0. */
static uint8_t late_unit_of(const struct exchange *exchange, const uint8_t *bytes, size_t count)
{
    struct found found;

    if (!exchange->serial)
        return 0;
    if (exchange_find(exchange, bytes, count, &found) == FOUND_REPLY)
        return exchange->request[0];
    return found.foreign_unit;
}

/* What has come and is nobody's. How many bytes; -1 when the port is gone. */
static ssize_t drop_strays(struct adapter_line *line, const struct exchange *exchange,
                           struct answer *answer)
{
    uint8_t stray[SEEN_MAX];
    ssize_t dropped = 0, n;

    do {
        n = take_bytes(line, stray, sizeof(stray));
        dropped += n;
        if (n > 0)
            answer->late_unit = late_unit_of(exchange, stray, (size_t)n);
    } while (n == sizeof(stray) && dropped < STRAY_MAX);
    return n < 0 ? -1 : dropped;
}

/* Waits for the silence before a frame; what comes meanwhile is late, nobody's, and dropped. It
   is looked for at the silence's end: to sleep on a terminal takes the kernel longer than to
   look there once. Returns false when nothing may be sent, with the answer filled. */
static bool keep_silence(struct adapter_line *line, const struct exchange *exchange,
                         const struct limits *limits, int wake_fd, struct answer *answer)
{
    int64_t pause_us = line->pace.silence_us + line->settle_us + limits->gap_us;
    int64_t give_up_us = clock_boot_us() + pause_us + BABBLE_US;
    ssize_t dropped = 0;

    for (;;) {
        /* One more, since the clock's last digit is cut off. */
        int64_t begin_us = line->quiet_since_us + pause_us + 1;
        int64_t now_us = clock_boot_us();

        if (begin_us > limits->deadline_us || now_us > limits->deadline_us) {
            end(answer, ANSWER_NOT_SENT, "its time was over before it could be sent");
            return false;
        }
        if (begin_us - now_us > ADAPTER_SHORT_US)
            call_meanwhile(limits);
        if (wait_until(begin_us, -1, 0, wake_fd) & WAIT_WAKE) {
            end(answer, ANSWER_NOT_SENT, "the line was stopped before it could be sent");
            return false;
        }
        ssize_t n = drop_strays(line, exchange, answer);

        if (n < 0) {
            line_is_gone(line, answer);
            return false;
        }
        if (n == 0)
            return true;
        dropped += n;
        answer->late = 1;
        if (now_us > give_up_us) { /* even before this silence: it was not us who overslept */
            end(answer, ANSWER_BAD_REPLY, "the line is never silent: %zd stray bytes in 1 s",
                dropped);
            return false;
        }
    }
}

static bool send_request(struct adapter_line *line, const struct exchange *exchange,
                         struct answer *answer)
{
    modbus_set_slave(line->context, exchange->request[0]);
    modbus_set_socket(line->context, line->fd);
    answer->started_us = clock_boot_us();
    if (modbus_send_raw_request(line->context, exchange->request, exchange->length) < 0) {
        line_is_gone(line, answer);
        return false;
    }
    /* The port takes the frame at once; when its last byte leaves has to be computed, as
       tcdrain() returns early on USB adapters and pseudo-terminals. */
    line->quiet_since_us = clock_boot_us() + pace_us(line->pace, answer->request.length);
    answer->reached = exchange->writes;
    return true;
}

struct seen {
    bool begun; /* the first bytes were looked at: an echo of ours was dropped, or is none */
    bool other_asked;  /* another master has asked our unit meanwhile */
    uint8_t late_unit; /* the last one whose late answer was dropped */
    size_t count;
    uint8_t bytes[SEEN_MAX];
};

static void drop_front(struct seen *seen, size_t count)
{
    seen->count -= count;
    memmove(seen->bytes, seen->bytes + count, seen->count);
}

/* Some RS-485 adapters hear themselves. To a read no reply looks like its request, so there the
   echo shows; to a write the reply does, and is believed only behind the echo. */
static void drop_echo(struct adapter_line *line, const struct exchange *exchange,
                      struct seen *seen, const struct frame *request)
{
    if (seen->begun || seen->count < request->length || !exchange->serial)
        return;
    bool same = memcmp(seen->bytes, request->bytes, request->length) == 0;

    if (!exchange->writes)
        line->echoes = same;
    if (same && line->echoes)
        drop_front(seen, request->length);
    seen->begun = true;
}

/* Are these whole, with the checksum behind them? */
static bool has_sum(const uint8_t *bytes, size_t length)
{
    return rtu_checksum(bytes, length) == (bytes[length] | (unsigned)bytes[length + 1] << 8);
}

/* A second master on the line: its request to our unit is a whole frame, and the answer behind
   it fits ours as well as its own. An answer of ours may begin like one, with a sum that fits
   by chance (of those of two registers one in 256); it is whole with its own sum behind it. */
static bool is_foreign_request(const struct exchange *exchange, const uint8_t *bytes,
                               size_t count)
{
    enum { REQUEST = 6, BEFORE_DATA = 3, SUM = 2 };
    size_t length = exchange->reply_length;

    if (count < REQUEST + SUM || bytes[0] != exchange->request[0] ||
        bytes[1] != exchange->request[1] || memcmp(bytes, exchange->request, REQUEST) == 0 ||
        !has_sum(bytes, REQUEST))
        return false;
    if (bytes[2] != length - BEFORE_DATA)
        return true;
    return count >= length + SUM && !has_sum(bytes, length);
}

static void look_for_master(const struct exchange *exchange, struct seen *seen)
{
    if (!exchange->serial || exchange->writes)
        return; /* the answer to a write names what was written */
    for (size_t i = 0; i < seen->count && !seen->other_asked; i++)
        seen->other_asked = is_foreign_request(exchange, seen->bytes + i, seen->count - i);
}

/* Frames of other units are answers that came too late for theirs: the wait goes on. */
static enum found_kind look(struct adapter_line *line, const struct exchange *exchange,
                            struct seen *seen, struct found *found, struct answer *answer)
{
    drop_echo(line, exchange, seen, &answer->request);
    look_for_master(exchange, seen);
    enum found_kind kind = exchange_find(exchange, seen->bytes, seen->count, found);

    answer->late = (uint16_t)(answer->late + found->foreign);
    if (found->foreign)
        answer->late_unit = seen->late_unit = found->foreign_unit;
    if (kind != FOUND_REPLY && exchange->serial && found->skip > 0) {
        drop_front(seen, found->skip);
        found->skip = 0;
    }
    if (kind != FOUND_REPLY && seen->count == sizeof(seen->bytes))
        drop_front(seen, seen->count / 2);
    return kind;
}

/* A stream that is out of step gives nothing more; on a bus the answer may follow noise. */
static int64_t garbage_end(const struct adapter_line *line, int64_t limit_us)
{
    int64_t until_us = line->serial ? line->quiet_since_us + SETTLE_US : 0;

    return until_us < limit_us ? until_us : limit_us;
}

/* Takes bytes until the reply is there, or the time is over, or only garbage came and no more
   follows. FOUND_NOTHING also when the line is gone: then the answer says so. */
static enum found_kind await_reply(struct adapter_line *line, const struct exchange *exchange,
                                   int64_t limit_us, int wake_fd, struct seen *seen,
                                   struct found *found, struct answer *answer)
{
    enum found_kind kind = FOUND_NOTHING;

    for (;;) {
        int64_t until_us = limit_us;

        if (kind == FOUND_GARBAGE)
            until_us = garbage_end(line, limit_us);
        unsigned what = wait_until(until_us, line->fd, POLLIN, wake_fd);

        if (what == 0)
            return kind;
        if (what & WAIT_WAKE) { /* once: from now on the end is near */
            int64_t stop_us = clock_boot_us() + STOP_US;

            wake_fd = -1;
            limit_us = stop_us < limit_us ? stop_us : limit_us;
        }
        if (!(what & WAIT_PORT))
            continue;
        int64_t own_end_us = line->quiet_since_us;
        ssize_t n =
            take_bytes(line, seen->bytes + seen->count, sizeof(seen->bytes) - seen->count);

        if (n < 0) {
            line_is_gone(line, answer);
            return FOUND_NOTHING;
        }
        if (line->quiet_since_us < own_end_us) /* a pty is faster than its speed */
            line->quiet_since_us = own_end_us;
        seen->count += (size_t)n;
        kind = look(line, exchange, seen, found, answer);
        if (kind == FOUND_REPLY)
            return kind;
    }
}

static void keep_frame(struct frame *ret, const uint8_t *bytes, size_t count)
{
    ret->length = (uint16_t)(count < sizeof(ret->bytes) ? count : sizeof(ret->bytes));
    memcpy(ret->bytes, bytes, ret->length);
}

static void tell_late(const struct seen *seen, const struct found *found, struct answer *answer)
{
    size_t length = strlen(answer->text);
    const char *comma = length ? "; " : "";
    size_t room = sizeof(answer->text) - length;

    if (seen->late_unit)
        snprintf(answer->text + length, room, "%sa late answer of unit %u was dropped", comma,
                 seen->late_unit);
    else if (found->skip)
        snprintf(answer->text + length, room, "%s%zu stray bytes before the answer", comma,
                 found->skip);
}

/* A second answer may come in one piece with the first: an adapter on USB hands over what it
   has every 16 ms. */
static void look_behind_reply(const struct exchange *exchange, const struct seen *seen,
                              const struct found *found, struct answer *answer)
{
    size_t end = found->skip + found->length;

    if (seen->count > end)
        answer->late_unit = late_unit_of(exchange, seen->bytes + end, seen->count - end);
}

static void take_reply(struct adapter_line *line, const struct exchange *exchange,
                       const struct seen *seen, const struct found *found, int64_t asked_us,
                       struct answer *answer)
{
    size_t before = exchange->serial ? 0 : TCP_AROUND;
    size_t around = exchange->serial ? RTU_AROUND : TCP_AROUND;

    keep_frame(&answer->reply, seen->bytes + found->skip, found->length);
    answer->whole = true;
    look_behind_reply(exchange, seen, found, answer);
    answer->ended_us = line->quiet_since_us;
    answer->waited_us = answer->ended_us - asked_us - pace_us(line->pace, answer->reply.length);
    if (answer->waited_us < 0)
        answer->waited_us = 0;
    if (seen->other_asked) {
        end(answer, ANSWER_BAD_REPLY,
            "another master asked unit %u meanwhile; whose answer this is cannot be told",
            exchange->request[0]);
        return;
    }
    exchange_judge(exchange, answer->reply.bytes + before, answer->reply.length - around,
                   answer);
    tell_late(seen, found, answer);
}

static bool answer_begins(const struct exchange *exchange, const uint8_t *bytes, size_t count)
{
    return count >= 2 && bytes[0] == exchange->request[0] &&
           (bytes[1] & ~MODBUS_EXCEPTION) == exchange->request[1];
}

/* The beginning of what was seen, as a bus monitor shows it. */
static void tell_garbage(const struct exchange *exchange, const struct seen *seen,
                         struct answer *answer)
{
    char hex[3 * 16 + 1] = "";

    for (size_t i = 0; i < seen->count && i < 16; i++)
        snprintf(hex + 3 * i, sizeof(hex) - 3 * i, " %02X", seen->bytes[i]);
    end(answer, ANSWER_BAD_REPLY, "%s%zu bytes that are no answer:%s%s",
        exchange->serial && seen->count == exchange_reply_bytes(exchange) ? "CRC error in "
                                                                          : "",
        seen->count, hex, seen->count > 16 ? " ..." : "");
    keep_frame(&answer->reply, seen->bytes, seen->count);
    answer->begun = !exchange->serial || answer_begins(exchange, seen->bytes, seen->count);
}

/* The turnaround delay (Modbus over Serial Line 1.02, 2.4.1): nobody answers, and the next
   frame waits until everybody has obeyed. What comes all the same, one's own echo first, is
   dropped. */
static void wait_for_all(struct adapter_line *line, const struct limits *limits, int wake_fd,
                         struct answer *answer)
{
    int64_t own_end_us = line->quiet_since_us, until_us = own_end_us + limits->timeout_us;

    for (;;) {
        uint8_t stray[SEEN_MAX];
        unsigned what = wait_until(until_us, line->fd, POLLIN, wake_fd);

        if (what == 0 || what & WAIT_WAKE)
            break;
        if (take_bytes(line, stray, sizeof(stray)) < 0) {
            line_is_gone(line, answer);
            return;
        }
        if (line->quiet_since_us < own_end_us)
            line->quiet_since_us = own_end_us;
    }
    answer->result = ANSWER_DONE;
    answer->ended_us = clock_boot_us();
}

void exchange_run(struct adapter_line *line, const struct exchange *exchange,
                  const struct limits *limits, int wake_fd, struct answer *answer)
{
    struct seen seen = {0};
    struct found found = {0};

    exchange_frame(exchange, &answer->request);
    if (!keep_silence(line, exchange, limits, wake_fd, answer) ||
        !send_request(line, exchange, answer))
        return;
    call_meanwhile(limits);
    line->settle_us = 0;
    if (exchange->serial && exchange->request[0] == 0) {
        wait_for_all(line, limits, wake_fd, answer);
        return;
    }
    answer->result = ANSWER_SILENT;
    int64_t asked_us = line->quiet_since_us;
    int64_t limit_us =
        asked_us + limits->timeout_us + pace_us(line->pace, exchange_reply_bytes(exchange));
    enum found_kind kind =
        await_reply(line, exchange, limit_us, wake_fd, &seen, &found, answer);

    if (answer->result == ANSWER_LINE_DOWN)
        return;
    if (kind == FOUND_REPLY)
        take_reply(line, exchange, &seen, &found, asked_us, answer);
    else if (seen.count > 0)
        tell_garbage(exchange, &seen, answer);
    else if (clock_boot_us() < limit_us)
        end(answer, ANSWER_SILENT, "the line was stopped before unit %u answered",
            exchange->request[0]);
    else
        end(answer, ANSWER_SILENT, "unit %u did not answer in %lld ms", exchange->request[0],
            (long long)(limits->timeout_us / 1000));
    if (answer->result == ANSWER_SILENT)
        answer->waited_us = limits->timeout_us;
    if (kind != FOUND_REPLY)
        tell_late(&seen, &found, answer);
    if (answer->result == ANSWER_BAD_REPLY)
        line->settle_us = SETTLE_US;
}
