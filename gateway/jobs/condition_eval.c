/*
 * Evaluator: the truth of a condition for one document. Nothing is allocated.
 */
#include "jobs/condition_tree.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const struct condition_value undefined = {.type = CONDITION_UNDEFINED};

static struct condition_value truth(bool boolean)
{
    return (struct condition_value){.type = CONDITION_BOOL, .boolean = boolean};
}

static struct condition_value number(double value)
{
    if (!isfinite(value))
        return undefined;
    return (struct condition_value){.type = CONDITION_NUMBER, .number = value};
}

static bool is_ordered(const struct condition_value *value)
{
    return value->type == CONDITION_NUMBER || value->type == CONDITION_STRING;
}

static struct condition_value compare(enum compare compare, const struct condition_value *a,
                                      const struct condition_value *b)
{
    bool ranked = compare != COMPARE_EQUAL && compare != COMPARE_NOT_EQUAL;
    int order;

    if (a->type != b->type || !condition_has_equality(a) || (ranked && !is_ordered(a)))
        return undefined;
    order = condition_order(a, b);
    switch (compare) {
    case COMPARE_EQUAL:
        return truth(order == 0);
    case COMPARE_NOT_EQUAL:
        return truth(order != 0);
    case COMPARE_LESS:
        return truth(order < 0);
    case COMPARE_GREATER:
        return truth(order > 0);
    case COMPARE_LESS_EQUAL:
        return truth(order <= 0);
    case COMPARE_GREATER_EQUAL:
        return truth(order >= 0);
    }
    return undefined;
}

static bool list_has(const struct condition_list *list, const struct condition_value *value)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = condition_order(value, &list->items[middle]);

        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

static bool array_has(const struct condition_value *array, const struct condition_value *value)
{
    if (!condition_has_equality(value))
        return false;
    if (array->array.list)
        return list_has(array->array.list, value);
    for (size_t i = 0; i < json_array_size(array->array.json); i++) {
        struct condition_value item =
            condition_value_json(json_array_get(array->array.json, i));

        if (item.type == value->type && condition_order(&item, value) == 0)
            return true;
    }
    return false;
}

static struct condition_value answer_in(const struct question *question,
                                        const struct node *node)
{
    struct condition_value value = condition_answer(question, node->first);

    if (value.type == CONDITION_UNDEFINED)
        return undefined;
    return truth(array_has(&node->constant, &value) != node->negated);
}

/* AND is false as soon as one is false, OR true as soon as one is true; then undefined wins. */
static struct condition_value answer_all(const struct question *question,
                                         const struct node *node, bool decides)
{
    struct condition_value result = truth(!decides);

    for (const struct node *operand = node->first; operand; operand = operand->next) {
        struct condition_value value = condition_answer(question, operand);

        if (value.type != CONDITION_BOOL)
            result = undefined;
        else if (value.boolean == decides)
            return value;
    }
    return result;
}

static struct condition_value answer_not(const struct question *question,
                                         const struct node *node)
{
    struct condition_value value = condition_answer(question, node->first);

    return value.type == CONDITION_BOOL ? truth(!value.boolean) : undefined;
}

static double calculate(char sign, double left, double right)
{
    switch (sign) {
    case '+':
        return left + right;
    case '-':
        return left - right;
    case '*':
        return left * right;
    case '/':
        return left / right;
    default:
        assert(sign == '%');
        return fmod(left, right);
    }
}

static struct condition_value answer_arithmetic(const struct question *question,
                                                const struct node *node)
{
    struct condition_value sum = condition_answer(question, node->first);

    for (const struct node *operand = node->first->next; operand; operand = operand->next) {
        struct condition_value value = condition_answer(question, operand);

        if (sum.type != CONDITION_NUMBER || value.type != CONDITION_NUMBER ||
            (value.number == 0 && strchr("/%", operand->joined_by)))
            return undefined;
        sum = number(calculate(operand->joined_by, sum.number, value.number));
    }
    return sum;
}

