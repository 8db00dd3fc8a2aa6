/*
 * Verdicts on signatures: ours must be OpenSSL's the long way round, where
 * jansson reads the header, OpenSSL decodes the base64, and a context is made
 * for each token.
 *
 * An input is a token; or three lines: its header, its payload, and a line
 * which says by its first byte what key signs, by the second in what way the
 * signature is spoilt, if any, and by the third where.
 */

#include <ctype.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "../../src/cli/json.h"
#include "../../src/jose/base64.h"
#include "../../src/jose/jws.h"
#include "../unit/vectors/rfc.h"
#include "fuzz.h"


#define KEYS  5

/* ours to sign with come first; the others are those of the RFCs */

#define ALL   9


typedef struct {
    const char  *name;
    int          type;                  /* EVP_PKEY_* */
    const char  *digest;
    const char  *curve;
    size_t       half;                  /* of an ECDSA signature */
    int          pss;
} algorithm_t;


static const algorithm_t  algorithms[] = {
    { "RS256", EVP_PKEY_RSA, "SHA256", NULL, 0, 0 },
    { "RS384", EVP_PKEY_RSA, "SHA384", NULL, 0, 0 },
    { "RS512", EVP_PKEY_RSA, "SHA512", NULL, 0, 0 },
    { "PS256", EVP_PKEY_RSA, "SHA256", NULL, 0, 1 },
    { "PS384", EVP_PKEY_RSA, "SHA384", NULL, 0, 1 },
    { "PS512", EVP_PKEY_RSA, "SHA512", NULL, 0, 1 },
    { "ES256", EVP_PKEY_EC, "SHA256", "prime256v1", 32, 0 },
    { "ES384", EVP_PKEY_EC, "SHA384", "secp384r1", 48, 0 },
    { "ES512", EVP_PKEY_EC, "SHA512", "secp521r1", 66, 0 },
    { "EdDSA", EVP_PKEY_ED25519, NULL, NULL, 0, 0 },
    { NULL, 0, NULL, NULL, 0, 0 }
};


static akl_jwk_t   keys[ALL];
static akl_jwks_t  sets[ALL];           /* whom keys belong to */


static void
from_set(size_t i, const char *text)
{
    const char  *err;

    check(akl_jwks_parse(&sets[i], fuzz_str(text), &err) == 0);
    keys[i] = sets[i].keys[0];
}


static void
setup(void)
{
    size_t       i;
    const char  *err;

    static const char  *curves[] = { "P-256", "P-384", "P-521" };

    for (i = 0; i < 3; i++) {
        keys[i].pkey = EVP_EC_gen(curves[i]);
        keys[i].alg = (akl_alg_t) (AKL_ALG_ES256 + i);
        check(keys[i].pkey != NULL);
    }

    keys[3].pkey = EVP_RSA_gen(2048);
    keys[3].alg = AKL_ALG_RS256;
    check(keys[3].pkey != NULL);

    check(akl_jwk_private_from_pem(&keys[4], fuzz_str(rfc8037_private_pem),
                                   &err)
          == 0);

    from_set(5, rfc7515_a2_jwks);
    from_set(6, rfc7515_a3_jwks);
    from_set(7, rfc7515_a4_jwks);
    from_set(8, rfc7520_pss_jwks);
}


static const algorithm_t *
algorithm(const char *name)
{
    const algorithm_t  *row;

    for (row = algorithms; row->name; row++) {
        if (strcmp(row->name, name) == 0) {
            return row;
        }
    }

    return NULL;
}


/* one text of base64url only for each run of bytes: it is encoded again */

