/*
 * What the jose_*.c tests share: keys made on the spot, tokens of any shape,
 * signed by OpenSSL directly so that the code under test never vouches for
 * itself.
 */

#ifndef AKL_JOSE_TEST_H
#define AKL_JOSE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "../../../src/jose/base64.h"
#include "../../../src/jose/jws.h"


#define TOKEN_MAX  65536


typedef struct {
    unsigned char  data[TOKEN_MAX];
    size_t         len;
} token_t;


static inline akl_str_t
text_str(const char *text)
{
    return (akl_str_t) { strlen(text), (const unsigned char *) text };
}


static inline akl_str_t
token_str(const token_t *t)
{
    return (akl_str_t) { t->len, t->data };
}


static inline void
assert_queue_empty(void)
{
    assert_int_equal(ERR_peek_error(), 0);
}


static inline EVP_PKEY *
make_key(int type, int param)
{
    EVP_PKEY      *pkey = NULL;
    EVP_PKEY_CTX  *ctx;

    ctx = EVP_PKEY_CTX_new_id(type, NULL);
    assert_non_null(ctx);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);

    if (type == EVP_PKEY_RSA) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, param), 1);

    } else if (type == EVP_PKEY_EC) {
        assert_int_equal(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, param),
                         1);
    }

    assert_int_equal(EVP_PKEY_keygen(ctx, &pkey), 1);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();

    return pkey;
}


/* the public half as a jwk, by way of PEM, pinned to "alg" */

static inline void
public_jwk(akl_jwk_t *jwk, EVP_PKEY *pkey, akl_alg_t alg)
{
    BIO         *bio;
    char        *data;
    long         len;
    const char  *err = NULL;

    bio = BIO_new(BIO_s_mem());
    assert_non_null(bio);
    assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);

    len = BIO_get_mem_data(bio, &data);

    assert_int_equal(akl_jwk_public_from_pem(jwk,
                         (akl_str_t) { (size_t) len,
                                       (const unsigned char *) data }, &err),
                     0);
    jwk->alg = alg;

    BIO_free(bio);
}


static inline const EVP_MD *
alg_md(akl_alg_t alg)
{
    switch (alg) {

    case AKL_ALG_RS256: case AKL_ALG_PS256: case AKL_ALG_ES256:
        return EVP_sha256();

    case AKL_ALG_RS384: case AKL_ALG_PS384: case AKL_ALG_ES384:
        return EVP_sha384();

    case AKL_ALG_RS512: case AKL_ALG_PS512: case AKL_ALG_ES512:
        return EVP_sha512();

    default:
        return NULL;
    }
}


static inline int
alg_is_pss(akl_alg_t alg)
{
    return alg >= AKL_ALG_PS256 && alg <= AKL_ALG_PS512;
}


static inline void
token_put(token_t *t, const void *data, size_t len)
{
    assert_true(t->len + len <= sizeof(t->data));

    if (len) {
        memcpy(t->data + t->len, data, len);
    }

    t->len += len;
}


static inline void
token_put_b64(token_t *t, const void *data, size_t len)
{
    assert_true(t->len + akl_base64url_encoded_len(len) <= sizeof(t->data));

    t->len += akl_base64url_encode(t->data + t->len,
                                   (akl_str_t) { len, data });
}


/* header "." payload, both given as bytes */

static inline void
token_begin(token_t *t, akl_str_t header, akl_str_t payload)
{
    t->len = 0;

    token_put_b64(t, header.data, header.len);
    token_put(t, ".", 1);
    token_put_b64(t, payload.data, payload.len);
}


static inline void
token_end(token_t *t, const void *signature, size_t len)
{
    token_put(t, ".", 1);
    token_put_b64(t, signature, len);
}


/* an OpenSSL signature over what is in *t; returns its length */

static inline size_t
raw_sign(unsigned char *sig, size_t size, const token_t *t, EVP_PKEY *pkey,
    akl_alg_t alg)
{
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    ctx = EVP_MD_CTX_new();
    assert_non_null(ctx);
    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, alg_md(alg), NULL, pkey),
                     1);

    if (alg_is_pss(alg)) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx,
                                                   RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
                                                 RSA_PSS_SALTLEN_DIGEST), 1);
    }

    assert_int_equal(EVP_DigestSign(ctx, sig, &size, t->data, t->len), 1);
    EVP_MD_CTX_free(ctx);

    return size;
}


/* the same in the form that JWS wants: r || s for EC */

static inline size_t
jws_sign(unsigned char *sig, size_t size, const token_t *t, EVP_PKEY *pkey,
    akl_alg_t alg)
{
    int                   half;
    size_t                n;
    ECDSA_SIG            *rs;
    const BIGNUM         *r, *s;
    const unsigned char  *p;

    n = raw_sign(sig, size, t, pkey, alg);

    if (EVP_PKEY_base_id(pkey) != EVP_PKEY_EC) {
        return n;
    }

    half = (EVP_PKEY_bits(pkey) + 7) / 8;
    p = sig;

    rs = d2i_ECDSA_SIG(NULL, &p, (long) n);
    assert_non_null(rs);

    ECDSA_SIG_get0(rs, &r, &s);
    assert_int_equal(BN_bn2binpad(r, sig, half), half);
    assert_int_equal(BN_bn2binpad(s, sig + half, half), half);
    ECDSA_SIG_free(rs);

    return 2 * (size_t) half;
}


static inline void
make_token(token_t *t, EVP_PKEY *pkey, akl_alg_t alg, akl_str_t header,
    akl_str_t payload)
{
    size_t         n;
    unsigned char  sig[2048];

    token_begin(t, header, payload);
    n = jws_sign(sig, sizeof(sig), t, pkey, alg);
    token_end(t, sig, n);
}


static inline akl_jws_error_t
parse_error(akl_str_t token)
{
    akl_jws_t        jws;
    akl_jws_error_t  rc;

    rc = akl_jws_parse(&jws, token);

    if (rc == AKL_JWS_OK) {
        assert_int_equal(jws.payload.nodes[0].type, AKL_NODE_OBJECT);
    }

    akl_jws_clear(&jws);
    assert_queue_empty();

    return rc;
}


/* the verdict of parse and verify together */

static inline akl_jws_error_t
verify_error(const token_t *t, const akl_jwk_t *key)
{
    akl_jws_t        jws;
    akl_jws_error_t  rc;

    rc = akl_jws_parse(&jws, token_str(t));

    if (rc == AKL_JWS_OK) {
        rc = akl_jws_verify(&jws, key);
    }

    akl_jws_clear(&jws);
    assert_queue_empty();

    return rc;
}


#endif /* AKL_JOSE_TEST_H */
