#include "lib/k8s_test.h"
#include "../../src/jose/jws.h"
#include "../../src/k8s/bounds.h"
#include "../../src/k8s/claims.h"
#include "../../src/k8s/subclaims.h"
#include "../../src/k8s/time.h"


static int
glob(const char *pattern, const char *value)
{
    return akl_glob_match(str(pattern), str(value), 0);
}


static void
globs(void **state)
{
    size_t  i;
    char    many[400], value[8000];

    static const struct {
        const char  *glob, *value;
        int          match;
    } cases[] = {
        { "", "", 1 }, { "", "a", 0 }, { "a", "a", 1 }, { "a", "b", 0 },
        { "a", "A", 0 }, { "*", "", 1 }, { "*", "anything", 1 },
        { "?", "", 0 }, { "?", "a", 1 }, { "?", "ab", 0 },
        { "mypod*", "mypod", 1 }, { "mypod*", "mypod12", 1 },
        { "mypod*", "amypod", 0 }, { "*pod", "mypod", 1 },
        { "*pod", "mypods", 0 }, { "web-?", "web-1", 1 },
        { "web-?", "web-12", 0 }, { "a*b*c", "abc", 1 },
        { "a*b*c", "axxbyyc", 1 }, { "a*b*c", "axxbyy", 0 },
        { "*a*", "bab", 1 }, { "**", "x", 1 }, { "*?", "", 0 },
        { "*?", "x", 1 }, { "a.c", "abc", 0 }, { "[ab]", "a", 0 },
        { "?", "\xc3\xa4", 1 }, { "??", "\xc3\xa4", 0 },
        { "?", "\xf0\x9f\x98\x80", 1 }, { "?", "\xff", 1 },
        { "*\xc3\xa4", "x\xc3\xa4", 1 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (glob(cases[i].glob, cases[i].value) != cases[i].match) {
            fail_msg("\"%s\" against \"%s\"", cases[i].glob, cases[i].value);
        }
    }

    assert_true(akl_glob_match(str("AbC*"), str("aBcD"), 1));
    assert_false(akl_glob_match(str("AbC"), str("aBd"), 1));

    /* what makes a backtracking matcher run for ever */

    for (i = 0; i + 2 < sizeof(many); i += 2) {
        many[i] = '*';
        many[i + 1] = 'a';
    }

    many[sizeof(many) - 2] = 'b';
    many[sizeof(many) - 1] = '\0';
    memset(value, 'a', sizeof(value));
    value[sizeof(value) - 1] = '\0';

    assert_false(glob(many, value));

    assert_non_null(akl_glob_check(str("")));
    assert_non_null(akl_glob_check(str("a\nb")));
    assert_null(akl_glob_check(str("a*?")));
    value[513] = '\0';
    assert_non_null(akl_glob_check(str(value)));
}


static void
bounds_fail_closed(void **state)
{
    akl_str_t       namespaces[2], pods[1], accounts[1];
    akl_bounds_t    bounds;
    akl_identity_t  id;

    (void) state;

    memset(&bounds, 0, sizeof(bounds));
    memset(&id, 0, sizeof(id));

    assert_int_equal(akl_bounds_check(&bounds, &id), AKL_OK);

    namespaces[0] = str("a");
    namespaces[1] = str("b-*");
    pods[0] = str("*");
    accounts[0] = str("builder");

    bounds.namespaces = (akl_list_t) { namespaces, 2 };
    assert_int_equal(akl_bounds_check(&bounds, &id),
                     AKL_NAMESPACE_NOT_BOUND);
    id.namespace = str("b-1");
    assert_int_equal(akl_bounds_check(&bounds, &id), AKL_OK);
    id.namespace = str("c");
    assert_int_equal(akl_bounds_check(&bounds, &id),
                     AKL_NAMESPACE_NOT_BOUND);
    id.namespace = str("a");

    /* even "*" wants a pod */

    bounds.pod_names = (akl_list_t) { pods, 1 };
    assert_int_equal(akl_bounds_check(&bounds, &id), AKL_POD_NOT_BOUND);
    id.pod_name = str("p");
    assert_int_equal(akl_bounds_check(&bounds, &id), AKL_OK);

    bounds.sa_names = (akl_list_t) { accounts, 1 };
    assert_int_equal(akl_bounds_check(&bounds, &id),
                     AKL_SERVICE_ACCOUNT_NOT_BOUND);
    id.sa_name = str("builder");
    assert_int_equal(akl_bounds_check(&bounds, &id), AKL_OK);
}


static void
access_ids(void **state)
{
    (void) state;

    assert_null(akl_access_id_check(str("p-kmx8x116z7j9km")));
    assert_null(akl_access_id_check(str("p-abcdefg123k4")));
    assert_non_null(akl_access_id_check(str("p-kmx8x116z7j9mm")));
    assert_non_null(akl_access_id_check(str("x-kmx8x116z7j9km")));
    assert_non_null(akl_access_id_check(str("p-kmx8x116z7j9k")));
    assert_non_null(akl_access_id_check(str("p-kmx8x116z7_9km")));
    assert_non_null(akl_access_id_check(str("")));
}


static void
reasons(void **state)
{
    unsigned   i;
    akl_str_t  code;

    static const struct {
        const char  *code;
        unsigned     status;
        akl_kind_t   kind;
    } rows[] = {
        { "ok", 200, AKL_KIND_OK },
        { "request_malformed", 400, AKL_KIND_REQUEST },
        { "config_unknown", 401, AKL_KIND_REFUSED },
        { "token_missing", 401, AKL_KIND_REFUSED },
        { "token_malformed", 401, AKL_KIND_REFUSED },
        { "token_too_large", 401, AKL_KIND_REFUSED },
        { "algorithm_not_allowed", 401, AKL_KIND_REFUSED },
        { "issuer_mismatch", 401, AKL_KIND_REFUSED },
        { "signature_invalid", 401, AKL_KIND_REFUSED },
        { "token_rejected", 401, AKL_KIND_REFUSED },
        { "token_expired", 401, AKL_KIND_REFUSED },
        { "token_not_yet_valid", 401, AKL_KIND_REFUSED },
        { "audience_mismatch", 401, AKL_KIND_REFUSED },
        { "token_revoked", 401, AKL_KIND_REFUSED },
        { "not_service_account", 401, AKL_KIND_REFUSED },
        { "certificate_missing", 401, AKL_KIND_REFUSED },
        { "certificate_mismatch", 401, AKL_KIND_REFUSED },
        { "namespace_not_bound", 403, AKL_KIND_REFUSED },
        { "pod_not_bound", 403, AKL_KIND_REFUSED },
        { "service_account_not_bound", 403, AKL_KIND_REFUSED },
        { "ip_not_bound", 403, AKL_KIND_REFUSED },
        { "subject_incomplete", 403, AKL_KIND_REFUSED },
        { "access_expired", 403, AKL_KIND_REFUSED },
        { "claim_not_allowed", 403, AKL_KIND_REFUSED },
        { "reviewer_unauthorized", 502, AKL_KIND_OUTAGE },
        { "reviewer_forbidden", 502, AKL_KIND_OUTAGE },
        { "api_not_found", 502, AKL_KIND_OUTAGE },
        { "api_error", 502, AKL_KIND_OUTAGE },
        { "api_throttled", 503, AKL_KIND_OUTAGE },
        { "api_unreachable", 503, AKL_KIND_OUTAGE },
        { "api_tls", 502, AKL_KIND_OUTAGE },
        { "api_timeout", 504, AKL_KIND_OUTAGE },
        { "overloaded", 503, AKL_KIND_OUTAGE },
        { "internal_error", 500, AKL_KIND_OUTAGE }
    };

    (void) state;

    assert_int_equal(sizeof(rows) / sizeof(rows[0]), AKL_REASON_N);

    for (i = 0; i < AKL_REASON_N; i++) {
        code = akl_reason_code((akl_reason_t) i);
        assert_str(code, rows[i].code);
        assert_int_equal(akl_reason_status((akl_reason_t) i), rows[i].status);
        assert_int_equal(akl_reason_kind((akl_reason_t) i), rows[i].kind);
        assert_int_equal(akl_reason_find(code), i);
        assert_true(akl_reason_text((akl_reason_t) i).len > 10);
    }

    assert_str(akl_reason_code(AKL_REASON_N), "internal_error");
    assert_int_equal(akl_reason_find(str("nonsense")), AKL_REASON_N);
}


static void
points_in_time(void **state)
{
    char     text[AKL_TIME_LEN + 1];
    size_t   i;
    int64_t  t;

    static const char  *bad[] = {
        "", "x", "2027-01-01", "2027-01-01T00:00:00", "2027-13-01T00:00:00Z",
        "2027-02-29T00:00:00Z", "2027-01-01T24:00:00Z",
        "2027-01-01T00:60:00Z", "2027-01-01 00:00:00Z", "-1", "1e9",
        "2027-01-00T00:00:00Z", "1969-12-31T23:59:59Z", "9999999999999"
    };

    (void) state;

    assert_int_equal(akl_time_parse(str("2027-01-01T00:00:00Z"), &t), 0);
    assert_int_equal(t, 1798761600);
    assert_int_equal(akl_time_parse(str("2028-02-29T23:59:59Z"), &t), 0);
    assert_int_equal(t, 1835481599);
    assert_int_equal(akl_time_parse(str("1970-01-01T00:00:00Z"), &t), 0);
    assert_int_equal(t, 0);
    assert_int_equal(akl_time_parse(str("1786269600"), &t), 0);
    assert_int_equal(t, 1786269600);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(akl_time_parse(str(bad[i]), &t), -1);
    }

    assert_int_equal(akl_time_format(text, 1786269600), AKL_TIME_LEN);
    assert_string_equal(text, "2026-08-09T10:00:00Z");

    for (t = 0; t < 4102444800; t += 86400 * 37 + 12345) {
        int64_t  back;

        akl_time_format(text, t);
        assert_int_equal(akl_time_parse(str(text), &back), 0);
        assert_int_equal(back, t);
    }
}


