/*
 * The certificate that a client presented in its TLS handshake.
 */

#ifndef NGX_HTTP_AKL_K8S_CERTIFICATE_H
#define NGX_HTTP_AKL_K8S_CERTIFICATE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* base64url of a SHA-256 digest */
#define NGX_HTTP_AKL_K8S_THUMBPRINT_LEN  43


/*
 * Writes the x5t#S256 (RFC 8705 section 3.1) of the client certificate of the
 * connection that r came by, of which the handshake has proven possession, to
 * "dst", which has NGX_HTTP_AKL_K8S_THUMBPRINT_LEN bytes.  NGX_OK;
 * NGX_DECLINED: there is none; NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_thumbprint(ngx_http_request_t *r, u_char *dst);


#endif /* NGX_HTTP_AKL_K8S_CERTIFICATE_H */
