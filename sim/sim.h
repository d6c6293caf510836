/*
 * Simulator: plays the devices of a site on pseudo-terminals and loopback TCP ports.
 *
 * It is the other side of the wire in tests and demonstrations, so it shares nothing with the
 * gateway: its Modbus, its CRC and its framing are its own, and it knows lines, units and raw
 * registers only. All settings are plain values that belong to the caller and must stay until
 * sim_close() or the end of sim_run().
 *
 * Serial lines keep honest time although a pseudo-terminal hands over a whole frame at once:
 * a request of n characters ends n characters after its first byte was seen, and an answer
 * becomes readable, whole, when its last character would be over:
 *     request characters * c + t35 + turnaround + reply characters * c
 * with c = char_bits / baud and t35 = 3.5 c, above 19200 baud 1.75 ms (Modbus over Serial
 * Line 1.02, 2.5.1.1). A request that begins before t35 of silence is over is not heard.
 *
 * sim_open() and sim_close() belong to one thread; each line has a thread of its own inside.
 */
#ifndef JOBGATE_SIM_SIM_H
#define JOBGATE_SIM_SIM_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_table { SIM_COIL, SIM_DISCRETE, SIM_INPUT, SIM_HOLDING, SIM_TABLES };

/* One register (or coil, 0 or 1) that exists, zero-based address. All others do not exist. */
struct sim_register {
    enum sim_table table;
    uint16_t address;
    uint16_t value;
};

/* What a reaction does to one register, at once and when the silence is over. */
struct sim_change {
    enum sim_table table;
    uint16_t address;
    uint16_t mask; /* the bits that change; 0: all */
    uint16_t during;
    uint16_t after;
};

/* What a device does when somebody writes to one of its registers: a reboot, for example. */
struct sim_reaction {
    enum sim_table table;
    uint16_t address;
    uint16_t mask; /* fires where (written & mask) == (value & mask); 0: any value */
    uint16_t value;
    uint16_t clears; /* these bits read 0 afterwards */
    unsigned
        silent_ms; /* the write is answered, then the device says nothing; counts as reboot */
    const struct sim_change *changes;
    size_t change_count;
};

struct sim_line {
    const char *name; /* also the name of its symlink */
    bool tcp;
    unsigned baud;      /* serial only */
    unsigned char_bits; /* serial only: 11, or 10 for 8N1 */
    bool only_baud;     /* serial only: who opened it at another speed is not understood */
};

struct sim_unit {
    const char *id;
    size_t line;   /* index into sim_settings.lines */
    unsigned unit; /* 1 to 247, over TCP 0 to 255 */
    const struct sim_register *registers;
    size_t register_count;
    const struct sim_reaction *reactions;
    size_t reaction_count;
    uint32_t functions; /* bit n: has function code n; 0: 1-6, 15, 16, 22, 23 */
    unsigned max_read;  /* registers in one request; 0: 125 */
    unsigned max_write; /* 0: 123 */
    bool dead;          /* hears nothing, says nothing */
    unsigned slow_ms;   /* thinks so much longer than the turnaround */
    int exception;      /* answers every request with this code and obeys none; 0: none */
    bool doubled;       /* serial only: a second device has the same number, and answers too */
    unsigned double_ms; /* doubled: so much later; 0: into the other's answer */
};

struct sim_settings {
    const char *dir; /* made if missing */
    const struct sim_line *lines;
    size_t line_count;
    const struct sim_unit *units;
    size_t unit_count;
    double drop_percent;    /* half of these requests are lost, half of these answers */
    double corrupt_percent; /* serial answers with one byte changed */
    unsigned turnaround_us; /* between silence and answer; usual 5000 */
    bool lenient;           /* requests that break the silence are counted and heard */
    const char *dump;       /* file of the record, NULL: none */
    uint64_t seed;
};

struct sim;

/*
 * Opens all lines: symlinks DIR/<line> and DIR/lines.json exist when it returns. 0, or negative
 * errno with a sentence in `problem`.
 */
int sim_open(struct sim **ret, const struct sim_settings *settings, char *problem, size_t size);
void sim_close(struct sim *sim); /* ends the lines and removes what sim_open() made in DIR */

json_t *sim_tell(struct sim *sim); /* the record, a new reference; NULL: no memory */
int sim_dump(struct sim *sim);     /* the record to settings->dump, replaced atomically */

/*
 * Opens, prints `ready` on standard output, plays until SIGTERM or SIGINT, dumps on SIGUSR1 and
 * at the end. Call it before the process has other threads: it blocks these three signals.
 */
int sim_run(const struct sim_settings *settings, char *problem, size_t size);

#endif
