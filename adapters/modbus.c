/*
 * The contract of an adapter, for Modbus on a serial bus and on TCP.
 */
#include "adapters/modbus.h"

#include "adapters/modbus_line.h"
#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void problem_function(void *ctx, const char *key, const char *text);

static void rtu_check(const struct adapter_settings *settings, problem_function *problem,
                      void *ctx)
{
    char text[120];

    if (!settings->port || settings->port[0] != '/')
        problem(ctx, "port", "the device file's whole path is wanted, as in \"/dev/ttyUSB0\"");
    if (!rtu_baud_exists(settings->baud)) {
        snprintf(text, sizeof(text),
                 "a speed of %u baud does not exist; usual are 9600, 19200, 38400, 115200",
                 settings->baud);
        problem(ctx, "baud", text);
    }
    if (settings->data_bits != 8)
        problem(ctx, "mode", "Modbus RTU needs 8 data bits, as in \"8E1\"");
    if (!settings->parity || !strchr("NEO", settings->parity))
        problem(ctx, "mode", "the parity is N, E or O, as in \"8E1\"");
    if (settings->stop_bits != 1 && settings->stop_bits != 2)
        problem(ctx, "mode", "there are 1 or 2 stop bits, as in \"8E1\"");
}

static void tcp_check(const struct adapter_settings *settings, problem_function *problem,
                      void *ctx)
{
    if (!settings->host || !settings->host[0])
        problem(ctx, "host", "a name or an address is wanted, as in \"192.0.2.10\"");
    if (settings->tcp_port == 0)
        problem(ctx, "port", "a TCP port from 1 to 65535 is wanted; Modbus has 502");
}

static void free_line(struct adapter_line *line)
{
    modbus_free(line->context); /* which closes nothing: the descriptors are ours */
    if (line->fd >= 0)
        close(line->fd);
    free(line);
}

static modbus_t *new_context(bool serial, const struct adapter_settings *settings)
{
    modbus_t *context =
        serial ? modbus_new_rtu(settings->port, (int)settings->baud, settings->parity,
                                settings->data_bits, settings->stop_bits)
               : modbus_new_tcp_pi(settings->host, "502"); /* tcp_connect() has the port */

    if (!context)
        return NULL;
    modbus_set_error_recovery(context, MODBUS_ERROR_RECOVERY_NONE);
    return context;
}

static int new_line(struct adapter_line **ret, bool serial,
                    const struct adapter_settings *settings, char *why, size_t why_size)
{
    struct adapter_line *line = calloc(1, sizeof(*line));

    if (!line) {
        snprintf(why, why_size, "no memory for a line");
        return -ENOMEM;
    }
    *line = (struct adapter_line){
        .serial = serial, .settings = *settings, .fd = -1, .pace = pace_of(serial, settings)};
    line->context = new_context(serial, settings);
    if (!line->context) {
        int r = errno ? -errno : -EIO;

        snprintf(why, why_size, "no line for libmodbus: %s", modbus_strerror(-r));
        free_line(line);
        return r;
    }
    *ret = line;
    return 0;
}

static int set_direction_control(struct adapter_line *line, char *why, size_t why_size)
{
    modbus_set_socket(line->context, line->fd);
    if (modbus_rtu_set_serial_mode(line->context, MODBUS_RTU_RS485) == 0)
        return 0;
    int r = -errno;

    snprintf(
        why, why_size,
        "port %s has no direction control by the kernel (%s); remove rs485 = true where the "
        "adapter switches by itself",
        line->settings.port, strerrordesc_np(-r));
    return r;
}

static int rtu_open(struct adapter_line **ret, const struct adapter_settings *settings,
                    int wake_fd, char *why, size_t why_size)
{
    struct adapter_line *line;
    int r = new_line(&line, true, settings, why, why_size);

    (void)wake_fd; /* a port opens at once or not at all */
    if (r < 0)
        return r;
    line->fd = rtu_port_open(settings, why, why_size);
    line->quiet_since_us = clock_boot_us();
    r = line->fd < 0 ? line->fd : 0;
    if (r == 0 && settings->rs485)
        r = set_direction_control(line, why, why_size);
    if (r < 0) {
        free_line(line);
        return r;
    }
    *ret = line;
    return 0;
}

