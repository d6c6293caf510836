/*
 * Parser, its tools and the operands: lists of constants, and paths.
 */
#include "jobs/condition_parser.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int parser_advance(struct parser *parser)
{
    size_t at = parser->token.at;

    parser->last_end = parser->token.end;
    if (++parser->tokens > TOKENS_MOST)
        return lexer_refuse(&parser->lexer, at,
                            "more than %d words and signs: name many devices by deviceId IN "
                            "['a', 'b'], whose items do not count",
                            TOKENS_MOST);
    return lexer_next(&parser->lexer, &parser->token);
}

int parser_enter(struct parser *parser)
{
    if (++parser->nesting > NESTING_MOST)
        return lexer_refuse(&parser->lexer, parser->token.at,
                            "nested deeper than %d levels: leave out parentheses",
                            NESTING_MOST);
    return 0;
}

bool parser_at(const struct parser *parser, enum token_type type)
{
    return parser->token.type == type;
}

bool parser_at_word(const struct parser *parser, const char *word)
{
    const struct token *token = &parser->token;

    return token->type == TOKEN_NAME &&
           condition_is_word(parser->lexer.text + token->at, token->end - token->at, word);
}

bool parser_at_reserved(const struct parser *parser)
{
    static const char *const words[] = {"AND", "OR",   "NOT",   "IN",
                                        "NIN", "FROM", "WHERE", "SELECT"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (parser_at_word(parser, words[i]))
            return true;
    }
    return false;
}

int parser_refuse(const struct parser *parser, const char *wanted)
{
    const struct token *token = &parser->token;
    struct excerpt found = lexer_excerpt(&parser->lexer, token->at, token->end);

    if (token->type == TOKEN_END)
        return lexer_refuse(&parser->lexer, token->at, "the text ends too early: %s", wanted);
    return lexer_refuse(&parser->lexer, token->at, "unexpected %s: %s", found.text, wanted);
}

int parser_take(struct parser *parser, enum token_type type, const char *wanted)
{
    if (!parser_at(parser, type))
        return parser_refuse(parser, wanted);
    return parser_advance(parser);
}

int parser_node(struct parser *parser, enum node_kind kind, struct node **ret)
{
    *ret = condition_keep(parser->lexer.condition, sizeof(**ret));
    if (!*ret)
        return -ENOMEM;
    (*ret)->kind = kind;
    return 0;
}

static int add_item(struct parser *parser, struct condition_value value)
{
    if (value.type == CONDITION_UNDEFINED) /* equals nothing */
        return 0;
    if (parser->count == parser->space) {
        size_t space = parser->space > 0 ? parser->space * 2 : 64;
        struct condition_value *items = realloc(parser->items, space * sizeof(*items));

        if (!items)
            return -ENOMEM;
        parser->items = items;
        parser->space = space;
    }
    parser->items[parser->count++] = value;
    return 0;
}

bool parser_constant_word(const struct parser *parser, struct condition_value *ret)
{
    *ret = (struct condition_value){.type = CONDITION_UNDEFINED};
    if (parser_at_word(parser, "true") || parser_at_word(parser, "false")) {
        ret->type = CONDITION_BOOL;
        ret->boolean = parser_at_word(parser, "true");
        return true;
    }
    if (parser_at_word(parser, "null")) {
        ret->type = CONDITION_NULL;
        return true;
    }
    return parser_at_word(parser, "undefined");
}

static int refuse_item(const struct parser *parser)
{
    struct excerpt found = lexer_excerpt(&parser->lexer, parser->token.at, parser->token.end);

    if (parser->token.type == TOKEN_NAME)
        return lexer_refuse(&parser->lexer, parser->token.at,
                            "%s is not a constant: text in a list stands in quotes, '%s'",
                            found.text, found.text);
    return parser_refuse(parser, "a list holds text in quotes, numbers, true, false or null, "
                                 "separated by commas, and ends with ]");
}

static int parse_constant_item(struct parser *parser)
{
    struct condition_value value;
    double sign = 1;

    if (parser_at(parser, TOKEN_MINUS) || parser_at(parser, TOKEN_PLUS)) {
        sign = parser_at(parser, TOKEN_MINUS) ? -1 : 1;
        TRY(parser_advance(parser));
        if (!parser_at(parser, TOKEN_NUMBER))
            return parser_refuse(parser, "a number follows the sign in a list");
    }
    if (parser_at(parser, TOKEN_NUMBER)) {
        value = parser->token.value;
        value.number *= sign;
    } else if (parser_at(parser, TOKEN_STRING)) {
        value = parser->token.value;
    } else if (!parser_constant_word(parser, &value)) {
        return refuse_item(parser);
    }
    TRY(add_item(parser, value));
    return parser_advance(parser);
}

static int parse_items(struct parser *parser);

/* A list in a list equals nothing, so its items are read and dropped. */
static int parse_item(struct parser *parser)
{
    size_t count = parser->count;

    if (!parser_at(parser, TOKEN_OPEN_LIST))
        return parse_constant_item(parser);
    TRY(parser_enter(parser));
    TRY(parse_items(parser));
    parser->nesting--;
    parser->count = count;
    return 0;
}

