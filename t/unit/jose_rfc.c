#include "lib/jose_test.h"
#include "vectors/rfc.h"


/*
 * Splits and verifies by hand: some RFCs sign plain text, which
 * akl_jws_parse() refuses because no JWT can have such a payload.
 */

static akl_jws_error_t
verify_text(const char *jwks, const char *token, akl_alg_t alg)
{
    ssize_t           n;
    akl_jws_t         jws;
    akl_jwks_t        keys;
    const char       *dot, *err;
    akl_jws_error_t   rc;

    memset(&jws, 0, sizeof(jws));
    assert_int_equal(akl_jwks_parse(&keys, text_str(jwks), &err), 0);
    assert_int_equal(keys.n, 1);

    dot = strrchr(token, '.');

    jws.alg = alg;
    jws.signing_input.data = (const unsigned char *) token;
    jws.signing_input.len = (size_t) (dot - token);

    n = akl_base64url_decode(jws.signature, text_str(dot + 1));
    assert_true(n > 0);
    jws.signature_len = (size_t) n;

    rc = akl_jws_verify(&jws, &keys.keys[0]);

    if (rc == AKL_JWS_OK) {
        jws.signature[n / 2] ^= 1;
        assert_int_equal(akl_jws_verify(&jws, &keys.keys[0]),
                         AKL_JWS_SIGNATURE);
    }

    akl_jws_clear(&jws);
    akl_jwks_clear(&keys);
    assert_queue_empty();

    return rc;
}


static void
parse_and_verify(const char *jwks, const char *token, akl_alg_t alg)
{
    size_t       used;
    akl_jws_t    jws;
    akl_str_t    iss;
    akl_jwks_t   keys;
    const char  *err;

    used = 7;

    assert_int_equal(akl_jwks_parse(&keys, text_str(jwks), &err), 0);
    assert_int_equal(akl_jws_parse(&jws, text_str(token)), AKL_JWS_OK);

    assert_int_equal(jws.alg, alg);
    assert_int_equal(jws.kid.len, 0);
    assert_int_equal(akl_doc_string(&jws.payload, jws.payload.nodes, "iss",
                                    &iss), 0);
    assert_true(akl_str_eq(iss, akl_str("joe")));

    assert_int_equal(jws.signing_input.len, strrchr(token, '.') - token);

    assert_int_equal(akl_jws_verify_set(&jws, &keys, 0, &used), AKL_JWS_OK);
    assert_int_equal(used, 0);

    akl_jws_clear(&jws);
    akl_jwks_clear(&keys);
    assert_queue_empty();
}


static void
rfc7515_a1_hs256_and_a5_none(void **state)
{
    (void) state;

    assert_int_equal(parse_error(text_str(rfc7515_a1)), AKL_JWS_ALGORITHM);
    assert_int_equal(parse_error(text_str(rfc7515_a5)), AKL_JWS_ALGORITHM);
}


static void
rfc7515_a2_rs256(void **state)
{
    (void) state;

    parse_and_verify(rfc7515_a2_jwks, rfc7515_a2, AKL_ALG_RS256);
    assert_int_equal(verify_text(rfc7515_a2_jwks, rfc7515_a2, AKL_ALG_RS256),
                     AKL_JWS_OK);
}


static void
rfc7515_a3_es256(void **state)
{
    (void) state;

    parse_and_verify(rfc7515_a3_jwks, rfc7515_a3, AKL_ALG_ES256);
    assert_int_equal(verify_text(rfc7515_a3_jwks, rfc7515_a3, AKL_ALG_ES256),
                     AKL_JWS_OK);
}


static void
rfc7515_a4_es512(void **state)
{
    (void) state;

    assert_int_equal(verify_text(rfc7515_a4_jwks, rfc7515_a4, AKL_ALG_ES512),
                     AKL_JWS_OK);
    assert_int_equal(parse_error(text_str(rfc7515_a4)), AKL_JWS_MALFORMED);
}


static void
rfc7520_4_1_rs256(void **state)
{
    (void) state;

    assert_int_equal(verify_text(rfc7520_rsa_jwks, rfc7520_4_1,
                                 AKL_ALG_RS256), AKL_JWS_OK);
    assert_int_equal(verify_text(rfc7520_pss_jwks, rfc7520_4_1,
                                 AKL_ALG_PS384), AKL_JWS_SIGNATURE);
}


