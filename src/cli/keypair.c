/*
 * Key pairs to sign with.
 */

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "keypair.h"


static akl_str_t
akl_keypair_taken(BIO *bio)
{
    char       *p;
    long        len;
    akl_str_t   text;

    len = BIO_get_mem_data(bio, &p);

    text.len = (len > 0) ? (size_t) len : 0;
    text.data = (unsigned char *) akl_mem_strn(p, text.len);

    /* the copy of OpenSSL's own is wiped by its secure BIO_free() */

    return text;
}


const char *
akl_keypair_make(const char *type, akl_str_t *pem)
{
    int        rc;
    BIO       *bio;
    EVP_PKEY  *pkey;

    if (strcmp(type, "rsa") == 0) {
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 2048);

    } else if (strcmp(type, "ec") == 0) {
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

    } else if (strcmp(type, "p384") == 0) {
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384");

    } else {
        pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    }

    bio = BIO_new(BIO_s_secmem());
    rc = 0;

    if (pkey && bio) {
        rc = (strcmp(type, "rsa") == 0)
             ? PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL, NULL, 0,
                                                    NULL, NULL)
             : PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    }

    if (rc == 1) {
        *pem = akl_keypair_taken(bio);
    }

    BIO_free(bio);
    EVP_PKEY_free(pkey);
    ERR_clear_error();

    return (rc == 1) ? NULL : "OpenSSL cannot make such a key";
}


akl_str_t
akl_keypair_public(const akl_jwk_t *jwk)
{
    BIO        *bio;
    akl_str_t   pem;

    pem = akl_str("");

    bio = BIO_new(BIO_s_mem());

    if (bio && PEM_write_bio_PUBKEY(bio, jwk->pkey) == 1) {
        pem = akl_keypair_taken(bio);
    }

    BIO_free(bio);
    ERR_clear_error();

    return pem;
}


char *
akl_keypair_base64(akl_str_t text)
{
    char  *p;

    p = akl_mem((text.len + 2) / 3 * 4 + 1);

    (void) EVP_EncodeBlock((unsigned char *) p, text.data, (int) text.len);

    return p;
}
