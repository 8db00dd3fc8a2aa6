/*
 * Text that the status page is written as, in whichever format, and what its
 * formats escape.
 */

#ifndef NGX_HTTP_AKL_K8S_TEXT_H
#define NGX_HTTP_AKL_K8S_TEXT_H

#include "../module.h"


/* bytes that one call of ngx_http_akl_k8s_text() writes at most */

#define NGX_HTTP_AKL_K8S_TEXT_MAX  512


typedef struct {
    u_char                         *pos;        /* NULL: only counted */
    u_char                         *end;
    size_t                          len;        /* what was counted */
} ngx_http_akl_k8s_text_t;


/* Writes all of a document, perhaps several times. */
typedef void (*ngx_http_akl_k8s_text_pt)(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_http_akl_k8s_text_t *text);


/* Writes what the format of ngx_sprintf() says, up to TEXT_MAX bytes. */
void ngx_http_akl_k8s_text(ngx_http_akl_k8s_text_t *text, const char *fmt,
    ...);

/* Writes bytes as they are, however many. */
void ngx_http_akl_k8s_text_raw(ngx_http_akl_k8s_text_t *text,
    const char *data, size_t len);

/* A label's value for Prometheus: backslash, quote and line feed escaped. */
void ngx_http_akl_k8s_text_label(ngx_http_akl_k8s_text_t *text,
    ngx_str_t *value);

/* For HTML: content, or an attribute's value in quotes of either kind. */
void ngx_http_akl_k8s_text_html(ngx_http_akl_k8s_text_t *text,
    ngx_str_t *value);

/*
 * Answers with what "write" writes, as ngx_http_akl_k8s_respond() does; "type"
 * is the Content-Type.
 */
ngx_int_t ngx_http_akl_k8s_respond_text(ngx_http_request_t *r,
    const char *type, ngx_http_akl_k8s_text_pt write);


#endif /* NGX_HTTP_AKL_K8S_TEXT_H */
