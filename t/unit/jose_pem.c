/* Keys from PEM: every accepted form, every refused one. */

#include "lib/jose_test.h"
#include "vectors/pem.h"
#include "vectors/rfc.h"


static void
private_is(const char *pem, akl_alg_t alg)
{
    akl_jwk_t    key;
    const char  *err = NULL;

    if (akl_jwk_private_from_pem(&key, text_str(pem), &err) != 0) {
        fail_msg("%s", err);
    }

    assert_int_equal(key.alg, alg);
    assert_int_equal(key.private_key, 1);
    assert_non_null(key.pkey);
    assert_int_equal(strlen(key.thumbprint), 43);
    assert_true(akl_str_eq(key.kid, text_str(key.thumbprint)));
    assert_queue_empty();

    akl_jwk_clear(&key);
    assert_null(key.pkey);
    akl_jwk_clear(&key);
}


static void
public_is(const char *pem, akl_alg_t alg)
{
    size_t          len;
    akl_jwk_t       key;
    EVP_MD_CTX     *ctx;
    const char     *err = NULL;
    unsigned char   sig[1024];

    if (akl_jwk_public_from_pem(&key, text_str(pem), &err) != 0) {
        fail_msg("%s", err);
    }

    assert_int_equal(key.alg, alg);
    assert_int_equal(key.private_key, 0);
    assert_queue_empty();

    /* nothing private is left in it */

    len = sizeof(sig);

    if (alg == AKL_ALG_EDDSA) {
        assert_int_not_equal(EVP_PKEY_get_raw_private_key(key.pkey, sig,
                                                          &len), 1);

    } else {
        sig[0] = 0;
        ctx = EVP_MD_CTX_new();
        assert_false(EVP_DigestSignInit(ctx, NULL, alg_md(alg), NULL,
                                        key.pkey) == 1
                     && EVP_DigestSign(ctx, sig, &len, sig, 1) == 1);
        EVP_MD_CTX_free(ctx);
    }

    ERR_clear_error();

    assert_null(akl_signer_create(&key));
    akl_jwk_clear(&key);
}


static void
refused(int (*from)(akl_jwk_t *jwk, akl_str_t pem, const char **err),
    akl_str_t pem, const char *why)
{
    akl_jwk_t    key;
    const char  *err = NULL;

    memset(&key, 0xa5, sizeof(key));

    assert_int_equal(from(&key, pem, &err), -1);
    assert_non_null(err);
    assert_string_equal(err, why);

    assert_null(key.pkey);
    assert_null(key.kid.data);
    assert_queue_empty();
    akl_jwk_clear(&key);
}


static void
private_refused(const char *pem, const char *why)
{
    refused(akl_jwk_private_from_pem, text_str(pem), why);
}


static void
public_refused(const char *pem, const char *why)
{
    refused(akl_jwk_public_from_pem, text_str(pem), why);
}


static void
private_keys_of_every_form(void **state)
{
    (void) state;

    private_is(pem_rsa, AKL_ALG_RS256);
    private_is(pem_rsa_pkcs1, AKL_ALG_RS256);
    private_is(pem_p256, AKL_ALG_ES256);
    private_is(pem_p256_pkcs8, AKL_ALG_ES256);
    private_is(pem_p256_compressed, AKL_ALG_ES256);
    private_is(pem_p384, AKL_ALG_ES384);
    private_is(pem_ed25519, AKL_ALG_EDDSA);
}


static void
public_keys_of_every_form(void **state)
{
    (void) state;

    public_is(pem_rsa_spki, AKL_ALG_RS256);
    public_is(pem_rsa_public_pkcs1, AKL_ALG_RS256);
    public_is(pem_rsa_certificate, AKL_ALG_RS256);
    public_is(pem_p256_spki, AKL_ALG_ES256);
    public_is(pem_p521_spki, AKL_ALG_ES512);
}


static void
public_halves_of_private_keys(void **state)
{
    (void) state;

    public_is(pem_rsa, AKL_ALG_RS256);
    public_is(pem_rsa_pkcs1, AKL_ALG_RS256);
    public_is(pem_p256, AKL_ALG_ES256);
    public_is(pem_p256_pkcs8, AKL_ALG_ES256);
    public_is(pem_p256_compressed, AKL_ALG_ES256);
    public_is(pem_p384, AKL_ALG_ES384);
    public_is(pem_p521, AKL_ALG_ES512);
    public_is(pem_ed25519, AKL_ALG_EDDSA);
    public_is(rfc8037_private_pem, AKL_ALG_EDDSA);
}