static int parse_items(struct parser *parser)
{
    bool round = parser_at(parser, TOKEN_OPEN);
    enum token_type close = round ? TOKEN_CLOSE : TOKEN_CLOSE_LIST;

    TRY(parser_advance(parser));
    if (!round && parser_at(parser, close))
        return parser_advance(parser);
    for (;;) {
        size_t tokens = parser->tokens;

        TRY(parse_item(parser));
        if (parser_at(parser, close))
            return parser_advance(parser);
        TRY(parser_take(parser, TOKEN_COMMA,
                        round ? "a comma or the closing ) of the list is missing"
                              : "a comma or the closing ] of the list is missing"));
        parser->tokens = tokens; /* the size of the text limits lists */
    }
}

static int by_order(const void *a, const void *b)
{
    return condition_order(a, b);
}

int parser_list(struct parser *parser, bool statuses, struct condition_value *ret)
{
    struct condition *condition = parser->lexer.condition;
    struct condition_list *list = condition_keep(condition, sizeof(*list));
    struct condition_value *items;

    if (!list)
        return -ENOMEM;
    parser->count = 0;
    TRY(parse_items(parser));
    *ret = (struct condition_value){.type = CONDITION_ARRAY, .array = {.list = list}};
    if (parser->count == 0)
        return 0;
    items = condition_keep(condition, parser->count * sizeof(*items));
    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < parser->count; i++)
        items[i] = statuses ? condition_plain_status(parser->items[i]) : parser->items[i];
    qsort(items, parser->count, sizeof(*items), by_order);
    list->count = parser->count;
    list->items = items;
    return 0;
}

static int take_name(struct parser *parser, const struct token *token,
                     struct condition_segment *segment)
{
    size_t size = token->value.string.size;
    char *name = condition_keep(parser->lexer.condition, size + 1);

    if (!name)
        return -ENOMEM;
    memcpy(name, token->value.string.bytes, size);
    *segment = (struct condition_segment){.name = name, .size = size};
    return 0;
}

/* A name or [[a name]], at the token. */
static int parse_name(struct parser *parser, struct condition_segment *segment)
{
    const struct lexer *lexer = &parser->lexer;
    struct token token = parser->token;

    if (parser_at(parser, TOKEN_OPEN_LIST) && lexer->text[token.end] == '[')
        TRY(lexer_quoted_name(&parser->lexer, token.at, &parser->token));
    else if (parser_at(parser, TOKEN_NUMBER))
        return parser_refuse(parser,
                             "a name that begins with a digit stands in double brackets, "
                             "such as tags.[[3b]]");
    else if (!parser_at(parser, TOKEN_NAME))
        return parser_refuse(parser, "a name follows the dot, such as tags.floor");
    TRY(take_name(parser, &parser->token, segment));
    return parser_advance(parser);
}

/* ['name'] or [3], from the bracket on. */
static int parse_index(struct parser *parser, struct condition_segment *segment)
{
    const struct token *token = &parser->token;
    static const char wanted[] = "between [ and ] stands 'a name' or a whole number";

    TRY(parser_advance(parser));
    if (token->type == TOKEN_STRING) {
        TRY(take_name(parser, token, segment));
    } else if (token->type == TOKEN_NUMBER && token->value.number < 1e9 &&
               token->value.number == floor(token->value.number)) {
        *segment = (struct condition_segment){.index = (size_t)token->value.number};
    } else {
        return parser_refuse(parser, wanted);
    }
    TRY(parser_advance(parser));
    return parser_take(parser, TOKEN_CLOSE_LIST, "the closing ] is missing");
}

/* devices.jobs.jobId is jobId, devices.tags is tags. */
static size_t collection_prefix(const struct parser *parser,
                                const struct condition_segment *segments, size_t count)
{
    if (count < 2 || !condition_is_word(segments[0].name, segments[0].size, "devices") ||
        !segments[1].name)
        return 0;
    if (parser->collection == QUERY_DEVICES)
        return 1;
    return count > 2 && segments[2].name &&
                   condition_is_word(segments[1].name, segments[1].size, "jobs")
               ? 2
               : 0;
}

int parser_path(struct parser *parser, struct node **ret)
{
    struct condition *condition = parser->lexer.condition;
    struct condition_segment segments[SEGMENTS_MOST] = {0}, *kept;
    size_t count = 1, prefix;

    TRY(parse_name(parser, &segments[0]));
    while (parser_at(parser, TOKEN_DOT) || parser_at(parser, TOKEN_OPEN_LIST)) {
        if (count == SEGMENTS_MOST)
            return parser_refuse(parser, "a path has at most 64 names");
        if (parser_at(parser, TOKEN_DOT)) {
            TRY(parser_advance(parser));
            TRY(parse_name(parser, &segments[count]));
        } else {
            TRY(parse_index(parser, &segments[count]));
        }
        count++;
    }
    prefix = collection_prefix(parser, segments, count);
    count -= prefix;
    TRY(parser_node(parser, NODE_PATH, ret));
    kept = condition_keep(condition, count * sizeof(*kept));
    if (!kept)
        return -ENOMEM;
    memcpy(kept, segments + prefix, count * sizeof(*kept));
    condition_settle_path(kept, count, parser->collection, condition->hint);
    (*ret)->path = (struct condition_path){.count = count, .segments = kept};
    return 0;
}
