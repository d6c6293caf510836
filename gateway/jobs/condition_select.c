/*
 * Parser, what stands between SELECT and FROM, and GROUP BY.
 *
 *     selection = [ "TOP" number ] ( "*" | item { "," item } )
 *     item      = ( path | fold "(" [ path | "*" ] ")" ) [ "AS" name ]
 *     fold      = "COUNT" | "SUM" | "AVG" | "MIN" | "MAX"
 */
#include "jobs/condition_parser.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TOP_MOST = 1000000 };

static int parse_top(struct parser *parser)
{
    double number;

    TRY(parser_advance(parser));
    number = parser->token.value.number;
    if (!parser_at(parser, TOKEN_NUMBER) || number < 1 || number > TOP_MOST ||
        number != (double)(size_t)number)
        return parser_refuse(parser, "TOP is followed by a whole number from 1 on");
    parser->query->top = (size_t)number;
    return parser_advance(parser);
}

/* A function's name counts as one only before a parenthesis: a member may be called count. */
static bool at_fold(const struct parser *parser, enum query_fold *ret)
{
    static const struct {
        const char *word;
        enum query_fold fold;
    } folds[] = {{"COUNT", QUERY_COUNT},
                 {"SUM", QUERY_SUM},
                 {"AVG", QUERY_AVERAGE},
                 {"MIN", QUERY_LEAST},
                 {"MAX", QUERY_MOST}};
    struct lexer ahead = parser->lexer;
    struct condition_error ignored;
    struct token next;

    ahead.error = &ignored;
    for (size_t i = 0; i < sizeof(folds) / sizeof(folds[0]); i++) {
        if (!parser_at_word(parser, folds[i].word))
            continue;
        *ret = folds[i].fold;
        return lexer_next(&ahead, &next) == 0 && next.type == TOKEN_OPEN;
    }
    return false;
}

static int take_path(struct parser *parser, struct condition_path *ret)
{
    struct node *node;

    if (!parser_at(parser, TOKEN_NAME) || parser_at_reserved(parser))
        return parser_refuse(parser, "a member is wanted here, such as tags.floor");
    TRY(parser_path(parser, &node));
    *ret = node->path;
    return 0;
}

static int parse_fold(struct parser *parser, struct query_item *item)
{
    TRY(parser_advance(parser));
    TRY(parser_advance(parser));
    if (parser_at(parser, TOKEN_STAR) && item->fold == QUERY_COUNT)
        TRY(parser_advance(parser));
    else if (!parser_at(parser, TOKEN_CLOSE) || item->fold != QUERY_COUNT)
        TRY(take_path(parser, &item->path));
    return parser_take(parser, TOKEN_CLOSE, "a ) is wanted here: COUNT() or AVG(tags.area)");
}

static int keep_name(struct parser *parser, struct query_item *item, const char *text,
                     size_t size)
{
    char *name = condition_keep(parser->lexer.condition, size + 1);

    if (!name)
        return -ENOMEM;
    memcpy(name, text, size);
    item->name = name;
    return 0;
}

/* Without AS a member keeps its last name, and what is counted is called by its place. */
static int name_item(struct parser *parser, struct query_item *item, size_t place)
{
    const struct condition_segment *last = NULL;
    char text[24];

    if (parser_at_word(parser, "AS")) {
        TRY(parser_advance(parser));
        if (!parser_at(parser, TOKEN_NAME) || parser_at_reserved(parser))
            return parser_refuse(parser, "AS is followed by a name");
        TRY(keep_name(parser, item, parser->lexer.text + parser->token.at,
                      parser->token.end - parser->token.at));
        return parser_advance(parser);
    }
    if (item->fold == QUERY_MEMBER)
        last = &item->path.segments[item->path.count - 1];
    if (last && last->name)
        return keep_name(parser, item, last->name, last->size);
    return keep_name(parser, item, text,
                     (size_t)snprintf(text, sizeof(text), "$%zu", place + 1));
}

static int parse_item(struct parser *parser)
{
    struct query *query = parser->query;
    struct query_item *item = &query->items[query->item_count];

    if (query->item_count == QUERY_ITEMS_MOST)
        return parser_refuse(parser, "at most 16 members can be selected");
    if (at_fold(parser, &item->fold))
        TRY(parse_fold(parser, item));
    else
        TRY(take_path(parser, &item->path));
    TRY(name_item(parser, item, query->item_count));
    if (item->fold != QUERY_MEMBER)
        query->folds = true;
    query->item_count++;
    return 0;
}

int parser_selection(struct parser *parser)
{
    if (parser_at_word(parser, "TOP"))
        TRY(parse_top(parser));
    if (parser_at(parser, TOKEN_STAR))
        return parser_advance(parser);
    TRY(parse_item(parser));
    while (parser_at(parser, TOKEN_COMMA)) {
        TRY(parser_advance(parser));
        TRY(parse_item(parser));
    }
    return 0;
}

static bool is_same_path(const struct condition_path *a, const struct condition_path *b)
{
    for (size_t i = 0; a->count == b->count && i < a->count; i++) {
        const struct condition_segment *one = &a->segments[i], *other = &b->segments[i];

        if (!one->name || !other->name ? one->name || other->name || one->index != other->index
                                       : strcmp(one->name, other->name) != 0)
            return false;
    }
    return a->count == b->count;
}

/* At GROUP or at the end: what was selected must fit together. */
int parser_grouping(struct parser *parser)
{
    struct query *query = parser->query;

    if (parser->collection == QUERY_DEVICES_JOBS && query->item_count > 0)
        return parser_refuse(parser, "of devices.jobs whole records are given: SELECT *");
    if (parser_at_word(parser, "GROUP")) {
        if (query->item_count == 0)
            return parser_refuse(parser, "GROUP BY needs a selection, such as "
                                         "SELECT tags.floor, COUNT() AS n");
        TRY(parser_advance(parser));
        if (!parser_at_word(parser, "BY"))
            return parser_refuse(parser, "GROUP BY is wanted here");
        TRY(parser_advance(parser));
        TRY(take_path(parser, &query->group));
        query->folds = true;
    }
    if (!query->folds)
        return 0;
    for (size_t i = 0; i < query->item_count; i++)
        if (query->items[i].fold == QUERY_MEMBER &&
            !is_same_path(&query->items[i].path, &query->group))
            return parser_refuse(parser, "a member beside COUNT() and its like must be the one "
                                         "after GROUP BY");
    return 0;
}
