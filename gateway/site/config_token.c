/*
 * Tokens as libconfig's lexer takes them, and what is wrong with a number, a name or a text in
 * itself.
 */
#include "site/config_token.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct place token_place(const struct syntax *syntax, size_t line)
{
    return syntax->text->lines[line];
}

void token_fail(struct syntax *syntax, size_t line, const char *format, ...)
{
    char text[300];
    va_list args;

    if (syntax->failed)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    problem_add(syntax->reader->problems, token_place(syntax, line), "%s", text);
    syntax->failed = true;
    syntax->token = (struct token){.kind = TOKEN_END, .at = syntax->at, .line = line};
}

/* How much of a token a message shows. */
int token_shown(const struct token *token)
{
    return token->length > 40 ? 40 : (int)token->length;
}

bool token_is_mark(const struct token *token, char mark)
{
    return token->kind == TOKEN_MARK && *token->at == mark;
}

static void skip_block_comment(struct syntax *syntax)
{
    size_t opened = syntax->line;
    const char *at = syntax->at + 2;

    for (; *at; at++) {
        if (at[0] == '*' && at[1] == '/') {
            syntax->at = at + 2;
            return;
        }
        if (*at == '\n')
            syntax->line++;
    }
    syntax->at = at;
    token_fail(syntax, opened,
               "the comment that begins here never ends; write */ where it does");
}

static void skip_space(struct syntax *syntax)
{
    while (!syntax->failed) {
        char c = *syntax->at;

        if (c == '\n') {
            syntax->line++;
            syntax->at++;
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f') {
            syntax->at++;
        } else if (c == '#' || (c == '/' && syntax->at[1] == '/')) {
            syntax->at += strcspn(syntax->at, "\n");
        } else if (c == '/' && syntax->at[1] == '*') {
            skip_block_comment(syntax);
        } else {
            return;
        }
    }
}

static void take_text(struct syntax *syntax)
{
    const char *at = syntax->at + 1;

    while (*at && *at != '"' && *at != '\n')
        at += *at == '\\' && at[1] && at[1] != '\n' ? 2 : 1;
    if (*at != '"') {
        token_fail(
            syntax, syntax->line,
            "the text that begins with %.*s has no closing quote on this line; close it with "
            "\"",
            (int)strcspn(syntax->at, "\r\n;") > 24 ? 24 : (int)strcspn(syntax->at, "\r\n;"),
            syntax->at);
        return;
    }
    syntax->token.kind = TOKEN_TEXT;
    syntax->token.length = (size_t)(at + 1 - syntax->at);
}

/* What comes along from a word processor or a web page in place of what it looks like. */
static const struct {
    const char *bytes, *what, *cure;
} typographic[] = {
    {"\xE2\x80\x9C", "a typographic quote", "texts stand in straight ones: \"text\""},
    {"\xE2\x80\x9D", "a typographic quote", "texts stand in straight ones: \"text\""},
    {"\xE2\x80\x9E", "a typographic quote", "texts stand in straight ones: \"text\""},
    {"\xE2\x80\x98", "a typographic quote", "texts stand in straight ones: \"text\""},
    {"\xE2\x80\x99", "a typographic quote", "texts stand in straight ones: \"text\""},
    {"\xC2\xAB", "a typographic quote", "texts stand in straight ones: \"text\""},
    {"\xC2\xBB", "a typographic quote", "texts stand in straight ones: \"text\""},
    {"\xE2\x80\x93", "a dash", "the minus sign is -"},
    {"\xE2\x88\x92", "a typographic minus", "the minus sign of a file is -"},
    {"\xC2\xA0", "a blank that does not break", "write a plain blank"},
    {"\xEF\xBB\xBF", "a byte order mark inside the file", "remove it"},
};

/* A name with letters that libconfig does not know, shown whole. */
static void refuse_name(struct syntax *syntax)
{
    const char *start = syntax->at, *end = syntax->at;

    for (size_t i = 0; i < COUNT_OF(typographic); i++) {
        if (strncmp(syntax->at, typographic[i].bytes, strlen(typographic[i].bytes)) == 0) {
            token_fail(syntax, syntax->line, "\"%s\" is %s; %s", typographic[i].bytes,
                       typographic[i].what, typographic[i].cure);
            return;
        }
    }

    while (start > syntax->text->bytes &&
           (isalnum((unsigned char)start[-1]) || start[-1] == '_'))
        start--;
    while (isalnum((unsigned char)*end) || *end == '_' || (unsigned char)*end >= 0x80)
        end++;
    token_fail(
        syntax, syntax->line,
        "the name \"%.*s\" has letters beyond ASCII; use A-Z, a-z, 0-9, - and _ in names "
        "(texts in quotes may hold any letter)",
        (int)(end - start) > 60 ? 60 : (int)(end - start), start);
}

static size_t span(const char *at, const char *of)
{
    return strspn(at, of);
}

/* The shape of a number at `at`: its kind and length, or TOKEN_END. */
static enum token_kind number_shape(const char *at, size_t *length)
{
    static const char digits[] = "0123456789";
    const char *from = at;
    size_t whole, part = 0;
    bool real = false;

    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        whole = span(at + 2, "0123456789abcdefABCDEF");
        at += 2 + whole;
        if (whole == 0)
            return TOKEN_END;
    } else {
        at += *at == '-' || *at == '+';
        whole = span(at, digits);
        at += whole;
        if (*at == '.') {
            part = span(at + 1, digits);
            at += 1 + part;
            real = true;
        }
        if (whole + part == 0)
            return TOKEN_END;
        if (*at == 'e' || *at == 'E') {
            size_t sign = at[1] == '-' || at[1] == '+';

            if (span(at + 1 + sign, digits) > 0) {
                at += 1 + sign + span(at + 1 + sign, digits);
                real = true;
            }
        }
    }
    whole = !real && *at == 'L' ? 1 + (size_t)(at[1] == 'L') : 0;
    *length = (size_t)(at - from) + whole;
    return real ? TOKEN_FLOAT : whole ? TOKEN_INT64 : TOKEN_INT;
}

