#include "lib/k8s_test.h"


#define NOW  1000000


static akl_reason_t
parsed(const char *payload, akl_pod_token_t *pod)
{
    return akl_pod_token_parse(pod, token_with(payload));
}


static akl_reason_t
checked(const char *payload, akl_pod_policy_t *policy, int64_t now)
{
    akl_reason_t      reason;
    akl_pod_token_t   pod;
    akl_pod_policy_t  none;

    memset(&none, 0, sizeof(none));

    reason = parsed(payload, &pod);

    if (reason == AKL_OK) {
        reason = akl_pod_token_check(&pod, policy ? policy : &none, now);
    }

    akl_pod_token_clear(&pod);

    return reason;
}


static void
projected_layout(void **state)
{
    akl_pod_token_t  pod;

    (void) state;

    assert_int_equal(parsed(
        "{\"aud\":[\"a\",\"b\"],\"exp\":2000000,\"iat\":1,\"nbf\":2,"
        "\"iss\":\"i\",\"jti\":\"j\",\"sub\":\"s\",\"kubernetes.io\":{"
        "\"namespace\":\"ns\",\"node\":{\"name\":\"n\",\"uid\":\"u0\"},"
        "\"pod\":{\"name\":\"p\",\"uid\":\"u1\"},"
        "\"secret\":{\"name\":\"x\",\"uid\":\"u3\"},"
        "\"serviceaccount\":{\"name\":\"sa\",\"uid\":\"u2\"},"
        "\"warnafter\":5}}", &pod), AKL_OK);

    assert_str(pod.issuer, "i");
    assert_str(pod.subject, "s");
    assert_str(pod.jti, "j");
    assert_int_equal(pod.exp, 2000000);
    assert_int_equal(pod.iat, 1);
    assert_int_equal(pod.nbf, 2);
    assert_str(pod.claimed.namespace, "ns");
    assert_str(pod.claimed.sa_name, "sa");
    assert_str(pod.claimed.sa_uid, "u2");
    assert_str(pod.claimed.pod_name, "p");
    assert_str(pod.claimed.pod_uid, "u1");
    assert_str(pod.claimed.node_name, "n");
    assert_str(pod.claimed.secret_name, "x");
    assert_false(pod.legacy);
    assert_true(akl_pod_token_has_audience(&pod, str("b")));
    assert_false(akl_pod_token_has_audience(&pod, str("c")));
    assert_false(akl_pod_token_has_audience(&pod, str("")));

    akl_pod_token_clear(&pod);
}


#define LEGACY  "kubernetes.io/serviceaccount/"

static void
legacy_layout(void **state)
{
    akl_str_t         wanted[1];
    akl_pod_token_t   pod;
    akl_pod_policy_t  policy;

    (void) state;

    assert_int_equal(parsed(
        "{\"iss\":\"kubernetes/serviceaccount\",\"sub\":\"s\","
        "\"" LEGACY "namespace\":\"ns\",\"" LEGACY "secret.name\":\"x\","
        "\"" LEGACY "service-account.name\":\"sa\","
        "\"" LEGACY "service-account.uid\":\"u\"}", &pod), AKL_OK);

    assert_str(pod.claimed.namespace, "ns");
    assert_str(pod.claimed.sa_name, "sa");
    assert_str(pod.claimed.sa_uid, "u");
    assert_str(pod.claimed.secret_name, "x");
    assert_int_equal(pod.claimed.pod_name.len, 0);
    assert_int_equal(pod.exp, 0);
    assert_true(pod.legacy);

    /* neither an end nor an audience, and good all the same */

    memset(&policy, 0, sizeof(policy));
    wanted[0] = str("vault");
    policy.audiences = (akl_list_t) { wanted, 1 };

    assert_int_equal(akl_pod_token_check(&pod, &policy, NOW), AKL_OK);

    akl_pod_token_clear(&pod);
}


