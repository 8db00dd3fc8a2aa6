/*
 * Want of memory, which is no judgement on what was looked at.
 */

#include <openssl/err.h>

#include "jose.h"


/* in the upper bits of a reason are flags; libraries' own begin at 100 */

#define AKL_REASON_NUMBER  0xffff
#define AKL_REASON_OWN     100


const char  akl_out_of_memory[] = "out of memory";


const char *
akl_openssl_cause(const char *cause)
{
    int            any, own, reason;
    unsigned long  code;

    any = 0;
    own = 0;

    for (code = ERR_get_error(); code; code = ERR_get_error()) {
        any = 1;
        reason = ERR_GET_REASON(code);

        if (reason == ERR_R_MALLOC_FAILURE) {
            cause = akl_out_of_memory;
        }

        /* EVP is the layer above all others */

        own |= (ERR_GET_LIB(code) != ERR_LIB_EVP
                && (reason & AKL_REASON_NUMBER) >= AKL_REASON_OWN
                && reason != ERR_R_NESTED_ASN1_ERROR);
    }

    /* a failure that only was passed on: some allocations fail in silence */

    return (any && !own) ? akl_out_of_memory : cause;
}
