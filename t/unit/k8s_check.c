#include "lib/k8s_test.h"
#include "../../src/k8s/check.h"
#include "../../src/k8s/host.h"


/* NULL and NULL, or a sentence that holds "part" */

static void
assert_says(const char *subject, const char *said, const char *part)
{
    if (part == NULL ? said != NULL
                     : said == NULL || strstr(said, part) == NULL)
    {
        fail_msg("\"%s\": \"%s\" instead of \"%s\"", subject,
                 said ? said : "(fine)", part ? part : "(fine)");
    }
}


static void
bounds_that_no_name_can_meet_are_told(void **state)
{
    char    text[260];
    size_t  i;

    static const struct {
        akl_name_kind_t   kind;
        const char       *glob, *part;
    } cases[] = {
        { AKL_NAME_NAMESPACE, "my-namespace-a", NULL },
        { AKL_NAME_NAMESPACE, "*", NULL },
        { AKL_NAME_NAMESPACE, "kube-*", NULL },
        { AKL_NAME_NAMESPACE, "*-prod", NULL },
        { AKL_NAME_NAMESPACE, "?-prod-?", NULL },
        { AKL_NAME_NAMESPACE, "1", NULL },
        { AKL_NAME_POD, "web-0.example", NULL },
        { AKL_NAME_POD, "web.*", NULL },
        { AKL_NAME_POD, "*.web", NULL },
        { AKL_NAME_POD, "web-*.x", NULL },
        { AKL_NAME_SERVICE_ACCOUNT, "builder", NULL },

        { AKL_NAME_NAMESPACE, "", "empty" },
        { AKL_NAME_NAMESPACE, "a,b", "separated by blanks" },
        { AKL_NAME_NAMESPACE, "a,", "separated by blanks" },
        { AKL_NAME_POD, "mypod1,mypod2", "separated by blanks" },
        { AKL_NAME_NAMESPACE, "My-Ns", "lower case" },
        { AKL_NAME_NAMESPACE, "^prod-.*$", "regular expression" },
        { AKL_NAME_NAMESPACE, "prod.*", "regular expression" },
        { AKL_NAME_NAMESPACE, "prod-[ab]", "regular expression" },
        { AKL_NAME_NAMESPACE, "prod\\-a", "regular expression" },
        { AKL_NAME_POD, "(a|b)", "regular expression" },
        { AKL_NAME_POD, "prod-.*", "meets no name" },
        { AKL_NAME_NAMESPACE, "system:serviceaccount:ns:sa",
          "bound_sa_names" },
        { AKL_NAME_SERVICE_ACCOUNT, "system:serviceaccount:ns:sa",
          "bound_sa_names" },
        { AKL_NAME_SERVICE_ACCOUNT, "ns:sa", "more than one name" },
        { AKL_NAME_POD, "ns/pod", "more than one name" },
        { AKL_NAME_POD, "pod_name=mypod1", "no name in Kubernetes" },
        { AKL_NAME_POD, "pod=mypod1", "name=value" },
        { AKL_NAME_NAMESPACE, "bound_pod_names", "no name in Kubernetes" },
        { AKL_NAME_NAMESPACE, "a b", "no name in Kubernetes" },
        { AKL_NAME_NAMESPACE, "\xc3\xa4", "no name in Kubernetes" },
        { AKL_NAME_NAMESPACE, "a\n", "control character" },
        { AKL_NAME_NAMESPACE, "a.b", "no namespace does" },
        { AKL_NAME_NAMESPACE, "-a", "begin and end" },
        { AKL_NAME_NAMESPACE, "a-", "begin and end" },
        { AKL_NAME_POD, "a..b", "begin and end" },
        { AKL_NAME_POD, ".a", "begin and end" },
        { AKL_NAME_POD, "a.", "begin and end" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_says(cases[i].glob,
                    akl_check_bound(str(cases[i].glob), cases[i].kind),
                    cases[i].part);
    }

    /* wildcards may stand for nothing: stars count as nothing, "?" as one */

    memset(text, '*', sizeof(text));

    for (i = 0; i < 63; i++) {
        text[2 * i] = (i & 1) ? '?' : 'a';
    }

    text[126] = '\0';
    assert_null(akl_check_bound(str(text), AKL_NAME_NAMESPACE));
    text[126] = '?';
    text[127] = '\0';
    assert_says(text, akl_check_bound(str(text), AKL_NAME_NAMESPACE),
                "longer than any name");
    assert_null(akl_check_bound(str(text), AKL_NAME_POD));

    memset(text, 'a', sizeof(text));
    text[253] = '\0';
    assert_null(akl_check_bound(str(text), AKL_NAME_POD));
    text[253] = 'a';
    text[254] = '\0';
    assert_says(text, akl_check_bound(str(text), AKL_NAME_SERVICE_ACCOUNT),
                "longer than any name");
}


/* each byte, so that no character is let through by accident */

static void
bounds_take_the_characters_of_names_alone(void **state)
{
    int   ch;
    char  text[4];

    (void) state;

    for (ch = 1; ch < 256; ch++) {
        text[0] = 'a';
        text[1] = (char) ch;
        text[2] = 'a';
        text[3] = '\0';

        if ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9')
            || ch == '-' || ch == '.' || ch == '*' || ch == '?')
        {
            assert_null(akl_check_bound(str(text), AKL_NAME_POD));

        } else {
            assert_non_null(akl_check_bound(str(text), AKL_NAME_POD));
        }
    }
}


