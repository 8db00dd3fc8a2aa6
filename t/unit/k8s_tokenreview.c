#include "lib/k8s_test.h"
#include "../../src/k8s/tokenreview.h"


#define PAYLOAD                                                               \
    "{\"iss\":\"i\",\"exp\":4000000000,\"aud\":[\"api\"],"                    \
    "\"kubernetes.io\":{\"namespace\":\"ns\",\"serviceaccount\":"             \
    "{\"name\":\"sa\",\"uid\":\"u1\"},\"pod\":{\"name\":\"p\","               \
    "\"uid\":\"u2\"}}}"

#define USER(rest)                                                            \
    "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,"           \
    "\"user\":{" rest "}}}"

#define GROUPS  "\"groups\":[\"system:serviceaccounts\"]"
#define BARE    "\"username\":\"system:serviceaccount:ns:sa\""
#define NAME    BARE ",\"uid\":\"u1\""
#define EXTRA(extra)  USER(NAME "," GROUPS ",\"extra\":{" extra "}")
#define POD(name, uid)                                                        \
    "\"authentication.kubernetes.io/pod-name\":" name ","                     \
    "\"authentication.kubernetes.io/pod-uid\":" uid


static akl_reason_t
judged_by(const char *payload, unsigned status, const char *body,
    akl_list_t audiences)
{
    akl_str_t        token;
    akl_reason_t     reason;
    akl_judgement_t    verdict;
    akl_pod_token_t  pod;

    token = token_with(payload);
    assert_int_equal(akl_pod_token_parse(&pod, token), AKL_OK);

    akl_tokenreview_judge(&verdict, status, str(body), &pod, audiences);
    reason = verdict.reason;

    if (reason != AKL_OK) {
        assert_int_equal(verdict.identity.namespace.len, 0);
        assert_int_equal(verdict.identity.pod_name.len, 0);
    }

    akl_judgement_clear(&verdict);
    akl_pod_token_clear(&pod);

    return reason;
}


/* by one audience, or none where that is "" */

static akl_reason_t
judged(const char *payload, unsigned status, const char *body,
    const char *audience)
{
    akl_str_t  one;

    one = str(audience);

    return judged_by(payload, status, body,
                     (akl_list_t) { &one, one.len ? 1 : 0 });
}


static void
the_request_is_what_the_api_demands(void **state)
{
    size_t         n;
    akl_str_t      two[2];
    unsigned char  buf[256];

    (void) state;

    n = akl_tokenreview_request(NULL, str("a.b.c"), (akl_list_t) { NULL, 0 });
    assert_int_equal(akl_tokenreview_request(buf, str("a.b.c"),
                                             (akl_list_t) { NULL, 0 }), n);
    assert_str((akl_str_t) { n, buf },
               "{\"apiVersion\":\"authentication.k8s.io/v1\","
               "\"kind\":\"TokenReview\",\"spec\":{\"token\":\"a.b.c\"}}");

    two[0] = str("x\"y");
    two[1] = str("vault://ns/issuer");

    n = akl_tokenreview_request(buf, str("a.b.c"), (akl_list_t) { two, 1 });
    assert_str((akl_str_t) { n, buf },
               "{\"apiVersion\":\"authentication.k8s.io/v1\","
               "\"kind\":\"TokenReview\",\"spec\":{\"token\":\"a.b.c\","
               "\"audiences\":[\"x\\\"y\"]}}");

    n = akl_tokenreview_request(NULL, str("a.b.c"), (akl_list_t) { two, 2 });
    assert_int_equal(akl_tokenreview_request(buf, str("a.b.c"),
                                             (akl_list_t) { two, 2 }), n);
    assert_str((akl_str_t) { n, buf },
               "{\"apiVersion\":\"authentication.k8s.io/v1\","
               "\"kind\":\"TokenReview\",\"spec\":{\"token\":\"a.b.c\","
               "\"audiences\":[\"x\\\"y\",\"vault://ns/issuer\"]}}");
}


/* every answer that a real API server gave */