static void
all_forms_of_a_key_are_the_same_key(void **state)
{
    size_t       i, k;
    akl_jwk_t    keys[9];
    const char  *err;

    static const char  *const pems[] = {
        pem_rsa, pem_rsa_pkcs1, pem_rsa_spki, pem_rsa_public_pkcs1,
        pem_rsa_certificate,
        pem_p256, pem_p256_pkcs8, pem_p256_compressed, pem_p256_spki
    };

    (void) state;

    for (i = 0; i < 9; i++) {
        assert_int_equal(akl_jwk_public_from_pem(&keys[i], text_str(pems[i]),
                                                 &err), 0);
    }

    for (i = 0; i < 9; i++) {
        for (k = 0; k < 9; k++) {
            assert_int_equal(akl_jwk_same_public(&keys[i], &keys[k]),
                             (i < 5) == (k < 5));
        }
    }

    for (i = 0; i < 9; i++) {
        akl_jwk_clear(&keys[i]);
    }
}


static void
weak_rsa_keys(void **state)
{
    (void) state;

    private_refused(pem_rsa_1024, "RSA key is smaller than 2048 bits");
    public_refused(pem_rsa_1024, "RSA key is smaller than 2048 bits");
    public_refused(pem_rsa_e1, "RSA exponent is even or smaller than 3");
    public_refused(pem_rsa_e1_pkcs1, "RSA exponent is even or smaller than 3");
    public_refused(pem_rsa_16k, "RSA key is larger than 8192 bits");
}


static void
keys_that_do_not_sign_here(void **state)
{
    (void) state;

    private_refused(pem_p521, "P-521 keys verify, but do not sign");
    private_refused(pem_secp256k1,
                    "EC key is on none of P-256, P-384 and P-521");
    public_refused(pem_secp256k1,
                   "EC key is on none of P-256, P-384 and P-521");
    private_refused(pem_rsa_pss, "key is neither RSA, EC nor Ed25519");
    public_refused(pem_rsa_pss, "key is neither RSA, EC nor Ed25519");
    private_refused(pem_x25519, "key is neither RSA, EC nor Ed25519");
    public_refused(pem_x25519, "key is neither RSA, EC nor Ed25519");
    private_refused(pem_ed448, "key is neither RSA, EC nor Ed25519");
}


static void
explicit_curve_parameters(void **state)
{
    akl_jwk_t    key;
    const char  *err;

    (void) state;

    assert_int_equal(akl_jwk_private_from_pem(&key,
                                              text_str(pem_p256_explicit),
                                              &err), -1);
    assert_int_equal(akl_jwk_public_from_pem(&key,
                                             text_str(pem_p256_explicit),
                                             &err), -1);
    assert_queue_empty();
}


static void
passwords_are_never_asked_for(void **state)
{
    (void) state;

    private_refused(pem_p256_encrypted,
                    "private key is protected by a password");
    private_refused(pem_p256_encrypted_pkcs8,
                    "private key is protected by a password");
    public_refused(pem_p256_encrypted,
                   "private key is protected by a password");
    public_refused(pem_p256_encrypted_pkcs8,
                   "private key is protected by a password");
}


static void
halves_that_do_not_match(void **state)
{
    akl_jwk_t    key;
    const char  *err;

    (void) state;

    assert_int_equal(akl_jwk_private_from_pem(&key,
                                              text_str(pem_p256_mismatch),
                                              &err), -1);
    assert_null(key.pkey);
    assert_queue_empty();
}


static void
public_where_private_is_wanted(void **state)
{
    static const char  why[] = "no usable private key found in the PEM";

    (void) state;

    private_refused(pem_rsa_spki, why);
    private_refused(pem_rsa_public_pkcs1, why);
    private_refused(pem_rsa_certificate, why);
    private_refused(pem_p256_spki, why);
}


static void
no_pem_at_all(void **state)
{
    static const char  none[] = "no usable private key found in the PEM";
    static const char  empty[] = "no usable public key found in the PEM";

    (void) state;

    private_refused("", "no PEM block found");
    public_refused("", "no PEM block found");
    private_refused("hello\n", none);
    public_refused("hello\n", empty);
    private_refused("-----BEGIN PRIVATE KEY-----\n", none);
    public_refused("-----BEGIN PUBLIC KEY-----\n", empty);
    private_refused("-----BEGIN PRIVATE KEY-----\nAAAA\n"
                    "-----END PRIVATE KEY-----\n", none);
    public_refused("-----BEGIN PUBLIC KEY-----\nAAAA\n"
                   "-----END PUBLIC KEY-----\n", "public key is malformed");
    public_refused("-----BEGIN RSA PUBLIC KEY-----\nAAAA\n"
                   "-----END RSA PUBLIC KEY-----\n",
                   "public key is malformed");
    public_refused("-----BEGIN CERTIFICATE-----\nAAAA\n"
                   "-----END CERTIFICATE-----\n", "certificate is malformed");
    public_refused("-----BEGIN DH PARAMETERS-----\nAAAA\n"
                   "-----END DH PARAMETERS-----\n", empty);
}


