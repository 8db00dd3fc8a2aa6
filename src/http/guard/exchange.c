/*
 * akl_k8s_exchange: a pod token comes in, the location goes on with a minted
 * one.  The request body is not touched: nginx reads it when the location's
 * content handler asks for it.
 */

#include "../login/login.h"
#include "../park.h"
#include "../refusal.h"
#include "../request.h"
#include "require.h"
#include "exchange.h"


static ngx_int_t ngx_http_akl_k8s_exchange_start(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_http_akl_k8s_loc_conf_t *alcf);
static void ngx_http_akl_k8s_exchange_resume(ngx_http_request_t *r);
static ngx_int_t ngx_http_akl_k8s_exchange_done(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);


ngx_int_t
ngx_http_akl_k8s_exchange_handler(ngx_http_request_t *r)
{
    if (r != r->main) {
        return NGX_DECLINED;
    }

    return ngx_http_akl_k8s_exchange_run(r);
}


ngx_int_t
ngx_http_akl_k8s_exchange_run(ngx_http_request_t *r)
{
    ngx_http_akl_k8s_ctx_t       *ctx;
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    if (alcf->exchange == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_akl_k8s_ctx(r, 1);
    if (ctx == NULL) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    if (ctx->login) {

        /* an event of the connection while a review is under way */

        return NGX_AGAIN;
    }

    if (ctx->resumed) {
        ctx->resumed = 0;
        return ngx_http_akl_k8s_exchange_done(r, ctx);
    }

    return ngx_http_akl_k8s_exchange_start(r, ctx, alcf);
}


static ngx_int_t
ngx_http_akl_k8s_exchange_start(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_http_akl_k8s_loc_conf_t *alcf)
{
    ngx_int_t     rc;
    ngx_str_t     token;
    akl_reason_t  reason;

    ngx_http_akl_k8s_forget(ctx);
    ngx_http_akl_k8s_begin(r, NGX_HTTP_AKL_K8S_EXCHANGE);

    ctx->config = alcf->exchange;

    reason = ngx_http_akl_k8s_bearer(r, alcf->token_source, &token);

    if (reason != AKL_OK) {
        ngx_http_akl_k8s_login_refused(r, ctx, reason);
        return ngx_http_akl_k8s_refuse(r, ctx);
    }

    rc = ngx_http_akl_k8s_login(r, alcf->exchange, &token, 0, NULL,
                                ngx_http_akl_k8s_exchange_resume);

    if (rc == NGX_OK) {
        return ngx_http_akl_k8s_exchange_done(r, ctx);
    }

    if (rc == NGX_AGAIN) {
        return (ngx_http_akl_k8s_park(r) == NGX_OK)
               ? NGX_AGAIN : ngx_http_akl_k8s_no_memory(r);
    }

    return NGX_HTTP_INTERNAL_SERVER_ERROR;          /* logged */
}


static void
ngx_http_akl_k8s_exchange_resume(ngx_http_request_t *r)
{
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    ctx->resumed = 1;

    if (ngx_http_akl_k8s_unpark(r) != NGX_OK) {
        ngx_http_finalize_request(r, ngx_http_akl_k8s_no_memory(r));
        return;
    }

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


static ngx_int_t
ngx_http_akl_k8s_exchange_done(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    if (ctx->reason != AKL_OK) {
        return ngx_http_akl_k8s_refuse(r, ctx);
    }

    ngx_http_akl_k8s_tell(r, ctx);

    /* for a guard of the same location, which takes the token minted here */

    ctx->exchanged = 1;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    ngx_http_akl_k8s_require_check(r, ctx);

    if (ctx->reason != AKL_OK && !alcf->dry_run) {
        return ngx_http_akl_k8s_refuse(r, ctx);
    }

    ngx_http_akl_k8s_tell(r, ctx);

    return NGX_OK;
}
