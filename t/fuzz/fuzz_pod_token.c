/*
 * The check of a pod's token before anybody is asked: what it reads of the
 * claims is what jansson reads of them, and what it lets pass may pass.
 *
 * An input is a token, or where it begins with a brace the payload of one,
 * since nobody mutates his way through base64.
 */

#include <openssl/err.h>

#include "../../src/cli/json.h"
#include "../../src/jose/base64.h"
#include "../../src/k8s/pod_token.h"
#include "fuzz.h"


#define NOW  1795650000                 /* when the fixtures were recorded */

#define HEADER  "eyJhbGciOiJFUzI1NiJ9"  /* {"alg":"ES256"} */


static const akl_str_t  issuers[] = {
    akl_str("https://kubernetes.default.svc.cluster.local"),
    akl_str("kubernetes/serviceaccount")
};

static const akl_str_t  wanted[] = { akl_str("api"), akl_str("vault") };


static unsigned char *
wrap(akl_str_t payload, akl_str_t *token)
{
    size_t          head;
    unsigned char  *buf, signature[64];

    memset(signature, 1, sizeof(signature));

    head = sizeof(HEADER);
    token->len = head + akl_base64url_encoded_len(payload.len) + 1
                 + akl_base64url_encoded_len(sizeof(signature));

    buf = malloc(token->len);
    check(buf != NULL);
    token->data = buf;

    memcpy(buf, HEADER ".", head);
    buf += head;
    buf += akl_base64url_encode(buf, payload);
    *buf++ = '.';
    (void) akl_base64url_encode(buf, (akl_str_t) { sizeof(signature),
                                                   signature });

    return (unsigned char *) token->data;
}


/* a string that jansson has found at a path, "" where it has found none */

static int
same(akl_str_t ours, const json_t *object, const char *key)
{
    const json_t  *value;

    value = json_object_get(object, key);

    if (value == NULL) {
        return ours.len == 0;
    }

    return json_is_string(value) && json_string_length(value) == ours.len
           && (ours.len == 0
               || memcmp(json_string_value(value), ours.data, ours.len) == 0);
}


static void
claims(const akl_pod_token_t *pod, const json_t *root)
{
    const json_t  *k8s, *account, *object;

    check(same(pod->issuer, root, "iss"));
    check(same(pod->subject, root, "sub"));
    check(same(pod->jti, root, "jti"));

    k8s = json_object_get(root, "kubernetes.io");

    if (k8s == NULL) {
        check(same(pod->claimed.namespace, root,
                   "kubernetes.io/serviceaccount/namespace"));
        check(same(pod->claimed.sa_name, root,
                   "kubernetes.io/serviceaccount/service-account.name"));
        check(same(pod->claimed.sa_uid, root,
                   "kubernetes.io/serviceaccount/service-account.uid"));
        check(same(pod->claimed.secret_name, root,
                   "kubernetes.io/serviceaccount/secret.name"));
        check(pod->claimed.pod_name.len == 0);
        check(pod->claimed.node_name.len == 0);
        return;
    }

    check(json_is_object(k8s) && !pod->legacy);

    account = json_object_get(k8s, "serviceaccount");
    check(same(pod->claimed.namespace, k8s, "namespace"));
    check(same(pod->claimed.sa_name, account, "name"));
    check(same(pod->claimed.sa_uid, account, "uid"));

    object = json_object_get(k8s, "pod");
    check(same(pod->claimed.pod_name, object, "name"));
    check(same(pod->claimed.pod_uid, object, "uid"));
    check(same(pod->claimed.secret_name, json_object_get(k8s, "secret"),
               "name"));
    check(same(pod->claimed.node_name, json_object_get(k8s, "node"),
               "name"));
}


static int
has(const json_t *aud, akl_str_t audience)
{
    size_t   i;
    json_t  *elt;

    if (json_is_string(aud)) {
        return json_string_length(aud) == audience.len
               && memcmp(json_string_value(aud), audience.data, audience.len)
                  == 0;
    }

    json_array_foreach(aud, i, elt) {
        check(json_is_string(elt));

        if (has(elt, audience)) {
            return 1;
        }
    }

    return 0;
}


static void
audiences(const akl_pod_token_t *pod, const json_t *root)
{
    size_t           i, size;
    json_t          *aud, *again;
    unsigned char   *buf;
    akl_json_out_t   out;

    aud = json_object_get(root, "aud");
    check((aud == NULL) == (pod->aud == NULL));

    for (i = 0; i < 2; i++) {
        check(akl_pod_token_has_audience(pod, wanted[i])
              == has(aud, wanted[i]));
    }

    akl_json_out_init(&out, NULL, 0);
    akl_pod_token_write_aud(pod, &out);
    size = out.len;

    if (aud == NULL) {
        check(size == 0);
        return;
    }

    buf = malloc(size);
    check(buf != NULL);

    akl_json_out_init(&out, buf, size);
    akl_pod_token_write_aud(pod, &out);
    check(!out.overflow && out.len == size);

    again = json_loadb((char *) buf, size, JSON_DECODE_ANY, NULL);
    check(json_equal(aud, again));

    json_decref(again);
    free(buf);
}


/* whatever is not refused has all that is demanded */

static void
policies(const akl_pod_token_t *pod, const json_t *root)
{
    akl_reason_t      rc;
    akl_pod_policy_t  policy;

    memset(&policy, 0, sizeof(policy));

    rc = akl_pod_token_check(pod, &policy, NOW);

    if (rc == AKL_OK) {
        check(pod->exp ? NOW < pod->exp + AKL_LEEWAY : pod->legacy);
        check(pod->nbf <= NOW + AKL_LEEWAY);
        check(json_object_get(root, "access_id") == NULL
              || json_object_get(root, "config_name") == NULL);
        check(pod->exp == 0
              || akl_pod_token_check(pod, &policy, pod->exp + AKL_LEEWAY)
                 == AKL_TOKEN_EXPIRED);
    }

    policy.issuers = issuers;
    policy.n_issuers = 2;
    policy.audiences.elts = wanted;
    policy.audiences.n = 2;

    if (akl_pod_token_check(pod, &policy, NOW) == AKL_OK) {
        check(rc == AKL_OK);
        check(akl_str_eq(pod->issuer, issuers[0])
              || akl_str_eq(pod->issuer, issuers[1]));
        check(pod->aud == NULL
              ? pod->legacy
              : has(json_object_get(root, "aud"), wanted[0])
                || has(json_object_get(root, "aud"), wanted[1]));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t           *root;
    akl_str_t         token;
    akl_jwks_t        none;
    akl_reason_t      rc;
    unsigned char    *made;
    akl_pod_token_t   pod;

    made = NULL;
    token.data = data;
    token.len = size;

    if (size && data[0] == '{') {
        made = wrap(token, &token);
    }

    rc = akl_pod_token_parse(&pod, token);

    check(rc == AKL_OK || rc == AKL_TOKEN_TOO_LARGE
          || rc == AKL_TOKEN_MALFORMED || rc == AKL_ALGORITHM_NOT_ALLOWED);

    if (rc == AKL_OK) {
        root = akl_json_object(pod.jws.payload.nodes[0].text);
        check(root != NULL);

        claims(&pod, root);
        audiences(&pod, root);
        policies(&pod, root);

        memset(&none, 0, sizeof(none));
        check(akl_pod_token_signature(&pod, &none) == AKL_SIGNATURE_FOREIGN);

        json_decref(root);
    }

    check(ERR_peek_error() == 0);

    akl_pod_token_clear(&pod);
    free(made);

    return 0;
}
