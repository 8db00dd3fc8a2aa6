/*
 * Step 8 of a login: a token for an identity.
 */

#include <ngx_config.h>

#include <openssl/rand.h>

#include "../../k8s/claims.h"
#include "../cluster/cluster.h"
#include "../metrics.h"
#include "../secret.h"
#include "revocations.h"
#include "mint.h"


#define NGX_HTTP_AKL_K8S_MINT_SMALL  2048   /* bytes of most payloads */


static size_t ngx_http_akl_k8s_mint_audiences(
    ngx_http_akl_k8s_config_t *config,
    const ngx_http_akl_k8s_wanted_t *wanted, akl_str_t *audiences);
static ngx_int_t ngx_http_akl_k8s_mint_extra(ngx_http_request_t *r,
    ngx_pool_t *pool, ngx_http_akl_k8s_config_t *config,
    akl_claims_t *claims);


akl_reason_t
ngx_http_akl_k8s_mint(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_request_t *r, ngx_pool_t *pool, akl_identity_t *identity,
    akl_str_t aud, time_t expires, const ngx_http_akl_k8s_wanted_t *wanted,
    ngx_http_akl_k8s_minted_t *minted)
{
    u_char                        *jti, *token, random[AKL_JTI_BYTES];
    u_char                         small[NGX_HTTP_AKL_K8S_MINT_SMALL];
    u_char                         sub[AKL_SUBJECT_MAX];
    size_t                         size;
    ssize_t                        n;
    akl_str_t                      payload;
    akl_str_t                      audiences[NGX_HTTP_AKL_K8S_AUDIENCES];
    akl_claims_t                   claims;
    akl_json_out_t                 out;
    ngx_http_akl_k8s_config_t     *config;
    ngx_http_akl_k8s_method_t     *method;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    config = cluster->config;
    method = config->method;

    ngx_memzero(&claims, sizeof(akl_claims_t));

    claims.iat = ngx_time();
    claims.exp = akl_claims_exp(claims.iat, method->token_ttl,
                                expires, method->access_expires);

    if (claims.exp <= claims.iat) {
        return (method->access_expires
                && method->access_expires <= claims.iat)
               ? AKL_ACCESS_EXPIRED : AKL_TOKEN_EXPIRED;
    }

    if (akl_subject_write(&config->subject, identity, sub, &claims.subject)) {
        return AKL_SUBJECT_INCOMPLETE;
    }

    jti = ngx_pnalloc(pool, AKL_JTI_LEN);
    if (jti == NULL) {
        return AKL_INTERNAL_ERROR;
    }

    if (RAND_bytes(random, AKL_JTI_BYTES) != 1) {
        return AKL_INTERNAL_ERROR;
    }

    akl_claims_jti(jti, random);

    claims.issuer = ngx_http_akl_k8s_str(&config->token_issuer);
    claims.audiences.elts = audiences;
    claims.audiences.n = ngx_http_akl_k8s_mint_audiences(config, wanted,
                                                        audiences);
    claims.pod_aud = aud;

    if (wanted->bound) {
        claims.certificate.data = wanted->certificate;
        claims.certificate.len = sizeof(wanted->certificate);
    }

    claims.jti.data = jti;
    claims.jti.len = AKL_JTI_LEN;
    claims.identity = *identity;
    claims.access_id = ngx_http_akl_k8s_str(&config->access_id);
    claims.config_name = ngx_http_akl_k8s_str(&config->name);

    if (config->token_claims
        && ngx_http_akl_k8s_mint_extra(r, pool, config, &claims) != NGX_OK)
    {
        return AKL_INTERNAL_ERROR;
    }

    akl_json_out_init(&out, small, sizeof(small));
    akl_claims_write(&out, &claims);

    payload.data = small;
    payload.len = out.len;

    if (out.overflow) {
        akl_json_out_init(&out, NULL, 0);
        akl_claims_write(&out, &claims);

        size = out.len;

        payload.data = ngx_pnalloc(pool, size);
        if (payload.data == NULL) {
            return AKL_INTERNAL_ERROR;
        }

        akl_json_out_init(&out, (u_char *) payload.data, size);
        akl_claims_write(&out, &claims);
        payload.len = out.len;
    }

    size = akl_signer_token_len(cluster->signer, payload.len);

    if (size > AKL_JWS_MAX) {

        /* no guard would take it */

        return AKL_TOKEN_TOO_LARGE;
    }

    token = ngx_http_akl_k8s_secret(pool, size);
    if (token == NULL) {
        return AKL_INTERNAL_ERROR;
    }

    n = akl_signer_sign(cluster->signer, payload, token);

    if (n < 0) {
        return AKL_INTERNAL_ERROR;
    }

    minted->token.data = token;
    minted->token.len = n;
    minted->jti = claims.jti;
    minted->issued = claims.iat;
    minted->expires = claims.exp;

    amcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_akl_k8s_module);

    ngx_http_akl_k8s_revocations_outlive(amcf, claims.exp);
    ngx_http_akl_k8s_metrics_minted(config);

    return AKL_OK;
}


static size_t
ngx_http_akl_k8s_mint_audiences(ngx_http_akl_k8s_config_t *config,
    const ngx_http_akl_k8s_wanted_t *wanted, akl_str_t *audiences)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < config->token_audiences.n; i++) {
        if ((wanted->audiences >> i) & 1) {
            audiences[n++] = config->token_audiences.elts[i];
        }
    }

    return n;
}


static ngx_int_t
ngx_http_akl_k8s_mint_extra(ngx_http_request_t *r, ngx_pool_t *pool,
    ngx_http_akl_k8s_config_t *config, akl_claims_t *claims)
{
    ngx_str_t                  value;
    ngx_uint_t                 i;
    akl_claim_pair_t          *pair;
    ngx_http_akl_k8s_claim_t  *claim;

    pair = ngx_palloc(pool,
                      config->token_claims->nelts * sizeof(akl_claim_pair_t));
    if (pair == NULL) {
        return NGX_ERROR;
    }

    claim = config->token_claims->elts;

    for (i = 0; i < config->token_claims->nelts; i++) {

        if (claim[i].dynamic) {
            if (ngx_http_complex_value(r, &claim[i].value, &value) != NGX_OK) {
                return NGX_ERROR;
            }

        } else {
            value = claim[i].value.value;
        }

        pair[i].name = ngx_http_akl_k8s_str(&claim[i].name);
        pair[i].value = ngx_http_akl_k8s_str(&value);
    }

    claims->extra = pair;
    claims->n_extra = config->token_claims->nelts;

    return NGX_OK;
}
