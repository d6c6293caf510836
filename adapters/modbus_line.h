/*
 * Modbus line: what an open line consists of; for the files modbus*.c only.
 *
 * libmodbus builds the frames that go out, with checksum or header. It takes no reply: a tty
 * cannot be looked into without taking what is there, so incoming bytes are taken here, the
 * reply is found among them and each byte of it compared (modbus_reply.c), which is more than
 * libmodbus does and spares its six calls of the system for a frame. Nor does it open or close
 * a port: it neither locks it nor tells when a speed was not taken.
 */
#ifndef JOBGATE_ADAPTERS_MODBUS_LINE_H
#define JOBGATE_ADAPTERS_MODBUS_LINE_H

#include "adapters/modbus_frame.h"

#include <modbus/modbus.h>

enum { TCP_CONNECT_US = 3000000 };

struct adapter_line {
    bool serial;
    struct adapter_settings settings;
    modbus_t *context;
    int fd; /* port or connection; -1: a connection is to be made */
    struct pace pace;
    int64_t quiet_since_us; /* the last byte in either direction left the wire */
    bool echoes;            /* the adapter hears what it sends */
    int64_t settle_us;      /* silence wanted beyond the protocol's, after a bad reply */
};

enum { WAIT_PORT = 1, WAIT_WAKE = 2 };

/* Sleeps until a boot time, never less; or until `fd` has bytes or a hang-up, or `wake_fd` is
   readable: then says which. Either may be -1. */
unsigned wait_until(int64_t until_us, int fd, short events, int wake_fd);

void call_meanwhile(const struct limits *limits);

/* One request and what came of it; fills all of `answer` but `before`. */
void exchange_run(struct adapter_line *line, const struct exchange *exchange,
                  const struct limits *limits, int wake_fd, struct answer *answer);

/* A locked port in raw mode at the right speed; or negative errno, and why. */
int rtu_port_open(const struct adapter_settings *settings, char *why, size_t why_size);
bool rtu_baud_exists(unsigned baud);

/* A connection within the time; or negative errno, and why. -ECANCELED: woken. */
int tcp_connect(const struct adapter_settings *settings, int64_t until_us, int wake_fd,
                char *why, size_t why_size);

#endif
