/* Which key may verify which token, alone and in sets. */

#include <openssl/hmac.h>
#include <openssl/x509.h>

#include "lib/jose_keys.h"


static void
every_algorithm_verifies_with_its_key_only(void **state)
{
    int             alg, key;
    static token_t  t;

    (void) state;

    for (alg = AKL_ALG_NONE + 1; alg < AKL_ALG_N; alg++) {
        signed_token(&t, (akl_alg_t) alg);

        for (key = AKL_ALG_NONE + 1; key < AKL_ALG_N; key++) {
            assert_int_equal(verify_error(&t, &keys[key]),
                             key == alg ? AKL_JWS_OK : AKL_JWS_ALGORITHM);
        }
    }
}


static void
a_header_that_lies_about_rs_and_ps_fails(void **state)
{
    int             alg, claimed;
    size_t          n;
    unsigned char   sig[1024];
    static token_t  t;

    (void) state;

    /* signed in one way, labelled as another, offered to the label's key */

    for (alg = AKL_ALG_RS256; alg <= AKL_ALG_PS512; alg++) {
        for (claimed = AKL_ALG_RS256; claimed <= AKL_ALG_PS512; claimed++) {
            begin(&t, (akl_alg_t) claimed);
            n = raw_sign(sig, sizeof(sig), &t, rsa, (akl_alg_t) alg);
            token_end(&t, sig, n);

            assert_int_equal(verify_error(&t, &keys[claimed]),
                             alg == claimed ? AKL_JWS_OK : AKL_JWS_SIGNATURE);
        }
    }
}


static void
pss_salt_must_be_as_long_as_the_digest(void **state)
{
    size_t          i, n;
    EVP_MD_CTX     *ctx;
    EVP_PKEY_CTX   *pctx;
    unsigned char   sig[1024];
    static token_t  t;

    static const int  salts[] = { 0, 20, 31, 32, 33, 64 };

    (void) state;

    for (i = 0; i < sizeof(salts) / sizeof(salts[0]); i++) {
        begin(&t, AKL_ALG_PS256);

        n = sizeof(sig);
        ctx = EVP_MD_CTX_new();
        assert_int_equal(EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL,
                                            rsa), 1);
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salts[i]);
        assert_int_equal(EVP_DigestSign(ctx, sig, &n, t.data, t.len), 1);
        EVP_MD_CTX_free(ctx);

        token_end(&t, sig, n);
        assert_int_equal(verify_error(&t, &keys[AKL_ALG_PS256]),
                         salts[i] == 32 ? AKL_JWS_OK : AKL_JWS_SIGNATURE);
    }
}


static void
public_keys_are_no_hmac_secrets(void **state)
{
    int             i, alg;
    BIO            *bio;
    char           *data;
    long            len;
    char           *jwk;
    json_t         *object;
    unsigned        n;
    unsigned char   mac[64], *der, *p;
    static token_t  t;

    (void) state;

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, rsa);
    len = BIO_get_mem_data(bio, &data);

    der = NULL;
    i = i2d_PUBKEY(rsa, &der);
    assert_true(i > 0);

    object = akl_jwk_export(&keys[AKL_ALG_RS256]);
    jwk = json_dumps(object, JSON_COMPACT);
    json_decref(object);

    const struct {
        const void  *data;
        size_t       len;
    } secrets[] = {
        { data, (size_t) len },
        { data, (size_t) len - 1 },
        { der, (size_t) i },
        { jwk, strlen(jwk) },
        { "", 0 }
    };

    for (i = 0; i < 5; i++) {
        token_begin(&t, akl_str("{\"alg\":\"HS256\"}"), akl_str("{}"));
        p = t.data;
        HMAC(EVP_sha256(), secrets[i].data, (int) secrets[i].len, p, t.len,
             mac, &n);
        token_end(&t, mac, n);

        for (alg = AKL_ALG_NONE + 1; alg < AKL_ALG_N; alg++) {
            assert_int_equal(verify_error(&t, &keys[alg]), AKL_JWS_ALGORITHM);
        }

        /* the same secret under a name that we do know */

        begin(&t, AKL_ALG_RS256);
        HMAC(EVP_sha256(), secrets[i].data, (int) secrets[i].len, t.data,
             t.len, mac, &n);
        token_end(&t, mac, n);
        assert_int_equal(verify_error(&t, &keys[AKL_ALG_RS256]),
                         AKL_JWS_SIGNATURE);
    }

    free(jwk);
    OPENSSL_free(der);
    BIO_free(bio);
}


