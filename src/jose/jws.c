#include <stdlib.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base64.h"
#include "count.h"
#include "jose.h"
#include "jws.h"


#define AKL_JWS_VERIFIERS  8


/* the order of the group of Ed25519 (RFC 8032 section 5.1), little-endian */

static const unsigned char  akl_ed25519_order[AKL_ED25519_BYTES] = {
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
    0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10
};


/*
 * Contexts that stand ready for a key: setting them up costs as much as a
 * tenth of an RSA verification.  The context holds a reference to its key, so
 * that no other one can take the same place in memory.
 */
typedef struct {
    const akl_alg_info_t  *info;
    EVP_PKEY              *pkey;
    EVP_PKEY_CTX          *ctx;
    EVP_MD_CTX            *digest;
} akl_jws_verifier_t;


static akl_jws_error_t akl_jws_header(akl_jws_t *jws, akl_str_t text);
static akl_jws_error_t akl_jws_members(akl_jws_t *jws, const akl_doc_t *doc);
static akl_jws_error_t akl_jws_object(akl_doc_t *doc, unsigned char *buf,
    akl_str_t text);
static void akl_jws_init(akl_jws_t *jws);
static akl_jws_error_t akl_jws_verify_digest(const akl_jws_t *jws,
    EVP_PKEY *pkey, const akl_alg_info_t *info, const unsigned char *sig,
    size_t len);
static akl_jws_verifier_t *akl_jws_verifier(EVP_PKEY *pkey,
    const akl_alg_info_t *info);
static int akl_jws_verifier_init(akl_jws_verifier_t *v);
static void akl_jws_verifier_clear(akl_jws_verifier_t *v);
static akl_jws_error_t akl_jws_verify_ed25519(const akl_jws_t *jws,
    EVP_PKEY *pkey);
static akl_jws_error_t akl_jws_failed(void);


static __thread akl_jws_verifier_t  akl_jws_verifiers[AKL_JWS_VERIFIERS];
static __thread unsigned            akl_jws_next;


const char *
akl_jws_strerror(akl_jws_error_t error)
{
    static const char *const  texts[] = {
        "token is valid",
        "token is too large",
        "token is malformed",
        "token has an algorithm that is not allowed",
        "token demands an unsupported extension",
        "token has an invalid signature",
        "out of memory"
    };

    return (error <= AKL_JWS_NOMEM) ? texts[error] : "unknown error";
}


akl_jws_error_t
akl_jws_parse(akl_jws_t *jws, akl_str_t token)
{
    ssize_t               n;
    akl_str_t             header, payload, signature;
    akl_jws_error_t       rc;
    const unsigned char  *dot[2], *last;

    akl_jws_init(jws);

    if (token.len > AKL_JWS_MAX) {
        return AKL_JWS_TOO_LARGE;
    }

    if (token.len == 0) {
        return AKL_JWS_MALFORMED;
    }

    akl_count(token.len);

    last = token.data + token.len;

    dot[0] = memchr(token.data, '.', token.len);
    if (dot[0] == NULL) {
        return AKL_JWS_MALFORMED;
    }

    dot[1] = memchr(dot[0] + 1, '.', last - (dot[0] + 1));
    if (dot[1] == NULL) {
        return AKL_JWS_MALFORMED;
    }

    header.data = token.data;
    header.len = dot[0] - token.data;

    payload.data = dot[0] + 1;
    payload.len = dot[1] - payload.data;

    signature.data = dot[1] + 1;
    signature.len = last - signature.data;

    if (memchr(signature.data, '.', signature.len) != NULL) {
        return AKL_JWS_MALFORMED;
    }

    jws->signing_input.data = token.data;
    jws->signing_input.len = dot[1] - token.data;

    rc = akl_jws_header(jws, header);
    if (rc != AKL_JWS_OK) {
        return rc;
    }

    if (signature.len == 0) {
        return AKL_JWS_MALFORMED;
    }

    if (signature.len > akl_base64url_encoded_len(sizeof(jws->signature))) {
        return AKL_JWS_SIGNATURE;
    }

    n = akl_base64url_decode(jws->signature, signature);
    if (n < 0) {
        return AKL_JWS_MALFORMED;
    }

    jws->signature_len = (size_t) n;

    if (payload.len == 0) {
        return AKL_JWS_MALFORMED;
    }

    jws->text = malloc(akl_base64_decoded_len(payload.len));
    if (jws->text == NULL) {
        return AKL_JWS_NOMEM;
    }

    return akl_jws_object(&jws->payload, jws->text, payload);
}