static void
shapes_that_are_none(void **state)
{
    size_t           i;
    akl_pod_token_t  pod;

    static const char  *payloads[] = {
        "{\"iss\":5}", "{\"sub\":null}", "{\"jti\":[]}", "{\"exp\":\"1\"}",
        "{\"exp\":-1}", "{\"exp\":null}", "{\"nbf\":\"1\"}", "{\"iat\":{}}",
        "{\"exp\":1e400}", "{\"aud\":5}", "{\"aud\":{}}", "{\"aud\":[5]}",
        "{\"aud\":[[\"a\"]]}", "{\"kubernetes.io\":5}",
        "{\"kubernetes.io\":{\"namespace\":5}}",
        "{\"kubernetes.io\":{\"pod\":\"p\"}}",
        "{\"kubernetes.io\":{\"pod\":{\"name\":5}}}",
        "{\"kubernetes.io\":{\"serviceaccount\":{\"uid\":5}}}",
        "{\"" LEGACY "namespace\":5}", "{\"exp\":1,\"exp\":2}",
        "{\"kubernetes.io\":{\"namespace\":\"a\\u0000b\"}}"
    };

    (void) state;

    for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        if (parsed(payloads[i], &pod) != AKL_TOKEN_MALFORMED) {
            fail_msg("%s", payloads[i]);
        }

        akl_pod_token_clear(&pod);
    }
}


static void
algorithms_of_api_servers(void **state)
{
    size_t           i;
    akl_pod_token_t  pod;

    static const struct {
        const char    *header;
        akl_reason_t   reason;
    } cases[] = {
        { "{\"alg\":\"RS256\"}", AKL_OK },
        { "{\"alg\":\"ES256\"}", AKL_OK },
        { "{\"alg\":\"ES384\"}", AKL_OK },
        { "{\"alg\":\"ES512\"}", AKL_OK },
        { "{\"alg\":\"RS512\"}", AKL_ALGORITHM_NOT_ALLOWED },
        { "{\"alg\":\"PS256\"}", AKL_ALGORITHM_NOT_ALLOWED },
        { "{\"alg\":\"EdDSA\"}", AKL_ALGORITHM_NOT_ALLOWED },
        { "{\"alg\":\"HS256\"}", AKL_ALGORITHM_NOT_ALLOWED },
        { "{\"alg\":\"none\"}", AKL_ALGORITHM_NOT_ALLOWED },
        { "{\"alg\":\"RS256\",\"crit\":[\"x\"]}", AKL_TOKEN_MALFORMED }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(akl_pod_token_parse(&pod,
                             token_of(cases[i].header, "{\"exp\":1}")),
                         cases[i].reason);
        akl_pod_token_clear(&pod);
    }
}


static void
times_to_the_second(void **state)
{
    (void) state;

    assert_int_equal(checked("{\"exp\":1000000}", NULL, NOW + 59), AKL_OK);
    assert_int_equal(checked("{\"exp\":1000000}", NULL, NOW + 60),
                     AKL_TOKEN_EXPIRED);
    assert_int_equal(checked("{\"exp\":2000000,\"nbf\":1000060}", NULL, NOW),
                     AKL_OK);
    assert_int_equal(checked("{\"exp\":2000000,\"nbf\":1000061}", NULL, NOW),
                     AKL_TOKEN_NOT_YET_VALID);
    assert_int_equal(checked("{\"iss\":\"i\"}", NULL, NOW),
                     AKL_TOKEN_MALFORMED);
}


