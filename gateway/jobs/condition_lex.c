/*
 * Lexer: from the text of a condition to words and signs, and where they stand.
 */
#include "jobs/condition_lex.h"

#include "base/text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Letters of any language: keys such as tags.gebäude need no brackets. */
static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
           (unsigned char)c >= 0x80;
}

static bool is_name_part(char c)
{
    return is_name_start(c) || is_digit(c);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The byte at `at`, 0 at the end; the text itself holds no 0. */
static char byte_at(const struct lexer *lexer, size_t at)
{
    if (at >= lexer->size)
        return '\0';
    return lexer->text[at];
}

static void set_position(const struct lexer *lexer, size_t at)
{
    struct condition_error *error = lexer->error;

    error->line = 1;
    error->column = 1;
    for (size_t i = 0; i < at && i < lexer->size; i++) {
        if (lexer->text[i] == '\n') {
            error->line++;
            error->column = 1;
        } else if (((unsigned char)lexer->text[i] & 0xC0) != 0x80) {
            error->column++;
        }
    }
}

int lexer_refuse(const struct lexer *lexer, size_t at, const char *format, ...)
{
    va_list arguments;

    set_position(lexer, at);
    va_start(arguments, format);
    (void)vsnprintf(lexer->error->text, sizeof(lexer->error->text), format, arguments);
    va_end(arguments);
    condition_clean_text(lexer->error->text);
    return CONDITION_E_SYNTAX;
}

struct excerpt lexer_excerpt(const struct lexer *lexer, size_t at, size_t end)
{
    struct excerpt excerpt = {.text = ""};
    size_t size = end - at;
    bool cut = size > sizeof(excerpt.text) - 4;

    if (cut)
        size = sizeof(excerpt.text) - 4;
    memcpy(excerpt.text, lexer->text + at, size);
    condition_clean_text(excerpt.text);
    if (cut)
        strcat(excerpt.text, "...");
    return excerpt;
}

int lexer_check(struct lexer *lexer)
{
    size_t step;

    if (lexer->size > CONDITION_SIZE_MOST)
        return lexer_refuse(
            lexer, CONDITION_SIZE_MOST,
            "the text has %zu bytes, at most %d are allowed: split the job, or use a "
            "tag in place of a list of devices",
            lexer->size, CONDITION_SIZE_MOST);
    for (size_t at = 0; at < lexer->size; at += step) {
        step = text_character(lexer->text + at, lexer->size - at);
        if (step == 0)
            return lexer_refuse(lexer, at, "this byte is not UTF-8: send the text as UTF-8");
    }
    return 0;
}

/* The number of \uXXXX whose digits begin at `at`, or -1. */
static int32_t hex_four(const struct lexer *lexer, size_t at)
{
    char digits[5] = "";

    for (size_t i = 0; i < 4; i++) {
        digits[i] = byte_at(lexer, at + i);
        if (!is_hex(digits[i]))
            return -1;
    }
    return (int32_t)strtol(digits, NULL, 16);
}

static size_t put_character(char *to, int32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xC0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        to[0] = (char)(0xE0 | code >> 12);
        to[1] = (char)(0x80 | (code >> 6 & 0x3F));
        to[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | code >> 18);
    to[1] = (char)(0x80 | (code >> 12 & 0x3F));
    to[2] = (char)(0x80 | (code >> 6 & 0x3F));
    to[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* \uXXXX, or a pair of them for what lies beyond; lexer->at is on the u. */
static int read_unicode(struct lexer *lexer, char *to, size_t *size)
{
    size_t at = lexer->at;
    int32_t code = hex_four(lexer, at + 1), low;

    if (code < 0)
        return lexer_refuse(lexer, at - 1, "\\u needs four hex digits, such as \\u00e4");
    if (code == 0)
        return lexer_refuse(lexer, at - 1, "text cannot hold the character \\u0000");
    lexer->at += 5;
    if (code >= 0xD800 && code < 0xE000) {
        low = byte_at(lexer, at + 5) == '\\' && byte_at(lexer, at + 6) == 'u'
                  ? hex_four(lexer, at + 7)
                  : -1;
        if (code >= 0xDC00 || low < 0xDC00 || low > 0xDFFF)
            return lexer_refuse(lexer, at - 1,
                                "half of a surrogate pair: write both, such as \\ud83d\\ude00");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        lexer->at += 6;
    }
    *size += put_character(to + *size, code);
    return 0;
}

/* lexer->at is behind the backslash. */
static int read_escape(struct lexer *lexer, char *to, size_t *size)
{
    static const char letters[] = "'\"\\/bfnrt", meant[] = "'\"\\/\b\f\n\r\t";
    char c = byte_at(lexer, lexer->at);
    const char *found = c == '\0' ? NULL : strchr(letters, c);

    if (c == 'u')
        return read_unicode(lexer, to, size);
    if (!found)
        return lexer_refuse(lexer, lexer->at - 1,
                            "unknown escape: a backslash stands before ' \" \\ / b f n r t or "
                            "uXXXX, a backslash itself is written \\\\");
    to[(*size)++] = meant[found - letters];
    lexer->at++;
    return 0;
}

static int read_string(struct lexer *lexer, struct token *token)
{
    char quote = lexer->text[token->at], *to;
    size_t close = token->at + 1, size = 0;
    int r;

    /* Where it ends is found first: escapes never make a string longer than its source. */
    while (close < lexer->size && lexer->text[close] != quote)
        close += lexer->text[close] == '\\' ? 2 : 1;
    if (close >= lexer->size)
        return lexer_refuse(
            lexer, token->at,
            "this quote has no partner: end the text with %c, or leave the quote out", quote);
    to = condition_keep(lexer->condition, close - token->at);
    if (!to)
        return -ENOMEM;
    lexer->at = token->at + 1;
    while (lexer->at < close) {
        char c = lexer->text[lexer->at++];

        if (c != '\\') {
            to[size++] = c;
            continue;
        }
        r = read_escape(lexer, to, &size);
        if (r != 0)
            return r;
    }
    lexer->at = close + 1;
    token->type = TOKEN_STRING;
    token->value = (struct condition_value){.type = CONDITION_STRING, .string = {to, size}};
    return 0;
}

static double read_hex(struct lexer *lexer)
{
    double number = 0;

    for (lexer->at += 2; is_hex(byte_at(lexer, lexer->at)); lexer->at++) {
        char digit[2] = {lexer->text[lexer->at], '\0'};

        number = number * 16 + (double)strtol(digit, NULL, 16);
    }
    return number;
}

static void skip_digits(struct lexer *lexer)
{
    while (is_digit(byte_at(lexer, lexer->at)))
        lexer->at++;
}

static double read_decimal(struct lexer *lexer)
{
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* static in the C library */
    size_t start = lexer->at, exponent;

    skip_digits(lexer);
    if (byte_at(lexer, lexer->at) == '.' && is_digit(byte_at(lexer, lexer->at + 1))) {
        lexer->at++;
        skip_digits(lexer);
    }
    exponent = lexer->at + 1;
    if (byte_at(lexer, exponent) == '+' || byte_at(lexer, exponent) == '-')
        exponent++;
    if ((byte_at(lexer, lexer->at) | 0x20) == 'e' && is_digit(byte_at(lexer, exponent))) {
        lexer->at = exponent;
        skip_digits(lexer);
    }
    return strtod_l(lexer->text + start, NULL, c_locale);
}

static int read_number(struct lexer *lexer, struct token *token)
{
    char second = byte_at(lexer, token->at + 1);
    bool hex = lexer->text[token->at] == '0' && (second == 'x' || second == 'X') &&
               is_hex(byte_at(lexer, token->at + 2));

    token->type = TOKEN_NUMBER;
    token->value.type = CONDITION_NUMBER;
    token->value.number = hex ? read_hex(lexer) : read_decimal(lexer);
    if (!isfinite(token->value.number))
        return lexer_refuse(lexer, token->at,
                            "this number is too large: at most about 1.8e308");
    if (is_name_part(byte_at(lexer, lexer->at)))
        return lexer_refuse(
            lexer, token->at,
            "a number that goes on with a letter: text stands in quotes ('3b'), and a "
            "key that begins with a digit in double brackets (tags.[[3b]])");
    return 0;
}

/* What comes with text copied from a page; it looks like a space and would count as a letter.
 */
static bool is_wide_space(const struct lexer *lexer, size_t at)
{
    return strncmp(lexer->text + at, "\xC2\xA0", 2) == 0;
}

static void read_name(struct lexer *lexer, struct token *token)
{
    while (is_name_part(byte_at(lexer, lexer->at)) && !is_wide_space(lexer, lexer->at))
        lexer->at++;
    token->type = TOKEN_NAME;
    token->value = (struct condition_value){
        .type = CONDITION_STRING, .string = {lexer->text + token->at, lexer->at - token->at}};
}

static int refuse_sign(const struct lexer *lexer, size_t at)
{
    static const struct {
        const char *sign, *text;
    } habits[] = {
        {"&&", "write AND for &&"},
        {"||", "write OR for ||"},
        {"!", "write NOT for !, and != for \"differs from\""},
        {";", "leave the semicolon out: a condition is one expression"},
        {"`", "text stands in ' or \", a key with special characters in [[double brackets]]"},
        {"{", "there are no braces here: compare the members one by one, joined by AND"},
        {"-", "- stands between two values"},
        {"@", "there are no parameters here: write the value itself"},
        {"#", "a key with special characters stands in double brackets: tags.[[my#key]]"},
    };

    for (size_t i = 0; i < sizeof(habits) / sizeof(habits[0]); i++) {
        if (strncmp(lexer->text + at, habits[i].sign, strlen(habits[i].sign)) == 0)
            return lexer_refuse(lexer, at, "%s", habits[i].text);
    }
    return lexer_refuse(
        lexer, at,
        "this character has no meaning here: text stands in quotes ('...'), a key "
        "with special characters in double brackets (tags.[[my:key]])");
}

static int read_sign(struct lexer *lexer, struct token *token)
{
    static const struct {
        char sign[3];
        enum token_type type;
    } signs[] = {
        {"!=", TOKEN_NOT_EQUAL},  {"<>", TOKEN_NOT_EQUAL},
        {"<=", TOKEN_LESS_EQUAL}, {">=", TOKEN_GREATER_EQUAL},
        {"=", TOKEN_EQUAL},       {"<", TOKEN_LESS},
        {">", TOKEN_GREATER},     {"+", TOKEN_PLUS},
        {"-", TOKEN_MINUS},       {"*", TOKEN_STAR},
        {"/", TOKEN_SLASH},       {"%", TOKEN_PERCENT},
        {".", TOKEN_DOT},         {",", TOKEN_COMMA},
        {"(", TOKEN_OPEN},        {")", TOKEN_CLOSE},
        {"[", TOKEN_OPEN_LIST},   {"]", TOKEN_CLOSE_LIST},
    };

    if (strncmp(lexer->text + token->at, "==", 2) == 0)
        return lexer_refuse(lexer, token->at, "write = for ==");
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        size_t size = strlen(signs[i].sign);

        if (strncmp(lexer->text + token->at, signs[i].sign, size) == 0) {
            token->type = signs[i].type;
            lexer->at += size;
            return 0;
        }
    }
    return refuse_sign(lexer, token->at);
}

/* “ ” ‘ ’ „ ‚, which a word processor puts for a plain quote, and which count as letters else.
 */
static bool is_typographic_quote(const struct lexer *lexer, size_t at)
{
    unsigned char third = (unsigned char)byte_at(lexer, at + 2);

    return strncmp(lexer->text + at, "\xE2\x80", 2) == 0 && third >= 0x98 && third <= 0x9E;
}

int lexer_next(struct lexer *lexer, struct token *ret)
{
    struct token token = {.type = TOKEN_END};
    char c;
    int r = 0;

    while (is_space(byte_at(lexer, lexer->at)))
        lexer->at++;
    token.at = lexer->at;
    c = byte_at(lexer, token.at);
    if (is_typographic_quote(lexer, token.at))
        return lexer_refuse(lexer, token.at, "a typographic quote: use the plain ' or \"");
    if (is_wide_space(lexer, token.at))
        return lexer_refuse(lexer, token.at, "a non-breaking space: use a plain one");
    if (c == '\'' || c == '"')
        r = read_string(lexer, &token);
    else if (is_digit(c))
        r = read_number(lexer, &token);
    else if (is_name_start(c))
        read_name(lexer, &token);
    else if (c != '\0')
        r = read_sign(lexer, &token);
    if (r != 0)
        return r;
    token.end = lexer->at;
    *ret = token;
    return 0;
}

int lexer_quoted_name(struct lexer *lexer, size_t at, struct token *ret)
{
    const char *name = lexer->text + at + 2;
    const char *close = strstr(name, "]]");

    if (!close)
        return lexer_refuse(lexer, at, "[[ has no partner: end the name with ]]");
    if (close == name)
        return lexer_refuse(lexer, at, "the name between [[ and ]] is missing");
    *ret =
        (struct token){.type = TOKEN_NAME, .at = at, .end = (size_t)(close + 2 - lexer->text)};
    ret->value = (struct condition_value){.type = CONDITION_STRING,
                                          .string = {name, (size_t)(close - name)}};
    lexer->at = ret->end;
    return 0;
}