static void
payload_of_a_minted_token(void **state)
{
    unsigned char     buf[1024];
    akl_claims_t      claims;
    akl_json_out_t    out;
    akl_claim_pair_t  extra[2];
    const akl_str_t   audiences[] = { str("items"), str("a\"b") };

    (void) state;

    memset(&claims, 0, sizeof(claims));
    claims.issuer = str("https://gw");
    claims.subject = str("system:serviceaccount:ns:sa");
    claims.pod_aud = str("[\"api\"]");
    claims.iat = 100;
    claims.exp = 1000;
    claims.jti = str("j");
    claims.identity.namespace = str("ns");
    claims.identity.sa_name = str("sa");
    claims.identity.pod_name = str("p\"q");
    claims.access_id = str("p-x");
    claims.config_name = str("c");

    akl_json_out_init(&out, buf, sizeof(buf));
    akl_claims_write(&out, &claims);
    assert_str((akl_str_t) { out.len, buf },
        "{\"iss\":\"https://gw\",\"sub\":\"system:serviceaccount:ns:sa\","
        "\"aud\":[\"api\"],\"iat\":100,\"nbf\":90,\"exp\":1000,"
        "\"jti\":\"j\",\"service_account_name\":\"sa\","
        "\"namespace\":\"ns\",\"pod_name\":\"p\\\"q\","
        "\"access_id\":\"p-x\",\"config_name\":\"c\"}");

    extra[0].name = str("team");
    extra[0].value = str("t");
    extra[1].name = str("config_name");
    extra[1].value = str("other");
    claims.extra = extra;
    claims.n_extra = 2;
    claims.audiences = (akl_list_t) { audiences, 1 };
    claims.identity.pod_name = str("");

    akl_json_out_init(&out, buf, sizeof(buf));
    akl_claims_write(&out, &claims);
    assert_str((akl_str_t) { out.len, buf },
        "{\"iss\":\"https://gw\",\"sub\":\"system:serviceaccount:ns:sa\","
        "\"aud\":\"items\",\"k8s_aud\":[\"api\"],\"iat\":100,\"nbf\":90,"
        "\"exp\":1000,\"jti\":\"j\",\"service_account_name\":\"sa\","
        "\"namespace\":\"ns\",\"access_id\":\"p-x\",\"team\":\"t\","
        "\"config_name\":\"other\"}");

    claims.audiences.n = 2;
    claims.pod_aud = str("");
    claims.certificate = str("x5t");
    claims.n_extra = 0;

    akl_json_out_init(&out, buf, sizeof(buf));
    akl_claims_write(&out, &claims);
    assert_str((akl_str_t) { out.len, buf },
        "{\"iss\":\"https://gw\",\"sub\":\"system:serviceaccount:ns:sa\","
        "\"aud\":[\"items\",\"a\\\"b\"],\"iat\":100,\"nbf\":90,"
        "\"exp\":1000,\"jti\":\"j\",\"cnf\":{\"x5t#S256\":\"x5t\"},"
        "\"service_account_name\":\"sa\",\"namespace\":\"ns\","
        "\"access_id\":\"p-x\",\"config_name\":\"c\"}");

    assert_int_equal(akl_claims_exp(100, 900, 0, 0), 1000);
    assert_int_equal(akl_claims_exp(100, 900, 500, 0), 500);
    assert_int_equal(akl_claims_exp(100, 900, 500, 300), 300);
    assert_int_equal(akl_claims_exp(100, 900, 5000, 3000), 1000);

    assert_null(akl_claims_check(str("team")));
    assert_null(akl_claims_check(str("config_name")));
    assert_non_null(akl_claims_check(str("")));
    assert_non_null(akl_claims_check(str("a b")));
    assert_non_null(akl_claims_check(str("exp")));
    assert_non_null(akl_claims_check(str("namespace")));
}


