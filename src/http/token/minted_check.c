/*
 * A minted token's signature and claims.
 */

#include <ngx_config.h>

#include "minted_check.h"


static ngx_uint_t ngx_http_akl_k8s_minted_same_keys(
    ngx_http_akl_k8s_config_t *a, ngx_http_akl_k8s_config_t *b);
static akl_reason_t ngx_http_akl_k8s_minted_stranger(akl_jws_t *jws,
    ngx_array_t *configs);
static ngx_uint_t ngx_http_akl_k8s_minted_names(akl_doc_t *payload,
    ngx_http_akl_k8s_config_t *config);
static ngx_uint_t ngx_http_akl_k8s_minted_audience(akl_doc_t *payload,
    akl_list_t *audiences);
static ngx_uint_t ngx_http_akl_k8s_minted_listed(const akl_node_t *node,
    akl_list_t *audiences);


akl_reason_t
ngx_http_akl_k8s_minted_reason(akl_jws_error_t error)
{
    switch (error) {

    case AKL_JWS_OK:
        return AKL_OK;

    case AKL_JWS_TOO_LARGE:
        return AKL_TOKEN_TOO_LARGE;

    case AKL_JWS_MALFORMED:
    case AKL_JWS_CRITICAL:
        return AKL_TOKEN_MALFORMED;

    case AKL_JWS_ALGORITHM:
        return AKL_ALGORITHM_NOT_ALLOWED;

    case AKL_JWS_SIGNATURE:
        return AKL_SIGNATURE_INVALID;

    default:
        return AKL_INTERNAL_ERROR;
    }
}


/*
 * The config is the one that the token names, since configs may share a key.
 * What a signature costs to verify is not to be multiplied by the number of
 * configs: anybody can send a forged token.
 */

akl_reason_t
ngx_http_akl_k8s_minted_signature(akl_jws_t *jws, ngx_array_t *configs,
    ngx_http_akl_k8s_config_t **config, size_t *used)
{
    ngx_uint_t                    i;
    akl_reason_t                  reason, refused;
    ngx_http_akl_k8s_config_t    *tried, **elts;

    refused = AKL_OK;
    tried = NULL;
    elts = configs->elts;

    for (i = 0; i < configs->nelts; i++) {

        if (!ngx_http_akl_k8s_minted_names(&jws->payload, elts[i])
            || (tried && ngx_http_akl_k8s_minted_same_keys(tried, elts[i])))
        {
            continue;
        }

        tried = elts[i];

        reason = ngx_http_akl_k8s_minted_reason(
                               akl_jws_verify_set(jws, &tried->keys, 0, used));

        switch (reason) {

        case AKL_OK:
            *config = tried;
            return AKL_OK;

        case AKL_INTERNAL_ERROR:
            return AKL_INTERNAL_ERROR;

        default:
            if (refused != AKL_SIGNATURE_INVALID) {
                refused = reason;
            }
        }
    }

    return tried ? refused : ngx_http_akl_k8s_minted_stranger(jws, configs);
}


static ngx_uint_t
ngx_http_akl_k8s_minted_same_keys(ngx_http_akl_k8s_config_t *a,
    ngx_http_akl_k8s_config_t *b)
{
    size_t  i;

    if (a->keys.n != b->keys.n) {
        return 0;
    }

    for (i = 0; i < a->keys.n; i++) {
        if (ngx_memcmp(a->keys.keys[i].thumbprint, b->keys.keys[i].thumbprint,
                       AKL_THUMBPRINT)
            != 0
            || !akl_str_eq(a->keys.keys[i].kid, b->keys.keys[i].kid))
        {
            return 0;
        }
    }

    return 1;
}


/*
 * A token that names none of the configs is only looked at for its reason, by
 * the first of their keys that it may be signed with.
 */

static akl_reason_t
ngx_http_akl_k8s_minted_stranger(akl_jws_t *jws, ngx_array_t *configs)
{
    size_t                        k;
    ngx_uint_t                    i, unknown;
    akl_jwks_t                   *keys;
    akl_reason_t                  reason;
    ngx_http_akl_k8s_config_t   **elts;

    unknown = 0;
    elts = configs->elts;

    for (i = 0; i < configs->nelts; i++) {

        keys = &elts[i]->keys;
        reason = AKL_SIGNATURE_INVALID;

        for (k = 0; k < keys->n; k++) {

            if (jws->kid.len && !akl_str_eq(keys->keys[k].kid, jws->kid)) {
                continue;
            }

            reason = ngx_http_akl_k8s_minted_reason(
                                      akl_jws_verify(jws, &keys->keys[k]));

            if (reason != AKL_ALGORITHM_NOT_ALLOWED) {
                return (reason == AKL_OK) ? AKL_CONFIG_UNKNOWN : reason;
            }
        }

        unknown |= (reason == AKL_SIGNATURE_INVALID);
    }

    return unknown ? AKL_SIGNATURE_INVALID : AKL_ALGORITHM_NOT_ALLOWED;
}


