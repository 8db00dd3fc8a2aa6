/*
 * $akl_k8s_...: empty where nothing was established.  A value is made anew
 * each time, since a request's variables are shared with its subrequests,
 * which have identities of their own.
 */

#include <ngx_config.h>

#include "../k8s/subclaims.h"
#include "guard/claims.h"
#include "request.h"
#include "variables.h"


#define NGX_HTTP_AKL_K8S_TIME_LEN  (NGX_TIME_T_LEN + 4)


static ngx_int_t ngx_http_akl_k8s_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_akl_k8s_variable_status(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_akl_k8s_variable_config(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_akl_k8s_variable_identity(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_akl_k8s_variable_jti(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_akl_k8s_variable_expires(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_akl_k8s_variable_cache(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_akl_k8s_variable_review_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_akl_k8s_variable_claim(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_http_akl_k8s_variable_set(ngx_http_variable_value_t *v,
    akl_str_t value);


#define ngx_http_akl_k8s_row(name, get, data)                                 \
    { ngx_string(name), NULL, ngx_http_akl_k8s_##get, data,                   \
      NGX_HTTP_VAR_NOCACHEABLE, 0 }


static ngx_http_variable_t  ngx_http_akl_k8s_variables[] = {
    ngx_http_akl_k8s_row("akl_k8s_status", variable_status, 0),
    ngx_http_akl_k8s_row("akl_k8s_config", variable_config,
                         offsetof(ngx_http_akl_k8s_config_t, name)),
    ngx_http_akl_k8s_row("akl_k8s_access_id", variable_config,
                         offsetof(ngx_http_akl_k8s_config_t, access_id)),
    ngx_http_akl_k8s_row("akl_k8s_namespace", variable_identity,
                         offsetof(ngx_http_akl_k8s_ctx_t, identity.namespace)),
    ngx_http_akl_k8s_row("akl_k8s_service_account", variable_identity,
                         offsetof(ngx_http_akl_k8s_ctx_t, identity.sa_name)),
    ngx_http_akl_k8s_row("akl_k8s_service_account_uid", variable_identity,
                         offsetof(ngx_http_akl_k8s_ctx_t, identity.sa_uid)),
    ngx_http_akl_k8s_row("akl_k8s_pod_name", variable_identity,
                         offsetof(ngx_http_akl_k8s_ctx_t, identity.pod_name)),
    ngx_http_akl_k8s_row("akl_k8s_pod_uid", variable_identity,
                         offsetof(ngx_http_akl_k8s_ctx_t, identity.pod_uid)),
    ngx_http_akl_k8s_row("akl_k8s_node_name", variable_identity,
                         offsetof(ngx_http_akl_k8s_ctx_t, identity.node_name)),
    ngx_http_akl_k8s_row("akl_k8s_jti", variable_jti, 0),
    ngx_http_akl_k8s_row("akl_k8s_token", variable,
                         offsetof(ngx_http_akl_k8s_ctx_t, token)),
    ngx_http_akl_k8s_row("akl_k8s_token_expires", variable_expires, 0),
    ngx_http_akl_k8s_row("akl_k8s_cache", variable_cache, 0),
    ngx_http_akl_k8s_row("akl_k8s_review_time", variable_review_time, 0),

    { ngx_string("akl_k8s_claim_"), NULL,
      ngx_http_akl_k8s_variable_claim, 0,
      NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_akl_k8s_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_akl_k8s_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t               *s;
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    if (ctx == NULL) {
        ngx_http_akl_k8s_variable_set(v, akl_str(""));
        return NGX_OK;
    }

    s = (ngx_str_t *) ((u_char *) ctx + data);

    ngx_http_akl_k8s_variable_set(v, ngx_http_akl_k8s_str(s));

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_variable_status(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    ngx_http_akl_k8s_variable_set(v, (ctx && ctx->established)
                                     ? akl_reason_code(ctx->reason)
                                     : akl_str(""));
    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_variable_config(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t               *s;
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    if (ctx == NULL || ctx->config == NULL) {
        ngx_http_akl_k8s_variable_set(v, akl_str(""));
        return NGX_OK;
    }

    s = (ngx_str_t *) ((u_char *) ctx->config + data);

    ngx_http_akl_k8s_variable_set(v, ngx_http_akl_k8s_str(s));

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_variable_identity(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    akl_str_t               *s;
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    if (ctx == NULL) {
        ngx_http_akl_k8s_variable_set(v, akl_str(""));
        return NGX_OK;
    }

    s = (akl_str_t *) ((u_char *) ctx + data);

    if (s->len == 0 && ctx->claims.len) {
        ngx_http_akl_k8s_identify(r, ctx);
    }

    ngx_http_akl_k8s_variable_set(v, *s);

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_variable_jti(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    akl_str_t                jti;
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    jti = akl_str("");

    if (ctx && ctx->jti.len) {
        jti = ngx_http_akl_k8s_str(&ctx->jti);

    } else if (ctx && ctx->claims.len
               && !akl_claims_find(ngx_http_akl_k8s_str(&ctx->claims),
                                   akl_str("jti"), &jti))
    {
        jti.len = 0;
    }

    ngx_http_akl_k8s_variable_set(v, jti);

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_variable_expires(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                  *p;
    akl_str_t                s;
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    if (ctx == NULL || ctx->token_expires == 0) {
        ngx_http_akl_k8s_variable_set(v, akl_str(""));
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    s.data = p;
    s.len = ngx_sprintf(p, "%T", ctx->token_expires) - p;

    ngx_http_akl_k8s_variable_set(v, s);

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_variable_cache(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_akl_k8s_ctx_t  *ctx;

    static const akl_str_t  names[] = {
        { 0, (const unsigned char *) "" },
        { 3, (const unsigned char *) "hit" },
        { 4, (const unsigned char *) "miss" },
        { 6, (const unsigned char *) "shared" },
        { 7, (const unsigned char *) "refused" }
    };

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    ngx_http_akl_k8s_variable_set(v, names[ctx ? ctx->cache : 0]);

    return NGX_OK;
}


/* seconds with milliseconds, as $request_time has them */

static ngx_int_t
ngx_http_akl_k8s_variable_review_time(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                  *p;
    akl_str_t                s;
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    if (ctx == NULL || ctx->review_time < 0) {
        ngx_http_akl_k8s_variable_set(v, akl_str(""));
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_HTTP_AKL_K8S_TIME_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    s.data = p;
    s.len = ngx_sprintf(p, "%T.%03M", (time_t) ctx->review_time / 1000,
                        (ngx_msec_t) ctx->review_time % 1000)
            - p;

    ngx_http_akl_k8s_variable_set(v, s);

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_variable_claim(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t *name = (ngx_str_t *) data;

    akl_str_t                key, value;
    ngx_str_t               *claims;
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    if (ctx == NULL) {
        ngx_http_akl_k8s_variable_set(v, akl_str(""));
        return NGX_OK;
    }

    key = ngx_http_akl_k8s_str(name);

    key.data += sizeof("akl_k8s_claim_") - 1;
    key.len -= sizeof("akl_k8s_claim_") - 1;

    claims = ngx_http_akl_k8s_claims(r, ctx);

    if (ngx_http_akl_k8s_claim(r, claims, key, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_akl_k8s_variable_set(v, value);

    return NGX_OK;
}


/*
 * Values end up in headers of requests to upstreams: what holds a control
 * character is not shown at all.  The value is left marked as not valid, so
 * that it is made again when it is asked for next: log_format does not do
 * that for variables which may not be cached.
 */

static void
ngx_http_akl_k8s_variable_set(ngx_http_variable_value_t *v, akl_str_t value)
{
    size_t  i;

    for (i = 0; i < value.len; i++) {
        if (value.data[i] < 0x20 || value.data[i] == 0x7f) {
            value.len = 0;
            break;
        }
    }

    v->len = value.len;
    v->data = (u_char *) (value.len ? value.data : (const u_char *) "");
    v->valid = 0;
    v->no_cacheable = 1;
    v->not_found = 0;
}
