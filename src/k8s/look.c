/*
 * What a text that will not do looks like.
 */

#include <strings.h>

#include <openssl/crypto.h>

#include "../jose/base64.h"
#include "../jose/count.h"
#include "look.h"


#define AKL_LOOK_HEAD  32               /* characters of base64 to decode */


static akl_look_t akl_look_pem(akl_str_t text);
static int akl_look_encoded(akl_str_t text);
static int akl_look_starts(akl_str_t text, const char *what);


const char *
akl_look_text(akl_use_t use, akl_str_t text)
{
    static const char *const  texts[AKL_LOOK_N] = AKL_LOOKS("");

    return texts[akl_look(use, text)];
}


akl_look_t
akl_look(akl_use_t use, akl_str_t text)
{
    akl_look_t  look;

    static const akl_look_t  wanted[] = {
        AKL_LOOK_JWT, AKL_LOOK_CERTIFICATE, AKL_LOOK_PRIVATE_KEY,
        AKL_LOOK_PUBLIC_KEY
    };

    if (akl_look_starts(text, "\xef\xbb\xbf")) {
        return AKL_LOOK_BOM;
    }

    if (akl_look_starts(text, "\"") || akl_look_starts(text, "'")) {
        return AKL_LOOK_QUOTED;
    }

    if (text.len > 6
        && strncasecmp((const char *) text.data, "bearer", 6) == 0
        && (text.data[6] == ' ' || text.data[6] == '\t'))
    {
        return AKL_LOOK_BEARER;
    }

    if (akl_look_starts(text, "{")) {
        return AKL_LOOK_JSON;
    }

    if (akl_look_holds(text, "\\n")) {
        return AKL_LOOK_ESCAPED;
    }

    if (akl_look_holds(text, "apiVersion:")) {
        return AKL_LOOK_MANIFEST;
    }

    if (akl_look_holds(text, "-----BEGIN ")) {
        look = akl_look_pem(text);

    } else if (akl_look_starts(text, "eyJ")
               && memchr(text.data, '.', text.len))
    {
        look = AKL_LOOK_JWT;

    } else if (akl_look_encoded(text)) {
        look = AKL_LOOK_BASE64;

    } else if (text.len > 4 && text.data[0] == 0x30 && text.data[1] >= 0x80) {
        look = AKL_LOOK_DER;

    } else if (akl_look_starts(text, "/")) {
        look = AKL_LOOK_PATH;

    } else {
        look = AKL_LOOK_NONE;
    }

    /* it is what it should be, and does not do for another cause */

    return (look == wanted[use]) ? AKL_LOOK_NONE : look;
}


static akl_look_t
akl_look_pem(akl_str_t text)
{
    size_t  i;

    if (!akl_look_holds(text, "-----END ")) {
        return AKL_LOOK_CUT;
    }

    for (i = 1; i < text.len; i++) {

        akl_count(1);

        if (text.data[i - 1] == '\n'
            && (text.data[i] == ' ' || text.data[i] == '\t'))
        {
            return AKL_LOOK_INDENTED;
        }
    }

    if (akl_look_holds(text, "PRIVATE KEY-----")) {
        return AKL_LOOK_PRIVATE_KEY;
    }

    if (akl_look_holds(text, "PUBLIC KEY-----")) {
        return AKL_LOOK_PUBLIC_KEY;
    }

    if (akl_look_holds(text, "CERTIFICATE REQUEST-----")) {
        return AKL_LOOK_REQUEST;
    }

    if (akl_look_holds(text, "CERTIFICATE-----")) {
        return AKL_LOOK_CERTIFICATE;
    }

    return AKL_LOOK_NONE;
}


/* a JWT or PEM in base64, by its first bytes */

static int
akl_look_encoded(akl_str_t text)
{
    int            found;
    ssize_t        n;
    akl_str_t      head;
    unsigned char  buf[akl_base64_decoded_len(AKL_LOOK_HEAD)];

    if (text.len < AKL_LOOK_HEAD) {
        return 0;
    }

    head.data = text.data;
    head.len = AKL_LOOK_HEAD;

    n = akl_base64_decode(buf, head);

    if (n <= 0) {
        return 0;
    }

    head.data = buf;
    head.len = (size_t) n;

    found = akl_look_starts(head, "eyJ")
            || akl_look_starts(head, "-----BEGIN ");

    OPENSSL_cleanse(buf, sizeof(buf));

    return found;
}


static int
akl_look_starts(akl_str_t text, const char *what)
{
    size_t  len;

    len = strlen(what);

    return text.len >= len && memcmp(text.data, what, len) == 0;
}


int
akl_look_holds(akl_str_t text, const char *what)
{
    size_t  i, len;

    len = strlen(what);

    for (i = 0; i + len <= text.len; i++) {

        akl_count((text.data[i] == (unsigned char) what[0]) ? len : 1);

        if (memcmp(text.data + i, what, len) == 0) {
            return 1;
        }
    }

    return 0;
}