static void
flattened_claims(void **state)
{
    size_t          len;
    akl_doc_t       doc;
    akl_str_t       flat, value;
    akl_claim_t     claim;
    unsigned char   buf[AKL_CLAIMS_MAX];
    akl_subclaim_t  rule;
    akl_str_t       globs_[4];

    (void) state;

    assert_int_equal(akl_doc_parse(&doc, str(
        "{\"s\":\"x\",\"n\":5,\"b\":true,\"e\":[],"
        "\"l\":[\"a\",\"b\",7],\"o\":{\"k\":[1]},\"Name\":\"N\","
        "\"z\":null}")), 0);

    len = akl_claims_flatten(&doc, NULL, 0);
    assert_int_equal(akl_claims_flatten(&doc, buf, sizeof(buf)), len);
    akl_doc_free(&doc);
    flat = (akl_str_t) { len, buf };

    assert_true(akl_claims_find(flat, str("s"), &value));
    assert_str(value, "x");
    assert_true(akl_claims_find(flat, str("n"), &value));
    assert_str(value, "5");
    assert_true(akl_claims_find(flat, str("o"), &value));
    assert_str(value, "{\"k\":[1]}");
    assert_false(akl_claims_find(flat, str("e"), &value));
    assert_false(akl_claims_find(flat, str("S"), &value));
    assert_false(akl_claims_find(flat, str(""), &value));
    assert_true(akl_claims_lookup(flat, str("NAME"), 1, &claim));
    assert_true(akl_claims_lookup(flat, str("l"), 0, &claim));
    assert_int_equal(claim.type, AKL_CLAIM_LIST);
    assert_true(akl_claim_next(&claim, &value));
    assert_str(value, "a");
    assert_true(akl_claim_next(&claim, &value));
    assert_true(akl_claim_next(&claim, &value));
    assert_str(value, "7");
    assert_false(akl_claim_next(&claim, &value));

    memset(&rule, 0, sizeof(rule));
    len = 4;
    assert_null(akl_subclaim_parse(str("l=q,b*"), &rule.claim, globs_, &len));
    assert_int_equal(len, 2);
    rule.values = (akl_list_t) { globs_, len };

    assert_true(akl_subclaim_match(&rule, str("l"), flat));
    assert_false(akl_subclaim_match(&rule, str("e"), flat));
    assert_false(akl_subclaim_match(&rule, str("absent"), flat));

    /* cut anywhere, it is never read beyond its end */

    for (len = 0; len < flat.len; len++) {
        unsigned char  *copy = malloc(len ? len : 1);

        assert_non_null(copy);
        memcpy(copy, buf, len);
        (void) akl_subclaim_match(&rule, str("l"), (akl_str_t) { len, copy });
        (void) akl_claims_find((akl_str_t) { len, copy }, str("z"), &value);
        free(copy);
    }

    assert_non_null(akl_subclaim_parse(str("x"), &value, NULL, &len));
    assert_non_null(akl_subclaim_parse(str("=x"), &value, NULL, &len));
    assert_non_null(akl_subclaim_parse(str("a="), &value, NULL, &len));
    assert_non_null(akl_subclaim_parse(str("a=b,,c"), &value, NULL, &len));
}