static void
es256_with_a_p384_key_fails(void **state)
{
    size_t          n;
    akl_jwk_t       wrong;
    unsigned char   sig[256];
    static token_t  t;

    (void) state;

    /* ECDSA with SHA-256 on P-384, whose 96 bytes fit no ES256 key */

    begin(&t, AKL_ALG_ES256);
    n = jws_sign(sig, sizeof(sig), &t, p384, AKL_ALG_ES256);
    assert_int_equal(n, 96);
    token_end(&t, sig, n);

    assert_int_equal(verify_error(&t, &keys[AKL_ALG_ES256]),
                     AKL_JWS_SIGNATURE);
    assert_int_equal(verify_error(&t, &keys[AKL_ALG_ES384]),
                     AKL_JWS_ALGORITHM);

    /* even a key that is mislabelled is held to the length of its label */

    wrong = keys[AKL_ALG_ES384];
    wrong.alg = AKL_ALG_ES256;
    assert_int_equal(verify_error(&t, &wrong), AKL_JWS_SIGNATURE);
}


static void
es256_with_a_secp256k1_key_fails(void **state)
{
    size_t          n;
    EVP_PKEY       *koblitz;
    unsigned char   sig[256];
    static token_t  t;

    (void) state;

    koblitz = make_key(EVP_PKEY_EC, NID_secp256k1);

    /* 64 bytes, as many as ES256 has; the curve is the key's all the same */

    begin(&t, AKL_ALG_ES256);
    n = jws_sign(sig, sizeof(sig), &t, koblitz, AKL_ALG_ES256);
    assert_int_equal(n, 64);
    token_end(&t, sig, n);
    assert_int_equal(verify_error(&t, &keys[AKL_ALG_ES256]),
                     AKL_JWS_SIGNATURE);

    make_token(&t, koblitz, AKL_ALG_ES256, akl_str("{\"alg\":\"ES256K\"}"),
               akl_str("{}"));
    assert_int_equal(verify_error(&t, &keys[AKL_ALG_ES256]),
                     AKL_JWS_ALGORITHM);

    EVP_PKEY_free(koblitz);
}


static void
ecdsa_over_another_digest_fails(void **state)
{
    int             i, k;
    static token_t  t;

    static const struct {
        akl_alg_t    alg;
        const char  *header;
    } algs[] = {
        { AKL_ALG_ES256, "{\"alg\":\"ES256\"}" },
        { AKL_ALG_ES384, "{\"alg\":\"ES384\"}" },
        { AKL_ALG_ES512, "{\"alg\":\"ES512\"}" }
    };

    (void) state;

    /* the right key and label, and a digest that is another one's */

    for (i = 0; i < 3; i++) {
        for (k = 0; k < 3; k++) {
            make_token(&t, key_of(algs[i].alg), algs[k].alg,
                       text_str(algs[i].header), akl_str("{}"));
            assert_int_equal(verify_error(&t, &keys[algs[i].alg]),
                             i == k ? AKL_JWS_OK : AKL_JWS_SIGNATURE);
        }
    }
}


static void
another_key_of_the_same_type_fails(void **state)
{
    akl_jwk_t       other;
    static token_t  t;

    (void) state;

    public_jwk(&other, other_p256, AKL_ALG_ES256);
    signed_token(&t, AKL_ALG_ES256);

    assert_int_equal(verify_error(&t, &other), AKL_JWS_SIGNATURE);
    akl_jwk_clear(&other);
}


static void
keys_that_a_token_brings_along_do_not_count(void **state)
{
    char            text[4096], *own;
    json_t         *object;
    akl_jwk_t       attacker;
    static token_t  t;

    (void) state;

    public_jwk(&attacker, other_p256, AKL_ALG_ES256);
    object = akl_jwk_export(&attacker);
    own = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    akl_jwk_clear(&attacker);

    snprintf(text, sizeof(text),
             "{\"alg\":\"ES256\",\"jwk\":%s,\"x5c\":[\"MIIB\"],"
             "\"jku\":\"https://127.0.0.1:1/\",\"x5u\":\"file:///x\"}", own);

    make_token(&t, other_p256, AKL_ALG_ES256, text_str(text), akl_str("{}"));
    assert_int_equal(verify_error(&t, &keys[AKL_ALG_ES256]),
                     AKL_JWS_SIGNATURE);

    make_token(&t, p256, AKL_ALG_ES256, text_str(text), akl_str("{}"));
    assert_int_equal(verify_error(&t, &keys[AKL_ALG_ES256]), AKL_JWS_OK);

    free(own);
}


static akl_jws_error_t
with_set(const char *kid, EVP_PKEY *pkey, akl_alg_t alg,
    const akl_jwks_t *set, int try_all, size_t *used)
{
    char             header[256];
    akl_jws_t        jws;
    akl_jws_error_t  rc;
    static token_t   t;

    if (kid == NULL) {
        sprintf(header, "{\"alg\":\"%s\"}", akl_alg_name(alg));

    } else {
        sprintf(header, "{\"alg\":\"%s\",\"kid\":\"%s\"}", akl_alg_name(alg),
                kid);
    }

    make_token(&t, pkey, alg, text_str(header), akl_str("{}"));

    assert_int_equal(akl_jws_parse(&jws, token_str(&t)), AKL_JWS_OK);
    *used = 99;
    rc = akl_jws_verify_set(&jws, set, try_all, used);
    akl_jws_clear(&jws);
    assert_queue_empty();

    if (rc != AKL_JWS_OK) {
        assert_int_equal(*used, 99);
    }

    return rc;
}


