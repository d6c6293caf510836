/*
 * Parser: recursive descent over the grammar
 *
 *     condition = "*" | or | "FROM" collection [ "WHERE" ( "*" | or ) ]
 *     or        = and { "OR" and }
 *     and       = not { "AND" not }
 *     not       = "NOT" not | compare
 *     compare   = sum [ relation sum | [ "NOT" ] ( "IN" | "NIN" ) list ]
 *     sum       = term { ( "+" | "-" ) term }
 *     term      = sign { ( "*" | "/" | "%" ) sign }
 *     sign      = [ "-" | "+" ] primary
 *     primary   = constant | function | path | "(" or ")" | list
 *     list      = "[" [ item { "," item } ] "]" | "(" item { "," item } ")"
 *     item      = [ "-" | "+" ] number | constant | list
 *     path      = segment { "." segment | "[" ( string | digits ) "]" }
 *
 * Every function returns 0, a negative errno or CONDITION_E_SYNTAX. What can nest without end,
 * NOT, parentheses, arguments and lists in lists, is counted by parser_enter().
 *
 * condition_expression.c has the expressions, condition_operand.c the lists and paths,
 * condition_parse.c the statements around, condition_select.c what a query selects. For these
 * four files only.
 */
#ifndef JOBGATE_JOBS_CONDITION_PARSER_H
#define JOBGATE_JOBS_CONDITION_PARSER_H

#include "jobs/condition_lex.h"

enum { NESTING_MOST = 64, TOKENS_MOST = 2048, SEGMENTS_MOST = 64 };

struct parser {
    struct lexer lexer;
    struct token token; /* the one to look at */
    size_t last_end;    /* where the one before ended */
    size_t tokens;
    size_t nesting;
    enum query_collection collection;
    struct query *query;           /* NULL: a condition alone */
    struct condition_value *items; /* of the list being read; lists do not overlap */
    size_t count, space;
};

#define TRY(call)                                                                              \
    do {                                                                                       \
        int try_result = (call);                                                               \
        if (try_result != 0)                                                                   \
            return try_result;                                                                 \
    } while (0)

int parser_advance(struct parser *parser); /* to the next token, counted */
int parser_enter(struct parser *parser);   /* one level deeper; the caller steps back */
bool parser_at(const struct parser *parser, enum token_type type);
/* A word of the language; a name in double brackets never is one. */
bool parser_at_word(const struct parser *parser, const char *word);
bool parser_at_reserved(const struct parser *parser);
/* true, false, null or undefined. */
bool parser_constant_word(const struct parser *parser, struct condition_value *ret);
int parser_take(struct parser *parser, enum token_type type, const char *wanted);
/* Says that the token is wrong, and what would be right. */
int parser_refuse(const struct parser *parser, const char *wanted);
int parser_node(struct parser *parser, enum node_kind kind, struct node **ret);

/* From [ or ( to behind its partner; `statuses`: all in one spelling. */
int parser_list(struct parser *parser, bool statuses, struct condition_value *ret);
int parser_path(struct parser *parser, struct node **ret);
int parser_expression(struct parser *parser, struct node **ret);
int parser_selection(struct parser *parser); /* from behind SELECT to FROM */
int parser_grouping(struct parser *parser);  /* [ "GROUP" "BY" path ], and whether all fits */

#endif
