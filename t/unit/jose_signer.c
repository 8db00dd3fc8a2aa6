/* The signer: what it writes, that it verifies, that it can be reused. */

#include <unistd.h>
#include <sys/wait.h>

#include "lib/jose_test.h"
#include "../../src/cli/json.h"
#include "vectors/pem.h"


static const char  *const pems[] = {
    pem_rsa, pem_p256, pem_p384, pem_ed25519
};

static const akl_alg_t  algs[] = {
    AKL_ALG_RS256, AKL_ALG_ES256, AKL_ALG_ES384, AKL_ALG_EDDSA
};

static const size_t  sizes[] = { 256, 64, 96, 64 };


static void
load(akl_jwk_t *key, akl_jwk_t *public, const char *pem)
{
    const char  *err;

    assert_int_equal(akl_jwk_private_from_pem(key, text_str(pem), &err), 0);
    assert_int_equal(akl_jwk_public_from_pem(public, text_str(pem), &err), 0);
    assert_true(akl_jwk_same_public(key, public));
}


static akl_jws_error_t
verified(const unsigned char *token, size_t len, const akl_jwk_t *key)
{
    akl_jws_t        jws;
    akl_jws_error_t  rc;

    rc = akl_jws_parse(&jws, (akl_str_t) { len, token });

    if (rc == AKL_JWS_OK) {
        rc = akl_jws_verify(&jws, key);
    }

    akl_jws_clear(&jws);
    assert_queue_empty();

    return rc;
}


static void
tokens_have_the_promised_header(void **state)
{
    size_t          i;
    json_t         *object;
    ssize_t         len;
    akl_jwk_t       key, public;
    akl_jws_t       jws;
    akl_str_t       iss, header, json;
    akl_signer_t   *signer;
    unsigned char   token[1024], buf[256];

    (void) state;

    for (i = 0; i < 4; i++) {
        load(&key, &public, pems[i]);
        signer = akl_signer_create(&key);
        assert_non_null(signer);

        len = akl_signer_sign(signer, akl_str("{\"iss\":\"me\"}"), token);
        assert_true(len > 0);
        assert_int_equal(akl_jws_parse(&jws, (akl_str_t) { (size_t) len,
                                                           token }),
                         AKL_JWS_OK);

        assert_int_equal(jws.alg, algs[i]);
        assert_int_equal(jws.signature_len, sizes[i]);
        assert_true(akl_str_eq(jws.kid, text_str(public.thumbprint)));

        header.data = token;
        header.len = (size_t) ((unsigned char *) memchr(token, '.',
                                                        (size_t) len)
                               - token);
        json.data = buf;
        json.len = (size_t) akl_base64url_decode(buf, header);
        object = akl_json_object(json);
        assert_int_equal(json_object_size(object), 3);
        assert_string_equal(json_string_value(json_object_get(object, "typ")),
                            "JWT");
        json_decref(object);

        assert_int_equal(akl_doc_string(&jws.payload, jws.payload.nodes,
                                        "iss", &iss), 0);
        assert_true(akl_str_eq(iss, akl_str("me")));

        akl_jws_clear(&jws);
        akl_signer_free(signer);
        akl_jwk_clear(&key);
        akl_jwk_clear(&public);
        assert_queue_empty();
    }
}


static void
tokens_of_every_length_fit_and_verify(void **state)
{
    size_t          i, n, room;
    ssize_t         len;
    akl_jwk_t       key, public;
    akl_signer_t   *signer;
    unsigned char  *token, payload[200];

    (void) state;

    for (i = 0; i < 4; i++) {
        load(&key, &public, pems[i]);
        signer = akl_signer_create(&key);

        for (n = 8; n < (i == 0 ? 20 : sizeof(payload)); n++) {
            memcpy(payload, "{\"a\":\"", 6);
            memset(payload + 6, 'x', n - 8);
            memcpy(payload + n - 2, "\"}", 2);

            /* not a byte more than promised */

            room = akl_signer_token_len(signer, n);
            token = malloc(room);
            assert_non_null(token);

            len = akl_signer_sign(signer, (akl_str_t) { n, payload }, token);
            assert_int_equal(len, room);
            assert_int_equal(verified(token, (size_t) len, &public),
                             AKL_JWS_OK);
            free(token);
        }

        akl_signer_free(signer);
        akl_jwk_clear(&key);
        akl_jwk_clear(&public);
    }
}


static void
a_signer_is_used_many_times(void **state)
{
    int             k;
    size_t          i;
    char            payload[32];
    ssize_t         len;
    akl_jwk_t       key, public;
    akl_signer_t   *signer;
    unsigned char   token[1024];

    (void) state;

    /* 300 ECDSA signatures: short r and s come up too */

    for (i = 0; i < 4; i++) {
        load(&key, &public, pems[i]);
        signer = akl_signer_create(&key);

        for (k = 0; k < (i == 1 ? 300 : 10); k++) {
            sprintf(payload, "{\"n\":%d}", k);
            len = akl_signer_sign(signer, text_str(payload), token);
            assert_true(len > 0);
            assert_int_equal(verified(token, (size_t) len, &public),
                             AKL_JWS_OK);
        }

        akl_signer_free(signer);
        akl_jwk_clear(&key);
        akl_jwk_clear(&public);
    }
}


