#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "count.h"
#include "jose.h"


#define AKL_PEM_MAX  (256 * 1024)


static int akl_jwk_from_pem(akl_jwk_t *jwk, akl_str_t pem,
    unsigned private_key, const char **err);
static BIO *akl_pem_open(akl_str_t pem, const char **err);
static EVP_PKEY *akl_pem_private(BIO *bio, const char **err);
static EVP_PKEY *akl_pem_public(BIO *bio, const char **err);
static EVP_PKEY *akl_pem_certificate(const unsigned char *data, long len,
    const char **err);
static int akl_pem_no_password(char *buf, int size, int rwflag, void *data);
static int akl_pem_pair(EVP_PKEY *pkey, EVP_PKEY *public);


int
akl_jwk_private_from_pem(akl_jwk_t *jwk, akl_str_t pem, const char **err)
{
    return akl_jwk_from_pem(jwk, pem, 1, err);
}


int
akl_jwk_public_from_pem(akl_jwk_t *jwk, akl_str_t pem, const char **err)
{
    return akl_jwk_from_pem(jwk, pem, 0, err);
}


static int
akl_jwk_from_pem(akl_jwk_t *jwk, akl_str_t pem, unsigned private_key,
    const char **err)
{
    int                rc;
    BIO               *bio;
    EVP_PKEY          *pkey, *public;
    akl_jwk_members_t  m;

    rc = -1;
    pkey = NULL;
    public = NULL;
    memset(jwk, 0, sizeof(akl_jwk_t));

    bio = akl_pem_open(pem, err);
    if (bio == NULL) {
        goto done;
    }

    pkey = private_key ? akl_pem_private(bio, err) : akl_pem_public(bio, err);

    if (pkey == NULL || akl_jwk_members_get(&m, pkey, err) != 0) {
        goto done;
    }

    /* built anew, so that nothing private stays */

    public = akl_jwk_members_pkey(&m, err);
    if (public == NULL) {
        goto done;
    }

    if (!private_key) {
        rc = akl_jwk_fill(jwk, public, &m, AKL_ALG_NONE, akl_str(""), err);
        public = NULL;
        goto done;
    }

    if (m.alg == AKL_ALG_ES512) {
        *err = "P-521 keys verify, but do not sign";
        goto done;
    }

    if (!akl_pem_pair(pkey, public)) {
        *err = "private key does not match its public half";
        goto done;
    }

    rc = akl_jwk_fill(jwk, pkey, &m, AKL_ALG_NONE, akl_str(""), err);
    pkey = NULL;

    if (rc == 0) {
        jwk->private_key = 1;
    }

done:

    EVP_PKEY_free(public);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    ERR_clear_error();

    return rc;
}


static BIO *
akl_pem_open(akl_str_t pem, const char **err)
{
    BIO  *bio;

    if (pem.len == 0) {
        *err = "no PEM block found";
        return NULL;
    }

    if (pem.len > AKL_PEM_MAX) {
        *err = "PEM is larger than 256 KB";
        return NULL;
    }

    akl_count(pem.len);

    bio = BIO_new_mem_buf(pem.data, (int) pem.len);
    if (bio == NULL) {
        *err = akl_out_of_memory;
    }

    return bio;
}


static EVP_PKEY *
akl_pem_private(BIO *bio, const char **err)
{
    int        asked;
    EVP_PKEY  *pkey;

    asked = 0;
    pkey = PEM_read_bio_PrivateKey(bio, NULL, akl_pem_no_password, &asked);

    if (pkey == NULL) {
        *err = asked ? "private key is protected by a password"
                     : "no usable private key found in the PEM";
    }

    return pkey;
}


/* the first block that can hold a public key decides */

static EVP_PKEY *
akl_pem_public(BIO *bio, const char **err)
{
    long                  len;
    char                 *name, *header;
    size_t                n;
    EVP_PKEY             *pkey;
    unsigned char        *data;
    const unsigned char  *p;

    for ( ;; ) {
        if (PEM_read_bio(bio, &name, &header, &data, &len) != 1) {
            *err = "no usable public key found in the PEM";
            return NULL;
        }

        p = data;
        pkey = NULL;
        *err = NULL;
        n = strlen(name);

        if (strcmp(name, PEM_STRING_PUBLIC) == 0) {
            pkey = d2i_PUBKEY(NULL, &p, len);
            *err = "public key is malformed";

        } else if (strcmp(name, PEM_STRING_RSA_PUBLIC) == 0) {
            pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, len);
            *err = "public key is malformed";

        } else if (strcmp(name, PEM_STRING_X509) == 0
                   || strcmp(name, PEM_STRING_X509_OLD) == 0)
        {
            pkey = akl_pem_certificate(p, len, err);

        } else if (n >= 11 && strcmp(name + n - 11, "PRIVATE KEY") == 0) {

            if (strstr(header, "ENCRYPTED") != NULL
                || strcmp(name, PEM_STRING_PKCS8) == 0)
            {
                *err = "private key is protected by a password";

            } else {
                pkey = d2i_AutoPrivateKey(NULL, &p, len);
                *err = "private key is malformed";
            }
        }

        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, (size_t) len);

        if (*err != NULL) {
            return pkey;
        }
    }
}


static EVP_PKEY *
akl_pem_certificate(const unsigned char *data, long len, const char **err)
{
    X509      *x509;
    EVP_PKEY  *pkey;

    x509 = d2i_X509(NULL, &data, len);
    if (x509 == NULL) {
        *err = "certificate is malformed";
        return NULL;
    }

    pkey = X509_get_pubkey(x509);
    *err = "certificate has a key of an unknown type";

    X509_free(x509);

    return pkey;
}


static int
akl_pem_no_password(char *buf, int size, int rwflag, void *data)
{
    int  *asked = data;

    (void) buf;
    (void) size;
    (void) rwflag;

    *asked = 1;

    return -1;
}


/*
 * A signature by the private half must hold with the public members; RSA and
 * EC files carry both, and nothing else notices when they differ.
 */

static int
akl_pem_pair(EVP_PKEY *pkey, EVP_PKEY *public)
{
    int             ok;
    size_t          len;
    EVP_MD_CTX     *ctx;
    unsigned char   sig[AKL_RSA_BYTES_MAX];
    const EVP_MD   *md;

    static const unsigned char  probe[] = "pair";

    ok = 0;
    len = sizeof(sig);
    md = (EVP_PKEY_base_id(pkey) == EVP_PKEY_ED25519) ? NULL : EVP_sha256();

    ctx = EVP_MD_CTX_new();

    if (ctx != NULL
        && EVP_DigestSignInit(ctx, NULL, md, NULL, pkey) == 1
        && EVP_DigestSign(ctx, sig, &len, probe, sizeof(probe)) == 1
        && EVP_MD_CTX_reset(ctx) == 1
        && EVP_DigestVerifyInit(ctx, NULL, md, NULL, public) == 1
        && EVP_DigestVerify(ctx, sig, len, probe, sizeof(probe)) == 1)
    {
        ok = 1;
    }

    EVP_MD_CTX_free(ctx);

    return ok;
}