static void
recorded_answers(void **state)
{
    size_t           i, k, v;
    json_t          *request, *spec;
    unsigned         status, n;
    akl_str_t        text, head, body, token, wanted[2];
    akl_list_t       audiences;
    akl_judgement_t    verdict;
    akl_pod_token_t  pod;

    static const char  *versions[] = { "1.25", "1.32", "1.37" };

    static const struct {
        const char    *name;
        akl_reason_t   reason;
        const char    *pod;
    } cases[] = {
        { "pod_bound", AKL_OK, "mypod1" },
        { "audience_as_string", AKL_OK, "mypod1" },
        { "custom_audience_matching", AKL_OK, "mypod1" },
        { "custom_audience_two", AKL_OK, NULL },
        { "expired_30s", AKL_OK, "mypod1" },
        { "legacy_secret", AKL_OK, "" },
        { "secret_bound", AKL_OK, "" },
        { "node_bound", AKL_OK, "" },
        { "pod_not_scheduled", AKL_OK, NULL },
        { "pod_node_unknown", AKL_OK, "elsewhere" },
        { "without_kid", AKL_OK, "mypod1" },
        { "webhook_bound", AKL_OK, "" },
        { "unbound", AKL_OK, "" },
        { "account_deleted", AKL_TOKEN_REVOKED, "" },
        { "bad_signature", AKL_TOKEN_REJECTED, "" },
        { "custom_audience_not_requested", AKL_AUDIENCE_MISMATCH, "" },
        { "default_audience_other_requested", AKL_AUDIENCE_MISMATCH, "" },
        { "expired_300s", AKL_TOKEN_EXPIRED, "" },
        { "issued_in_future", AKL_TOKEN_NOT_YET_VALID, "" },
        { "not_yet_valid", AKL_TOKEN_NOT_YET_VALID, "" },
        { "namespaced_path", AKL_API_NOT_FOUND, "" },
        { "wrong_path", AKL_API_NOT_FOUND, "" },
        { "other_issuer", AKL_TOKEN_REJECTED, "" },
        { "pod_deleted", AKL_TOKEN_REVOKED, "" },
        { "pod_recreated", AKL_TOKEN_REVOKED, "" },
        { "account_recreated", AKL_TOKEN_REVOKED, "" },
        { "secret_deleted", AKL_TOKEN_REVOKED, "" },
        { "legacy_deleted", AKL_TOKEN_REVOKED, "" },
        { "wrong_base", AKL_API_NOT_FOUND, "" },
        { "reviewer_forbidden", AKL_REVIEWER_FORBIDDEN, "" },
        { "reviewer_is_the_pod", AKL_REVIEWER_FORBIDDEN, "" },
        { "reviewer_unauthorized", AKL_REVIEWER_UNAUTHORIZED, "" }
    };

    (void) state;

    n = 0;

    for (v = 0; v < sizeof(versions) / sizeof(versions[0]); v++) {
        for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

            text = fixture(versions[v], cases[i].name, ".request.json");

            if (text.data == NULL) {
                continue;
            }

            head = fixture(versions[v], cases[i].name, ".head");
            body = fixture(versions[v], cases[i].name, ".response.json");
            assert_non_null(head.data);
            assert_non_null(body.data);

            assert_int_equal(sscanf((char *) head.data, "HTTP/1.1 %u",
                                    &status), 1);

            request = akl_json_object(text);
            assert_non_null(request);
            spec = json_object_get(request, "spec");

            assert_int_equal(akl_json_string(spec, "token", &token), 0);

            audiences.elts = wanted;
            audiences.n = json_array_size(json_object_get(spec, "audiences"));
            assert_true(audiences.n <= 2);

            for (k = 0; k < audiences.n; k++) {
                wanted[k] = str(json_string_value(json_array_get(
                                    json_object_get(spec, "audiences"), k)));
            }

            /* a server's own words for a token that we would not ask about */

            if (akl_pod_token_parse(&pod, token) != AKL_OK) {
                fail_msg("%s: the token does not parse", cases[i].name);
            }

            akl_tokenreview_judge(&verdict, status, body, &pod,
                                  audiences);

            if (verdict.reason != cases[i].reason) {
                fail_msg("%s of %s: %s: %s", cases[i].name, versions[v],
                         (char *) akl_reason_code(verdict.reason).data,
                         verdict.detail);
            }

            if (cases[i].pod && cases[i].reason == AKL_OK) {
                assert_str(verdict.identity.pod_name, cases[i].pod);
            }

            if (strcmp(cases[i].name, "legacy_secret") == 0
                || strcmp(cases[i].name, "secret_bound") == 0)
            {
                assert_true(verdict.identity.secret_name.len > 0);
            }

            assert_null(strstr(verdict.detail, "eyJ"));

            akl_judgement_clear(&verdict);
            akl_pod_token_clear(&pod);
            json_decref(request);
            free((void *) text.data);
            free((void *) head.data);
            free((void *) body.data);
            n++;
        }
    }

    assert_true(n >= 85);
}


