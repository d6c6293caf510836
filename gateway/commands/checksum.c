#include "commands/checksum.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

static int add_file(EVP_MD_CTX *sum, const char *path)
{
    unsigned char bytes[4096];
    FILE *file = fopen(path, "re");
    int r = 0;
    size_t n;

    if (!file)
        return -errno;
    while (r == 0 && (n = fread(bytes, 1, sizeof(bytes), file)) > 0)
        if (EVP_DigestUpdate(sum, bytes, n) != 1)
            r = -EIO;
    if (ferror(file))
        r = -EIO;
    fclose(file);
    return r;
}

int checksum_of(const char *const *files, size_t count, char text[CHECKSUM_SIZE])
{
    EVP_MD_CTX *sum = EVP_MD_CTX_new();
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    int r = sum && EVP_DigestInit_ex(sum, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < count; i++)
        r = add_file(sum, files[i]);
    if (r == 0 && EVP_DigestFinal_ex(sum, digest, &size) != 1)
        r = -EIO;
    EVP_MD_CTX_free(sum);
    for (unsigned i = 0; r == 0 && 2 * i + 2 < CHECKSUM_SIZE && i < size; i++)
        snprintf(text + (size_t)2 * i, 3, "%02x", digest[i]);
    return r;
}