static void
sets_are_searched_by_kid_then_by_alg(void **state)
{
    size_t       used;
    akl_jwk_t    list[4], other;
    akl_jwks_t   set;

    (void) state;

    public_jwk(&other, other_p256, AKL_ALG_ES256);

    /* two keys of one kid: RFC 7517 section 4.5 allows that across types */

    list[0] = other;
    list[0].kid = akl_str("a");
    list[1] = keys[AKL_ALG_ES256];
    list[1].kid = akl_str("b");
    list[2] = keys[AKL_ALG_RS256];
    list[2].kid = akl_str("b");
    list[3] = keys[AKL_ALG_EDDSA];
    list[3].kid = akl_str("c");

    memset(&set, 0, sizeof(set));
    set.keys = list;
    set.n = 4;

    assert_int_equal(with_set("a", other_p256, AKL_ALG_ES256, &set, 0, &used),
                     AKL_JWS_OK);
    assert_int_equal(used, 0);

    assert_int_equal(with_set("b", p256, AKL_ALG_ES256, &set, 0, &used),
                     AKL_JWS_OK);
    assert_int_equal(used, 1);

    assert_int_equal(with_set("b", rsa, AKL_ALG_RS256, &set, 0, &used),
                     AKL_JWS_OK);
    assert_int_equal(used, 2);

    /* the kid decides, other keys are not tried, not even with try_all */

    assert_int_equal(with_set("a", p256, AKL_ALG_ES256, &set, 1, &used),
                     AKL_JWS_SIGNATURE);
    assert_int_equal(with_set("c", p256, AKL_ALG_ES256, &set, 1, &used),
                     AKL_JWS_ALGORITHM);

    /* no kid, or an unknown one */

    assert_int_equal(with_set(NULL, p256, AKL_ALG_ES256, &set, 0, &used),
                     AKL_JWS_OK);
    assert_int_equal(used, 1);

    assert_int_equal(with_set("", p256, AKL_ALG_ES256, &set, 0, &used),
                     AKL_JWS_OK);

    assert_int_equal(with_set("d", p256, AKL_ALG_ES256, &set, 0, &used),
                     AKL_JWS_SIGNATURE);
    assert_int_equal(with_set("d", p256, AKL_ALG_ES256, &set, 1, &used),
                     AKL_JWS_OK);
    assert_int_equal(used, 1);

    assert_int_equal(with_set("../a", other_p256, AKL_ALG_ES256, &set, 0,
                              &used), AKL_JWS_SIGNATURE);

    assert_int_equal(with_set(NULL, p384, AKL_ALG_ES384, &set, 1, &used),
                     AKL_JWS_ALGORITHM);

    akl_jwk_clear(&other);
}


static void
a_token_dies_with_its_key(void **state)
{
    size_t       used;
    akl_jwk_t    list[2], other;
    akl_jwks_t   set;

    (void) state;

    public_jwk(&other, other_p256, AKL_ALG_ES256);

    list[0] = other;
    list[1] = keys[AKL_ALG_ES256];

    memset(&set, 0, sizeof(set));
    set.keys = list;
    set.n = 2;

    assert_int_equal(with_set(list[1].thumbprint, p256, AKL_ALG_ES256, &set,
                              0, &used), AKL_JWS_OK);

    set.n = 1;
    assert_int_equal(with_set(list[1].thumbprint, p256, AKL_ALG_ES256, &set,
                              0, &used), AKL_JWS_SIGNATURE);
    assert_int_equal(with_set(NULL, p256, AKL_ALG_ES256, &set, 1, &used),
                     AKL_JWS_SIGNATURE);

    set.n = 0;
    assert_int_equal(with_set(NULL, p256, AKL_ALG_ES256, &set, 1, &used),
                     AKL_JWS_ALGORITHM);

    akl_jwk_clear(&other);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(every_algorithm_verifies_with_its_key_only),
        cmocka_unit_test(a_header_that_lies_about_rs_and_ps_fails),
        cmocka_unit_test(pss_salt_must_be_as_long_as_the_digest),
        cmocka_unit_test(public_keys_are_no_hmac_secrets),
        cmocka_unit_test(es256_with_a_p384_key_fails),
        cmocka_unit_test(es256_with_a_secp256k1_key_fails),
        cmocka_unit_test(ecdsa_over_another_digest_fails),
        cmocka_unit_test(another_key_of_the_same_type_fails),
        cmocka_unit_test(keys_that_a_token_brings_along_do_not_count),
        cmocka_unit_test(sets_are_searched_by_kid_then_by_alg),
        cmocka_unit_test(a_token_dies_with_its_key)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("jose_verify", tests, jose_setup,
                                       jose_teardown);
}