static akl_doc_t *
parsed(akl_doc_t *doc, json_t *root, char **text)
{
    *text = json_dumps(root, JSON_COMPACT);
    assert_non_null(*text);
    assert_int_equal(akl_doc_parse(doc, str(*text)), 0);

    return doc;
}


static void
claims_fit_as_a_whole_or_not_at_all(void **state)
{
    char           *text, big[AKL_CLAIMS_MAX];
    size_t          i, n, sizes[2];
    json_t         *root, *list;
    ssize_t         len;
    akl_doc_t       doc;
    akl_str_t       flat, value;
    unsigned char  *buf;

    (void) state;

    /* one long string, and a list of many short ones */

    sizes[0] = AKL_CLAIMS_MAX - 100;
    sizes[1] = 10000;

    for (i = 0; i < 2; i++) {

        root = json_object();
        json_object_set_new(root, "first", json_string("1"));

        if (i == 0) {
            memset(big, 'x', sizeof(big));
            json_object_set_new(root, "aud", json_stringn(big, sizes[0]));

        } else {
            list = json_array();

            for (n = 0; n < sizes[1]; n++) {
                json_array_append_new(list, json_string("y"));
            }

            json_object_set_new(root, "aud", list);
        }

        json_object_set_new(root, "jti", json_string("2"));

        len = akl_claims_flatten(parsed(&doc, root, &text), NULL, 0);
        assert_true(len > 0 && len <= AKL_CLAIMS_MAX);

        buf = malloc((size_t) len);
        assert_non_null(buf);
        assert_int_equal(akl_claims_flatten(&doc, buf, (size_t) len), len);

        flat = (akl_str_t) { (size_t) len, buf };
        assert_true(akl_claims_string(flat, str("first"), &value));
        assert_true(akl_claims_string(flat, str("jti"), &value));
        assert_str(value, "2");
        free(buf);

        /* no room for the last byte: nothing at all, and none is passed */

        for (n = 0; n < (size_t) len; n += (n < 200) ? 1 : 997) {
            buf = malloc(n ? n : 1);
            assert_non_null(buf);
            assert_int_equal(akl_claims_flatten(&doc, buf, n), -1);
            free(buf);
        }

        akl_doc_free(&doc);
        free(text);

        /* more than the bound, measured or written */

        json_object_set_new(root, "more", json_stringn(big, 5000));
        json_object_set_new(root, "most", json_stringn(big, 5000));

        (void) parsed(&doc, root, &text);
        assert_int_equal(akl_claims_flatten(&doc, NULL, 0), -1);

        buf = malloc(2 * AKL_CLAIMS_MAX);
        assert_non_null(buf);
        assert_int_equal(akl_claims_flatten(&doc, buf, 2 * AKL_CLAIMS_MAX),
                         -1);
        free(buf);

        akl_doc_free(&doc);
        free(text);
        json_decref(root);
    }
}


