/*
 * The directives that make a location serve something of ours.
 */

#ifndef NGX_HTTP_AKL_K8S_CONF_SERVE_H
#define NGX_HTTP_AKL_K8S_CONF_SERVE_H

#include "../module.h"


/* Those that are told apart by other directives. */
extern const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_auth;
extern const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_introspect;
extern const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_self;
extern const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_jwks;
extern const ngx_http_akl_k8s_service_t  ngx_http_akl_k8s_serve_discovery;

/*
 * Has the location serve that.  NGX_CONF_OK, or the cause where it serves it,
 * or another handler does anything, already.
 */
char *ngx_http_akl_k8s_serve(ngx_conf_t *cf,
    ngx_http_akl_k8s_loc_conf_t *alcf,
    const ngx_http_akl_k8s_service_t *service);

/* The directives, as nginx's table of commands has them. */

char *ngx_http_akl_k8s_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_akl_k8s_verify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_akl_k8s_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_akl_k8s_revoke(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_akl_k8s_introspect(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Refuses an akl_k8s_verify that nothing guards, once locations are merged.
 * NGX_OK, or NGX_ERROR after logging.
 */
ngx_int_t ngx_http_akl_k8s_verify_check(ngx_conf_t *cf);


#endif /* NGX_HTTP_AKL_K8S_CONF_SERVE_H */
