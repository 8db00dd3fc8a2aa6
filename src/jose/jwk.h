/*
 * Keys: PEM and JWK (RFC 7517, RFC 7518 section 6, RFC 8037) in, JWK out,
 * thumbprints (RFC 7638).  The algorithm belongs to the key, never to the
 * header of a token (RFC 8725 section 3.1).
 */

#ifndef AKL_JWK_H
#define AKL_JWK_H

#include <jansson.h>
#include <openssl/evp.h>
#include "str.h"


typedef enum {
    AKL_ALG_NONE = 0,
    AKL_ALG_RS256,
    AKL_ALG_RS384,
    AKL_ALG_RS512,
    AKL_ALG_PS256,
    AKL_ALG_PS384,
    AKL_ALG_PS512,
    AKL_ALG_ES256,
    AKL_ALG_ES384,
    AKL_ALG_ES512,
    AKL_ALG_EDDSA,
    AKL_ALG_N
} akl_alg_t;


#define AKL_KID_MAX     1024
#define AKL_THUMBPRINT  44                /* of SHA-256, and a NUL */


typedef struct {
    EVP_PKEY   *pkey;
    akl_alg_t   alg;                      /* the one algorithm of this key */
    unsigned    private_key:1;
    akl_str_t   kid;                      /* owned; as the JWK named it, else
                                             the thumbprint */
    char        thumbprint[AKL_THUMBPRINT];   /* RFC 7638 */
} akl_jwk_t;


typedef struct {
    akl_jwk_t   *keys;
    size_t       n;
    size_t       skipped;                 /* keys of the set left out */
    const char  *skipped_err;             /* why the first of them was; static,
                                             NULL where none was */
} akl_jwks_t;


/* "RS256" for AKL_ALG_RS256 and so on; static, NUL-terminated. */
const char *akl_alg_name(akl_alg_t alg);

/* The algorithm called "name" (exact case), or AKL_ALG_NONE. */
akl_alg_t akl_alg_find(akl_str_t name);

/*
 * Reads a private key from PEM: RSA of 2048 to 8192 bits with e odd, >= 3 and
 * of at most 64 bits (RS256), P-256 (ES256), P-384 (ES384), Ed25519 (EdDSA).
 * PEM with a password is refused without asking, and so is a key whose halves
 * do not belong together, or one with the fingerprint of CVE-2017-15361.
 * Returns 0 and fills *jwk, which the caller frees with akl_jwk_clear(); or -1
 * with *jwk zeroed and *err a static sentence fragment such as "RSA key is
 * smaller than 2048 bits".  Like all functions here it leaves the OpenSSL error
 * queue empty.
 */
int akl_jwk_private_from_pem(akl_jwk_t *jwk, akl_str_t pem, const char **err);

/*
 * The same for a public key: "PUBLIC KEY", "RSA PUBLIC KEY", a certificate
 * or a private key, of which only the public half is kept.  P-521 (ES512) is
 * accepted too.
 */
int akl_jwk_public_from_pem(akl_jwk_t *jwk, akl_str_t pem, const char **err);

/* 1 where both have the same public key, else 0. */
int akl_jwk_same_public(const akl_jwk_t *a, const akl_jwk_t *b);

/* Frees what *jwk holds and zeroes it; a zeroed *jwk is fine. */
void akl_jwk_clear(akl_jwk_t *jwk);

/*
 * The public JWK (kty, use, alg, kid = thumbprint, members of the type) as a
 * new json_t reference, or NULL when out of memory.
 */
json_t *akl_jwk_export(const akl_jwk_t *jwk);

/*
 * Reads a JWK set (RFC 7517 section 5), at most 256 KB and 64 keys.  Keys of
 * unknown kty or curve, symmetric ones, ones with "use" other than "sig" or
 * with "key_ops" but not "verify", ones whose alg contradicts the type, and
 * malformed or weak ones are skipped and counted; RSA without alg becomes
 * RS256.  Of a private JWK only the public half is kept.  Returns 0 and fills
 * *jwks (freed by akl_jwks_clear()), or -1 with *jwks zeroed and *err where
 * the text is no JWK set or holds no usable key.
 */
int akl_jwks_parse(akl_jwks_t *jwks, akl_str_t text, const char **err);

/* Frees all keys and zeroes *jwks; a zeroed *jwks is fine. */
void akl_jwks_clear(akl_jwks_t *jwks);


#endif /* AKL_JWK_H */
