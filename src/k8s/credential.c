/*
 * Credentials, keys and certificates as they stand in files.
 */

#include <time.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "../jose/base64.h"
#include "../jose/count.h"
#include "../jose/jws.h"
#include "credential.h"
#include "look.h"


#define AKL_CREDENTIAL_NEAR_END  (24 * 3600)


static int akl_credential_is_pem(akl_str_t text);


static const char *const  akl_no_word[AKL_LOOK_N] =
    AKL_LOOKS("holds white space or control characters");
static const char *const  akl_no_pem[AKL_LOOK_N] =
    AKL_LOOKS("is neither PEM nor base64 of it");
static const char *const  akl_no_ca[AKL_LOOK_N] =
    AKL_LOOKS("holds no certificate, or a malformed one");
static const char *const  akl_no_certificate[AKL_LOOK_N] =
    AKL_LOOKS("holds no certificate");
static const char *const  akl_no_jwt[AKL_LOOK_N] = AKL_LOOKS("is no JWT");


const char *
akl_credential_normalize(akl_credential_type_t type, unsigned char **data,
    size_t *len)
{
    size_t          i;
    ssize_t         n;
    akl_str_t       text;
    const char     *cause;
    unsigned char  *p;

    p = *data;

    while (*len && p[*len - 1] <= ' ') {
        (*len)--;
    }

    while (*len && *p <= ' ') {
        p++;
        (*len)--;
    }

    *data = p;

    text.data = p;
    text.len = *len;

    if (text.len == 0) {
        return "is empty";
    }

    switch (type) {

    case AKL_CREDENTIAL_TEXT:

        /* it goes into a header line */

        for (i = 0; i < text.len; i++) {
            if (p[i] <= ' ' || p[i] >= 0x7f) {
                return akl_no_word[akl_look(AKL_USE_JWT, text)];
            }
        }

        /* in no token or key (RFC 6750 section 2.1) */

        if (p[0] == '"' || p[0] == '\'') {
            return "is in quotes";
        }

        return NULL;

    case AKL_CREDENTIAL_PEM:

        if (akl_credential_is_pem(text)) {
            return NULL;
        }

        /* before it is decoded in place */

        cause = akl_no_pem[akl_look(AKL_USE_CERTIFICATE, text)];

        n = akl_base64_decode(p, text);

        if (n > 0) {

            /* whoever wipes the text afterwards knows its new length only */

            OPENSSL_cleanse(p + n, text.len - (size_t) n);

            text.len = (size_t) n;
            *len = text.len;

            if (akl_credential_is_pem(text)) {
                return NULL;
            }
        }

        return cause;

    default:
        return NULL;
    }
}


static int
akl_credential_is_pem(akl_str_t text)
{
    return akl_look_holds(text, "-----BEGIN ");
}


const char *
akl_credential_ca(akl_str_t pem, const char **warn)
{
    BIO         *bio;
    X509        *x509;
    size_t       n, expired;

    akl_count(pem.len);

    bio = BIO_new_mem_buf(pem.data, (int) pem.len);
    if (bio == NULL) {
        ERR_clear_error();
        return "cannot be read";
    }

    n = 0;
    expired = 0;

    for ( ;; ) {
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (x509 == NULL) {
            break;
        }

        n++;
        expired += (X509_cmp_time(X509_get0_notAfter(x509), NULL) < 0);

        X509_free(x509);
    }

    BIO_free(bio);

    /* the end of the text looks like an error; a broken one too */

    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        n = 0;
    }

    ERR_clear_error();

    if (n == 0) {
        return akl_no_ca[akl_look(AKL_USE_CERTIFICATE, pem)];
    }

    if (expired && warn) {
        *warn = (expired == n) ? "the certificate has expired"
                               : "a certificate among them has expired";
    }

    return NULL;
}


const char *
akl_credential_jwt(akl_str_t jwt, int64_t now, const char **warn)
{
    int64_t            exp, left;
    akl_jws_t          jws;
    const char        *cause;
    const akl_node_t  *k8s;

    cause = NULL;
    exp = 0;

    if (akl_jws_parse(&jws, jwt) != AKL_JWS_OK
        || akl_doc_time(&jws.payload, jws.payload.nodes, "exp", &exp) < 0)
    {
        cause = akl_no_jwt[akl_look(AKL_USE_JWT, jwt)];

    } else if (exp) {
        left = exp - now;

        if (left <= 0) {
            cause = "has expired";

        } else if (left < AKL_CREDENTIAL_NEAR_END && warn) {
            *warn = "expires within a day";
        }
    }

    if (cause == NULL && warn) {
        k8s = akl_doc_get(&jws.payload, jws.payload.nodes, "kubernetes.io");

        if (akl_doc_get(&jws.payload, k8s, "pod")) {
            *warn = *warn ? "is bound to a pod and expires within a day"
                          : "is bound to a pod and ends with it";
        }
    }

    akl_jws_clear(&jws);

    return cause;
}


static int
akl_credential_no_password(char *buf, int size, int rwflag, void *data)
{
    (void) buf;
    (void) size;
    (void) rwflag;
    (void) data;

    return 0;
}


const char *
akl_credential_pair(akl_str_t cert, akl_str_t key, const char **warn)
{
    BIO         *bio;
    X509        *x509;
    EVP_PKEY    *pkey;
    const char  *cause;

    x509 = NULL;
    pkey = NULL;
    cause = NULL;

    akl_count(cert.len + key.len);

    bio = BIO_new_mem_buf(cert.data, (int) cert.len);

    if (bio) {
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        BIO_free(bio);
    }

    bio = BIO_new_mem_buf(key.data, (int) key.len);

    if (bio) {
        pkey = PEM_read_bio_PrivateKey(bio, NULL, akl_credential_no_password,
                                       NULL);
        BIO_free(bio);
    }

    if (x509 == NULL) {
        cause = akl_no_certificate[akl_look(AKL_USE_CERTIFICATE, cert)];

    } else if (pkey == NULL) {
        cause = "has a key that cannot be read";

    } else if (X509_check_private_key(x509, pkey) != 1) {
        cause = "does not belong to its key";

    } else if (X509_cmp_time(X509_get0_notAfter(x509), NULL) < 0 && warn) {
        *warn = "the certificate has expired";
    }

    X509_free(x509);
    EVP_PKEY_free(pkey);
    ERR_clear_error();

    return cause;
}


int64_t
akl_credential_expires(akl_credential_type_t type, akl_str_t text)
{
    BIO        *bio;
    X509       *x509;
    int64_t     exp, end;
    akl_jws_t   jws;
    struct tm   tm;

    exp = 0;

    switch (type) {

    case AKL_CREDENTIAL_TEXT:

        /* a Rancher key is no JWT */

        if (akl_jws_parse(&jws, text) != AKL_JWS_OK
            || akl_doc_time(&jws.payload, jws.payload.nodes, "exp", &exp) < 0)
        {
            exp = 0;
        }

        akl_jws_clear(&jws);
        break;

    case AKL_CREDENTIAL_PEM:

        akl_count(text.len);

        bio = BIO_new_mem_buf(text.data, (int) text.len);

        while (bio) {
            x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);

            if (x509 == NULL) {
                break;
            }

            if (ASN1_TIME_to_tm(X509_get0_notAfter(x509), &tm) == 1) {
                end = (int64_t) timegm(&tm);
                exp = (exp == 0 || end < exp) ? end : exp;
            }

            X509_free(x509);
        }

        BIO_free(bio);
        ERR_clear_error();
        break;

    default:
        break;
    }

    return exp;
}
