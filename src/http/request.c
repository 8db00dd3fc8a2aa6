/*
 * What is known of a request: its context, the outcome and its log line, the
 * token it carries.
 */

#include "metrics.h"
#include "request.h"
#include "secret.h"


static ngx_http_akl_k8s_ctx_t *ngx_http_akl_k8s_own_ctx(
    ngx_http_request_t *r);
static void ngx_http_akl_k8s_ctx_cleanup(void *data);
static const char *ngx_http_akl_k8s_task(ngx_http_request_t *r);
static void ngx_http_akl_k8s_tell_short(ngx_http_request_t *r,
    const char *task);


/* that of all requests for which there is no memory for one; to be read */

static ngx_http_akl_k8s_ctx_t  ngx_http_akl_k8s_starved;


ngx_http_akl_k8s_ctx_t *
ngx_http_akl_k8s_ctx(ngx_http_request_t *r, ngx_uint_t create)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_own_ctx(r);

    if (ctx && !(create && ctx == &ngx_http_akl_k8s_starved)) {
        return ctx;
    }

    if (!create) {

        /* of subrequests, only clones have none of their own */

        while (r != r->main) {
            r = r->parent;
            ctx = ngx_http_akl_k8s_own_ctx(r);

            if (ctx) {
                return ctx;
            }
        }

        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_akl_k8s_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_akl_k8s_ctx_t));

    ctx->request = r;
    ctx->task = ngx_http_akl_k8s_task(r);
    ctx->review_time = -1;

    cln->handler = ngx_http_akl_k8s_ctx_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_akl_k8s_module);

    return ctx;
}


static ngx_http_akl_k8s_ctx_t *
ngx_http_akl_k8s_own_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_akl_k8s_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    /* an internal redirect has cleared the module contexts */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler != ngx_http_akl_k8s_ctx_cleanup) {
            continue;
        }

        ctx = cln->data;

        if (ctx->request == r) {

            /* a login that waits is for where the request was before */

            ctx->login = NULL;
            ctx->resumed = 0;

            ngx_http_set_ctx(r, ctx, ngx_http_akl_k8s_module);
            return ctx;
        }
    }

    return NULL;
}


/*
 * In the server rewrite phase, where all subrequests begin but clones, which
 * slice and proxy_cache_background_update make: those go on behind the access
 * phase as their parent does, and what was established for it is theirs too.
 * All others have an identity of their own, or none.
 */

ngx_int_t
ngx_http_akl_k8s_subrequest(ngx_http_request_t *r)
{
    if (r == r->main || r->uri_changes != NGX_HTTP_MAX_URI_CHANGES + 1) {

        /* no subrequest, or one that an internal redirect has led here */

        return NGX_DECLINED;
    }

    return ngx_http_akl_k8s_ctx(r, 1) ? NGX_DECLINED
                                      : ngx_http_akl_k8s_no_memory(r);
}


static void
ngx_http_akl_k8s_ctx_cleanup(void *data)
{
    ngx_http_akl_k8s_ctx_t  *ctx = data;

    /* that of a request whose client is gone */

    ngx_http_akl_k8s_tell(ctx->request, ctx);
}


void
ngx_http_akl_k8s_outcome(ngx_http_request_t *r, ngx_http_akl_k8s_ctx_t *ctx,
    akl_reason_t reason, const char *detail)
{
    u_char                        config[NGX_HTTP_AKL_K8S_LOG_SIZE];
    u_char                        ns[NGX_HTTP_AKL_K8S_LOG_SIZE];
    u_char                        sa[NGX_HTTP_AKL_K8S_LOG_SIZE];
    u_char                        pod[NGX_HTTP_AKL_K8S_LOG_SIZE];
    akl_str_t                     text;
    ngx_str_t                     name;
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    ctx->reason = reason;
    ctx->established = 1;
    ctx->untold = 1;
    ctx->unwritten = 0;
    ctx->line.len = 0;

    if (reason == AKL_OK) {
        return;
    }

    if (akl_reason_kind(reason) == AKL_KIND_OUTAGE) {
        ctx->level = NGX_LOG_ERR;

    } else {
        alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);
        ctx->level = alcf->log_level;
    }

    if (r->connection->log->log_level < ctx->level) {
        return;
    }

    /* made now: who it was may be forgotten until it is told */

    ctx->line.data = ngx_pnalloc(r->pool, NGX_MAX_ERROR_STR);

    if (ctx->line.data == NULL) {
        ctx->reason = AKL_INTERNAL_ERROR;
        ctx->unwritten = 1;
        return;
    }

    text = akl_reason_text(reason);

    if (ctx->config) {
        name = ctx->config->name;

    } else if (ctx->asked.len) {
        name = ctx->asked;

    } else {
        ngx_str_set(&name, "-");
    }

    ctx->line.len = ngx_snprintf(ctx->line.data, NGX_MAX_ERROR_STR,
                  "%s %s, %s: %s%s%s, config \"%s\", namespace \"%s\", "
                  "service account \"%s\", pod \"%s\"",
                  ctx->task,
                  (akl_reason_kind(reason) == AKL_KIND_OUTAGE)
                      ? "failed" : "refused",
                  akl_reason_code(reason).data, text.data,
                  detail ? ": " : "", detail ? detail : "",
                  ngx_http_akl_k8s_log_text(config,
                                            ngx_http_akl_k8s_str(&name)),
                  ngx_http_akl_k8s_log_text(ns, ctx->identity.namespace),
                  ngx_http_akl_k8s_log_text(sa, ctx->identity.sa_name),
                  ngx_http_akl_k8s_log_text(pod, ctx->identity.pod_name))
                    - ctx->line.data;
}


