/*
 * The claims of a request's token, flattened: the guard's, or those of the
 * token that a login minted, decoded when somebody asks for them.
 */

#include <ngx_config.h>

#include "../../k8s/subclaims.h"
#include "../token/minted.h"
#include "claims.h"


/* the claim that holds a part of the identity */

typedef struct {
    uintptr_t   offset;             /* in the context */
    akl_str_t   claim;
} ngx_http_akl_k8s_identity_claim_t;

#define ngx_http_akl_k8s_identity_claim(member, name)                         \
    { offsetof(ngx_http_akl_k8s_ctx_t, identity.member),                      \
      { sizeof(name) - 1, (const unsigned char *) name } }

static const ngx_http_akl_k8s_identity_claim_t
    ngx_http_akl_k8s_identity_claims[] =
{
    ngx_http_akl_k8s_identity_claim(namespace, "namespace"),
    ngx_http_akl_k8s_identity_claim(sa_name, "service_account_name"),
    ngx_http_akl_k8s_identity_claim(sa_uid, "service_account_uid"),
    ngx_http_akl_k8s_identity_claim(secret_name,
                                    "service_account_secret_name"),
    ngx_http_akl_k8s_identity_claim(pod_name, "pod_name"),
    ngx_http_akl_k8s_identity_claim(pod_uid, "pod_uid"),
    ngx_http_akl_k8s_identity_claim(node_name, "node_name")
};


static ngx_int_t ngx_http_akl_k8s_claims_decode(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);


ngx_str_t *
ngx_http_akl_k8s_claims(ngx_http_request_t *r, ngx_http_akl_k8s_ctx_t *ctx)
{
    if (ctx->claims.len == 0 && ctx->token.len && !ctx->unreadable
        && ngx_http_akl_k8s_claims_decode(r, ctx) != NGX_OK)
    {
        ctx->unreadable = 1;
    }

    return &ctx->claims;
}


/* our own token: what it says needs no verification */

static ngx_int_t
ngx_http_akl_k8s_claims_decode(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx)
{
    u_char     *buf;
    ssize_t     n;
    akl_doc_t   payload;

    if (ngx_http_akl_k8s_minted_payload(r->pool, &ctx->token, &payload)
        != NGX_OK)
    {
        akl_doc_free(&payload);
        return NGX_ERROR;
    }

    n = akl_claims_flatten(&payload, NULL, 0);

    buf = (n > 0) ? ngx_pnalloc(r->pool, n) : NULL;

    if (buf) {
        ctx->claims.data = buf;
        ctx->claims.len = akl_claims_flatten(&payload, buf, n);
    }

    akl_doc_free(&payload);

    return buf ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_akl_k8s_claim(ngx_http_request_t *r, ngx_str_t *claims,
    akl_str_t name, akl_str_t *value)
{
    u_char       *p;
    size_t        len;
    akl_str_t     flat, elt;
    akl_claim_t   claim, walk;

    value->len = 0;

    if (claims->len == 0) {
        return NGX_OK;
    }

    flat = ngx_http_akl_k8s_str(claims);

    if (!akl_claims_lookup(flat, name, 0, &claim)
        && !akl_claims_lookup(flat, name, 1, &claim))
    {
        return NGX_OK;
    }

    if (claim.n == 1) {
        if (!akl_claim_next(&claim, value)) {
            value->len = 0;
        }

        return NGX_OK;
    }

    walk = claim;
    len = 0;

    while (akl_claim_next(&walk, &elt)) {
        len += elt.len + 1;
    }

    if (len == 0) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    value->len = len - 1;

    while (akl_claim_next(&claim, &elt)) {
        if (elt.len) {
            p = ngx_cpymem(p, elt.data, elt.len);
        }

        *p++ = ',';
    }

    return NGX_OK;
}


void
ngx_http_akl_k8s_identify(ngx_http_request_t *r, ngx_http_akl_k8s_ctx_t *ctx)
{
    size_t      i;
    akl_str_t   claims, *part;
    ngx_str_t  *flat;

    flat = ngx_http_akl_k8s_claims(r, ctx);

    if (flat->len == 0) {
        return;
    }

    claims = ngx_http_akl_k8s_str(flat);

    for (i = 0; i < sizeof(ngx_http_akl_k8s_identity_claims)
                    / sizeof(ngx_http_akl_k8s_identity_claims[0]);
         i++)
    {
        part = (akl_str_t *) ((u_char *) ctx
                              + ngx_http_akl_k8s_identity_claims[i].offset);

        if (part->len == 0
            && !akl_claims_find(claims,
                                ngx_http_akl_k8s_identity_claims[i].claim,
                                part))
        {
            part->len = 0;
        }
    }
}