static akl_jws_error_t
akl_jws_header(akl_jws_t *jws, akl_str_t text)
{
    akl_doc_t        doc;
    unsigned char    buf[akl_base64_decoded_len(AKL_JWS_MAX)];
    akl_jws_error_t  rc;

    rc = akl_jws_object(&doc, buf, text);

    if (rc == AKL_JWS_OK) {
        rc = akl_jws_members(jws, &doc);
    }

    akl_doc_free(&doc);

    return rc;
}


/* "buf" has room for what the text decodes to, and must outlive *doc */

static akl_jws_error_t
akl_jws_object(akl_doc_t *doc, unsigned char *buf, akl_str_t text)
{
    ssize_t    n;
    akl_str_t  json;

    akl_doc_init(doc);
    n = akl_base64url_decode(buf, text);
    if (n < 0) {
        return AKL_JWS_MALFORMED;
    }

    json.data = buf;
    json.len = (size_t) n;

    switch (akl_doc_parse(doc, json)) {

    case 0:
        return AKL_JWS_OK;

    case AKL_DOC_MEMORY:
        return AKL_JWS_NOMEM;

    default:
        return AKL_JWS_MALFORMED;
    }
}


static akl_jws_error_t
akl_jws_members(akl_jws_t *jws, const akl_doc_t *doc)
{
    akl_str_t          s;
    const akl_node_t  *header;

    header = doc->nodes;

    if (akl_doc_string(doc, header, "alg", &s) != 0) {
        return AKL_JWS_ALGORITHM;
    }

    jws->alg = akl_alg_find(s);

    if (jws->alg == AKL_ALG_NONE) {
        return AKL_JWS_ALGORITHM;
    }

    /* none of the extensions is understood here, so any of them is refused */

    if (akl_doc_get(doc, header, "crit") != NULL
        || akl_doc_get(doc, header, "b64") != NULL
        || akl_doc_get(doc, header, "zip") != NULL)
    {
        return AKL_JWS_CRITICAL;
    }

    if (akl_doc_string(doc, header, "kid", &s) < 0 || s.len > AKL_KID_MAX) {
        return AKL_JWS_MALFORMED;
    }

    if (s.len) {
        memcpy(jws->kid_text, s.data, s.len);
    }

    jws->kid.data = jws->kid_text;
    jws->kid.len = s.len;

    return AKL_JWS_OK;
}


/* all but kid, nodes and signature, which have lengths of their own */

static void
akl_jws_init(akl_jws_t *jws)
{
    memset(&jws->signing_input, 0, sizeof(akl_str_t));
    memset(&jws->kid, 0, sizeof(akl_str_t));

    jws->alg = AKL_ALG_NONE;
    jws->text = NULL;
    jws->signature_len = 0;

    akl_doc_init(&jws->payload);
}