static void
rfc7520_4_2_ps384(void **state)
{
    (void) state;

    assert_int_equal(verify_text(rfc7520_pss_jwks, rfc7520_4_2,
                                 AKL_ALG_PS384), AKL_JWS_OK);

    /* without alg in the JWK the key is an RS256 one */

    assert_int_equal(verify_text(rfc7520_rsa_jwks, rfc7520_4_2,
                                 AKL_ALG_PS384), AKL_JWS_ALGORITHM);
    assert_int_equal(verify_text(rfc7520_rsa_jwks, rfc7520_4_2,
                                 AKL_ALG_RS256), AKL_JWS_SIGNATURE);
}


static void
rfc7520_4_3_es512(void **state)
{
    (void) state;

    assert_int_equal(verify_text(rfc7520_ec_jwks, rfc7520_4_3,
                                 AKL_ALG_ES512), AKL_JWS_OK);
    assert_int_equal(verify_text(rfc7515_a4_jwks, rfc7520_4_3,
                                 AKL_ALG_ES512), AKL_JWS_SIGNATURE);
}


static void
rfc7638_3_1_thumbprint(void **state)
{
    akl_jwks_t   keys;
    const char  *err;

    (void) state;

    assert_int_equal(akl_jwks_parse(&keys, text_str(rfc7638_jwks), &err), 0);

    assert_string_equal(keys.keys[0].thumbprint, rfc7638_thumbprint);
    assert_true(akl_str_eq(keys.keys[0].kid, akl_str("2011-04-29")));

    akl_jwks_clear(&keys);
    assert_queue_empty();
}


static void
rfc8037_a1_private_key(void **state)
{
    json_t      *jwk;
    akl_jwk_t    key;
    const char  *err;

    (void) state;

    assert_int_equal(akl_jwk_private_from_pem(&key,
                                              text_str(rfc8037_private_pem),
                                              &err), 0);
    assert_int_equal(key.alg, AKL_ALG_EDDSA);
    assert_int_equal(key.private_key, 1);
    assert_string_equal(key.thumbprint, rfc8037_thumbprint);

    jwk = akl_jwk_export(&key);
    assert_non_null(jwk);
    assert_string_equal(json_string_value(json_object_get(jwk, "x")),
                        rfc8037_x);
    assert_null(json_object_get(jwk, "d"));

    json_decref(jwk);
    akl_jwk_clear(&key);
    assert_queue_empty();
}


static void
rfc8037_a2_a3_public_key_and_thumbprint(void **state)
{
    akl_jwks_t   keys;
    const char  *err;

    (void) state;

    assert_int_equal(akl_jwks_parse(&keys, text_str(rfc8037_jwks), &err), 0);

    assert_int_equal(keys.keys[0].alg, AKL_ALG_EDDSA);
    assert_string_equal(keys.keys[0].thumbprint, rfc8037_thumbprint);
    assert_true(akl_str_eq(keys.keys[0].kid, text_str(rfc8037_thumbprint)));

    akl_jwks_clear(&keys);
    assert_queue_empty();
}


static void
rfc8037_a4_signature(void **state)
{
    akl_jwk_t      key;
    token_t        t;
    size_t         n;
    const char    *err, *dot;
    unsigned char  sig[64];

    (void) state;

    assert_int_equal(verify_text(rfc8037_jwks, rfc8037_a4, AKL_ALG_EDDSA),
                     AKL_JWS_OK);

    /* and the private key of A.1 makes exactly this one */

    assert_int_equal(akl_jwk_private_from_pem(&key,
                                              text_str(rfc8037_private_pem),
                                              &err), 0);
    dot = strrchr(rfc8037_a4, '.');

    t.len = 0;
    token_put(&t, rfc8037_a4, (size_t) (dot - rfc8037_a4));
    n = raw_sign(sig, sizeof(sig), &t, key.pkey, AKL_ALG_EDDSA);
    token_end(&t, sig, n);

    assert_true(akl_str_eq(token_str(&t), text_str(rfc8037_a4)));

    akl_jwk_clear(&key);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(rfc7515_a1_hs256_and_a5_none),
        cmocka_unit_test(rfc7515_a2_rs256),
        cmocka_unit_test(rfc7515_a3_es256),
        cmocka_unit_test(rfc7515_a4_es512),
        cmocka_unit_test(rfc7520_4_1_rs256),
        cmocka_unit_test(rfc7520_4_2_ps384),
        cmocka_unit_test(rfc7520_4_3_es512),
        cmocka_unit_test(rfc7638_3_1_thumbprint),
        cmocka_unit_test(rfc8037_a1_private_key),
        cmocka_unit_test(rfc8037_a2_a3_public_key_and_thumbprint),
        cmocka_unit_test(rfc8037_a4_signature)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("jose_rfc", tests, NULL, NULL);
}
