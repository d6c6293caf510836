/*
 * Checksum: SHA-256 of files, one after the other, as `cat FILE... | sha256sum` prints it.
 */
#ifndef JOBGATE_COMMANDS_CHECKSUM_H
#define JOBGATE_COMMANDS_CHECKSUM_H

#include <stddef.h>

enum { CHECKSUM_SIZE = 65 };

/* 0, or negative errno: one of them cannot be read. */
int checksum_of(const char *const *files, size_t count, char text[CHECKSUM_SIZE]);

#endif
