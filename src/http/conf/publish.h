/*
 * akl_k8s_jwks and akl_k8s_discovery.
 */

#ifndef NGX_HTTP_AKL_K8S_CONF_PUBLISH_H
#define NGX_HTTP_AKL_K8S_CONF_PUBLISH_H

#include "../module.h"


/* The directives, as nginx's table of commands has them. */

char *ngx_http_akl_k8s_jwks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_akl_k8s_discovery(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Builds the documents of akl_k8s_jwks and akl_k8s_discovery, once all auth
 * configs are known.  NGX_OK, or NGX_ERROR after logging.
 */
ngx_int_t ngx_http_akl_k8s_publish(ngx_conf_t *cf);


#endif /* NGX_HTTP_AKL_K8S_CONF_PUBLISH_H */
