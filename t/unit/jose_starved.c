/*
 * Memory that is short at any place: the n-th allocation fails, of ours, of
 * OpenSSL's and of jansson's, for n upwards until none does.  Each time it is
 * told as that; what was looked at is neither refused nor accepted for it.
 * The sanitizer that unit tests have finds what leaks.
 */

#include "lib/k8s_test.h"

#include <jansson.h>
#include <openssl/crypto.h>

#include "lib/jose_keys.h"
#include "../../src/jose/jose.h"
#include "../../src/k8s/revocations.h"
#include "vectors/pem.h"


#define MOST     5000
#define MEMORY   (-1)                   /* what a case says of want of it */
#define GOOD     0
#define PAYLOAD                                                               \
    "{\"iss\":\"i\\u0041\",\"exp\":4000000000,\"aud\":[\"api\"],"             \
    "\"kubernetes.io\":{\"namespace\":\"ns\",\"serviceaccount\":"             \
    "{\"name\":\"sa\",\"uid\":\"u1\"},\"pod\":{\"name\":\"p\","               \
    "\"uid\":\"u2\"}}}"
#define REVIEW                                                                \
    "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,"           \
    "\"user\":{\"username\":\"system:serviceaccount:ns:sa\","                 \
    "\"uid\":\"u1\",\"groups\":[\"system:serviceaccounts\"],\"extra\":{"      \
    "\"authentication.kubernetes.io/pod-name\":[\"\\u0070\"],"                \
    "\"authentication.kubernetes.io/pod-uid\":[\"u2\"]}},"                    \
    "\"audiences\":[\"api\"]}}"


void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);


static size_t  nth, count;              /* 0: none fails */


static int
fails(void)
{
    return nth && ++count == nth;
}


void *
__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}


void *
__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}


static void *
openssl_malloc(size_t size, const char *file, int line)
{
    (void) file;
    (void) line;

    return fails() ? NULL : __real_malloc(size);
}


static void *
openssl_realloc(void *p, size_t size, const char *file, int line)
{
    (void) file;
    (void) line;

    return fails() ? NULL : realloc(p, size);
}


static void
openssl_free(void *p, const char *file, int line)
{
    (void) file;
    (void) line;

    free(p);
}


/* before OpenSSL has asked for any */

__attribute__((constructor)) static void
take_over(void)
{
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc,
                                 openssl_free)
        != 1)
    {
        abort();
    }

    json_set_alloc_funcs(__wrap_malloc, free);
}


/* GOOD or MEMORY; anything else is a judgement that nothing was there for */

typedef int (*run_pt)(void);


static void
starve(run_pt run)
{
    int     rc;
    size_t  n, told;

    /* what is made once for all stays out of it */

    assert_int_equal(run(), GOOD);

    told = 0;

    for (n = 1; n < MOST; n++) {
        count = 0;
        nth = n;
        rc = run();
        nth = 0;

        if (count < n) {
            break;
        }

        if (rc != GOOD && rc != MEMORY) {
            fail_msg("allocation %zu: told as %d", n, rc);
        }

        told += (rc == MEMORY);
        ERR_clear_error();
    }

    assert_true(n < MOST);
    assert_true(told > 0);
    assert_int_equal(run(), GOOD);
}


static char  text[65536];


/* beyond all that a document has room for in itself, with escapes */

static int
read_document(void)
{
    int        rc;
    size_t     i, len;
    akl_doc_t  doc;

    len = (size_t) sprintf(text, "{");

    for (i = 0; i < 400; i++) {
        len += (size_t) sprintf(text + len, "\"n\\u0041%zu\":[%zu],", i, i);
    }

    sprintf(text + len, "\"end\":null}");

    rc = akl_doc_parse(&doc, text_str(text));
    akl_doc_free(&doc);

    return (rc == AKL_DOC_MEMORY) ? MEMORY : rc;
}


static void
a_document(void **state)
{
    (void) state;

    starve(read_document);
}


static int
read_set(void)
{
    int          rc;
    size_t       skipped;
    akl_jwks_t   set;
    const char  *err;

    err = NULL;
    rc = akl_jwks_parse(&set, text_str(text), &err);

    if (rc != 0) {
        return (err == akl_out_of_memory) ? MEMORY : 1;
    }

    skipped = set.skipped;
    akl_jwks_clear(&set);

    return (int) skipped;
}


static void
a_set_of_keys(void **state)
{
    size_t              i, len;
    char               *json;
    json_t             *object;
    static const akl_alg_t  algs[] = {
        AKL_ALG_RS256, AKL_ALG_ES256, AKL_ALG_ES512, AKL_ALG_EDDSA
    };

    (void) state;

    len = (size_t) sprintf(text, "{\"keys\":[");

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        object = akl_jwk_export(&keys[algs[i]]);
        json = json_dumps(object, JSON_COMPACT);
        assert_non_null(json);
        len += (size_t) sprintf(text + len, "%s%s", i ? "," : "", json);
        free(json);
        json_decref(object);
    }

    sprintf(text + len, "]}");

    starve(read_set);
}


