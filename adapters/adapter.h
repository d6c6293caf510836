/*
 * Adapter: the contract of a field protocol.
 *
 * An adapter knows units, tables, addresses and raw words; nothing of devices, jobs or JSON.
 * One thread owns an adapter line from open to close and is the only one to call execute().
 * check() and frame() are pure and may be called by any thread.
 *
 * Numbers: Modbus Application Protocol 1.1b3 (functions, counts, exceptions) and Modbus over
 * Serial Line 1.02 (2.5.1.1: 3.5 characters of silence, 1.75 ms above 19200 baud).
 */
#ifndef JOBGATE_ADAPTERS_ADAPTER_H
#define JOBGATE_ADAPTERS_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ADAPTER_WORDS_MAX =
        125, /* registers, or bits, of one operation (6.3: 125 registers read) */
    ADAPTER_WRITE_MAX = 123, /* registers of one write (6.12) */
    ADAPTER_FRAME_MAX = 260, /* bytes: 256 of a serial frame, 260 of a TCP one */
    ADAPTER_SHORT_US = 5000, /* more than the silence at 9600 baud */
};

/* Shown and stored by number: add at the end, never renumber. The vendors' leading digit. */
enum table { TABLE_COIL = 0, TABLE_DISCRETE = 1, TABLE_INPUT = 3, TABLE_HOLDING = 4 };

const char *table_name(enum table table); /* "coil", "discrete", "input", "holding" */

enum operation_kind {
    OPERATION_READ,       /* `count` registers or bits from `address` */
    OPERATION_WRITE,      /* `count` of `words` to `address` */
    OPERATION_MASK,       /* one holding register: (old & and_mask) | (or_mask & ~and_mask) */
    OPERATION_WRITE_READ, /* write, then read, in one transaction (function 23) */
};

struct operation {
    enum operation_kind kind;
    enum table table;
    uint8_t unit; /* 0 on a serial line: a broadcast, which every unit obeys and none answers;
                     WRITE only. Then the time-out is the time that the devices are given */
    uint8_t function; /* the function code that the device wants (5, 6, 15, 16, 22, 23); 0: the
                         adapter chooses. MASK: 22, else read-modify-write by a read and a
                         write (6 or 16) that nothing comes between on this line */
    uint16_t address; /* zero-based, as on the wire */
    uint16_t count;
    uint16_t read_address; /* WRITE_READ: what is read; its table is holding */
    uint16_t read_count;
    uint16_t and_mask;
    uint16_t or_mask;
    uint16_t words[ADAPTER_WORDS_MAX]; /* bits as 0 and 1 */
};

struct frame {
    uint16_t length;
    uint8_t bytes[ADAPTER_FRAME_MAX];
};

/* Stored by number: add at the end, never renumber. */
enum answer_result {
    ANSWER_DONE = 0,      /* the device answered and every byte of it fits the request */
    ANSWER_EXCEPTION = 1, /* it refused, see `exception` */
    ANSWER_SILENT = 2,    /* nothing came in time */
    ANSWER_BAD_REPLY = 3, /* something came that does not fit: CRC, length, function, echo */
    ANSWER_LINE_DOWN = 4, /* port or endpoint is gone; see `reached` */
    ANSWER_NOT_SENT = 5,  /* the deadline passed, or the line is stopping, before a byte left */
};

/* What the wire said about one operation. */
struct answer {
    enum answer_result result;
    uint8_t exception; /* Modbus exception code with ANSWER_EXCEPTION */
    bool reached;      /* a request that writes left whole: the device may have obeyed it */
    bool has_before;   /* MASK by read-modify-write: `before` is what was read */
    uint16_t before;
    uint16_t count; /* of `words`: what was read */
    uint16_t words[ADAPTER_WORDS_MAX];
    uint16_t late;        /* foreign or late frames that were dropped meanwhile */
    uint8_t late_unit;    /* whose the last of them was, or one more answer behind the one that
                             was taken; 0: it cannot be told */
    bool whole;           /* what came is a good frame of the unit, whether it fits or not */
    bool begun;           /* no good one, and yet it begins as the answer would */
    int64_t started_us;   /* first byte of the (last) request handed to the port, boot clock */
    int64_t ended_us;     /* last byte of the answer seen, or the time-out */
    int64_t waited_us;    /* from the end of the request to the beginning of the answer, or
                             the whole time-out; 0: nothing was waited for */
    struct frame request; /* as sent and as seen, the last exchange of the operation */
    struct frame reply;
    char text[120]; /* what was seen, in a technician's words: "CRC error in 8 bytes" */
};