static void
issuers_byte_by_byte(void **state)
{
    size_t            i;
    akl_str_t         issuers[3];
    akl_pod_policy_t  policy;

    static const struct {
        const char    *payload;
        akl_reason_t   reason;
    } cases[] = {
        { "{\"exp\":2000000,\"iss\":\"https://a\"}", AKL_OK },
        { "{\"exp\":2000000,\"iss\":\"api\"}", AKL_OK },
        { "{\"exp\":2000000,\"iss\":\"\\\"https://aks/\\\"\"}", AKL_OK },
        { "{\"exp\":2000000,\"iss\":\"https://aks/\"}",
          AKL_ISSUER_MISMATCH },
        { "{\"exp\":2000000,\"iss\":\"https://a/\"}", AKL_ISSUER_MISMATCH },
        { "{\"exp\":2000000,\"iss\":\"https://A\"}", AKL_ISSUER_MISMATCH },
        { "{\"exp\":2000000,\"iss\":\"\"}", AKL_ISSUER_MISMATCH },
        { "{\"exp\":2000000}", AKL_ISSUER_MISMATCH },
        { "{\"exp\":2000000,\"iss\":[\"api\"]}", AKL_TOKEN_MALFORMED }
    };

    (void) state;

    issuers[0] = str("https://a");
    issuers[1] = str("api");
    issuers[2] = str("\"https://aks/\"");

    memset(&policy, 0, sizeof(policy));
    policy.issuers = issuers;
    policy.n_issuers = 3;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(checked(cases[i].payload, &policy, NOW),
                         cases[i].reason);
    }
}


static void
audiences(void **state)
{
    akl_str_t         wanted[2];
    akl_pod_policy_t  policy;

    (void) state;

    memset(&policy, 0, sizeof(policy));
    wanted[0] = str("api");
    wanted[1] = str("vault://ns/issuer");
    policy.audiences = (akl_list_t) { wanted, 1 };

    assert_int_equal(checked("{\"exp\":2000000,\"aud\":\"api\"}", &policy,
                             NOW), AKL_OK);
    assert_int_equal(checked("{\"exp\":2000000,\"aud\":[\"x\",\"api\"]}",
                             &policy, NOW), AKL_OK);
    assert_int_equal(checked("{\"exp\":2000000,\"aud\":[]}", &policy, NOW),
                     AKL_AUDIENCE_MISMATCH);
    assert_int_equal(checked("{\"exp\":2000000,\"aud\":\"apis\"}", &policy,
                             NOW), AKL_AUDIENCE_MISMATCH);
    assert_int_equal(checked("{\"exp\":2000000}", &policy, NOW),
                     AKL_AUDIENCE_MISMATCH);

    /* any of several */

    assert_int_equal(checked("{\"exp\":2000000,\"aud\":"
                             "\"vault://ns/issuer\"}", &policy, NOW),
                     AKL_AUDIENCE_MISMATCH);

    policy.audiences.n = 2;

    assert_int_equal(checked("{\"exp\":2000000,\"aud\":"
                             "\"vault://ns/issuer\"}", &policy, NOW), AKL_OK);
    assert_int_equal(checked("{\"exp\":2000000,\"aud\":[\"x\",\"api\"]}",
                             &policy, NOW), AKL_OK);
    assert_int_equal(checked("{\"exp\":2000000,\"aud\":[\"x\",\"y\"]}",
                             &policy, NOW), AKL_AUDIENCE_MISMATCH);
    assert_int_equal(checked("{\"exp\":2000000,\"aud\":\"apivault\"}",
                             &policy, NOW), AKL_AUDIENCE_MISMATCH);
}


static void
minted_tokens_are_no_pod_tokens(void **state)
{
    (void) state;

    assert_int_equal(checked("{\"exp\":2000000,\"access_id\":\"p-x\","
                             "\"config_name\":\"c\"}", NULL, NOW),
                     AKL_NOT_SERVICE_ACCOUNT);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(projected_layout),
        cmocka_unit_test(legacy_layout),
        cmocka_unit_test(shapes_that_are_none),
        cmocka_unit_test(algorithms_of_api_servers),
        cmocka_unit_test(times_to_the_second),
        cmocka_unit_test(issuers_byte_by_byte),
        cmocka_unit_test(audiences),
        cmocka_unit_test(minted_tokens_are_no_pod_tokens)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("k8s_pod_token", tests, NULL, NULL);
}
