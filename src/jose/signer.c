#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "base64.h"
#include "jose.h"
#include "json.h"
#include "jws.h"


#define AKL_SIGNER_HEADER_MAX  128


struct akl_signer_s {
    const akl_jwk_t       *jwk;
    const akl_alg_info_t  *info;
    const akl_curve_t     *curve;         /* EC only */
    size_t                 signature_len; /* raw, as in the token */

    EVP_MD_CTX            *md_ctx;
    EVP_PKEY_CTX          *pkey_ctx;      /* NULL for EdDSA */
    const EVP_MD          *md;            /* NULL for EdDSA */
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    EVP_MD                *fetched;
#endif

    unsigned char          header[AKL_SIGNER_HEADER_MAX];  /* and the dot */
    size_t                 header_len;
};


static void akl_signer_header(akl_signer_t *signer);
static int akl_signer_contexts(akl_signer_t *signer);
static int akl_signer_raw(akl_signer_t *signer, akl_str_t input,
    unsigned char *sig);


akl_signer_t *
akl_signer_create(const akl_jwk_t *jwk)
{
    akl_signer_t  *signer;

    if (!jwk->private_key) {
        return NULL;
    }

    signer = calloc(1, sizeof(akl_signer_t));
    if (signer == NULL) {
        return NULL;
    }

    signer->jwk = jwk;
    signer->info = akl_alg_info(jwk->alg);
    signer->curve = akl_curve_of_alg(jwk->alg);

    signer->signature_len = signer->curve ? 2 * signer->curve->size
                                          : (size_t) EVP_PKEY_size(jwk->pkey);

    akl_signer_header(signer);

    if (akl_signer_contexts(signer) != 0) {
        akl_signer_free(signer);
        ERR_clear_error();
        return NULL;
    }

    return signer;
}


static void
akl_signer_header(akl_signer_t *signer)
{
    akl_str_t       text;
    unsigned char   json[AKL_SIGNER_HEADER_MAX * 3 / 4 - 1];
    akl_json_out_t  out;

    akl_json_out_init(&out, json, sizeof(json));
    akl_json_out_open(&out, NULL, '{');

    text.data = (const unsigned char *) signer->info->name;
    text.len = strlen(signer->info->name);
    akl_json_out_str(&out, "alg", text);

    akl_json_out_str(&out, "typ", akl_str("JWT"));

    text.data = (const unsigned char *) signer->jwk->thumbprint;
    text.len = sizeof(signer->jwk->thumbprint) - 1;
    akl_json_out_str(&out, "kid", text);

    akl_json_out_close(&out, '}');

    text.data = json;
    text.len = out.len;

    signer->header_len = akl_base64url_encode(signer->header, text);
    signer->header[signer->header_len++] = '.';
}


/* what costs as much as a hash when it is done per token */

static int
akl_signer_contexts(akl_signer_t *signer)
{
    EVP_PKEY_CTX  *ctx;

    signer->md_ctx = EVP_MD_CTX_new();
    if (signer->md_ctx == NULL) {
        return -1;
    }

    if (signer->info->family == AKL_FAMILY_OKP) {
        return 0;
    }

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    signer->fetched = EVP_MD_fetch(NULL, signer->info->digest, NULL);
    signer->md = signer->fetched;
#else
    signer->md = signer->info->md();
#endif

    ctx = EVP_PKEY_CTX_new(signer->jwk->pkey, NULL);
    signer->pkey_ctx = ctx;

    if (signer->md == NULL
        || ctx == NULL
        || EVP_PKEY_sign_init(ctx) != 1
        || EVP_PKEY_CTX_set_signature_md(ctx, signer->md) != 1)
    {
        return -1;
    }

    if (signer->info->family == AKL_FAMILY_RSA
        && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1)
    {
        return -1;
    }

    return 0;
}


size_t
akl_signer_token_len(const akl_signer_t *signer, size_t payload_len)
{
    return signer->header_len
           + akl_base64url_encoded_len(payload_len) + 1
           + akl_base64url_encoded_len(signer->signature_len);
}


ssize_t
akl_signer_sign(akl_signer_t *signer, akl_str_t payload, unsigned char *dst)
{
    akl_str_t       input, raw;
    unsigned char  *p, sig[AKL_RSA_BYTES_MAX];

    p = dst;

    memcpy(p, signer->header, signer->header_len);
    p += signer->header_len;
    p += akl_base64url_encode(p, payload);

    input.data = dst;
    input.len = (size_t) (p - dst);

    if (akl_signer_raw(signer, input, sig) != 0) {
        ERR_clear_error();
        return -1;
    }

    *p++ = '.';

    raw.data = sig;
    raw.len = signer->signature_len;
    p += akl_base64url_encode(p, raw);

    OPENSSL_cleanse(sig, raw.len);

    return p - dst;
}


static int
akl_signer_raw(akl_signer_t *signer, akl_str_t input, unsigned char *sig)
{
    int             rc;
    size_t          len;
    unsigned        n;
    akl_str_t       der;
    unsigned char   digest[EVP_MAX_MD_SIZE], buf[AKL_ECDSA_DER_MAX];

    if (signer->info->family == AKL_FAMILY_OKP) {
        len = signer->signature_len;

        return (EVP_MD_CTX_reset(signer->md_ctx) == 1
                && EVP_DigestSignInit(signer->md_ctx, NULL, NULL, NULL,
                                      signer->jwk->pkey) == 1
                && EVP_DigestSign(signer->md_ctx, sig, &len,
                                  input.data, input.len) == 1
                && len == signer->signature_len) ? 0 : -1;
    }

    if (EVP_DigestInit_ex(signer->md_ctx, signer->md, NULL) != 1
        || EVP_DigestUpdate(signer->md_ctx, input.data, input.len) != 1
        || EVP_DigestFinal_ex(signer->md_ctx, digest, &n) != 1)
    {
        return -1;
    }

    if (signer->curve == NULL) {
        len = signer->signature_len;

        return (EVP_PKEY_sign(signer->pkey_ctx, sig, &len, digest, n) == 1
                && len == signer->signature_len) ? 0 : -1;
    }

    len = sizeof(buf);

    if (EVP_PKEY_sign(signer->pkey_ctx, buf, &len, digest, n) != 1) {
        return -1;
    }

    der.data = buf;
    der.len = len;

    rc = akl_ecdsa_from_der(sig, der, signer->curve);

    OPENSSL_cleanse(buf, sizeof(buf));

    return rc;
}


void
akl_signer_free(akl_signer_t *signer)
{
    if (signer == NULL) {
        return;
    }

    EVP_MD_CTX_free(signer->md_ctx);
    EVP_PKEY_CTX_free(signer->pkey_ctx);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    EVP_MD_free(signer->fetched);
#endif

    free(signer);
}
