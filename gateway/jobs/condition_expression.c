/*
 * Parser, the expressions: from OR down to a single value.
 */
#include "jobs/condition_parser.h"

#include <string.h>

typedef int parse_operand(struct parser *parser, struct node **ret);

/* From the name of the function, behind which stands a parenthesis. */
static int parse_call(struct parser *parser, struct node **ret)
{
    struct token name = parser->token;
    struct excerpt text = lexer_excerpt(&parser->lexer, name.at, name.end);
    const char *near;
    struct node **operand;
    size_t arguments = 0, count = 0;

    TRY(parser_node(parser, NODE_CALL, ret));
    if (condition_find_function(name.value.string.bytes, name.value.string.size,
                                &(*ret)->function, &arguments, &near))
        return lexer_refuse(&parser->lexer, name.at, "there is no function %s: %s%s%s",
                            text.text, near ? "did you mean " : "",
                            near ? near
                                 : "IS_DEFINED, STARTS_WITH, CONTAINS, LOWER, LENGTH, "
                                   "ARRAY_CONTAINS and a few more exist",
                            near ? "?" : "");
    TRY(parser_advance(parser));
    TRY(parser_advance(parser));
    TRY(parser_enter(parser));
    for (operand = &(*ret)->first; !parser_at(parser, TOKEN_CLOSE);
         operand = &(*operand)->next) {
        if (count > 0)
            TRY(parser_take(parser, TOKEN_COMMA,
                            "a comma or the closing ) of the function is missing"));
        TRY(parser_expression(parser, operand));
        count++;
    }
    parser->nesting--;
    if (count != arguments)
        return lexer_refuse(&parser->lexer, name.at, "%s takes %zu argument%s, here are %zu",
                            near, arguments, arguments == 1 ? "" : "s", count);
    return parser_advance(parser);
}

static int parse_parenthesis(struct parser *parser, struct node **ret)
{
    TRY(parser_enter(parser));
    TRY(parser_advance(parser));
    TRY(parser_expression(parser, ret));
    parser->nesting--;
    if (parser_at(parser, TOKEN_COMMA))
        return parser_refuse(parser, "a list stands behind IN, or in square brackets");
    return parser_take(parser, TOKEN_CLOSE, "a closing ) is missing, or AND or OR before this");
}

static int refuse_primary(const struct parser *parser)
{
    if (parser_at_word(parser, "SELECT"))
        return parser_refuse(parser, "give only what follows WHERE, without SELECT");
    if (parser_at_word(parser, "WHERE"))
        return parser_refuse(parser, "leave WHERE out, a condition begins with the expression");
    if (parser_at(parser, TOKEN_EQUAL))
        return parser_refuse(parser, "a name or a value stands before =");
    if (parser_at(parser, TOKEN_STAR))
        return parser_refuse(parser, "* stands alone and means all devices");
    if (parser_at(parser, TOKEN_CLOSE))
        return parser_refuse(parser, "this ) has no partner, or a value is missing before it");
    return parser_refuse(parser, "a value is wanted here, such as tags.floor, 'text' or 3");
}

static bool at_call(const struct parser *parser)
{
    const char *behind = parser->lexer.text + parser->token.end;

    return parser_at(parser, TOKEN_NAME) && !parser_at_reserved(parser) &&
           behind[strspn(behind, " \t\r\n")] == '(';
}

static int parse_primary(struct parser *parser, struct node **ret)
{
    struct condition_value value;
    bool constant = parser_at(parser, TOKEN_STRING) || parser_at(parser, TOKEN_NUMBER);

    if (parser_at(parser, TOKEN_OPEN))
        return parse_parenthesis(parser, ret);
    if (at_call(parser))
        return parse_call(parser, ret);
    if (constant)
        value = parser->token.value;
    if (constant || parser_constant_word(parser, &value)) {
        TRY(parser_advance(parser));
    } else if (parser_at(parser, TOKEN_OPEN_LIST) &&
               parser->lexer.text[parser->token.end] != '[') {
        TRY(parser_list(parser, false, &value));
    } else if (parser_at(parser, TOKEN_OPEN_LIST) ||
               (parser_at(parser, TOKEN_NAME) && !parser_at_reserved(parser))) {
        return parser_path(parser, ret);
    } else {
        return refuse_primary(parser);
    }
    TRY(parser_node(parser, NODE_CONSTANT, ret));
    (*ret)->constant = value;
    return 0;
}

static int parse_signed(struct parser *parser, struct node **ret)
{
    bool minus = parser_at(parser, TOKEN_MINUS);

    if (!minus && !parser_at(parser, TOKEN_PLUS))
        return parse_primary(parser, ret);
    TRY(parser_advance(parser));
    TRY(parser_node(parser, NODE_SIGN, ret));
    (*ret)->sign = minus ? '-' : '+';
    return parse_primary(parser, &(*ret)->first);
}

/* tags.my-key = 3 is legal, subtracts, and is hardly ever meant. */
static void hint_at_dash(struct parser *parser, const struct node *left, size_t from)
{
    struct condition *condition = parser->lexer.condition;
    const char *text = parser->lexer.text;
    struct condition_error hint;
    struct lexer lexer = parser->lexer;
    struct token right;
    size_t dash = parser->token.at, name;

    lexer.error = &hint;
    if (left->kind != NODE_PATH || condition->hint[0] != '\0' || dash == 0 ||
        parser->last_end != dash || lexer_next(&lexer, &right) != 0 ||
        right.type != TOKEN_NAME || right.at != dash + 1 || text[right.end] == '(')
        return;
    name = dash;
    while (name > from && text[name - 1] != '.')
        name--;
    (void)lexer_refuse(&lexer, from,
                       "%s is a subtraction: a key with a dash is written %s[[%s]], and text "
                       "stands in quotes",
                       lexer_excerpt(&lexer, from, right.end).text,
                       lexer_excerpt(&lexer, from, name).text,
                       lexer_excerpt(&lexer, name, right.end).text);
    memcpy(condition->hint, hint.text, sizeof(condition->hint));
}

