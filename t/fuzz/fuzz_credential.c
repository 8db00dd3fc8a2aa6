/*
 * Credentials, keys and certificates as they stand in files: what is trimmed
 * and decoded is a part of the file, whatever is taken can be used, and a
 * cause is always given; the looks of a text are one of those that there are.
 *
 * An input is a line with the type, and the file.
 */

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "../../src/jose/jws.h"
#include "../../src/k8s/credential.h"
#include "../../src/k8s/look.h"
#include "fuzz.h"


#define NOW  1795650000


static int
certificates(akl_str_t pem)
{
    int    n;
    BIO   *bio;
    X509  *x509;

    bio = BIO_new_mem_buf(pem.data, (int) pem.len);
    check(bio != NULL);

    for (n = 0; (x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL)); n++) {
        X509_free(x509);
    }

    BIO_free(bio);
    ERR_clear_error();

    return n;
}


static void
pem(akl_str_t text)
{
    int          n;
    const char  *cause, *warn;

    n = certificates(text);
    warn = NULL;

    cause = akl_credential_ca(text, &warn);
    check(cause == NULL ? n > 0 : cause[0] != '\0');
    check(cause == NULL || warn == NULL);

    cause = akl_credential_pair(text, text, &warn);
    check(cause != NULL || n > 0);
    check(ERR_peek_error() == 0);

    if (n == 0) {
        check(akl_credential_expires(AKL_CREDENTIAL_PEM, text) == 0);
    }
}


static void
word(akl_str_t text)
{
    size_t       i;
    int64_t      exp;
    const char  *warn;

    for (i = 0; i < text.len; i++) {
        check(text.data[i] > ' ' && text.data[i] < 0x7f);
    }

    warn = NULL;
    exp = akl_credential_expires(AKL_CREDENTIAL_TEXT, text);
    check(exp >= 0);

    if (akl_credential_jwt(text, NOW, &warn) == NULL) {
        check(exp == 0 || exp > NOW);
        check(text.len <= AKL_JWS_MAX);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                  len, again;
    akl_str_t               rest, line, text;
    const char             *cause;
    unsigned char          *buf, *p;
    akl_use_t               use;
    akl_credential_type_t   type;

    rest.data = data;
    rest.len = size;
    line = fuzz_cut(&rest, '\n');

    type = akl_str_eq(line, akl_str("pem")) ? AKL_CREDENTIAL_PEM
           : akl_str_eq(line, akl_str("json")) ? AKL_CREDENTIAL_JSON
                                               : AKL_CREDENTIAL_TEXT;

    for (use = AKL_USE_JWT; use <= AKL_USE_PUBLIC_KEY; use++) {
        check(akl_look(use, rest) < AKL_LOOK_N);
        check(akl_look_text(use, rest) != NULL);
    }

    buf = malloc(rest.len + !rest.len);
    check(buf != NULL);

    if (rest.len) {
        memcpy(buf, rest.data, rest.len);
    }

    p = buf;
    len = rest.len;
    cause = akl_credential_normalize(type, &p, &len);

    check(p >= buf && p + len <= buf + rest.len);
    check(cause == NULL || cause[0] != '\0');

    text.data = p;
    text.len = len;

    if (cause == NULL && type == AKL_CREDENTIAL_TEXT) {
        word(text);
    }

    if (cause == NULL && type == AKL_CREDENTIAL_PEM) {
        pem(text);
    }

    /* what was made of it stays so */

    if (cause == NULL) {
        again = len;
        check(akl_credential_normalize(type, &p, &again) == NULL);

        /* decoded PEM may have white space around it, as the file had */

        check(again == len || type == AKL_CREDENTIAL_PEM);
    }

    free(buf);
    check(ERR_peek_error() == 0);

    return 0;
}
