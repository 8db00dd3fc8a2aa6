/*
 * The cluster's own public keys.
 */

#ifndef NGX_HTTP_AKL_K8S_KEYS_H
#define NGX_HTTP_AKL_K8S_KEYS_H

#include "cluster.h"


/*
 * k8s_jwks auto: asks the API server for its keys, every 10 s until they are
 * there, and every quarter of an hour afterwards; a failure keeps those that
 * are there.  Call when the target has its credentials.  Nothing without auto.
 */
void ngx_http_akl_k8s_keys_init(ngx_cycle_t *cycle,
    ngx_http_akl_k8s_cluster_t *cluster);

/* Stops the timer, cancels a fetch, frees the set. */
void ngx_http_akl_k8s_keys_free(ngx_http_akl_k8s_cluster_t *cluster);

/* Replaces the set; takes over what *set owns. */
void ngx_http_akl_k8s_keys_take(ngx_http_akl_k8s_cluster_t *cluster,
    akl_jwks_t *set);

/* Seconds since a known set was fetched, or read from its file. */
time_t ngx_http_akl_k8s_keys_age(ngx_http_akl_k8s_cluster_t *cluster);

/*
 * The API server accepts a token that no known key verifies: it must have
 * another one.  Fetches with auto, at most every 10 s; the next fetch is put
 * forward where the last one is not as long ago.
 */
void ngx_http_akl_k8s_keys_wanted(ngx_http_akl_k8s_cluster_t *cluster);


#endif /* NGX_HTTP_AKL_K8S_KEYS_H */
