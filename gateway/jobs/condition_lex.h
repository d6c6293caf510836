/*
 * Lexer of conditions and queries, for condition_lex.c and condition_parse.c only.
 */
#ifndef JOBGATE_JOBS_CONDITION_LEX_H
#define JOBGATE_JOBS_CONDITION_LEX_H

#include "jobs/condition_tree.h"

enum token_type {
    TOKEN_END,
    TOKEN_NAME,   /* keywords too: tags.in is a path */
    TOKEN_STRING, /* value: without quotes and escapes */
    TOKEN_NUMBER,
    TOKEN_EQUAL,
    TOKEN_NOT_EQUAL,
    TOKEN_LESS,
    TOKEN_GREATER,
    TOKEN_LESS_EQUAL,
    TOKEN_GREATER_EQUAL,
    TOKEN_PLUS,
    TOKEN_MINUS,
    TOKEN_STAR,
    TOKEN_SLASH,
    TOKEN_PERCENT,
    TOKEN_DOT,
    TOKEN_COMMA,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_OPEN_LIST,
    TOKEN_CLOSE_LIST,
};

struct token {
    enum token_type type;
    size_t at, end; /* bytes of the text */
    struct condition_value value;
};

struct lexer {
    const char *text;
    size_t size;
    size_t at;
    struct condition *condition; /* keeps the strings */
    struct condition_error *error;
};

/* 0, negative errno or CONDITION_E_SYNTAX, as all here. */
int lexer_next(struct lexer *lexer, struct token *ret);

/* A name in double brackets, whose first bracket is at `at`. The token is a TOKEN_NAME. */
int lexer_quoted_name(struct lexer *lexer, size_t at, struct token *ret);

/* Checks the length and the UTF-8 of the whole text. */
int lexer_check(struct lexer *lexer);

/* Fills the error and returns CONDITION_E_SYNTAX. */
__attribute__((format(printf, 3, 4))) int lexer_refuse(const struct lexer *lexer, size_t at,
                                                       const char *format, ...);

/* The bytes from `at` to `end`, shortened, as text in an error. */
struct excerpt {
    char text[48];
};
struct excerpt lexer_excerpt(const struct lexer *lexer, size_t at, size_t end);

#endif
