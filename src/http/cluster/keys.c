/*
 * The cluster's own keys.  k8s_jwks auto: asked of its API server with the
 * reviewer's credential, again and again until they are there, and now and
 * then afterwards.
 */

#include "keys.h"


#define NGX_HTTP_AKL_K8S_KEYS_RETRY    10000    /* ms, while there are none */
#define NGX_HTTP_AKL_K8S_KEYS_REFRESH  (15 * 60 * 1000)
#define NGX_HTTP_AKL_K8S_KEYS_MAX      (256 * 1024)

#define NGX_HTTP_AKL_K8S_KEYS_PATH     "/openid/v1/jwks"


static void ngx_http_akl_k8s_keys_timer(ngx_event_t *ev);
static void ngx_http_akl_k8s_keys_fetch(ngx_http_akl_k8s_cluster_t *cluster);
static void ngx_http_akl_k8s_keys_next(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_msec_t pause);
static void ngx_http_akl_k8s_keys_answered(ngx_akl_call_t *call);
static void ngx_http_akl_k8s_keys_failed(ngx_akl_call_t *call,
    const char *cause);
static const char *ngx_http_akl_k8s_keys_cure(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_uint_t status);
static ngx_uint_t ngx_http_akl_k8s_keys_same(akl_jwks_t *one, akl_jwks_t *two);


void
ngx_http_akl_k8s_keys_init(ngx_cycle_t *cycle,
    ngx_http_akl_k8s_cluster_t *cluster)
{
    ngx_http_akl_k8s_keys_t  *keys;

    if (!cluster->config->jwks_auto) {
        return;
    }

    keys = &cluster->keys;

    keys->timer.handler = ngx_http_akl_k8s_keys_timer;
    keys->timer.data = cluster;
    keys->timer.log = cycle->log;
    keys->timer.cancelable = 1;

    ngx_http_akl_k8s_keys_fetch(cluster);
}


void
ngx_http_akl_k8s_keys_free(ngx_http_akl_k8s_cluster_t *cluster)
{
    ngx_http_akl_k8s_keys_t  *keys;

    keys = &cluster->keys;

    if (keys->timer.timer_set) {
        ngx_del_timer(&keys->timer);
    }

    if (keys->fetch) {
        ngx_akl_call_destroy(keys->fetch);
        keys->fetch = NULL;
    }

    akl_jwks_clear(&keys->set);
}


void
ngx_http_akl_k8s_keys_take(ngx_http_akl_k8s_cluster_t *cluster,
    akl_jwks_t *set)
{
    akl_jwks_clear(&cluster->keys.set);

    cluster->keys.set = *set;
    cluster->keys.known = 1;
    cluster->keys.since = ngx_current_msec;
}


time_t
ngx_http_akl_k8s_keys_age(ngx_http_akl_k8s_cluster_t *cluster)
{
    return (time_t) ((ngx_current_msec - cluster->keys.since) / 1000);
}


void
ngx_http_akl_k8s_keys_wanted(ngx_http_akl_k8s_cluster_t *cluster)
{
    ngx_msec_int_t            left;
    ngx_http_akl_k8s_keys_t  *keys;

    keys = &cluster->keys;

    if (!cluster->config->jwks_auto || keys->fetch) {
        return;
    }

    left = (ngx_msec_int_t) (keys->asked + NGX_HTTP_AKL_K8S_KEYS_RETRY
                             - ngx_current_msec);

    if (left <= 0) {
        ngx_http_akl_k8s_keys_fetch(cluster);

    } else if (keys->timer.timer_set
               && (ngx_msec_int_t) (keys->timer.timer.key - ngx_current_msec)
                  > left)
    {
        ngx_http_akl_k8s_keys_next(cluster, left);
    }
}


static void
ngx_http_akl_k8s_keys_timer(ngx_event_t *ev)
{
    if (!ngx_exiting) {
        ngx_http_akl_k8s_keys_fetch(ev->data);
    }
}


static void
ngx_http_akl_k8s_keys_fetch(ngx_http_akl_k8s_cluster_t *cluster)
{
    ngx_akl_call_t             *call;
    ngx_http_akl_k8s_config_t  *config;

    config = cluster->config;

    cluster->keys.asked = ngx_current_msec;

    call = ngx_akl_call_create(ngx_cycle->log);
    if (call == NULL) {
        goto failed;
    }

    call->path.len = config->api_path.len
                     + sizeof(NGX_HTTP_AKL_K8S_KEYS_PATH) - 1;
    call->path.data = ngx_pnalloc(call->pool, call->path.len);

    if (call->path.data == NULL) {
        ngx_akl_call_destroy(call);
        goto failed;
    }

    (void) ngx_sprintf(call->path.data, "%V" NGX_HTTP_AKL_K8S_KEYS_PATH,
                       &config->api_path);

    /* kube-apiserver has but the first, others may have the second */

    call->accept = "application/jwk-set+json, application/json";
    call->target = cluster->target;
    call->bearer = cluster->reviewer.text;
    call->timeout = config->review_timeout;
    call->max_answer = NGX_HTTP_AKL_K8S_KEYS_MAX;
    call->handler = ngx_http_akl_k8s_keys_answered;
    call->data = cluster;

    if (ngx_akl_call_start(call) != NGX_OK) {
        ngx_akl_call_destroy(call);
        goto failed;
    }

    cluster->keys.fetch = call;

    return;

failed:

    ngx_http_akl_k8s_keys_next(cluster, NGX_HTTP_AKL_K8S_KEYS_RETRY);
}


