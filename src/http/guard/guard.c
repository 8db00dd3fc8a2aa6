/*
 * akl_k8s_guard: a minted token of one of these auth configs is demanded.  In
 * the access phase for main requests, so that "satisfy" works, and before it
 * for subrequests, where nginx skips the access phase.
 */

#include "guard.h"
#include "../metrics.h"


static ngx_int_t ngx_http_akl_k8s_guard_run(ngx_http_request_t *r);
static akl_reason_t ngx_http_akl_k8s_guard_check(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_http_akl_k8s_loc_conf_t *alcf);
static ngx_int_t ngx_http_akl_k8s_name_claim(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);


char *
ngx_http_akl_k8s_guard(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf = conf;

    ngx_str_t                     *value, *name;
    ngx_uint_t                     i, k;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    if (alcf->guard_names != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (cf->args->nelts > 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" behind \"akl_k8s_guard off\"%s",
                               &value[2],
                               ngx_http_akl_k8s_swallowed(cf, &value[2]));
            return NGX_CONF_ERROR;
        }

        alcf->guard_names = NULL;
        return NGX_CONF_OK;
    }

    alcf->guard_names = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                         sizeof(ngx_str_t));
    if (alcf->guard_names == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        if (value[i].len == 0) {
            return "needs the names of auth configs";
        }

        for (k = 1; k < i; k++) {
            if (value[k].len == value[i].len
                && ngx_memcmp(value[k].data, value[i].data, value[i].len) == 0)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "auth config \"%V\" is named twice in "
                                   "\"akl_k8s_guard\"", &value[i]);
                return NGX_CONF_ERROR;
            }
        }

        name = ngx_array_push(alcf->guard_names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    ngx_http_akl_k8s_here(cf, &alcf->where_guard);

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);
    amcf->guarded = 1;

    return NGX_CONF_OK;
}


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
    ngx_http_akl_k8s_ctx_t    *ctx;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->satisfy != NGX_HTTP_SATISFY_ANY || r != r->main
        || r->error_page)
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    if (ctx && ctx->challenge) {
        ctx->challenge->hash = 0;
    }

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

    reason = ngx_http_akl_k8s_guard_check(r, ctx, alcf);

    if (reason == AKL_OK) {
        reason = ngx_http_akl_k8s_require_check(r, ctx);

    } else {
        ngx_http_akl_k8s_outcome(r, ctx, reason,
                                 alcf->dry_run ? "dry run, let through" : NULL);
    }

    ngx_http_akl_k8s_metrics_guard(ctx->config, reason);

    if (alcf->dry_run) {
        return NGX_DECLINED;
    }

    if (reason == AKL_OK) {
        return NGX_OK;
    }

    return ngx_http_akl_k8s_refuse(r, reason);
}


static akl_reason_t
ngx_http_akl_k8s_guard_check(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_http_akl_k8s_loc_conf_t *alcf)
{
    ngx_str_t  token;

    if (alcf->exchange && ctx->exchanged) {

        /* both in one location: the guard holds for what was minted */

        token = ctx->token;

        return ngx_http_akl_k8s_guard_token(r, ctx, alcf->guard, &token);
    }

    ngx_http_akl_k8s_forget(ctx);

    if (alcf->guard->nelts == 1) {
        ctx->config = *(ngx_http_akl_k8s_config_t **) alcf->guard->elts;
    }

    switch (ngx_http_akl_k8s_bearer(r, alcf->token_source, &token)) {

    case NGX_OK:
        return ngx_http_akl_k8s_guard_token(r, ctx, alcf->guard, &token);

    case NGX_DECLINED:
        return AKL_TOKEN_MISSING;

    default:
        return AKL_TOKEN_MALFORMED;
    }
}


void
ngx_http_akl_k8s_forget(ngx_http_akl_k8s_ctx_t *ctx)
{
    ctx->established = 0;
    ctx->foreign = NULL;
    ctx->reason = AKL_OK;
    ctx->config = NULL;
    ctx->cache = NGX_HTTP_AKL_K8S_CACHE_NONE;
    ctx->review_time = -1;
    ctx->token_expires = 0;
    ctx->exchanged = 0;
    ctx->unreadable = 0;

    ngx_memzero(&ctx->identity, sizeof(akl_identity_t));

    ngx_str_null(&ctx->jti);
    ngx_str_null(&ctx->token);
    ngx_str_null(&ctx->claims);
    ngx_str_null(&ctx->denied);
}


ngx_int_t
ngx_http_akl_k8s_refuse(ngx_http_request_t *r, akl_reason_t reason)
{
    ngx_uint_t                 status;
    ngx_http_akl_k8s_ctx_t    *ctx;
    ngx_http_core_loc_conf_t  *clcf;

    status = akl_reason_status(reason);

    if (ngx_http_akl_k8s_refusal_headers(r, reason, status) != NGX_OK) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    if (status != NGX_HTTP_UNAUTHORIZED && status != NGX_HTTP_FORBIDDEN) {
        return status;
    }

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    if (reason == AKL_CLAIM_NOT_ALLOWED && ctx->denied.len
        && ngx_http_akl_k8s_name_claim(r, ctx) != NGX_OK)
    {
        return ngx_http_akl_k8s_no_memory(r);
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY && r == r->main) {

        /* something else may let the request pass, and nginx takes only the
           challenge back then */

        ctx->no_store->hash = 0;
    }

    return status;
}


/* names are of the configuration, and were checked there */

static ngx_int_t
ngx_http_akl_k8s_name_claim(ngx_http_request_t *r, ngx_http_akl_k8s_ctx_t *ctx)
{
    u_char     *p;
    ngx_str_t  *value;

    value = &ctx->challenge->value;

    p = ngx_pnalloc(r->pool, value->len + sizeof(", claim=\"\"") - 1
                             + ctx->denied.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_sprintf(p, "%V, claim=\"%V\"", value, &ctx->denied) - p;
    value->data = p;

    return NGX_OK;
}
