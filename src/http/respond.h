/*
 * The one way to answer with a document of ours: status, type, caching,
 * HEAD, and the methods that a location allows.
 */

#ifndef NGX_HTTP_AKL_K8S_RESPOND_H
#define NGX_HTTP_AKL_K8S_RESPOND_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#define NGX_HTTP_AKL_K8S_MAX_AGE  300       /* s that a document is kept */


typedef struct {
    ngx_uint_t    status;
    const char   *type;         /* Content-Type; NULL where body is empty */
    ngx_str_t     body;         /* len 0: an answer without content */
    ngx_str_t     etag;         /* quoted; len 0: none */
    unsigned      temporary:1;  /* the body's memory may be changed */
    unsigned      cacheable:1;  /* for MAX_AGE; else "no-store" */
} ngx_http_akl_k8s_document_t;


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

/*
 * Holds the request's method against "methods" (bits such as NGX_HTTP_POST):
 * NGX_OK, or NGX_HTTP_NOT_ALLOWED with "Allow" set (RFC 9110 section 15.5.6),
 * or NGX_HTTP_INTERNAL_SERVER_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_allow(ngx_http_request_t *r, ngx_uint_t methods);

/*
 * Sends a document whose strings outlive the request; to HEAD its headers
 * only.  What is not cacheable says "Cache-Control: no-store", unless that
 * was said before.  Returns what a content handler returns; never NGX_AGAIN:
 * what could not be sent at once is nginx's to send.
 */
ngx_int_t ngx_http_akl_k8s_respond(ngx_http_request_t *r,
    ngx_http_akl_k8s_document_t *document);


#endif /* NGX_HTTP_AKL_K8S_RESPOND_H */
