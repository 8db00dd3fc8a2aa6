/*
 * One login: what is decided per request, the look-up, the review or the
 * place among its waiters, and the outcome.  The token endpoint and exchange
 * both come here.
 */

#include "../cluster/cluster.h"
#include "../request.h"
#include "review_token.h"
#include "login.h"


struct ngx_http_akl_k8s_login_s {
    ngx_http_akl_k8s_waiter_t    waiter;        /* must be first */
    ngx_http_request_t          *request;
    ngx_http_akl_k8s_ctx_t      *ctx;
    ngx_http_akl_k8s_login_pt    handler;
    ngx_akl_key_t                key;           /* of the verdict, */
    ngx_akl_key_t                kept;          /* and where it has the token
                                                   that is wanted */
    ngx_http_akl_k8s_wanted_t    wanted;
    ngx_akl_key_t                alias;
    unsigned                     aliased:1;
    unsigned                     usual:1;       /* wanted like by all others */
};


static ngx_int_t ngx_http_akl_k8s_login_start(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_str_t *token, uint64_t audiences,
    ngx_akl_key_t *alias, ngx_http_akl_k8s_login_pt handler);
static ngx_int_t ngx_http_akl_k8s_login_kept(ngx_http_akl_k8s_login_t *login,
    ngx_http_akl_k8s_verdict_t *verdict);
static void ngx_http_akl_k8s_login_drop(ngx_http_akl_k8s_login_t *login,
    ngx_http_akl_k8s_verdict_t *verdict);
static akl_reason_t ngx_http_akl_k8s_login_admit(ngx_http_request_t *r,
    ngx_http_akl_k8s_config_t *config);
static ngx_uint_t ngx_http_akl_k8s_login_address(ngx_http_request_t *r,
    ngx_array_t *cidrs);
static ngx_int_t ngx_http_akl_k8s_login_decided(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_reason_t reason, const char *detail);
static ngx_int_t ngx_http_akl_k8s_login_apply(ngx_http_akl_k8s_login_t *login,
    ngx_http_akl_k8s_verdict_t *verdict);
static void ngx_http_akl_k8s_login_identify(ngx_http_akl_k8s_ctx_t *ctx,
    ngx_http_akl_k8s_verdict_t *verdict);
static void ngx_http_akl_k8s_login_resume(ngx_http_akl_k8s_waiter_t *waiter,
    ngx_http_akl_k8s_verdict_t *verdict, ngx_msec_int_t review_time);
static void ngx_http_akl_k8s_login_cleanup(void *data);


/*
 * Whichever way a login ends, it has an outcome; those who asked for it tell
 * that when they have made their answer.
 */

ngx_int_t
ngx_http_akl_k8s_login(ngx_http_request_t *r,
    ngx_http_akl_k8s_config_t *config, ngx_str_t *token, uint64_t audiences,
    ngx_akl_key_t *alias, ngx_http_akl_k8s_login_pt handler)
{
    ngx_int_t                rc;
    ngx_http_akl_k8s_ctx_t  *ctx;

    ctx = ngx_http_akl_k8s_ctx(r, 1);
    if (ctx == NULL) {
        (void) ngx_http_akl_k8s_no_memory(r);
        return NGX_ERROR;
    }

    ctx->config = config;
    ctx->retry_after = 0;

    rc = ngx_http_akl_k8s_login_start(r, ctx, token, audiences, alias,
                                      handler);

    if (rc == NGX_ERROR) {
        return ngx_http_akl_k8s_login_decided(r, ctx, AKL_INTERNAL_ERROR,
                                              "out of memory");
    }

    return rc;
}