static void
statuses(void **state)
{
    size_t  i;

    static const struct {
        unsigned       status;
        const char    *body;
        akl_reason_t   reason;
    } cases[] = {
        { 401, "{}", AKL_REVIEWER_UNAUTHORIZED },
        { 403, "", AKL_REVIEWER_FORBIDDEN },
        { 403, "{\"message\":\"tokenreviews.authentication.k8s.io is "
          "forbidden: User \\\"r\\\" cannot create resource\"}",
          AKL_REVIEWER_FORBIDDEN },
        { 403, "{\"message\":\"forbidden: User \\\"r\\\" cannot post path "
          "\\\"/x\\\"\"}", AKL_API_NOT_FOUND },
        { 404, "<html>", AKL_API_NOT_FOUND },
        { 429, "{\"message\":5}", AKL_API_THROTTLED },
        { 500, "{\"message\":\"etcd\"}", AKL_API_ERROR },
        { 500, "{\"message\":\"error validating audiences: x\"}",
          AKL_AUDIENCE_MISMATCH },
        { 503, "", AKL_API_ERROR },
        { 302, "", AKL_API_ERROR },
        { 204, "", AKL_API_ERROR },
        { 100, "", AKL_API_ERROR },
        { 200, "<!DOCTYPE html>", AKL_API_NOT_FOUND },
        { 201, "", AKL_API_ERROR },
        { 201, "{\"kind\":\"TokenReview\"", AKL_API_ERROR }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(judged(PAYLOAD, cases[i].status, cases[i].body, ""),
                         cases[i].reason);
    }
}