static void
openssl_verifies_what_it_signs(void **state)
{
    size_t          i, n;
    ssize_t         len;
    akl_jwk_t       key, public;
    const char     *dot;
    ECDSA_SIG      *rs;
    EVP_MD_CTX     *ctx;
    unsigned char   token[1024], sig[512], *der, *p;
    akl_signer_t   *signer;

    (void) state;

    for (i = 0; i < 4; i++) {
        load(&key, &public, pems[i]);
        signer = akl_signer_create(&key);
        len = akl_signer_sign(signer, akl_str("{}"), token);
        token[len] = '\0';

        dot = strrchr((char *) token, '.');
        n = (size_t) akl_base64url_decode(sig, text_str(dot + 1));
        assert_int_equal(n, sizes[i]);

        der = NULL;
        p = sig;

        if (EVP_PKEY_base_id(key.pkey) == EVP_PKEY_EC) {
            rs = ECDSA_SIG_new();
            ECDSA_SIG_set0(rs, BN_bin2bn(sig, (int) n / 2, NULL),
                           BN_bin2bn(sig + n / 2, (int) n / 2, NULL));
            n = (size_t) i2d_ECDSA_SIG(rs, &der);
            ECDSA_SIG_free(rs);
            p = der;
        }

        ctx = EVP_MD_CTX_new();
        assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, alg_md(algs[i]),
                                              NULL, public.pkey), 1);
        assert_int_equal(EVP_DigestVerify(ctx, p, n, token,
                         (size_t) (dot - (char *) token)), 1);
        EVP_MD_CTX_free(ctx);
        OPENSSL_free(der);

        akl_signer_free(signer);
        akl_jwk_clear(&key);
        akl_jwk_clear(&public);
    }
}


static void
deterministic_algorithms_repeat_themselves(void **state)
{
    size_t          i;
    ssize_t         a, b;
    akl_jwk_t       key, public;
    akl_signer_t   *signer;
    unsigned char   first[1024], second[1024];

    (void) state;

    for (i = 0; i < 4; i++) {
        load(&key, &public, pems[i]);
        signer = akl_signer_create(&key);

        a = akl_signer_sign(signer, akl_str("{}"), first);
        b = akl_signer_sign(signer, akl_str("{}"), second);
        assert_int_equal(a, b);

        /* a repeated ECDSA nonce would give the key away */

        if (EVP_PKEY_base_id(key.pkey) == EVP_PKEY_EC) {
            assert_memory_not_equal(first, second, (size_t) a);

        } else {
            assert_memory_equal(first, second, (size_t) a);
        }

        akl_signer_free(signer);
        akl_jwk_clear(&key);
        akl_jwk_clear(&public);
    }
}


static void
a_signer_survives_fork_with_fresh_nonces(void **state)
{
    int             fd[2], status;
    pid_t           pid;
    ssize_t         len;
    akl_jwk_t       key, public;
    akl_signer_t   *signer;
    unsigned char   ours[1024], theirs[1024];

    (void) state;

    load(&key, &public, pem_p256);
    signer = akl_signer_create(&key);
    assert_true(akl_signer_sign(signer, akl_str("{}"), ours) > 0);

    assert_int_equal(pipe(fd), 0);
    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        len = akl_signer_sign(signer, akl_str("{}"), theirs);
        _exit(len > 0 && write(fd[1], theirs, (size_t) len) == len ? 0 : 1);
    }

    len = akl_signer_sign(signer, akl_str("{}"), ours);
    assert_int_equal(read(fd[0], theirs, sizeof(theirs)), len);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);

    assert_memory_not_equal(ours, theirs, (size_t) len);
    assert_int_equal(verified(ours, (size_t) len, &public), AKL_JWS_OK);
    assert_int_equal(verified(theirs, (size_t) len, &public), AKL_JWS_OK);

    close(fd[0]);
    close(fd[1]);
    akl_signer_free(signer);
    akl_jwk_clear(&key);
    akl_jwk_clear(&public);
}


static void
public_keys_make_no_signer(void **state)
{
    akl_jwk_t  key, public;

    (void) state;

    load(&key, &public, pem_p256);

    assert_null(akl_signer_create(&public));
    assert_queue_empty();
    akl_signer_free(NULL);

    akl_jwk_clear(&key);
    akl_jwk_clear(&public);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(tokens_have_the_promised_header),
        cmocka_unit_test(tokens_of_every_length_fit_and_verify),
        cmocka_unit_test(a_signer_is_used_many_times),
        cmocka_unit_test(openssl_verifies_what_it_signs),
        cmocka_unit_test(deterministic_algorithms_repeat_themselves),
        cmocka_unit_test(a_signer_survives_fork_with_fresh_nonces),
        cmocka_unit_test(public_keys_make_no_signer)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("jose_signer", tests, NULL, NULL);
}
