#include "lib/k8s_test.h"
#include "../../src/k8s/namespace.h"


#define NAMESPACE(labels)                                                     \
    "{\"kind\":\"Namespace\",\"apiVersion\":\"v1\",\"metadata\":"             \
    "{\"name\":\"ns\",\"uid\":\"u\",\"labels\":" labels "}}"

#define GONE(name, kind)                                                      \
    "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":"                \
    "\"namespaces \\\"ns\\\" not found\",\"reason\":\"NotFound\","            \
    "\"details\":{\"name\":\"" name "\",\"kind\":\"" kind "\"},\"code\":404}"


static char  detail[256];


static akl_reason_t
judged_text(unsigned status, akl_str_t body, const akl_selector_t *selector,
    int *again)
{
    akl_reason_t     reason;
    akl_judgement_t  judged;

    akl_namespace_judge(&judged, status, body, str("ns"), selector);

    reason = judged.reason;
    *again = judged.again;
    memcpy(detail, judged.detail, sizeof(detail));

    akl_judgement_clear(&judged);

    return reason;
}


/* by a selector of a=1 b= */

static akl_reason_t
judged(unsigned status, const char *body)
{
    int             again;
    akl_label_t     labels[2];
    akl_selector_t  selector;

    assert_null(akl_label_parse(str("a=1"), &labels[0]));
    assert_null(akl_label_parse(str("b="), &labels[1]));

    selector.elts = labels;
    selector.n = 2;

    return judged_text(status, str(body), &selector, &again);
}


