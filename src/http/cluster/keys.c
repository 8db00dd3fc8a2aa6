/*
 * k8s_jwks auto: the cluster's own keys, asked of its API server with the
 * reviewer's credential.
 */

#include "cluster.h"


#define NGX_HTTP_AKL_K8S_JWKS_PAUSE  10000      /* ms between two fetches */
#define NGX_HTTP_AKL_K8S_JWKS_MAX    (256 * 1024)


static void ngx_http_akl_k8s_jwks_fetched(ngx_akl_exchange_t *ex);


void
ngx_http_akl_k8s_jwks_fetch(ngx_http_akl_k8s_cluster_t *cluster)
{
    size_t               prefix;
    ngx_akl_exchange_t  *ex;

    if (cluster->jwks_fetch
        || (cluster->jwks_fetched
            && ngx_current_msec - cluster->jwks_fetched
               < NGX_HTTP_AKL_K8S_JWKS_PAUSE))
    {
        return;
    }

    /* a pod's own token comes with its login, there is none to ask with */

    if (cluster->config->reviewer_self) {
        return;
    }

    ex = ngx_akl_exchange_create(ngx_cycle->log);
    if (ex == NULL) {
        return;
    }

    cluster->jwks_fetched = ngx_current_msec ? ngx_current_msec : 1;

    /* Rancher's prefix stands before the path of the reviews */

    prefix = cluster->config->review_path.len
             - (sizeof("/apis/authentication.k8s.io/v1/tokenreviews") - 1);

    ex->path.len = prefix + sizeof("/openid/v1/jwks") - 1;
    ex->path.data = ngx_pnalloc(ex->pool, ex->path.len);

    if (ex->path.data == NULL) {
        ngx_akl_exchange_destroy(ex);
        return;
    }

    (void) ngx_sprintf(ex->path.data, "%*s/openid/v1/jwks", prefix,
                       cluster->config->review_path.data);

    ex->target = cluster->target;
    ex->bearer = cluster->reviewer.text;
    ex->timeout = cluster->config->review_timeout;
    ex->max_answer = NGX_HTTP_AKL_K8S_JWKS_MAX;
    ex->handler = ngx_http_akl_k8s_jwks_fetched;
    ex->data = cluster;

    if (ngx_akl_exchange_start(ex) != NGX_OK) {
        ngx_akl_exchange_destroy(ex);
        return;
    }

    cluster->jwks_fetch = ex;
}


static void
ngx_http_akl_k8s_jwks_fetched(ngx_akl_exchange_t *ex)
{
    akl_jwks_t                   keys;
    const char                  *cause;
    ngx_http_akl_k8s_cluster_t  *cluster;

    cluster = ex->data;
    cause = NULL;

    if (ex->outcome != NGX_AKL_ANSWERED) {
        cause = ex->error.len ? (char *) ex->error.data : "no answer";

    } else if (ex->status != NGX_HTTP_OK) {
        cause = "not the status 200";

    } else if (akl_jwks_parse(&keys, ngx_http_akl_k8s_str(&ex->answer), &cause)
               == 0)
    {
        cause = NULL;

        akl_jwks_clear(&cluster->keys);
        cluster->keys = keys;
        cluster->keys_known = 1;
    }

    if (cause) {

        /* without keys every token goes to the server, as without k8s_jwks */

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "akl_k8s: the keys of auth config \"%V\" could not be "
                      "fetched: %s (status %ui)", &cluster->config->name,
                      cause, ex->status);
    }

    cluster->jwks_fetch = NULL;
    ngx_akl_exchange_destroy(ex);
}
