/*
 * Refusals: their headers, and what guard and exchange answer.
 */

#include "headers.h"
#include "request.h"
#include "refusal.h"


#define NGX_HTTP_AKL_K8S_RETRY_MAX  60          /* s */


static ngx_int_t ngx_http_akl_k8s_refuse_headers(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);
static ngx_int_t ngx_http_akl_k8s_name_claim(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);


/* a header of ours is known by where its name lies */

static const char  ngx_http_akl_k8s_authenticate[] = "WWW-Authenticate";
static const char  ngx_http_akl_k8s_no_store[] = "Cache-Control";
static const char  ngx_http_akl_k8s_retry_after[] = "Retry-After";


ngx_int_t
ngx_http_akl_k8s_refusal_headers(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_str_t                value;
    ngx_http_akl_k8s_ctx_t  *ctx;

    /* another pass of the phases may have been refused before */

    ctx = ngx_http_akl_k8s_ctx(r, 1);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&value, "no-store");

    if (ngx_http_akl_k8s_set_header(r, ngx_http_akl_k8s_no_store, &value)
        == NULL)
    {
        return NGX_ERROR;
    }

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        value.data = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
        if (value.data == NULL) {
            return NGX_ERROR;
        }

        value.len = ngx_sprintf(value.data, "%T",
                                ngx_min(ngx_max(ctx->retry_after, 1),
                                        NGX_HTTP_AKL_K8S_RETRY_MAX))
                    - value.data;

        if (ngx_http_akl_k8s_set_header(r, ngx_http_akl_k8s_retry_after, &value)
            == NULL)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_akl_k8s_challenge(ngx_http_request_t *r, akl_reason_t reason,
    ngx_uint_t status)
{
    akl_str_t         code;
    ngx_str_t         value;
    ngx_table_elt_t  *h;

    if (status != NGX_HTTP_UNAUTHORIZED && status != NGX_HTTP_FORBIDDEN) {
        return NGX_OK;
    }

    code = akl_reason_code(reason);

    value.len = sizeof("Bearer realm=\"akl_k8s\", error=\"insufficient_scope\""
                       ", error_description=\"\"") + code.len;

    value.data = ngx_pnalloc(r->pool, value.len);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    if (reason == AKL_TOKEN_MISSING) {
        value.len = ngx_sprintf(value.data, "Bearer realm=\"akl_k8s\"")
                    - value.data;

    } else {
        value.len = ngx_sprintf(value.data, "Bearer realm=\"akl_k8s\", "
                                "error=\"%s\", error_description=\"%s\"",
                                (status == NGX_HTTP_FORBIDDEN)
                                    ? "insufficient_scope" : "invalid_token",
                                code.data)
                    - value.data;
    }

    h = ngx_http_akl_k8s_set_header(r, ngx_http_akl_k8s_authenticate, &value);
    if (h == NULL) {
        return NGX_ERROR;
    }

    r->headers_out.www_authenticate = h;

    return NGX_OK;
}


void
ngx_http_akl_k8s_challenge_basic(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = ngx_http_akl_k8s_find_header(r, ngx_http_akl_k8s_authenticate);

    ngx_str_set(&h->value, "Basic realm=\"akl_k8s\"");
}


void
ngx_http_akl_k8s_withdraw(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    h = ngx_http_akl_k8s_find_header(r, ngx_http_akl_k8s_authenticate);

    if (h) {
        h->hash = 0;
    }
}


ngx_int_t
ngx_http_akl_k8s_refuse(ngx_http_request_t *r, ngx_http_akl_k8s_ctx_t *ctx)
{
    ngx_int_t  status;

    status = ngx_http_akl_k8s_refuse_headers(r, ctx);

    if (status == NGX_ERROR) {
        return ngx_http_akl_k8s_no_memory(r);
    }

    ngx_http_akl_k8s_tell(r, ctx);

    return status;
}


static ngx_int_t
ngx_http_akl_k8s_refuse_headers(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx)
{
    ngx_uint_t                 status;
    ngx_http_core_loc_conf_t  *clcf;

    status = akl_reason_status(ctx->reason);

    if (ngx_http_akl_k8s_refusal_headers(r, status) != NGX_OK
        || ngx_http_akl_k8s_challenge(r, ctx->reason, status) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (status != NGX_HTTP_UNAUTHORIZED && status != NGX_HTTP_FORBIDDEN) {
        return status;
    }

    if (ctx->reason == AKL_CLAIM_NOT_ALLOWED && ctx->denied.len
        && ngx_http_akl_k8s_name_claim(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY && r == r->main) {

        /* something else may let the request pass, and nginx takes only the
           challenge back then */

        ngx_http_akl_k8s_find_header(r, ngx_http_akl_k8s_no_store)->hash = 0;
    }

    return status;
}


/* names are of the configuration, and were checked there */

static ngx_int_t
ngx_http_akl_k8s_name_claim(ngx_http_request_t *r, ngx_http_akl_k8s_ctx_t *ctx)
{
    u_char     *p;
    ngx_str_t  *value;

    value = &ngx_http_akl_k8s_find_header(r, ngx_http_akl_k8s_authenticate)
                 ->value;

    p = ngx_pnalloc(r->pool, value->len + sizeof(", claim=\"\"") - 1
                             + ctx->denied.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_sprintf(p, "%V, claim=\"%V\"", value, &ctx->denied) - p;
    value->data = p;

    return NGX_OK;
}
