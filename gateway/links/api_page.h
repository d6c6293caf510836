/* The status page's files, put into the program when it is built (cmake/embed.cmake). */
#ifndef JOBGATE_LINKS_API_PAGE_H
#define JOBGATE_LINKS_API_PAGE_H

#include <stddef.h>

struct page_file {
    const char *name, *type;
    const unsigned char *bytes;
    size_t size;
};

extern const struct page_file page_files[]; /* ended by one without a name */

#endif
