/*
 * Credentials, keys and certificates as they stand in files: what their text
 * must look like, and when they end.  The module and the command line program
 * ask here alike.
 *
 * Causes and warnings are static sentences without their subject, which the
 * caller puts in front; where one can tell, a cause says what the text looks
 * like instead.  All functions leave the OpenSSL error queue empty.
 */

#ifndef AKL_CREDENTIAL_H
#define AKL_CREDENTIAL_H

#include <stdint.h>
#include "../jose/str.h"


typedef enum {
    AKL_CREDENTIAL_TEXT = 0,            /* one word: a JWT, an API key */
    AKL_CREDENTIAL_PEM,                 /* as it is, or base64 of it */
    AKL_CREDENTIAL_JSON
} akl_credential_type_t;


/*
 * Trims "*len" bytes at "*data" in place, and decodes PEM that was encoded in
 * base64 once more; what the decoded text leaves of the bytes is wiped.  NULL,
 * or the cause.
 */
const char *akl_credential_normalize(akl_credential_type_t type,
    unsigned char **data, size_t *len);

/*
 * Certificates of authorities, as PEM.  NULL, or the cause; *warn (may be
 * NULL) is set where one has expired.
 */
const char *akl_credential_ca(akl_str_t pem, const char **warn);

/*
 * A reviewer's token at the time "now" (seconds since the epoch).  NULL, or
 * the cause; *warn (may be NULL) is set where it ends soon or with a pod.
 */
const char *akl_credential_jwt(akl_str_t jwt, int64_t now, const char **warn);

/*
 * A client certificate and its private key, both PEM.  NULL, or the cause;
 * *warn (may be NULL) is set where the certificate has expired.
 */
const char *akl_credential_pair(akl_str_t cert, akl_str_t key,
    const char **warn);

/*
 * When a credential ends, in seconds since the epoch: "exp" of a JWT, the
 * first "notAfter" of PEM certificates; 0 where the text says nothing of it.
 */
int64_t akl_credential_expires(akl_credential_type_t type, akl_str_t text);


#endif /* AKL_CREDENTIAL_H */