static void
issuers_and_audiences(void **state)
{
    const char  *warn;

    (void) state;

    warn = NULL;
    assert_null(akl_check_issuer(str("https://kubernetes.default.svc"),
                                 &warn));
    assert_null(akl_check_issuer(str("\"https://oidc.example\""), &warn));
    assert_null(akl_check_audience(str("my api"), &warn));
    assert_null(warn);

    assert_null(akl_check_issuer(str("https://a,https://b"), &warn));
    assert_says("comma", warn, "separated by blanks");
    warn = NULL;
    assert_null(akl_check_audience(str("api,"), &warn));
    assert_says("comma", warn, "separated by blanks");

    assert_says("empty", akl_check_issuer(str(""), &warn), "empty");
    assert_says("blank", akl_check_issuer(str("a b"), &warn), "white space");
    assert_says("DEL", akl_check_issuer(str("a\x7f"), &warn), "control");
    assert_says("empty", akl_check_audience(str(""), &warn), "empty");
    assert_says("line", akl_check_audience(str("a\nb"), &warn), "control");
}


static void
names_of_configs_and_clusters(void **state)
{
    (void) state;

    assert_null(akl_check_config_name(str("team/a k8s..x")));
    assert_says("", akl_check_config_name(str("")), "empty name");
    assert_says("\\n", akl_check_config_name(str("a\n")), "control");

    assert_null(akl_check_cluster_id(str("c-m-Abc_1:p-2")));
    assert_says("", akl_check_cluster_id(str("")), "empty");
    assert_says("/", akl_check_cluster_id(str("a/../b")), "cluster id");
    assert_says("?", akl_check_cluster_id(str("a?b")), "cluster id");
    assert_says("NUL", akl_check_cluster_id(
                    (akl_str_t) { 3, (const unsigned char *) "a\0b" }),
                "cluster id");
}


