/*
 * Headers of answers, added by hand.
 */

#ifndef NGX_HTTP_AKL_K8S_HEADERS_H
#define NGX_HTTP_AKL_K8S_HEADERS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Adds an answer header whose "key" and "value" outlive the request, and
 * returns it, or NULL where memory is short.
 */
ngx_table_elt_t *ngx_http_akl_k8s_add_header(ngx_http_request_t *r,
    const char *key, ngx_str_t *value);

/*
 * The header that was added under that very "key", by where it lies; or NULL.
 * No pointer to a header can be kept instead: a filter that finalizes the
 * request empties the list, and others' headers take the places.
 */
ngx_table_elt_t *ngx_http_akl_k8s_find_header(ngx_http_request_t *r,
    const char *key);

/* Adds a header, or sets the one that is there; as add_header() does. */
ngx_table_elt_t *ngx_http_akl_k8s_set_header(ngx_http_request_t *r,
    const char *key, ngx_str_t *value);


#endif /* NGX_HTTP_AKL_K8S_HEADERS_H */
