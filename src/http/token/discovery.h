/*
 * The discovery document of an issuer.
 */

#ifndef NGX_HTTP_AKL_K8S_DISCOVERY_H
#define NGX_HTTP_AKL_K8S_DISCOVERY_H

#include "../module.h"


/*
 * Builds the document for the issuer of "config"; jwks_uri is that of the
 * publication, else "/.well-known/jwks.json" below the issuer.  NULL, or a
 * static cause.
 */
const char *ngx_http_akl_k8s_discovery_build(ngx_conf_t *cf,
    ngx_http_akl_k8s_publication_t *pub, ngx_http_akl_k8s_config_t *config);

/* 1 where "s" is an http or https URL without a fragment. */
ngx_uint_t ngx_http_akl_k8s_is_url(ngx_str_t *s);


#endif /* NGX_HTTP_AKL_K8S_DISCOVERY_H */
