/*
 * akl_k8s_require: what the claims of a token have to be, AND between claims
 * and lines, OR between the values of one.  Levels below add to it.
 */

#include <ngx_config.h>

#include "../../k8s/subclaims.h"
#include "../request.h"
#include "claims.h"
#include "require.h"


static void ngx_http_akl_k8s_require_deny(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_str_t name, ngx_uint_t dry_run);


void
ngx_http_akl_k8s_require_check(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx)
{
    akl_str_t                     claims, name;
    ngx_uint_t                    i;
    akl_subclaim_t               *rule;
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    if (alcf->require == NULL) {
        ngx_http_akl_k8s_outcome(r, ctx, AKL_OK, NULL);
        return;
    }

    claims = ngx_http_akl_k8s_str(ngx_http_akl_k8s_claims(r, ctx));
    rule = alcf->require->elts;

    for (i = 0; i < alcf->require->nelts; i++) {

        name = rule[i].claim;

        /* where "aud" is the gateway's own, the pod token's is what is meant */

        if (ctx->config->token_audiences.n
            && akl_str_eq(name, akl_str("aud")))
        {
            name = akl_str("k8s_aud");
        }

        if (!akl_subclaim_match(&rule[i], name, claims)) {
            ctx->denied = ngx_http_akl_k8s_ngx_str(&rule[i].claim);

            ngx_http_akl_k8s_require_deny(r, ctx, name, alcf->dry_run);

            return;
        }
    }

    ngx_http_akl_k8s_outcome(r, ctx, AKL_OK, NULL);
}


static void
ngx_http_akl_k8s_require_deny(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_str_t name, ngx_uint_t dry_run)
{
    size_t      len;
    u_char     *p, text[NGX_HTTP_AKL_K8S_LOG_SIZE];
    ngx_str_t   s;
    akl_str_t   seen;

    ngx_http_akl_k8s_identify(r, ctx);

    seen.len = 0;

    (void) ngx_http_akl_k8s_claim(r, &ctx->claims, name, &seen);

    len = sizeof("claim \"\" is not \"there\", dry run, let through") + name.len
          + NGX_HTTP_AKL_K8S_LOG_SIZE;

    p = ngx_pnalloc(r->pool, len);

    if (p) {
        s = ngx_http_akl_k8s_ngx_str(&name);

        (void) ngx_snprintf(p, len, "claim \"%V\" is %s%s%s%s%Z", &s,
                            seen.len ? "\"" : "not there",
                            ngx_http_akl_k8s_log_text(text, seen),
                            seen.len ? "\"" : "",
                            dry_run ? ", dry run, let through" : "");
    }

    ngx_http_akl_k8s_outcome(r, ctx, AKL_CLAIM_NOT_ALLOWED, (char *) p);
}