static ngx_int_t
ngx_http_akl_k8s_login_start(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_str_t *token, uint64_t audiences,
    ngx_akl_key_t *alias, ngx_http_akl_k8s_login_pt handler)
{
    ngx_int_t                    rc;
    akl_reason_t                 reason;
    ngx_pool_cleanup_t          *cln;
    ngx_http_akl_k8s_login_t    *login;
    ngx_http_akl_k8s_config_t   *config;
    ngx_http_akl_k8s_review_t   *review;
    ngx_http_akl_k8s_cluster_t  *cluster;
    ngx_http_akl_k8s_verdict_t   verdict;

    config = ctx->config;

    reason = ngx_http_akl_k8s_login_admit(r, config);
    if (reason != AKL_OK) {
        return ngx_http_akl_k8s_login_decided(r, ctx, reason, NULL);
    }

    if (token->len == 0) {
        return ngx_http_akl_k8s_login_decided(r, ctx, AKL_TOKEN_MISSING, NULL);
    }

    if (token->len > AKL_JWS_MAX) {
        return ngx_http_akl_k8s_login_decided(r, ctx, AKL_TOKEN_TOO_LARGE,
                                              NULL);
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_akl_k8s_login_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    login = cln->data;
    ngx_memzero(login, sizeof(ngx_http_akl_k8s_login_t));

    cln->handler = ngx_http_akl_k8s_login_cleanup;

    login->waiter.handler = ngx_http_akl_k8s_login_resume;
    login->request = r;
    login->ctx = ctx;
    login->handler = handler;

    if (alias) {
        login->alias = *alias;
        login->aliased = 1;
    }

    cluster = ngx_http_akl_k8s_cluster(config);

    login->wanted.audiences = audiences ? audiences
                                        : NGX_HTTP_AKL_K8S_AUDIENCE_FIRST;

    if (config->token_binding) {
        rc = ngx_http_akl_k8s_thumbprint(r, login->wanted.certificate);

        if (rc == NGX_DECLINED) {
            return ngx_http_akl_k8s_login_decided(r, ctx,
                                                  AKL_CERTIFICATE_MISSING,
                                                  NULL);
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        login->wanted.bound = 1;
    }

    login->usual = ngx_http_akl_k8s_wanted_usual(&login->wanted);

    if (ngx_http_akl_k8s_verdict_key(cluster->zone, config, token, &login->key)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    login->kept = login->key;

    if (!login->usual
        && ngx_http_akl_k8s_verdict_wanted(cluster->zone, &login->key,
                                           &login->wanted, &login->kept)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "akl_k8s login %08xD: auth config \"%V\"",
                   ngx_akl_key_id(&login->key), &config->name);

    if (ngx_http_akl_k8s_login_kept(login, &verdict) == NGX_OK) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "akl_k8s login %08xD: there is a verdict",
                       ngx_akl_key_id(&login->key));

        ctx->cache = (verdict.reason == AKL_OK)
                     ? NGX_HTTP_AKL_K8S_CACHE_HIT
                     : NGX_HTTP_AKL_K8S_CACHE_REFUSED;

        return ngx_http_akl_k8s_login_apply(login, &verdict);
    }

    review = ngx_http_akl_k8s_review_find(cluster, &login->key);

    if (review) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "akl_k8s login %08xD: a review is under way",
                       ngx_akl_key_id(&login->key));

        ctx->cache = NGX_HTTP_AKL_K8S_CACHE_SHARED;
        ctx->login = login;

        ngx_http_akl_k8s_review_wait(review, &login->waiter);

        return NGX_AGAIN;
    }

    reason = ngx_http_akl_k8s_review_token(cluster, &login->key, token,
                                           r->pool, &review, &verdict);
    if (reason != AKL_OK) {
        ctx->identity = verdict.identity;

        rc = ngx_http_akl_k8s_login_decided(r, ctx, reason, verdict.detail);

        /* what was only claimed is for the log line, not for variables */
        ngx_memzero(&ctx->identity, sizeof(akl_identity_t));

        return rc;
    }

    rc = ngx_http_akl_k8s_review_start(review, &verdict);

    switch (rc) {

    case NGX_AGAIN:
        ctx->cache = NGX_HTTP_AKL_K8S_CACHE_MISS;
        ctx->login = login;

        ngx_http_akl_k8s_review_wait(review, &login->waiter);

        return NGX_AGAIN;

    case NGX_OK:
        ctx->cache = NGX_HTTP_AKL_K8S_CACHE_SHARED;

        ngx_http_akl_k8s_login_drop(login, &verdict);

        return ngx_http_akl_k8s_login_apply(login, &verdict);

    default: /* NGX_DECLINED */
        return ngx_http_akl_k8s_login_decided(r, ctx, verdict.reason,
                                              verdict.detail);
    }
}


/* as verdict_get(), with the token that is wanted or without any */

