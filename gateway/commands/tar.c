#include "commands/tar.h"

#include <string.h>

enum { BLOCK = 512 };

/* ustar, IEEE Std 1003.1-1988, 10.1.1: numbers in octal digits, ended by 0. */
struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100],
        magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};

_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

static void pad(FILE *to, size_t size)
{
    static const char zeros[BLOCK];

    if (size % BLOCK)
        fwrite(zeros, 1, BLOCK - size % BLOCK, to);
}

void tar_add(FILE *to, const char *name, const char *text, int64_t wall_s)
{
    size_t size = strlen(text);
    struct header header = {.type = '0'};
    unsigned sum = 0;

    snprintf(header.name, sizeof(header.name), "%s", name);
    memcpy(header.mode, "0000600", 8);
    memcpy(header.uid, "0000000", 8);
    memcpy(header.gid, "0000000", 8);
    snprintf(header.size, sizeof(header.size), "%011llo",
             (unsigned long long)size & 0x1FFFFFFFF);
    snprintf(header.mtime, sizeof(header.mtime), "%011llo",
             (unsigned long long)wall_s & 0x1FFFFFFFF);
    memset(header.checksum, ' ', sizeof(header.checksum));
    memcpy(header.magic, "ustar", 6);
    memcpy(header.version, "00", 2);
    for (size_t i = 0; i < BLOCK; i++)
        sum += ((const unsigned char *)&header)[i];
    snprintf(header.checksum, sizeof(header.checksum), "%06o", sum & 0777777);
    fwrite(&header, 1, BLOCK, to);
    fwrite(text, 1, size, to);
    pad(to, size);
}

void tar_end(FILE *to)
{
    static const char zeros[2 * BLOCK];

    fwrite(zeros, 1, sizeof(zeros), to);
}
