#include "lib/k8s_test.h"
#include "../../src/k8s/subject.h"


#define NS    "$akl_k8s_namespace"
#define SA    "$akl_k8s_service_account"
#define POD   "$akl_k8s_pod_name"
#define NODE  "$akl_k8s_node_name"


static const akl_identity_t *
identity(void)
{
    static akl_identity_t  id;

    id.namespace = str("ns");
    id.sa_name = str("builder");
    id.sa_uid = str("u-1");
    id.pod_name = str("web.0");
    id.pod_uid = str("u-2");
    id.node_name = str("");

    return &id;
}


static void
subjects_of_an_identity(void **state)
{
    size_t         i;
    akl_str_t      sub;
    const char    *cause;
    akl_subject_t  subject;
    unsigned char  buf[AKL_SUBJECT_MAX];

    static const struct {
        const char  *text, *sub;
    } cases[] = {
        { AKL_SUBJECT_DEFAULT, "system:serviceaccount:ns:builder" },
        { "spiffe://example.org/ns/" NS "/sa/" SA,
          "spiffe://example.org/ns/ns/sa/builder" },
        { "fixed", "fixed" },
        { NS, "ns" },
        { "${akl_k8s_namespace}/${akl_k8s_service_account}", "ns/builder" },
        { "${akl_k8s_namespace}_x", "ns_x" },
        { "$akl_k8s_config:" POD, "k8s/conf:web.0" },
        { "$akl_k8s_service_account_uid/$akl_k8s_pod_uid", "u-1/u-2" },
        { NS "." SA, "ns.builder" },
        { SA "." NS, "builder.ns" },
        { NS ".x-" SA, "ns.x-builder" },
        { NS "." SA "/" POD, "ns.builder/web.0" },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cause = akl_subject_parse(&subject, str(cases[i].text),
                                  str("k8s/conf"));
        assert_null(cause);
        assert_null(akl_subject_write(&subject, identity(), buf, &sub));
        assert_str(sub, cases[i].sub);
    }
}


static void
what_is_no_subject_is_told(void **state)
{
    char           text[3 * AKL_SUBJECT_MAX];
    size_t         i;
    const char    *cause;
    akl_subject_t  subject;

    static const struct {
        const char  *text, *part;
    } cases[] = {
        { "", "is empty" },
        { "a b", "blank" },
        { "a\n", "control" },
        { "\xc3\xa9", "ASCII" },
        { "$", "variable name" },
        { "a$", "variable name" },
        { "${akl_k8s_namespace", "variable name" },
        { "${}", "variable name" },
        { "$remote_addr", "not one of the pod's identity" },
        { "$akl_k8s_token", "not one of the pod's identity" },
        { "$akl_k8s_namespacex", "not one of the pod's identity" },
        { NS SA, "apart" },
        { NS "-" SA, "apart" },
        { "${akl_k8s_namespace}sa" SA, "apart" },
        { SA "." POD, "apart" },
        { SA "." NS "." POD, "apart" },
        { "x/" NS "." SA "." POD, "apart" },
        { NODE "-" NS, "apart" },
        { NS "$akl_k8s_config-" SA, "apart" },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cause = akl_subject_parse(&subject, str(cases[i].text), str("conf"));

        if (cause == NULL || strstr(cause, cases[i].part) == NULL) {
            fail_msg("\"%s\": \"%s\" instead of \"%s\"", cases[i].text,
                     cause ? cause : "(fine)", cases[i].part);
        }
    }

    memset(text, 'a', sizeof(text));

    assert_null(akl_subject_parse(&subject,
                    (akl_str_t) { AKL_SUBJECT_MAX, (unsigned char *) text },
                    str("conf")));
    assert_non_null(akl_subject_parse(&subject,
                    (akl_str_t) { AKL_SUBJECT_MAX + 1,
                                  (unsigned char *) text },
                    str("conf")));
    assert_non_null(akl_subject_parse(&subject, str("x/$akl_k8s_config"),
                    (akl_str_t) { AKL_SUBJECT_MAX,
                                  (unsigned char *) text }));

    text[0] = '\0';

    for (i = 0; i < AKL_SUBJECT_PARTS / 2; i++) {
        strcat(text, "$akl_k8s_config/");
    }

    assert_null(akl_subject_parse(&subject, str(text), str("")));
    strcat(text, "$akl_k8s_config");
    assert_non_null(akl_subject_parse(&subject, str(text), str("")));
}