akl_jws_error_t
akl_jws_verify(const akl_jws_t *jws, const akl_jwk_t *key)
{
    size_t                 len;
    unsigned char          der[AKL_ECDSA_DER_MAX];
    akl_jws_error_t        rc;
    const akl_curve_t     *curve;
    const akl_alg_info_t  *info;

    if (jws->alg == AKL_ALG_NONE || jws->alg != key->alg) {
        return AKL_JWS_ALGORITHM;
    }

    info = akl_alg_info(key->alg);
    rc = AKL_JWS_SIGNATURE;

    /* what others left there is not told as ours */

    ERR_clear_error();

    switch (info->family) {

    case AKL_FAMILY_RSA:
    case AKL_FAMILY_PSS:

        if (jws->signature_len == (size_t) EVP_PKEY_size(key->pkey)) {
            rc = akl_jws_verify_digest(jws, key->pkey, info, jws->signature,
                                       jws->signature_len);
        }

        break;

    case AKL_FAMILY_EC:

        curve = akl_curve_of_alg(key->alg);

        if (jws->signature_len != 2 * curve->size) {
            break;
        }

        len = akl_ecdsa_to_der(der, jws->signature, curve);

        if (len) {
            rc = akl_jws_verify_digest(jws, key->pkey, info, der, len);
        }

        OPENSSL_cleanse(der, sizeof(der));

        break;

    case AKL_FAMILY_OKP:

        if (jws->signature_len == 2 * AKL_ED25519_BYTES) {
            rc = akl_jws_verify_ed25519(jws, key->pkey);
        }

        break;
    }

    ERR_clear_error();

    return rc;
}


static akl_jws_error_t
akl_jws_verify_digest(const akl_jws_t *jws, EVP_PKEY *pkey,
    const akl_alg_info_t *info, const unsigned char *sig, size_t len)
{
    unsigned             n;
    unsigned char        digest[EVP_MAX_MD_SIZE];
    akl_jws_verifier_t  *v;

    v = akl_jws_verifier(pkey, info);

    if (v == NULL) {
        return AKL_JWS_NOMEM;
    }

    if (EVP_DigestUpdate(v->digest, jws->signing_input.data,
                         jws->signing_input.len) != 1
        || EVP_DigestFinal_ex(v->digest, digest, &n) != 1)
    {
        akl_jws_verifier_clear(v);
        return AKL_JWS_NOMEM;
    }

    if (EVP_PKEY_verify(v->ctx, sig, len, digest, n) == 1) {
        return AKL_JWS_OK;
    }

    /* whatever a bad signature has left behind in it */

    akl_jws_verifier_clear(v);

    return akl_jws_failed();
}


/* one that is ready to be fed, or NULL */

static akl_jws_verifier_t *
akl_jws_verifier(EVP_PKEY *pkey, const akl_alg_info_t *info)
{
    size_t               i;
    akl_jws_verifier_t  *v;

    for (i = 0; i < AKL_JWS_VERIFIERS; i++) {
        v = &akl_jws_verifiers[i];

        if (v->pkey != pkey || v->info != info) {
            continue;
        }

        if (EVP_DigestInit_ex(v->digest, NULL, NULL) == 1) {
            return v;
        }

        akl_jws_verifier_clear(v);
        break;
    }

    v = &akl_jws_verifiers[akl_jws_next++ % AKL_JWS_VERIFIERS];

    akl_jws_verifier_clear(v);

    v->info = info;
    v->pkey = pkey;
    v->ctx = EVP_PKEY_CTX_new(pkey, NULL);
    v->digest = EVP_MD_CTX_new();

    if (v->ctx == NULL || v->digest == NULL
        || akl_jws_verifier_init(v) != 0)
    {
        akl_jws_verifier_clear(v);
        return NULL;
    }

    return v;
}


static int
akl_jws_verifier_init(akl_jws_verifier_t *v)
{
    const EVP_MD  *md;

    md = v->info->md();

    if (EVP_DigestInit_ex(v->digest, md, NULL) != 1
        || EVP_PKEY_verify_init(v->ctx) != 1
        || EVP_PKEY_CTX_set_signature_md(v->ctx, md) != 1)
    {
        return -1;
    }

    if (v->info->family == AKL_FAMILY_RSA
        && EVP_PKEY_CTX_set_rsa_padding(v->ctx, RSA_PKCS1_PADDING) != 1)
    {
        return -1;
    }

    /* RFC 7518 section 3.5: MGF1 and salt go by the digest */

    if (v->info->family == AKL_FAMILY_PSS
        && (EVP_PKEY_CTX_set_rsa_padding(v->ctx, RSA_PKCS1_PSS_PADDING) != 1
            || EVP_PKEY_CTX_set_rsa_mgf1_md(v->ctx, md) != 1
            || EVP_PKEY_CTX_set_rsa_pss_saltlen(v->ctx, RSA_PSS_SALTLEN_DIGEST)
               != 1))
    {
        return -1;
    }

    return 0;
}


