/*
 * Is the text well-formed? The grammar of libconfig 1.5 once more, for the messages that its
 * own parser cannot give: the missing comma at the line where it is missing, the bracket that
 * was never closed at the line that opened it, the number that 32 bits cannot hold.
 *
 * The first fault of form ends the check; numbers and names that are wrong in themselves are
 * all reported.
 */
#include "site/config_token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MOST = 32, KEYS_MOST = 2000 };

static void parse_value(struct syntax *syntax, const struct token *name);

static bool enter(struct syntax *syntax)
{
    if (++syntax->depth <= DEPTH_MOST)
        return true;
    token_fail(syntax, syntax->token.line, "nested deeper than %d; nothing here needs that",
               DEPTH_MOST);
    return false;
}

/* After the last entry: the closing bracket, or what stands in its way. */
static void close_bracket(struct syntax *syntax, const struct token *open, char mark)
{
    syntax->depth--;
    if (token_is_mark(&syntax->token, mark)) {
        token_next(syntax);
        return;
    }
    if (syntax->token.kind == TOKEN_END)
        token_fail(syntax, open->line, "the %c that opens here is never closed; add %c",
                   *open->at, mark);
    else if (strchr("}])", *syntax->token.at))
        token_fail(syntax, syntax->token.line, "%c closes the %c of line %u; write %c",
                   *syntax->token.at, *open->at, token_place(syntax, open->line).line, mark);
    else
        token_fail(syntax, syntax->before.line,
                   "no comma after the entry that ends here; write , between entries of %c %c",
                   *open->at, mark);
}

static void parse_entries(struct syntax *syntax, char mark)
{
    struct token open = syntax->token;
    enum token_kind kind = TOKEN_END;

    if (!enter(syntax))
        return;
    token_next(syntax);
    while (!syntax->failed && !token_is_mark(&syntax->token, mark)) {
        if (mark == ']' && syntax->token.kind == TOKEN_MARK && strchr("{[(", *syntax->token.at))
            token_fail(syntax, syntax->token.line,
                       "an array [ ] holds plain values only; use a list ( ) here");
        if (mark == ']' && kind != TOKEN_END && syntax->token.kind != kind &&
            syntax->token.kind != TOKEN_MARK && syntax->token.kind != TOKEN_NAME)
            token_fail(
                syntax, syntax->token.line,
                "%.*s is of another type than the entries before it; an array [ ] holds one "
                "type, a list ( ) holds any",
                token_shown(&syntax->token), syntax->token.at);
        kind = syntax->token.kind;
        parse_value(syntax, NULL);
        if (!token_is_mark(&syntax->token, ','))
            break;
        token_next(syntax);
        if (token_is_mark(&syntax->token, mark))
            token_fail(syntax, syntax->before.line,
                       "a comma before the closing %c; remove the comma", mark);
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
            token_fail(syntax, name->line,
                       "%.*s stands in line %u already; keep one of the two", token_shown(name),
                       name->at, token_place(syntax, names->items[i].line).line);
            return;
        }
    }
    if (names->count == KEYS_MOST) {
        token_fail(syntax, name->line, "more than %d keys in one group; use several",
                   KEYS_MOST);
        return;
    }
    names->items[names->count++] = *name;
}

static void parse_setting(struct syntax *syntax, struct name_list *names)
{
    struct token name = syntax->token, value = syntax->before;

    if (name.kind != TOKEN_NAME) {
        if (name.kind == TOKEN_INT && token_is_mark(&value, ',') && value.at + 1 == name.at)
            token_fail(syntax, name.line,
                       "%.*s stands right after a comma; decimals stand after a point, such as "
                       "0.5",
                       token_shown(&name), name.at);
        else if (name.kind == TOKEN_TEXT)
            token_fail(syntax, name.line, "%.*s: a key has no quotes; write it without",
                       token_shown(&name), name.at);
        else
            token_fail(syntax, name.line,
                       "%.*s is not expected here; a key and its value are: "
                       "name = value;",
                       token_shown(&name), name.at);
        return;
    }
    remember_name(syntax, names);
    token_next(syntax);
    if (!token_is_mark(&syntax->token, '=') && !token_is_mark(&syntax->token, ':')) {
        if (value.kind == TOKEN_TEXT && value.line == name.line)
            token_fail(syntax, name.line,
                       "%.*s stands right after %.*s; is a quote missing there?",
                       token_shown(&name), name.at, token_shown(&value), value.at);
        else
            token_fail(syntax, name.line, "no = after %.*s; write %.*s = value;",
                       token_shown(&name), name.at, token_shown(&name), name.at);
        return;
    }
    token_next(syntax);
    parse_value(syntax, &name);
    if (token_is_mark(&syntax->token, ';') || token_is_mark(&syntax->token, ','))
        token_next(syntax);
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
           !token_is_mark(&syntax->token, '}')) {
        if (open && token_is_mark(&syntax->token, ')'))
            break;
        parse_setting(syntax, names);
    }
    free(names);
    if (syntax->failed)
        return;
    if (open)
        close_bracket(syntax, open, '}');
    else if (token_is_mark(&syntax->token, '}'))
        token_fail(syntax, syntax->token.line,
                   "this } closes nothing; remove it, or look for the { "
                   "that is missing above");
}

static void parse_group(struct syntax *syntax)
{
    struct token open = syntax->token;

    if (!enter(syntax))
        return;
    token_next(syntax);
    parse_settings(syntax, &open);
}

static void parse_value(struct syntax *syntax, const struct token *name)
{
    const struct token *token = &syntax->token;

    if (syntax->failed)
        return;
    if (token_is_mark(token, '{')) {
        parse_group(syntax);
    } else if (token_is_mark(token, '[')) {
        parse_entries(syntax, ']');
    } else if (token_is_mark(token, '(')) {
        parse_entries(syntax, ')');
    } else if (token->kind == TOKEN_TEXT) {
        while (token->kind == TOKEN_TEXT && !syntax->failed) /* neighbours are one text */
            token_next(syntax);
    } else if (token->kind == TOKEN_NAME) {
        token_fail(syntax, token->line, "%.*s is no value; text stands in quotes: \"%.*s\"",
                   token_shown(token), token->at, token_shown(token), token->at);
    } else if (token->kind == TOKEN_END || token->kind == TOKEN_MARK) {
        if (name)
            token_fail(syntax, name->line, "%.*s has no value; write %.*s = value;",
                       token_shown(name), name->at, token_shown(name), name->at);
        else
            token_fail(syntax, token->line, "an entry is missing before %.*s; remove the comma",
                       token->kind == TOKEN_END ? 3 : 1,
                       token->kind == TOKEN_END ? "end" : token->at);
    } else {
        token_next(syntax);
    }
}

bool config_syntax_check(struct config_text *text, struct reader *reader)
{
    struct syntax syntax = {.text = text, .reader = reader, .at = text->bytes};

    token_next(&syntax);
    if (!syntax.failed)
        parse_settings(&syntax, NULL);
    return !syntax.failed;
}
