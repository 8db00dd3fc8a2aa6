/* ECDSA signatures between DER and r || s. */

#include "lib/jose_test.h"
#include "../../src/jose/jose.h"


static void
curve_orders_are_those_of_openssl(void **state)
{
    int                 i;
    EC_GROUP           *group;
    unsigned char       n[66];
    const akl_curve_t  *curve;

    static const akl_alg_t  algs[] = {
        AKL_ALG_ES256, AKL_ALG_ES384, AKL_ALG_ES512
    };

    (void) state;

    for (i = 0; i < 3; i++) {
        curve = akl_curve_of_alg(algs[i]);
        group = EC_GROUP_new_by_curve_name(curve->nid);

        assert_int_equal(BN_bn2binpad(EC_GROUP_get0_order(group), n,
                                      (int) curve->size), curve->size);
        assert_memory_equal(n, curve->order, curve->size);
        EC_GROUP_free(group);
    }
}


static void
der_conversion_agrees_with_openssl(void **state)
{
    int                    i, k;
    size_t                 len;
    akl_str_t              in;
    ECDSA_SIG             *rs;
    unsigned char          raw[132], back[132], der[AKL_ECDSA_DER_MAX], *want;
    const akl_curve_t     *curve;

    static const akl_alg_t  algs[] = {
        AKL_ALG_ES256, AKL_ALG_ES384, AKL_ALG_ES512
    };

    /* r and s from one byte to the full size, high bit set or clear */

    (void) state;

    for (i = 0; i < 3; i++) {
        curve = akl_curve_of_alg(algs[i]);

        for (k = 0; k < (int) curve->size * 4; k++) {
            memset(raw, 0, sizeof(raw));
            raw[k / 4] = (k & 1) ? 0x80 : 0x01;
            raw[2 * curve->size - 1 - k / 4] = (k & 2) ? 0x80 : 0x01;
            raw[curve->size - 1] |= 1;
            raw[2 * curve->size - 1] |= 1;

            if (memcmp(raw, curve->order, curve->size) >= 0
                || memcmp(raw + curve->size, curve->order, curve->size) >= 0)
            {
                assert_int_equal(akl_ecdsa_to_der(der, raw, curve), 0);
                continue;
            }

            len = akl_ecdsa_to_der(der, raw, curve);
            assert_true(len > 0 && len <= sizeof(der));

            rs = ECDSA_SIG_new();
            ECDSA_SIG_set0(rs, BN_bin2bn(raw, (int) curve->size, NULL),
                           BN_bin2bn(raw + curve->size, (int) curve->size,
                                     NULL));
            want = NULL;
            assert_int_equal(i2d_ECDSA_SIG(rs, &want), len);
            assert_memory_equal(der, want, len);
            OPENSSL_free(want);
            ECDSA_SIG_free(rs);

            in.data = der;
            in.len = len;
            assert_int_equal(akl_ecdsa_from_der(back, in, curve), 0);
            assert_memory_equal(back, raw, 2 * curve->size);

            for (in.len = 0; in.len < len; in.len++) {
                assert_int_equal(akl_ecdsa_from_der(back, in, curve), -1);
            }
        }
    }
}


static void
der_that_is_not_minimal_is_refused(void **state)
{
    unsigned char       raw[64];
    const akl_curve_t  *curve;

    (void) state;

    curve = akl_curve_of_alg(AKL_ALG_ES256);

#define from(text)  akl_ecdsa_from_der(raw, akl_str(text), curve)

    assert_int_equal(from("\x30\x06\x02\x01\x01\x02\x01\x01"), 0);
    assert_int_equal(from("\x30\x81\x06\x02\x01\x01\x02\x01\x01"), -1);
    assert_int_equal(from("\x30\x82\0\x06\x02\x01\x01\x02\x01\x01"), -1);
    assert_int_equal(from("\x30\x80\x02\x01\x01\x02\x01\x01\0\0"), -1);
    assert_int_equal(from("\x31\x06\x02\x01\x01\x02\x01\x01"), -1);
    assert_int_equal(from("\x30\x06\x02\x01\x81\x02\x01\x01"), -1);
    assert_int_equal(from("\x30\x05\x02\0\x02\x01\x01"), -1);
    assert_int_equal(from("\x30\x06\x02\x01\x01\x02\x01\x01\0"), -1);
    assert_int_equal(from("\x30\x07\x02\x01\x01\x02\x01\x01\0"), -1);
    assert_int_equal(from("\x30\x27\x02\x01\x01\x02\x22\x01"
                          "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
                          "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
                          "\x01\x01\x01\x01\x01\x01\x01\x01\x01"), -1);

#undef from
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(curve_orders_are_those_of_openssl),
        cmocka_unit_test(der_conversion_agrees_with_openssl),
        cmocka_unit_test(der_that_is_not_minimal_is_refused)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("jose_der", tests, NULL, NULL);
}