/* The settings of one line, as far as the wire is concerned. */
struct adapter_settings {
    const char *line; /* name, for messages */
    const char *port; /* serial: device file */
    unsigned baud;
    char parity;       /* 'N', 'E', 'O' */
    uint8_t data_bits; /* 7, 8 (RTU needs 8) */
    uint8_t stop_bits; /* 1, 2 */
    bool rs485;        /* kernel direction control (TIOCSRS485) */
    const char *host;  /* TCP: name or address */
    uint16_t tcp_port;
};

/* How one operation may use the wire. */
struct limits {
    int64_t timeout_us;  /* response time-out: from the end of the request to the answer's last
                            byte, to which the adapter adds the answer's own characters */
    int64_t gap_us;      /* pause before the frame beyond what the protocol itself asks for */
    int64_t deadline_us; /* boot clock: no first byte after it */
    /* For what can wait, but not for long: called by execute() before it waits for more than
       ADAPTER_SHORT_US, at the latest when a request is out. Perhaps more than once; not at all
       where nothing is sent. NULL: there is nothing. */
    void (*meanwhile)(void *ctx);
    void *ctx;
};

/* What an operation costs on the wire: the request's bytes and the least time. */
struct frame_cost {
    size_t count; /* exchanges: 1, or 2 for a read-modify-write */
    struct frame
        frames[2]; /* requests; a value that depends on the read is shown as the or-mask */
    size_t reply_bytes[2];
    int64_t least_us; /* requests, silences and replies at the line's speed, no turnaround */
};

struct adapter_line;

struct adapter {
    const char *name;                         /* "modbus-rtu", "modbus-tcp" */
    bool serial;                              /* has a port and a baud rate; else an endpoint */
    uint8_t unit_least, unit_most, unit_also; /* unit ids; `unit_also` one more (255), or 0 */

    /* What is wrong with these settings, one sentence per call of `problem`; for `check`. */
    void (*check)(const struct adapter_settings *settings,
                  void (*problem)(void *ctx, const char *key, const char *text), void *ctx);
    /* 0, or negative errno and `why` says it so that a technician can act. `wake_fd` (or -1) as
       below: an endpoint that does not answer must not hold up a stop (-ECANCELED then). */
    int (*open)(struct adapter_line **ret, const struct adapter_settings *settings, int wake_fd,
                char *why, size_t why_size);
    void (*close)(struct adapter_line *line);
    /* To notice an unplugged port while idle: poll it for POLLRDHUP, POLLHUP and POLLERR only.
       -1: nothing to watch. NULL: the adapter has none. */
    int (*fd)(const struct adapter_line *line);
    void (*frame)(const struct adapter_settings *settings, const struct operation *operation,
                  struct frame_cost *cost);
    /* Always fills the answer. `wake_fd` (or -1) becomes readable when the line is to stop:
       then a request that has not begun is not sent, and a pending answer is waited for 300 ms.
     */
    void (*execute)(struct adapter_line *line, const struct operation *operation,
                    const struct limits *limits, int wake_fd, struct answer *answer);
};

/* Every adapter, ended by NULL (adapters/adapters.c). */
extern const struct adapter *const adapters[];
const struct adapter *adapter_find(const char *name); /* NULL: no such adapter */

/* "illegal data address" for exception 2, and so on (7, table of exception codes). */
const char *adapter_exception_words(unsigned exception);

#endif
