/*
 * The payload of a minted token (RFC 7519): the pod's identity under the
 * names that Akeyless roles know.
 */

#ifndef AKL_CLAIMS_H
#define AKL_CLAIMS_H

#include "../jose/json.h"
#include "pod_token.h"


#define AKL_JTI_BYTES       16
#define AKL_CLAIM_NAME_MAX  255
#define AKL_JTI_LEN    22               /* base64url of them */

/* s that "nbf" lies before "iat", for verifiers whose clock is behind */
#define AKL_CLAIMS_NBF  10


typedef struct {
    akl_str_t               name;
    akl_str_t               value;
} akl_claim_pair_t;


typedef struct {
    akl_str_t               issuer;
    akl_str_t               subject;
    akl_list_t              audiences;  /* n 0: the pod token's */
    akl_str_t               pod_aud;    /* the pod token's, as JSON; len 0:
                                           it had none */
    int64_t                 iat;        /* nbf: AKL_CLAIMS_NBF before */
    int64_t                 exp;
    akl_str_t               jti;
    akl_str_t               certificate;    /* x5t#S256 of the one that it is
                                               bound to; len 0: to none */
    akl_identity_t          identity;
    akl_str_t               access_id;
    akl_str_t               config_name;
    const akl_claim_pair_t *extra;      /* strings, written last; one called
                                           config_name takes the place */
    size_t                  n_extra;
} akl_claims_t;


/*
 * When a token minted at "now" ends: now + ttl, but never after the pod
 * token's own "exp" or "access_expires" (0: never).  Seconds.
 */
int64_t akl_claims_exp(int64_t now, int64_t ttl, int64_t pod_exp,
    int64_t access_expires);

/*
 * The token id of AKL_JTI_BYTES random bytes: writes AKL_JTI_LEN characters
 * to "dst".
 */
void akl_claims_jti(unsigned char *dst, const unsigned char *random);

/* Writes the payload; empty members of the identity are left out. */
void akl_claims_write(akl_json_out_t *out, const akl_claims_t *claims);

/*
 * NULL where "name" may be an extra claim, else a static cause: empty, or one
 * of those that the module writes itself.
 */
const char *akl_claims_check(akl_str_t name);


#endif /* AKL_CLAIMS_H */
