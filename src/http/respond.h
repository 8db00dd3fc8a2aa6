/*
 * The one way to answer with a document of ours: status, type, caching,
 * HEAD, and the methods that a location allows.
 */

#ifndef NGX_HTTP_AKL_K8S_RESPOND_H
#define NGX_HTTP_AKL_K8S_RESPOND_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "../jose/json.h"


#define NGX_HTTP_AKL_K8S_JSON     "application/json"

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
 * Holds the request's method against "methods" (bits such as NGX_HTTP_POST):
 * NGX_OK, or NGX_HTTP_NOT_ALLOWED with "Allow" set (RFC 9110 section 15.5.6),
 * or NGX_HTTP_INTERNAL_SERVER_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_allow(ngx_http_request_t *r, ngx_uint_t methods);

/*
 * Sends a document whose strings outlive the request; to HEAD its headers
 * only.  The outcome that the request has by now is told; one that memory is
 * short for then is internal_error.  What is not cacheable says
 * "Cache-Control: no-store", unless that was said before.  Returns what a
 * content handler returns; never NGX_AGAIN: what could not be sent at once is
 * nginx's to send.
 */
ngx_int_t ngx_http_akl_k8s_respond(ngx_http_request_t *r,
    ngx_http_akl_k8s_document_t *document);


/*
 * Writes a JSON text to "out", perhaps several times, the same each time.
 * NGX_OK, or NGX_ERROR where memory is short.
 */
typedef ngx_int_t (*ngx_http_akl_k8s_write_pt)(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);

/*
 * Sends what "write" writes, and is given "data" for.  It is written to "size"
 * bytes, and to as much as it takes where that was too little; 0: measured
 * first.  As respond(), and told where memory is short.
 */
ngx_int_t ngx_http_akl_k8s_respond_json(ngx_http_request_t *r,
    ngx_uint_t status, size_t size, ngx_http_akl_k8s_write_pt write,
    void *data);

/*
 * Writes the body of internal_error in the manner of RFC 6749 section 5.2, for
 * whatever "data", and says the reason besides.
 */
ngx_int_t ngx_http_akl_k8s_respond_failure(ngx_http_request_t *r,
    akl_json_out_t *out, void *data);

/* An error of RFC 6749 section 5.2, a code and a sentence; likewise. */
ngx_int_t ngx_http_akl_k8s_respond_error(ngx_http_request_t *r,
    ngx_uint_t status, const char *error, const char *description);


#endif /* NGX_HTTP_AKL_K8S_RESPOND_H */
