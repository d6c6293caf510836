/* Policies and their keys, from the files that the site names. */
#include "links/api_access.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOKEN_FILE_MOST = 1024 };

static int read_token(char **ret, const char *file, char *why, size_t why_size)
{
    char text[TOKEN_FILE_MOST + 1];
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    int error = errno;

    if (fd >= 0)
        close(fd);
    if (size < 0) {
        snprintf(why, why_size, "api.https: metrics_token_file %s: %s", file, strerror(error));
        return -error;
    }
    text[size] = '\0';
    text[strcspn(text, " \t\r\n")] = '\0';
    *ret = strdup(text);
    OPENSSL_cleanse(text, sizeof(text));
    if (*ret && **ret)
        return 0;
    snprintf(
        why, why_size,
        "api.https: metrics_token_file %s begins with no token; write it into the first line",
        file);
    free(*ret);
    *ret = NULL; /* the caller closes what it has */
    return -EINVAL;
}

int access_token_check(const struct api_config *config, char *why, size_t why_size)
{
    char *token = NULL;
    int r = config->metrics_token_file
                ? read_token(&token, config->metrics_token_file, why, why_size)
                : 0;

    if (token)
        OPENSSL_cleanse(token, strlen(token));
    free(token);
    return r;
}

static int read_policy(struct policy *policy, const struct policy_config *config, char *why,
                       size_t why_size)
{
    char text[200] = "";
    int r = sas_keys_load(policy->keys, ACCESS_KEYS_MOST, &policy->key_count, config->key_file,
                          text, sizeof(text));

    if (r == 0 && policy->key_count == 0) {
        snprintf(text, sizeof(text), "it has no key");
        r = -EINVAL;
    }
    if (r < 0)
        snprintf(why, why_size, "api.https: policy %s: %s", config->name, text);
    return r;
}

void access_close(struct access *access)
{
    if (!access)
        return;
    for (size_t i = 0; access->policies && i < access->config->policy_count; i++)
        for (size_t k = 0; k < ACCESS_KEYS_MOST; k++)
            sas_key_wipe(&access->policies[i].keys[k]);
    if (access->metrics_token)
        OPENSSL_cleanse(access->metrics_token, strlen(access->metrics_token));
    free(access->metrics_token);
    free(access->policies);
    OPENSSL_cleanse(access->sessions, sizeof(access->sessions));
    free(access);
}

int access_open(struct access **ret, const struct api_config *config, char *why,
                size_t why_size)
{
    struct access *access = calloc(1, sizeof(*access));
    int r = access ? 0 : -ENOMEM;

    if (r == 0) {
        access->config = config;
        access->policies = calloc(config->policy_count + 1, sizeof(*access->policies));
        r = access->policies ? 0 : -ENOMEM;
    }
    for (size_t i = 0; r == 0 && i < config->policy_count; i++)
        r = read_policy(&access->policies[i], &config->policies[i], why, why_size);
    if (r == 0 && config->metrics_token_file)
        r = read_token(&access->metrics_token, config->metrics_token_file, why, why_size);
    if (r < 0)
        access_close(access);
    else
        *ret = access;
    return r;
}

/* Who had signed in signs in again: the key may be another now. */
void access_follow(struct access *access, const struct access *before)
{
    access->taken = before->taken;
    access->refused = before->refused;
}

void access_count(const struct access *access, uint64_t *taken, uint64_t *refused)
{
    *taken = access->taken;
    *refused = access->refused;
}