static token_t    token;
static akl_alg_t  algorithm;


static int
verify(void)
{
    akl_jws_t        jws;
    akl_jws_error_t  rc;

    rc = akl_jws_parse(&jws, token_str(&token));

    if (rc == AKL_JWS_OK) {
        rc = akl_jws_verify(&jws, &keys[algorithm]);
    }

    akl_jws_clear(&jws);

    return (rc == AKL_JWS_NOMEM) ? MEMORY : (int) rc;
}


static void
a_signature(void **state)
{
    static const akl_alg_t  algs[] = {
        AKL_ALG_RS256, AKL_ALG_PS256, AKL_ALG_ES256, AKL_ALG_ES384,
        AKL_ALG_EDDSA
    };

    size_t  i;

    (void) state;

    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        algorithm = algs[i];
        signed_token(&token, algorithm);
        starve(verify);
    }
}


static akl_jwk_t  signing_key;


static int
sign(void)
{
    ssize_t         n;
    akl_signer_t   *signer;
    unsigned char   dst[2048];

    signer = akl_signer_create(&signing_key);
    n = signer ? akl_signer_sign(signer, akl_str("{}"), dst) : -1;

    akl_signer_free(signer);

    return (n > 0) ? GOOD : MEMORY;
}


static void
a_signer(void **state)
{
    static const char  *const pems[] = {
        pem_rsa, pem_p256, pem_p384, pem_ed25519
    };

    size_t       i;
    const char  *err;

    (void) state;

    for (i = 0; i < sizeof(pems) / sizeof(pems[0]); i++) {
        assert_int_equal(akl_jwk_private_from_pem(&signing_key,
                                                  text_str(pems[i]), &err),
                         0);
        starve(sign);
        akl_jwk_clear(&signing_key);
    }
}


static int
read_pod_token(void)
{
    akl_reason_t     reason;
    akl_pod_token_t  pod;

    reason = akl_pod_token_parse(&pod, token_str(&token));
    akl_pod_token_clear(&pod);

    return (reason == AKL_INTERNAL_ERROR) ? MEMORY : (int) reason;
}


static void
make_pod_token(void)
{
    make_token(&token, rsa, AKL_ALG_RS256, akl_str("{\"alg\":\"RS256\"}"),
               text_str(PAYLOAD));
}


static void
a_pod_token(void **state)
{
    (void) state;

    make_pod_token();
    starve(read_pod_token);
}


static akl_pod_token_t  reviewed;


static int
judge(void)
{
    akl_str_t        audience;
    akl_reason_t     reason;
    akl_judgement_t  judged;

    audience = akl_str("api");

    akl_tokenreview_judge(&judged, 201, text_str(REVIEW), &reviewed,
                          (akl_list_t) { &audience, 1 });
    reason = judged.reason;
    akl_judgement_clear(&judged);

    return (reason == AKL_INTERNAL_ERROR) ? MEMORY : (int) reason;
}


static void
an_answer_of_the_api_server(void **state)
{
    (void) state;

    make_pod_token();
    assert_int_equal(akl_pod_token_parse(&reviewed, token_str(&token)),
                     AKL_OK);
    starve(judge);
    akl_pod_token_clear(&reviewed);
}


static int
read_revocations(void)
{
    int                 rc;
    size_t              i;
    char                line[128];
    const char         *cause;
    akl_revocations_t  *table;

    table = akl_revocations_create(1);
    if (table == NULL) {
        return MEMORY;
    }

    rc = 0;
    cause = NULL;

    for (i = 0; rc == 0 && i < 2000; i++) {
        sprintf(line, "{\"jti\":\"a\\u0041%zu\",\"until\":9000000000}\n", i);
        rc = akl_revocations_feed(table, text_str(line), 0, &cause);
    }

    if (rc == 0) {
        rc = akl_revocations_end(table, 0, &cause);
    }

    if (rc == 0) {
        rc = !akl_revocations_match(table, akl_str("aA1999"), akl_str("s"), 0,
                                    0);

    } else {
        rc = strstr(cause, "memory") ? MEMORY : 1;
    }

    akl_revocations_free(table);

    return rc;
}


static void
a_table_of_revocations(void **state)
{
    (void) state;

    starve(read_revocations);
}


int
main(void)
{
    static const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_document),
        cmocka_unit_test(a_set_of_keys),
        cmocka_unit_test(a_signature),
        cmocka_unit_test(a_signer),
        cmocka_unit_test(a_pod_token),
        cmocka_unit_test(an_answer_of_the_api_server),
        cmocka_unit_test(a_table_of_revocations)
    };

    return cmocka_run_group_tests(tests, jose_setup, jose_teardown);
}
