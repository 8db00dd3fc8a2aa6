/*
 * akl_k8s_guard: a minted token of one of these auth configs is demanded.  In
 * the access phase for main requests, so that "satisfy" works, and before it
 * for subrequests, where nginx skips the access phase.
 */

#include <ngx_config.h>

#include "../../k8s/subclaims.h"
#include "../refusal.h"
#include "../request.h"
#include "../token/minted.h"
#include "claims.h"
#include "exchange.h"
#include "require.h"
#include "guard.h"


static ngx_int_t ngx_http_akl_k8s_guard_run(ngx_http_request_t *r);
static akl_reason_t ngx_http_akl_k8s_guard_check(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_http_akl_k8s_loc_conf_t *alcf);
static ngx_uint_t ngx_http_akl_k8s_guard_audience(
    ngx_http_akl_k8s_ctx_t *ctx);
static void ngx_http_akl_k8s_guard_refused(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_reason_t reason, ngx_uint_t dry_run);


ngx_int_t
ngx_http_akl_k8s_guard_handler(ngx_http_request_t *r)
{
    if (r != r->main) {
        return NGX_DECLINED;
    }

    return ngx_http_akl_k8s_guard_run(r);
}


/* in the preaccess phase: whatever reached the location by a subrequest */

ngx_int_t
ngx_http_akl_k8s_guard_subrequest(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    if (r == r->main) {
        return NGX_DECLINED;
    }

    rc = ngx_http_akl_k8s_exchange_run(r);

    if (rc != NGX_DECLINED && rc != NGX_OK) {

        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
        alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

        if (clcf->satisfy == NGX_HTTP_SATISFY_ALL || alcf->guard == NULL
            || (rc != NGX_HTTP_UNAUTHORIZED && rc != NGX_HTTP_FORBIDDEN))
        {
            return rc;
        }

    } else if (rc == NGX_OK) {

        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

        if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) {
            return NGX_DECLINED;
        }
    }

    rc = ngx_http_akl_k8s_guard_run(r);

    /* NGX_OK would skip the limits of the same phase */

    return (rc == NGX_OK) ? NGX_DECLINED : rc;
}


/*
 * In the precontent phase, which only a request that may pass reaches: nginx
 * takes back the challenge that was set last, which need not be ours.  What an
 * error page is for was refused before, and stays so.
 */

ngx_int_t
ngx_http_akl_k8s_guard_granted(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->satisfy != NGX_HTTP_SATISFY_ANY || r != r->main
        || r->error_page)
    {
        return NGX_DECLINED;
    }

    ngx_http_akl_k8s_withdraw(r);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_akl_k8s_guard_run(ngx_http_request_t *r)
{
    akl_reason_t                  reason;
    ngx_http_akl_k8s_ctx_t       *ctx;
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    if (alcf->guard == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_akl_k8s_ctx(r, 1);
    if (ctx == NULL) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    ngx_http_akl_k8s_begin(r, NGX_HTTP_AKL_K8S_GUARD);

    reason = ngx_http_akl_k8s_guard_check(r, ctx, alcf);

    if (reason == AKL_OK) {
        ngx_http_akl_k8s_require_check(r, ctx);

    } else {
        ngx_http_akl_k8s_guard_refused(r, ctx, reason, alcf->dry_run);
    }

    ctx->counts = NGX_HTTP_AKL_K8S_COUNT_GUARD;

    if (ctx->reason != AKL_OK && !alcf->dry_run) {
        return ngx_http_akl_k8s_refuse(r, ctx);
    }

    ngx_http_akl_k8s_tell(r, ctx);

    return alcf->dry_run ? NGX_DECLINED : NGX_OK;
}


static akl_reason_t
ngx_http_akl_k8s_guard_check(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_http_akl_k8s_loc_conf_t *alcf)
{
    ngx_str_t     token;
    akl_reason_t  reason;

    if (alcf->exchange && ctx->exchanged) {

        /* both in one location: the guard holds for what was minted */

        token = ctx->token;

    } else {

        ngx_http_akl_k8s_forget(ctx);

        if (alcf->guard->nelts == 1) {
            ctx->config = *(ngx_http_akl_k8s_config_t **) alcf->guard->elts;
        }

        reason = ngx_http_akl_k8s_bearer(r, alcf->token_source, &token);

        if (reason != AKL_OK) {
            return reason;
        }
    }

    reason = ngx_http_akl_k8s_minted(r, ctx, alcf->guard, &token);

    if (reason == AKL_OK && !ngx_http_akl_k8s_guard_audience(ctx)) {
        return AKL_AUDIENCE_MISMATCH;
    }

    return (reason == AKL_OK) ? ngx_http_akl_k8s_minted_holder(r, ctx)
                              : reason;
}


/*
 * A token that was asked for on behalf of another service must not let that
 * service in here: the first audience is the one of this gateway.
 */

static ngx_uint_t
ngx_http_akl_k8s_guard_audience(ngx_http_akl_k8s_ctx_t *ctx)
{
    akl_str_t    value;
    akl_list_t  *audiences;
    akl_claim_t  claim;

    audiences = &ctx->config->token_audiences;

    if (audiences->n == 0) {
        return 1;
    }

    if (!akl_claims_lookup(ngx_http_akl_k8s_str(&ctx->claims), akl_str("aud"),
                           0, &claim))
    {
        return 0;
    }

    while (akl_claim_next(&claim, &value)) {
        if (akl_str_eq(value, audiences->elts[0])) {
            return 1;
        }
    }

    return 0;
}


/* whose token it was is for the log line, not for variables */

static void
ngx_http_akl_k8s_guard_refused(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_reason_t reason, ngx_uint_t dry_run)
{
    const char  *detail;

    detail = dry_run ? "dry run, let through" : NULL;

    if (ctx->exchanged) {

        /* the pod has proven who it is, whatever became of its token */

        ngx_http_akl_k8s_outcome(r, ctx, reason, detail);
        return;
    }

    if (ctx->claims.len) {
        ngx_http_akl_k8s_identify(r, ctx);
    }

    ngx_http_akl_k8s_minted_refused(r, ctx, reason, detail);
}