/* token_claims may have put something else in the place of the name */

static ngx_uint_t
ngx_http_akl_k8s_minted_names(akl_doc_t *payload,
    ngx_http_akl_k8s_config_t *config)
{
    akl_str_t                  name, expected;
    ngx_uint_t                 i;
    ngx_http_akl_k8s_claim_t  *claim;

    expected = ngx_http_akl_k8s_str(&config->name);

    if (akl_doc_string(payload, payload->nodes, "config_name", &name) != 0) {
        return 0;
    }

    claim = config->token_claims ? config->token_claims->elts : NULL;

    for (i = 0; claim && i < config->token_claims->nelts; i++) {

        if (claim[i].name.len != sizeof("config_name") - 1
            || ngx_memcmp(claim[i].name.data, "config_name",
                          sizeof("config_name") - 1)
               != 0)
        {
            continue;
        }

        if (!claim[i].dynamic) {
            expected = ngx_http_akl_k8s_str(&claim[i].value.value);
            break;
        }

        if (akl_str_eq(name, expected)) {
            break;
        }

        /* whatever the variables said when it was minted */

        expected = ngx_http_akl_k8s_str(&config->access_id);

        return akl_doc_string(payload, payload->nodes, "access_id", &name) == 0
               && akl_str_eq(name, expected);
    }

    return akl_str_eq(name, expected);
}


akl_reason_t
ngx_http_akl_k8s_minted_claims(akl_jws_t *jws,
    ngx_http_akl_k8s_config_t *config, int64_t *exp, int64_t *iat)
{
    int64_t     nbf;
    akl_str_t   iss;
    akl_doc_t  *doc;

    doc = &jws->payload;

    if (akl_doc_time(doc, doc->nodes, "exp", exp) != 0) {
        return AKL_TOKEN_MALFORMED;
    }

    nbf = 0;

    if (akl_doc_time(doc, doc->nodes, "nbf", &nbf) == -1
        || akl_doc_time(doc, doc->nodes, "iat", iat) == -1)
    {
        return AKL_TOKEN_MALFORMED;
    }

    if (akl_doc_string(doc, doc->nodes, "iss", &iss) != 0
        || iss.len != config->token_issuer.len
        || ngx_memcmp(iss.data, config->token_issuer.data, iss.len) != 0)
    {
        return AKL_ISSUER_MISMATCH;
    }

    /*
     * No leeway at the end: what this module promised to be over is over.
     * At the start another replica's clock may be ahead of ours.
     */

    if (*exp <= ngx_time()) {
        return AKL_TOKEN_EXPIRED;
    }

    if (nbf > ngx_time() + AKL_LEEWAY || *iat > ngx_time() + AKL_LEEWAY) {
        return AKL_TOKEN_NOT_YET_VALID;
    }

    if (config->token_audiences.n
        && !ngx_http_akl_k8s_minted_audience(&jws->payload,
                                            &config->token_audiences))
    {
        return AKL_AUDIENCE_MISMATCH;
    }

    return AKL_OK;
}


static ngx_uint_t
ngx_http_akl_k8s_minted_audience(akl_doc_t *payload, akl_list_t *audiences)
{
    const akl_node_t  *aud, *elt;

    aud = akl_doc_get(payload, payload->nodes, "aud");

    if (aud == NULL) {
        return 0;
    }

    if (aud->type != AKL_NODE_ARRAY) {
        return ngx_http_akl_k8s_minted_listed(aud, audiences);
    }

    for (elt = akl_doc_first(payload, aud);
         elt;
         elt = akl_doc_next(payload, aud, elt))
    {
        if (ngx_http_akl_k8s_minted_listed(elt, audiences)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_akl_k8s_minted_listed(const akl_node_t *node, akl_list_t *audiences)
{
    size_t  i;

    if (node->type != AKL_NODE_STRING) {
        return 0;
    }

    for (i = 0; i < audiences->n; i++) {
        if (akl_str_eq(node->text, audiences->elts[i])) {
            return 1;
        }
    }

    return 0;
}
