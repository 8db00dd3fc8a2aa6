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
    ngx_akl_exchange_t          *fetch;         /* under way, or NULL */
    ngx_msec_t                   asked;         /* when the last one began */
    ngx_uint_t                   told;          /* failure logged, 0: none */
} ngx_http_akl_k8s_keys_t;


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
 * Sets the credentials from what was read at configuration, gives the target
 * its TLS material and starts the timer of re-reading (10 s, cancelable).
 */
ngx_int_t ngx_http_akl_k8s_credentials_init(ngx_cycle_t *cycle,
    ngx_http_akl_k8s_cluster_t *cluster);

/*
 * Looks at the files now.  A changed one replaces the credential when it
 * parses, and is kept out and logged once when it does not, or cannot be
 * read.  Returns 1 where any was replaced, else 0.  Cheap: one stat() a file.
 */
ngx_uint_t ngx_http_akl_k8s_credentials_refresh(
    ngx_http_akl_k8s_cluster_t *cluster);

/* Stops the timer, wipes and frees. */
void ngx_http_akl_k8s_credentials_free(ngx_http_akl_k8s_cluster_t *cluster);


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


/*
 * Reads a source at configuration: value is the directive's argument, a path
 * (relative to the configuration's prefix) or "data:" and text.  Fills *src
 * with memory of cf->pool.  NGX_CONF_OK, or NGX_CONF_ERROR after logging.
 */
char *ngx_http_akl_k8s_source(ngx_conf_t *cf, ngx_str_t *directive,
    ngx_str_t *value, akl_credential_type_t type,
    ngx_http_akl_k8s_source_t *src);

/*
 * Normalises raw file content in place for its type: trims, decodes base64d
 * PEM.  NULL, or a static cause ("empty", "neither PEM nor base64 of it").
 */
const char *ngx_http_akl_k8s_source_normalize(akl_credential_type_t type,
    ngx_str_t *text);


#endif /* NGX_HTTP_AKL_K8S_CLUSTER_H */