static ngx_int_t
ngx_http_akl_k8s_login_kept(ngx_http_akl_k8s_login_t *login,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    ngx_int_t                      rc;
    ngx_http_akl_k8s_config_t     *config;
    ngx_http_akl_k8s_cluster_t    *cluster;

    config = login->ctx->config;
    cluster = ngx_http_akl_k8s_cluster(config);

    if (!login->usual
        && ngx_http_akl_k8s_verdict_get(cluster->zone, config, &login->kept,
                                        verdict)
           == NGX_OK)
    {
        return NGX_OK;
    }

    rc = ngx_http_akl_k8s_verdict_get(cluster->zone, config, &login->key,
                                      verdict);

    if (rc == NGX_OK) {
        ngx_http_akl_k8s_login_drop(login, verdict);
    }

    return rc;
}


/* the usual token is not for a login that wants another one */

static void
ngx_http_akl_k8s_login_drop(ngx_http_akl_k8s_login_t *login,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    if (!login->usual) {
        ngx_memzero(&verdict->minted, sizeof(ngx_http_akl_k8s_minted_t));
    }
}


ngx_int_t
ngx_http_akl_k8s_login_alias(ngx_http_request_t *r, ngx_akl_key_t *alias)
{
    akl_reason_t                   reason;
    ngx_http_akl_k8s_ctx_t        *ctx;
    ngx_http_akl_k8s_config_t     *config;
    ngx_http_akl_k8s_verdict_t     verdict;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_akl_k8s_module);

    if (ngx_http_akl_k8s_verdict_get_alias(amcf, alias, &config, &verdict)
        != NGX_OK
        || !ngx_http_akl_k8s_verdict_fresh(amcf, config, &verdict))
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_akl_k8s_ctx(r, 1);
    if (ctx == NULL) {
        return NGX_DECLINED;
    }

    ctx->config = config;

    reason = ngx_http_akl_k8s_login_admit(r, config);
    if (reason != AKL_OK) {
        return ngx_http_akl_k8s_login_decided(r, ctx, reason, NULL);
    }

    if (ngx_http_akl_k8s_verdict_copy(r->pool, &verdict) != NGX_OK) {
        return NGX_DECLINED;
    }

    ctx->cache = NGX_HTTP_AKL_K8S_CACHE_HIT;
    ngx_http_akl_k8s_login_identify(ctx, &verdict);

    return ngx_http_akl_k8s_login_decided(r, ctx, AKL_OK, NULL);
}


void
ngx_http_akl_k8s_login_refused(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_reason_t reason)
{
    (void) ngx_http_akl_k8s_login_decided(r, ctx, reason, NULL);
}


/* decided anew for each request, cached verdict or not */

static akl_reason_t
ngx_http_akl_k8s_login_admit(ngx_http_request_t *r,
    ngx_http_akl_k8s_config_t *config)
{
    ngx_http_akl_k8s_method_t  *method;

    method = config->method;

    if (method->access_expires && ngx_time() >= method->access_expires) {
        return AKL_ACCESS_EXPIRED;
    }

    if (method->bound_ips
        && !ngx_http_akl_k8s_login_address(r, method->bound_ips))
    {
        return AKL_IP_NOT_BOUND;
    }

    return AKL_OK;
}


