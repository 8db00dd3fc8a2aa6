/*
 * Tokens: one that parses is canonical, one that verifies is no longer valid
 * once touched, and what the signer makes of a payload comes back unchanged.
 */

#include <openssl/err.h>

#include "../../src/cli/json.h"
#include "../../src/jose/base64.h"
#include "../../src/jose/jws.h"
#include "../unit/vectors/rfc.h"
#include "fuzz.h"


static akl_jwk_t      key;
static akl_jwks_t     sets[3];
static akl_signer_t  *signer;


static void
setup(void)
{
    const char  *err;

    check(akl_jwks_parse(&sets[0], fuzz_str(rfc7515_a2_jwks), &err) == 0);
    check(akl_jwks_parse(&sets[1], fuzz_str(rfc7515_a3_jwks), &err) == 0);
    check(akl_jwks_parse(&sets[2], fuzz_str(rfc8037_jwks), &err) == 0);
    check(akl_jwk_private_from_pem(&key, fuzz_str(rfc8037_private_pem), &err)
          == 0);

    signer = akl_signer_create(&key);
    check(signer != NULL);
}


static void
verify(akl_jws_t *jws)
{
    size_t           i, used;
    akl_jws_error_t  rc;

    for (i = 0; i < 3; i++) {
        rc = akl_jws_verify_set(jws, &sets[i], 1, &used);
        check(ERR_peek_error() == 0);

        if (rc == AKL_JWS_OK) {
            check(used == 0 && jws->alg == sets[i].keys[0].alg);

            jws->signature[jws->signature_len - 1] ^= 1;
            check(akl_jws_verify_set(jws, &sets[i], 1, NULL)
                  == AKL_JWS_SIGNATURE);
            jws->signature[jws->signature_len - 1] ^= 1;
        }
    }
}


static void
sign_again(const akl_jws_t *jws)
{
    size_t          room;
    ssize_t         len;
    akl_jws_t       ours;
    akl_str_t       token, text;
    unsigned char  *buf;

    text = jws->payload.nodes[0].text;

    room = akl_signer_token_len(signer, text.len);
    buf = malloc(room);
    check(buf != NULL);

    len = akl_signer_sign(signer, text, buf);
    check(len == (ssize_t) room);

    token.data = buf;
    token.len = room;

    if (akl_jws_parse(&ours, token) == AKL_JWS_OK) {
        check(akl_jws_verify_set(&ours, &sets[2], 0, NULL) == AKL_JWS_OK);
        check(akl_str_eq(ours.payload.nodes[0].text, text));

    } else {
        check(room > AKL_JWS_MAX);
    }

    akl_jws_clear(&ours);
    free(buf);
}


/* what jansson reads in the header is what was read */

static void
same_header(const akl_jws_t *jws)
{
    json_t               *header, *kid;
    ssize_t               n;
    akl_str_t             text, in;
    const char           *alg;
    unsigned char         buf[AKL_JWS_MAX];
    const unsigned char  *dot;

    text = jws->signing_input;
    dot = memchr(text.data, '.', text.len);
    check(dot != NULL);

    text.len = (size_t) (dot - text.data);
    n = akl_base64url_decode(buf, text);
    check(n > 0);

    in.data = buf;
    in.len = (size_t) n;
    header = akl_json_object(in);
    check(header != NULL);

    alg = json_string_value(json_object_get(header, "alg"));
    check(alg != NULL && strcmp(alg, akl_alg_name(jws->alg)) == 0);

    check(json_object_get(header, "crit") == NULL);
    check(json_object_get(header, "b64") == NULL);
    check(json_object_get(header, "zip") == NULL);

    kid = json_object_get(header, "kid");
    check(json_string_length(kid) == jws->kid.len);
    check(jws->kid.len == 0
          || memcmp(json_string_value(kid), jws->kid.data, jws->kid.len) == 0);

    json_decref(header);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t         n;
    akl_jws_t      jws;
    akl_str_t      token, raw;
    unsigned char  b64[akl_base64url_encoded_len(sizeof(jws.signature))];

    if (signer == NULL) {
        setup();
    }

    token.data = data;
    token.len = size;

    if (akl_jws_parse(&jws, token) == AKL_JWS_OK) {
        check(jws.payload.nodes[0].type == AKL_NODE_OBJECT);
        same_header(&jws);
        check(jws.signing_input.data == data);
        check(data[jws.signing_input.len] == '.');

        raw.data = jws.signature;
        raw.len = jws.signature_len;
        n = akl_base64url_encode(b64, raw);

        check(jws.signing_input.len + 1 + n == size);
        check(memcmp(b64, data + size - n, n) == 0);

        verify(&jws);
        sign_again(&jws);
    }

    akl_jws_clear(&jws);
    check(ERR_peek_error() == 0);

    return 0;
}
