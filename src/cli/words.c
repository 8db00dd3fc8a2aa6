/*
 * Times and causes in words.
 */

#include "../k8s/time.h"
#include "out.h"
#include "words.h"


char *
akl_words_span(int64_t seconds)
{
    size_t    i;
    int64_t   n;

    static const struct {
        int64_t      seconds;
        const char  *one;
    } units[] = {
        { 365 * 86400, "year" },
        { 86400, "day" },
        { 3600, "hour" },
        { 60, "minute" },
        { 1, "second" }
    };

    if (seconds < 0) {
        seconds = (seconds == INT64_MIN) ? INT64_MAX : -seconds;
    }

    /* from two of a unit on; a year is said of one and more */

    for (i = 0; i < 4; i++) {
        if (seconds >= units[i].seconds * (i ? 2 : 1)) {
            break;
        }
    }

    n = seconds / units[i].seconds;

    return akl_mem_printf("%lld %s%s", (long long) n, units[i].one,
                          n == 1 ? "" : "s");
}


char *
akl_words_when(int64_t time, int64_t now)
{
    /* both are within 2^53 of zero */

    if (time == now) {
        return akl_mem_str("now");
    }

    return (time > now)
           ? akl_mem_printf("in %s", akl_words_span(time - now))
           : akl_mem_printf("%s ago", akl_words_span(now - time));
}


char *
akl_words_time(int64_t time)
{
    char  text[AKL_TIME_LEN + 1];

    (void) akl_time_format(text, time);

    return akl_mem_str(text);
}


const char *
akl_words_cure(akl_reason_t reason)
{
    switch (reason) {

    case AKL_OK:
        return NULL;

    case AKL_REQUEST_MALFORMED:
        return "compare --dialect and --auth-path with the location's "
               "akl_k8s_auth";

    case AKL_CONFIG_UNKNOWN:
        return "compare --k8s-auth-config-name and --access-id with the "
               "gateway's akl_k8s_auth_config";

    case AKL_TOKEN_MISSING:
    case AKL_TOKEN_MALFORMED:
    case AKL_TOKEN_TOO_LARGE:
        return "--k8s-token-path has to name the pod's own token, see "
               "\"akl-k8s inspect FILE\"";

    case AKL_ALGORITHM_NOT_ALLOWED:
        return "this is no token of an API server";

    case AKL_ISSUER_MISMATCH:
        return "put the token's \"iss\" into k8s_issuer of the auth config, "
               "if that is the right cluster";

    case AKL_SIGNATURE_INVALID:
        return "fetch k8s_jwks anew: kubectl get --raw /openid/v1/jwks";

    case AKL_TOKEN_REJECTED:
        return "the token is of another cluster than k8s_host";

    case AKL_TOKEN_EXPIRED:
        return "read the pod's file anew for each login, the kubelet replaces "
               "it; look at the clocks";

    case AKL_TOKEN_NOT_YET_VALID:
        return "set the clocks right, of gateway and API server";

    case AKL_AUDIENCE_MISMATCH:
        return "project a token with the method's audience into the pod, or "
               "take \"audience\" out of the method";

    case AKL_TOKEN_REVOKED:
        return "the pod, its account or its secret is gone: use a fresh token";

    case AKL_NOT_SERVICE_ACCOUNT:
        return "use a service account's token";

    case AKL_CERTIFICATE_MISSING:
        return "present a client certificate; nginx asks for one where "
               "ssl_verify_client says so";

    case AKL_CERTIFICATE_MISMATCH:
        return "present the client certificate of the login";

    case AKL_NAMESPACE_NOT_BOUND:
        return "add the namespace to bound_namespaces of the method; or to "
               "the namespace the labels of bound_namespace_selector";

    case AKL_POD_NOT_BOUND:
        return "add the pod to bound_pod_names; a token without a pod never "
               "meets that bound";

    case AKL_SERVICE_ACCOUNT_NOT_BOUND:
        return "add the account to bound_sa_names of the method";

    case AKL_IP_NOT_BOUND:
        return "add the address to bound_ips; behind a balancer, use the "
               "realip module";

    case AKL_SUBJECT_INCOMPLETE:
        return "use a token that is bound to a pod, or take the variable out "
               "of token_subject";

    case AKL_ACCESS_EXPIRED:
        return "prolong access_expires of the method, and reload";

    case AKL_REVIEWER_UNAUTHORIZED:
    case AKL_REVIEWER_FORBIDDEN:
    case AKL_API_NOT_FOUND:
    case AKL_API_TLS:
    case AKL_API_UNREACHABLE:
    case AKL_API_TIMEOUT:
    case AKL_API_ERROR:
        return "on the gateway: akl-k8s doctor";

    case AKL_API_THROTTLED:
    case AKL_OVERLOADED:
        return "try again later";

    default:
        return "the gateway's error log says more";
    }
}


const char *
akl_words_cure_minted(akl_reason_t reason)
{
    switch (reason) {

    case AKL_OK:
        return NULL;

    case AKL_SIGNATURE_INVALID:
        return "another gateway minted it, or its key was taken out: log in "
               "again";

    case AKL_ISSUER_MISMATCH:
        return "token_issuer was changed since: log in again";

    case AKL_AUDIENCE_MISMATCH:
        return "log in without asking for an audience: guards demand the "
               "first of token_audience";

    case AKL_TOKEN_EXPIRED:
    case AKL_TOKEN_REVOKED:
        return "log in again";

    default:
        return akl_words_cure(reason);
    }
}


char *
akl_words_labels(const akl_selector_t *selector, const char *between)
{
    size_t      i;
    akl_buf_t   buf;

    memset(&buf, 0, sizeof(akl_buf_t));
    akl_buf_puts(&buf, "");

    for (i = 0; i < selector->n; i++) {
        akl_buf_printf(&buf, "%s%s=%s", i ? between : "",
                       akl_clean_all(selector->elts[i].key),
                       akl_clean_all(selector->elts[i].value));
    }

    return buf.data;
}