/* The operand that was read becomes the first of a new node. */
static int put_under(struct parser *parser, enum node_kind kind, struct node **ret)
{
    struct node *first = *ret;

    TRY(parser_node(parser, kind, ret));
    (*ret)->first = first;
    return 0;
}

/* The sign of arithmetic at the token, 0 when there is none. */
static char arithmetic_sign(const struct parser *parser, bool products)
{
    static const struct {
        enum token_type type;
        bool product;
        char sign;
    } signs[] = {
        {TOKEN_PLUS, false, '+'}, {TOKEN_MINUS, false, '-'},  {TOKEN_STAR, true, '*'},
        {TOKEN_SLASH, true, '/'}, {TOKEN_PERCENT, true, '%'},
    };

    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (signs[i].product == products && parser_at(parser, signs[i].type))
            return signs[i].sign;
    }
    return '\0';
}

static int parse_arithmetic(struct parser *parser, bool products, struct node **ret)
{
    struct node **operand = ret;
    size_t from = parser->token.at;
    char sign;

    TRY(products ? parse_signed(parser, ret) : parse_arithmetic(parser, true, ret));
    while ((sign = arithmetic_sign(parser, products))) {
        if (sign == '-')
            hint_at_dash(parser, *operand, from);
        if (operand == ret) {
            TRY(put_under(parser, NODE_ARITHMETIC, ret));
            operand = &(*ret)->first;
        }
        TRY(parser_advance(parser));
        operand = &(*operand)->next;
        from = parser->token.at;
        TRY(products ? parse_signed(parser, operand) : parse_arithmetic(parser, true, operand));
        (*operand)->joined_by = sign;
    }
    return 0;
}

static bool is_status(const struct parser *parser, const struct node *node)
{
    return parser->collection == QUERY_DEVICES_JOBS && node->kind == NODE_PATH &&
           node->path.count == 1 && strcmp(node->path.segments[0].name, "status") == 0;
}

static void settle_status(const struct parser *parser, const struct node *path,
                          struct node *other)
{
    if (is_status(parser, path) && other->kind == NODE_CONSTANT)
        other->constant = condition_plain_status(other->constant);
}

static int parse_in(struct parser *parser, struct node **ret)
{
    bool negated = parser_at_word(parser, "NOT");

    if (negated)
        TRY(parser_advance(parser));
    if (!parser_at_word(parser, "IN") && !parser_at_word(parser, "NIN"))
        return parser_refuse(parser,
                             "NOT stands before IN here, or before a whole comparison: NOT "
                             "(a = b)");
    TRY(put_under(parser, NODE_IN, ret));
    (*ret)->negated = negated != parser_at_word(parser, "NIN");
    TRY(parser_advance(parser));
    if (!parser_at(parser, TOKEN_OPEN_LIST) && !parser_at(parser, TOKEN_OPEN))
        return parser_refuse(parser,
                             "IN wants a list of constants, such as ['a', 'b'], and an array "
                             "of the device is asked by ARRAY_CONTAINS(tags.list, 'a')");
    return parser_list(parser, is_status(parser, (*ret)->first), &(*ret)->constant);
}

static int parse_compare(struct parser *parser, struct node **ret)
{
    enum token_type type;
    struct node *left;

    TRY(parse_arithmetic(parser, false, ret));
    if (parser_at_word(parser, "NOT") || parser_at_word(parser, "IN") ||
        parser_at_word(parser, "NIN"))
        return parse_in(parser, ret);
    type = parser->token.type;
    if (type < TOKEN_EQUAL || type > TOKEN_GREATER_EQUAL)
        return 0;
    left = *ret;
    TRY(put_under(parser, NODE_COMPARE, ret));
    (*ret)->compare = (enum compare)(type - TOKEN_EQUAL);
    TRY(parser_advance(parser));
    TRY(parse_arithmetic(parser, false, &left->next));
    settle_status(parser, left, left->next);
    settle_status(parser, left->next, left);
    return 0;
}

static int parse_not(struct parser *parser, struct node **ret)
{
    if (!parser_at_word(parser, "NOT"))
        return parse_compare(parser, ret);
    TRY(parser_enter(parser));
    TRY(parser_advance(parser));
    TRY(parser_node(parser, NODE_NOT, ret));
    TRY(parse_not(parser, &(*ret)->first));
    parser->nesting--;
    return 0;
}

static int parse_chain(struct parser *parser, const char *word, enum node_kind kind,
                       parse_operand *parse, struct node **ret)
{
    struct node **operand = ret;

    TRY(parse(parser, ret));
    while (parser_at_word(parser, word)) {
        if (operand == ret) {
            TRY(put_under(parser, kind, ret));
            operand = &(*ret)->first;
        }
        TRY(parser_advance(parser));
        operand = &(*operand)->next;
        TRY(parse(parser, operand));
    }
    return 0;
}

static int parse_and(struct parser *parser, struct node **ret)
{
    return parse_chain(parser, "AND", NODE_AND, parse_not, ret);
}

int parser_expression(struct parser *parser, struct node **ret)
{
    return parse_chain(parser, "OR", NODE_OR, parse_and, ret);
}