static void
labels_that_a_server_takes_are_taken(void **state)
{
    size_t       i;
    akl_label_t  label;

    static const struct {
        const char  *text;
        const char  *key;
        const char  *value;
    } cases[] = {
        { "a=b", "a", "b" },
        { "a=", "a", "" },
        { "A-b_c.d=E-f_g.h", "A-b_c.d", "E-f_g.h" },
        { "0=1", "0", "1" },
        { "kubernetes.io/metadata.name=ns", "kubernetes.io/metadata.name",
          "ns" },
        { "x/Y=z", "x/Y", "z" },
        { "a-b.c-d.e/f=g", "a-b.c-d.e/f", "g" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_null(akl_label_parse(str(cases[i].text), &label));
        assert_str(label.key, cases[i].key);
        assert_str(label.value, cases[i].value);
    }
}


static void
what_no_label_can_be_is_told(void **state)
{
    size_t       i;
    const char  *cause;
    akl_label_t  label;

    static const struct {
        const char  *text;
        const char  *part;
    } cases[] = {
        { "", "key=value" },
        { "a", "key=value" },
        { "a:b", "key=value" },
        { "a in (b)", "key=value" },
        { "a=b,c=d", "comma" },
        { ",", "comma" },
        { "=", "no key" },
        { "=b", "no key" },
        { "a!=b", "another value" },
        { "!=b", "another value" },
        { "a==b", "two \"=\"" },
        { "a=b=c", "value that no label has" },
        { "a=*", "wildcard" },
        { "a=b?", "wildcard" },
        { "a*=b", "key that no label has" },
        { "/a=b", "prefix" },
        { "A.com/a=b", "prefix" },
        { "a..b/c=d", "prefix" },
        { "a_b/c=d", "prefix" },
        { "a/b/c=d", "key that no label has" },
        { "a/=b", "key that no label has" },
        { "-a=b", "key that no label has" },
        { "a-=b", "key that no label has" },
        { ".a=b", "key that no label has" },
        { "a b=c", "key that no label has" },
        { "\xc3\xa4=b", "key that no label has" },
        { "a=b c", "value that no label has" },
        { "a=-b", "value that no label has" },
        { "a=b_", "value that no label has" },
        { "a=.", "value that no label has" },
        { "a=b/c", "value that no label has" },
        { "a=\xc3\xa4", "value that no label has" },
        { "a=\"b\"", "value that no label has" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cause = akl_label_parse(str(cases[i].text), &label);

        if (cause == NULL || strstr(cause, cases[i].part) == NULL) {
            print_error("%s: %s\n", cases[i].text, cause ? cause : "taken");
        }

        assert_non_null(cause);
        assert_non_null(strstr(cause, cases[i].part));
    }
}


/* name and value of 63 characters, a prefix of 253, and one more each */

static void
labels_have_the_lengths_of_kubernetes(void **state)
{
    size_t       i, n;
    char         text[512];
    akl_label_t  label;

    static const struct {
        size_t       prefix;
        size_t       name;
        size_t       value;
        const char  *part;
    } cases[] = {
        { 0, 63, 63, NULL },
        { 253, 63, 63, NULL },
        { 253, 1, 0, NULL },
        { 254, 1, 0, "prefix" },
        { 0, 64, 1, "key of more than 63" },
        { 253, 64, 1, "key of more than 63" },
        { 0, 1, 64, "value of more than 63" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = 0;

        if (cases[i].prefix) {
            memset(text, 'p', cases[i].prefix);
            n = cases[i].prefix;
            text[n++] = '/';
        }

        memset(text + n, 'k', cases[i].name);
        n += cases[i].name;
        text[n++] = '=';
        memset(text + n, 'v', cases[i].value);
        n += cases[i].value;
        text[n] = '\0';

        if (cases[i].part == NULL) {
            assert_null(akl_label_parse(str(text), &label));
            continue;
        }

        assert_non_null(akl_label_parse(str(text), &label));
        assert_non_null(strstr(akl_label_parse(str(text), &label),
                               cases[i].part));
    }
}


static void
all_labels_have_to_be_there(void **state)
{
    size_t  i;

    static const struct {
        const char    *body;
        akl_reason_t   reason;
        const char    *detail;
    } cases[] = {
        { NAMESPACE("{\"a\":\"1\",\"b\":\"\"}"), AKL_OK, "" },
        { NAMESPACE("{\"b\":\"\",\"c\":\"x\",\"a\":\"1\"}"), AKL_OK, "" },
        { NAMESPACE("{\"a\":\"\\u0031\",\"b\":\"\"}"), AKL_OK, "" },
        { NAMESPACE("{}"), AKL_NAMESPACE_NOT_BOUND,
          "label \"a\" of the namespace is not there" },
        { NAMESPACE("null"), AKL_NAMESPACE_NOT_BOUND, "is not there" },
        { NAMESPACE("{\"a\":null,\"b\":\"\"}"), AKL_NAMESPACE_NOT_BOUND,
          "is not there" },
        { NAMESPACE("{\"a\":\"1\"}"), AKL_NAMESPACE_NOT_BOUND,
          "label \"b\" of the namespace is not there" },
        { NAMESPACE("{\"a\":\"2\",\"b\":\"\"}"), AKL_NAMESPACE_NOT_BOUND,
          "label \"a\" of the namespace has another value" },
        { NAMESPACE("{\"a\":\"1\",\"b\":\" \"}"), AKL_NAMESPACE_NOT_BOUND,
          "label \"b\" of the namespace has another value" },
        { NAMESPACE("{\"a\":\"1\",\"b\":0}"), AKL_API_ERROR, "is no string" },
        { NAMESPACE("{\"a\":true,\"b\":\"\"}"), AKL_API_ERROR,
          "is no string" },
        { NAMESPACE("{\"a\":[\"1\"],\"b\":\"\"}"), AKL_API_ERROR,
          "is no string" },
        { NAMESPACE("[]"), AKL_API_ERROR, "is no object" },
        { NAMESPACE("\"a=1\""), AKL_API_ERROR, "is no object" },
        { NAMESPACE("{\"a\":\"2\",\"a\":\"1\",\"b\":\"\"}"), AKL_API_ERROR,
          "no JSON object" },
        { "{\"kind\":\"Namespace\",\"metadata\":{\"name\":\"other\","
          "\"labels\":{\"a\":\"1\",\"b\":\"\"}}}", AKL_API_ERROR,
          "about something else" },
        { "{\"kind\":\"Namespace\",\"metadata\":{"
          "\"labels\":{\"a\":\"1\",\"b\":\"\"}}}", AKL_API_ERROR,
          "about something else" },
        { "{\"kind\":\"Namespace\",\"labels\":{\"a\":\"1\",\"b\":\"\"}}",
          AKL_API_ERROR, "about something else" },
        { "{\"kind\":\"Namespace\",\"metadata\":[]}", AKL_API_ERROR,
          "about something else" },
        { "{\"kind\":\"Namespace\",\"metadata\":null}", AKL_API_ERROR,
          "about something else" },
        { "{\"kind\":\"Namespace\",\"metadata\":{\"name\":\"ns\"}}",
          AKL_NAMESPACE_NOT_BOUND, "is not there" },
        { "{\"kind\":\"NamespaceList\",\"metadata\":{\"name\":\"ns\"}}",
          AKL_API_ERROR, "no Namespace" },
        { "{\"kind\":\"Status\",\"reason\":\"NotFound\"}", AKL_API_ERROR,
          "no Namespace" },
        { "{}", AKL_API_ERROR, "no Namespace" },
        { "[]", AKL_API_ERROR, "no JSON object" },
        { "null", AKL_API_ERROR, "no JSON object" },
        { "", AKL_API_ERROR, "no JSON object" },
        { "<html>", AKL_API_NOT_FOUND, "web page" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        if (judged(200, cases[i].body) != cases[i].reason) {
            print_error("%s: %s\n", cases[i].body, detail);
        }

        assert_int_equal(judged(200, cases[i].body), cases[i].reason);
        assert_non_null(strstr(detail, cases[i].detail));
    }
}


static void
only_the_namespace_itself_can_be_gone(void **state)
{
    (void) state;

    assert_int_equal(judged(404, GONE("ns", "namespaces")),
                     AKL_NAMESPACE_NOT_BOUND);
    assert_string_equal(detail, "namespaces \"ns\" not found");

    assert_int_equal(judged(404, GONE("other", "namespaces")),
                     AKL_API_NOT_FOUND);
    assert_int_equal(judged(404, GONE("ns", "clusters")), AKL_API_NOT_FOUND);
    assert_int_equal(judged(404, "{\"reason\":\"NotFound\"}"),
                     AKL_API_NOT_FOUND);
    assert_int_equal(judged(404, "{\"details\":{\"name\":\"ns\","
                                 "\"kind\":\"namespaces\"}}"),
                     AKL_API_NOT_FOUND);
    assert_int_equal(judged(404, GONE("ns", "namespaces") "}"),
                     AKL_API_NOT_FOUND);
    assert_int_equal(judged(404, "{\"reason\":\"NotFound\",\"details\":{"),
                     AKL_API_NOT_FOUND);
    assert_int_equal(judged(404, "404 page not found"), AKL_API_NOT_FOUND);
    assert_int_equal(judged(404, ""), AKL_API_NOT_FOUND);
    assert_int_equal(judged(410, GONE("ns", "namespaces")), AKL_API_ERROR);
    assert_int_equal(judged(200, GONE("ns", "namespaces")), AKL_API_ERROR);
}


static void
other_answers_are_outages(void **state)
{
    size_t          i;
    int             again;
    akl_selector_t  none;

    static const struct {
        unsigned       status;
        const char    *body;
        akl_reason_t   reason;
        int            again;
    } cases[] = {
        { 401, "", AKL_REVIEWER_UNAUTHORIZED, 0 },
        { 403, "{\"message\":\"namespaces \\\"ns\\\" is forbidden: no\"}",
          AKL_REVIEWER_FORBIDDEN, 0 },
        { 403, "", AKL_REVIEWER_FORBIDDEN, 0 },
        { 403, "{\"message\":\"RBAC: clusterrole \\\"x\\\" not found\"}",
          AKL_REVIEWER_FORBIDDEN, 1 },
        { 403, "{\"message\":\"forbidden: User \\\"u\\\" cannot get path "
               "\\\"/proxy/api/v1/namespaces/ns\\\"\"}", AKL_API_NOT_FOUND,
          0 },
        { 429, "", AKL_API_THROTTLED, 1 },
        { 500, "{\"message\":\"error validating audiences\"}", AKL_API_ERROR,
          1 },
        { 503, "", AKL_API_ERROR, 1 },
        { 302, "", AKL_API_ERROR, 0 },
        { 201, NAMESPACE("{\"a\":\"1\"}"), AKL_API_ERROR, 0 },
        { 204, "", AKL_API_ERROR, 0 },
        { 0, "", AKL_API_ERROR, 0 }
    };

    (void) state;

    none.elts = NULL;
    none.n = 0;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(judged_text(cases[i].status, str(cases[i].body),
                                     &none, &again), cases[i].reason);
        assert_int_equal(again, cases[i].again);

        if (cases[i].reason == AKL_REVIEWER_FORBIDDEN) {
            assert_non_null(strstr(detail, "the right to get namespaces is "
                                           "missing"));
        }
    }
}


/* a namespace may carry 256 KiB of annotations */

static void
an_answer_may_be_large_but_not_any(void **state)
{
    int             again;
    char           *body;
    size_t          len;
    akl_selector_t  none;

    (void) state;

    none.elts = NULL;
    none.n = 0;

    len = AKL_NAMESPACE_ANSWER_MAX + 1;
    body = malloc(len);
    assert_non_null(body);

    memset(body, ' ', len);
    memcpy(body, NAMESPACE("{}"), strlen(NAMESPACE("{}")));

    assert_int_equal(judged_text(200, (akl_str_t) {
                                     len - 1, (unsigned char *) body },
                                 &none, &again), AKL_OK);
    assert_int_equal(judged_text(200, (akl_str_t) {
                                     len, (unsigned char *) body },
                                 &none, &again), AKL_API_ERROR);

    free(body);
}


/* the log is told what is missing, not what a stranger wrote */

static void
the_detail_is_printable_and_has_no_token(void **state)
{
    (void) state;

    assert_int_equal(judged(403, "{\"message\":\"User \\\"\\u001b[31m\\n"
                                 "eyJhbGciOiJub25lIn0.e30.x y\\\" no\"}"),
                     AKL_REVIEWER_FORBIDDEN);
    assert_null(strchr(detail, 27));
    assert_null(strchr(detail, '\n'));
    assert_null(strstr(detail, "eyJ"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(labels_that_a_server_takes_are_taken),
        cmocka_unit_test(what_no_label_can_be_is_told),
        cmocka_unit_test(labels_have_the_lengths_of_kubernetes),
        cmocka_unit_test(all_labels_have_to_be_there),
        cmocka_unit_test(only_the_namespace_itself_can_be_gone),
        cmocka_unit_test(other_answers_are_outages),
        cmocka_unit_test(an_answer_may_be_large_but_not_any),
        cmocka_unit_test(the_detail_is_printable_and_has_no_token)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("k8s_namespace", tests, NULL, NULL);
}
