/* Signatures that must not hold, byte by byte. */

#include "lib/jose_keys.h"
#include "../../src/jose/jose.h"


static void
every_flipped_bit_is_noticed(void **state)
{
    int              alg;
    size_t           i;
    akl_jws_t        jws;
    unsigned char   *input;
    static token_t   t;

    (void) state;

    for (alg = AKL_ALG_NONE + 1; alg < AKL_ALG_N; alg++) {
        signed_token(&t, (akl_alg_t) alg);
        assert_int_equal(akl_jws_parse(&jws, token_str(&t)), AKL_JWS_OK);

        for (i = 0; i < jws.signature_len; i += 7) {
            jws.signature[i] ^= 0x10;
            assert_int_equal(akl_jws_verify(&jws, &keys[alg]),
                             AKL_JWS_SIGNATURE);
            jws.signature[i] ^= 0x10;
        }

        input = t.data;

        for (i = 0; i < jws.signing_input.len; i += 5) {
            input[i] ^= 0x01;
            assert_int_equal(akl_jws_verify(&jws, &keys[alg]),
                             AKL_JWS_SIGNATURE);
            input[i] ^= 0x01;
        }

        assert_int_equal(akl_jws_verify(&jws, &keys[alg]), AKL_JWS_OK);
        assert_queue_empty();
        akl_jws_clear(&jws);
    }
}


static void
every_wrong_length_is_refused(void **state)
{
    int              alg;
    size_t           n, len;
    unsigned char    sig[2048];
    static token_t   t;

    (void) state;

    for (alg = AKL_ALG_NONE + 1; alg < AKL_ALG_N; alg++) {
        memset(sig, 0x11, sizeof(sig));
        begin(&t, (akl_alg_t) alg);
        n = jws_sign(sig, sizeof(sig), &t, key_of((akl_alg_t) alg),
                     (akl_alg_t) alg);

        for (len = 1; len < n + 40; len++) {
            assert_int_equal(forged((akl_alg_t) alg, sig, len),
                             len == n ? AKL_JWS_OK : AKL_JWS_SIGNATURE);
        }

        assert_int_equal(forged((akl_alg_t) alg, sig, 0), AKL_JWS_MALFORMED);
        assert_int_equal(forged((akl_alg_t) alg, sig, 1024),
                         AKL_JWS_SIGNATURE);
    }
}


static void
huge_es256_signatures_are_refused(void **state)
{
    static token_t        t;
    static unsigned char  sig[16372];

    (void) state;

    /* 21,830 characters, and the most that still fits a token */

    begin(&t, AKL_ALG_ES256);
    token_end(&t, sig, 16372);
    assert_int_equal(verify_error(&t, &keys[AKL_ALG_ES256]),
                     AKL_JWS_TOO_LARGE);

    begin(&t, AKL_ALG_ES256);
    token_end(&t, sig, 12000);
    assert_int_equal(verify_error(&t, &keys[AKL_ALG_ES256]),
                     AKL_JWS_SIGNATURE);
}


static void
der_instead_of_raw_is_refused(void **state)
{
    int             i;
    size_t          n;
    akl_alg_t       alg;
    unsigned char   sig[256];
    static token_t  t;

    static const akl_alg_t  algs[] = {
        AKL_ALG_ES256, AKL_ALG_ES384, AKL_ALG_ES512
    };

    (void) state;

    for (i = 0; i < 3; i++) {
        alg = algs[i];

        begin(&t, alg);
        n = raw_sign(sig, sizeof(sig), &t, key_of(alg), alg);
        assert_int_equal(sig[0], 0x30);
        token_end(&t, sig, n);

        assert_int_equal(verify_error(&t, &keys[alg]), AKL_JWS_SIGNATURE);
    }
}