void
ngx_http_akl_k8s_tell(ngx_http_request_t *r, ngx_http_akl_k8s_ctx_t *ctx)
{
    if (!ctx->untold) {
        return;
    }

    ctx->untold = 0;

    if (ctx->line.len) {
        ngx_log_error(ctx->level, r->connection->log, 0, "akl_k8s: %V",
                      &ctx->line);

    } else if (ctx->unwritten) {
        ngx_http_akl_k8s_tell_short(r, ctx->task);
    }

    switch (ctx->counts) {

    case NGX_HTTP_AKL_K8S_COUNT_LOGIN:
        ngx_http_akl_k8s_metrics_login(ctx->config, ctx->reason, ctx->cache,
                                       1);
        ctx->counted = 1;
        break;

    case NGX_HTTP_AKL_K8S_COUNT_GUARD:
        ngx_http_akl_k8s_metrics_guard(ctx->config, ctx->reason);
        break;

    default: /* NGX_HTTP_AKL_K8S_COUNT_NOTHING */

        /* what is no login and asks no guard is counted where it fails */

        if (ctx->reason == AKL_INTERNAL_ERROR) {
            ngx_http_akl_k8s_metrics_login(NULL, AKL_INTERNAL_ERROR,
                                           NGX_HTTP_AKL_K8S_CACHE_NONE, 1);
        }
    }

    ctx->counts = NGX_HTTP_AKL_K8S_COUNT_NOTHING;
}


/* all that is told where there is no memory for a line */

static void
ngx_http_akl_k8s_tell_short(ngx_http_request_t *r, const char *task)
{
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "akl_k8s: %s failed, %s: %s: out of memory", task,
                  akl_reason_code(AKL_INTERNAL_ERROR).data,
                  akl_reason_text(AKL_INTERNAL_ERROR).data);
}


/* what a request fails in, as long as no part of the module has begun on it */

static const char *
ngx_http_akl_k8s_task(ngx_http_request_t *r)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    if (alcf->service) {
        return alcf->service->task;
    }

    if (alcf->exchange) {
        return NGX_HTTP_AKL_K8S_EXCHANGE;
    }

    return alcf->guard ? NGX_HTTP_AKL_K8S_GUARD : "request";
}


void
ngx_http_akl_k8s_begin(ngx_http_request_t *r, const char *task)
{
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_own_ctx(r);

    if (ctx && ctx != &ngx_http_akl_k8s_starved) {
        ngx_http_akl_k8s_tell(r, ctx);

        ctx->task = task;
        ctx->failed = 0;
    }
}


