/*
 * akl_k8s_guard, akl_k8s_require and akl_k8s_exchange.
 */

#ifndef NGX_HTTP_AKL_K8S_CONF_GUARD_H
#define NGX_HTTP_AKL_K8S_CONF_GUARD_H

#include "../module.h"


/* The directives, as nginx's table of commands has them. */

char *ngx_http_akl_k8s_guard(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_akl_k8s_require(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_akl_k8s_exchange(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Merges akl_k8s_require: what the levels above demand, then what this one
 * does.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_merge_require(ngx_conf_t *cf,
    ngx_http_akl_k8s_loc_conf_t *prev, ngx_http_akl_k8s_loc_conf_t *conf);


#endif /* NGX_HTTP_AKL_K8S_CONF_GUARD_H */
