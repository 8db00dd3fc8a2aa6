/*
 * Pod tokens: both claim layouts into one shape, and the local checks.
 */

#include "pod_token.h"


static int akl_pod_token_claims(akl_pod_token_t *pod);
static int akl_pod_token_legacy(akl_pod_token_t *pod);
static int akl_pod_token_projected(akl_pod_token_t *pod,
    const akl_node_t *k8s);
static int akl_pod_token_ref(const akl_doc_t *doc, const akl_node_t *k8s,
    const char *key, akl_str_t *name, akl_str_t *uid);
static int akl_pod_token_audiences(const akl_doc_t *doc,
    const akl_node_t *aud);
static int akl_pod_token_meant(const akl_pod_token_t *pod,
    akl_list_t audiences);
static int akl_pod_token_minted(const akl_pod_token_t *pod);


akl_reason_t
akl_pod_token_parse(akl_pod_token_t *pod, akl_str_t token)
{
    memset(&pod->issuer, 0, sizeof(akl_pod_token_t)
                            - offsetof(akl_pod_token_t, issuer));

    switch (akl_jws_parse(&pod->jws, token)) {

    case AKL_JWS_OK:
        break;

    case AKL_JWS_TOO_LARGE:
        return AKL_TOKEN_TOO_LARGE;

    case AKL_JWS_ALGORITHM:
        return AKL_ALGORITHM_NOT_ALLOWED;

    case AKL_JWS_NOMEM:
        return AKL_INTERNAL_ERROR;

    default:
        return AKL_TOKEN_MALFORMED;
    }

    /* what API servers sign with */

    switch (pod->jws.alg) {

    case AKL_ALG_RS256:
    case AKL_ALG_ES256:
    case AKL_ALG_ES384:
    case AKL_ALG_ES512:
        break;

    default:
        return AKL_ALGORITHM_NOT_ALLOWED;
    }

    if (akl_pod_token_claims(pod) != 0) {
        return AKL_TOKEN_MALFORMED;
    }

    return AKL_OK;
}


static int
akl_pod_token_claims(akl_pod_token_t *pod)
{
    const akl_doc_t   *doc;
    const akl_node_t  *payload, *k8s;

    doc = &pod->jws.payload;
    payload = doc->nodes;

    if (akl_doc_string(doc, payload, "iss", &pod->issuer) < 0
        || akl_doc_string(doc, payload, "sub", &pod->subject) < 0
        || akl_doc_string(doc, payload, "jti", &pod->jti) < 0
        || akl_doc_time(doc, payload, "exp", &pod->exp) < 0
        || akl_doc_time(doc, payload, "nbf", &pod->nbf) < 0
        || akl_doc_time(doc, payload, "iat", &pod->iat) < 0)
    {
        return -1;
    }

    pod->aud = akl_doc_get(doc, payload, "aud");

    if (pod->aud && akl_pod_token_audiences(doc, pod->aud) != 0) {
        return -1;
    }

    k8s = akl_doc_get(doc, payload, "kubernetes.io");

    return k8s ? akl_pod_token_projected(pod, k8s)
               : akl_pod_token_legacy(pod);
}


static int
akl_pod_token_projected(akl_pod_token_t *pod, const akl_node_t *k8s)
{
    akl_str_t         ignored;
    const akl_doc_t  *doc;

    doc = &pod->jws.payload;

    if (k8s->type != AKL_NODE_OBJECT
        || akl_doc_string(doc, k8s, "namespace", &pod->claimed.namespace) < 0
        || akl_pod_token_ref(doc, k8s, "serviceaccount", &pod->claimed.sa_name,
                             &pod->claimed.sa_uid) != 0
        || akl_pod_token_ref(doc, k8s, "pod", &pod->claimed.pod_name,
                             &pod->claimed.pod_uid) != 0
        || akl_pod_token_ref(doc, k8s, "secret", &pod->claimed.secret_name,
                             &ignored) != 0
        || akl_pod_token_ref(doc, k8s, "node", &pod->claimed.node_name,
                             &ignored) != 0)
    {
        return -1;
    }

    return 0;
}


/* {"name": ..., "uid": ...} where it is there */

static int
akl_pod_token_ref(const akl_doc_t *doc, const akl_node_t *k8s,
    const char *key, akl_str_t *name, akl_str_t *uid)
{
    const akl_node_t  *ref;

    uid->len = 0;
    uid->data = NULL;

    ref = akl_doc_get(doc, k8s, key);

    if (ref == NULL) {
        return 0;
    }

    if (ref->type != AKL_NODE_OBJECT
        || akl_doc_string(doc, ref, "name", name) < 0
        || akl_doc_string(doc, ref, "uid", uid) < 0)
    {
        return -1;
    }

    return 0;
}


#define AKL_LEGACY  "kubernetes.io/serviceaccount/"

static int
akl_pod_token_legacy(akl_pod_token_t *pod)
{
    int                rc;
    const akl_doc_t   *doc;
    const akl_node_t  *payload;

    doc = &pod->jws.payload;
    payload = doc->nodes;

    rc = akl_doc_string(doc, payload, AKL_LEGACY "namespace",
                         &pod->claimed.namespace);

    if (rc < 0
        || akl_doc_string(doc, payload, AKL_LEGACY "secret.name",
                           &pod->claimed.secret_name) < 0
        || akl_doc_string(doc, payload, AKL_LEGACY "service-account.name",
                           &pod->claimed.sa_name) < 0
        || akl_doc_string(doc, payload, AKL_LEGACY "service-account.uid",
                           &pod->claimed.sa_uid) < 0)
    {
        return -1;
    }

    pod->legacy = (rc == 0);

    return 0;
}


