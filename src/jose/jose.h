/*
 * What the files of this directory share among themselves; users take
 * jwk.h and jws.h.
 */

#ifndef AKL_JOSE_H
#define AKL_JOSE_H

#include "jwk.h"


#define AKL_RSA_BITS_MIN   2048
#define AKL_RSA_BITS_MAX   8192
#define AKL_RSA_BYTES_MAX  (AKL_RSA_BITS_MAX / 8)

#define AKL_EC_BYTES_MAX   66             /* a P-521 coordinate */
#define AKL_ED25519_BYTES  32

/* SEQUENCE of two INTEGERs of up to 66 bytes */
#define AKL_ECDSA_DER_MAX  139

/* SubjectPublicKeyInfo of the largest key accepted */
#define AKL_SPKI_MAX       (AKL_RSA_BYTES_MAX + 64)


typedef enum {
    AKL_FAMILY_RSA,                       /* RSASSA-PKCS1-v1_5 */
    AKL_FAMILY_PSS,
    AKL_FAMILY_EC,
    AKL_FAMILY_OKP
} akl_family_t;


typedef struct {
    const char     *name;
    akl_family_t    family;
    const char     *digest;               /* OpenSSL's name, NULL for EdDSA */
    const EVP_MD *(*md)(void);
} akl_alg_info_t;


typedef struct {
    akl_alg_t             alg;
    const char           *crv;
    int                   nid;
    size_t                size;           /* bytes of a coordinate */
    const unsigned char  *order;          /* n, big-endian, "size" bytes */
    const unsigned char  *oid;            /* DER, tag and length included */
    size_t                oid_len;
} akl_curve_t;


/*
 * The public members of a key as the JWK shows them: n and e without leading
 * zeros, or x and y, or x.  "first" and "second" point into "store".
 */
typedef struct {
    akl_alg_t           alg;              /* the default one of the type */
    const akl_curve_t  *curve;            /* EC only */
    akl_str_t           first;
    akl_str_t           second;
    unsigned char       store[AKL_SPKI_MAX];
} akl_jwk_members_t;


/* Properties of an algorithm; "alg" must not be AKL_ALG_NONE. */
const akl_alg_info_t *akl_alg_info(akl_alg_t alg);

/* The curve of ES256, ES384 or ES512, else NULL. */
const akl_curve_t *akl_curve_of_alg(akl_alg_t alg);

/* The curve that a JWK calls "crv", else NULL. */
const akl_curve_t *akl_curve_find(akl_str_t crv);

/*
 * r || s (2 * curve->size bytes, RFC 7518 section 3.4) to the DER of RFC 3279
 * section 2.2.3.  "der" holds AKL_ECDSA_DER_MAX bytes.  Returns the length,
 * or 0 where r or s is not within 1 to n - 1.
 */
size_t akl_ecdsa_to_der(unsigned char *der, const unsigned char *raw,
    const akl_curve_t *curve);

/* The reverse; "raw" holds 2 * curve->size bytes.  0, or -1 if malformed. */
int akl_ecdsa_from_der(unsigned char *raw, akl_str_t der,
    const akl_curve_t *curve);

/*
 * Takes one DER element with that tag and a definite, minimal length off the
 * front of *in; its content goes to *value.  0, or -1 with *in unchanged.
 */
int akl_der_get(akl_str_t *in, unsigned char tag, akl_str_t *value);

/*
 * Writes tag and length; "p" may be NULL to measure.  Lengths to 65535 only.
 * Returns the bytes it takes.
 */
size_t akl_der_put_head(unsigned char *p, unsigned char tag, size_t len);

/*
 * A SEQUENCE of two INTEGERs, unsigned and big-endian: a signature, or an RSA
 * key (RFC 8017 appendix A.1.1).  "der" has room for both and for 14 bytes
 * more.  Returns the length.
 */
size_t akl_der_put_pair(unsigned char *der, akl_str_t a, akl_str_t b);

/*
 * The members of a public or private key, checked for strength.  0, or -1
 * and *err.
 */
int akl_jwk_members_get(akl_jwk_members_t *m, EVP_PKEY *pkey,
    const char **err);

/* A new public key of these members, checked.  NULL and *err on failure. */
EVP_PKEY *akl_jwk_members_pkey(const akl_jwk_members_t *m, const char **err);

/*
 * 1 where the RSA modulus "n" (big-endian, of 1984 bits at least) has the
 * fingerprint of a key that CVE-2017-15361 lets factor, else 0.
 */
int akl_rsa_is_roca(akl_str_t n);

/*
 * Fills *jwk, of which it owns "pkey" from now on, even on failure.  "alg" is
 * AKL_ALG_NONE for the type's own; "kid" of length 0 becomes the thumbprint.
 * 0, or -1 with *jwk zeroed and *err.
 */
int akl_jwk_fill(akl_jwk_t *jwk, EVP_PKEY *pkey, const akl_jwk_members_t *m,
    akl_alg_t alg, akl_str_t kid, const char **err);


/* The cause where memory is short; known by its address. */
extern const char  akl_out_of_memory[];

/*
 * The cause of a failure of OpenSSL's: "cause", or akl_out_of_memory where its
 * queue of errors, which is emptied, says that.  Clear the queue before.
 */
const char *akl_openssl_cause(const char *cause);


#endif /* AKL_JOSE_H */
