/*
 * Clusters: made when a worker starts, gone when it ends.
 */

#include "../metrics.h"
#include "credentials.h"
#include "keys.h"
#include "cluster.h"


static ngx_int_t ngx_http_akl_k8s_init_cluster(ngx_cycle_t *cycle,
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_config_t *config,
    ngx_http_akl_k8s_cluster_t *cluster);


static ngx_http_akl_k8s_cluster_t  *ngx_http_akl_k8s_clusters;
static ngx_uint_t                   ngx_http_akl_k8s_clusters_n;


ngx_int_t
ngx_http_akl_k8s_init_clusters(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    ngx_http_akl_k8s_config_t     **config;
    ngx_http_akl_k8s_main_conf_t   *amcf;

    ngx_http_akl_k8s_clusters = NULL;
    ngx_http_akl_k8s_clusters_n = 0;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_akl_k8s_module);

    if (amcf == NULL || amcf->configs.nelts == 0) {
        return NGX_OK;
    }

    ngx_http_akl_k8s_clusters = ngx_pcalloc(cycle->pool,
                     amcf->configs.nelts * sizeof(ngx_http_akl_k8s_cluster_t));
    if (ngx_http_akl_k8s_clusters == NULL) {
        return NGX_ERROR;
    }

    ngx_akl_zone_enter_process(amcf->zone);

    config = amcf->configs.elts;

    for (i = 0; i < amcf->configs.nelts; i++) {

        if (ngx_http_akl_k8s_init_cluster(cycle, amcf, config[i],
                                          &ngx_http_akl_k8s_clusters[i])
            != NGX_OK)
        {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                          "akl_k8s: auth config \"%V\" could not be set up",
                          &config[i]->name);
            return NGX_ERROR;
        }

        ngx_http_akl_k8s_clusters_n++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_init_cluster(ngx_cycle_t *cycle,
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_config_t *config,
    ngx_http_akl_k8s_cluster_t *cluster)
{
    ngx_akl_target_conf_t  conf;

    cluster->config = config;
    cluster->zone = amcf->zone;

    ngx_queue_init(&cluster->queue);
    ngx_rbtree_init(&cluster->reviews, &cluster->sentinel,
                    ngx_rbtree_insert_value);

    cluster->signer = akl_signer_create(&config->signing_key);
    if (cluster->signer == NULL) {
        return NGX_ERROR;
    }

    conf.name = config->name;
    conf.hosts = &config->hosts;
    conf.server_name = config->server_name;
    conf.proxy = config->proxy_url.len ? &config->proxy : NULL;
    conf.resolver = config->resolver;
    conf.resolver_timeout = config->resolver_timeout;
    conf.connect_timeout = config->connect_timeout;

    cluster->target = ngx_akl_target_create(cycle, &conf);

    if (cluster->target == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_akl_k8s_credentials_init(cycle, cluster) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_akl_k8s_keys_init(cycle, cluster);

    return NGX_OK;
}


void
ngx_http_akl_k8s_exit_clusters(
    void (*leave)(ngx_http_akl_k8s_cluster_t *cluster))
{
    ngx_uint_t                   i;
    ngx_http_akl_k8s_cluster_t  *cluster;

    for (i = 0; i < ngx_http_akl_k8s_clusters_n; i++) {
        cluster = &ngx_http_akl_k8s_clusters[i];

        leave(cluster);

        ngx_http_akl_k8s_keys_free(cluster);
        ngx_http_akl_k8s_credentials_free(cluster);
        akl_signer_free(cluster->signer);
    }

    ngx_http_akl_k8s_clusters_n = 0;
}


ngx_http_akl_k8s_cluster_t *
ngx_http_akl_k8s_cluster(ngx_http_akl_k8s_config_t *config)
{
    return &ngx_http_akl_k8s_clusters[config->index];
}


ngx_http_akl_k8s_keyed_t *
ngx_http_akl_k8s_cluster_review(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_akl_key_t *key)
{
    ngx_rbtree_key_t           hash;
    ngx_rbtree_node_t         *node;
    ngx_http_akl_k8s_keyed_t  *keyed;

    ngx_memcpy(&hash, key->data, sizeof(ngx_rbtree_key_t));

    for (node = cluster->reviews.root; node != &cluster->sentinel; ) {

        if (hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
            continue;
        }

        /* keys are keyed digests: word-long collisions do not happen */

        keyed = (ngx_http_akl_k8s_keyed_t *) node;

        return (ngx_memcmp(keyed->key.data, key->data, NGX_AKL_KEY_LEN) == 0)
               ? keyed : NULL;
    }

    return NULL;
}


void
ngx_http_akl_k8s_cluster_asked(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_int_t by)
{
    cluster->in_flight += by;
    ngx_http_akl_k8s_metrics_in_flight(cluster->config, by);
}


void
ngx_http_akl_k8s_cluster_queued(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_int_t by)
{
    cluster->queued += by;
    ngx_http_akl_k8s_metrics_queued(cluster->config, by);
}
