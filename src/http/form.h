/*
 * Forms, application/x-www-form-urlencoded: the parameters that somebody
 * looks for; their decoder is in k8s/urlencoded.h.
 */

#ifndef NGX_HTTP_AKL_K8S_FORM_H
#define NGX_HTTP_AKL_K8S_FORM_H

#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_AKL_K8S_FORM  "application/x-www-form-urlencoded"


/* the most values of a parameter that may be sent several times */

#define NGX_HTTP_AKL_K8S_FORM_MANY  16


/* a parameter to look for; a list of them ends with a name of len 0 */

typedef struct {
    ngx_str_t    name;
    ngx_str_t   *value;     /* null at first; where "n" is set an array of
                               NGX_HTTP_AKL_K8S_FORM_MANY */
    ngx_uint_t  *n;         /* how many values so far; NULL: one at most */
} ngx_http_akl_k8s_param_t;


/*
 * Decodes a form and sets the values of "params", in a copy of the body in
 * "pool" that is overwritten with it; a value that was sent without "=" has
 * len 0, other parameters are passed over.  NGX_OK; NGX_DECLINED with *cause,
 * a static text: wrong encoding, or a parameter that was sent too often;
 * NGX_ERROR where memory is short.
 */
ngx_int_t ngx_http_akl_k8s_form_decode(ngx_pool_t *pool, ngx_str_t *body,
    const ngx_http_akl_k8s_param_t *params, const char **cause);

/* Decodes one name or value in place.  NGX_OK, or NGX_ERROR: a wrong "%". */
ngx_int_t ngx_http_akl_k8s_form_unescape(ngx_str_t *s);


#endif /* NGX_HTTP_AKL_K8S_FORM_H */
