/*
 * Counters in the zone: registered by name at configuration, bumped without
 * a lock, shown by the status page.
 */

#ifndef NGX_HTTP_AKL_K8S_METRICS_H
#define NGX_HTTP_AKL_K8S_METRICS_H

#include "module.h"


#define NGX_HTTP_AKL_K8S_PREFIX     "nginx_akl_k8s_"

#define NGX_HTTP_AKL_K8S_BUCKETS    14          /* the last is +Inf */
#define NGX_HTTP_AKL_K8S_CACHE_N    5
#define NGX_HTTP_AKL_K8S_CODES      9


/* indices of series in the zone */

typedef struct {
    ngx_uint_t    logins[AKL_REASON_N];
    ngx_uint_t    guards[AKL_REASON_N];
    ngx_uint_t    cache[NGX_HTTP_AKL_K8S_CACHE_N];
    ngx_uint_t    reviews[NGX_HTTP_AKL_K8S_CODES];
    ngx_uint_t    namespaces[NGX_HTTP_AKL_K8S_CODES];
    ngx_uint_t    duration[NGX_HTTP_AKL_K8S_BUCKETS];
    ngx_uint_t    duration_sum;                 /* ms */
    ngx_uint_t    minted;
    ngx_uint_t    in_flight;                    /* gauges */
    ngx_uint_t    queued;
} ngx_http_akl_k8s_config_metrics_t;


typedef struct {
    ngx_uint_t                          refused[AKL_REASON_N];
    ngx_http_akl_k8s_config_metrics_t  *configs;            /* by index */
} ngx_http_akl_k8s_metrics_t;


/* upper bounds of the histogram's buckets, ms; the last one is unbounded */
extern const ngx_msec_int_t
    ngx_http_akl_k8s_buckets[NGX_HTTP_AKL_K8S_BUCKETS];

/* labels of the series, in the order of their indices */
extern const char  *ngx_http_akl_k8s_cache_names[NGX_HTTP_AKL_K8S_CACHE_N];
extern const char  *ngx_http_akl_k8s_code_names[NGX_HTTP_AKL_K8S_CODES];


/* Registers all series; when configuration is complete.  NGX_OK, NGX_ERROR. */
ngx_int_t ngx_http_akl_k8s_metrics_init(ngx_conf_t *cf);

/* In a worker: notes since when the zone counts, where nobody has yet. */
void ngx_http_akl_k8s_metrics_init_process(ngx_cycle_t *cycle);

/* Since when the zone counts, in seconds since the epoch. */
time_t ngx_http_akl_k8s_metrics_since(ngx_http_akl_k8s_main_conf_t *amcf);

/* For how many seconds it has counted, however the clock was set meanwhile. */
time_t ngx_http_akl_k8s_metrics_span(ngx_http_akl_k8s_main_conf_t *amcf);

/*
 * A login that ended, by 1; or -1: one that was counted did not.  "config" is
 * NULL where none was found: then "cache" does not matter.
 */
void ngx_http_akl_k8s_metrics_login(ngx_http_akl_k8s_config_t *config,
    akl_reason_t reason, ngx_http_akl_k8s_cache_e cache, ngx_int_t by);

/* A request to introspect or revoke that could not be read. */
void ngx_http_akl_k8s_metrics_malformed(void);

/* A guarded request. */
void ngx_http_akl_k8s_metrics_guard(ngx_http_akl_k8s_config_t *config,
    akl_reason_t reason);

/* A TokenReview that was asked for: HTTP status (0: none), ms. */
void ngx_http_akl_k8s_metrics_review(ngx_http_akl_k8s_config_t *config,
    ngx_uint_t status, ngx_msec_int_t elapsed);

/* A namespace that was read for its labels: HTTP status (0: none). */
void ngx_http_akl_k8s_metrics_namespace(ngx_http_akl_k8s_config_t *config,
    ngx_uint_t status);

void ngx_http_akl_k8s_metrics_minted(ngx_http_akl_k8s_config_t *config);

/* Changes of the gauges: reviews being asked, reviews waiting for room. */
void ngx_http_akl_k8s_metrics_in_flight(ngx_http_akl_k8s_config_t *config,
    ngx_int_t by);
void ngx_http_akl_k8s_metrics_queued(ngx_http_akl_k8s_config_t *config,
    ngx_int_t by);


#endif /* NGX_HTTP_AKL_K8S_METRICS_H */
