/*
 * Site: what is installed. One gateway's configuration, read whole, checked whole, then
 * never changed: a reload builds a second one. Everything in it belongs to the site and lives
 * until site_free(); any thread may read it.
 *
 * Devices, lines and profiles are named by their index in the arrays; points and methods by
 * their index in their profile.
 */
#ifndef JOBGATE_SITE_SITE_H
#define JOBGATE_SITE_SITE_H

#include "adapters/adapter.h"

#include <jansson.h>

struct problems;

enum point_type {
    POINT_BOOL,
    POINT_INT16,
    POINT_UINT16,
    POINT_INT32,
    POINT_UINT32,
    POINT_INT64,
    POINT_UINT64,
    POINT_FLOAT32,
    POINT_FLOAT64,
    POINT_BCD16,
    POINT_BCD32,
    POINT_STRING,
};

/* What a write to the point is. A state may be written again and read back; a trigger is a
   command (write-only, self-clearing, counting) that is never sent twice. */
enum point_kind { POINT_STATE, POINT_TRIGGER };

/* The numbering of a vendor's sheet. */
enum numbering { NUMBERING_PDU, NUMBERING_ONE, NUMBERING_REFERENCE };

struct named_value {
    char *name;
    int64_t raw;
};

/* Where a setting stands, for messages. `file` belongs to the site. */
struct place {
    const char *file;
    unsigned line;
};

struct point {
    char *name;
    char *property; /* dotted path in the twin */
    char *unit;     /* engineering unit, or NULL */
    enum table table;
    uint16_t address; /* zero-based */
    uint16_t count;   /* registers; 1 for coils and discretes */
    enum point_type type;
    uint8_t order[8]; /* order[i]: which byte of the big-endian value stands at byte i on the
                         wire */
    uint8_t bit_low, bit_count; /* a field inside one register; bit_count 0: the whole */
    bool scaled;                /* scale or offset given: the value is a real number */
    double scale, offset;       /* value = raw * scale + offset */
    uint8_t decimals;           /* of the scale, for printing */
    bool has_min, has_max;
    double min, max; /* engineering limits */
    struct named_value *values;
    size_t value_count;
    bool readable, writable;
    enum point_kind kind;
    bool verify;        /* read back after a write */
    uint32_t settle_ms; /* before the first read-back */
    uint32_t verify_within_ms;
    uint32_t tolerance; /* raw steps */
    uint8_t write_with; /* 5, 6, 15, 16; 0: the adapter chooses */
    bool if_different;
    uint32_t max_writes_per_day; /* 0: no limit */
    bool broadcast;              /* its devices obey a write to unit 0 */
    bool join;                   /* may be merged with a neighbour */
    uint32_t poll_ms;            /* 0: not polled */
    double deadband;
    struct place place;
};

enum step_kind { STEP_WRITE, STEP_PULSE, STEP_WAIT, STEP_EXPECT, STEP_READ };

/* One step of a method, as written in the profile. */
struct step {
    enum step_kind kind;
    size_t point; /* WRITE, PULSE, EXPECT */
    json_t
        *value; /* WRITE, PULSE, EXPECT: fits the point (checked); NULL with `arg`, min, max */
    char *arg;  /* WRITE, PULSE: name of the argument, or NULL */
    json_t *fallback;      /* the argument's default, or NULL: it must be given */
    uint32_t duration_ms;  /* WAIT, PULSE */
    uint32_t within_ms;    /* EXPECT */
    uint32_t every_ms;     /* EXPECT: pause between tries, 1000 */
    bool has_min, has_max; /* EXPECT, without value */
    double min, max;
    size_t *points; /* READ */
    size_t point_count;
    struct place place;
};

struct method {
    char *name;
    char *title; /* or NULL */
    struct step *steps;
    size_t step_count;
    bool repeatable; /* a step whose effect is unknown may be sent again */
    bool once;       /* repeatable = false was written: each write of it is of class
                        trigger. Not set where false is only the default */
    bool restore;    /* on_failure = "restore" */
    struct place place;
};

struct profile {
    char *name;
    char *title;
    struct point *points;
    size_t point_count;
    struct method *methods;
    size_t method_count;
    enum numbering numbering;
    uint32_t functions;           /* bit n: the device has function code n; 0: not said */
    uint16_t max_read, max_write; /* registers in one request */
    int64_t gap_us, timeout_us;   /* -1: the line's */
    int retries;                  /* -1: the line's */
    struct place place;
};