static void
r_and_s_must_be_within_1_and_n(void **state)
{
    int                 i, k;
    size_t              size;
    unsigned char       sig[132], good[256];
    static token_t      t;
    const akl_curve_t  *curve;

    static const akl_alg_t  algs[] = {
        AKL_ALG_ES256, AKL_ALG_ES384, AKL_ALG_ES512
    };

    (void) state;

    for (i = 0; i < 3; i++) {
        curve = akl_curve_of_alg(algs[i]);
        size = curve->size;

        begin(&t, algs[i]);
        jws_sign(good, sizeof(good), &t, key_of(algs[i]), algs[i]);
        assert_int_equal(forged(algs[i], good, 2 * size), AKL_JWS_OK);

        for (k = 0; k < 2; k++) {

            /* 0 */

            memcpy(sig, good, 2 * size);
            memset(sig + k * size, 0, size);
            assert_int_equal(forged(algs[i], sig, 2 * size),
                             AKL_JWS_SIGNATURE);

            /* n */

            memcpy(sig + k * size, curve->order, size);
            assert_int_equal(forged(algs[i], sig, 2 * size),
                             AKL_JWS_SIGNATURE);

            /* n + 1 */

            sig[(k + 1) * size - 1]++;
            assert_int_equal(forged(algs[i], sig, 2 * size),
                             AKL_JWS_SIGNATURE);

            /* all ones */

            memset(sig + k * size, 0xff, size);
            assert_int_equal(forged(algs[i], sig, 2 * size),
                             AKL_JWS_SIGNATURE);

            /* 1 */

            memset(sig + k * size, 0, size);
            sig[(k + 1) * size - 1] = 1;
            assert_int_equal(forged(algs[i], sig, 2 * size),
                             AKL_JWS_SIGNATURE);
        }

        memset(sig, 0, 2 * size);
        assert_int_equal(forged(algs[i], sig, 2 * size), AKL_JWS_SIGNATURE);
    }
}


static void
s_plus_n_is_not_the_same_signature(void **state)
{
    int                 i;
    BIGNUM             *s, *n;
    unsigned char       sig[256];
    static token_t      t;
    const akl_curve_t  *curve;

    (void) state;

    /* a small s leaves room for s + n within 66 bytes on P-521 only */

    curve = akl_curve_of_alg(AKL_ALG_ES512);

    begin(&t, AKL_ALG_ES512);
    jws_sign(sig, sizeof(sig), &t, p521, AKL_ALG_ES512);

    s = BN_bin2bn(sig + curve->size, (int) curve->size, NULL);
    n = BN_bin2bn(curve->order, (int) curve->size, NULL);
    assert_int_equal(BN_add(s, s, n), 1);

    i = BN_bn2binpad(s, sig + curve->size, (int) curve->size);
    assert_int_equal(i, curve->size);
    assert_int_equal(forged(AKL_ALG_ES512, sig, 2 * curve->size),
                     AKL_JWS_SIGNATURE);

    BN_free(s);
    BN_free(n);
}


static void
rsa_values_0_1_n_minus_1_and_n(void **state)
{
    int                 alg;
    akl_str_t           n;
    const char         *err;
    unsigned char       sig[RSA_BYTES + 1];
    akl_jwk_members_t   m;

    (void) state;

    assert_int_equal(akl_jwk_members_get(&m, rsa, &err), 0);
    n = m.first;
    assert_int_equal(n.len, RSA_BYTES);

    for (alg = AKL_ALG_RS256; alg <= AKL_ALG_PS512; alg++) {
        memset(sig, 0, sizeof(sig));
        assert_int_equal(forged((akl_alg_t) alg, sig, RSA_BYTES),
                         AKL_JWS_SIGNATURE);

        sig[RSA_BYTES - 1] = 1;
        assert_int_equal(forged((akl_alg_t) alg, sig, RSA_BYTES),
                         AKL_JWS_SIGNATURE);

        memcpy(sig, n.data, n.len);
        sig[RSA_BYTES - 1]--;
        assert_int_equal(forged((akl_alg_t) alg, sig, RSA_BYTES),
                         AKL_JWS_SIGNATURE);

        memcpy(sig, n.data, n.len);
        assert_int_equal(forged((akl_alg_t) alg, sig, RSA_BYTES),
                         AKL_JWS_SIGNATURE);

        sig[RSA_BYTES - 1]++;
        assert_int_equal(forged((akl_alg_t) alg, sig, RSA_BYTES),
                         AKL_JWS_SIGNATURE);

        memset(sig, 0xff, sizeof(sig));
        assert_int_equal(forged((akl_alg_t) alg, sig, RSA_BYTES),
                         AKL_JWS_SIGNATURE);
    }
}