static ngx_uint_t
ngx_http_akl_k8s_login_address(ngx_http_request_t *r, ngx_array_t *cidrs)
{
    return ngx_cidr_match(r->connection->sockaddr, cidrs) == NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_login_decided(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_reason_t reason, const char *detail)
{
    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "akl_k8s login: %s", akl_reason_code(reason).data);

    ctx->counts = NGX_HTTP_AKL_K8S_COUNT_LOGIN;

    ngx_http_akl_k8s_outcome(r, ctx, reason, detail);

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_login_apply(ngx_http_akl_k8s_login_t *login,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    akl_reason_t                   reason;
    ngx_http_request_t            *r;
    ngx_http_akl_k8s_ctx_t        *ctx;
    ngx_http_akl_k8s_config_t     *config;
    ngx_http_akl_k8s_cluster_t    *cluster;
    ngx_http_akl_k8s_main_conf_t  *amcf;

    r = login->request;
    ctx = login->ctx;
    config = ctx->config;

    if (ngx_http_akl_k8s_verdict_copy(r->pool, verdict) != NGX_OK) {
        return NGX_ERROR;
    }

    if (verdict->reason != AKL_OK) {
        ctx->identity = verdict->identity;
        ctx->retry_after = verdict->retry_after;

        (void) ngx_http_akl_k8s_login_decided(r, ctx, verdict->reason,
                                              verdict->detail);

        if (akl_reason_status(verdict->reason) != NGX_HTTP_FORBIDDEN) {

            /* only claimed: for the log line, not for variables */
            ngx_memzero(&ctx->identity, sizeof(akl_identity_t));
        }

        return NGX_OK;
    }

    if (ctx->foreign) {
        ctx->identity = verdict->identity;
        return ngx_http_akl_k8s_login_decided(r, ctx, AKL_CONFIG_UNKNOWN,
                                              ctx->foreign);
    }

    cluster = ngx_http_akl_k8s_cluster(config);

    amcf = ngx_http_get_module_main_conf(r, ngx_http_akl_k8s_module);

    /* what this worker has just minted needs no look, another's word does */

    if (!(verdict->until == 0 && verdict->minted.token.len)
        && !ngx_http_akl_k8s_verdict_fresh(amcf, config, verdict))
    {
        reason = ngx_http_akl_k8s_mint(cluster, r, r->pool,
                                       &verdict->identity, verdict->aud,
                                       verdict->expires, &login->wanted,
                                       &verdict->minted);

        if (reason != AKL_OK) {
            ctx->identity = verdict->identity;
            return ngx_http_akl_k8s_login_decided(r, ctx, reason, NULL);
        }

        if (!config->claims_dynamic) {
            ngx_http_akl_k8s_verdict_set(cluster->zone, config, &login->kept,
                                         verdict);
        }
    }

    if (login->aliased && config->cache_valid && !config->claims_dynamic) {
        ngx_http_akl_k8s_verdict_set_alias(cluster->zone, config,
                                           &login->alias, &login->kept,
                                           verdict);
    }

    ngx_http_akl_k8s_login_identify(ctx, verdict);

    return ngx_http_akl_k8s_login_decided(r, ctx, AKL_OK, NULL);
}


static void
ngx_http_akl_k8s_login_identify(ngx_http_akl_k8s_ctx_t *ctx,
    ngx_http_akl_k8s_verdict_t *verdict)
{
    ctx->identity = verdict->identity;
    ctx->token = ngx_http_akl_k8s_ngx_str(&verdict->minted.token);
    ctx->token_expires = verdict->minted.expires;
    ctx->jti = ngx_http_akl_k8s_ngx_str(&verdict->minted.jti);
}


static void
ngx_http_akl_k8s_login_resume(ngx_http_akl_k8s_waiter_t *waiter,
    ngx_http_akl_k8s_verdict_t *shared, ngx_msec_int_t review_time)
{
    ngx_connection_t            *c;
    ngx_http_request_t          *r;
    ngx_http_akl_k8s_ctx_t      *ctx;
    ngx_http_akl_k8s_login_t    *login;
    ngx_http_akl_k8s_verdict_t   verdict;

    login = (ngx_http_akl_k8s_login_t *) waiter;

    r = login->request;
    c = r->connection;
    ctx = login->ctx;

    if (ctx->login != login
        || ngx_http_get_module_ctx(r, ngx_http_akl_k8s_module) != ctx)
    {
        /*
         * An internal redirect has cleared the contexts: the client left, and
         * post_action took the request elsewhere.
         */

        return;
    }

    ctx->login = NULL;
    ctx->review_time = review_time;

    if (review_time < 0) {
        ctx->cache = NGX_HTTP_AKL_K8S_CACHE_SHARED;
    }

    verdict = *shared;
    ngx_http_akl_k8s_login_drop(login, &verdict);

    ngx_http_set_log_request(c->log, r);

    if (ngx_http_akl_k8s_login_apply(login, &verdict) != NGX_OK) {
        (void) ngx_http_akl_k8s_login_decided(r, ctx, AKL_INTERNAL_ERROR,
                                              "out of memory");
    }

    login->handler(r);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_akl_k8s_login_cleanup(void *data)
{
    ngx_http_akl_k8s_login_t  *login = data;

    ngx_http_akl_k8s_review_unwait(&login->waiter);
}
