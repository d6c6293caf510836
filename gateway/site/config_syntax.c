/*
 * Is the text well-formed? The grammar of libconfig 1.5 once more, for the messages that its
 * own parser cannot give: the missing comma at the line where it is missing, the bracket that
 * was never closed at the line that opened it, the number that 32 bits cannot hold.
 *
 * The first fault of form ends the check; numbers and names that are wrong in themselves are
 * all reported.
 */
#include "site/config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MOST = 32, KEYS_MOST = 2000 };

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

static void parse_value(struct syntax *syntax, const struct token *name);

static struct place place_of(const struct syntax *syntax, size_t line)
{
    return syntax->text->lines[line];
}

__attribute__((format(printf, 3, 4))) static void fail(struct syntax *syntax, size_t line,
                                                       const char *format, ...)
{
    char text[300];
    va_list args;

    if (syntax->failed)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    problem_add(syntax->reader->problems, place_of(syntax, line), "%s", text);
    syntax->failed = true;
    syntax->token = (struct token){.kind = TOKEN_END, .at = syntax->at, .line = line};
}

/* How much of a token a message shows. */
static int shown(const struct token *token)
{
    return token->length > 40 ? 40 : (int)token->length;
}

static bool is_mark(const struct token *token, char mark)
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
    fail(syntax, opened, "the comment that begins here never ends; write */ where it does");
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
        fail(syntax, syntax->line,
             "the text that begins with %.*s has no closing quote on this line; close it with "
             "\"",
             (int)strcspn(syntax->at, "\r\n;") > 24 ? 24 : (int)strcspn(syntax->at, "\r\n;"),
             syntax->at);
        return;
    }
    syntax->token.kind = TOKEN_TEXT;
    syntax->token.length = (size_t)(at + 1 - syntax->at);
}

