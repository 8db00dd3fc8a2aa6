/*
 * Keys and certificates as a command line gives them.
 */

#ifndef AKL_CLI_PEM_H
#define AKL_CLI_PEM_H

#include "../k8s/credential.h"
#include "mem.h"


/* PEM, or its base64, of a file or "-".  NULL and *text, or the cause. */
const char *akl_pem_read(const char *path, akl_str_t *text);

/*
 * What stands behind an option, in one of four shapes: the name of a file
 * that is there, PEM, its base64, or "data:" and one of these.  *path is the
 * file's name, NULL where the value itself was it.  NULL, or the cause.
 */
const char *akl_credential_argument(akl_credential_type_t type,
    const char *value, akl_str_t *text, const char **path);

/* Lines of a text, each behind "n" blanks; without the last line feed. */
char *akl_indent(const char *text, size_t n);


#endif /* AKL_CLI_PEM_H */