struct line_config {
    char *name;
    const struct adapter *adapter;
    struct adapter_settings settings; /* its strings are the three of this struct */
    char *port, *host;                /* NULL where the adapter has none */
    int64_t timeout_us, timeout_min_us, gap_us;
    int64_t broadcast_us; /* serial: the devices' time after a broadcast; 0: none is sent */
    unsigned retries;     /* tries = retries + 1 */
    struct place place;
};

struct device {
    char *id;
    size_t line;
    uint8_t unit;
    size_t profile;
    json_t *tags; /* object, maybe empty; shared between the devices of a range */
    struct place place;
};

struct broker_config {
    char *url; /* mqtt://host:port or mqtts://host:port */
    char *host;
    uint16_t port;
    bool tls;
    int protocol; /* 4: MQTT 3.1.1, 5 */
    char *root;   /* topic prefix without a slash at the end */
    char *username, *password_file;
    char *ca_file, *cert_file, *key_file; /* NULL: not set */
    unsigned keepalive_s, session_expiry_s, method_timeout_s;
    bool methods; /* single method calls are taken from this link */
    struct place ca_place, cert_place;
};

struct policy_config {
    char *name, *key_file;
    unsigned rights; /* bits of enum right */
    struct place key_place;
};
enum right { RIGHT_READ = 1, RIGHT_CALL = 2, RIGHT_JOB = 4, RIGHT_TWIN = 8 };

struct api_config {
    char *socket;
    bool https;
    char *listen, *host, *cert_file, *key_file, *metrics_token_file;
    struct policy_config *policies;
    size_t policy_count;
    struct place place, listen_place, cert_place, token_place;
};

/* Read and checked here, used by the link to IoT Hub. */
struct iothub_config {
    char *host, *dps_endpoint, *dps_scope, *auth, *key_file, *cert_file, *ca_file;
    uint16_t port;
    unsigned connect_per_s, method_timeout_s, token_life_s;
    bool disconnect_offline, telemetry;
    struct place telemetry_place, key_place, ca_place;
};

struct store_config {
    unsigned retention_days, max_jobs, max_waiting, outbox_mb;
};

struct site {
    char *file;         /* the main file */
    char *id;           /* gateway.id */
    struct place place; /* the group gateway */
    char *state;
    char *timezone;   /* NULL: the system's */
    bool clock_trust; /* gateway.clock = "trust" */
    struct store_config store;
    struct broker_config *broker; /* NULL: none */
    struct iothub_config *iothub; /* NULL: none */
    struct api_config api;
    struct line_config *lines;
    size_t line_count;
    struct device *devices; /* in the order of the file, ranges unfolded */
    size_t device_count;
    struct profile *profiles; /* those that some device uses, and every other that was read */
    size_t profile_count;
    size_t *by_id; /* device indexes sorted by id, for site_device() */
    char **files;  /* every file that was read, for `place` */
    size_t file_count;
};

#define SITE_MAIN_FILE "/etc/jobgate/jobgate.conf"
#define SITE_SOCKET    "/run/jobgate/jobgate.sock" /* where the site names none */

struct site_source {
    const char *config; /* NULL: SITE_MAIN_FILE */
    const char *const
        *profile_dirs;     /* more folders (--profiles), win over the shipped ones; NULL ends */
    const char *lines_dir; /* `run --lines DIR`: ports and endpoints from a simulator's
                              lines.json, or NULL */
};

/* Reads and checks everything; every problem goes to `problems`. *ret is set only when there is
   no error among them (warnings do not count). 0, SITE_E_PROBLEMS, or negative errno. */
enum { SITE_E_PROBLEMS = 1 };
int site_load(struct site **ret, const struct site_source *source, struct problems *problems);
void site_free(struct site *site);

/* A line of which only the adapter is said; NULL: not even that. */
void line_defaults(struct line_config *line, const struct adapter *adapter);

#define SITE_NONE ((size_t)-1)
size_t site_device(const struct site *site, const char *id); /* SITE_NONE: no such device */
size_t profile_point(const struct profile *profile, const char *name);
size_t profile_method(const struct profile *profile, const char *name);
/* Has it properties below this dotted path? */
bool profile_has_below(const struct profile *profile, const char *path);
bool profile_has_function(const struct profile *profile, unsigned code); /* said to have it */

/* "holding 107 (0x006B, 40108)", both forms; at least 48 bytes. */
void point_where(const struct point *point, char *text, size_t size);

#endif
