/*
 * JWS in compact serialisation (RFC 7515 section 3.1), sign and verify.
 */

#ifndef AKL_JWS_H
#define AKL_JWS_H

#include "doc.h"
#include "jwk.h"


#define AKL_JWS_MAX  16384                /* longest token looked at, bytes */


typedef enum {
    AKL_JWS_OK = 0,
    AKL_JWS_TOO_LARGE,
    AKL_JWS_MALFORMED,                    /* segments, base64url, JSON */
    AKL_JWS_ALGORITHM,                    /* missing, unknown, not allowed */
    AKL_JWS_CRITICAL,                     /* crit, b64 or zip */
    AKL_JWS_SIGNATURE,                    /* no key verifies it */
    AKL_JWS_NOMEM
} akl_jws_error_t;


/*
 * A token taken apart; nothing in it is verified.  "signing_input" points into
 * the caller's token, the rest is owned.
 */
typedef struct {
    akl_str_t       signing_input;        /* header "." payload */
    akl_alg_t       alg;
    akl_str_t       kid;                  /* len 0: none; in kid_text */
    unsigned char   kid_text[AKL_KID_MAX];
    akl_doc_t       payload;              /* an object, of "text" */
    unsigned char  *text;
    unsigned char   signature[1024];
    size_t          signature_len;
} akl_jws_t;


/* Static text such as "token is too large"; also for AKL_JWS_OK. */
const char *akl_jws_strerror(akl_jws_error_t error);

/*
 * Takes a compact JWS apart: exactly three segments, canonical base64url,
 * header and payload JSON objects without doubled members, NUL or trailing
 * data, "alg" one of akl_alg_t, no "crit", "b64" or "zip", kid (if any) a
 * string of at most AKL_KID_MAX bytes.  A signature longer than any key makes
 * is AKL_JWS_SIGNATURE at once.  *jws is always safe to akl_jws_clear().
 */
akl_jws_error_t akl_jws_parse(akl_jws_t *jws, akl_str_t token);

/*
 * Verifies with one key: the header's alg must be the key's own, signature
 * lengths are exact for it.  Reads signing_input, alg and the signature only.
 * AKL_JWS_OK, AKL_JWS_ALGORITHM, AKL_JWS_SIGNATURE or AKL_JWS_NOMEM.  Leaves
 * the OpenSSL error queue empty.
 */
akl_jws_error_t akl_jws_verify(const akl_jws_t *jws, const akl_jwk_t *key);

/*
 * Verifies with a set: the keys of that kid where one matches; every key of
 * the header's alg where the token has no kid, or where "try_all" is set and
 * no kid matches.  *used (may be NULL) is the index of the key, set with
 * AKL_JWS_OK only.  AKL_JWS_ALGORITHM where none of these keys has the
 * header's alg, AKL_JWS_SIGNATURE where no kid matches or no key verifies.
 */
akl_jws_error_t akl_jws_verify_set(const akl_jws_t *jws,
    const akl_jwks_t *keys, int try_all, size_t *used);

/* Frees what *jws owns and zeroes it. */
void akl_jws_clear(akl_jws_t *jws);


/*
 * A signer: key, encoded header and contexts that are made once and used by
 * one thread at a time.  "jwk" must outlive it.
 */
typedef struct akl_signer_s  akl_signer_t;

/*
 * The header is {"alg":..,"typ":"JWT","kid":thumbprint}.  NULL where "jwk" is
 * no private key or memory is short.
 */
akl_signer_t *akl_signer_create(const akl_jwk_t *jwk);

/* Upper bound, in bytes, of a token with a payload of "payload_len" bytes. */
size_t akl_signer_token_len(const akl_signer_t *signer, size_t payload_len);

/*
 * Signs; writes the compact JWS to "dst", which has room for
 * akl_signer_token_len() bytes.  Returns its length, or -1.
 */
ssize_t akl_signer_sign(akl_signer_t *signer, akl_str_t payload,
    unsigned char *dst);

/* NULL is fine. */
void akl_signer_free(akl_signer_t *signer);


#endif /* AKL_JWS_H */