static void
nothing_is_believed_too_early(void **state)
{
    size_t  i;

    static const struct {
        const char    *body;
        akl_reason_t   reason;
    } cases[] = {
        { USER(NAME "," GROUPS), AKL_OK },
        { USER(BARE "," GROUPS ",\"uid\":\"u9\""), AKL_TOKEN_REJECTED },
        { USER(BARE "," GROUPS), AKL_API_ERROR },
        { USER(BARE "," GROUPS ",\"uid\":\"\""), AKL_API_ERROR },
        { USER(BARE "," GROUPS ",\"uid\":\"u 1\""), AKL_API_ERROR },
        { USER(NAME), AKL_NOT_SERVICE_ACCOUNT },
        { USER(NAME ",\"groups\":[\"system:authenticated\"]"),
          AKL_NOT_SERVICE_ACCOUNT },
        { USER(NAME ",\"groups\":\"system:serviceaccounts\""),
          AKL_API_ERROR },
        { USER(NAME ",\"groups\":[5]"), AKL_API_ERROR },
        { USER(GROUPS), AKL_API_ERROR },
        { USER("\"username\":5," GROUPS), AKL_API_ERROR },
        { USER("\"username\":\"alice\"," GROUPS), AKL_NOT_SERVICE_ACCOUNT },
        { USER("\"username\":\"system:serviceaccount:ns\"," GROUPS),
          AKL_NOT_SERVICE_ACCOUNT },
        { USER("\"username\":\"system:serviceaccount:ns:sa:x\"," GROUPS),
          AKL_NOT_SERVICE_ACCOUNT },
        { USER("\"username\":\"system:serviceaccount::sa\"," GROUPS),
          AKL_NOT_SERVICE_ACCOUNT },
        { USER("\"username\":\"system:serviceaccount:n..s:sa\"," GROUPS),
          AKL_NOT_SERVICE_ACCOUNT },
        { USER("\"username\":\"system:serviceaccount:ns:a/b\"," GROUPS),
          AKL_NOT_SERVICE_ACCOUNT },
        { USER("\"username\":\"system:serviceaccount:ns:a..b\"," GROUPS),
          AKL_NOT_SERVICE_ACCOUNT },
        { USER("\"username\":\"system:serviceaccount:NS:sa\"," GROUPS),
          AKL_NOT_SERVICE_ACCOUNT },
        { USER("\"username\":\"system:serviceaccount:ns:sa\\u0000x\","
               GROUPS), AKL_API_ERROR },
        { USER("\"username\":\"system:serviceaccount:ns:other\","
               "\"uid\":\"u1\"," GROUPS),
          AKL_TOKEN_REJECTED },
        { USER("\"username\":\"system:serviceaccount:ns2:sa\","
               "\"uid\":\"u1\"," GROUPS),
          AKL_TOKEN_REJECTED },
        { EXTRA(POD("[\"p\"]", "[\"u2\"]")), AKL_OK },
        { EXTRA(POD("[\"q\"]", "[\"u2\"]")), AKL_TOKEN_REJECTED },
        { EXTRA(POD("[\"p\"]", "[\"u9\"]")), AKL_TOKEN_REJECTED },
        { EXTRA(POD("[\"p\"]", "null")), AKL_API_ERROR },
        { EXTRA(POD("null", "[\"u2\"]")), AKL_API_ERROR },
        { EXTRA(POD("null", "null")), AKL_OK },
        { EXTRA(POD("\"p\"", "[\"u2\"]")), AKL_API_ERROR },
        { EXTRA(POD("[\"p\",\"q\"]", "[\"u2\"]")), AKL_API_ERROR },
        { EXTRA(POD("[\"../p\"]", "[\"u2\"]")), AKL_API_ERROR },
        { USER(NAME "," GROUPS ",\"extra\":[]"), AKL_API_ERROR },
        { "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":false,"
          "\"authenticated\":true,\"user\":{" NAME "," GROUPS "}}}",
          AKL_API_ERROR },
        { "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":\"true\","
          "\"user\":{" NAME "," GROUPS "}}}", AKL_API_ERROR },
        { "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":1,"
          "\"user\":{" NAME "," GROUPS "}}}", AKL_API_ERROR },
        { "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":false,"
          "\"user\":{" NAME "," GROUPS "}}}", AKL_TOKEN_REJECTED },
        { "{\"kind\":\"TokenReview\",\"status\":{"
          "\"user\":{" NAME "," GROUPS "}}}", AKL_TOKEN_REJECTED },
        { "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,"
          "\"error\":\"no\",\"user\":{" NAME "," GROUPS "}}}",
          AKL_TOKEN_REJECTED },
        { "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,"
          "\"error\":5,\"user\":{" NAME "," GROUPS "}}}", AKL_API_ERROR },
        { "{\"kind\":\"TokenReview\",\"status\":\"Success\"}",
          AKL_API_ERROR },
        { "{\"kind\":\"SubjectAccessReview\",\"status\":{\"authenticated\":"
          "true,\"user\":{" NAME "," GROUPS "}}}", AKL_API_ERROR },
        { "[]", AKL_API_ERROR }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (judged(PAYLOAD, 201, cases[i].body, "") != cases[i].reason) {
            fail_msg("case %zu: %s", i, cases[i].body);
        }
    }
}


