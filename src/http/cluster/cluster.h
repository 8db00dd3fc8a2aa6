/*
 * A cluster: what one worker knows and does at run time for one auth config:
 * the target of its reviews, the credentials of the moment, the signer, and
 * the reviews under way.
 */

#ifndef NGX_HTTP_AKL_K8S_CLUSTER_H
#define NGX_HTTP_AKL_K8S_CLUSTER_H

#include "../module.h"


/* the present content of a source that may change; memory from malloc() */

typedef struct {
    ngx_http_akl_k8s_source_t   *source;
    ngx_str_t                    text;
    ngx_file_uniq_t              uniq;
    time_t                       mtime;
    off_t                        size;
    time_t                       expires;       /* 0: nothing says so */
    unsigned                     broken:1;      /* logged, former kept */
    unsigned                     unreadable:1;  /* the same */
} ngx_http_akl_k8s_credential_t;


/* the cluster's own keys, by which pod tokens are verified here */

typedef struct {
    akl_jwks_t                   set;
    ngx_uint_t                   known;         /* the set is there */
    ngx_msec_t                   since;         /* when it was fetched, read */

    /* k8s_jwks auto */
    ngx_event_t                  timer;         /* of the next fetch */
    ngx_akl_call_t              *fetch;         /* under way, or NULL */
    ngx_msec_t                   asked;         /* when the last one began */
    ngx_uint_t                   told;          /* failure logged, 0: none */
} ngx_http_akl_k8s_keys_t;


/* the head of what stands in a cluster's tree */

typedef struct {
    ngx_rbtree_node_t              node;        /* key: first bytes of "key" */
    ngx_akl_key_t                  key;
} ngx_http_akl_k8s_keyed_t;


struct ngx_http_akl_k8s_cluster_s {
    ngx_http_akl_k8s_config_t     *config;
    ngx_akl_zone_t                *zone;
    ngx_akl_target_t              *target;
    akl_signer_t                  *signer;

    ngx_http_akl_k8s_credential_t  reviewer;
    ngx_http_akl_k8s_credential_t  ca;
    ngx_http_akl_k8s_credential_t  client_cert;
    ngx_http_akl_k8s_credential_t  client_key;
    ngx_http_akl_k8s_credential_t  jwks_file;

    ngx_http_akl_k8s_keys_t        keys;

    ngx_event_t                    refresh;     /* the 10 s timer */

    ngx_uint_t                     in_flight;   /* reviews being asked */
    ngx_uint_t                     queued;
    ngx_queue_t                    queue;       /* reviews waiting for room */
    ngx_rbtree_t                   reviews;     /* by key: waiting or asked */
    ngx_rbtree_node_t              sentinel;
};


/*
 * Makes this worker's clusters, when it starts.  NGX_OK, or NGX_ERROR after
 * logging.
 */
ngx_int_t ngx_http_akl_k8s_init_clusters(ngx_cycle_t *cycle);

/*
 * Ends them with the worker; each is handed to "leave" before, which takes out
 * of it what others have put there.
 */
void ngx_http_akl_k8s_exit_clusters(
    void (*leave)(ngx_http_akl_k8s_cluster_t *cluster));

/* This worker's cluster of a config. */
ngx_http_akl_k8s_cluster_t *ngx_http_akl_k8s_cluster(
    ngx_http_akl_k8s_config_t *config);

/* The review of that key in a cluster's tree, or NULL. */
ngx_http_akl_k8s_keyed_t *ngx_http_akl_k8s_cluster_review(
    ngx_http_akl_k8s_cluster_t *cluster, ngx_akl_key_t *key);

/*
 * Counts reviews that are asked or wait for room, or are not any more, in this
 * worker and in the gauges of all.
 */
void ngx_http_akl_k8s_cluster_asked(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_int_t by);
void ngx_http_akl_k8s_cluster_queued(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_int_t by);


#endif /* NGX_HTTP_AKL_K8S_CLUSTER_H */
