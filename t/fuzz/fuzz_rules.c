/*
 * Rules: globs are held against a second matcher, which tries everything; what
 * nginx -t lets pass of globs, bounds, issuers, subjects, URLs, networks and
 * times is what its contract says.
 *
 * An input is a line with the rule, a line with the value, and perhaps claims.
 */

#include "../../src/jose/doc.h"
#include "../../src/jose/json.h"
#include "../../src/k8s/bounds.h"
#include "../../src/k8s/check.h"
#include "../../src/k8s/claims.h"
#include "../../src/k8s/host.h"
#include "../../src/k8s/names.h"
#include "../../src/k8s/subclaims.h"
#include "../../src/k8s/subject.h"
#include "../../src/k8s/time.h"
#include "fuzz.h"


#define TEXT_MAX  600


static int
valid_utf8(akl_str_t s)
{
    size_t  i, n;

    for (i = 0; i < s.len; i += n) {
        n = akl_json_utf8(s.data + i, s.len - i);

        if (n == 0) {
            return 0;
        }
    }

    return 1;
}


static unsigned char
lower(unsigned char ch)
{
    return (ch >= 'A' && ch <= 'Z') ? ch + 32 : ch;
}


/* can[v]: the glob up to here can take the first v bytes of the value */

static int
every_way(akl_str_t glob, akl_str_t value, int icase)
{
    char           can[TEXT_MAX + 1], next[TEXT_MAX + 1];
    size_t         g, v, n;
    unsigned char  ch;

    memset(can, 0, sizeof(can));
    can[0] = 1;

    for (g = 0; g < glob.len; g++) {
        ch = glob.data[g];
        memset(next, 0, sizeof(next));

        for (v = 0; v <= value.len; v++) {

            if (!can[v]) {
                continue;
            }

            if (ch == '*') {
                next[v] = 1;
            }

            if (v == value.len) {
                continue;
            }

            n = akl_json_utf8(value.data + v, value.len - v);
            n = n ? n : 1;

            if (ch == '*') {
                can[v + n] = 1;

            } else if (ch == '?') {
                next[v + n] = 1;

            } else if (icase ? lower(ch) == lower(value.data[v])
                             : ch == value.data[v])
            {
                next[v + 1] = 1;
            }
        }

        memcpy(can, next, sizeof(can));
    }

    return can[value.len];
}


static void
globs(akl_str_t glob, akl_str_t value)
{
    int              icase, ours, other;
    akl_list_t       list;
    akl_bounds_t     bounds;
    akl_identity_t   identity;

    for (icase = 0; icase < 2; icase++) {
        ours = akl_glob_match(glob, value, icase);
        other = every_way(glob, value, icase);

        /* half a character in a glob may cost a match, never make one */

        check(!ours || other);
        check(ours == other || !valid_utf8(glob) || !valid_utf8(value));
    }

    list.elts = &glob;
    list.n = 1;

    memset(&bounds, 0, sizeof(bounds));
    memset(&identity, 0, sizeof(identity));

    bounds.pod_names = list;
    check(akl_bounds_check(&bounds, &identity) == AKL_POD_NOT_BOUND);

    identity.pod_name = value;
    check((akl_bounds_check(&bounds, &identity) == AKL_OK)
          == (value.len && akl_glob_match(glob, value, 0)));

    bounds.namespaces = list;
    check(akl_bounds_check(&bounds, &identity) == AKL_NAMESPACE_NOT_BOUND);
}


/* a bound that passes nginx -t can be met, so a name's own bytes can be one */

static void
bounds(akl_str_t rule)
{
    int  kind;

    if (akl_glob_check(rule) == NULL) {
        check(rule.len > 0 && rule.len <= 512);
    }

    for (kind = AKL_NAME_NAMESPACE; kind <= AKL_NAME_SERVICE_ACCOUNT; kind++) {

        if (akl_check_bound(rule, kind) == NULL) {
            check(akl_glob_check(rule) == NULL);
        }

        if ((kind == AKL_NAME_NAMESPACE) ? akl_name_label(rule)
                                         : akl_name_subdomain(rule))
        {
            check(akl_check_bound(rule, kind) == NULL);
        }
    }
}