ngx_int_t
ngx_http_akl_k8s_fail(ngx_http_request_t *r, const char *detail)
{
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 0);

    if (ctx == &ngx_http_akl_k8s_starved
        || (ctx && ctx->failed && !ctx->untold))
    {
        /* told already, and another answer fails, too */

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx == NULL) {
        ngx_http_akl_k8s_tell_short(r, ngx_http_akl_k8s_task(r));

        ngx_http_akl_k8s_metrics_login(NULL, AKL_INTERNAL_ERROR,
                                       NGX_HTTP_AKL_K8S_CACHE_NONE, 1);

        ngx_http_akl_k8s_starved.reason = AKL_INTERNAL_ERROR;
        ngx_http_akl_k8s_starved.established = 1;
        ngx_http_akl_k8s_starved.review_time = -1;

        ngx_http_set_ctx(r, &ngx_http_akl_k8s_starved,
                         ngx_http_akl_k8s_module);

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->counted && !ctx->untold) {

        if (ctx->reason != AKL_OK) {

            /* told already, and no other answer came of it */

            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        /* a login that gets no answer was none */

        ngx_http_akl_k8s_metrics_login(ctx->config, AKL_OK, ctx->cache, -1);
        ctx->counts = NGX_HTTP_AKL_K8S_COUNT_LOGIN;
    }

    ctx->failed = 1;

    ngx_http_akl_k8s_outcome(r, ctx, AKL_INTERNAL_ERROR, detail);
    ngx_http_akl_k8s_tell(r, ctx);

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_int_t
ngx_http_akl_k8s_no_memory(ngx_http_request_t *r)
{
    return ngx_http_akl_k8s_fail(r, "out of memory");
}


u_char *
ngx_http_akl_k8s_log_text(u_char *dst, akl_str_t src)
{
    size_t   i, len;
    u_char  *p, ch;

    p = dst;
    len = ngx_min(src.len, NGX_HTTP_AKL_K8S_LOG_LEN);

    for (i = 0; i < len; i++) {
        ch = src.data[i];

        if (ch < 0x20 || ch > 0x7e || ch == '"' || ch == '\\') {
            p = ngx_sprintf(p, "\\x%02Xd", (ngx_int_t) ch);
            continue;
        }

        *p++ = ch;
    }

    if (len < src.len) {
        p = ngx_cpymem(p, "...", sizeof("...") - 1);
    }

    *p = '\0';

    return dst;
}


akl_str_t
ngx_http_akl_k8s_request_id(ngx_http_request_t *r)
{
    akl_str_t                   id;
    ngx_uint_t                  hash;
    ngx_http_variable_value_t  *vv;

    static ngx_str_t  name = ngx_string("request_id");

    hash = ngx_hash_key(name.data, name.len);
    vv = ngx_http_get_variable(r, &name, hash);

    if (vv == NULL || vv->not_found) {
        return akl_str("");
    }

    id.data = vv->data;
    id.len = vv->len;

    return id;
}


akl_reason_t
ngx_http_akl_k8s_bearer(ngx_http_request_t *r,
    ngx_http_complex_value_t *source, ngx_str_t *token)
{
    u_char     *p, *last;
    ngx_str_t   value;

    if (source) {
        if (ngx_http_complex_value(r, source, &value) != NGX_OK) {
            return AKL_INTERNAL_ERROR;
        }

    } else if (r->headers_in.authorization) {
        value = r->headers_in.authorization->value;

    } else {
        return AKL_TOKEN_MISSING;
    }

    p = value.data;
    last = p + value.len;

    if (value.len >= 6 && ngx_strncasecmp(p, (u_char *) "bearer", 6) == 0
        && (value.len == 6 || p[6] == ' ' || p[6] == '\t'))
    {
        p += 6;

        while (p < last && (*p == ' ' || *p == '\t')) {
            p++;
        }

        if (p == last) {
            return AKL_TOKEN_MALFORMED;
        }

    } else if (source == NULL || value.len == 0) {
        return AKL_TOKEN_MISSING;
    }

    token->data = p;
    token->len = last - p;

    if (ngx_http_akl_k8s_secret_request(r) != NGX_OK
        || (source && source->lengths
            && ngx_http_akl_k8s_secret_text(r->pool, &value) != NGX_OK))
    {
        return AKL_INTERNAL_ERROR;
    }

    return AKL_OK;
}


ngx_http_akl_k8s_config_t *
ngx_http_akl_k8s_find_config(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_str_t *name)
{
    ngx_uint_t                   i;
    ngx_http_akl_k8s_config_t  **config;

    config = amcf->configs.elts;

    for (i = 0; i < amcf->configs.nelts; i++) {
        if (config[i]->name.len == name->len
            && ngx_memcmp(config[i]->name.data, name->data, name->len) == 0)
        {
            return config[i];
        }
    }

    return NULL;
}


void
ngx_http_akl_k8s_forget(ngx_http_akl_k8s_ctx_t *ctx)
{
    ngx_http_akl_k8s_tell(ctx->request, ctx);

    ctx->counted = 0;
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