static struct condition_value answer_sign(const struct question *question,
                                          const struct node *node)
{
    struct condition_value value = condition_answer(question, node->first);

    if (value.type != CONDITION_NUMBER)
        return undefined;
    return number(node->sign == '-' ? -value.number : value.number);
}

static struct condition_value call_with_string(enum function function, struct condition_value a)
{
    if (a.type != CONDITION_STRING)
        return undefined;
    if (function == FUNCTION_LENGTH)
        return number(string_characters(&a));
    a.fold = function == FUNCTION_LOWER ? CONDITION_LOWER : CONDITION_UPPER;
    return a;
}

static struct condition_value
call_with_strings(enum function function, struct condition_value a, struct condition_value b)
{
    if (a.type != CONDITION_STRING || b.type != CONDITION_STRING)
        return undefined;
    if (function == FUNCTION_STARTS_WITH)
        return truth(string_starts_with(a, b));
    if (function == FUNCTION_ENDS_WITH)
        return truth(string_ends_with(a, b));
    return truth(string_contains(a, b));
}

static struct condition_value answer_call(const struct question *question,
                                          const struct node *node)
{
    struct condition_value a = condition_answer(question, node->first);
    struct condition_value b =
        node->first->next ? condition_answer(question, node->first->next) : undefined;

    switch (node->function) {
    case FUNCTION_IS_DEFINED:
        return truth(a.type != CONDITION_UNDEFINED);
    case FUNCTION_IS_NULL:
        return truth(a.type == CONDITION_NULL);
    case FUNCTION_IS_STRING:
        return truth(a.type == CONDITION_STRING);
    case FUNCTION_IS_NUMBER:
        return truth(a.type == CONDITION_NUMBER);
    case FUNCTION_IS_BOOL:
        return truth(a.type == CONDITION_BOOL);
    case FUNCTION_IS_OBJECT:
        return truth(a.type == CONDITION_OBJECT);
    case FUNCTION_IS_ARRAY:
        return truth(a.type == CONDITION_ARRAY);
    case FUNCTION_IS_PRIMITIVE:
        return truth(condition_has_equality(&a));
    case FUNCTION_STARTS_WITH:
    case FUNCTION_ENDS_WITH:
    case FUNCTION_CONTAINS:
        return call_with_strings(node->function, a, b);
    case FUNCTION_LOWER:
    case FUNCTION_UPPER:
    case FUNCTION_LENGTH:
        return call_with_string(node->function, a);
    case FUNCTION_ABS:
        return a.type == CONDITION_NUMBER ? number(fabs(a.number)) : undefined;
    case FUNCTION_ARRAY_CONTAINS:
        if (a.type != CONDITION_ARRAY || b.type == CONDITION_UNDEFINED)
            return undefined;
        return truth(array_has(&a, &b));
    }
    return undefined;
}

struct condition_value condition_answer(const struct question *question,
                                        const struct node *node)
{
    struct condition_value a, b;

    switch (node->kind) {
    case NODE_CONSTANT:
        return node->constant;
    case NODE_PATH:
        return question->lookup(question->ctx, &node->path);
    case NODE_AND:
        return answer_all(question, node, false);
    case NODE_OR:
        return answer_all(question, node, true);
    case NODE_NOT:
        return answer_not(question, node);
    case NODE_COMPARE:
        a = condition_answer(question, node->first);
        b = condition_answer(question, node->first->next);
        return compare(node->compare, &a, &b);
    case NODE_IN:
        return answer_in(question, node);
    case NODE_ARITHMETIC:
        return answer_arithmetic(question, node);
    case NODE_SIGN:
        return answer_sign(question, node);
    case NODE_CALL:
        return answer_call(question, node);
    }
    return undefined;
}

bool condition_matches(const struct condition *condition, condition_lookup *lookup, void *ctx)
{
    const struct question question = {.lookup = lookup, .ctx = ctx};
    struct condition_value value;

    if (!condition->root)
        return !condition->nothing;
    value = condition_answer(&question, condition->root);
    return value.type == CONDITION_BOOL && value.boolean;
}
