#include "links/sas.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { KEY_FILE_MOST = 4096, DIGITS_MOST = 18 };

static const char scheme[] = "SharedAccessSignature ";

/* --- encodings --- */

char *percent_encode(const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *ret = malloc(3 * strlen(text) + 1), *to = ret;

    if (!ret)
        return NULL;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if ((*c < 0x80 && isalnum(*c)) || strchr("-._~", *c)) {
            *to++ = (char)*c;
        } else {
            *to++ = '%';
            *to++ = digits[*c >> 4];
            *to++ = digits[*c & 15];
        }
    }
    *to = '\0';
    return ret;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool percent_decode(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        int high, low;

        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        high = hex_digit(from[1]);
        low = high < 0 ? -1 : hex_digit(from[2]);
        if (low < 0 || high + low == 0)
            return false;
        *to++ = (char)(high << 4 | low);
        from += 2;
    }
    *to = '\0';
    return true;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Strict, padding and all; OpenSSL's own takes much that is none. */
static bool base64_read(unsigned char *to, size_t room, size_t *ret, const char *text,
                        size_t size)
{
    size_t digits = size, count = 0;
    uint32_t bits = 0;

    if (size == 0 || size % 4 != 0)
        return false;
    while (digits > size - 2 && text[digits - 1] == '=')
        digits--;
    for (size_t i = 0; i < digits; i++) {
        int digit = base64_digit(text[i]);

        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 == 0)
            continue;
        if (count == room)
            return false;
        to[count++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    *ret = count;
    OPENSSL_cleanse(&bits, sizeof(bits));
    return true;
}

/* --- keys --- */

int sas_key_read(struct sas_key *ret, const char *text, size_t size)
{
    struct sas_key key;
    bool good;

    while (size > 0 && isspace((unsigned char)text[size - 1]))
        size--;
    while (size > 0 && isspace((unsigned char)*text)) {
        text++;
        size--;
    }
    good = base64_read(key.bytes, sizeof(key.bytes), &key.size, text, size);
    if (good)
        *ret = key;
    sas_key_wipe(&key);
    return good ? 0 : SAS_E_FORM;
}

void sas_key_wipe(struct sas_key *key)
{
    OPENSSL_cleanse(key, sizeof(*key));
}

static bool sign(unsigned char *signature, const struct sas_key *key, const char *text)
{
    unsigned size = SAS_SIGNATURE_SIZE;

    return HMAC(EVP_sha256(), key->bytes, (int)key->size, (const unsigned char *)text,
                strlen(text), signature, &size) != NULL;
}

int sas_key_derive(struct sas_key *ret, const struct sas_key *group, const char *name)
{
    ret->size = SAS_SIGNATURE_SIZE;
    return sign(ret->bytes, group, name) ? 0 : -EIO;
}

static int read_lines(struct sas_key *keys, size_t most, size_t *count, const char *text)
{
    *count = 0;
    for (const char *line = text; *line; line += line[0] == '\n') {
        size_t size = strcspn(line, "\n");

        if (strspn(line, " \t\r") < size) {
            if (*count == most || sas_key_read(&keys[*count], line, size) != 0)
                return -EINVAL;
            ++*count;
        }
        line += size;
    }
    return *count > 0 ? 0 : -EINVAL;
}

int sas_keys_load(struct sas_key *keys, size_t most, size_t *count, const char *file, char *why,
                  size_t why_size)
{
    char text[KEY_FILE_MOST + 1] = "";
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, KEY_FILE_MOST);
    int r = size < 0 ? -errno : 0;

    if (r < 0) {
        snprintf(why, why_size, "cannot read %s: %s", file, strerror(-r));
    } else {
        text[size] = '\0';
        r = read_lines(keys, most, count, text);
        if (r < 0)
            snprintf(why, why_size,
                     "%s does not hold a key; write one line of base64 into it%s", file,
                     most > 1 ? ", or two, a primary and a secondary key" : "");
    }
    if (r < 0)
        OPENSSL_cleanse(keys, most * sizeof(*keys));
    OPENSSL_cleanse(text, sizeof(text));
    if (fd >= 0)
        close(fd);
    return r;
}

/* --- signing --- */

char *sas_sign(const struct sas_key *key, const char *resource, const char *policy,
               int64_t ends_s)
{
    unsigned char signature[SAS_SIGNATURE_SIZE];
    unsigned char base64[4 * ((SAS_SIGNATURE_SIZE + 2) / 3) + 1];
    char *sr = percent_encode(resource), *sig = NULL, *skn = NULL, *text = NULL, *ret = NULL;

    if (!sr || asprintf(&text, "%s\n%lld", sr, (long long)ends_s) < 0)
        goto out;
    if (!sign(signature, key, text))
        goto out;
    EVP_EncodeBlock(base64, signature, sizeof(signature));
    sig = percent_encode((const char *)base64);
    skn = percent_encode(policy ? policy : "");
    if (!sig || !skn)
        goto out;
    if (asprintf(&ret, "%ssr=%s&sig=%s&se=%lld%s%s", scheme, sr, sig, (long long)ends_s,
                 policy ? "&skn=" : "", skn) < 0)
        ret = NULL;
out:
    free(sr);
    free(sig);
    free(skn);
    free(text);
    return ret;
}