static int reconnect(struct adapter_line *line, int64_t deadline_us, int wake_fd, char *why,
                     size_t why_size)
{
    int64_t until_us = clock_boot_us() + TCP_CONNECT_US;
    int fd = tcp_connect(&line->settings, until_us < deadline_us ? until_us : deadline_us,
                         wake_fd, why, why_size);

    if (fd < 0)
        return fd;
    line->fd = fd;
    return 0;
}

static int tcp_open(struct adapter_line **ret, const struct adapter_settings *settings,
                    int wake_fd, char *why, size_t why_size)
{
    struct adapter_line *line;
    int r = new_line(&line, false, settings, why, why_size);

    if (r < 0)
        return r;
    r = reconnect(line, MOMENT_NEVER, wake_fd, why, why_size);
    if (r < 0) {
        free_line(line);
        return r;
    }
    *ret = line;
    return 0;
}

static int port_of(const struct adapter_line *line)
{
    return line->fd;
}

static void disconnect(struct adapter_line *line)
{
    if (line->fd >= 0)
        close(line->fd);
    line->fd = -1;
}

/* A connection with bytes in it that nobody asked for is out of step; one that the device has
   closed while idle is no fault. Either way a new one is made. */
static bool tcp_ready(struct adapter_line *line, const struct limits *limits, int wake_fd,
                      struct answer *answer)
{
    struct pollfd on = {.fd = line->fd, .events = POLLIN | POLLRDHUP};

    if (line->fd >= 0 && poll(&on, 1, 0) == 0)
        return true;
    disconnect(line);
    call_meanwhile(limits);
    int r = reconnect(line, limits->deadline_us, wake_fd, answer->text, sizeof(answer->text));

    if (r == 0)
        return true;
    answer->result = r == -ECANCELED ? ANSWER_NOT_SENT : ANSWER_LINE_DOWN;
    answer->ended_us = clock_boot_us();
    return false;
}

/* Returns whether the device has answered well. */
static bool run_one(struct adapter_line *line, const struct operation *operation,
                    const struct limits *limits, int wake_fd, struct answer *answer)
{
    struct exchange exchange;

    exchange_build(&exchange, line->serial, operation);
    if (!line->serial && !tcp_ready(line, limits, wake_fd, answer))
        return false;
    exchange_run(line, &exchange, limits, wake_fd, answer);
    /* A late answer must not be there when the next request goes out. */
    if (!line->serial && answer->result != ANSWER_DONE && answer->result != ANSWER_EXCEPTION)
        disconnect(line);
    return answer->result == ANSWER_DONE;
}

static void execute(struct adapter_line *line, const struct operation *operation,
                    const struct limits *limits, int wake_fd, struct answer *answer)
{
    const char *why = operation_refuse(line->serial, operation);

    *answer = (struct answer){.result = ANSWER_NOT_SENT};
    if (why) {
        snprintf(answer->text, sizeof(answer->text), "Modbus has no such request: %s", why);
        return;
    }
    if (!mask_needs_two(operation)) {
        run_one(line, operation, limits, wake_fd, answer);
        return;
    }
    struct operation part = mask_read(operation);

    if (!run_one(line, &part, limits, wake_fd, answer))
        return;
    uint16_t before = answer->words[0];
    uint16_t late = answer->late;

    part = mask_write(operation, before);
    *answer = (struct answer){.result = ANSWER_NOT_SENT, .has_before = true, .before = before};
    run_one(line, &part, limits, wake_fd, answer);
    answer->late = (uint16_t)(answer->late + late);
}

static void rtu_frame(const struct adapter_settings *settings,
                      const struct operation *operation, struct frame_cost *cost)
{
    exchange_cost(true, settings, operation, cost);
}

static void tcp_frame(const struct adapter_settings *settings,
                      const struct operation *operation, struct frame_cost *cost)
{
    exchange_cost(false, settings, operation, cost);
}

const struct adapter modbus_rtu = {
    .name = "modbus-rtu",
    .serial = true,
    .unit_least = 1,
    .unit_most = 247,
    .check = rtu_check,
    .open = rtu_open,
    .close = free_line,
    .fd = port_of,
    .frame = rtu_frame,
    .execute = execute,
};

const struct adapter modbus_tcp = {
    .name = "modbus-tcp",
    .serial = false,
    .unit_least = 0,
    .unit_most = 247,
    .unit_also = 255,
    .check = tcp_check,
    .open = tcp_open,
    .close = free_line,
    .fd = port_of,
    .frame = tcp_frame,
    .execute = execute,
};
