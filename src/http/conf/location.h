/*
 * The configuration of locations.
 */

#ifndef NGX_HTTP_AKL_K8S_CONF_LOCATION_H
#define NGX_HTTP_AKL_K8S_CONF_LOCATION_H

#include "../module.h"


/* As nginx calls them; see ngx_http_module_t. */

void *ngx_http_akl_k8s_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_akl_k8s_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


#endif /* NGX_HTTP_AKL_K8S_CONF_LOCATION_H */