static unsigned char *
decode(akl_str_t text, size_t *len)
{
    int             n;
    size_t          i, pad;
    unsigned char  *quads, *bytes, *again;

    pad = (4 - text.len % 4) % 4;

    quads = malloc(text.len + pad + 1);
    bytes = malloc(text.len + pad + 1);
    again = malloc(text.len + pad + 5);
    check(quads && bytes && again);

    for (i = 0; i < text.len; i++) {
        if (!isalnum(text.data[i]) && text.data[i] != '-'
            && text.data[i] != '_')
        {
            break;
        }

        quads[i] = text.data[i] == '-' ? '+'
                   : text.data[i] == '_' ? '/' : text.data[i];
    }

    memset(quads + text.len, '=', pad);

    n = (i < text.len || pad == 3)
        ? -1 : EVP_DecodeBlock(bytes, quads, (int) (text.len + pad));

    if (n >= 0) {
        n -= (int) pad;
        check(n >= 0);
        EVP_EncodeBlock(again, bytes, n);

        if (memcmp(again, quads, text.len + pad) != 0) {
            n = -1;
        }
    }

    free(quads);
    free(again);

    if (n < 0) {
        free(bytes);
        ERR_clear_error();
        return NULL;
    }

    *len = (size_t) n;

    return bytes;
}


static EVP_MD_CTX *
context(const algorithm_t *alg, EVP_PKEY *pkey, int sign)
{
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    ctx = EVP_MD_CTX_new();
    check(ctx != NULL);

    check((sign ? EVP_DigestSignInit_ex : EVP_DigestVerifyInit_ex)
              (ctx, &pctx, alg->digest, NULL, NULL, pkey, NULL)
          == 1);

    if (alg->pss) {
        check(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1);
        check(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST)
              == 1);
    }

    return ctx;
}


static int
fits(const algorithm_t *alg, EVP_PKEY *pkey)
{
    char    curve[64];
    size_t  n;

    return EVP_PKEY_base_id(pkey) == alg->type
           && (alg->curve == NULL
               || (EVP_PKEY_get_group_name(pkey, curve, sizeof(curve), &n)
                   && strcmp(curve, alg->curve) == 0));
}


/* 1, 0 for a signature that is not of this key, -1 for what is no token */

static int
long_way(akl_str_t token, const akl_jwk_t *key)
{
    int                 rc, len;
    size_t              i, sizes[3];
    json_t             *header, *payload;
    akl_str_t           rest, parts[3], signed_part, text;
    ECDSA_SIG          *pair;
    EVP_MD_CTX         *ctx;
    const char         *name;
    unsigned char      *bytes[3], *der, *p;
    const algorithm_t  *alg;

    rc = -1;
    header = NULL;
    payload = NULL;
    memset(bytes, 0, sizeof(bytes));

    if (token.len > AKL_JWS_MAX) {
        return -1;
    }

    rest = token;

    for (i = 0, len = 0; i < token.len; i++) {
        len += (token.data[i] == '.');
    }

    if (len != 2) {
        return -1;
    }

    for (i = 0; i < 3; i++) {
        parts[i] = fuzz_cut(&rest, '.');
        bytes[i] = decode(parts[i], &sizes[i]);

        if (bytes[i] == NULL) {
            goto done;
        }
    }

    text.data = bytes[0];
    text.len = sizes[0];
    header = akl_json_object(text);

    text.data = bytes[1];
    text.len = sizes[1];
    payload = akl_json_object(text);

    name = json_string_value(json_object_get(header, "alg"));
    alg = name ? algorithm(name) : NULL;

    if (header == NULL || payload == NULL || alg == NULL
        || json_object_get(header, "crit") || json_object_get(header, "b64")
        || json_object_get(header, "zip"))
    {
        goto done;
    }

    rc = 0;

    /* a key has one algorithm */

    if (strcmp(name, akl_alg_name(key->alg)) != 0 || !fits(alg, key->pkey)) {
        goto done;
    }

    signed_part.data = token.data;
    signed_part.len = parts[0].len + 1 + parts[1].len;

    ctx = context(alg, key->pkey, 0);

    if (alg->half) {

        if (sizes[2] == 2 * alg->half) {
            pair = ECDSA_SIG_new();
            check(pair != NULL);
            check(ECDSA_SIG_set0(pair,
                                 BN_bin2bn(bytes[2], (int) alg->half, NULL),
                                 BN_bin2bn(bytes[2] + alg->half,
                                           (int) alg->half, NULL))
                  == 1);

            der = NULL;
            len = i2d_ECDSA_SIG(pair, &der);
            check(len > 0);

            rc = EVP_DigestVerify(ctx, der, (size_t) len, signed_part.data,
                                  signed_part.len)
                 == 1;

            p = der;
            OPENSSL_free(p);
            ECDSA_SIG_free(pair);
        }

    } else {
        rc = EVP_DigestVerify(ctx, bytes[2], sizes[2], signed_part.data,
                              signed_part.len)
             == 1;
    }

    EVP_MD_CTX_free(ctx);

done:

    for (i = 0; i < 3; i++) {
        free(bytes[i]);
    }

    json_decref(header);
    json_decref(payload);
    ERR_clear_error();

    return rc;
}


