/*
 * Config: a configuration file as a tree of settings, each with its place. Inside the site
 * room only; config.c is the one file that names libconfig.
 *
 * libconfig 1.5 wraps integers silently, calls exit() from its lexer at some includes, leaks
 * when a parse fails and points a line too late. So a file is gathered with its includes
 * (config_text.c) and proven well-formed (config_syntax.c) before libconfig sees it: a
 * reload in a running gateway cannot hurt it.
 */
#ifndef JOBGATE_SITE_CONFIG_H
#define JOBGATE_SITE_CONFIG_H

#include "base/text.h"
#include "site/names.h"
#include "site/problems.h"

enum { CONFIG_BYTES_MOST = 4 << 20 }; /* of one file with its includes */

enum setting_kind {
    SETTING_BOOL,
    SETTING_INT,
    SETTING_FLOAT,
    SETTING_TEXT,
    SETTING_GROUP,
    SETTING_ARRAY,
    SETTING_LIST,
};

struct setting {
    enum setting_kind kind;
    char *name; /* NULL in lists and arrays */
    struct place place;
    bool truth;
    int64_t integer;
    double number; /* INT too; NaN: reported already, say nothing more */
    char *text;
    struct setting *items; /* GROUP, ARRAY, LIST */
    size_t count;
};

/* What reading needs everywhere: where things go, and the first failure of the machine. */
struct reader {
    struct site *site;
    struct problems *problems;
    int error;       /* 0, or negative errno: everything after it is void */
    char about[160]; /* 'point "setpoint": ', the start of each message; maybe empty */
};

/* A problem at a place, its text opened by what the reader is about. */
__attribute__((format(printf, 3, 4))) void report(struct reader *reader, struct place place,
                                                  const char *format, ...);
__attribute__((format(printf, 3, 4))) void warn(struct reader *reader, struct place place,
                                                const char *format, ...);
__attribute__((format(printf, 2, 3))) void reader_about(struct reader *reader,
                                                        const char *format, ...);

/* Memory that ends the reading when there is none; NULL then. */
char *reader_text(struct reader *reader, const char *text);
void *reader_items(struct reader *reader, size_t count, size_t size); /* zeroed */

/* The site's own copy of a file name, for places. */
const char *reader_file(struct reader *reader, const char *path);
/* `path` as seen from the folder of `file`; malloc'ed. */
char *path_beside(struct reader *reader, const char *file, const char *path);
/* A whole regular file of at most `most` bytes, ended by NUL; NULL and `why` else. */
char *file_read(const char *path, size_t most, size_t *length, char *why, size_t why_size);

/* Parses a file into a tree, problems of form reported. NULL when it has no tree. */
struct setting *config_tree(struct reader *reader, const char *path);
void setting_free(struct setting *setting); /* the root */

const struct setting *setting_find(const struct setting *group, const char *name); /* or NULL */
/* 'text "fast"', 'the number 1.5', 'a group { }': for messages. */
const char *setting_found(const struct setting *setting, char *text, size_t size);

/* ---- gathered text, between config_text.c, config_syntax.c and config.c ---- */

struct config_text {
    char *bytes; /* includes in place, ended by NUL */
    size_t length;
    struct place *lines; /* lines[n]: where line n + 1 of `bytes` stands */
    size_t line_count;
    bool *doubtful; /* lines[n] holds a number that libconfig would read wrong; reported */
};

bool config_text_gather(struct config_text *text, struct reader *reader, const char *path);
void config_text_deinit(struct config_text *text);
bool config_syntax_check(struct config_text *text, struct reader *reader);

/* ---- keys ---- */

enum key_type {
    KEY_OTHER,         /* known, read elsewhere */
    KEY_TEXT,          /* char *, not empty */
    KEY_PATH,          /* char *, as seen from the main file's folder; credential:NAME kept */
    KEY_FLAG,          /* bool */
    KEY_UNSIGNED,      /* unsigned */
    KEY_U16,           /* uint16_t */
    KEY_NUMBER,        /* double */
    KEY_MS_AS_US,      /* int64_t from milliseconds */
    KEY_SECONDS_AS_MS, /* uint32_t from seconds */
};

/* One row of a group's schema. Ranges hold for numbers, both ends allowed. */
struct key {
    const char *name;
    enum key_type type;
    size_t offset;
    double least, most;
};

/* Fills `into` from the group's settings; reports unknown keys with the nearest known one,
   wrong types and numbers out of range. */
void group_read(struct reader *reader, const struct setting *group, const struct key *keys,
                size_t count, void *into);
/* Reports and gives false unless it is of that kind; `wanted` in words: 'a list ( )'. */
bool setting_is(struct reader *reader, const struct setting *setting, enum setting_kind kind,
                const char *wanted);
/* A number, int or float, or a problem. */
bool setting_number(struct reader *reader, const struct setting *setting, double *ret);
bool setting_integer(struct reader *reader, const struct setting *setting, int64_t least,
                     int64_t most, int64_t *ret);
/* A scalar as JSON (new reference); groups too where `deep`. NULL after a problem. */
json_t *setting_json(struct reader *reader, const struct setting *setting, bool deep);

bool id_is_good(const char *id, size_t most); /* [A-Za-z0-9._:-], 1 to `most` */

/* A name or an address, without brackets, port or scheme. */
bool host_is_good(const char *host);
/* "host:port" or "[v6]:port" taken apart; `port` keeps its value where none is written. */
bool host_split(const char *text, char *host, size_t size, uint16_t *port);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the parts of a site ---- */

void read_gateway(struct reader *reader, const struct setting *root);
void read_broker(struct reader *reader, const struct setting *group);
void read_iothub(struct reader *reader, const struct setting *group);
void read_api(struct reader *reader, const struct setting *group);
void read_lines(struct reader *reader, const struct setting *list);
void read_lines_dir(struct reader *reader, const char *dir);
void read_devices(struct reader *reader, const struct setting *list);
void read_devices_file(struct reader *reader, const struct setting *setting);
void read_profiles(struct reader *reader, const char *const *folders);
void read_profile(struct reader *reader, const struct setting *group, struct profile *profile);
void read_point(struct reader *reader, const struct setting *group, enum numbering numbering,
                struct point *point);
/* Keys that are legal and have no effect at this point. */
void warn_of_idle_keys(struct reader *reader, const struct setting *group,
                       const struct point *point);
void read_register(struct reader *reader, const struct setting *group, enum numbering numbering,
                   struct point *point);
void read_method(struct reader *reader, const struct setting *group,
                 const struct profile *profile, struct method *method);

/* A device as written, names not yet looked up. */
struct device_draft {
    const char *id, *line, *profile; /* the id filled; NULL: missing, already reported */
    int64_t unit;
    json_t *tags; /* borrowed */
    struct place place;
};
void device_add(struct reader *reader, const struct device_draft *draft);

/* Secrets must be readable by the service and by nobody else; public files just readable. The
   path may become the one of a credential. */
void check_secret(struct reader *reader, const struct setting *setting, char **path);
/* A folder of secrets, one for each device; false: it is no folder. */
bool check_secret_folder(struct reader *reader, const struct setting *setting,
                         const char *path);
void check_public(struct reader *reader, const struct setting *setting, const char *path);

void check_devices(struct reader *reader);
void check_profile(struct reader *reader, const struct profile *profile);
/* `said`: the method itself says whether it is repeatable. */
void check_method(struct reader *reader, const struct profile *profile,
                  const struct method *method, bool said);

void profile_deinit(struct profile *profile);

#endif