static void
a_part_that_is_empty_is_named(void **state)
{
    akl_str_t       sub;
    akl_subject_t   subject;
    akl_identity_t  id;
    unsigned char   buf[AKL_SUBJECT_MAX];

    (void) state;

    assert_null(akl_subject_parse(&subject, str(NS "/" NODE), str("conf")));
    assert_string_equal(akl_subject_write(&subject, identity(), buf, &sub),
                        "$akl_k8s_node_name of token_subject is empty");

    /* names longer than Kubernetes' own are not written past the end */

    memset(&id, 0, sizeof(id));
    id.namespace = (akl_str_t) { AKL_SUBJECT_MAX, buf };
    id.node_name = str("n");

    assert_non_null(akl_subject_write(&subject, &id, buf, &sub));
}


static void
spiffe_ids_of_one_trust_domain(void **state)
{
    size_t         i;
    akl_str_t      domain;
    const char    *cause;
    akl_subject_t  subject;

    static const struct {
        const char  *text, *part;
    } cases[] = {
        { "spiffe://example.org/ns/" NS "/sa/" SA, NULL },
        { "spiffe://example.org/" NS, NULL },
        { "spiffe://example.org/x", NULL },
        { "spiffe://example.org/.x/..." , NULL },
        { "spiffe://example.org/." NS "/" SA, NULL },
        { "spiffe://a_b-1/A.b_c-9", NULL },

        { AKL_SUBJECT_DEFAULT, "does not begin" },
        { "spiffe://", "does not begin" },
        { "spiffe:" NS, "does not begin" },
        { "${akl_k8s_namespace}spiffe://x/y", "does not begin" },
        { "SPIFFE://example.org/x", "does not begin" },
        { "spiffe:///x", "trust domain of no" },
        { "spiffe://" NS "/x", "does not begin" },
        { "spiffe://x" NS "/x", "no path" },
        { "spiffe://Example.org/x", "trust domain with other" },
        { "spiffe://example.org:1/x", "trust domain with other" },
        { "spiffe://a@example.org/x", "trust domain with other" },
        { "spiffe://example.org", "no path" },
        { "spiffe://example.org/", "empty segment" },
        { "spiffe://example.org//x", "empty segment" },
        { "spiffe://example.org/x/", "empty segment" },
        { "spiffe://example.org/./x", "\"..\"" },
        { "spiffe://example.org/x/..", "\"..\"" },
        { "spiffe://example.org/x?y", "path with other" },
        { "spiffe://example.org/%41", "path with other" },
        { "spiffe://example.org/$akl_k8s_config", "path with other" },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_null(akl_subject_parse(&subject, str(cases[i].text),
                                      str("k8s conf")));

        cause = akl_subject_spiffe(&subject, &domain);

        if (cases[i].part == NULL ? cause != NULL
            : cause == NULL || strstr(cause, cases[i].part) == NULL)
        {
            fail_msg("\"%s\": \"%s\" instead of \"%s\"", cases[i].text,
                     cause ? cause : "(fine)",
                     cases[i].part ? cases[i].part : "(fine)");
        }
    }

    assert_null(akl_subject_parse(&subject, str("spiffe://td.test/" NS),
                                  str("")));
    assert_null(akl_subject_spiffe(&subject, &domain));
    assert_str(domain, "td.test");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(subjects_of_an_identity),
        cmocka_unit_test(what_is_no_subject_is_told),
        cmocka_unit_test(a_part_that_is_empty_is_named),
        cmocka_unit_test(spiffe_ids_of_one_trust_domain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