/* the worst that a token's payload can do: members as short as they can be */

static void
claims_of_every_token_fit(void **state)
{
    char       text[AKL_JWS_MAX / 4 * 3], *p, *last;
    int        kind;
    size_t     i;
    ssize_t    len;
    akl_doc_t  doc;

    (void) state;

    for (kind = 0; kind < 3; kind++) {

        p = text;
        last = text + sizeof(text) - 16;

        *p++ = '{';
        p += sprintf(p, (kind == 0) ? "\"a\":1" : "\"a\":[1");

        for (i = 0; p < last; i++) {
            p += sprintf(p, (kind == 0) ? ",\"%zx\":1"
                            : (kind == 1) ? ",1" : ",\"\"", i + 16);
        }

        p += sprintf(p, (kind == 0) ? "}" : "]}");

        assert_int_equal(akl_doc_parse(&doc,
                              (akl_str_t) { (size_t) (p - text),
                                            (unsigned char *) text }), 0);

        len = akl_claims_flatten(&doc, NULL, 0);
        assert_true(len > 0);
        akl_doc_free(&doc);
    }
}


static void
claims_that_are_no_proper_string(void **state)
{
    ssize_t        len;
    akl_doc_t      doc;
    akl_str_t      flat, value;
    unsigned char  buf[256];

    (void) state;

    assert_int_equal(akl_doc_parse(&doc, str(
        "{\"n\":5,\"l\":[\"a\"],\"e\":\"\",\"z\":null,\"s\":\"x\"}")), 0);
    len = akl_claims_flatten(&doc, buf, sizeof(buf));
    akl_doc_free(&doc);
    assert_true(len > 0);

    flat = (akl_str_t) { (size_t) len, buf };

    assert_false(akl_claims_string(flat, str("n"), &value));
    assert_false(akl_claims_string(flat, str("l"), &value));
    assert_false(akl_claims_string(flat, str("e"), &value));
    assert_false(akl_claims_string(flat, str("z"), &value));
    assert_false(akl_claims_string(flat, str("absent"), &value));
    assert_true(akl_claims_string(flat, str("s"), &value));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(globs),
        cmocka_unit_test(bounds_fail_closed),
        cmocka_unit_test(access_ids),
        cmocka_unit_test(reasons),
        cmocka_unit_test(points_in_time),
        cmocka_unit_test(payload_of_a_minted_token),
        cmocka_unit_test(flattened_claims),
        cmocka_unit_test(claims_fit_as_a_whole_or_not_at_all),
        cmocka_unit_test(claims_of_every_token_fit),
        cmocka_unit_test(claims_that_are_no_proper_string)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("k8s_rules", tests, NULL, NULL);
}
