/*
 * The credentials of a cluster: set, re-read, wiped.
 */

#ifndef NGX_HTTP_AKL_K8S_CREDENTIALS_H
#define NGX_HTTP_AKL_K8S_CREDENTIALS_H

#include "cluster.h"


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


#endif /* NGX_HTTP_AKL_K8S_CREDENTIALS_H */