/* libconfig wraps what 32 bits cannot hold, and makes infinity of 1e999, without a word. */
static void check_number(struct syntax *syntax)
{
    const struct token *token = &syntax->token;
    bool hex = token->length > 2 && (token->at[1] == 'x' || token->at[1] == 'X');
    struct problems *problems = syntax->reader->problems;
    size_t errors = problems->errors;
    intmax_t value;

    errno = 0;
    value = token->kind == TOKEN_FLOAT ? 0 : strtoimax(token->at, NULL, hex ? 16 : 10);
    if (token->kind == TOKEN_FLOAT && !isfinite(strtod(token->at, NULL)))
        problem_add(problems, token_place(syntax, token->line),
                    "the number %.*s is too large; a double holds up to 1.8e308",
                    token_shown(token), token->at);
    else if (token->kind != TOKEN_FLOAT && errno == ERANGE)
        problem_add(problems, token_place(syntax, token->line),
                    "the number %.*s is beyond 64 bits; -9223372036854775808 to "
                    "9223372036854775807 is possible",
                    token_shown(token), token->at);
    else if (token->kind == TOKEN_INT && (value > INT32_MAX || value < INT32_MIN))
        problem_add(problems, token_place(syntax, token->line),
                    "the number %.*s is beyond 32 bits; write %" PRIdMAX "L",
                    token_shown(token), token->at, value);
    if (problems->errors != errors)
        syntax->text->doubtful[token->line] = true;
}

static const char word_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789_.";

/* A key, by the = behind it. */
static bool is_key(const char *at, size_t length)
{
    at += length;
    at += span(at, " \t");
    return *at == '=' || *at == ':';
}

/* Letters behind a number. */
static void refuse_number(struct syntax *syntax, size_t number, size_t length)
{
    const char *at = syntax->at;
    size_t digits = span(at, "0123456789abcdefABCDEF");
    bool hex = digits == length || (digits + 1 == length && strchr("hH", at[digits]));
    int shown = length > 40 ? 40 : (int)length;

    if (is_key(at, length))
        token_fail(syntax, syntax->line,
                   "the name %.*s begins with a digit; begin it with a letter", shown, at);
    else if (hex && digits > number && digits <= 16) /* 006Bh, 1F */
        token_fail(syntax, syntax->line, "%.*s is no number; write 0x%.*s if it is hexadecimal",
                   shown, at, (int)digits, at);
    else
        token_fail(syntax, syntax->line,
                   "%.*s is neither a number nor text; write %.*s, or \"%.*s\"", shown, at,
                   (int)number, at, shown, at);
}

static void take_number(struct syntax *syntax)
{
    struct token *token = &syntax->token;
    size_t more;

    token->kind = number_shape(syntax->at, &token->length);
    if (token->kind == TOKEN_END) {
        token_fail(syntax, syntax->line, "\"%c\" begins no number; write digits, such as 0.5",
                   *syntax->at);
        return;
    }
    more = span(syntax->at + token->length, word_letters);
    if (more > 0) {
        refuse_number(syntax, token->length, token->length + more);
        return;
    }
    check_number(syntax);
}

static void take_word(struct syntax *syntax)
{
    struct token *token = &syntax->token;

    token->length = span(syntax->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-_*");
    if ((unsigned char)syntax->at[token->length] >= 0x80) {
        syntax->at += token->length;
        refuse_name(syntax);
        return;
    }
    if (syntax->at[token->length] == '.') {
        size_t length = token->length + span(syntax->at + token->length, word_letters);

        token_fail(syntax, syntax->line,
                   is_key(syntax->at, length)
                       ? "the name %.*s has a dot; use A-Z, a-z, 0-9, - and _ in names"
                       : "%.*s is no value; text stands in quotes",
                   length > 40 ? 40 : (int)length, syntax->at);
        return;
    }
    token->kind = TOKEN_NAME;
    if ((token->length == 4 && strncasecmp(syntax->at, "true", 4) == 0) ||
        (token->length == 5 && strncasecmp(syntax->at, "false", 5) == 0))
        token->kind = TOKEN_BOOL;
}

/* Takes the token to look at, and looks at the next. */
void token_next(struct syntax *syntax)
{
    unsigned char c;

    syntax->before = syntax->token;
    skip_space(syntax);
    if (syntax->failed)
        return;
    c = (unsigned char)*syntax->at;
    syntax->token = (struct token){.kind = TOKEN_END, .at = syntax->at, .line = syntax->line};
    if (c == '\0')
        return;
    if (c == '"')
        take_text(syntax);
    else if (isdigit(c) || c == '-' || c == '+' || c == '.')
        take_number(syntax);
    else if (isalpha(c) || c == '*')
        take_word(syntax);
    else if (strchr("=:;,{}[]()", c)) {
        syntax->token.kind = TOKEN_MARK;
        syntax->token.length = 1;
    } else if (c >= 0x80)
        refuse_name(syntax);
    else if (c == '\'')
        token_fail(syntax, syntax->line,
                   "' does not quote; texts stand in double quotes: \"text\"");
    else if (c == '@')
        token_fail(syntax, syntax->line,
                   "@ is not expected here; @include \"file\" begins its line");
    else if (isprint(c))
        token_fail(syntax, syntax->line, "\"%c\" is not expected here; is a quote missing?", c);
    else
        token_fail(syntax, syntax->line, "control character 0x%02X; remove it", c);
    if (!syntax->failed)
        syntax->at += syntax->token.length;
}
