/*
 * One key of each type, its public half pinned to each algorithm, and tokens
 * made with them; for tests that include this, jose_setup and jose_teardown
 * are the group's fixtures.
 */

#ifndef AKL_JOSE_KEYS_H
#define AKL_JOSE_KEYS_H

#include "jose_test.h"


#define RSA_BYTES  256


static EVP_PKEY   *rsa, *p256, *p384, *p521, *ed, *other_p256;
static akl_jwk_t   keys[AKL_ALG_N];        /* public, by algorithm */


static inline EVP_PKEY *
key_of(akl_alg_t alg)
{
    switch (alg) {

    case AKL_ALG_ES256:
        return p256;

    case AKL_ALG_ES384:
        return p384;

    case AKL_ALG_ES512:
        return p521;

    case AKL_ALG_EDDSA:
        return ed;

    default:
        return rsa;
    }
}


static inline int
jose_setup(void **state)
{
    int  alg;

    (void) state;

    rsa = make_key(EVP_PKEY_RSA, RSA_BYTES * 8);
    p256 = make_key(EVP_PKEY_EC, NID_X9_62_prime256v1);
    other_p256 = make_key(EVP_PKEY_EC, NID_X9_62_prime256v1);
    p384 = make_key(EVP_PKEY_EC, NID_secp384r1);
    p521 = make_key(EVP_PKEY_EC, NID_secp521r1);
    ed = make_key(EVP_PKEY_ED25519, 0);

    for (alg = AKL_ALG_NONE + 1; alg < AKL_ALG_N; alg++) {
        public_jwk(&keys[alg], key_of((akl_alg_t) alg), (akl_alg_t) alg);
    }

    return 0;
}


static inline int
jose_teardown(void **state)
{
    int  alg;

    (void) state;

    for (alg = AKL_ALG_NONE + 1; alg < AKL_ALG_N; alg++) {
        akl_jwk_clear(&keys[alg]);
    }

    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(other_p256);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(p521);
    EVP_PKEY_free(ed);

    return 0;
}


static inline void
begin(token_t *t, akl_alg_t alg)
{
    char  header[64];

    sprintf(header, "{\"alg\":\"%s\"}", akl_alg_name(alg));
    token_begin(t, text_str(header), akl_str("{\"iss\":\"x\"}"));
}


static inline void
signed_token(token_t *t, akl_alg_t alg)
{
    size_t         n;
    unsigned char  sig[1024];

    begin(t, alg);
    n = jws_sign(sig, sizeof(sig), t, key_of(alg), alg);
    token_end(t, sig, n);
}


/* a token of that algorithm with any bytes for a signature */

static inline akl_jws_error_t
forged(akl_alg_t alg, const unsigned char *sig, size_t len)
{
    static token_t  t;

    begin(&t, alg);
    token_end(&t, sig, len);

    return verify_error(&t, &keys[alg]);
}


#endif /* AKL_JOSE_KEYS_H */
