/*
 * The inside of a condition, for condition*.c and query.c only.
 *
 * A tree of nodes in memory that is given back as a whole. AND, OR and arithmetic have any
 * number of operands, so that the depth of the tree, and of the recursion over it, depends on
 * the nesting of the text alone.
 */
#ifndef JOBGATE_JOBS_CONDITION_TREE_H
#define JOBGATE_JOBS_CONDITION_TREE_H

#include "jobs/condition.h"
#include "jobs/query.h"

enum node_kind {
    NODE_CONSTANT,
    NODE_PATH,
    NODE_AND,
    NODE_OR,
    NODE_NOT,
    NODE_COMPARE,
    NODE_IN,
    NODE_ARITHMETIC, /* from left to right */
    NODE_SIGN,
    NODE_CALL,
};

enum compare {
    COMPARE_EQUAL,
    COMPARE_NOT_EQUAL,
    COMPARE_LESS,
    COMPARE_GREATER,
    COMPARE_LESS_EQUAL,
    COMPARE_GREATER_EQUAL
};

enum function {
    FUNCTION_IS_DEFINED,
    FUNCTION_IS_NULL,
    FUNCTION_IS_STRING,
    FUNCTION_IS_NUMBER,
    FUNCTION_IS_BOOL,
    FUNCTION_IS_OBJECT,
    FUNCTION_IS_ARRAY,
    FUNCTION_IS_PRIMITIVE,
    FUNCTION_STARTS_WITH,
    FUNCTION_ENDS_WITH,
    FUNCTION_CONTAINS,
    FUNCTION_LOWER,
    FUNCTION_UPPER,
    FUNCTION_LENGTH,
    FUNCTION_ABS,
    FUNCTION_ARRAY_CONTAINS,
};

/* Only what can equal something: no undefined, no arrays. Sorted by condition_order(). */
struct condition_list {
    size_t count;
    const struct condition_value *items;
};

struct node {
    enum node_kind kind;
    struct node *first; /* operand */
    struct node *next;  /* operand of the same parent */
    char sign;          /* NODE_SIGN: which */
    char joined_by;     /* operand of arithmetic, after the first: its sign */
    bool negated;       /* NODE_IN: NOT IN, NIN */
    union {
        enum compare compare;
        enum function function;
        struct condition_value constant; /* NODE_IN: an array */
        struct condition_path path;
    };
};

struct block;

struct condition {
    struct block *blocks; /* all memory of the tree */
    struct node *root;    /* NULL: everything matches, or nothing */
    bool nothing;
    char hint[CONDITION_TEXT_SIZE];
};

struct condition *condition_new(void);
void *condition_keep(struct condition *condition, size_t size); /* zeroed; NULL: no memory */

struct question {
    condition_lookup *lookup;
    void *ctx;
};

struct condition_value condition_answer(const struct question *question,
                                        const struct node *node);

/* Values (condition_value.c) */
bool condition_has_equality(const struct condition_value *value);
bool string_starts_with(struct condition_value text, struct condition_value part);
bool string_ends_with(struct condition_value text, struct condition_value part);
bool string_contains(struct condition_value text, struct condition_value part);
double string_characters(const struct condition_value *string);

/* Total order of values that can be in a list, by type and then by value. */
int condition_order(const struct condition_value *a, const struct condition_value *b);

/* Reads a queryCondition, or with `query` a whole SELECT, whose selection is filled in. */
int condition_read(struct condition **ret, enum query_collection *ret_collection,
                   struct query *query, const char *text, struct condition_error *error);

/* Names (condition_names.c) */
bool condition_is_word(const char *bytes, size_t size, const char *word); /* in any case */
void condition_clean_text(char *text); /* one line, whole characters, no semicolon */
/* Puts fixed names into the hub's spelling; an empty hint says why a path leads nowhere. */
void condition_settle_path(struct condition_segment *segments, size_t count,
                           enum query_collection collection, char hint[CONDITION_TEXT_SIZE]);
/* 0, or 1 when there is no such function; *ret_near is the closest name in either case. */
int condition_find_function(const char *bytes, size_t size, enum function *ret,
                            size_t *ret_arguments, const char **ret_near);
/* "canceled" for "cancelled" and so on: one spelling for what means the same. */
struct condition_value condition_plain_status(struct condition_value value);

#endif
