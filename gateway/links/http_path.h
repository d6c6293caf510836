/*
 * HTTP path: what stands in a request's first line, taken apart once and decoded once, the
 * tokens that name the next page of a list, and what stands in small headers.
 *
 * Pure; any thread. Written for hostile input: whatever is odd is refused whole.
 */
#ifndef JOBGATE_LINKS_HTTP_PATH_H
#define JOBGATE_LINKS_HTTP_PATH_H

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_PATH_E_FORM = 1 };
enum { HTTP_SEGMENTS_MOST = 8, HTTP_PARAMETERS_MOST = 16 };

struct http_parameter {
    const char *name, *value; /* value "" where there is none */
};

/* Everything in it points into `text`. */
struct http_target {
    char *text;
    size_t segment_count;
    const char *segments[HTTP_SEGMENTS_MOST]; /* decoded, none is empty */
    size_t parameter_count;
    struct http_parameter parameters[HTTP_PARAMETERS_MOST];
};

/*
 * "/jobs/v2/a%3Ab?x=1" or the same behind "http://host". One slash at the end is ignored.
 * Percent signs that start no two hex digits, control characters, empty segments, too many
 * parts are refused: HTTP_PATH_E_FORM and *ret is untouched. Else 0 or negative errno.
 */
int http_target_parse(struct http_target *ret, const char *uri);
void http_target_deinit(struct http_target *target);
/* The first parameter of that name (case matters), or NULL. */
const char *http_target_parameter(const struct http_target *target, const char *name);

/*
 * Page tokens: the cursor of the next page, bound to the list that it belongs to, so that one
 * that was made up or taken from another list is refused. No secret: a cursor gives no right.
 */
char *http_token_make(const char *list, const char *cursor); /* malloc'ed; NULL: no memory */
int http_token_read(char **ret, const char *list, const char *token); /* 0, E_FORM or errno */

/* 1 to `most` as decimal digits, larger is `most`; HTTP_PATH_E_FORM for all else. */
int http_count_parse(size_t *ret, const char *text, size_t most);

/* The value of the first cookie of that name, at most size - 1 characters. False: there is
   none, it is longer, or header is NULL. (RFC 6265, 5.4: pairs between "; ") */
bool http_cookie_find(char *value, size_t size, const char *header, const char *name);

/* "*", "\"*\"", "tag", "\"tag\"", "W/\"tag\"": is it any, or this tag? (RFC 9110, 13.1.1) */
bool http_tag_matches(const char *header, const char *tag);

#endif
