/*
 * Names of auth configs in directives of locations.
 */

#ifndef NGX_HTTP_AKL_K8S_CONF_NAMES_H
#define NGX_HTTP_AKL_K8S_CONF_NAMES_H

#include "../module.h"


/*
 * The arguments of a directive that are names of auth configs, as an array of
 * ngx_str_t.  NGX_CONF_OK, or the cause: an empty name, or one given twice.
 */
char *ngx_http_akl_k8s_names(ngx_conf_t *cf, ngx_array_t **names);

/*
 * The auth configs of these names (of ngx_str_t), when all are known: an array
 * of .._config_t *, or NULL after logging "directive" and "where".
 */
ngx_array_t *ngx_http_akl_k8s_resolve(ngx_conf_t *cf, ngx_array_t *names,
    const char *directive, ngx_http_akl_k8s_where_t *where);

/* The same of one name. */
ngx_http_akl_k8s_config_t *ngx_http_akl_k8s_named(ngx_conf_t *cf,
    ngx_str_t *name, const char *directive, ngx_http_akl_k8s_where_t *where);


#endif /* NGX_HTTP_AKL_K8S_CONF_NAMES_H */