/* A name with letters that libconfig does not know, shown whole. */
static void refuse_name(struct syntax *syntax)
{
    const char *start = syntax->at, *end = syntax->at;

    while (start > syntax->text->bytes &&
           (isalnum((unsigned char)start[-1]) || start[-1] == '_'))
        start--;
    while (isalnum((unsigned char)*end) || *end == '_' || (unsigned char)*end >= 0x80)
        end++;
    fail(syntax, syntax->line,
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
        problem_add(problems, place_of(syntax, token->line),
                    "the number %.*s is too large; a double holds up to 1.8e308", shown(token),
                    token->at);
    else if (token->kind != TOKEN_FLOAT && errno == ERANGE)
        problem_add(problems, place_of(syntax, token->line),
                    "the number %.*s is beyond 64 bits; -9223372036854775808 to "
                    "9223372036854775807 is possible",
                    shown(token), token->at);
    else if (token->kind == TOKEN_INT && (value > INT32_MAX || value < INT32_MIN))
        problem_add(problems, place_of(syntax, token->line),
                    "the number %.*s is beyond 32 bits; write %" PRIdMAX "L", shown(token),
                    token->at, value);
    if (problems->errors != errors)
        syntax->text->doubtful[token->line] = true;
}

static void take_number(struct syntax *syntax)
{
    struct token *token = &syntax->token;
    const char *after;
    size_t more;

    token->kind = number_shape(syntax->at, &token->length);
    if (token->kind == TOKEN_END) {
        fail(syntax, syntax->line, "\"%c\" begins no number; write digits, such as 0.5",
             *syntax->at);
        return;
    }
    after = syntax->at + token->length;
    more = span(after, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
    if (more > 0) {
        fail(syntax, syntax->line, "%.*s is neither a number nor text; write %.*s, or \"%.*s\"",
             (int)(token->length + (more > 20 ? 20 : more)), syntax->at, (int)token->length,
             syntax->at, (int)(token->length + (more > 20 ? 20 : more)), syntax->at);
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
    token->kind = TOKEN_NAME;
    if ((token->length == 4 && strncasecmp(syntax->at, "true", 4) == 0) ||
        (token->length == 5 && strncasecmp(syntax->at, "false", 5) == 0))
        token->kind = TOKEN_BOOL;
}

/* Takes the token to look at, and looks at the next. */
static void next(struct syntax *syntax)
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
        fail(syntax, syntax->line, "' does not quote; texts stand in double quotes: \"text\"");
    else if (c == '@')
        fail(syntax, syntax->line, "@ is not expected here; @include \"file\" begins its line");
    else if (isprint(c))
        fail(syntax, syntax->line, "\"%c\" is not expected here; is a quote missing?", c);
    else
        fail(syntax, syntax->line, "control character 0x%02X; remove it", c);
    if (!syntax->failed)
        syntax->at += syntax->token.length;
}

static bool enter(struct syntax *syntax)
{
    if (++syntax->depth <= DEPTH_MOST)
        return true;
    fail(syntax, syntax->token.line, "nested deeper than %d; nothing here needs that",
         DEPTH_MOST);
    return false;
}

/* After the last entry: the closing bracket, or what stands in its way. */
static void close_bracket(struct syntax *syntax, const struct token *open, char mark)
{
    syntax->depth--;
    if (is_mark(&syntax->token, mark)) {
        next(syntax);
        return;
    }
    if (syntax->token.kind == TOKEN_END)
        fail(syntax, open->line, "the %c that opens here is never closed; add %c", *open->at,
             mark);
    else if (strchr("}])", *syntax->token.at))
        fail(syntax, syntax->token.line, "%c closes the %c of line %u; write %c",
             *syntax->token.at, *open->at, place_of(syntax, open->line).line, mark);
    else
        fail(syntax, syntax->before.line,
             "no comma after the entry that ends here; write , between entries of %c %c",
             *open->at, mark);
}

static void parse_entries(struct syntax *syntax, char mark)
{
    struct token open = syntax->token;
    enum token_kind kind = TOKEN_END;

    if (!enter(syntax))
        return;
    next(syntax);
    while (!syntax->failed && !is_mark(&syntax->token, mark)) {
        if (mark == ']' && syntax->token.kind == TOKEN_MARK && strchr("{[(", *syntax->token.at))
            fail(syntax, syntax->token.line,
                 "an array [ ] holds plain values only; use a list ( ) here");
        if (mark == ']' && kind != TOKEN_END && syntax->token.kind != kind &&
            syntax->token.kind != TOKEN_MARK && syntax->token.kind != TOKEN_NAME)
            fail(syntax, syntax->token.line,
                 "%.*s is of another type than the entries before it; an array [ ] holds one "
                 "type, a list ( ) holds any",
                 shown(&syntax->token), syntax->token.at);
        kind = syntax->token.kind;
        parse_value(syntax, NULL);
        if (!is_mark(&syntax->token, ','))
            break;
        next(syntax);
        if (is_mark(&syntax->token, mark))
            fail(syntax, syntax->before.line, "a comma before the closing %c; remove the comma",
                 mark);
    }
    if (!syntax->failed)
        close_bracket(syntax, &open, mark);
}

struct name_list {
    struct token items[KEYS_MOST];
    size_t count;
};

static void remember_name(struct syntax *syntax, struct name_list *names)
{
    const struct token *name = &syntax->token;

    for (size_t i = 0; i < names->count; i++) {
        if (names->items[i].length == name->length &&
            memcmp(names->items[i].at, name->at, name->length) == 0) {
            fail(syntax, name->line, "%.*s stands in line %u already; keep one of the two",
                 shown(name), name->at, place_of(syntax, names->items[i].line).line);
            return;
        }
    }
    if (names->count == KEYS_MOST) {
        fail(syntax, name->line, "more than %d keys in one group; use several", KEYS_MOST);
        return;
    }
    names->items[names->count++] = *name;
}

static void parse_setting(struct syntax *syntax, struct name_list *names)
{
    struct token name = syntax->token, value = syntax->before;

    if (name.kind != TOKEN_NAME) {
        if (name.kind == TOKEN_TEXT)
            fail(syntax, name.line, "%.*s: a key has no quotes; write it without", shown(&name),
                 name.at);
        else
            fail(syntax, name.line,
                 "%.*s is not expected here; a key and its value are: "
                 "name = value;",
                 shown(&name), name.at);
        return;
    }
    remember_name(syntax, names);
    next(syntax);
    if (!is_mark(&syntax->token, '=') && !is_mark(&syntax->token, ':')) {
        if (value.kind == TOKEN_TEXT && value.line == name.line)
            fail(syntax, name.line, "%.*s stands right after %.*s; is a quote missing there?",
                 shown(&name), name.at, shown(&value), value.at);
        else
            fail(syntax, name.line, "no = after %.*s; write %.*s = value;", shown(&name),
                 name.at, shown(&name), name.at);
        return;
    }
    next(syntax);
    parse_value(syntax, &name);
    if (is_mark(&syntax->token, ';') || is_mark(&syntax->token, ','))
        next(syntax);
}

/* Settings up to the closing brace, or the end of the file where `open` is NULL. */
static void parse_settings(struct syntax *syntax, const struct token *open)
{
    struct name_list *names = malloc(sizeof(*names));

    if (!names) {
        syntax->reader->error = -ENOMEM;
        syntax->failed = true;
        return;
    }
    names->count = 0;
    while (!syntax->failed && syntax->token.kind != TOKEN_END &&
           !is_mark(&syntax->token, '}')) {
        if (open && is_mark(&syntax->token, ')'))
            break;
        parse_setting(syntax, names);
    }
    free(names);
    if (syntax->failed)
        return;
    if (open)
        close_bracket(syntax, open, '}');
    else if (is_mark(&syntax->token, '}'))
        fail(syntax, syntax->token.line,
             "this } closes nothing; remove it, or look for the { "
             "that is missing above");
}

static void parse_group(struct syntax *syntax)
{
    struct token open = syntax->token;

    if (!enter(syntax))
        return;
    next(syntax);
    parse_settings(syntax, &open);
}

static void parse_value(struct syntax *syntax, const struct token *name)
{
    const struct token *token = &syntax->token;

    if (syntax->failed)
        return;
    if (is_mark(token, '{')) {
        parse_group(syntax);
    } else if (is_mark(token, '[')) {
        parse_entries(syntax, ']');
    } else if (is_mark(token, '(')) {
        parse_entries(syntax, ')');
    } else if (token->kind == TOKEN_TEXT) {
        while (token->kind == TOKEN_TEXT && !syntax->failed) /* neighbours are one text */
            next(syntax);
    } else if (token->kind == TOKEN_NAME) {
        fail(syntax, token->line, "%.*s is no value; text stands in quotes: \"%.*s\"",
             shown(token), token->at, shown(token), token->at);
    } else if (token->kind == TOKEN_END || token->kind == TOKEN_MARK) {
        if (name)
            fail(syntax, name->line, "%.*s has no value; write %.*s = value;", shown(name),
                 name->at, shown(name), name->at);
        else
            fail(syntax, token->line, "an entry is missing before %.*s; remove the comma",
                 token->kind == TOKEN_END ? 3 : 1,
                 token->kind == TOKEN_END ? "end" : token->at);
    } else {
        next(syntax);
    }
}

bool config_syntax_check(struct config_text *text, struct reader *reader)
{
    struct syntax syntax = {.text = text, .reader = reader, .at = text->bytes};

    next(&syntax);
    if (!syntax.failed)
        parse_settings(&syntax, NULL);
    return !syntax.failed;
}