static void
outages_may_be_over_when_asked_again(void **state)
{
    size_t           i;
    akl_str_t        token;
    akl_judgement_t    verdict;
    akl_pod_token_t  pod;

#define ERROR(text)                                                           \
    "{\"kind\":\"TokenReview\",\"status\":{\"user\":{},\"error\":\"" text "\"}}"

    static const struct {
        unsigned       status;
        const char    *body;
        akl_reason_t   reason;
        unsigned       again;
    } cases[] = {
        { 201, ERROR("[invalid bearer token, etcdserver: leader changed]"),
          AKL_API_ERROR, 1 },
        { 201, ERROR("[token has expired, etcdserver: leader changed]"),
          AKL_TOKEN_EXPIRED, 0 },
        { 201, ERROR("invalid bearer token"), AKL_TOKEN_REJECTED, 0 },
        { 201, "{\"kind\":\"TokenReview\"}", AKL_API_ERROR, 0 },
        { 500, "{\"message\":\"etcdserver: request timed out\"}",
          AKL_API_ERROR, 1 },
        { 500, "{\"message\":\"error validating audiences\"}",
          AKL_AUDIENCE_MISMATCH, 0 },
        { 503, "", AKL_API_ERROR, 1 },
        { 429, "", AKL_API_THROTTLED, 1 },
        { 401, "", AKL_REVIEWER_UNAUTHORIZED, 0 },
        { 404, "", AKL_API_NOT_FOUND, 0 }
    };

    (void) state;

    token = token_with(PAYLOAD);
    assert_int_equal(akl_pod_token_parse(&pod, token), AKL_OK);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        akl_tokenreview_judge(&verdict, cases[i].status, str(cases[i].body),
                              &pod, (akl_list_t) { NULL, 0 });

        if (verdict.reason != cases[i].reason
            || verdict.again != cases[i].again)
        {
            fail_msg("case %zu: %s", i, cases[i].body);
        }

        akl_judgement_clear(&verdict);
    }

    /* a refusal in words stands, whatever is beside it */

    assert_int_equal(judged(PAYLOAD, 201,
                            "{\"kind\":\"TokenReview\",\"status\":"
                            "{\"authenticated\":\"no\","
                            "\"error\":\"token has expired\"}}", ""),
                     AKL_TOKEN_EXPIRED);

    akl_pod_token_clear(&pod);
}


static void
audiences_must_meet(void **state)
{
    akl_str_t  two[2];

    (void) state;

#define WITH(audiences)                                                       \
    "{\"kind\":\"TokenReview\",\"status\":{\"authenticated\":true,"           \
    "\"user\":{" NAME "," GROUPS "}" audiences "}}"

    assert_int_equal(judged(PAYLOAD, 201, WITH(",\"audiences\":[\"api\"]"),
                            "api"), AKL_OK);
    assert_int_equal(judged(PAYLOAD, 201, WITH(",\"audiences\":[\"x\"]"),
                            "api"), AKL_AUDIENCE_MISMATCH);
    assert_int_equal(judged(PAYLOAD, 201, WITH(""), "api"),
                     AKL_AUDIENCE_MISMATCH);
    assert_int_equal(judged(PAYLOAD, 201, WITH(",\"audiences\":\"api\""),
                            "api"), AKL_API_ERROR);
    assert_int_equal(judged(PAYLOAD, 201, WITH(",\"audiences\":[5]"), ""),
                     AKL_API_ERROR);

    /* any of several */

    two[0] = str("api");
    two[1] = str("vault");

    assert_int_equal(judged_by(PAYLOAD, 201,
                               WITH(",\"audiences\":[\"vault\"]"),
                               (akl_list_t) { two, 2 }), AKL_OK);
    assert_int_equal(judged_by(PAYLOAD, 201,
                               WITH(",\"audiences\":[\"x\",\"api\"]"),
                               (akl_list_t) { two, 2 }), AKL_OK);
    assert_int_equal(judged_by(PAYLOAD, 201,
                               WITH(",\"audiences\":[\"x\",\"y\"]"),
                               (akl_list_t) { two, 2 }),
                     AKL_AUDIENCE_MISMATCH);
    assert_int_equal(judged_by(PAYLOAD, 201, WITH(""),
                               (akl_list_t) { two, 2 }),
                     AKL_AUDIENCE_MISMATCH);
}


/* servers that are not made of Go write what Go leaves out */