static void
networks(void **state)
{
    size_t       i;
    akl_cidr_t   cidr;
    const char  *cause;

    static const struct {
        const char  *text, *part;
        int          ipv6, low_bits;
        const char  *addr, *mask;
    } cases[] = {
        { "10.0.0.0/8", NULL, 0, 0, "\x0a\0\0\0", "\xff\0\0\0" },
        { "127.0.0.1", NULL, 0, 0, "\x7f\0\0\x01", "\xff\xff\xff\xff" },
        { "10.1.2.3/12", NULL, 0, 1, "\x0a\0\0\0", "\xff\xf0\0\0" },
        { "0.0.0.0/0", NULL, 0, 0, "\0\0\0\0", "\0\0\0\0" },
        { "::ffff:10.1.0.0/112", NULL, 0, 0, "\x0a\x01\0\0",
          "\xff\xff\0\0" },
        { "::ffff:10.1.2.3", NULL, 0, 0, "\x0a\x01\x02\x03",
          "\xff\xff\xff\xff" },
        { "::FFFF:0a01:203/112", NULL, 0, 1, "\x0a\x01\0\0",
          "\xff\xff\0\0" },
        { "::ffff:0:0/96", NULL, 0, 0, "\0\0\0\0", "\0\0\0\0" },
        { "2001:db8::/33", NULL, 1, 0,
          "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0",
          "\xff\xff\xff\xff\x80\0\0\0\0\0\0\0\0\0\0\0" },
        { "::1", NULL, 1, 0, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01",
          "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
          "\xff" },

        { "::ffff:10.0.0.0/90", "write the IPv4 network", 0, 0, "", "" },
        { "", "empty", 0, 0, "", "" },
        { "10.0.0.0/8,10.1.0.0/16", "separated by blanks", 0, 0, "", "" },
        { "10.0.0.0/33", "up to 32", 0, 0, "", "" },
        { "10.0.0.0/", "up to 32", 0, 0, "", "" },
        { "10.0.0.0/-1", "up to 32", 0, 0, "", "" },
        { "10.0.0.0/0x8", "up to 32", 0, 0, "", "" },
        { "10.0.0.0/255.0.0.0", "up to 32", 0, 0, "", "" },
        { "2001:db8::/129", "up to 128", 0, 0, "", "" },
        { "10.0.0/8", "no address", 0, 0, "", "" },
        { "example.com", "no address", 0, 0, "", "" },
        { "[::1]", "no address", 0, 0, "", "" },
        { "all", "no address", 0, 0, "", "" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cause = akl_cidr_parse(str(cases[i].text), &cidr);

        assert_says(cases[i].text, cause, cases[i].part);

        if (cause) {
            continue;
        }

        if (cidr.ipv6 != cases[i].ipv6 || cidr.low_bits != cases[i].low_bits
            || memcmp(cidr.addr, cases[i].addr, cidr.ipv6 ? 16 : 4) != 0
            || memcmp(cidr.mask, cases[i].mask, cidr.ipv6 ? 16 : 4) != 0)
        {
            fail_msg("%s is read as another network", cases[i].text);
        }
    }

    assert_non_null(akl_cidr_parse(
        (akl_str_t) { 9, (const unsigned char *) "10.0.0.1\0" }, &cidr));
}


static void
hosts(void **state)
{
    size_t       i;
    akl_host_t   host;
    const char  *cause;

    static const struct {
        const char  *url, *part, *host, *prefix;
        unsigned     port;
        int          brackets;
    } cases[] = {
        { "https://10.0.0.1:8443", NULL, "10.0.0.1", "", 8443, 0 },
        { "HTTPS://api.example", NULL, "api.example", "", 443, 0 },
        { "https://[fd00::1]:6443/k8s/", NULL, "fd00::1", "/k8s", 6443, 1 },
        { "https://api/a/b//", NULL, "api", "/a/b", 443, 0 },
        { "https://[::1]", NULL, "::1", "", 443, 1 },

        { "http://api", "https://", "", "", 0, 0 },
        { "", "https://", "", "", 0, 0 },
        { "k8s_ca_cert", "https://", "", "", 0, 0 },
        { "https://", "no host", "", "", 0, 0 },
        { "https://:6443", "no host", "", "", 0, 0 },
        { "https://fd00::1", "without brackets", "", "", 0, 0 },
        { "https://fd00::1:6443/x", "without brackets", "", "", 0, 0 },
        { "https://2001:db8:0:0:0:0:0:1:6443", "without brackets", "", "", 0,
          0 },
        { "https://::1", "without brackets", "", "", 0, 0 },
        { "https://[::1", "without \"]\"", "", "", 0, 0 },
        { "https://[::1]6443", "behind its address", "", "", 0, 0 },
        { "https://api:", "invalid port", "", "", 0, 0 },
        { "https://api:0", "invalid port", "", "", 0, 0 },
        { "https://api:65536", "invalid port", "", "", 0, 0 },
        { "https://api:x", "invalid port", "", "", 0, 0 },
        { "https://host:6443:6443", "invalid port", "", "", 0, 0 },
        { "https://u@api", "without user", "", "", 0, 0 },
        { "https://api/?x", "without user", "", "", 0, 0 },
        { "https://api/#x", "without user", "", "", 0, 0 },
        { "https://a b", "without user", "", "", 0, 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cause = akl_host_parse(str(cases[i].url), &host);

        assert_says(cases[i].url, cause, cases[i].part);

        if (cause) {
            continue;
        }

        assert_str(host.host, cases[i].host);
        assert_str(host.prefix, cases[i].prefix);
        assert_int_equal(host.port, cases[i].port);
        assert_int_equal(host.brackets, cases[i].brackets);
    }
}


static void
proxies_are_http_alone(void **state)
{
    size_t       i;
    akl_host_t   host;
    const char  *cause;

    static const struct {
        const char  *url, *part, *host;
        unsigned     port;
    } cases[] = {
        { "http://proxy:3128", NULL, "proxy", 3128 },
        { "HTTP://10.0.0.1", NULL, "10.0.0.1", 80 },
        { "http://[fd00::1]:8080/", NULL, "fd00::1", 8080 },
        { "", "must begin", "", 0 },
        { "proxy:3128", "must begin", "", 0 },
        { "https://proxy:3128", "must begin", "", 0 },
        { "socks5://proxy:1080", "must begin", "", 0 },
        { "http://", "no host", "", 0 },
        { "http://u:p@proxy", "without user", "", 0 },
        { "http://proxy/path", "without user", "", 0 },
        { "http://proxy:0", "invalid port", "", 0 },
        { "http://fd00::1", "without brackets", "", 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cause = akl_host_proxy(str(cases[i].url), &host);

        assert_says(cases[i].url, cause, cases[i].part);

        if (cause == NULL) {
            assert_str(host.host, cases[i].host);
            assert_int_equal(host.port, cases[i].port);
            assert_int_equal(host.prefix.len, 0);
        }
    }
}


static void
server_names_are_names_or_addresses(void **state)
{
    size_t  i;

    static const struct {
        const char  *name, *part;
    } cases[] = {
        { "kubernetes.default.svc", NULL },
        { "10.0.0.1", NULL },
        { "2001:db8::1", NULL },
        { "", "empty" },
        { "[2001:db8::1]", "must be a name" },
        { "name:443", "must be a name" },
        { "https://name", "must be a name" },
        { "a/b", "must be a name" },
        { "*.example.com", "must be a name" },
        { "a b", "must be a name" },
        { "name.", "dot" },
        { ".name", "dot" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_says(cases[i].name, akl_check_server_name(str(cases[i].name)),
                    cases[i].part);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(bounds_that_no_name_can_meet_are_told),
        cmocka_unit_test(bounds_take_the_characters_of_names_alone),
        cmocka_unit_test(issuers_and_audiences),
        cmocka_unit_test(names_of_configs_and_clusters),
        cmocka_unit_test(networks),
        cmocka_unit_test(hosts),
        cmocka_unit_test(proxies_are_http_alone),
        cmocka_unit_test(server_names_are_names_or_addresses)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("k8s_check", tests, NULL, NULL);
}
