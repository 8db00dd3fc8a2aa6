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

/*
 * The arguments of a directive that are names of auth configs, as an array of
 * ngx_str_t.  NGX_CONF_OK, or the cause: an empty name, or one given twice.
 */
char *ngx_http_akl_k8s_names(ngx_conf_t *cf, ngx_array_t **names);


#endif /* NGX_HTTP_AKL_K8S_CONF_LOCATION_H */