static void
compare(akl_str_t token)
{
    int              theirs;
    size_t           i;
    akl_jws_t        jws;
    akl_jws_error_t  parsed, rc;

    parsed = akl_jws_parse(&jws, token);

    for (i = 0; i < ALL; i++) {
        theirs = long_way(token, &keys[i]);

        if (parsed != AKL_JWS_OK) {

            /* a kid or a signature longer than any: refused before */

            check(theirs != 1);
            continue;
        }

        check(theirs != -1);

        rc = akl_jws_verify(&jws, &keys[i]);
        check((rc == AKL_JWS_OK) == (theirs == 1));
        check(ERR_peek_error() == 0);
    }

    akl_jws_clear(&jws);
}


/* the signature as JWS has it: two numbers of fixed size for ECDSA */

static size_t
sign(const akl_jwk_t *key, akl_str_t text, unsigned char *out, size_t size)
{
    size_t                len;
    ECDSA_SIG            *pair;
    EVP_MD_CTX           *ctx;
    unsigned char         der[1024];
    const algorithm_t    *alg;
    const unsigned char  *p;

    alg = algorithm(akl_alg_name(key->alg));
    ctx = context(alg, key->pkey, 1);

    len = sizeof(der);
    check(EVP_DigestSign(ctx, der, &len, text.data, text.len) == 1);
    EVP_MD_CTX_free(ctx);

    if (alg->half == 0) {
        check(len <= size);
        memcpy(out, der, len);
        return len;
    }

    p = der;
    pair = d2i_ECDSA_SIG(NULL, &p, (long) len);
    check(pair != NULL && 2 * alg->half <= size);

    BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, (int) alg->half);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + alg->half, (int) alg->half);
    ECDSA_SIG_free(pair);

    return 2 * alg->half;
}


static void
made(akl_str_t header, akl_str_t payload, akl_str_t how)
{
    size_t          n, len;
    akl_str_t       text, token;
    akl_jwk_t      *key;
    unsigned char  *buf, signature[1024];

    key = &keys[how.len ? how.data[0] % KEYS : 0];

    buf = malloc(akl_base64url_encoded_len(header.len)
                 + akl_base64url_encoded_len(payload.len)
                 + akl_base64url_encoded_len(sizeof(signature)) + 2);
    check(buf != NULL);

    n = akl_base64url_encode(buf, header);
    buf[n++] = '.';
    n += akl_base64url_encode(buf + n, payload);

    text.data = buf;
    text.len = n;
    len = sign(key, text, signature, sizeof(signature) - 1);

    if (how.len > 2) {
        switch (how.data[1] % 6) {

        case 1:
            signature[how.data[2] % len] ^= 1;
            break;

        case 2:
            len--;
            break;

        case 3:
            signature[len++] = 0;
            break;

        case 4:
            memset(signature, 0, len / 2);
            break;

        case 5:
            memset(signature + len / 2, 0xff, len - len / 2);
            break;

        default:
            break;
        }
    }

    buf[n++] = '.';
    n += akl_base64url_encode(buf + n, (akl_str_t) { len, signature });

    token.data = buf;
    token.len = n;
    compare(token);

    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    akl_str_t  rest, header, payload;

    if (keys[0].pkey == NULL) {
        setup();
    }

    rest.data = data;
    rest.len = size;

    if (size == 0 || data[0] != '{') {
        compare(rest);
        return 0;
    }

    if (size > AKL_JWS_MAX) {
        return 0;
    }

    header = fuzz_cut(&rest, '\n');
    payload = fuzz_cut(&rest, '\n');
    made(header, payload, rest);

    return 0;
}
