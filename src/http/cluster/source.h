/*
 * Sources: what a credential, key or certificate is read from.
 */

#ifndef NGX_HTTP_AKL_K8S_SOURCE_H
#define NGX_HTTP_AKL_K8S_SOURCE_H

#include "../module.h"


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

/*
 * What a credential's text must be: NULL, or a static cause.  Used at
 * configuration and when a file has changed.  *warn (may be NULL) is set to a
 * static text where it is good but for something.
 */
const char *ngx_http_akl_k8s_check_ca(ngx_str_t *pem, const char **warn);
const char *ngx_http_akl_k8s_check_jwt(ngx_str_t *jwt, const char **warn);


#endif /* NGX_HTTP_AKL_K8S_SOURCE_H */