static void
rsa_value_s_plus_n_and_leading_zero(void **state)
{
    size_t              n;
    const char         *err;
    BIGNUM             *s, *modulus;
    unsigned char       sig[1024], longer[RSA_BYTES + 1];
    static token_t      t;
    akl_jwk_members_t   m;

    (void) state;

    begin(&t, AKL_ALG_RS256);
    n = jws_sign(sig, sizeof(sig), &t, rsa, AKL_ALG_RS256);
    assert_int_equal(n, RSA_BYTES);

    longer[0] = 0;
    memcpy(longer + 1, sig, n);
    assert_int_equal(forged(AKL_ALG_RS256, longer, n + 1), AKL_JWS_SIGNATURE);

    assert_int_equal(akl_jwk_members_get(&m, rsa, &err), 0);
    s = BN_bin2bn(sig, (int) n, NULL);
    modulus = BN_bin2bn(m.first.data, (int) m.first.len, NULL);
    assert_int_equal(BN_add(s, s, modulus), 1);

    assert_true(BN_bn2binpad(s, longer, sizeof(longer)) > 0);
    assert_int_equal(forged(AKL_ALG_RS256, longer, sizeof(longer)),
                     AKL_JWS_SIGNATURE);

    BN_free(s);
    BN_free(modulus);
}


static void
ed25519_s_not_below_the_order_is_refused(void **state)
{
    int             i, carry;
    unsigned char   sig[64], high[64];
    static token_t  t;

    static const unsigned char  order[32] = {
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
        0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10
    };

    (void) state;

    begin(&t, AKL_ALG_EDDSA);
    assert_int_equal(jws_sign(sig, sizeof(sig), &t, ed, AKL_ALG_EDDSA), 64);
    assert_int_equal(forged(AKL_ALG_EDDSA, sig, 64), AKL_JWS_OK);

    /* S + L: the equation holds as before */

    memcpy(high, sig, 64);
    carry = 0;

    for (i = 0; i < 32; i++) {
        carry += high[32 + i] + order[i];
        high[32 + i] = (unsigned char) carry;
        carry >>= 8;
    }

    assert_int_equal(forged(AKL_ALG_EDDSA, high, 64), AKL_JWS_SIGNATURE);

    memcpy(high + 32, order, 32);
    assert_int_equal(forged(AKL_ALG_EDDSA, high, 64), AKL_JWS_SIGNATURE);

    memset(high, 0, 64);
    assert_int_equal(forged(AKL_ALG_EDDSA, high, 64), AKL_JWS_SIGNATURE);

    memset(high, 0xff, 64);
    assert_int_equal(forged(AKL_ALG_EDDSA, high, 64), AKL_JWS_SIGNATURE);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(every_wrong_length_is_refused),
        cmocka_unit_test(huge_es256_signatures_are_refused),
        cmocka_unit_test(der_instead_of_raw_is_refused),
        cmocka_unit_test(r_and_s_must_be_within_1_and_n),
        cmocka_unit_test(s_plus_n_is_not_the_same_signature),
        cmocka_unit_test(rsa_values_0_1_n_minus_1_and_n),
        cmocka_unit_test(rsa_value_s_plus_n_and_leading_zero),
        cmocka_unit_test(ed25519_s_not_below_the_order_is_refused)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("jose_signature", tests, jose_setup,
                                       jose_teardown);
}