/* --- reading and checking --- */

struct field {
    const char *name;
    const char *value; /* raw, inside the text; NULL: not there */
    size_t size;
};

/* False: a field stands twice or has no value. Unknown fields are somebody's extension. */
static bool find_fields(struct field *fields, size_t count, const char *text)
{
    while (*text) {
        size_t size = strcspn(text, "&"), name = strcspn(text, "=");

        if (name >= size)
            return false;
        for (size_t i = 0; i < count; i++) {
            if (strlen(fields[i].name) != name || memcmp(fields[i].name, text, name) != 0)
                continue;
            if (fields[i].value)
                return false;
            fields[i].value = text + name + 1;
            fields[i].size = size - name - 1;
        }
        text += size + (text[size] == '&');
    }
    return true;
}

static bool read_end(int64_t *ret, const struct field *field)
{
    *ret = 0;
    for (size_t i = 0; i < field->size; i++) {
        if (field->value[i] < '0' || field->value[i] > '9')
            return false;
        *ret = *ret * 10 + (field->value[i] - '0');
    }
    return field->size > 0;
}

static bool read_signature(unsigned char *ret, const struct field *field)
{
    char text[3 * 4 * ((SAS_SIGNATURE_SIZE + 2) / 3) + 1];
    size_t size = 0;

    if (field->size >= sizeof(text))
        return false;
    memcpy(text, field->value, field->size);
    text[field->size] = '\0';
    return percent_decode(text) &&
           base64_read(ret, SAS_SIGNATURE_SIZE, &size, text, strlen(text)) &&
           size == SAS_SIGNATURE_SIZE;
}

int sas_token_read(struct sas_token *ret, const char *text)
{
    enum { SR, SIG, SE, SKN, FIELDS };
    struct field fields[FIELDS] = {[SR] = {"sr", NULL, 0},
                                   [SIG] = {"sig", NULL, 0},
                                   [SE] = {"se", NULL, 0},
                                   [SKN] = {"skn", NULL, 0}};
    struct sas_token token = {0};
    int r = SAS_E_FORM;

    if (strncmp(text, scheme, strlen(scheme)) != 0 ||
        !find_fields(fields, FIELDS, text + strlen(scheme)))
        return SAS_E_FORM;
    if (!fields[SR].value || !fields[SIG].value || !fields[SE].value ||
        fields[SE].size > DIGITS_MOST || !read_end(&token.ends_s, &fields[SE]) ||
        !read_signature(token.signature, &fields[SIG]))
        return SAS_E_FORM;
    token.resource = strndup(fields[SR].value, fields[SR].size);
    if (fields[SKN].value)
        token.policy = strndup(fields[SKN].value, fields[SKN].size);
    if (asprintf(&token.signed_text, "%.*s\n%.*s", (int)fields[SR].size, fields[SR].value,
                 (int)fields[SE].size, fields[SE].value) < 0)
        token.signed_text = NULL;
    if (!token.resource || !token.signed_text || (fields[SKN].value && !token.policy))
        r = -ENOMEM;
    else if (percent_decode(token.resource) && (!token.policy || percent_decode(token.policy)))
        r = 0;
    if (r != 0)
        sas_token_deinit(&token);
    else
        *ret = token;
    return r;
}

void sas_token_deinit(struct sas_token *token)
{
    free(token->resource);
    free(token->policy);
    free(token->signed_text);
    *token = (struct sas_token){0};
}

bool sas_token_is_signed_by(const struct sas_token *token, const struct sas_key *key)
{
    unsigned char signature[SAS_SIGNATURE_SIZE];

    return sign(signature, key, token->signed_text) &&
           CRYPTO_memcmp(signature, token->signature, sizeof(signature)) == 0;
}

bool sas_token_has_ended(const struct sas_token *token, int64_t now_s)
{
    return token->ends_s <= now_s - SAS_SKEW_S;
}

bool sas_token_covers(const struct sas_token *token, const char *host, const char *path)
{
    const char *rest = token->resource;
    size_t size = strlen(host);

    if (strncasecmp(rest, host, size) != 0)
        return false;
    rest += size;
    if (rest[0] == ':' && isdigit((unsigned char)rest[1]))
        rest += 1 + strspn(rest + 1, "0123456789");
    size = strlen(rest);
    if (size > 0 && rest[0] != '/')
        return false;
    while (size > 0 && rest[size - 1] == '/')
        size--;
    return strncmp(path, rest, size) == 0 && (path[size] == '\0' || path[size] == '/');
}
