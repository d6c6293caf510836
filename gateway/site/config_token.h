/* Tokens of a configuration text, one ahead; between config_token.c and config_syntax.c. */
#ifndef JOBGATE_SITE_CONFIG_TOKEN_H
#define JOBGATE_SITE_CONFIG_TOKEN_H

#include "site/config.h"

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_INT,
    TOKEN_INT64,
    TOKEN_FLOAT,
    TOKEN_TEXT,
    TOKEN_BOOL,
    TOKEN_MARK, /* one of = : ; , { } [ ] ( ) */
};

struct token {
    enum token_kind kind;
    const char *at;
    size_t length;
    size_t line; /* index into text->lines */
};

struct syntax {
    struct config_text *text;
    struct reader *reader;
    const char *at;
    size_t line;
    struct token token, before; /* the one to look at, and the one that was taken last */
    bool failed;
    unsigned depth;
};

/* Takes the token to look at, and looks at the next; a fault ends the text. */
void token_next(struct syntax *syntax);
/* A fault of form at a line (an index); the first one is reported and ends the text. */
__attribute__((format(printf, 3, 4))) void token_fail(struct syntax *syntax, size_t line,
                                                      const char *format, ...);
bool token_is_mark(const struct token *token, char mark);
int token_shown(const struct token *token); /* how much of it a message shows */
struct place token_place(const struct syntax *syntax, size_t line);

#endif
