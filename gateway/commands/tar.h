/* Tar: an archive that everybody can open (POSIX.1-1988 ustar), written member by member. */
#ifndef JOBGATE_COMMANDS_TAR_H
#define JOBGATE_COMMANDS_TAR_H

#include <stdint.h>
#include <stdio.h>

/* One file of mode 0600; names are at most 99 bytes, longer ones are cut. Whether it was
   written is told by ferror(). */
void tar_add(FILE *to, const char *name, const char *text, int64_t wall_s);
void tar_end(FILE *to);

#endif
