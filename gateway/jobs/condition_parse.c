/*
 * Parser, the statements: a condition alone, FROM ... WHERE, and SELECT.
 */
#include "jobs/condition_parser.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int refuse_rest(const struct parser *parser)
{
    static const struct {
        const char *word, *text;
    } habits[] = {
        {"LIKE", "there is no LIKE: use STARTS_WITH(x, 'a'), ENDS_WITH or CONTAINS"},
        {"BETWEEN", "there is no BETWEEN: write x >= 1 AND x <= 5"},
        {"IS", "there is no IS: use x = null, IS_NULL(x) or IS_DEFINED(x)"},
        {"CONTAINS", "CONTAINS is a function: CONTAINS(tags.name, 'text')"},
        {"GROUP", "GROUP BY stands at the end of a SELECT, not in a condition"},
        {"ORDER", "ORDER BY is not supported: leave it out"},
        {"WHERE", "only one WHERE is possible: join conditions by AND"},
    };
    enum token_type type = parser->token.type;

    for (size_t i = 0; i < sizeof(habits) / sizeof(habits[0]); i++) {
        if (parser_at_word(parser, habits[i].word))
            return parser_refuse(parser, habits[i].text);
    }
    if (type >= TOKEN_EQUAL && type <= TOKEN_GREATER_EQUAL)
        return parser_refuse(parser, "one comparison at a time, join two by AND");
    if (type == TOKEN_CLOSE)
        return parser_refuse(parser, "this ) has no partner");
    if (type == TOKEN_STRING)
        return parser_refuse(parser,
                             "AND, OR or the end is wanted here, and a quote inside text is "
                             "written \\'");
    return parser_refuse(parser,
                         "AND, OR or the end is wanted here, and text stands in quotes");
}

static int parse_end(struct parser *parser)
{
    if (parser->query)
        TRY(parser_grouping(parser));
    return parser_at(parser, TOKEN_END) ? 0 : refuse_rest(parser);
}

static int parse_whole(struct parser *parser)
{
    struct condition *condition = parser->lexer.condition;

    if (parser_at(parser, TOKEN_STAR)) {
        TRY(parser_advance(parser));
        if (!parser_at(parser, TOKEN_END) && !parser->query)
            return parser_refuse(parser, "* stands alone and means all devices");
        return parse_end(parser);
    }
    TRY(parser_expression(parser, &condition->root));
    return parse_end(parser);
}

static void match_nothing(struct condition *condition)
{
    static const char why[] = "there are no modules here: FROM devices.modules matches nothing";

    condition->nothing = true;
    memcpy(condition->hint, why, sizeof(why));
}

/* From FROM on. */
static int parse_from(struct parser *parser)
{
    static const char wanted[] = "FROM devices is wanted here";

    TRY(parser_advance(parser));
    if (!parser_at_word(parser, "devices"))
        return parser_refuse(parser, wanted);
    TRY(parser_advance(parser));
    if (parser_at(parser, TOKEN_DOT)) {
        TRY(parser_advance(parser));
        if (parser_at_word(parser, "modules"))
            match_nothing(parser->lexer.condition);
        else if (parser->query && parser_at_word(parser, "jobs"))
            parser->collection = QUERY_DEVICES_JOBS;
        else if (parser_at_word(parser, "jobs"))
            return parser_refuse(parser,
                                 "a job is for devices: FROM devices, or the condition alone");
        else
            return parser_refuse(parser, "there are devices, devices.modules and devices.jobs");
        TRY(parser_advance(parser));
    }
    if (!parser_at_word(parser, "WHERE"))
        return parse_end(parser);
    TRY(parser_advance(parser));
    return parse_whole(parser);
}

static int parse_query(struct parser *parser)
{
    if (!parser_at_word(parser, "SELECT"))
        return parser_refuse(parser,
                             "a query is SELECT * FROM devices or SELECT * FROM devices.jobs, "
                             "with WHERE and a condition");
    TRY(parser_advance(parser));
    TRY(parser_selection(parser));
    if (!parser_at_word(parser, "FROM"))
        return parser_refuse(parser, "FROM devices or FROM devices.jobs follows the selection");
    return parse_from(parser);
}

/* The seeds' samples show queryCondition = "..., and people copy that. */
static int refuse_wrapping(struct parser *parser)
{
    struct lexer ahead = parser->lexer;
    struct token next;

    if (parser_at(parser, TOKEN_END))
        return parser_refuse(parser, "write a condition, or * for all devices");
    if (!parser_at(parser, TOKEN_STRING) && !parser_at_word(parser, "queryCondition"))
        return 0;
    TRY(lexer_next(&ahead, &next));
    if (parser_at(parser, TOKEN_STRING) && next.type == TOKEN_END)
        return lexer_refuse(&parser->lexer, parser->token.at,
                            "the whole condition stands in quotes: leave the outer quotes out");
    if (parser_at_word(parser, "queryCondition") && next.type == TOKEN_EQUAL)
        return parser_refuse(parser,
                             "give only what follows queryCondition =, without quotes around");
    return 0;
}

static int parse_condition(struct parser *parser)
{
    TRY(refuse_wrapping(parser));
    if (parser_at_word(parser, "FROM"))
        return parse_from(parser);
    return parse_whole(parser);
}

int condition_read(struct condition **ret, enum query_collection *ret_collection,
                   struct query *query, const char *text, struct condition_error *error)
{
    struct parser parser = {.collection = QUERY_DEVICES, .query = query};
    struct condition *condition = condition_new();
    int r;

    if (!condition)
        return -ENOMEM;
    parser.lexer = (struct lexer){
        .text = text, .size = strlen(text), .condition = condition, .error = error};
    r = lexer_check(&parser.lexer);
    if (r == 0)
        r = lexer_next(&parser.lexer, &parser.token);
    if (r == 0)
        r = query ? parse_query(&parser) : parse_condition(&parser);
    free(parser.items);
    if (r != 0) {
        condition_free(condition);
        return r;
    }
    if (condition->nothing)
        condition->root = NULL;
    *ret = condition;
    *ret_collection = parser.collection;
    return 0;
}