static void
null_counts_as_absent(void **state)
{
    size_t  i;

    static const struct {
        const char    *status;
        const char    *audience;
        akl_reason_t   reason;
    } cases[] = {
        { "\"authenticated\":true,\"error\":null,\"audiences\":null,"
          "\"user\":{" NAME "," GROUPS ",\"extra\":null}", "",
          AKL_OK },
        { "\"authenticated\":true,\"user\":{" BARE "," GROUPS
          ",\"uid\":null}", "", AKL_API_ERROR },
        { "\"authenticated\":true,\"user\":{" NAME "," GROUPS ",\"extra\":"
          "{" POD("null", "null") ","
          "\"authentication.kubernetes.io/node-name\":null}}", "", AKL_OK },
        { "\"authenticated\":true,\"audiences\":null,\"user\":{" NAME ","
          GROUPS "}", "api", AKL_AUDIENCE_MISMATCH },
        { "\"authenticated\":true,\"user\":{" NAME ",\"groups\":null}", "",
          AKL_NOT_SERVICE_ACCOUNT },
        { "\"authenticated\":true,\"user\":null", "", AKL_API_ERROR },
        { "\"authenticated\":true,\"user\":{\"username\":null," GROUPS "}",
          "", AKL_API_ERROR },
        { "\"authenticated\":null,\"user\":null,\"audiences\":null,"
          "\"error\":\"token has expired\"", "", AKL_TOKEN_EXPIRED },
        { "\"authenticated\":false,\"user\":null,\"error\":null", "",
          AKL_TOKEN_REJECTED },
        { "\"authenticated\":null,\"user\":{" NAME "," GROUPS "}", "",
          AKL_TOKEN_REJECTED },
        { "\"authenticated\":true,\"user\":{" NAME ",\"groups\":[null,"
          "\"system:serviceaccounts\"]}", "", AKL_API_ERROR }
    };

    char  body[1024];

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void) snprintf(body, sizeof(body),
                        "{\"kind\":\"TokenReview\",\"status\":{%s}}",
                        cases[i].status);

        if (judged(PAYLOAD, 201, body, cases[i].audience) != cases[i].reason) {
            fail_msg("case %zu: %s", i, body);
        }
    }
}


/* a stranger's token may carry any claim: its secret is not taken over */

static void
secrets_come_last(void **state)
{
    akl_str_t        token;
    akl_judgement_t    verdict;
    akl_pod_token_t  pod;

    (void) state;

    token = token_with("{\"iss\":\"i\",\"exp\":4000000000,\"kubernetes.io\":"
                       "{\"secret\":{\"name\":\"s\"}}}");
    assert_int_equal(akl_pod_token_parse(&pod, token), AKL_OK);

    akl_tokenreview_judge(&verdict, 201, str(USER(NAME "," GROUPS)), &pod,
                          (akl_list_t) { NULL, 0 });
    assert_int_equal(verdict.reason, AKL_OK);
    assert_int_equal(verdict.identity.secret_name.len, 0);

    akl_judgement_clear(&verdict);
    akl_pod_token_clear(&pod);
}


static void
details_are_fit_for_a_log(void **state)
{
    size_t           i;
    akl_str_t        token;
    akl_judgement_t    verdict;
    akl_pod_token_t  pod;

    (void) state;

    token = token_with(PAYLOAD);
    assert_int_equal(akl_pod_token_parse(&pod, token), AKL_OK);

    akl_tokenreview_judge(&verdict, 201,
        str("{\"kind\":\"TokenReview\",\"status\":{\"error\":"
            "\"bad eyJhbGciOiJSUzI1NiJ9.eyJ4IjoxfQ.abc, then\\n\\u001b[31m "
            "0123456789012345678901234567890123456789012345678901234567890123"
            "0123456789012345678901234567890123456789012345678901234567890123"
            "0123456789012345678901234567890123456789012345678901234567890123"
            "0123456789012345678901234567890123456789012345678901234567890123"
            "0123456789012345678901234567890123456789\"}}"), &pod,
        (akl_list_t) { NULL, 0 });

    assert_int_equal(verdict.reason, AKL_TOKEN_REJECTED);
    assert_non_null(strstr(verdict.detail, "bad <token>, then"));
    assert_null(strstr(verdict.detail, "eyJ"));
    assert_true(strlen(verdict.detail) < sizeof(verdict.detail));

    for (i = 0; verdict.detail[i]; i++) {
        assert_true(verdict.detail[i] >= 0x20 && verdict.detail[i] < 0x7f);
    }

    akl_judgement_clear(&verdict);
    akl_pod_token_clear(&pod);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(the_request_is_what_the_api_demands),
        cmocka_unit_test(recorded_answers),
        cmocka_unit_test(statuses),
        cmocka_unit_test(nothing_is_believed_too_early),
        cmocka_unit_test(outages_may_be_over_when_asked_again),
        cmocka_unit_test(null_counts_as_absent),
        cmocka_unit_test(audiences_must_meet),
        cmocka_unit_test(secrets_come_last),
        cmocka_unit_test(details_are_fit_for_a_log)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("k8s_tokenreview", tests, NULL, NULL);
}