static void
ngx_http_akl_k8s_keys_next(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_msec_t pause)
{
    ngx_event_t  *timer;

    timer = &cluster->keys.timer;

    if (timer->timer_set) {
        ngx_del_timer(timer);
    }

    if (!ngx_exiting) {
        ngx_add_timer(timer, pause);
    }
}


static void
ngx_http_akl_k8s_keys_answered(ngx_akl_call_t *call)
{
    time_t                       after;
    akl_jwks_t                   set;
    ngx_msec_t                   pause;
    const char                  *cause;
    ngx_http_akl_k8s_keys_t     *keys;
    ngx_http_akl_k8s_cluster_t  *cluster;

    cluster = call->data;
    keys = &cluster->keys;
    cause = NULL;

    ngx_memzero(&set, sizeof(akl_jwks_t));

    if (call->outcome != NGX_AKL_ANSWERED) {
        cause = call->error.len ? (char *) call->error.data : "no answer";

    } else if (call->status != NGX_HTTP_OK) {
        cause = "";

    } else if (akl_jwks_parse(&set, ngx_http_akl_k8s_str(&call->answer), &cause)
               == 0)
    {
        cause = NULL;
    }

    if (cause) {
        ngx_http_akl_k8s_keys_failed(call, cause);

    } else {

        if (!ngx_http_akl_k8s_keys_same(&keys->set, &set) || keys->told) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "akl_k8s: keys of auth config \"%V\" were fetched, "
                          "%uz of them", &cluster->config->name, set.n);
        }

        keys->told = 0;
        ngx_http_akl_k8s_keys_take(cluster, &set);
    }

    pause = keys->known ? NGX_HTTP_AKL_K8S_KEYS_REFRESH
                        : NGX_HTTP_AKL_K8S_KEYS_RETRY;

    /* a server that is throttling may ask for more patience, within limits */

    if (call->retry_after > 0) {
        after = ngx_min(call->retry_after,
                        NGX_HTTP_AKL_K8S_KEYS_REFRESH / 1000);
        pause = ngx_max(pause, (ngx_msec_t) after * 1000);
    }

    keys->fetch = NULL;
    ngx_akl_call_destroy(call);

    ngx_http_akl_k8s_keys_next(cluster, pause);
}


/* said once, until something else goes wrong or all is well again */

static void
ngx_http_akl_k8s_keys_failed(ngx_akl_call_t *call, const char *cause)
{
    u_char                      *p, status[sizeof("status , ") + NGX_INT_T_LEN];
    ngx_str_t                    none, *url;
    ngx_uint_t                   what;
    ngx_http_akl_k8s_keys_t     *keys;
    ngx_http_akl_k8s_cluster_t  *cluster;

    cluster = call->data;
    keys = &cluster->keys;

    what = 1 + call->outcome * 1000 + call->status;

    if (ngx_exiting || ngx_terminate || keys->told == what) {
        return;
    }

    keys->told = what;

    ngx_str_null(&none);
    url = call->host ? &call->host->url : &none;

    p = status;

    if (call->status) {
        p = ngx_sprintf(p, "status %ui%s", call->status, *cause ? ", " : "");
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "akl_k8s: keys of auth config \"%V\" could not be fetched, "
                  "%V%V: %*s%s, asked for again %s%s",
                  &cluster->config->name, url, &call->path,
                  (size_t) (p - status),
                  status, cause,
                  keys->known ? "in 15 minutes: the former ones are kept"
                      : "every 10 seconds: signatures are not checked here "
                        "until then",
                  ngx_http_akl_k8s_keys_cure(cluster, call->status));
}


static const char *
ngx_http_akl_k8s_keys_cure(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_UNAUTHORIZED:
        return "; the reviewer needs a new credential";

    case NGX_HTTP_FORBIDDEN:
        return "; the reviewer needs the ClusterRole"
               " \"system:service-account-issuer-discovery\"";

    case NGX_HTTP_NOT_FOUND:
        return (cluster->config->type == NGX_HTTP_AKL_K8S_RANCHER)
               ? "; no such rancher_cluster_id, or the cluster's issuer is no "
                 "https URL"
               : "; only a cluster whose issuer is an https URL has them";

    default:
        return "";
    }
}


/* by their names, which are digests of keys in Kubernetes */

static ngx_uint_t
ngx_http_akl_k8s_keys_same(akl_jwks_t *one, akl_jwks_t *two)
{
    size_t  i;

    if (one->n != two->n) {
        return 0;
    }

    for (i = 0; i < one->n; i++) {
        if (!akl_str_eq(one->keys[i].kid, two->keys[i].kid)) {
            return 0;
        }
    }

    return 1;
}