/* a string, or an array of strings (RFC 7519 section 4.1.3) */

static int
akl_pod_token_audiences(const akl_doc_t *doc, const akl_node_t *aud)
{
    const akl_node_t  *elt;

    if (aud->type == AKL_NODE_STRING) {
        return 0;
    }

    if (aud->type != AKL_NODE_ARRAY) {
        return -1;
    }

    for (elt = akl_doc_first(doc, aud);
         elt;
         elt = akl_doc_next(doc, aud, elt))
    {
        if (elt->type != AKL_NODE_STRING) {
            return -1;
        }
    }

    return 0;
}


akl_reason_t
akl_pod_token_check(const akl_pod_token_t *pod, const akl_pod_policy_t *policy,
    int64_t now)
{
    size_t  i;

    if (policy->n_issuers) {

        for (i = 0; i < policy->n_issuers; i++) {
            if (akl_str_eq(policy->issuers[i], pod->issuer)) {
                break;
            }
        }

        if (i == policy->n_issuers) {
            return AKL_ISSUER_MISMATCH;
        }
    }

    if (akl_pod_token_minted(pod)) {
        return AKL_NOT_SERVICE_ACCOUNT;
    }

    if (pod->exp && now >= pod->exp + AKL_LEEWAY) {
        return AKL_TOKEN_EXPIRED;
    }

    /* only a legacy token may live for ever */

    if (pod->exp == 0 && !pod->legacy) {
        return AKL_TOKEN_MALFORMED;
    }

    if (pod->nbf > now + AKL_LEEWAY) {
        return AKL_TOKEN_NOT_YET_VALID;
    }

    if (policy->audiences.n && !akl_pod_token_meant(pod, policy->audiences)) {
        return AKL_AUDIENCE_MISMATCH;
    }

    return AKL_OK;
}


/* a legacy token is meant for the server's own audiences: it decides */

static int
akl_pod_token_meant(const akl_pod_token_t *pod, akl_list_t audiences)
{
    size_t  i;

    if (pod->aud == NULL) {
        return pod->legacy;
    }

    for (i = 0; i < audiences.n; i++) {
        if (akl_pod_token_has_audience(pod, audiences.elts[i])) {
            return 1;
        }
    }

    return 0;
}


/* a gateway's own token, ours or another's, is no pod token */

static int
akl_pod_token_minted(const akl_pod_token_t *pod)
{
    const akl_doc_t  *doc;

    doc = &pod->jws.payload;

    return akl_doc_get(doc, doc->nodes, "access_id") != NULL
           && akl_doc_get(doc, doc->nodes, "config_name") != NULL;
}


int
akl_pod_token_has_audience(const akl_pod_token_t *pod, akl_str_t audience)
{
    const akl_doc_t   *doc;
    const akl_node_t  *elt;

    if (pod->aud == NULL) {
        return 0;
    }

    if (pod->aud->type == AKL_NODE_STRING) {
        return akl_str_eq(pod->aud->text, audience);
    }

    doc = &pod->jws.payload;

    for (elt = akl_doc_first(doc, pod->aud);
         elt;
         elt = akl_doc_next(doc, pod->aud, elt))
    {
        if (akl_str_eq(elt->text, audience)) {
            return 1;
        }
    }

    return 0;
}


akl_signature_t
akl_pod_token_signature(const akl_pod_token_t *pod, const akl_jwks_t *keys)
{
    size_t            i;
    akl_jws_error_t   error;
    const akl_jws_t  *jws;

    jws = &pod->jws;

    error = akl_jws_verify_set(jws, keys, 1, NULL);

    if (error == AKL_JWS_OK) {
        return AKL_SIGNATURE_VERIFIED;
    }

    if (error == AKL_JWS_NOMEM) {
        return AKL_SIGNATURE_NOMEM;
    }

    for (i = 0; i < keys->n; i++) {
        if (jws->kid.len && akl_str_eq(jws->kid, keys->keys[i].kid)) {
            return AKL_SIGNATURE_BROKEN;
        }
    }

    return AKL_SIGNATURE_FOREIGN;
}


void
akl_pod_token_write_aud(const akl_pod_token_t *pod, akl_json_out_t *out)
{
    const akl_doc_t   *doc;
    const akl_node_t  *elt;

    if (pod->aud == NULL) {
        return;
    }

    if (pod->aud->type == AKL_NODE_STRING) {
        akl_json_out_str(out, NULL, pod->aud->text);
        return;
    }

    doc = &pod->jws.payload;

    akl_json_out_open(out, NULL, '[');

    for (elt = akl_doc_first(doc, pod->aud);
         elt;
         elt = akl_doc_next(doc, pod->aud, elt))
    {
        akl_json_out_str(out, NULL, elt->text);
    }

    akl_json_out_close(out, ']');
}


void
akl_pod_token_clear(akl_pod_token_t *pod)
{
    akl_jws_clear(&pod->jws);
    memset(&pod->issuer, 0, sizeof(akl_pod_token_t)
                            - offsetof(akl_pod_token_t, issuer));
}