static void
akl_jws_verifier_clear(akl_jws_verifier_t *v)
{
    EVP_PKEY_CTX_free(v->ctx);
    EVP_MD_CTX_free(v->digest);

    memset(v, 0, sizeof(akl_jws_verifier_t));
}


static akl_jws_error_t
akl_jws_verify_ed25519(const akl_jws_t *jws, EVP_PKEY *pkey)
{
    int                   i;
    EVP_MD_CTX           *ctx;
    akl_jws_error_t       rc;
    const unsigned char  *s;

    s = jws->signature + AKL_ED25519_BYTES;

    /* S below the order, else a second signature would hold (malleability) */

    for (i = AKL_ED25519_BYTES - 1; i >= 0; i--) {
        if (s[i] != akl_ed25519_order[i]) {
            break;
        }
    }

    if (i < 0 || s[i] > akl_ed25519_order[i]) {
        return AKL_JWS_SIGNATURE;
    }

    /* OpenSSL may find no memory in silence, so a no is asked for twice */

    rc = AKL_JWS_SIGNATURE;

    for (i = 0; rc == AKL_JWS_SIGNATURE && i < 2; i++) {
        ctx = EVP_MD_CTX_new();

        if (ctx == NULL
            || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) != 1)
        {
            rc = AKL_JWS_NOMEM;

        } else if (EVP_DigestVerify(ctx, jws->signature, jws->signature_len,
                                    jws->signing_input.data,
                                    jws->signing_input.len) == 1)
        {
            rc = AKL_JWS_OK;

        } else {
            rc = akl_jws_failed();
        }

        EVP_MD_CTX_free(ctx);
    }

    return rc;
}


/* OpenSSL says no for want of memory as well */

static akl_jws_error_t
akl_jws_failed(void)
{
    return akl_openssl_cause(NULL) ? AKL_JWS_NOMEM : AKL_JWS_SIGNATURE;
}


akl_jws_error_t
akl_jws_verify_set(const akl_jws_t *jws, const akl_jwks_t *keys, int try_all,
    size_t *used)
{
    size_t            i;
    unsigned          by_kid, any_alg;
    akl_jws_error_t   rc, last;
    const akl_jwk_t  *key;

    by_kid = 0;

    if (jws->kid.len) {
        for (i = 0; i < keys->n && !by_kid; i++) {
            by_kid = akl_str_eq(keys->keys[i].kid, jws->kid);
        }

        if (!by_kid && !try_all) {
            return AKL_JWS_SIGNATURE;
        }
    }

    any_alg = 0;
    last = AKL_JWS_ALGORITHM;

    for (i = 0; i < keys->n; i++) {
        key = &keys->keys[i];

        if (by_kid && !akl_str_eq(key->kid, jws->kid)) {
            continue;
        }

        rc = akl_jws_verify(jws, key);

        if (rc == AKL_JWS_OK) {
            if (used != NULL) {
                *used = i;
            }

            return AKL_JWS_OK;
        }

        if (rc != AKL_JWS_ALGORITHM && (!any_alg || rc == AKL_JWS_NOMEM)) {
            any_alg = 1;
            last = rc;
        }
    }

    return last;
}


void
akl_jws_clear(akl_jws_t *jws)
{
    akl_doc_free(&jws->payload);
    free(jws->text);

    OPENSSL_cleanse(jws->signature, jws->signature_len);
    akl_jws_init(jws);
}
