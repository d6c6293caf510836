/*
 * TLS files: a certificate with its key, and the authorities to trust, as OpenSSL reads them.
 * What is wrong with one is said with its cure, without the file's contents.
 */
#ifndef JOBGATE_LINKS_TLS_FILES_H
#define JOBGATE_LINKS_TLS_FILES_H

#include <stddef.h>

struct ssl_ctx_st;

/* The chain and its key into `tls`. 0, or -EINVAL and `why`. */
int tls_files_load(struct ssl_ctx_st *tls, const char *cert_file, const char *key_file,
                   char *why, size_t why_size);
/* Only looks, at what is given: any may be NULL, a certificate goes with its key. 0, or
   negative errno and `why`. */
int tls_files_check(const char *ca_file, const char *cert_file, const char *key_file, char *why,
                    size_t why_size);

#endif