static void
truncated_pem(void **state)
{
    size_t       n;
    akl_jwk_t    key;
    const char  *err;

    (void) state;

    for (n = 0; n < sizeof(pem_p256_spki) - 3; n += 3) {
        assert_int_equal(akl_jwk_public_from_pem(&key,
                         (akl_str_t) { n, (const unsigned char *)
                                          pem_p256_spki }, &err), -1);
        assert_null(key.pkey);
        assert_queue_empty();
    }
}


static void
text_around_the_block_is_skipped(void **state)
{
    char  text[8192];

    (void) state;

    snprintf(text, sizeof(text), "# a comment\n\n%s\ntrailing\n", pem_ed25519);
    private_is(text, AKL_ALG_EDDSA);

    snprintf(text, sizeof(text), "%s%s", pem_rsa_certificate, pem_rsa);
    private_is(text, AKL_ALG_RS256);
    public_is(text, AKL_ALG_RS256);
}


static void
pem_ends_at_256_kb(void **state)
{
    size_t  n;
    char   *text;

    (void) state;

    n = 256 * 1024;
    text = malloc(n + 2);
    assert_non_null(text);

    memset(text, '\n', n + 1);
    memcpy(text, pem_ed25519, sizeof(pem_ed25519) - 1);
    text[n] = '\0';
    private_is(text, AKL_ALG_EDDSA);

    text[n] = '\n';
    text[n + 1] = '\0';
    private_refused(text, "PEM is larger than 256 KB");

    free(text);
}


static void
exported_keys_parse_back(void **state)
{
    size_t       i;
    char        *text;
    json_t      *set, *jwk;
    akl_jwk_t    key;
    akl_jwks_t   keys;
    const char  *err;

    static const char  *const pems[] = {
        pem_rsa, pem_p256, pem_p384, pem_p521, pem_ed25519
    };

    (void) state;

    for (i = 0; i < 5; i++) {
        assert_int_equal(akl_jwk_public_from_pem(&key, text_str(pems[i]),
                                                 &err), 0);
        jwk = akl_jwk_export(&key);
        assert_non_null(jwk);

        assert_string_equal(json_string_value(json_object_get(jwk, "use")),
                            "sig");
        assert_string_equal(json_string_value(json_object_get(jwk, "alg")),
                            akl_alg_name(key.alg));
        assert_string_equal(json_string_value(json_object_get(jwk, "kid")),
                            key.thumbprint);
        assert_null(json_object_get(jwk, "d"));
        assert_null(json_object_get(jwk, "p"));

        set = json_pack("{s:[o]}", "keys", jwk);
        text = json_dumps(set, 0);

        assert_int_equal(akl_jwks_parse(&keys, text_str(text), &err), 0);
        assert_int_equal(keys.n, 1);
        assert_int_equal(keys.skipped, 0);
        assert_int_equal(keys.keys[0].alg, key.alg);
        assert_true(akl_jwk_same_public(&keys.keys[0], &key));
        assert_true(akl_str_eq(keys.keys[0].kid, key.kid));

        akl_jwks_clear(&keys);
        akl_jwk_clear(&key);
        json_decref(set);
        free(text);
        assert_queue_empty();
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(private_keys_of_every_form),
        cmocka_unit_test(public_keys_of_every_form),
        cmocka_unit_test(public_halves_of_private_keys),
        cmocka_unit_test(all_forms_of_a_key_are_the_same_key),
        cmocka_unit_test(weak_rsa_keys),
        cmocka_unit_test(keys_that_do_not_sign_here),
        cmocka_unit_test(explicit_curve_parameters),
        cmocka_unit_test(passwords_are_never_asked_for),
        cmocka_unit_test(halves_that_do_not_match),
        cmocka_unit_test(public_where_private_is_wanted),
        cmocka_unit_test(no_pem_at_all),
        cmocka_unit_test(truncated_pem),
        cmocka_unit_test(text_around_the_block_is_skipped),
        cmocka_unit_test(pem_ends_at_256_kb),
        cmocka_unit_test(exported_keys_parse_back)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("jose_pem", tests, NULL, NULL);
}
