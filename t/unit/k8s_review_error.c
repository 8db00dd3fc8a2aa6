#include "lib/k8s_test.h"
#include "../../src/k8s/review_error.h"


static void
refusals_are_told_apart_by_the_server_s_words(void **state)
{
    size_t  i;

    static const struct {
        const char    *error;
        akl_reason_t   reason;
    } cases[] = {
        { "service account token has expired", AKL_TOKEN_EXPIRED },
        { "token is not valid yet", AKL_TOKEN_NOT_YET_VALID },
        { "Token has been invalidated", AKL_TOKEN_REVOKED },
        { "ServiceAccount my-namespace-a/builder has been deleted",
          AKL_TOKEN_REVOKED },
        { "Token does not match server's copy", AKL_TOKEN_REVOKED },
        { "serviceaccounts \"builder\" not found", AKL_TOKEN_REVOKED },
        { "no keys found", AKL_TOKEN_REJECTED },
        { "key not found", AKL_TOKEN_REJECTED },
        { "[invalid bearer token]", AKL_TOKEN_REJECTED },
        { "service account token is issued in the future",
          AKL_TOKEN_NOT_YET_VALID },
        { "[invalid bearer token, token audiences [\"dial tcp\"] is "
          "invalid for the target audiences [\"api\"]]",
          AKL_AUDIENCE_MISMATCH },
        { "the token in secret ns/s for service account ns/sa has been "
          "marked invalid. Use tokens from the TokenRequest API",
          AKL_TOKEN_REVOKED },
        { "ValidatingWebhookConfiguration UID (a) does not match service "
          "account validating ref claim (b)", AKL_TOKEN_REVOKED },
        { "oidc: verify token: oidc: token is expired (Token Expiry: x)",
          AKL_TOKEN_EXPIRED },

        /* names that look like words */

        { "bound object was a webhook config, but \"eofs\" is missing",
          AKL_TOKEN_REJECTED },
        { "geof", AKL_TOKEN_REJECTED },
        { "certificate has expired", AKL_TOKEN_REJECTED },
        { "timeout", AKL_TOKEN_REJECTED }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (akl_review_error(str(cases[i].error)) != cases[i].reason) {
            fail_msg("case %zu: %s", i, cases[i].error);
        }
    }
}


/* an authenticator that could not be asked: nothing is known of the token */

static void
outages_inside_the_server_are_no_refusals(void **state)
{
    size_t  i, n;
    char    error[1024];

    static const char  *outages[] = {
        "etcdserver: request timed out",
        "etcdserver: leader changed",
        "etcdserver: too many requests",
        "context deadline exceeded",
        "context canceled",
        "the server was unable to return a response in the time allotted, "
        "but may still be processing the request (get serviceaccounts sa)",
        "Timeout: request did not complete within requested timeout - "
        "context deadline exceeded",
        "request timed out",
        "Get \"https://[::1]:6443/api/v1/namespaces/ns/serviceaccounts/sa"
        "\": dial tcp [::1]:6443: connect: connection refused",
        "connection refused",
        "dial tcp: lookup hook.example.com on 10.0.0.10:53: no such host",
        "lookup hook.example.com: server misbehaving",
        "read tcp 10.0.0.1:4321->10.0.0.2:443: i/o timeout",
        "read tcp 10.0.0.1:4321->10.0.0.2:443: read: connection reset by "
        "peer",
        "write: broken pipe",
        "connect: no route to host",
        "EOF",
        "Post \"https://hook.example.com/authenticate\": EOF",
        "unexpected EOF",
        "net/http: TLS handshake timeout",
        "http2: client connection lost",
        "tls: failed to verify certificate: x509: certificate has expired or "
        "is not yet valid: current time 2026-01-01 is after 2025-01-01",
        "x509: certificate signed by unknown authority",
        "oidc: authenticator not initialized",
        "oidc: authenticator for issuer \"https://idp.example.com\" is "
        "not initialized",
        "failed to verify signature: fetching keys oidc: get keys failed: "
        "Get \"https://idp.example.com/keys\"",
        "the server is currently unable to handle the request (get "
        "serviceaccounts sa)",
        "the server has received too many requests and has asked us to try "
        "again later (get serviceaccounts sa)",
        "Too many requests, please try again later.",
        "client rate limiter Wait returned an error: context deadline "
        "exceeded",
        "rpc error: code = Unavailable desc = transport is closing",
        "storage is (re)initializing",
        "apiserver is shutting down",
        "Internal error occurred: authentication failed unexpectedly",
        "an error on the server (\"unknown\") has prevented the request "
        "from succeeding (get serviceaccounts sa)"
    };

    static const struct {
        const char    *form;
        akl_reason_t   reason;
    } lists[] = {
        { "%s", AKL_API_ERROR },
        { "[invalid bearer token, %s]", AKL_API_ERROR },
        { "[%s, invalid bearer token]", AKL_API_ERROR },
        { "[invalid bearer token, service account token has expired, %s]",
          AKL_TOKEN_EXPIRED },
        { "[%s, service account token has been invalidated]",
          AKL_TOKEN_REVOKED },
        { "[invalid bearer token, %s, token audiences [] is invalid for the "
          "target audiences []]", AKL_AUDIENCE_MISMATCH },
        { "[invalid bearer token, invalid signature, no keys found, %s]",
          AKL_TOKEN_REJECTED },
        { "[invalid bearer token, go-jose/go-jose: error in cryptographic "
          "primitive, %s]", AKL_TOKEN_REJECTED },
        { "[serviceaccounts \"sa\" not found, %s]", AKL_TOKEN_REVOKED }
    };

    (void) state;

    for (i = 0; i < sizeof(outages) / sizeof(outages[0]); i++) {
        for (n = 0; n < sizeof(lists) / sizeof(lists[0]); n++) {
            (void) snprintf(error, sizeof(error), lists[n].form, outages[i]);

            if (akl_review_error(str(error)) != lists[n].reason) {
                fail_msg("%s", error);
            }
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(refusals_are_told_apart_by_the_server_s_words),
        cmocka_unit_test(outages_inside_the_server_are_no_refusals)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("k8s_review_error", tests, NULL, NULL);
}