static void
texts(akl_str_t rule)
{
    int            i;
    char           buf[AKL_TIME_LEN + 1];
    int64_t        seconds, again;
    akl_cidr_t     cidr;
    akl_host_t     host;
    const char    *warn;

    (void) akl_check_issuer(rule, &warn);
    (void) akl_check_audience(rule, &warn);
    (void) akl_check_config_name(rule);
    (void) akl_check_server_name(rule);
    (void) akl_claims_check(rule);

    if (akl_check_cluster_id(rule) == NULL) {
        check(rule.len > 0 && memchr(rule.data, '/', rule.len) == NULL);
    }

    if (akl_access_id_check(rule) == NULL) {
        check(rule.len == 14 || rule.len == 16);
    }

    if (akl_host_parse(rule, &host) == NULL
        || akl_host_proxy(rule, &host) == NULL)
    {
        check(host.host.len > 0 && host.port >= 1 && host.port <= 65535);
        check(host.host.data > rule.data);
        check(host.host.data + host.host.len <= rule.data + rule.len);
    }

    if (akl_cidr_parse(rule, &cidr) == NULL) {
        for (i = 0; i < (cidr.ipv6 ? 16 : 4); i++) {
            check((cidr.addr[i] & ~cidr.mask[i]) == 0);
        }
    }

    if (akl_time_parse(rule, &seconds) == 0) {
        check(akl_time_format(buf, seconds) == AKL_TIME_LEN);
        check(strlen(buf) == AKL_TIME_LEN);
        check(akl_time_parse(fuzz_str(buf), &again) == 0);

        /* what cannot be written as a date is cut to the last one */

        check(again == seconds || again == 253402300799);
    }
}


static void
subjects(akl_str_t rule)
{
    akl_str_t       sub, domain;
    const char     *cause;
    akl_subject_t   subject;
    akl_identity_t  identity;
    unsigned char   buf[AKL_SUBJECT_MAX];

    if (akl_subject_parse(&subject, rule, akl_str("prod")) != NULL) {
        return;
    }

    check(subject.n <= AKL_SUBJECT_PARTS);

    memset(&identity, 0, sizeof(identity));
    identity.namespace = akl_str("my-namespace-a");
    identity.sa_name = akl_str("default");
    identity.sa_uid = akl_str("ae89a241-0a5e-48d8-8762-0d0fce83fb6b");

    cause = akl_subject_write(&subject, &identity, buf, &sub);
    check(cause != NULL || (sub.len > 0 && sub.len <= sizeof(buf)));

    if (akl_subject_spiffe(&subject, &domain) == NULL) {
        check(domain.len > 0 && domain.len <= 255);
        check(domain.data >= rule.data
              && domain.data + domain.len <= rule.data + rule.len);
        check(cause != NULL || (sub.len > 9 + domain.len
                                && memcmp(sub.data, "spiffe://", 9) == 0));
    }
}


static void
subclaims(akl_str_t rule, akl_str_t claims)
{
    size_t          n, again;
    ssize_t         len;
    akl_doc_t       doc;
    akl_str_t       name, flat, value;
    akl_claim_t     claim;
    akl_str_t       elts[TEXT_MAX];
    unsigned char  *buf;
    akl_subclaim_t  demand;

    if (akl_subclaim_parse(rule, &name, NULL, &n) != NULL) {
        return;
    }

    check(n > 0 && n <= TEXT_MAX && name.len > 0);

    again = n;
    check(akl_subclaim_parse(rule, &name, elts, &again) == NULL && again == n);

    if (akl_doc_parse(&doc, claims) == 0) {
        len = akl_claims_flatten(&doc, NULL, 0);

        if (len >= 0) {
            check(len <= AKL_CLAIMS_MAX);
            buf = malloc((size_t) len + 1);
            check(buf != NULL);
            check(akl_claims_flatten(&doc, buf, (size_t) len) == len);
            check(len == 0
                  || akl_claims_flatten(&doc, buf, (size_t) len - 1) == -1);
            check(akl_claims_flatten(&doc, buf, (size_t) len) == len);

            flat.data = buf;
            flat.len = (size_t) len;

            demand.claim = name;
            demand.values.elts = elts;
            demand.values.n = n;
            demand.icase = 0;

            if (akl_subclaim_match(&demand, name, flat)) {
                check(akl_claims_lookup(flat, name, 0, &claim));
            }

            if (akl_claims_lookup(flat, name, 0, &claim)) {
                for (again = 0; akl_claim_next(&claim, &value); again++) {
                    check(value.len == 0
                          || (value.data >= buf
                              && value.data + value.len <= buf + len));
                }
            }

            free(buf);
        }
    }

    akl_doc_free(&doc);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    akl_str_t  rest, rule, value;

    rest.data = data;
    rest.len = size;

    rule = fuzz_cut(&rest, '\n');
    value = fuzz_cut(&rest, '\n');

    if (rule.len > TEXT_MAX || value.len > TEXT_MAX) {
        return 0;
    }

    globs(rule, value);
    bounds(rule);
    texts(rule);
    subjects(rule);
    subclaims(rule, rest);

    return 0;
}
