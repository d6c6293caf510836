/*
 * Condition: which devices a job is for, the hub's queryCondition.
 *
 * The language is the WHERE part of the hub's queries: "tags.floor = 3 AND status = 'enabled'",
 * "deviceId IN ['a', 'b']", "*". Truth has three values: what is missing is undefined, what
 * compares two types is undefined, and only what is true matches. Case matters in the keys of
 * tags and properties and in text, nowhere else.
 *
 * A condition is parsed once and never changes: any thread may ask it, many at a time, and
 * asking allocates nothing. The document is behind a lookup, so that a device need not be JSON.
 * Limits: CONDITION_SIZE_MOST bytes, 64 levels of nesting, 2048 words and signs; the constants
 * of a list do not count, so that only the size limits deviceId IN [...].
 *
 * Numbers are IEEE doubles, text is compared by code point. LOWER and UPPER know the letters of
 * ASCII, Latin-1, Greek and Cyrillic. Beyond the hub's IS_DEFINED there are IS_NULL, IS_STRING,
 * IS_NUMBER, IS_BOOL, IS_OBJECT, IS_ARRAY, IS_PRIMITIVE, STARTS_WITH, ENDS_WITH, CONTAINS,
 * LOWER, UPPER, LENGTH, ABS and ARRAY_CONTAINS, undefined for an argument of a wrong type.
 */
#ifndef JOBGATE_JOBS_CONDITION_H
#define JOBGATE_JOBS_CONDITION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct condition;
struct condition_list;

enum { CONDITION_E_SYNTAX = 1 };
enum { CONDITION_SIZE_MOST = 65536, CONDITION_TEXT_SIZE = 200 };

/* Where the text is wrong and what would be right: one line of UTF-8, without a semicolon
 * because the hub's form of errors is split there. */
struct condition_error {
    size_t line;   /* from 1 */
    size_t column; /* from 1, in characters */
    char text[CONDITION_TEXT_SIZE];
};

/* 0, negative errno, or CONDITION_E_SYNTAX and *error is filled. */
int condition_parse(struct condition **ret, const char *text, struct condition_error *error);
void condition_free(struct condition *condition); /* NULL is fine */

/* Matches every device, because it says so ("*"), not because it happens to. */
bool condition_is_all(const struct condition *condition);

/* A sentence about what is legal and can hardly be meant (property.x, tags.my-key), or NULL. */
const char *condition_hint(const struct condition *condition);

enum condition_type {
    CONDITION_UNDEFINED = 0,
    CONDITION_NULL,
    CONDITION_BOOL,
    CONDITION_NUMBER,
    CONDITION_STRING,
    CONDITION_ARRAY,
    CONDITION_OBJECT,
};

enum condition_fold { CONDITION_AS_IS = 0, CONDITION_LOWER, CONDITION_UPPER };

/* A value borrows what it points to; it lives as long as the document. */
struct condition_value {
    enum condition_type type;
    enum condition_fold fold; /* how the evaluator reads the string; a lookup leaves it 0 */
    union {
        bool boolean;
        double number;
        struct {
            const char *bytes; /* valid UTF-8 */
            size_t size;
        } string;
        struct {
            const json_t *json;                /* from a document, or */
            const struct condition_list *list; /* from the text */
        } array;
    };
};

struct condition_value condition_value_string(const char *text); /* NULL: undefined */
struct condition_value condition_value_json(const json_t *json); /* NULL: undefined */

struct condition_segment {
    const char *name; /* NULL for an index into an array */
    size_t size;      /* of name, which is also ended by 0 */
    size_t index;
};

/* The first segment, and the fixed names below properties, capabilities and x509Thumbprint,
 * are in the hub's spelling whatever the text says: deviceId, properties, desired, $version. */
struct condition_path {
    size_t count; /* at least 1 */
    const struct condition_segment *segments;
};

typedef struct condition_value condition_lookup(void *ctx, const struct condition_path *path);

bool condition_matches(const struct condition *condition, condition_lookup *lookup, void *ctx);

/*
 * Finds a comparison that is undefined because the document holds another type ('3' is not 3),
 * and writes a sentence for people. To be asked about a device when none matched.
 */
bool condition_mismatch(const struct condition *condition, condition_lookup *lookup, void *ctx,
                        char text[CONDITION_TEXT_SIZE]);

/* Follows a path from its segment `first` on; for lookups that hold part of a document as JSON.
 */
struct condition_value condition_value_at(const json_t *from, const struct condition_path *path,
                                          size_t first);

/*
 * As condition_value_at() for a path that begins with properties.reported: an acknowledged
 * property {"value", "ac", "av"} is its value, and a bare one is found under .value too.
 */
struct condition_value condition_value_reported(const json_t *reported,
                                                const struct condition_path *path);

/* A lookup whose ctx is a json_t: the whole document. */
struct condition_value condition_lookup_json(void *ctx, const struct condition_path *path);

#endif
