/*
 * The one decoder of forms, application/x-www-form-urlencoded as RFC 6749
 * appendix B has it.
 */

#ifndef NGX_HTTP_AKL_K8S_FORM_H
#define NGX_HTTP_AKL_K8S_FORM_H

#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_AKL_K8S_FORM  "application/x-www-form-urlencoded"


/* Gets a decoded parameter.  NULL, or a static cause, which ends the form. */
typedef const char *(*ngx_http_akl_k8s_form_pt)(void *data, ngx_str_t *name,
    ngx_str_t *value);

/*
 * Hands each parameter of "form", which is decoded in place, to "handler" with
 * "data", in their order; one without "=" has a value of len 0.  NULL, or a
 * static cause: the handler's, or that the encoding is wrong.
 */
const char *ngx_http_akl_k8s_form_decode(ngx_str_t *form,
    ngx_http_akl_k8s_form_pt handler, void *data);

/* Decodes one name or value in place.  NGX_OK, or NGX_ERROR: a wrong "%". */
ngx_int_t ngx_http_akl_k8s_form_unescape(ngx_str_t *s);


#endif /* NGX_HTTP_AKL_K8S_FORM_H */
